"""Two single checkpoints on the same items: what can be said where there is one seed, and no more than that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.item_files import items_of
from xleval.records import Record
from xleval.report.grid import Grid, signed
from xleval.report.table import TaskTable
from xleval.stats.contingency import McNemar, mcnemar_of


@dataclass(frozen=True)
class Checkpoints:
    """Strategies against the first one on one task, by (strategy, language), all of one seed."""

    table: TaskTable
    seed: int
    tests: dict[tuple[str, str], McNemar]

    def grids(self) -> list[Grid]:
        """A row for each strategy and language."""
        from xleval.comparison.wording import bare_p

        base = self.table.rows[0].strategy
        rows = [
            [strategy, language, signed(one.difference, 100), str(one.a_only), str(one.b_only), bare_p(one.p)]
            for (strategy, language), one in self.tests.items()
        ]
        headers = ["strategy", "language", f"− {base}", "it alone is right", f"{base} alone is right", "exact p"]
        caption = f"{self.table.caption.partition(': mean')[0]}: McNemar's test of the checkpoints of seed {self.seed}"
        notes = ["these two checkpoints only: it says nothing about new seeds; p is not corrected"]
        return [Grid(caption, headers, rows, headers, rows, notes)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "task": self.table.task,
            "seed": self.seed,
            "baseline": self.table.rows[0].strategy,
            "says": "these two checkpoints only, nothing about new seeds",
            "tests": [
                {"strategy": strategy, "language": language, **one._asdict()}
                for (strategy, language), one in self.tests.items()
            ],
        }


def compare_checkpoints(table: TaskTable, seed: int, folder: Path) -> Checkpoints:
    """McNemar's exact test of each strategy against the first, on each language, between the checkpoints of one seed.

    Raises:
        UserError: a metric whose items are not right or wrong; no two checkpoints of this seed; other items.
    """
    tests = {}
    for row in table.rows[1:]:
        for language in table.languages:
            pair = [one.entries[language].records.get(seed) for one in (row, table.rows[0])]
            if None not in pair:
                ours, theirs = (_right(folder, record, table.task) for record in pair if record)
                if ours[0] != theirs[0]:
                    raise UserError(f"{table.task}/{language}: the checkpoints were scored on other items")
                tests[row.strategy, language] = mcnemar_of(ours[1], theirs[1])
    if not tests:
        known = ", ".join(map(str, table.seeds))
        raise UserError(f"{table.task}: no two checkpoints of seed {seed}; recorded are the seeds {known}")
    return Checkpoints(table, seed, tests)


def _right(folder: Path, record: Record, task: str) -> tuple[list[str], Any]:
    stats, items = items_of(folder, record)
    if stats != ("correct", "total"):
        raise UserError(f"{task}: McNemar's test needs items that are right or wrong, as accuracy has; not {stats[0]}")
    return items.ids, items.counts[:, 0]
