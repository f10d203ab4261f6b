"""Splits read last, kept in memory: a run checks, encodes and scores the same ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xleval.tasks.located import Located
    from xleval.tasks.spec import TaskSpec

_KEPT = 48
_recent: OrderedDict[tuple[Any, ...], Sequence[Any]] = OrderedDict()


def rows_of(task: TaskSpec, data: Located) -> Sequence[Any]:
    """Rows of a split in the labels of a task, read once a process; raises as ``data.rows`` does."""
    key = (data.fingerprint, tuple(task.labels), tuple(task.label_map.items()))
    if key not in _recent:
        _recent[key] = data.rows(task.labels, task.label_map)
        while len(_recent) > _KEPT:
            _recent.popitem(last=False)
    _recent.move_to_end(key)
    return _recent[key]
