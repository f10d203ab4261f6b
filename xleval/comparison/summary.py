"""What a table of scores says: intervals, who is tied with the best, and a line in words for each strategy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from xleval.comparison.choosing import USUAL
from xleval.comparison.measured import measure
from xleval.comparison.standing import standings
from xleval.comparison.versus import compare
from xleval.comparison.wording import sentences
from xleval.errors import UserError
from xleval.item_files import items_of
from xleval.report.table import AVERAGE, Table, TaskTable


def summarised(table: Table, folder: Path) -> Table:
    """The same tables with what their per-item files in this results folder say about them.

    What stands in the way of it, also a per-item file that cannot be read, becomes a note: a table of scores that are
    there is never lost by it.
    """
    return Table(tuple(_summarised(one, folder) for one in table.tables))


def _summarised(table: TaskTable, folder: Path) -> TaskTable:
    try:
        found = measure(table, partial(items_of, folder))
    except UserError as error:
        return replace(table, note=str(error))
    made = standings(found)
    rows = [
        replace(row, standings={column: made[row.strategy, column] for column in (*table.languages, AVERAGE)})
        for row in table.rows
    ]
    usual = next((row.strategy for row in table.rows if row.strategy == USUAL), table.rows[0].strategy)
    words = tuple(sentences(compare(found, usual, {}, among=made))) if len(rows) > 1 else ()
    return replace(table, rows=tuple(rows), words=words)
