"""Made cells of the default test: of given counts, or of random ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from xleval.scoring.metrics import ACCURACY, Metric
from xleval.stats.contrast import Cell, Contrast, cell

Ints = npt.NDArray[np.int64]
RATIO = Metric("ratio", (), "", {"above": 1}, {"below": 1}, ("above", "below"))


def made(
    metric: Metric,
    counts: npt.ArrayLike,
    runs: Sequence[Hashable],
    stratum: Hashable = "swa",
    units: npt.ArrayLike | None = None,
) -> Cell:
    table = np.asarray(counts)
    units = np.arange(table.shape[1]) if units is None else units
    return cell(table, metric.finalize, metric.gradient, runs=runs, units=units, stratum=stratum)


def right(rows: npt.ArrayLike, runs: Sequence[Hashable], **about: Any) -> Cell:
    """Accuracy of 0 and 1, (runs, items)."""
    found = np.asarray(rows, dtype=np.int64)
    return made(ACCURACY, np.stack([found, np.ones_like(found)], axis=-1), runs, **about)


def ids(name: str, count: int) -> list[str]:
    return [f"{name}{number}" for number in range(count)]


def same(found: Contrast, other: Contrast, sign: int = 1) -> None:
    assert found.estimate == pytest.approx(sign * other.estimate, rel=1e-9, abs=1e-12)
    assert found[1:] == pytest.approx(other[1:], rel=1e-9, abs=1e-15)
    assert found.p == pytest.approx(other.p, rel=1e-9)


def drawn(metric: str, rng: np.random.Generator, runs: int, items: int, spread: float, hard: float = 0.2) -> Ints:
    """Counts of runs that differ by ``spread``, on items that differ by ``hard``, in chances of a hit."""
    chance = np.clip(0.5 + spread * rng.normal(0, 1, (runs, 1)) + hard * rng.normal(0, 1, items), 0.02, 0.98)
    if metric == "accuracy":
        return np.stack([rng.random((runs, items)) < chance, np.ones((runs, items))], axis=-1).astype(np.int64)
    gold = 1 + np.arange(items) % 5 + np.zeros((runs, 1), dtype=np.int64)
    hits = rng.binomial(gold, chance)
    return np.stack([hits, gold] if metric == "ratio" else [hits, hits + rng.poisson(0.7, hits.shape), gold], axis=-1)


def grid(rng: np.random.Generator, languages: int, runs: int = 3, items: int = 30) -> list[Ints]:
    return [drawn("ratio", rng, runs, items, 0.05) for _ in range(languages)]


def all_alike(scores: Sequence[int], runs: Sequence[Hashable], stratum: Hashable = "swa") -> Cell:
    """Runs that score so many of 100, on items that are all the same."""
    return made(RATIO, [[[score, 100]] * 8 for score in scores], runs, stratum)


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
