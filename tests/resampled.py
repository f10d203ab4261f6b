"""Cells that tests of resampling are made of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from xleval.stats.resampling import (
    ResamplingCell,
    resampling_cell,
)

Ints = npt.NDArray[np.int64]


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


def plain_f1(run: Ints, taken: Sequence[int]) -> float:
    tp, pred, gold = (sum(w * int(row[column]) for w, row in zip(taken, run, strict=True)) for column in range(3))
    return 2 * tp / (pred + gold) if pred + gold else 0.0
