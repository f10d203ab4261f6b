"""Scores one split: rows with gold labels and predictions in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xleval.errors import UserError
from xleval.scoring.metrics import METRICS, Counts, Metric
from xleval.stats.influence import interval, standard_error

if TYPE_CHECKING:
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Scored:
    """``metrics`` in the record's form; ``counts`` (n, q) per item, columns named by ``stats``."""

    metrics: dict[str, dict[str, Any]]
    stats: tuple[str, ...]
    counts: Counts


def gold_of(row: Any, labels: Sequence[str]) -> Any:
    """Gold label, or tags, of a row by name."""
    if hasattr(row, "tags"):
        return [labels[tag] for tag in row.tags]
    return labels[row.label]


def count(metric: Metric, gold: Sequence[Any], predictions: Sequence[Any]) -> Counts:
    """(n, q) integer counts."""
    items = [metric.item(g, p) for g, p in zip(gold, predictions, strict=True)]
    return np.array(items, dtype=np.int64).reshape(len(items), len(metric.stats))


def primary_score(task: TaskSpec, rows: Sequence[Any], predictions: Sequence[Any]) -> float:
    """The task's main metric, in [0, 1]."""
    metric = METRICS[task.metric]
    counts = count(metric, [gold_of(row, task.labels) for row in rows], predictions)
    return float(metric.finalize(counts.sum(axis=0).astype(float)))


def score(task: TaskSpec, rows: Sequence[Any], ids: Sequence[str], predictions: Sequence[Any]) -> Scored:
    """Counts and scores of one split.

    Raises:
        UserError: predictions for other items than the data has.
    """
    if [row.id for row in rows] != list(ids):
        raise UserError(
            f"task {task.name}: stored predictions are for other items than the data has now "
            f"({len(ids)} and {len(rows)}); run again to predict the present data"
        )
    metric = METRICS[task.metric]
    counts = count(metric, [gold_of(row, task.labels) for row in rows], predictions)
    value = float(metric.finalize(counts.sum(axis=0).astype(float)))
    error = standard_error(counts, metric.gradient)
    low, high = interval(value, error, len(counts))
    found = {
        metric.name: {
            "value": value,
            "unit": "proportion",
            "higher_is_better": True,
            "se": error,
            "ci": [low, high],
            "ci_level": 0.95,
            "ci_method": "delta method over items, t quantile; this run only",
        }
    }
    return Scored(found, metric.stats, counts)
