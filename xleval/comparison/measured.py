"""The counts behind a table of scores: cells that the statistics take, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from xleval.errors import UserError
from xleval.item_files import Items
from xleval.records import Record
from xleval.report.table import Entry, Row, TaskTable
from xleval.scoring.metrics import METRICS, Counts, Metric
from xleval.stats.contrast import Cell, Contrast, cell

#: Why there is no inference, in the words of a table's note.
ONE_SEED = "one seed says nothing about new seeds"
NO_ITEMS = "no per-item counts were recorded"
ONE_UNIT = "a single item, paragraph or document says nothing about new ones"
NO_SCORES = "no scores"
FEW_COMMON = "fewer than two seeds have scores in all languages"
FEW_SHARED = "fewer than two seeds of the training runs that it shares with"


#: Reads the items of an ``eval`` record: names of their counts, and the items.
Read = Callable[[Record], tuple[tuple[str, ...], Items]]


@dataclass
class MeasuredTable:
    """A table with the cells behind it, by (strategy, language), or the reason why a cell has no inference."""

    table: TaskTable
    metric: Metric
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    """(S, n, q), in the order of the seeds."""
    units: dict[tuple[str, str], npt.NDArray[np.int64]] = field(default_factory=dict)
    """(n,), the unit of each item."""
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    differences: dict[tuple[str, str, tuple[str, ...]], Contrast] = field(default_factory=dict, repr=False)
    """Those that were computed, by two strategies and languages; ``comparison/standing.py`` fills it."""

    def row(self, strategy: str) -> Row:
        """A strategy's row of the table."""
        return next(row for row in self.table.rows if row.strategy == strategy)

    def reason(self, strategy: str, languages: Sequence[str], against: str = "") -> str:
        """Why the average over these languages, or its difference to another's, has no inference; empty if it has."""
        for code in languages:
            if why := self.reasons.get((strategy, code), ""):
                return why
        if len(self.seeds(strategy, languages)) < 2:
            return FEW_COMMON
        return "" if len(self.seeds(strategy, languages, against)) > 1 else f"{FEW_SHARED} {against}"

    def cells_of(self, strategy: str, languages: Sequence[str], against: str = "") -> list[Cell]:
        """A strategy's cells on these languages, with the :meth:`seeds` of a comparison ``against`` another."""
        seeds = self.seeds(strategy, languages, against)
        return [
            self.cells[strategy, code].only([self._all_seeds(strategy, code).index(seed) for seed in seeds])
            for code in languages
        ]

    def seeds(self, strategy: str, languages: Sequence[str], against: str = "") -> list[int]:
        """The seeds that a strategy has in all of these languages.

        Where it shares training runs with the one that it is compared with, those that both have: the runs are paired.
        """
        seeds = set.intersection(*(set(self._all_seeds(strategy, code)) for code in languages))
        if against and self._runs(strategy, languages) & self._runs(against, languages):
            seeds &= set(self.seeds(against, languages))
        return sorted(seeds)

    def _runs(self, strategy: str, languages: Sequence[str]) -> set[Hashable]:
        return {run for code in languages if (c := self.cells.get((strategy, code))) for run in c.runs}

    def _all_seeds(self, strategy: str, language: str) -> list[int]:
        return list(self.row(strategy).entries[language].records)


def measure(table: TaskTable, read: Read) -> MeasuredTable:
    """Reads the per-item files behind a table.

    Raises:
        UserError: a per-item file that is not the one of its record or cannot be read; scores of one language on
            other items, other data or another split, naming what differs; two trainings of one seed.
    """
    found = MeasuredTable(table, Metric("", (), "", {}, {}, ()))
    for language in table.languages:
        first: Record | None = None
        for row in table.rows:
            if (seed := row.entries[language].twice) is not None:
                raise UserError(
                    f"{table.task}/{language}: {row.strategy} has two results of seed {seed}, of two ways of training; "
                    "keep them in results folders of their own (--out)"
                )
            for record in row.entries[language].records.values():
                first = first or record
                _check_same_items(first, record, table, row.strategy)
    numbers = _Numbers()
    for row in table.rows:
        for language, entry in row.entries.items():
            why = _reason(entry)
            if why:
                found.reasons[row.strategy, language] = why
                continue
            _measure(found, row.strategy, language, entry, read, numbers)
    _share_identical_runs(found)
    return found


def _reason(entry: Entry) -> str:
    if not entry.records:
        return NO_SCORES
    if not all(record.get("per_example") for record in entry.records.values()):
        return NO_ITEMS
    return ONE_SEED if len(entry.records) < 2 else ""


def _check_same_items(first: Record, record: Record, table: TaskTable, strategy: str) -> None:
    for key, name in (
        ("dataset", "data sets"), ("split", "splits"), ("dataset_revision", "data revisions"),
        ("item_ids_sha256", "item ids (item_ids_sha256)"),
    ):  # fmt: skip
        if record.get(key) != first.get(key):
            raise UserError(
                f"{table.task}/{record['language']}: scores on different {name} cannot be compared: {strategy} has "
                f"{str(record.get(key))[:20]!r}, another has {str(first.get(key))[:20]!r}; run both on the same data"
            )


def _measure(found: MeasuredTable, strategy: str, language: str, entry: Entry, read: Read, numbers: _Numbers) -> None:
    tables, units = [], None
    parallel = all(record.get("parallel") for record in entry.records.values())
    for record in entry.records.values():
        stats, items = read(record)
        found.metric = _metric(found.table.metric, stats, record)
        if units is None:
            units = numbers.of("" if parallel else language, record, items)
        tables.append(items.counts)
    assert units is not None
    if len({len(counts) for counts in tables}) > 1:
        raise UserError(f"{found.table.task}/{language}: {strategy} has per-item files of different lengths")
    if len(np.unique(units)) < 2:
        found.reasons[strategy, language] = ONE_UNIT
        return
    runs = found.table.runs
    found.counts[strategy, language] = counts = np.stack(tables)
    found.units[strategy, language] = units
    found.cells[strategy, language] = cell(
        counts,
        found.metric.finalize,
        found.metric.gradient,
        runs=[runs[record["run_id"]]["train_run_id"] for record in entry.records.values()],
        units=units,
        stratum="" if parallel else language,
    )


class _Numbers:
    """Numbers of the units of each stratum: the same number is the same item, paragraph or document."""

    def __init__(self) -> None:
        self._known: dict[Hashable, dict[str, int]] = {}
        self._found: dict[Hashable, npt.NDArray[np.int64]] = {}

    def of(self, stratum: str, record: Record, items: Items) -> npt.NDArray[np.int64]:
        key = (stratum, record["item_ids_sha256"], items.groups is None)
        if key not in self._found:
            known = self._known.setdefault(stratum, {})
            names = items.ids if items.groups is None else items.groups
            self._found[key] = np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
        return self._found[key]


def _metric(name: str, stats: tuple[str, ...], record: Record) -> Metric:
    for metric in METRICS.get(name, ()):
        if metric.stats == stats:
            return metric
    raise UserError(
        f"{record['task']}/{record['language']}: no metric {name!r} of the counts {', '.join(stats)} is known to this "
        "version of xleval"
    )


def _share_identical_runs(found: MeasuredTable) -> None:
    """Strategies that predicted the same everywhere are one system, whatever their task adapters are called.

    Their runs are the same runs then: the difference is 0, with the interval [0, 0].
    """
    known: dict[Hashable, str] = {}
    for row in found.table.rows:
        outputs = tuple(
            (language, seed, record["per_example"]["sha256"])
            for language, entry in row.entries.items()
            for seed, record in entry.records.items()
            if record.get("per_example")
        )
        first = known.setdefault(outputs, row.strategy) if outputs else row.strategy
        if first != row.strategy:
            for language in row.entries:
                if (row.strategy, language) in found.cells:
                    found.cells[row.strategy, language] = found.cells[first, language]
