"""Metrics as integer counts per item and a function of their sums: that is the whole contract.

Counts add up, so any resampling of items is a weighted sum of rows, and a micro average is one division.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class Metric(Protocol):
    """What a task spec names under ``metric``."""

    @property
    def name(self) -> str:
        """Name in specs, records and tables."""

    @property
    def stats(self) -> tuple[str, ...]:
        """Names of the counts."""

    def item(self, gold: Any, predicted: Any) -> tuple[int, ...]:
        """Counts of one item, one a column."""

    def finalize(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Scores in [0, 1] from sums of counts, shape (..., q) → (...); 0 where it is 0 / 0."""

    def gradient(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Derivative of the score by each sum, shape (q,) → (q,): its influence function's weights."""


class Accuracy:
    """Share of items whose label is right."""

    name = "accuracy"
    stats = ("correct", "total")

    def item(self, gold: str, predicted: str) -> tuple[int, ...]:
        """(1 or 0, 1)."""
        return int(gold == predicted), 1

    def finalize(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """correct / total."""
        return _ratio(sums[..., 0], sums[..., 1])

    def gradient(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(1, −accuracy) / total."""
        return np.asarray([1.0, -float(self.finalize(sums))], dtype=np.float64) / float(sums[1])


class EntityF1:
    """Micro-averaged F1 of exactly matching entities, as seqeval (Nakayama 2018) and conlleval find them."""

    name = "f1"
    stats = ("tp", "pred", "gold")

    def item(self, gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, ...]:
        """(entities in both, entities predicted, entities in gold) of one sentence."""
        from seqeval.metrics.sequence_labeling import get_entities

        wanted, found = set(get_entities(list(gold))), set(get_entities(list(predicted)))
        return len(wanted & found), len(found), len(wanted)

    def finalize(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """2 tp / (pred + gold)."""
        return _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])

    def gradient(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(2, −F1, −F1) / (pred + gold)."""
        f1, entities = float(self.finalize(sums)), sums[1] + sums[2]
        return np.array([2.0, -f1, -f1]) / entities if entities else np.zeros(3)


METRICS: dict[str, Metric] = {metric.name: metric for metric in (Accuracy(), EntityF1())}


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
