"""Results checked against their own evidence: every score is computed again from its per-item file.

What scored computes again, so the same functions decide what is right; neither data nor models are needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from xleval.errors import UserError
from xleval.item_files import Items, items_of
from xleval.records import Key, Record, Results, cell_key, item_ids_digest, parsed
from xleval.scoring.metrics import METRICS, Metric
from xleval.scoring.score import in_records

#: Scores are proportions; beyond this they differ by more than the last digits of another machine.
TOLERANCE = 1e-9

#: What a run_id stands for: two ``run`` records with the same one cannot differ in these.
_IDENTITY = ("train_run_id", "strategy.name", "strategy.plugin", "backbone.id", "backbone.revision", "seed")


class Fault(NamedTuple):
    """One thing that is wrong with one record."""

    line: int
    """Of the file of records, from 1."""
    cell: str
    """Task, language, strategy and seed of an ``eval`` record, "" for others."""
    message: str


@dataclass
class Checked:
    """What a file of records holds, and what is wrong with it."""

    path: Path
    """The file of records."""
    runs: int = 0
    cells: int = 0
    """Successful cells; of several records of a cell the one that counts."""
    failed: int = 0
    """Cells whose record is a failure: nothing to compute, and no fault of the file."""
    without_items: int = 0
    """Successful cells that name no per-item file and so cannot be recomputed; each is a fault too."""
    faults: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        count = f"{self.cells} cells of {self.runs} runs in {self.path}"
        failed = f" ({self.failed} more failed when they were run)" if self.failed else ""
        if not self.faults:
            return f"{count}: all agree{failed}"
        without = f", {self.without_items} cells cannot be recomputed" if self.without_items else ""
        return f"{count}: {len(self.faults)} fault{'s' * (len(self.faults) > 1)}{without}{failed}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        faults = [fault._asdict() for fault in self.faults]
        return {**asdict(self), "path": str(self.path), "faults": faults}


def check_results(
    path: Path,
    tell: Callable[[int, int], None] = lambda done, total: None,
    *,
    tolerance: float = TOLERANCE,
    scores: bool = True,
) -> Checked:
    """Checks all records of a results folder, or of a file of records beside its ``items``.

    Every line is a record; all numbers are finite; every cell has its run; records of one run, and successes of
    one cell, say the same; and each successful cell agrees with its per-item file (:func:`cell_faults`).
    ``tell`` hears how many cells are checked, and of how many. Numbers agree to within ``tolerance``; with
    ``scores=False`` nothing is computed again and no per-item file is read.

    Raises:
        UserError: the file cannot be read.
    """
    results = Results.at(path)
    found = Checked(results.path)
    runs: dict[str, Record] = {}
    cells: dict[Key, tuple[int, Record]] = {}
    for number, record in _records(results.path, found.faults):
        for where in _not_finite(record):
            found.faults.append(Fault(number, _named(record, runs), f"{where} is not a finite number"))
        if record["type"] == "run":
            conflicts = _run_conflicts(runs.setdefault(record["run_id"], record), record)
            found.faults += [Fault(number, "", conflict) for conflict in conflicts]
        elif record["type"] == "eval":
            old = cells.get(key := cell_key(record))
            if old and old[1]["status"] == record["status"] == "ok":
                conflicts = _cell_conflicts(*old, record)
                found.faults += [Fault(number, _named(record, runs), conflict) for conflict in conflicts]
            if old is None or record["status"] == "ok" or old[1]["status"] != "ok":
                cells[key] = number, record
    found.runs = len(runs)
    for done, (number, record) in enumerate(cells.values(), start=1):
        name = _named(record, runs)
        if record["run_id"] not in runs:
            found.faults.append(Fault(number, name, f"there is no run record {record['run_id']}"))
        if record["status"] == "ok":
            found.cells += 1
            found.without_items += record.get("per_example") is None
            if scores:
                messages = cell_faults(results.folder, record, tolerance)
                found.faults += [Fault(number, name, message) for message in messages]
        else:
            found.failed += 1
        tell(done, len(cells))
    found.faults.sort(key=lambda fault: fault.line)
    return found


def cell_faults(folder: Path, record: Mapping[str, Any], tolerance: float = TOLERANCE) -> Iterator[str]:
    """How the ``eval`` record of a success differs from its per-item file, found in ``folder`` by its path.

    Computed again and compared: digest and rows of the file, digest of the item ids, ``n_examples``, ``counts``,
    and of each metric value, standard error and interval as scoring writes them. Numbers agree to within ``tolerance``.
    No fault: the scores follow from the counts. Whether the counts follow from the data is not known here.
    """
    try:
        stats, items = items_of(folder, record)
    except UserError as error:
        yield f"cannot be recomputed: {error}"
        return
    yield from _differences("", _sums(items, stats), record, tolerance)
    metrics = record.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        yield "has no metrics"
        return
    for name, recorded in metrics.items():
        metric = _metric(name, stats)
        if isinstance(metric, str):
            yield metric
        elif not isinstance(recorded, dict):
            yield f"metrics.{name} is {recorded!r:.60}, not an object"
        else:
            computed = in_records(metric, items.counts, items.groups)
            yield from _differences(f"metrics.{name}.", computed, recorded, tolerance)


def _sums(items: Items, stats: Sequence[str]) -> Record:
    sums = items.counts.sum(axis=0)
    return {
        "n_examples": len(items.ids),
        "item_ids_sha256": item_ids_digest(items.ids),
        "counts": {stat: int(total) for stat, total in zip(stats, sums, strict=True)},
    }


def _metric(name: str, stats: tuple[str, ...]) -> Metric | str:
    """The metric of that name over these counts, or what is wrong."""
    known = METRICS.get(name, ())
    for metric in known:
        if metric.stats == stats:
            return metric
    if known:
        return f"metrics.{name} is not computed from the counts {', '.join(stats)}"
    return f"metrics.{name}: no metric has this name; known are {', '.join(METRICS)}"


def _differences(
    where: str, computed: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float
) -> Iterator[str]:
    """What a record says otherwise. Its further fields are nobody's here."""
    for key, right in computed.items():
        said = recorded.get(key)
        if not _equal(right, said, tolerance):
            lacks = key not in recorded
            yield f"{where}{key}: {'missing' if lacks else f'recorded {said!r:.200}'}, the items give {right!r}"


def _equal(right: Any, said: Any, tolerance: float) -> bool:
    if isinstance(right, list) and isinstance(said, list):
        return len(right) == len(said) and all(map(_equal, right, said, [tolerance] * len(said)))
    if isinstance(right, float) and isinstance(said, (int, float)) and not isinstance(said, bool):
        return abs(said) < 1e300 and abs(right - said) <= tolerance  # an integer may exceed all floats
    return type(right) is type(said) and bool(right == said)


def _records(path: Path, faults: list[Fault]) -> Iterator[tuple[int, Record]]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    faults.append(Fault(number, "", "cut short, and left out by every reader; remove the line"))
                elif line.strip():
                    try:
                        yield number, parsed(line, path, number)
                    except UserError as error:
                        faults.append(Fault(number, "", str(error).removeprefix(f"{path}:{number}: ")))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def readable(path: Path) -> Iterator[tuple[int, Record]]:
    """Records with their lines; lines that are none are left out, without a word.

    Raises:
        UserError: the file cannot be read.
    """
    return _records(path, [])


def _not_finite(value: Any, where: str = "") -> Iterator[str]:
    """Places of NaN and infinity, which JSON does not have and Python reads."""
    if isinstance(value, float) and not math.isfinite(value):
        yield where
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _not_finite(part, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _not_finite(part, f"{where}[{index}]")


def _run_conflicts(first: Record, again: Record) -> Iterator[str]:
    for key in _IDENTITY:
        one, other = (_at(record, key) for record in (first, again))
        if one != other:
            yield f"run {again['run_id']} has two records that differ in {key}: {one!r:.80} and {other!r:.80}"


def _at(record: Record, key: str) -> Any:
    value: Any = record
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _cell_conflicts(line: int, first: Record, again: Record) -> Iterator[str]:
    for key in ("item_ids_sha256", "counts", "metrics"):
        one, other = first.get(key), again.get(key)
        if one != other:
            yield (
                f"another result of this cell is on line {line}, with other {key}: {one!r:.200} there, {other!r:.200} "
                "here; only the last counts, remove the other"
            )
            return


def _named(record: Record, runs: Mapping[str, Record]) -> str:
    if record["type"] != "eval":
        return ""
    name = f"{record['task']}/{record['language']}"
    run = runs.get(record["run_id"])
    return f"{name} ({_at(run, 'strategy.name')}, seed {run.get('seed')})" if run else name
