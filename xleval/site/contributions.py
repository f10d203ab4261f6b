"""Entries as the site needs them: checked, and each record cut down to what tables are made of.

An entry may be anybody's. What could not be shown is refused with its place; what is only unproven is shown as
self-reported.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.item_pack import PACK
from xleval.leaderboard.bounds import out_of_bounds
from xleval.leaderboard.checks import check_entry, crowded
from xleval.leaderboard.entries import NAME, entry_folders
from xleval.records import RECORDS, Key, Record, Results
from xleval.report.table import configuration

Tell = Callable[[str, int, int], None]

#: Longest name of a task, strategy, language or backbone on a page.
LONGEST = 300

#: Bytes of entries that are worth the start of processes.
_LARGE = 8 << 20

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

_RUN = (
    "run_id", "train_run_id", "seed", "target_scope", "train_on", "drop_last", "hyperparameters", "source", "created",
    "train_seconds",
)  # fmt: skip
_CELL = (
    "run_id", "task", "task_version", "dataset", "dataset_revision", "split", "language", "parallel", "limit", "status",
    "error", "item_ids_sha256", "per_example",
)  # fmt: skip


@dataclass(frozen=True)
class Contribution:
    """One entry."""

    name: str
    folder: Path
    faults: tuple[str, ...]
    """Why its scores are not validated; empty: each was computed again from its per-item file."""
    runs: Mapping[str, Record]
    """By run_id; only what tables need."""
    cells: Mapping[Key, Record]
    """By :func:`cell_key`; only what tables need. Whole test sets alone."""
    examples: Mapping[tuple[str, ...], Record]
    """:func:`system_of` a run → the first such ``run`` record, whole."""
    updated: str
    """The latest time in its records; empty where there is none."""

    @property
    def validated(self) -> bool:
        """Whether every score was computed again."""
        return not self.faults


@contextmanager
def no_collector() -> Iterator[None]:
    """Without the search for cycles: among millions of records that are kept it takes a sixth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_contributions(folders: Sequence[Path], tell: Tell = lambda *_: None) -> list[Contribution]:
    """Reads and checks entries, large ones in several processes.

    Raises:
        UserError: as :func:`read_contribution`; the first that cannot be shown.
    """
    jobs = min(len(folders), os.cpu_count() or 1)
    if jobs < 2 or sum(map(_size, folders)) < _LARGE:
        return [read_contribution(folder, tell) for folder in folders]
    found = []
    # Spawned: a terminal's progress bar has a thread, which a fork does not bear.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for one in pool.map(read_contribution, folders):
                found.append(one)
                tell(one.name, len(found), len(folders))
        except BrokenProcessPool:
            raise UserError("a process that reads entries was killed; is there memory left?") from None
        except BaseException:  # also Ctrl-C: what has not begun need not be waited for
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / RECORDS, folder / PACK) if path.is_file())


@no_collector()
def read_contribution(folder: Path, tell: Tell = lambda *_: None) -> Contribution:
    """Reads and checks one entry.

    Raises:
        UserError: it cannot be shown: its name or place, a record that is none, too large or lacks what a table needs.
    """
    name = folder.resolve().name
    if folder.is_symlink() or not NAME.fullmatch(name):
        raise UserError(f"{folder}: an entry is a folder named with lower-case letters, digits, '.', '_' and '-'")
    if (folder / RECORDS).is_symlink():
        raise UserError(f"{folder / RECORDS}: is a link; put the file itself there")
    results = Results.at(folder)
    for line, message in out_of_bounds(folder / RECORDS):
        place = f"{folder / RECORDS}:{line}" if line else folder / RECORDS
        raise UserError(f"{place}: {message}")
    for message in crowded(results.read()):
        raise UserError(f"{folder / RECORDS}: {message}")
    runs: dict[str, Record] = {}
    examples: dict[tuple[str, ...], Record] = {}
    for run_id, run in results.runs().items():
        runs[run_id] = _cut_run(run, folder)
        examples.setdefault(system_of(runs[run_id]), run)
    cells = {key: _cut_cell(cell, runs, folder) for key, cell in results.cells().items() if not cell.get("limit")}
    moments = [when for record in results.read() if MOMENT.fullmatch(when := str(record.get("created")))]
    del results
    checked = check_entry(folder, lambda done, total: tell(name, done, total))
    faults = tuple(f"line {fault.line}: {fault.message}" if fault.line else fault.message for fault in checked.faults)
    return Contribution(name, folder, faults, runs, cells, examples, max(moments, default=""))


def system_of(run: Record) -> tuple[str, ...]:
    """What makes a system: strategy, backbone and configuration; seeds, targets and tasks are different runs of it."""
    return run["strategy"]["name"], run["backbone"]["id"], run["backbone"]["revision"], configuration(run)


def refuse_twice(contributions: Iterable[Contribution]) -> None:
    """Raises UserError for a cell that two entries have."""
    owners: dict[Key, str] = {}
    for one in contributions:
        for key, cell in one.cells.items():
            if (owner := owners.setdefault(key, one.name)) != one.name:
                raise UserError(
                    f"{one.folder / RECORDS}: {cell['task']}/{cell['language']} of run {cell['run_id']} stands in "
                    f"entry {owner} already; remove one of the two"
                )


def _cut_run(run: Record, folder: Path) -> Record:
    where = f"{folder / RECORDS}: run {_short(run['run_id'])}"
    strategy, backbone, env = (_part(run, key, where) for key in ("strategy", "backbone", "env"))
    seed = run.get("seed")
    if type(seed) is not int:
        raise UserError(f"{where}: seed is {seed!r:.60}, not a number")
    found = {key: _shared(run.get(key)) for key in _RUN}
    return {
        **found,
        "strategy": {"name": _name(strategy.get("name"), f"{where}: strategy.name")},
        "backbone": {key: _name(backbone.get(key), f"{where}: backbone.{key}") for key in ("id", "revision")},
        "env": {"precision": _shared(env.get("precision"))},
    }


def _cut_cell(cell: Record, runs: Mapping[str, Record], folder: Path) -> Record:
    where = f"{folder / RECORDS}: a cell of run {_short(cell['run_id'])}"
    for key in ("task", "task_version", "dataset_revision", "split", "language"):
        _name(cell.get(key), f"{where}: {key}")
    if cell["run_id"] not in runs:
        raise UserError(f"{where}: there is no `run` record of it; add it, or remove the cell")
    cut = {key: _shared(cell.get(key)) for key in _CELL}
    if cell["status"] == "ok":
        metrics = cell.get("metrics")
        if not isinstance(metrics, dict) or not metrics:
            raise UserError(f"{where}: no metrics; remove it, or run again")
        for name, metric in metrics.items():
            if not 0 <= float(metric["value"]) <= 1:
                raise UserError(f"{where}: {name} is {metric['value']!r:.60}; scores are proportions between 0 and 1")
        cut["metrics"] = {_name(name, where): {"value": float(metric["value"])} for name, metric in metrics.items()}
    else:
        error = cell.get("error")
        cut["error"] = {"message": str(error.get("message", ""))[:LONGEST] if isinstance(error, dict) else ""}
    return cut


def _part(record: Record, key: str, where: str) -> Mapping[str, Any]:
    part = record.get(key)
    if not isinstance(part, dict):
        raise UserError(f"{where}: {key} is missing; restore what xleval wrote, or run again")
    return part


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise UserError(f"{where} is {value!r:.60}, not a name of at most {LONGEST} characters")
    return sys.intern(value)


def _shared(value: Any) -> Any:
    """Equal strings are one string: ids stand in thousands of records."""
    return sys.intern(value) if type(value) is str else value


def _short(run_id: Any) -> str:
    return str(run_id)[:19]


def entries_of(folder: Path) -> Iterator[Path]:
    """The entries of a folder of entries, which may be missing: then there are none."""
    if folder.is_dir():
        yield from entry_folders(folder)
