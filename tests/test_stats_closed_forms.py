"""Adjusted p-values, counts of improved languages and McNemar's test: published values, oracles, properties."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables, multitest

from xleval.stats.contingency import McNemar, mcnemar, mcnemar_of
from xleval.stats.multiple import benjamini_hochberg, benjamini_yekutieli, holm, improved_at_least, partial_conjunction

NAN, INF = math.nan, math.inf
few = settings(max_examples=60, deadline=None)

#: Benjamini & Hochberg 1995, section 4.1.
BH1995 = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)
p_values = st.lists(st.floats(0, 1), max_size=12)
ADJUSTMENTS = pytest.mark.parametrize("adjusted", [holm, benjamini_hochberg, benjamini_yekutieli, partial_conjunction])


# Many tests


def test_holm_of_a_small_family() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09], abs=1e-15)


def test_benjamini_and_hochbergs_example() -> None:
    assert (benjamini_hochberg(BH1995) <= 0.05).sum() == 4
    assert (holm(BH1995) <= 0.05).sum() == 3
    assert (benjamini_yekutieli(BH1995) <= 0.05).sum() == 3


@pytest.mark.parametrize("p", [BH1995, (0.02, 0.5, 0.02, 0.0, 1.0, 0.02), (0.3, 0.3, 0.3), (0.04, 0.03, 0.02, 0.01)])
def test_adjusted_p_values_are_those_of_statsmodels(p: tuple[float, ...]) -> None:
    for ours, theirs in ((holm, "holm"), (benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")):
        assert ours(p) == pytest.approx(multitest.multipletests(p, method=theirs)[1], abs=1e-14)


@few
@given(p_values, st.randoms(use_true_random=False))
def test_adjusted_p_values_are_ordered_as_the_raw_ones_and_never_smaller(p: list[float], random) -> None:
    raw = np.array(p)
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli):
        adjusted = adjust(p)
        assert adjusted.shape == raw.shape
        assert ((raw * (1 - 1e-14) <= adjusted) & (adjusted <= 1)).all()
        assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()
        assert adjust(raw[order]) == pytest.approx(adjusted[order], abs=0)


@few
@given(p_values)
def test_the_procedures_are_ordered_by_how_much_they_promise(p: list[float]) -> None:
    bonferroni = np.minimum(len(p) * np.array(p), 1)
    assert (benjamini_hochberg(p) <= holm(p) + 1e-14).all()
    assert (holm(p) <= bonferroni).all()
    assert (benjamini_hochberg(p) <= benjamini_yekutieli(p) + 1e-14).all()


def test_one_test_needs_no_correction_and_none_gives_none() -> None:
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli, partial_conjunction):
        assert adjust([0.03]) == pytest.approx([0.03], abs=0)
        assert adjust([]).shape == (0,)
    assert improved_at_least([]) == 0


def test_adjusting_leaves_the_callers_array_alone() -> None:
    p = np.array([0.04, 0.01, 0.5])
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli, partial_conjunction):
        adjust(p)
    assert p.tolist() == [0.04, 0.01, 0.5]


@ADJUSTMENTS
@pytest.mark.parametrize("bad", [NAN, -0.001, 1.001, INF])
def test_a_p_value_that_is_none_is_named(adjusted: Callable[[list[float]], np.ndarray], bad: float) -> None:
    with pytest.raises(ValueError, match=rf"p\[2\] is {bad}"):
        adjusted([0.1, 0.2, bad, 0.4])
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        adjusted([[0.1, 0.2]])


# How many languages improved


def test_the_example_of_dror_et_al() -> None:
    """The p-values in the manual of the authors' program: (n − u + 1) · p_(u) = .006, .095, .672, …"""
    p = [0.168, 0.297, 0.357, 0.019, 0.218, 0.001]
    assert partial_conjunction(p) == pytest.approx([0.006, 0.095, 0.672, 0.672, 0.672, 0.672], abs=1e-15)
    assert improved_at_least(p) == 1
    assert improved_at_least(p, alpha=0.1) == 2
    assert improved_at_least(p, alpha=0.005) == 0


@few
@given(p_values.filter(bool))
def test_partial_conjunction_is_bonferronis_test_of_the_largest_p_values(p: list[float]) -> None:
    """From the definition: u improved is doubted as long as the n − u + 1 largest p-values look like chance."""
    n, raised = len(p), 0.0
    found = partial_conjunction(p)
    for u in range(1, n + 1):
        largest = sorted(p)[u - 1 :]
        assert len(largest) == n - u + 1
        raised = max(raised, min(1.0, len(largest) * min(largest)))
        assert found[u - 1] == pytest.approx(raised, abs=1e-14)
    assert found[0] == pytest.approx(min(1.0, n * min(p)), abs=1e-14)
    assert (np.diff(found) >= 0).all()


@few
@given(p_values, st.floats(0.001, 0.5))
def test_as_many_languages_improved_as_holm_rejects(p: list[float], alpha: float) -> None:
    assert improved_at_least(p, alpha) == (holm(p) <= alpha).sum()


@pytest.mark.parametrize("shared", [0.0, 0.6, 1.0])
def test_the_number_of_improved_languages_is_seldom_overstated(shared: float) -> None:
    """3 of 9 languages improve by much; "more than 3" is said in at most 5 % of experiments, seeds shared or not."""
    random = np.random.default_rng(3)
    z = math.sqrt(shared) * random.normal(size=(4000, 1)) + math.sqrt(1 - shared) * random.normal(size=(4000, 9))
    z[:, :3] += 5
    counts = np.array([improved_at_least(p) for p in stats.norm.sf(z)])
    assert (counts > 3).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert (counts >= 2).mean() > 0.8


def test_a_level_is_between_0_and_1() -> None:
    for alpha in (0, 1, NAN):
        with pytest.raises(ValueError, match=f"alpha is {alpha}"):
            improved_at_least([0.01], alpha)


# Two checkpoints


def test_mcnemar_of_the_approval_ratings() -> None:
    """Agresti 2013, table 11.1: the table of R's ``mcnemar.test``. The exact p is a fraction of whole numbers."""
    found = mcnemar([[794, 86], [150, 570]])
    assert (found.a_only, found.b_only) == (86, 150)
    assert f"{found.chi2:.4f} {found.chi2_corrected:.4f} {found.p:.5e}" == "17.3559 16.8178 3.71594e-05"
    tails = 2 * sum(math.comb(236, k) for k in range(87))
    assert found.p == pytest.approx(float(Fraction(tails, 2**236)), rel=1e-12)
    assert f"{found.p_chi2:.3e} {found.p_chi2_corrected:.3e}" == "3.099e-05 4.115e-05"
    assert found.difference == pytest.approx((880 - 944) / 1600, abs=1e-15)


@few
@given(st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(lambda cells: cells[1] + cells[2] > 0))
def test_mcnemar_is_that_of_statsmodels_and_scipy_and_symmetric(cells: list[int]) -> None:
    both, a_only, b_only, neither = cells
    found = mcnemar([[both, a_only], [b_only, neither]])
    table = np.array(cells).reshape(2, 2)
    oracle = contingency_tables.mcnemar(table, exact=True)
    plain = contingency_tables.mcnemar(table, exact=False, correction=False)
    assert found.p == pytest.approx(min(oracle.pvalue, 1), rel=1e-9)
    assert found.p == pytest.approx(stats.binomtest(a_only, a_only + b_only).pvalue, rel=1e-12)
    assert (found.chi2, found.p_chi2) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-9)
    if a_only != b_only:  # statsmodels takes 1 off a difference of 0 too; R does not
        corrected = contingency_tables.mcnemar(table, exact=False, correction=True)
        assert found.chi2_corrected == pytest.approx(corrected.statistic, rel=1e-9)
        assert found.p_chi2_corrected == pytest.approx(corrected.pvalue, rel=1e-9)
    swapped = mcnemar([[both, b_only], [a_only, neither]])
    assert swapped == found._replace(difference=-found.difference, a_only=b_only, b_only=a_only)


def test_checkpoints_that_do_not_differ() -> None:
    assert mcnemar([[3, 0], [0, 4]]) == McNemar(0.0, 0, 0, 1.0, 0.0, 1.0, 0.0, 1.0)
    assert mcnemar_of([1, 0, 1], [1, 0, 1]).p == 1
    assert mcnemar([[3, 5], [5, 4]])[3:] == (1.0, 0.0, 1.0, 0.0, 1.0)


def test_mcnemar_of_two_rows_of_items() -> None:
    a, b = [1, 1, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 0, 0]
    assert mcnemar_of(a, b) == mcnemar([[1, 4], [1, 1]])
    assert mcnemar_of(np.array(a, dtype=bool), np.array(b, dtype=float)) == mcnemar_of(a, b)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, -2], [3, 4]], r"counts\[0, 1\] is -2"),
        ([[1.0, 2.0], [3.0, 4.0]], "integers, not float64"),
        ([[1, 2, 3], [3, 4, 5]], r"not \(2, 3\)"),
        ([], r"not \(0,\)"),
        ([[0, 0], [0, 0]], "no items"),
    ],
)
def test_bad_tables_of_counts(counts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcnemar(counts)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 0, 2], [1, 0, 0], r"correct_a\[2\] is 2"),
        ([1, 0], [1, NAN], r"correct_b\[1\] is nan"),
        ([1, 0], [1, 0, 0], "A has 2 items and B 3"),
        ([], [], "no items"),
        ([[1, 0]], [[1, 0]], r"shape \(1, 2\)"),
    ],
)
def test_bad_rows_of_items(a: object, b: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcnemar_of(a, b)
