"""Power, detectable differences, numbers of seeds, and effects without a unit: oracles and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower, TTestPower

from xleval.stats.effect import probability_of_superiority, relative_error_reduction
from xleval.stats.power import detectable, detectable_in_seed_sds, power, seeds_needed

NAN, INF = math.nan, math.inf
few = settings(max_examples=60, deadline=None)

degrees = st.one_of(st.floats(0.9, 2000), st.just(INF))
levels = st.sampled_from((0.001, 0.01, 0.05, 0.1))
scores = st.lists(st.integers(0, 5).map(lambda correct: correct / 5), min_size=1, max_size=6)


# Power


def test_the_table_of_detectable_differences() -> None:
    printed = [f"{detectable_in_seed_sds(seeds):.2f}" for seeds in (2, 3, 4, 5, 10)]
    assert printed == ["5.65", "3.07", "2.38", "2.02", "1.32"]


@pytest.mark.parametrize(
    ("seeds", "wanted", "alpha"),
    [
        *((seeds, 0.8, 0.05) for seeds in (2, 3, 4, 5, 10, 40)),
        *((seeds, 0.5, 0.1) for seeds in (2, 3, 5, 10, 40)),
        *((seeds, 0.9, 0.01) for seeds in (5, 10, 40)),  # with fewer seeds its power is not a number
    ],
)
def test_two_samples_are_those_of_statsmodels(seeds: int, wanted: float, alpha: float) -> None:
    found = detectable_in_seed_sds(seeds, wanted, alpha)
    assert TTestIndPower().power(found, seeds, alpha) == pytest.approx(wanted, abs=1e-6)
    for effect in (0, found / 4, found / 2, 1.2 * found):
        oracle = TTestIndPower().power(effect, seeds, alpha)
        assert power(effect, math.sqrt(2 / seeds), 2 * (seeds - 1), alpha) == pytest.approx(oracle, abs=1e-6)


def test_paired_samples_and_the_normal_test_are_those_of_statsmodels() -> None:
    assert detectable(1 / math.sqrt(6), 5) == pytest.approx(TTestPower().solve_power(nobs=6, alpha=0.05, power=0.8))
    assert NormalIndPower().power(detectable(math.sqrt(2 / 50), INF), 50, 0.05) == pytest.approx(0.8, abs=1e-9)
    assert detectable(1, INF) == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), abs=1e-4)


@few
@given(st.floats(0, 12), st.floats(1, 200), levels)
def test_power_is_the_integral_over_the_estimated_variance(effect: float, df: float, alpha: float) -> None:
    """From the definition, t = (Z + δ/se) / √(X/df): Z leaves ±cut with the probability below, given √(X/df) = s."""
    cut = stats.t.ppf(1 - alpha / 2, df)
    chi = stats.chi(df, scale=1 / math.sqrt(df))
    low, high = chi.ppf(1e-12), chi.isf(1e-12)

    def integrand(s: float) -> float:
        return chi.pdf(s) * (special.ndtr(effect - cut * s) + special.ndtr(-effect - cut * s))

    found = integrate.quad(integrand, low, high, limit=200, epsabs=1e-9)[0]
    assert power(effect, 1, df, alpha) == pytest.approx(found, abs=1e-5)  # scipy 1.13; 1.17 to 1e-9


def test_power_is_the_share_of_simulated_experiments_that_reject() -> None:
    random = np.random.default_rng(11)
    a, b = random.normal(2.5, 1, size=(2, 20000, 4)) - np.array([0, 2.5])[:, None, None]
    rejected = (stats.ttest_ind(a, b, axis=1).pvalue <= 0.05).mean()
    expected = power(2.5, math.sqrt(2 / 4), 6)
    assert rejected == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 20000))


@few
@given(degrees, levels)
def test_power_rises_from_alpha_to_1_with_the_difference(df: float, alpha: float) -> None:
    powers = [power(effect, 1, df, alpha) for effect in (0, 0.5, 1, 2, 4, 8, 16, 64, 1e3, 1e6)]
    assert powers[0] == pytest.approx(alpha, abs=1e-9)
    assert (np.diff(powers) >= -1e-12).all()
    assert all(0 <= p <= 1 for p in powers)
    assert powers[-1] == pytest.approx(1, abs=2e-3)  # for df near 1 and a small α, the cut is at hundreds
    assert power(-2, 1, df, alpha) == power(2, 1, df, alpha)


@few
@given(st.floats(1e-4, 10), degrees, st.floats(0.2, 0.99), levels)
def test_what_is_detectable_is_found_with_that_power(se: float, df: float, wanted: float, alpha: float) -> None:
    found = detectable(se, df, wanted, alpha)
    assert power(found, se, df, alpha) == pytest.approx(wanted, abs=1e-7)
    assert detectable(2 * se, df, wanted, alpha) == pytest.approx(2 * found, rel=1e-9)


def test_less_is_detectable_with_more_degrees_of_freedom_up_to_the_normal_test() -> None:
    found = [detectable(1, df) for df in (1, 2, 4, 30, 1e4, 1e8, INF)]
    assert found == sorted(found, reverse=True)
    assert found[-2] == pytest.approx(found[-1], rel=1e-6)


def test_power_where_scipy_gives_up() -> None:
    """scipy's noncentral t is not a number at these; Z beside 60 or more changes nothing."""
    assert power(60.927, 1, 1.9237, 0.2) == pytest.approx(1, abs=1e-12)
    without_z = stats.chi2.cdf(0.4 * (3e5 / stats.t.ppf(0.9995, 0.4)) ** 2, 0.4)
    assert power(3e5, 1, 0.4, 0.001) == pytest.approx(without_z, rel=0.02)  # scipy 1.13 gives a number, less exactly


def test_where_nothing_varies_every_difference_is_found() -> None:
    assert (power(0.001, 0, 4), power(0, 0, 4)) == (1, 0)
    assert detectable(0, 4) == 0


# Numbers of seeds


@few
@given(st.floats(0.3, 20), st.floats(0.1, 5), st.sampled_from((0.5, 0.8, 0.9)))
def test_no_fewer_seeds_will_do(difference: float, sd: float, wanted: float) -> None:
    found = seeds_needed(difference, sd, wanted, most=300)
    if found is None:
        assert detectable_in_seed_sds(300, wanted) * sd > difference
        return
    assert detectable_in_seed_sds(found, wanted) * sd <= difference * (1 + 1e-7)
    assert found == 2 or detectable_in_seed_sds(found - 1, wanted) * sd > difference * (1 - 1e-7)


def test_seeds_needed_are_those_of_statsmodels() -> None:
    for effect in (0.5, 1, 1.5, 2.5):
        assert seeds_needed(effect, 1) == math.ceil(TTestIndPower().solve_power(effect, alpha=0.05, power=0.8))
    assert seeds_needed(-1, 1) == seeds_needed(1, 1) == 17
    assert seeds_needed(2.02, 1) == 6  # 2.02 of the table is 2.024 with five


def test_no_number_of_seeds_makes_up_for_few_items() -> None:
    assert seeds_needed(0.1, 0.05, item_se=0.03) == 14
    assert seeds_needed(0.1, 0.05) == 6
    normal = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert seeds_needed(0.1, 0.05, item_se=0.1 / (normal - 0.01)) is None
    assert seeds_needed(0.1, 0.001, item_se=0.1 / (normal + 0.01)) == 2
    assert seeds_needed(0.1, 0, item_se=0.1 / (normal + 0.01)) == 2


def test_the_ends_of_the_search_for_seeds() -> None:
    assert seeds_needed(0, 1) is None
    assert seeds_needed(0, 0) is None
    assert seeds_needed(0.001, 1) is None
    assert seeds_needed(0.001, 0) == 2
    assert seeds_needed(1, 1, most=16) is None
    assert seeds_needed(1, 1, most=17) == 17


# Misuse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"se": -1}, "se is -1"),
        ({"se": NAN}, "se is nan"),
        ({"se": INF}, "se is inf"),
        ({"df": 0}, "df is 0"),
        ({"df": NAN}, "df is nan"),
        ({"alpha": 0}, "alpha is 0"),
        ({"alpha": NAN}, "alpha is nan"),
    ],
)
def test_a_test_that_cannot_be(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detectable(**{"se": 1, "df": 4, **arguments})
    with pytest.raises(ValueError, match=message):
        power(**{"difference": 1, "se": 1, "df": 4, **arguments})


def test_a_power_that_cannot_be() -> None:
    for wanted, message in ((1, "power is 1"), (0, "power is 0"), (0.05, r"power 0\.05 is not above alpha 0\.05")):
        for call in (
            lambda power: detectable(1, 4, power),
            lambda power: detectable_in_seed_sds(3, power),
            lambda power: seeds_needed(1, 1, power),
        ):
            with pytest.raises(ValueError, match=message):
                call(wanted)


def test_numbers_of_seeds_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="seeds is 1: with fewer than two no inference"):
        detectable_in_seed_sds(1)
    for arguments, message in (
        ((NAN, 1), "difference is nan"),
        ((1, -1), "seed_sd is -1"),
        ((1, INF), "seed_sd is inf"),
    ):
        with pytest.raises(ValueError, match=message):
            seeds_needed(*arguments)
    with pytest.raises(ValueError, match="item_se is nan"):
        seeds_needed(1, 1, item_se=NAN)
    with pytest.raises(ValueError, match="most is 1"):
        seeds_needed(1, 1, most=1)
    with pytest.raises(ValueError, match="difference is inf"):
        power(INF, 1, 4)


# Effects without a unit


def test_probability_of_superiority_by_hand() -> None:
    assert probability_of_superiority([3, 2], [1, 2]) == (1 + 1 + 1 + 0.5) / 4
    assert probability_of_superiority([3, 2], [1, 2], paired=True) == 0.75
    assert probability_of_superiority([5, 1, 1], [4, 2, 3], paired=True) == pytest.approx(1 / 3)
    assert probability_of_superiority([2, 3], [0, 1, 1]) == 1
    assert probability_of_superiority([0.5], [0.5]) == 0.5


@few
@given(scores, scores)
def test_one_of_the_two_is_above_and_it_is_mann_and_whitneys_u(a: list[float], b: list[float]) -> None:
    found = probability_of_superiority(a, b)
    assert found == pytest.approx(stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)), abs=1e-12)
    assert found + probability_of_superiority(b, a) == pytest.approx(1, abs=1e-12)
    assert probability_of_superiority(a, a) == probability_of_superiority(a, a, paired=True) == 0.5
    shorter = min(len(a), len(b))
    a, b = a[:shorter], b[:shorter]
    both = probability_of_superiority(a, b, paired=True) + probability_of_superiority(b, a, paired=True)
    assert both == pytest.approx(1, abs=1e-12)


def test_scores_that_cannot_be_compared() -> None:
    for a, b, message in (([], [1], "a is empty"), ([1], [NAN], r"b\[0\] is nan"), ([[1]], [1], r"shape \(1, 1\)")):
        with pytest.raises(ValueError, match=message):
            probability_of_superiority(a, b)
    with pytest.raises(ValueError, match="a has 1 values and b 2"):
        probability_of_superiority([1], [1, 2], paired=True)


def test_relative_error_reduction() -> None:
    assert relative_error_reduction(0.9, 0.8) == pytest.approx(0.5)
    assert relative_error_reduction(0.8, 0.9) == pytest.approx(-1)
    assert relative_error_reduction(0.7, 0.7) == 0
    assert relative_error_reduction(1, 0.2) == 1
    assert relative_error_reduction(0.9, 1) is None
    for a, b, message in ((65.3, 0.6, r"a is 65\.3"), (0.5, NAN, "b is nan"), (0.5, -0.1, r"b is -0\.1")):
        with pytest.raises(ValueError, match=message):
            relative_error_reduction(a, b)
