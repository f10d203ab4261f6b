"""The bootstrap against exact enumeration, scipy and published numbers; what is the same moves together; ranks."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resampled import accuracy, entities, made_entities, plain_f1
from scipy import stats

from xleval.stats.bootstrap import bootstrap, rank_intervals
from xleval.stats.influence import influence
from xleval.stats.resampling import (
    ResamplingCell,
    resampling_cell,
)

#: ``city`` of R's boot: populations of ten cities in 1920 and 1930 (Davison & Hinkley 1997, example 1.2).
CITY_1920 = [138, 93, 61, 179, 48, 37, 29, 23, 30, 2]
CITY_1930 = [143, 104, 69, 260, 75, 63, 50, 48, 111, 50]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


# The bootstrap against every possible resample


def every_weight(size: int) -> list[tuple[int, ...]]:
    """Weights of all size ** size equally likely draws."""
    draws = itertools.product(range(size), repeat=size)
    return [tuple(Counter(draw).get(thing, 0) for thing in range(size)) for draw in draws]


def compare_distributions(values: npt.ArrayLike, exact: Sequence[float]) -> None:
    """Every value is possible, and the frequencies are those of a sample of the exact distribution."""
    expected = Counter(round(value, 9) for value in exact)
    seen = Counter(round(float(value), 9) for value in np.asarray(values))
    assert set(seen) <= set(expected)
    shares = np.array([[seen[value], count / len(exact)] for value, count in expected.items()]).T
    total = shares[0].sum()
    common = shares[1] * total >= 5
    observed, wanted = (np.append(row[common], row[~common].sum()) for row in (shares[0], shares[1] * total))
    keep = wanted > 0
    assert stats.chisquare(observed[keep], wanted[keep]).pvalue > 0.001


def test_two_strategies_with_runs_of_their_own(random: np.random.Generator) -> None:
    counts = [made_entities(random, 2, 3) for _ in range(2)]
    found = bootstrap([[entities(c, [f"{k}{s}" for s in range(2)])] for k, c in enumerate(counts)], seed=1)
    exact = [
        sum(w * plain_f1(run, items) for w, run in zip(first, counts[0], strict=True)) / 2
        - sum(w * plain_f1(run, items) for w, run in zip(second, counts[1], strict=True)) / 2
        for items in every_weight(3)
        for first in every_weight(2)
        for second in every_weight(2)
    ]
    difference = found.difference(0, 1, 0)
    compare_distributions(difference.values, exact)
    assert difference.se == pytest.approx(np.std(exact), rel=0.03)
    assert difference.estimate == pytest.approx(
        np.mean([plain_f1(run, (1, 1, 1)) for run in counts[0]])
        - np.mean([plain_f1(run, (1, 1, 1)) for run in counts[1]])
    )


def test_two_strategies_that_share_their_runs(random: np.random.Generator) -> None:
    counts = [made_entities(random, 3, 2) for _ in range(2)]
    found = bootstrap([[entities(c, ["a", "b", "c"])] for c in counts], seed=2)
    exact = [
        sum(w * (plain_f1(a, items) - plain_f1(b, items)) for w, a, b in zip(taken, *counts, strict=True)) / 3
        for items in every_weight(2)
        for taken in every_weight(3)
    ]
    difference = found.difference(0, 1, 0)
    compare_distributions(difference.values, exact)
    off = np.abs(difference.values - difference.estimate) >= abs(difference.estimate) - 1e-9
    assert difference.p == (1 + off.sum()) / 10_001


def test_parallel_languages_share_items_by_number_where_one_lacks_some(random: np.random.Generator) -> None:
    """One run set for both languages; the second language has units 10 and 40 of 10, 20, 40."""
    counts = [made_entities(random, 2, 3), made_entities(random, 2, 2)]
    cells = [entities(c, "ab", "parallel", u) for c, u in zip(counts, ([40, 10, 20], [10, 40]), strict=True)]
    found = bootstrap([cells], seed=3)
    exact = [
        sum(
            w * (plain_f1(first, items) + plain_f1(second, (items[1], items[0]))) / 2
            for w, first, second in zip(taken, *counts, strict=True)
        )
        / 2
        for items in every_weight(3)
        for taken in every_weight(2)
    ]
    compare_distributions(found.score(0).values, exact)


def test_parallel_languages_that_each_lack_an_item(random: np.random.Generator) -> None:
    """Units 1, 2, 3 and 2, 3, 4: four are drawn."""
    counts = [made_entities(random, 1, 3).repeat(2, axis=0) for _ in range(2)]
    cells = [entities(c, "ab", "parallel", u) for c, u in zip(counts, ([1, 2, 3], [4, 2, 3]), strict=True)]
    exact = [
        (plain_f1(counts[0][0], items[:3]) + plain_f1(counts[1][0], (items[3], items[1], items[2]))) / 2
        for items in every_weight(4)
    ]
    compare_distributions(bootstrap([cells], seed=3).score(0).values, exact)


def test_other_languages_have_items_of_their_own(random: np.random.Generator) -> None:
    counts = [made_entities(random, 2, 3), made_entities(random, 2, 3)]
    found = bootstrap([[entities(c, "ab", language) for c, language in zip(counts, "xy", strict=True)]], seed=4)
    exact = [
        sum(w * (plain_f1(a, one) + plain_f1(b, other)) / 2 for w, a, b in zip(taken, *counts, strict=True)) / 2
        for one in every_weight(3)
        for other in every_weight(3)
        for taken in every_weight(2)
    ]
    compare_distributions(found.score(0).values, exact)


def test_replicates_are_drawn_from_each_other() -> None:
    """Two runs serve both languages, two more one language each: 1 + 1 + 1 groups of two."""
    parts = {"both1": 0, "both2": 1, "x1": 3, "x2": 7, "y1": 2, "y2": 9}

    def one(language: str) -> ResamplingCell:
        runs = ["both1", "both2", f"{language}1", f"{language}2"]
        counts = [[[parts[run], 10]] * 2 for run in runs]
        return resampling_cell(counts, [1, 0], [0, 1], runs=runs, units=[0, 1], stratum=language)

    found = bootstrap([[one("x"), one("y")]], seed=5)
    exact = [
        np.mean(
            [
                (b[0] * 0 + b[1] * 1 + own[0] * parts[f"{language}1"] + own[1] * parts[f"{language}2"]) / 40
                for language, own in (("x", x), ("y", y))
            ]
        )
        for b in every_weight(2)
        for x in every_weight(2)
        for y in every_weight(2)
    ]
    compare_distributions(found.score(0).values, [float(value) for value in exact])


# The bootstrap against scipy and published numbers


def city(repeats: int = 2) -> ResamplingCell:
    counts = np.stack([CITY_1930, CITY_1920], axis=-1)
    return resampling_cell([counts] * repeats, [1, 0], [0, 1], runs=range(repeats), units=range(10), stratum="city")


def test_ratio_of_city() -> None:
    """R's boot: ratio 1.5203125, delta-method variance .0324877; few cities, so that the bootstrap's is larger."""
    found = bootstrap([[city()]], seed=6, resamples=40_000).score(0, 0)
    assert found.estimate == 973 / 640 == 1.5203125
    counts = np.stack([CITY_1930, CITY_1920], axis=-1)

    def gradient(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.array([1.0, -sums[0] / sums[1]]) / sums[1]

    assert (influence(counts, gradient) ** 2).sum() / 100 == pytest.approx(0.0324877, abs=5e-8)
    assert 0.0324877 < found.se**2 < 2 * 0.0324877
    peer = stats.bootstrap(
        (CITY_1930, CITY_1920), lambda x, u, axis=-1: x.sum(axis) / u.sum(axis),
        paired=True, vectorized=True, n_resamples=40_000, method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.se == pytest.approx(peer.standard_error, rel=0.03)
    assert found.interval() == pytest.approx(tuple(peer.confidence_interval), rel=0.02)


def test_basic_interval_is_scipys() -> None:
    found = bootstrap([[city()]], seed=7, resamples=40_000).score(0, 0)
    peer = stats.bootstrap(
        (CITY_1930, CITY_1920), lambda x, u, axis=-1: x.sum(axis) / u.sum(axis), confidence_level=0.9,
        paired=True, vectorized=True, n_resamples=40_000, method="basic", rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.interval(0.9, basic=True) == pytest.approx(tuple(peer.confidence_interval), rel=0.02)


def test_difference_of_accuracies_is_scipys_paired_one(random: np.random.Generator) -> None:
    """Runs that are all alike leave the items' part; the pairing halves the standard error here."""
    a = random.integers(0, 2, 200)
    b = np.where(random.random(200) < 0.1, 1 - a, a)
    found = bootstrap([[accuracy([a, a])], [accuracy([b, b], runs="pq")]], seed=8)
    peer = stats.bootstrap(
        (a, b), lambda x, y, axis=-1: x.mean(axis) - y.mean(axis),
        paired=True, vectorized=True, n_resamples=5000, method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    difference = found.difference(0, 1, 0)
    assert difference.se == pytest.approx(peer.standard_error, rel=0.05)
    assert difference.interval() == pytest.approx(tuple(peer.confidence_interval), abs=0.006)
    assert difference.se < 0.5 * math.hypot(found.score(0, 0).se, found.score(1, 0).se)


# What is the same moves together


def constant_runs(rates: Sequence[int], runs: Sequence[Hashable], stratum: Hashable) -> ResamplingCell:
    """Of ten words in each of five items a run has as many right as its rate: items add no variance."""
    counts = [[[rate, 10]] * 5 for rate in rates]
    return resampling_cell(counts, [1, 0], [0, 1], runs=runs, units=range(5), stratum=stratum)


def test_runs_shared_by_languages_widen_the_macro_interval() -> None:
    rates, languages = [2, 3, 5, 6, 9], "abcdefghi"
    own = [constant_runs(rates, [f"{language}{s}" for s in range(5)], language) for language in languages]
    shared = [constant_runs(rates, range(5), language) for language in languages]
    expected = float(np.std(rates)) / 10 / math.sqrt(5)
    assert bootstrap([shared], seed=1).score(0).se == pytest.approx(expected, rel=0.03)
    assert bootstrap([own], seed=1).score(0).se == pytest.approx(expected / 3, rel=0.03)
    assert bootstrap([shared], seed=1).score(0, 4).se == pytest.approx(expected, rel=0.03)


def test_parallel_items_widen_the_macro_interval(random: np.random.Generator) -> None:
    correct, languages = np.array([random.integers(0, 2, 100)] * 2), "abcdefghi"
    expected = float(correct[0].std()) / 10
    parallel = bootstrap([[accuracy(correct, stratum="parallel") for _ in languages]], seed=1)
    separate = bootstrap([[accuracy(correct, stratum=language) for language in languages]], seed=1)
    assert parallel.score(0).se == pytest.approx(expected, rel=0.03)
    assert separate.score(0).se == pytest.approx(expected / 3, rel=0.03)
    assert np.array_equal(parallel.scores[:, 0, 0], parallel.scores[:, 0, 8])
    between = np.corrcoef(separate.scores[:, 0, 0], separate.scores[:, 0, 8])[0, 1]
    assert abs(between) < 4 / math.sqrt(10_000)


def test_strata_of_one_size_have_the_same_weights_in_other_orders(random: np.random.Generator) -> None:
    correct = np.array([random.integers(0, 2, 30)] * 2)
    found = bootstrap([[accuracy(correct, stratum=language) for language in "xy"]], seed=1).scores[:, 0]
    assert not np.array_equal(found[:, 0], found[:, 1])
    assert np.array_equal(np.sort(found[:, 0]), np.sort(found[:, 1]))


def test_paragraphs_widen_the_interval_of_their_questions(random: np.random.Generator) -> None:
    """Four questions of a paragraph that are right or wrong together are one."""
    correct = np.repeat(random.integers(0, 2, 50), 4)
    alone = bootstrap([[accuracy([correct, correct])]], seed=1).score(0, 0)
    grouped = bootstrap([[accuracy([correct, correct], units=np.repeat(np.arange(50), 4))]], seed=1).score(0, 0)
    assert grouped.se == pytest.approx(2 * alone.se, rel=0.05)
    assert grouped.estimate == alone.estimate


# Ranks


def test_ranks_of_clear_and_of_unsettled_strategies() -> None:
    scores = np.array([[0.9, 0.5, 0.6, 0.1]] * 50 + [[0.9, 0.6, 0.5, 0.1]] * 50)
    assert rank_intervals(scores).tolist() == [[1, 1], [2, 3], [2, 3], [4, 4]]
    scores[2:] = scores[:1]
    assert rank_intervals(scores).tolist() == [[1, 1], [3, 3], [2, 2], [4, 4]]


@given(st.integers(1, 6).flatmap(lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1)))
@settings(max_examples=60, deadline=None)
def test_ranks_are_between_1_and_all(scores: list[list[int]]) -> None:
    found = rank_intervals(scores, 0.9)
    count = len(scores[0])
    assert (found[:, 0] >= 1).all()
    assert (found[:, 0] <= found[:, 1]).all()
    assert (found[:, 1] <= count).all()
    turned = rank_intervals([row[::-1] for row in scores], 0.9)
    assert np.array_equal(turned[::-1], found)
