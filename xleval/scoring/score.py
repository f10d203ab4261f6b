"""Scores one split: rows with gold labels, and predictions in the same order. Both may be streams."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from xleval.errors import UserError
from xleval.scoring.metrics import Counts, Metric
from xleval.scoring.scorers import Scorer, scorer_of
from xleval.stats.influence import interval, standard_error
from xleval.tasks.rows import shared_by

if TYPE_CHECKING:
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Scored:
    """Scores of one split in one language by one run."""

    metrics: dict[str, dict[str, Any]]
    """Metric → value, se, ci, … in the record's form; the task's own metric first."""
    stats: tuple[str, ...]
    """Names of the counts: the columns of ``counts``."""
    counts: Counts
    """(n, q) integers, one row an item, in the order of the data."""
    ids: list[str]
    """The n ids of the items, in the same order."""
    groups: list[str] | None = None
    """Where items are not independent: for each the id of the first item of its paragraph or document. Else None."""


def primary_score(task: TaskSpec, rows: Iterable[Any], predictions: Iterable[Any], language: str) -> float:
    """The task's own metric over rows and their predictions, in [0, 1]: what a checkpoint is chosen by.

    ``language`` is the ISO 639-3 code of the rows: a metric may count words as that language is written.

    Raises:
        UserError: a prediction that no item of this kind can have, with task and item.
    """
    scorer = scorer_of(task.family, task.metric)
    counts: array[int] = array("q")
    for row, predicted in zip(rows, predictions, strict=True):
        counts.extend(_item(task, scorer, row, predicted, language))
    return float(scorer.metrics[0].finalize(_table(counts, scorer).sum(axis=0)))


def score(task: TaskSpec, rows: Iterable[Any], predictions: Iterable[tuple[str, Any]], language: str) -> Scored:
    """Counts and scores of one split. Rows and predictions are read side by side; only counts and ids are kept.

    Questions about one paragraph and sentences of one document are a group, named by its first item: so it has
    the same name in every language of a parallel data set, whose ids are equal while texts differ.

    ``predictions`` are (id of the item, what was predicted) as they are stored; ``language`` is the ISO 639-3
    code of the rows.

    Raises:
        UserError: predictions for other items than the data has, or more or fewer of them; a prediction that
            no item of this kind can have, with task and item.
    """
    scorer = scorer_of(task.family, task.metric)
    counts: array[int] = array("q")
    ids: list[str] = []
    groups: list[str] = []
    firsts: dict[bytes, str] = {}
    for row, entry in zip_longest(rows, predictions):
        if row is None or entry is None or row.id != entry[0]:
            raise UserError(_other_items(task.name, len(ids), row, entry))
        counts.extend(_item(task, scorer, row, entry[1], language))
        ids.append(row.id)
        shared = shared_by(row)
        # By digest: the paragraphs of a large data set are not kept.
        groups.append(row.id if shared is None else firsts.setdefault(_short_digest(shared), row.id))
    table = _table(counts, scorer)
    shared_groups = groups if groups != ids else None
    metrics = {metric.name: in_records(metric, table, shared_groups) for metric in scorer.metrics}
    return Scored(metrics, scorer.stats, table, ids, shared_groups)


def _item(task: TaskSpec, scorer: Scorer, row: Any, predicted: Any, language: str) -> tuple[int, ...]:
    try:
        return scorer.item(row, task.labels, predicted, language)
    except UserError as error:
        raise UserError(f"task {task.name}, item {row.id!r}: {error}") from None


def _short_digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _table(counts: array[int], scorer: Scorer) -> Counts:
    return np.frombuffer(counts, dtype=np.int64).reshape(-1, len(scorer.stats))  # no copy


def _other_items(task: str, position: int, row: Any, entry: tuple[str, Any] | None) -> str:
    here = "none" if row is None else repr(row.id)
    stored = "none" if entry is None else repr(entry[0])
    return (
        f"task {task}: stored predictions are for other items than the data has now "
        f"(item {position + 1}: {stored} in the predictions, {here} in the data); run again to predict the present data"
    )


def in_records(metric: Metric, counts: Counts, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """What an ``eval`` record says of one metric, from the counts (n, q) of its items: value, se, interval.

    Items of one of the ``groups`` (n,) depend on one another.
    """
    value = float(metric.finalize(counts.sum(axis=0)))
    error = standard_error(counts, metric.gradient, groups)
    units = "items" if groups is None else "groups of items"
    low, high = interval(value, error, len(counts) if groups is None else len(set(groups)))
    return {
        "value": value,
        "unit": metric.unit,
        "higher_is_better": True,
        "se": error,
        "ci": [low, high],
        "ci_level": 0.95,
        "ci_method": f"delta method over {units}, t quantile; this run only",
    }
