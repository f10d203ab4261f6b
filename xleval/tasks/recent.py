"""Splits read last, kept in memory: a run checks, encodes and scores the same ones."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xleval.tasks.located import Located
    from xleval.tasks.spec import TaskSpec

#: Rows that are predicted and scored at a time. A split of more is read again each time and never held.
BLOCK = 4096

_KEPT = 48
_recent: OrderedDict[tuple[Any, ...], Sequence[Any]] = OrderedDict()


def rows_of(task: TaskSpec, data: Located) -> Sequence[Any]:
    """Rows of a split in the labels of a task, read once a process; raises as ``data.stream`` does."""
    key = _key(task, data)
    if key not in _recent:
        _keep(key, data.rows(task.labels, task.label_map))
    _recent.move_to_end(key)
    return _recent[key]


def blocks_of(task: TaskSpec, data: Located) -> Iterator[Sequence[Any]]:
    """The same in blocks of at most ``BLOCK`` rows, so that memory does not grow with the split."""
    key = _key(task, data)
    if key in _recent:
        rows = rows_of(task, data)
        yield from (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
        return
    stream = data.stream(task.labels, task.label_map)
    block, number = list(islice(stream, BLOCK)), 0
    while block:
        following = list(islice(stream, BLOCK))
        if not number and not following:
            _keep(key, block)
        yield block
        block, number = following, number + 1


def kept_rows(task: TaskSpec, data: Located) -> Sequence[Any]:
    """The rows of a split if they are in memory, else none."""
    return _recent.get(_key(task, data), ())


def _key(task: TaskSpec, data: Located) -> tuple[Any, ...]:
    return data.fingerprint, tuple(task.labels), tuple(task.label_map.items())


def _keep(key: tuple[Any, ...], rows: Sequence[Any]) -> None:
    _recent[key] = rows
    while len(_recent) > _KEPT:
        _recent.popitem(last=False)
