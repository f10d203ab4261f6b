"""Tests over runs, the exact sign-flip test and the mark of published tables: published values, oracles, properties."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import descriptivestats, weightstats

from xleval.stats.contingency import mcnemar
from xleval.stats.student import asterisk, paired, sign_flip, student, welch

NAN, INF = math.nan, math.inf
few = settings(max_examples=60, deadline=None)

#: R's data set `sleep` (Student 1908): extra hours of ten patients with two drugs.
SLEEP = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0), (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
#: Darwin's maize in Fisher 1935, chapter 3: crossed minus self-fertilised of each pair, in eighths of an inch.
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)

score = st.integers(0, 1000).map(lambda correct: correct / 1000)
runs = st.lists(score, min_size=2, max_size=6)
run_pairs = st.lists(st.tuples(score, score), min_size=2, max_size=6).map(lambda rows: tuple(zip(*rows, strict=True)))


# Tests over runs


def test_students_sleep_data() -> None:
    """As R's ``t.test`` prints them. A lost pairing would give Welch's p in place of the paired one."""
    t = paired(*SLEEP)
    assert f"{t.t:.4f} {t.df} {t.p:.8f} {t.low:.7f} {t.high:.7f}" == "-4.0621 9 0.00283289 -2.4598858 -0.7001142"
    t = welch(*SLEEP)
    assert f"{t.t:.4f} {t.df:.3f} {t.p:.7f} {t.low:.7f} {t.high:.7f}" == "-1.8608 17.776 0.0793941 -3.3654832 0.2054832"
    t = student(*SLEEP)
    assert f"{t.t:.4f} {t.df} {t.p:.5f} {t.low:.6f} {t.high:.6f}" == "-1.8608 18 0.07919 -3.363874 0.203874"
    assert t.difference == pytest.approx(-1.58, abs=1e-14)


def test_darwins_maize() -> None:
    t = paired(MAIZE, np.zeros(15))
    assert f"{t.t:.5f} {t.p:.6f}" == "2.14799 0.049703"
    one_sided, two_sided = sign_flip(MAIZE, "greater"), sign_flip(MAIZE)
    assert (one_sided.extreme, one_sided.flips) == (863, 32768)
    assert one_sided.p == 863 / 32768
    assert f"{two_sided.p:.7f}" == "0.0526733"
    assert sign_flip(np.array(MAIZE) / 8).extreme == two_sided.extreme == 1726


@few
@given(runs, runs)
def test_two_samples_are_those_of_scipy_and_statsmodels(a: list[float], b: list[float]) -> None:
    if len(set(a)) == 1 or len(set(b)) == 1:
        return  # scipy divides by 0, or by a rounding error
    for test, equal, name in ((student, True, "pooled"), (welch, False, "unequal")):
        found, oracle = test(a, b), stats.ttest_ind(a, b, equal_var=equal)
        assert (found.t, found.p, found.df) == pytest.approx((oracle.statistic, oracle.pvalue, oracle.df), rel=1e-9)
        means = weightstats.CompareMeans.from_data(a, b)
        assert (found.low, found.high) == pytest.approx(means.tconfint_diff(usevar=name), abs=1e-9)
        wider = test(a, b, level=0.99)
        assert wider.low < found.low <= found.difference <= found.high < wider.high


@few
@given(run_pairs)
def test_pairs_are_those_of_scipy(ab: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    a, b = ab
    if np.ptp(np.subtract(a, b)) < 1e-9:
        return
    found, oracle = paired(a, b), stats.ttest_rel(a, b)
    assert (found.t, found.p, found.df) == pytest.approx((oracle.statistic, oracle.pvalue, oracle.df), rel=1e-6)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval()), abs=1e-9)


@few
@given(runs, runs)
def test_swapping_the_strategies_turns_the_difference_round(a: list[float], b: list[float]) -> None:
    for test in (student, welch):
        found, swapped = test(a, b), test(b, a)
        assert (swapped.difference, swapped.t) == pytest.approx((-found.difference, -found.t), abs=1e-12)
        assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=1e-12)
        assert swapped.p == pytest.approx(found.p, rel=1e-9)


@pytest.mark.parametrize("test", [student, welch, paired])
def test_runs_that_do_not_vary(test: Callable) -> None:
    same = test([0.1, 0.1, 0.1], [0.1, 0.1, 0.1])
    assert (same.difference, same.t, same.p, same.low, same.high) == (0, 0, 1, 0, 0)
    assert test([0.0, 0.0], [0.0, 0.0])[-3:] == (1, 0, 0)
    for sign, a, b in ((1, 0.3, 0.1), (-1, 0.1, 0.3)):
        # Three times 0.1 has a mean that is not 0.1 and so a variance that is not 0, in floating point.
        found = test([a] * 3, [b] * 3)
        assert (found.t, found.p) == (sign * INF, 0)
        assert found.low == found.difference == found.high == pytest.approx(sign * 0.2, abs=1e-15)


@pytest.mark.parametrize("test", [student, welch, paired])
def test_scores_that_differ_by_rounding_errors_are_equal(test: Callable) -> None:
    assert 0.1 + 0.2 != 0.3
    assert test([0.1 + 0.2] * 3, [0.3] * 3)[1:4:2] == (0, 1)


def test_identical_systems_have_p_1() -> None:
    scores = [0.71, 0.74, 0.69]
    for test in (student, welch, paired):
        assert (test(scores, scores).difference, test(scores, scores).p) == (0, 1)
    assert paired(scores, scores)[-2:] == (0, 0)
    assert sign_flip([0.0] * 6).p == sign_flip([0.0] * 6, "greater").p == 1


@pytest.mark.parametrize("test", [student, welch, paired])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([0.5], [0.4, 0.6], "a has one value: with one seed no inference"),
        ([0.4, 0.6], [0.5], "b has one value: with one seed no inference"),
        ([], [0.5], "a is empty"),
        ([0.5, 0.6, NAN], [0.4, 0.6, 0.7], r"a\[2\] is nan"),
        ([0.5, 0.6], [-INF, 0.6], r"b\[0\] is -inf"),
        ([[0.5, 0.6]], [0.4, 0.6], r"a is one row of values, not an array of shape \(1, 2\)"),
    ],
)
def test_runs_without_an_inference(test: Callable, a: object, b: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        test(a, b)


def test_other_misuse_of_the_t_tests() -> None:
    with pytest.raises(ValueError, match="a has 2 values and b 3: they cannot be paired"):
        paired([0.1, 0.2], [0.1, 0.2, 0.3])
    for level in (0, 1, 95, NAN):
        with pytest.raises(ValueError, match=f"level is {level}"):
            student([0.1, 0.2], [0.1, 0.2], level=level)


# The exact sign-flip test


@few
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9))
def test_sign_flips_are_counted_one_by_one(differences: list[int]) -> None:
    """In integers, where there is no rounding; then in tenths, where equal sums differ by rounding errors."""
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    for d in (differences, np.array(differences) / 10, np.array(differences) * 1e-7):
        two, one = sign_flip(d, alpha=None), sign_flip(d, "greater", alpha=None)
        assert two.extreme == sum(abs(s) >= abs(sum(differences)) for s in sums)
        assert one.extreme == sum(s >= sum(differences) for s in sums)
        assert two.flips == one.flips == len(sums)
        assert two.p == two.extreme / len(sums)


def test_sign_flip_is_scipys_permutation_test() -> None:
    differences = np.random.default_rng(5).normal(0.4, 1, 10)
    for alternative in ("two-sided", "greater"):
        oracle = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=INF, alternative=alternative
        )
        assert sign_flip(differences, alternative).p == pytest.approx(oracle.pvalue, rel=1e-12)


@few
@given(st.lists(st.sampled_from((-1, 0, 1)), min_size=6, max_size=14))
def test_sign_flip_of_right_and_wrong_is_mcnemar_and_the_sign_test(differences: list[int]) -> None:
    a_only, b_only = differences.count(1), differences.count(-1)
    p = sign_flip(differences).p
    assert p == pytest.approx(mcnemar([[1, a_only], [b_only, 1]]).p, rel=1e-12)
    if a_only + b_only:
        assert p == pytest.approx(descriptivestats.sign_test(differences)[1], rel=1e-12)


def test_sign_flip_refuses_what_could_never_reject() -> None:
    with pytest.raises(
        ValueError, match=r"two-sided sign-flip test of 5 differences .* below 0\.0625, .* alpha = 0\.05"
    ):
        sign_flip([0.1, 0.2, 0.3, 0.4, 0.5])
    assert sign_flip([0.1, 0.2, 0.3, 0.4, 0.5], alpha=None).p == 0.0625
    assert sign_flip([0.1, 0.2, 0.3, 0.4, 0.5], alpha=0.0625).p == 0.0625
    assert sign_flip([0.1, 0.2, 0.3, 0.4, 0.5], "greater").p == 1 / 32
    assert sign_flip([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).p == 1 / 32
    with pytest.raises(ValueError, match=r"greater sign-flip test of 4 differences .* below 0\.0625"):
        sign_flip([0.1, 0.2, 0.3, 0.4], "greater")
    assert sign_flip([0.7], alpha=None).p == 1


def test_the_largest_sign_flip_is_of_20() -> None:
    assert sign_flip(np.arange(1, 21)).p == 2 / 2**20
    with pytest.raises(ValueError, match="21 differences"):
        sign_flip(np.arange(21))


def test_bad_input_of_the_sign_flip() -> None:
    for differences, message in (([], "differences is empty"), ([0.1, NAN], r"differences\[1\] is nan")):
        with pytest.raises(ValueError, match=message):
            sign_flip(differences, alpha=None)
    with pytest.raises(ValueError, match="alternative is 'less'"):
        sign_flip([1.0] * 6, "less")
    with pytest.raises(ValueError, match="alpha is 5"):
        sign_flip([1.0] * 6, alpha=5)


# The mark of published tables


def test_the_asterisk_marks_gains_that_are_not_significant() -> None:
    assert asterisk(1.2, 0.051) == "*"
    assert asterisk(1.2, 0.05) == asterisk(1.2, 0.001) == ""
    assert asterisk(-1.2, 0.6) == asterisk(0, 1) == ""
    assert asterisk(1.2, 0.051, alpha=0.1) == ""


def test_an_asterisk_needs_numbers() -> None:
    for arguments, message in (((NAN, 0.1), "gain is nan"), ((1, NAN), "p is nan"), ((1, 1.2), r"p is 1\.2")):
        with pytest.raises(ValueError, match=message):
            asterisk(*arguments)
    with pytest.raises(ValueError, match="alpha is 0"):
        asterisk(1, 0.5, alpha=0)
