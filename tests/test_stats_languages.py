"""Languages as a sample: against a plain computation, and against Student's t where nothing is shared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xleval.stats.contrast import Contrast
from xleval.stats.languages import over_languages


def these(differences: list[float], variance: float, df: float = 4.0) -> Contrast:
    """The average on the languages at hand."""
    return Contrast(sum(differences) / len(differences), variance, df, 0.5 * variance, variance, 0.5 * variance)


def plain(found: Contrast, d: list[float], v: list[float], families: list[str]) -> tuple[float, float]:
    """V and df, a family and a language at a time."""
    count, size, mean = len(set(families)), len(d), sum(d) / len(d)
    between = 0.0
    for family in set(families):
        between += (sum(x - mean for x, f in zip(d, families, strict=True) if f == family) / size) ** 2
    between *= count / (count - 1)
    common = max(found.variance - sum(v) / size**2, 0.0) * size / (size - 1)
    whole = between + common
    inverse = (between / whole) ** 2 / (count - 1) + (common / whole) ** 2 / found.df
    return whole, 1 / inverse


DIFFERENCES = st.lists(
    st.tuples(st.integers(-300, 300).map(lambda x: x / 1000), st.floats(1e-6, 0.01), st.sampled_from("abcdefgh")),
    min_size=2,
    max_size=12,
).filter(lambda rows: len({family for *_, family in rows}) > 1 and len({d for d, *_ in rows}) > 1)


@settings(max_examples=100, deadline=None)
@given(DIFFERENCES, st.floats(1e-7, 0.02), st.floats(1, 50), st.randoms(use_true_random=False))
def test_variance_and_df_are_those_of_a_plain_computation(
    rows: list[tuple[float, float, str]], variance: float, df: float, random: Any
) -> None:
    d, v, families = map(list, zip(*rows, strict=True))
    average = these(d, variance, df)
    found = over_languages(average, d, v, families)
    assert (found.variance, found.df) == pytest.approx(plain(average, d, v, families), rel=1e-9)
    assert found.estimate == average.estimate
    assert found[3:] == average[3:]
    # In any order; the names of the families are names.
    order = random.sample(range(len(d)), len(d))
    moved = over_languages(average, [d[i] for i in order], [v[i] for i in order], [f"{families[i]}!" for i in order])
    assert moved == pytest.approx(found, rel=1e-9)


def test_where_nothing_is_shared_it_is_a_t_test_over_languages() -> None:
    d, v = [0.03, 0.01, -0.02, 0.05, 0.04], [1e-4, 2e-4, 1e-4, 3e-4, 1e-4]
    found = over_languages(these(d, sum(v) / 25), d, v, list("abcde"))
    expected = stats.ttest_1samp(d, 0)
    assert found.df == pytest.approx(4)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert found.interval() == pytest.approx((interval.low, interval.high))


def test_what_all_languages_share_does_not_average_out() -> None:
    d, v = [0.03, 0.01, -0.02, 0.05, 0.04], [1e-4] * 5
    apart, shared = (over_languages(these(d, variance, 3.0), d, v, list("abcde")) for variance in (2e-5, 9e-5))
    assert shared.variance == pytest.approx(apart.variance + 7e-5 * 5 / 4)
    # Languages that all gain the same: nothing is left but what they share, with its degrees of freedom.
    alike = over_languages(these([0.03] * 5, 1e-4, 3.0), [0.03] * 5, v, list("abcde"))
    assert (alike.variance, alike.df) == pytest.approx((8e-5 * 5 / 4, 3.0))


def test_a_variance_below_that_of_independent_languages_shares_nothing() -> None:
    d, v = [0.03, 0.01, -0.02], [1e-4] * 3
    assert over_languages(these(d, 1e-6), d, v, list("abc")).variance == pytest.approx(np.var(d, ddof=1) / 3)


def test_languages_of_a_family_are_one_draw() -> None:
    """Deviations of a family add up: V_f = 2 · (s² + s²), s = (0.02 + 0.03) / 4."""
    d, v = [0.04, 0.05, 0.00, -0.01], [1e-9] * 4
    found = over_languages(these(d, 2.5e-10), d, v, ["bantu", "bantu", "kwa", "kwa"])
    deviation = (0.02 + 0.03) / 4
    assert found.variance == pytest.approx(2 * 2 * deviation**2)
    assert found.df == pytest.approx(1)
    alone = over_languages(these(d, 2.5e-10), d, v, list("abcd"))
    assert found.variance > alone.variance
    assert alone.df == pytest.approx(3)


def test_nothing_that_varies_is_certain() -> None:
    found = over_languages(Contrast(0.0, 0.0, math.inf, 0.0, 0.0, 0.0), [0.0, 0.0], [0.0, 0.0], ["a", "b"])
    assert (found.variance, found.df, found.p) == (0, math.inf, 1)
    assert found.interval() == (0, 0)


def test_bad_input_is_refused() -> None:
    average = these([0.1, 0.2], 1e-4)
    for families in (["a", "a"], ["b", "b"]):
        with pytest.raises(ValueError, match="1 language family: nothing can be said about languages of others"):
            over_languages(average, [0.1, 0.2], [1e-4, 1e-4], families)
    with pytest.raises(ValueError, match="0 language family"):
        over_languages(average, [], [], [])
    for d, v, families in (
        ([0.1, 0.2], [1e-4], ["a", "b"]),
        ([0.1, 0.2], [1e-4, 1e-4], ["a"]),
        ([[0.1, 0.2]], [[1e-4, 1e-4]], ["a"]),
    ):
        with pytest.raises(ValueError, match=r"differences \(.*\), variances \(.*\) and \d families"):
            over_languages(average, d, v, families)
