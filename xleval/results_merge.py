"""Several results folders joined into one: what was run in parts, or on several machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xleval.errors import UserError
from xleval.item_files import item_bytes, items_of
from xleval.records import ITEMS, Key, Record, Results, cell_key, content
from xleval.store import replace_synced


class Merged(NamedTuple):
    """What a merged folder holds."""

    path: Path
    """Its file of records."""
    runs: int
    cells: int
    """All cells, failures included."""
    failed: int


class Cell(NamedTuple):
    """A cell of several results."""

    record: Record
    home: Results
    """The results that it is from."""

    def __str__(self) -> str:
        run = self.home.runs().get(self.record["run_id"], {})
        strategy = (run.get("strategy") or {}).get("name", self.record["run_id"])
        return f"{self.record['task']}/{self.record['language']} ({strategy}, seed {run.get('seed')})"


def merge_results(
    paths: Sequence[Path], out: Path, tell: Callable[[int, int], None] = lambda done, total: None
) -> Merged:
    """Joins results folders, or files of records beside their ``items``, into the folder ``out``.

    If ``out`` has results, they are among those joined. Of equal runs and equal cells one is kept, of failures
    the last, and of a failure and a success the success. Run records that differ (a run that went on on another
    machine) are all kept, by age. The order of records follows from their content alone: runs by strategy and
    seed, then cells by task and language. Per-item files are copied first, none is overwritten, and the records
    replace the old ones in one step: stopped at any time, ``out`` has all that it had. ``tell`` hears how many
    cells are copied, and of how many.

    Raises:
        UserError: a file that cannot be read or written; a record of a newer schema; two different successes
            of one cell, naming both; a per-item file that is missing or is not the one that was recorded.
    """
    given = [Results.at(path) for path in paths]
    target = Results(out)
    with target.locked():
        own = [target] if target.path.is_file() else []
        sources = list({results.path.resolve(): results for results in (*given, *own)}.values())
        runs, cells = joined(sources)
        records = []
        for done, cell in enumerate(cells, start=1):
            records.append(_copied(cell, target))
            tell(done, len(cells))
        # What a newer minor version of the schema has beside them.
        others = {record_line(r) for results in sources for r in results.read() if r["type"] not in ("run", "eval")}
        replace_synced(target.path, [*map(record_line, (*runs, *records)), *sorted(others)])
    failed = sum(record["status"] != "ok" for record in records)
    return Merged(target.path, len({run["run_id"] for run in runs}), len(records), failed)


def joined(sources: Sequence[Results]) -> tuple[list[Record], list[Cell]]:
    """The ``run`` records and cells of all these results, each once, in the order of a merged file.

    Raises:
        UserError: as :func:`merge_results`, but for what it says of per-item files that are missing or changed.
    """
    runs = _runs(record for results in sources for record in results.read() if record["type"] == "run")
    return runs, sorted(_cells(sources), key=lambda cell: _place(cell.record))


def record_line(record: Record) -> str:
    """The record as a line of a file. Raises UserError for what no line can say, such as NaN."""
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        line.encode()
    except ValueError:
        where = "/".join(str(record.get(key)) for key in ("run_id", "task", "language") if key in record)
        raise UserError(
            f"the {record['type']} record of {where} has a number that is not finite, or broken text; "
            "`xleval results validate` says where"
        ) from None
    return line


def _age(record: Record) -> tuple[str, str]:
    """Later for later records; by content where they are equally old, so that no order of folders matters."""
    return str(record.get("created")), record_line(record)


def _runs(records: Iterable[Record]) -> list[Record]:
    """Run records that say different things, those of one run from the first to the last, which counts."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=_age, reverse=True):
        found[json.dumps(content(record), sort_keys=True)] = record
    return sorted(found.values(), key=lambda r: (*_text(_at_strategy(r), r.get("seed"), r["run_id"]), *_age(r)))


def _at_strategy(run: Record) -> Any:
    strategy = run.get("strategy")
    return strategy.get("name") if isinstance(strategy, dict) else strategy


def _place(record: Record) -> tuple[str, ...]:
    key = cell_key(record)
    return _text(record["task"], record["language"], record["split"], *key)


def _text(*parts: Any) -> tuple[str, ...]:
    """Comparable whatever the parts are; numbers in the order of their size."""
    return tuple(f"{part:020d}" if type(part) is int else str(part) for part in parts)


def _cells(sources: Iterable[Results]) -> list[Cell]:
    found: dict[Key, Cell] = {}
    for results in sources:
        for key, record in results.cells().items():
            cell = Cell(record, results)
            found[key] = _better(found[key], cell) if key in found else cell
    return list(found.values())


def _better(one: Cell, other: Cell) -> Cell:
    ok = [cell for cell in (one, other) if cell.record["status"] == "ok"]
    if len(ok) == 1:
        return ok[0]
    if ok and (difference := _difference(one, other)):
        raise UserError(
            f"{one.home.path} and {other.home.path} have different results of {one}: {difference}; leave one of "
            "the folders out, or remove the cell's line from one of the files"
        )
    return max(one, other, key=lambda cell: _age(cell.record))


def _difference(one: Cell, other: Cell) -> str:
    """How two successes differ; "" if they are the same but for the clock and what newer versions add."""
    a, b = one.record, other.record
    evident = a.get("per_example") is not None and b.get("per_example") is not None
    for key in ("item_ids_sha256", "counts") if evident else ("metrics",):
        if a.get(key) != b.get(key):
            return f"{key} {a.get(key)!r:.200} and {b.get(key)!r:.200}"
    if not evident or a["per_example"] == b["per_example"]:
        return ""
    # The same sums may come from other items.
    (stats, first), (names, second) = (items_of(cell.home.folder, cell.record) for cell in (one, other))
    same = stats == names and first.ids == second.ids and bool((first.counts == second.counts).all())
    return "" if same else "the counts of single items"


def _copied(cell: Cell, target: Results) -> Record:
    """The cell's record in the target, once the target has its per-item file."""
    record = cell.record
    if cell.home is target or record.get("per_example") is None:
        return record
    try:
        source, data = item_bytes(cell.home.folder, record)
    except UserError as error:
        raise UserError(f"the per-item file of {cell} cannot be read: {error}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UserError(f"{source}, the per-item file of {cell}, cannot be read: not UTF-8") from None
    about = record["per_example"]
    if (sha := hashlib.sha256(data).hexdigest()) != about.get("sha256"):
        raise UserError(
            f"{source}, the per-item file of {cell}, has SHA-256 {sha}, the record says {about.get('sha256')}; "
            f"`xleval results validate {cell.home.path}` shows all that is wrong"
        )
    # Files are named by the prediction; another machine's may differ in the last digits.
    for path in (Path(ITEMS, source.name), Path(ITEMS, sha[:16], source.name)):
        place = target.folder / path
        if not place.exists():
            replace_synced(place, text)
        if place.read_bytes() == data:
            return {**record, "per_example": {**about, "path": path.as_posix()}}
    raise UserError(f"{place} has other content than its name says; remove it")
