"""Which rows of which tables may be compared, and what forbids it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from xleval.errors import UserError, nearest
from xleval.report.table import Row, Table, TaskTable

#: The baseline where none is named, if it is there: what the field compares with.
USUAL = "madx"


def choose(table: Table, strategies: Sequence[str], baseline: str = "") -> tuple[str, list[TaskTable]]:
    """The baseline's name, and for each task under each backbone a table with the baseline's row first.

    ``strategies``: all that are compared, by default every one of a table. ``baseline``: by default the first of
    them, or :data:`USUAL`. A strategy that was run in several configurations is named with one, ``madx [1a2b3c]``.

    Raises:
        UserError: unknown strategies; too few of them; strategies of a task whose results have no version, limit,
            data revision and backbone in common, with what differs.
    """
    names = list(dict.fromkeys(row.strategy for one in table.tables for row in one.rows))
    asked = list(dict.fromkeys([*([baseline] if baseline else []), *strategies]))
    for name in asked:
        if not any(_names(row, name) for one in table.tables for row in one.rows):
            raise UserError(f"no results of strategy {name!r}{nearest(name, names)}; recorded are {', '.join(names)}")
    if not strategies:
        usual = next((name for name in names if name.partition(" [")[0] == USUAL), names[0] if names else "")
        baseline = baseline or usual
        asked = list(dict.fromkeys([baseline, *names]))
    baseline = baseline or asked[0]
    if len(asked) < 2:
        raise UserError(f"a comparison needs two strategies; recorded are {', '.join(names) or 'none'}")
    chosen = [found for one in table.tables if (found := _rows(one, asked, baseline)) is not None]
    if strategies:
        for task in dict.fromkeys(one.task for one in table.tables):
            _refuse_apart([one for one in table.tables if one.task == task], asked, baseline)
    if not chosen:
        raise UserError(f"{baseline} and the others have no task in common")
    return baseline, chosen


def _names(row: Row, name: str) -> bool:
    return row.strategy == name or row.strategy.partition(" [")[0] == name


def _rows(table: TaskTable, asked: Sequence[str], baseline: str) -> TaskTable | None:
    found = [row for name in asked if (row := _row(table, name)) is not None]
    first = _row(table, baseline)
    if first is None:
        return None
    # A strategy may be named twice, with and without its configuration.
    rows = list({row.strategy: row for row in (first, *found)}.values())
    if len(rows) < 2:
        return None
    languages = [code for code in table.languages if any(row.entries[code].scores for row in rows)]
    return replace(table, rows=tuple(rows), languages=tuple(languages))


def _row(table: TaskTable, name: str) -> Row | None:
    found = [row for row in table.rows if row.strategy == name] or [row for row in table.rows if _names(row, name)]
    if len(found) > 1:
        raise UserError(
            f"{table.task}: {name} was run in {len(found)} configurations; name one: "
            + ", ".join(repr(row.strategy) for row in found)
        )
    return found[0] if found else None


def _refuse_apart(tables: Sequence[TaskTable], asked: Sequence[str], baseline: str) -> None:
    """Strategies that all have results of the task, yet never under the same conditions as the baseline."""
    base = [one for one in tables if _row(one, baseline) is not None]
    for name in asked:
        theirs = [one for one in tables if _row(one, name) is not None]
        if base and theirs and not any(one in base for one in theirs):
            apart = "; ".join(_apart(base[0], theirs[0]))
            raise UserError(
                f"{base[0].task}: {name} and {baseline} cannot be compared, they differ in {apart}; run both alike"
            )


def _apart(one: TaskTable, other: TaskTable) -> Iterator[str]:
    for field, name in (
        ("version", "task version"), ("limit", "limit"), ("data", "data revision"), ("backbone", "backbone"),
        ("metric", "metric"),
    ):  # fmt: skip
        mine, theirs = getattr(one, field), getattr(other, field)
        if mine != theirs:
            yield f"{name} ({theirs or 'none'} and {mine or 'none'})"
