"""Resampling against exact enumeration, scipy and published numbers; what is the same moves together."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xleval.scoring.metrics import ANSWER_F1, ENTITY_F1, PARTS
from xleval.stats import bootstrap as bootstrap_module
from xleval.stats import randomization as randomization_module
from xleval.stats import resampling as resampling_module
from xleval.stats.bootstrap import bootstrap, rank_intervals
from xleval.stats.influence import influence
from xleval.stats.randomization import randomization, swaps
from xleval.stats.resampling import (
    ResamplingCell,
    bits_of,
    exact_type,
    interval,
    p_value,
    resampling_cell,
    seed_of,
    weights,
)

Ints = npt.NDArray[np.int64]
#: ``city`` of R's boot: populations of ten cities in 1920 and 1930 (Davison & Hinkley 1997, example 1.2).
CITY_1920 = [138, 93, 61, 179, 48, 37, 29, 23, 30, 2]
CITY_1930 = [143, 104, 69, 260, 75, 63, 50, 48, 111, 50]


def accuracy(
    correct: npt.ArrayLike,
    runs: Sequence[Hashable] | None = None,
    stratum: Hashable = "swa",
    units: npt.ArrayLike | None = None,
) -> ResamplingCell:
    """From 0 and 1, shape (runs, items)."""
    found = np.asarray(correct)
    return resampling_cell(
        np.stack([found, np.ones_like(found)], axis=-1),
        [1, 0],
        [0, 1],
        runs=range(len(found)) if runs is None else runs,
        units=np.arange(found.shape[1]) if units is None else units,
        stratum=stratum,
    )


def entities(
    counts: npt.ArrayLike, runs: Sequence[Hashable], stratum: Hashable = "swa", units: npt.ArrayLike | None = None
) -> ResamplingCell:
    """From (tp, pred, gold), shape (runs, items, 3)."""
    found = np.asarray(counts)
    units = np.arange(found.shape[1]) if units is None else units
    return resampling_cell(found, [2, 0, 0], [0, 1, 1], runs=runs, units=units, stratum=stratum)


def made_entities(random: np.random.Generator, runs: int, items: int) -> Ints:
    gold, pred = random.integers(0, 4, (runs, items)), random.integers(0, 4, (runs, items))
    return np.stack([random.integers(0, np.minimum(gold, pred) + 1), pred, gold], axis=-1)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


# The bootstrap against every possible resample


def every_weight(size: int) -> list[tuple[int, ...]]:
    """Weights of all size ** size equally likely draws."""
    draws = itertools.product(range(size), repeat=size)
    return [tuple(Counter(draw).get(thing, 0) for thing in range(size)) for draw in draws]


def plain_f1(run: Ints, taken: Sequence[int]) -> float:
    tp, pred, gold = (sum(w * int(row[column]) for w, row in zip(taken, run, strict=True)) for column in range(3))
    return 2 * tp / (pred + gold) if pred + gold else 0.0


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


# What the draws depend on


def grid(random: np.random.Generator, strategies: int = 3) -> list[list[ResamplingCell]]:
    """Languages x and y with 40 items, z with 25; strategy 0 has runs of its own on each language."""
    sizes = {"x": 40, "y": 40, "z": 25}
    return [
        [
            entities(
                made_entities(random, 3, size), [f"{k}{s}{language if k == 0 else ''}" for s in range(3)], language
            )
            for language, size in sizes.items()
        ]
        for k in range(strategies)
    ]


def test_order_of_strategies_languages_and_runs_does_not_matter(random: np.random.Generator) -> None:
    cells = grid(random)
    found = bootstrap(cells, seed=9, resamples=500).scores
    turned = bootstrap([row[::-1] for row in cells[::-1]], seed=9, resamples=500).scores
    assert np.array_equal(turned[:, ::-1, ::-1], found)
    mixed = [
        [ResamplingCell(c.above[::-1], c.below[::-1], c.runs[::-1], c.units, c.stratum) for c in row] for row in cells
    ]
    assert np.array_equal(bootstrap(mixed, seed=9, resamples=500).scores, found)


def test_other_strategies_and_languages_do_not_matter(random: np.random.Generator) -> None:
    cells = grid(random)
    found = bootstrap(cells, seed=9, resamples=500).scores
    assert np.array_equal(bootstrap(cells[1:], seed=9, resamples=500).scores, found[:, 1:])
    fewer = bootstrap([row[1:] for row in cells], seed=9, resamples=500).scores
    assert np.array_equal(fewer, found[:, :, 1:])


def test_seeds_differ(random: np.random.Generator) -> None:
    cells = grid(random)
    assert not np.array_equal(
        bootstrap(cells, seed=1, resamples=50).scores, bootstrap(cells, seed=2, resamples=50).scores
    )


def test_pieces_and_precision_do_not_matter(random: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = grid(random)
    found = bootstrap(cells, seed=9, resamples=500).scores
    swapped = randomization(cells[1], cells[2], seed=9, resamples=500).null
    monkeypatch.setattr(bootstrap_module, "HELD", 1)
    assert np.array_equal(bootstrap(cells, seed=9, resamples=500).scores, found)
    monkeypatch.setattr(randomization_module, "HELD", 1000)
    assert np.array_equal(randomization(cells[1], cells[2], seed=9, resamples=500).null, swapped)
    monkeypatch.setattr(resampling_module, "EXACT_32", 0)
    assert np.array_equal(bootstrap(cells, seed=9, resamples=500).scores, found)
    assert np.array_equal(randomization(cells[1], cells[2], seed=9, resamples=500).null, swapped)


def test_draws_are_the_same_everywhere() -> None:
    """Numbers that were drawn once: a p-value must not depend on the version of numpy or the machine."""
    assert seed_of("xnli", "1", ["a", "b"]) == 3062498968082635854
    found = weights(bits_of(7, "units", 6), 3, 6)
    assert found.tolist() == [[3, 0, 2, 0, 1, 0], [2, 3, 0, 1, 0, 0], [1, 0, 1, 1, 1, 2]]
    words = [int(word) for word in bits_of(7, "units", 6).random_raw(9)]
    draws = [half * 6 >> 32 for word in words for half in (word & 0xFFFFFFFF, word >> 32)]
    assert found.tolist() == [[draws[row : row + 6].count(thing) for thing in range(6)] for row in (0, 6, 12)]
    assert swaps(bits_of(7, "swaps", "swa"), 2, 8).tolist() == [[0, 1, 1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 1, 0, 1]]


def test_a_seed_is_of_the_items_whatever_their_order() -> None:
    assert seed_of("xnli", "1", ["b", "a", "a"]) == seed_of("xnli", "1", iter("ab"))
    others = [("xnli", "2", ["a", "b"]), ("xnl", "i1", ["a", "b"]), ("xnli", "1", ["ab"]), ("xnli", "1", ["a"])]
    assert len({seed_of(*other) for other in others} | {seed_of("xnli", "1", "ab")}) == 5


@given(st.integers(0, 2**70), st.integers(1, 50), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_weights_are_counts_of_as_many_draws(seed: int, rows: int, size: int) -> None:
    found = weights(bits_of(seed, "units", size), rows, size)
    assert found.shape == (rows, size)
    assert found.min() >= 0
    assert (found.sum(axis=1) == size).all()
    drawn = swaps(bits_of(seed, "swaps", size), rows, size)
    assert drawn.shape == (rows, size)
    assert drawn.max() <= 1


def test_weights_are_multinomial() -> None:
    found = weights(bits_of(1, "units", 5), 40_000, 5)
    assert found.mean(axis=0) == pytest.approx(np.ones(5), abs=0.02)
    covariance = np.cov(found.T)
    assert covariance == pytest.approx(np.eye(5) - 0.2, abs=0.02)
    counts = Counter(found[:, 0].tolist())
    expected = 40_000 * stats.binom.pmf(range(6), 5, 0.2)
    assert stats.chisquare([counts[k] for k in range(6)], expected).pvalue > 0.001


def test_swaps_are_fair_coins() -> None:
    found = swaps(bits_of(1, "swaps", "swa"), 20_000, 70).astype(float)
    assert found.mean(axis=0) == pytest.approx(np.full(70, 0.5), abs=0.02)
    assert np.abs(np.corrcoef(found.T) - np.eye(70)).max() < 0.04


# Precision


def test_answers_in_parts_are_the_fractions(random: np.random.Generator) -> None:
    """Parts of 1e12 need 64 bits; scores are those of the same exact matches counted in ones."""
    correct = random.integers(0, 2, (3, 400))
    parts = np.stack([correct * PARTS, correct * PARTS, correct, np.ones_like(correct)], axis=-1)
    above, below = (
        np.array([of.get(stat, 0.0) for stat in ANSWER_F1.stats]) for of in (ANSWER_F1.above, ANSWER_F1.below)
    )
    cell = resampling_cell(parts, above, below, runs=range(3), units=range(400), stratum="swa")
    assert exact_type(cell.above) is np.float64
    assert exact_type(accuracy(correct).above) is np.float32
    found = bootstrap([[cell]], seed=1, resamples=1000).scores
    assert np.array_equal(found, bootstrap([[accuracy(correct)]], seed=1, resamples=1000).scores)
    assert cell.scores() == pytest.approx(correct.mean(axis=1))


def test_small_type_only_where_sums_are_exact() -> None:
    assert exact_type(np.array([[2.0**22, 0, 1]])) is np.float32
    assert exact_type(np.array([[2.0**22, 0, 1, 1]])) is np.float64
    assert exact_type(np.array([[0.5, 0, 1]])) is np.float64


def test_scores_are_the_metrics(random: np.random.Generator) -> None:
    counts = made_entities(random, 4, 30)
    assert np.array_equal(entities(counts, "abcd").scores(), ENTITY_F1.finalize(counts.sum(axis=1)))
    assert bootstrap([[entities(counts, "abcd")]], seed=1, resamples=1).observed[0, 0] == pytest.approx(
        ENTITY_F1.finalize(counts.sum(axis=1)).mean()
    )


def test_nothing_to_find_and_nothing_found_scores_0() -> None:
    counts = [[[1, 1, 1], [0, 0, 0], [0, 0, 0]]] * 2
    found = bootstrap([[entities(counts, "ab")]], seed=1).score(0, 0).values
    assert set(found) == {0.0, 1.0}
    assert (found == 0).mean() == pytest.approx((2 / 3) ** 3, abs=0.02)


# Ties


@pytest.mark.parametrize("scale", [1, 10**12, 0.1], ids=["ones", "parts", "weights that are no integers"])
def test_identical_strategies(random: np.random.Generator, scale: float) -> None:
    """Of runs that they share: the difference is 0 in every resample, to the bit."""
    counts = random.integers(0, 9000, (5, 3, 61, 2)) + 1

    def row() -> list[ResamplingCell]:
        return [
            resampling_cell(c, [scale, 0], [0, scale], runs=range(3), units=range(61), stratum=language)
            for language, c in enumerate(counts)
        ]

    found = bootstrap([row(), row(), row()], seed=1, resamples=999)
    for other, language in itertools.product((1, 2), (None, *range(5))):
        difference = found.difference(0, other, language)
        assert difference.estimate == 0
        assert not difference.values.any()
        assert difference.p == 1
        assert difference.interval() == difference.interval(basic=True) == (0, 0)
    assert rank_intervals(found.macro).tolist() == [[1, 3]] * 3
    swapped = randomization(row(), row(), seed=1, resamples=999)
    assert swapped.p() == swapped.p(0) == 1
    assert not swapped.null.any()


def test_a_difference_as_large_as_the_observed_one_counts() -> None:
    assert p_value([0.3 - 0.1, -0.2, 0.1], 0.2) == 3 / 4
    assert p_value([0.1 + 0.2], 0.3) == p_value([0.3], 0.1 + 0.2) == 1
    assert p_value([0.29, 0.1], -0.3) == 1 / 3
    assert p_value(1e6 * np.array([0.1 + 0.2, 0.3]), 1e6 * 0.3) == 1


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_p_values_count_ties_whatever_the_unit(values: list[int], observed: int) -> None:
    expected = (1 + sum(abs(value) >= abs(observed) for value in values)) / (len(values) + 1)
    assert p_value(values, observed) == expected
    assert p_value(np.array(values) / 7 / 11, observed / 11 / 7) == expected


def test_interval_takes_order_statistics() -> None:
    values = np.arange(1, 40) / 40  # 39 of them: places (R + 1) q are 1 and 39 at 95 %
    assert interval(values[::-1], 0.5) == pytest.approx((1 / 40, 39 / 40))
    assert interval(values, 0.5, 0.9) == pytest.approx((2 / 40, 38 / 40))
    assert interval(values, 0.6, 0.9, basic=True) == pytest.approx((1.2 - 38 / 40, 1.2 - 2 / 40))


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


# Approximate randomization


def exact_swaps(a: Sequence[Ints], b: Sequence[Ints], score: Callable[[Ints], float]) -> float:
    """p over all swaps of items, each with the same items for all runs."""

    def difference(first: Sequence[Ints], second: Sequence[Ints]) -> float:
        return float(np.mean([score(run) for run in first]) - np.mean([score(run) for run in second]))

    observed, items = abs(difference(a, b)), len(a[0])
    hits = 0
    for swap in itertools.product([False, True], repeat=items):
        where = np.array(swap)[:, None]
        pair = (
            [np.where(where, y, x) for x, y in zip(a, b, strict=True)],
            [np.where(where, x, y) for x, y in zip(a, b, strict=True)],
        )
        hits += abs(difference(*pair)) >= observed - 1e-9
    return hits / 2**items


def near(p: float, exact: float, resamples: int) -> None:
    assert abs(p - exact) < 4 * math.sqrt(exact * (1 - exact) / resamples) + 1 / resamples


def test_randomization_converges_to_all_swaps(random: np.random.Generator) -> None:
    for _ in range(3):
        a, b = made_entities(random, 2, 7), made_entities(random, 2, 7)
        found = randomization([entities(a, "ab")], [entities(b, "cd")], seed=1, resamples=20_000)
        exact = exact_swaps(a, b, lambda run: plain_f1(run, [1] * 7))
        near(found.p(0), exact, 20_000)
        assert found.p(0) == found.p()


def test_randomization_of_means_is_scipys(random: np.random.Generator) -> None:
    a, b = random.integers(0, 10, (2, 9))
    cells = [
        resampling_cell([np.stack([x, np.full(9, 10)], -1)], [1, 0], [0, 1], runs=[k], units=range(9), stratum="swa")
        for k, x in enumerate((a, b))
    ]
    peer = stats.permutation_test(
        (a, b), lambda x, y, axis=-1: x.mean(axis) - y.mean(axis), permutation_type="samples", vectorized=True
    )
    found = randomization(cells[:1], cells[1:], seed=1, resamples=20_000)
    near(found.p(), peer.pvalue, 20_000)
    assert found.observed[0] * 10 == pytest.approx(peer.statistic)


def test_randomization_of_right_and_wrong_is_the_binomial_of_discordant_pairs() -> None:
    """12 items only the first has right, 4 only the second: p = .0768; both right or wrong does not matter."""
    a = np.array([1] * 12 + [0] * 4 + [1] * 30 + [0] * 14)
    b = np.array([0] * 12 + [1] * 4 + [1] * 30 + [0] * 14)
    found = randomization([accuracy([a], "a")], [accuracy([b], "b")], seed=1, resamples=20_000)
    near(found.p(), stats.binomtest(12, 16).pvalue, 20_000)
    turned = randomization([accuracy([b], "b")], [accuracy([a], "a")], seed=1, resamples=20_000)
    assert turned.p() == found.p()
    assert np.array_equal(turned.null, -found.null)


def test_all_runs_of_an_item_are_swapped_together() -> None:
    """Five runs that agree are no more items than one."""
    a, b = np.array([1] * 12 + [0] * 4), np.array([0] * 12 + [1] * 4)
    found = randomization([accuracy([a] * 5)], [accuracy([b] * 5)], seed=1, resamples=20_000)
    near(found.p(), stats.binomtest(12, 16).pvalue, 20_000)


def test_whole_paragraphs_are_swapped() -> None:
    """16 questions in four paragraphs are four: no p below 2 / 2**4."""
    a, b, paragraphs = np.ones((1, 16), dtype=int), np.zeros((1, 16), dtype=int), np.repeat(range(4), 4)
    cells = [[accuracy(x, units=paragraphs)] for x in (a, b)]
    near(randomization(*cells, seed=1, resamples=20_000).p(), 1 / 8, 20_000)


def test_parallel_languages_are_swapped_together() -> None:
    """Three languages alike: as one if parallel, as three times the items if not."""
    a, b = np.array([[1] * 5 + [0]]), np.array([[0] * 5 + [1]])
    parallel = [[accuracy(x, "a", "all")] * 3 for x in (a, b)]
    separate = [[accuracy(x, "a", language) for language in "xyz"] for x in (a, b)]
    near(randomization(*parallel, seed=1, resamples=20_000).p(), stats.binomtest(5, 6).pvalue, 20_000)
    found = randomization(*separate, seed=1, resamples=20_000)
    near(found.p(), stats.binomtest(15, 18).pvalue, 20_000)
    assert not np.array_equal(found.null[:, 0], found.null[:, 1])
    part = [[accuracy(x, "a", "all"), accuracy(x[:, 1:], "a", "all", range(1, 6))] for x in (a, b)]
    lacking = randomization(*part, seed=1, resamples=2000).null
    assert set(np.round(lacking[:, 0] * 6 - lacking[:, 1] * 5, 9)) == {-1, 1}, "what is left is the first item"


# Misuse


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts": np.zeros((2, 3, 2))}, "counts are integers"),
        ({"counts": np.ones((3, 2), dtype=int)}, "counts are integers"),
        ({"counts": np.ones((0, 3, 2), dtype=int), "runs": []}, "counts are integers"),
        ({"counts": [[[1, 1], [1, 1], [1, 1]], [[1, 1], [1, -1], [1, 1]]]}, r"counts\[1, 1, 1\] is negative"),
        ({"runs": ["a"]}, "2 runs of counts, 1 ids"),
        ({"runs": ["a", "a"]}, "of which 1 differ"),
        ({"units": [0, 1]}, "3 items; units"),
        ({"units": [0.0, 1.0, 2.0]}, "3 items; units"),
        ({"units": [4, 4, 4]}, "1 independent unit"),
        ({"counts": np.ones((2, 1, 2), dtype=int), "units": [0]}, "1 independent unit"),
        ({"counts": np.ones((2, 0, 2), dtype=int), "units": []}, "0 independent unit"),
        ({"above": [1, 0, 0]}, "above: 2 finite weights"),
        ({"below": [0, math.nan]}, "below: 2 finite weights"),
    ],
)
def test_bad_cells(change: dict[str, object], said: str) -> None:
    right = {"counts": np.ones((2, 3, 2), dtype=int), "above": [1, 0], "below": [0, 1], "runs": "ab", "units": range(3)}
    with pytest.raises(ValueError, match=said):
        resampling_cell(**{**right, **change}, stratum="swa")  # type: ignore[arg-type]


ONE, TWO, OTHER = accuracy([[0, 1, 1]]), accuracy([[0, 1, 1], [1, 1, 0]]), accuracy([[0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([], "one or more"),
        ([[]], "one or more"),
        ([[TWO, TWO], [TWO]], r"cells on \[2, 1\] languages"),
        ([[ONE]], "one training run: nothing can be said about new ones"),
        ([[TWO], [OTHER]], "language 0: strategies have other units"),
        ([[TWO], [accuracy([[0, 1, 1], [1, 1, 0]], stratum="yor")]], "language 0: strategies have other units"),
        ([[TWO], [accuracy([[0, 1, 1], [1, 1, 0]], runs=[0, 2])]], "it has no replicate"),
    ],
)
def test_bad_grids(cells: list[list[ResamplingCell]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bootstrap(cells, seed=1, resamples=10)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([], [], "one or more"),
        ([TWO], [TWO, TWO], "cells on 1 and 2 languages"),
        ([TWO], [ONE], "language 0: 2 and 1 training runs"),
        ([TWO, TWO], [TWO, OTHER], "language 1: strategies have other units"),
        ([TWO], [accuracy([[0, 1, 1], [1, 1, 0]], stratum="yor")], "language 0: strategies have other units"),
    ],
)
def test_bad_pairs(first: list[ResamplingCell], second: list[ResamplingCell], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        randomization(first, second, seed=1, resamples=10)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap([[TWO]], seed=1, resamples=0), "0 resamples"),
        (lambda: randomization([TWO], [TWO], seed=1, resamples=0), "0 resamples"),
        (lambda: bootstrap([[TWO]], seed=-1), "a seed is an integer"),
        (lambda: randomization([TWO], [TWO], seed=1.5), "a seed is an integer"),  # type: ignore[arg-type]
        (lambda: p_value([], 1), "not empty"),
        (lambda: interval([[1.0]], 1), "one dimension"),
        (lambda: interval([1.0], 1, 95), "a level lies between 0 and 1"),
        (lambda: rank_intervals([1.0]), "resamples, strategies"),
        (lambda: rank_intervals([[1.0]], 1), "a level lies between"),
    ],
)
def test_bad_requests(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
