"""A published table beside our scores: differences, their intervals, averages and the column "Better".

All numbers here are percents, as papers print them; records have proportions.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from xleval.experiment import SuiteTable
from xleval.published import Printed, PrintedTable, average, better
from xleval.records import Record
from xleval.report.table import Row, TaskTable, tabulate

LEVEL = 0.95


@dataclass(frozen=True)
class Compared:
    """One cell, theirs and ours: a printed percent, and our percent for each seed."""

    printed: Decimal | None
    scores: Mapping[int, float]
    failed: int = 0

    @property
    def ours(self) -> float | None:
        """Our mean over seeds; None without a score."""
        return statistics.fmean(self.scores.values()) if self.scores else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over our seeds (n − 1); None with fewer than two."""
        return statistics.stdev(self.scores.values()) if len(self.scores) > 1 else None

    @property
    def difference(self) -> float | None:
        """Ours less theirs, in points; None where one is missing."""
        return None if self.ours is None or self.printed is None else self.ours - float(self.printed)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the difference over our seeds (Student's t); None with fewer than two seeds.

        The printed number counts as a constant: it is one run, or a mean without its spread.
        """
        if self.difference is None or self.sd is None:
            return None
        if self.sd == 0:
            return self.difference, self.difference
        from scipy import stats

        count = len(self.scores)
        low, high = stats.t.interval(LEVEL, count - 1, loc=self.difference, scale=self.sd / math.sqrt(count))
        return float(low), float(high)


@dataclass(frozen=True)
class Line:
    """One strategy. ``average`` is over ``averaged`` on both sides, out of ``n_printed`` languages in the paper.

    ``printed_average`` is over all of those. ``better`` and ``printed_better``: on how many languages the strategy is
    above the baseline, and of how many.
    """

    printed_strategy: str
    strategy: str
    languages: Mapping[str, Compared]
    average: Compared
    averaged: tuple[str, ...]
    n_printed: int
    printed_average: Decimal | None
    better: tuple[int, int] | None = None
    printed_better: tuple[int, int] | None = None


@dataclass(frozen=True)
class Block:
    """One task and metric, from records that may be averaged with each other."""

    task: str
    printed_metric: str
    metric: str
    backbone: str
    about: str
    languages: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def caption(self) -> str:
        """What the block shows, in one line."""
        as_ours = f" (ours: {self.metric})" if self.metric != self.printed_metric else ""
        return f"{self.task}, {self.printed_metric}{as_ours} × 100, {self.backbone}, {self.about}"

    @property
    def decimals(self) -> int:
        """Digits after the point that the paper prints."""
        printed = [cell.printed for line in self.lines for cell in line.languages.values()]
        printed += [line.printed_average for line in self.lines]
        return max((-int(value.as_tuple().exponent) for value in printed if value is not None), default=2)


@dataclass(frozen=True)
class Reproduction:
    """A published table and what our records say of it. ``differences``: where the setup is another one."""

    key: str
    shown: str
    title: str
    baseline: str
    blocks: tuple[Block, ...]
    differences: tuple[str, ...] = ()


def compare(
    table: SuiteTable,
    printed: PrintedTable,
    records: Iterable[Record],
    runs: Mapping[str, Record],
    languages: Mapping[str, Sequence[str]],
) -> tuple[Block, ...]:
    """Blocks for every task and metric of the table that the records have scores of.

    ``records`` are ``eval`` records of the table's strategies; those that must not be averaged with each other
    (backbone, version, limit, origin of the data) make blocks of their own. ``languages``: task → those to compare.
    """
    records = list(records)
    blocks = []
    for task in table.tasks:
        of_task = [record for record in records if record["task"] == task]
        first = ""
        for theirs, ours in table.metrics.items():
            cells = {strategy: rows for (t, m, strategy), rows in printed.scores.items() if (t, m) == (task, theirs)}
            means = {strategy: row for (t, m, strategy), row in printed.averages.items() if (t, m) == (task, theirs)}
            if not cells and not means:
                continue
            first = first or theirs
            for one in tabulate(of_task, runs, ours).tables:
                block = _block(table, one, theirs, cells, means, languages[task])
                blocks.append(_with_better(block, table.baseline, cells) if theirs == first else block)
    return tuple(blocks)


def _block(
    table: SuiteTable,
    one: TaskTable,
    printed_metric: str,
    cells: Mapping[str, Mapping[str, Printed]],
    means: Mapping[str, Printed],
    languages: Sequence[str],
) -> Block:
    printed = dict.fromkeys(code for rows in cells.values() for code in rows)
    columns = tuple(dict.fromkeys([*(code for code in printed if code in languages), *languages]))
    lines = []
    for name, strategy in table.strategies.items():
        for row in one.rows:
            # Runs of one strategy in two configurations are rows of their own, "madx [1a2b3c]".
            if row.strategy.partition(" [")[0] == strategy:
                mean = means[name].percent if name in means else None
                lines.append(_line(name, row, columns, cells.get(name, {}), mean))
    limit = f", limited to {one.limit} examples a split" if one.limit else ""
    about = f"version {one.version}, {one.data}{limit}"
    return Block(one.task, printed_metric, one.metric, one.backbone, about, columns, tuple(lines))


def _line(
    name: str,
    row: Row,
    columns: Sequence[str],
    cells: Mapping[str, Printed],
    printed_average: Decimal | None,
) -> Line:
    compared = {}
    for code in columns:
        entry = row.entries.get(code)
        scores = {seed: 100 * score for seed, score in entry.scores.items()} if entry else {}
        compared[code] = Compared(cells[code].percent if code in cells else None, scores, entry.failed if entry else 0)
    if cells:
        averaged = [code for code in columns if code in cells and compared[code].scores]
    else:  # the paper prints the average alone: ours must be over all its languages
        averaged = list(columns) if all(cell.scores for cell in compared.values()) else []
    seeds = set.intersection(*(set(compared[code].scores) for code in averaged)) if averaged else set()
    ours = {seed: statistics.fmean(compared[code].scores[seed] for code in averaged) for seed in sorted(seeds)}
    theirs = printed_average
    if averaged and cells and (theirs is None or set(averaged) != set(cells)):
        theirs = average(cells[code].percent for code in averaged)
    return Line(name, row.strategy, compared, Compared(theirs, ours), tuple(averaged), len(cells), printed_average)


def _with_better(block: Block, baseline: str, cells: Mapping[str, Mapping[str, Printed]]) -> Block:
    base = next((line for line in block.lines if line.printed_strategy == baseline), None)
    lines = []
    for line in block.lines:
        ours = theirs = None
        if line.printed_strategy != baseline:
            ours = better(_means(line), _means(base)) if base else None
            if line.printed_strategy in cells and baseline in cells:
                theirs = better(_percents(cells[line.printed_strategy]), _percents(cells[baseline]))
        lines.append(replace(line, better=ours, printed_better=theirs))
    return replace(block, lines=tuple(lines))


def _means(line: Line) -> dict[str, float]:
    # Rounded, for equal scores may differ in the last bit of their means.
    return {code: round(cell.ours, 9) for code, cell in line.languages.items() if cell.ours is not None}


def _percents(rows: Mapping[str, Printed]) -> dict[str, Decimal]:
    return {code: row.percent for code, row in rows.items()}
