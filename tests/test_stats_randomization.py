"""Approximate randomization against all swaps, scipy and the binomial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from resampled import Ints, accuracy, entities, made_entities, plain_f1
from scipy import stats

from xleval.stats.randomization import randomization
from xleval.stats.resampling import (
    resampling_cell,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


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
