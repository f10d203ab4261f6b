"""What all resampling shares: what draws depend on, precision, ties, misuse."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resampled import accuracy, entities, grid, made_entities
from scipy import stats

from xleval.scoring.metrics import ANSWER_F1, ENTITY_F1, PARTS
from xleval.stats import bootstrap as bootstrap_module
from xleval.stats import randomization as randomization_module
from xleval.stats import resampling as resampling_module
from xleval.stats.bootstrap import bootstrap, rank_intervals
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


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


# What the draws depend on


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
