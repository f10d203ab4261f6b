"""Entries checked: bounds, metadata, completeness, duplicates, and every score from its per-item file.

Cheap checks that bound the cost of the others come first. An entry may be anybody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.fingerprint import canonical
from xleval.item_files import items_name
from xleval.item_pack import PACK, UNPACKED, pack_members
from xleval.leaderboard.bounds import out_of_bounds
from xleval.leaderboard.entries import NAME, entry_folders
from xleval.leaderboard.metadata import metadata_faults
from xleval.records import ITEMS, RECORDS, Key, Record, Results, cell_key
from xleval.results_check import Checked, Fault, check_results, readable

Tell = Callable[[int, int], None]

#: Scores are recomputed to within this, on any machine.
TOLERANCE = 1e-6

#: Bytes of per-item files that are read for all cells of an entry: cells may share a file, and each reads it.
READ = 4 * UNPACKED

#: Languages, seeds, and strategies with different hyperparameters: a table has a column, a dot and a row for each.
MOST = 300

#: Faults of metadata that are told of an entry.
_MOST = 10_000

_FILES = (RECORDS, PACK)


def check_source(path: Path, tell: Tell = lambda done, total: None, *, scores: bool = True) -> Checked:
    """Checks a results folder or file of records, packed or not: all but whether it is whole, and placed well.

    Raises:
        UserError: the file cannot be read.
    """
    results = Results.at(path)
    found = Checked(results.path)
    found.faults = [Fault(line, "", message) for line, message in out_of_bounds(results.path)]
    if found.faults:  # what is out of bounds is not looked into
        return found
    found.faults = list(_pack_faults(results))  # a pack that cannot be read is told once, not for every cell
    checked = check_results(path, tell, tolerance=TOLERANCE, scores=scores and not found.faults)
    checked.faults += [*found.faults, *islice(_metadata(results.path), _MOST)]
    checked.faults.sort(key=lambda fault: fault.line)
    return checked


def check_entry(folder: Path, tell: Tell = lambda done, total: None, *, scores: bool = True) -> Checked:
    """All checks of one entry: those of :func:`check_source`, the folder's form, that no cell stands there twice,
    and that nothing is missing.

    ``scores=False``: scores are not computed again.

    Raises:
        UserError: a file cannot be read.
    """
    if placing := list(_placing(folder)):
        return Checked(folder / RECORDS, faults=[Fault(0, "", message) for message in placing])
    checked = check_source(folder, tell, scores=scores)
    if not checked.runs:  # out of bounds, or nothing there; told already
        return checked
    lines = _lines(folder / RECORDS)
    checked.faults += [*_twice(lines), *_missing(lines), *_unused(folder, lines)]
    checked.faults += [Fault(0, "", message) for message in crowded(record for _, record in lines)]
    checked.faults.sort(key=lambda fault: fault.line)
    return checked


def check_entries(paths: Iterable[Path], tell: Callable[[Path, int, int], None] = lambda *_: None) -> list[Checked]:
    """Checks entries, and folders of entries, and that no two of them have the same cell.

    Raises:
        UserError: there is no such folder, or a file cannot be read.
    """
    folders = dict.fromkeys(folder for path in paths for folder in entry_folders(path))
    found = []
    owners: dict[Key, Path] = {}
    for folder in folders:
        checked = check_entry(folder, lambda done, total, folder=folder: tell(folder, done, total))  # type: ignore[misc]
        shared: dict[Path, list[tuple[int, Record]]] = defaultdict(list)
        for line, record in _lines(folder / RECORDS) if checked.runs else ():
            if record["type"] == "eval" and (owner := owners.setdefault(cell_key(record), folder)) != folder:
                shared[owner].append((line, record))
        for owner, cells in shared.items():
            checked.faults.append(
                Fault(cells[0][0], _cell(cells[0][1]), f"{_number(cells)} in {owner} already; remove one of the two")
            )
        found.append(checked)
    return found


def crowded(records: Iterable[Record]) -> Iterator[str]:
    """What there is too much of for one entry."""
    languages, seeds, systems = set(), set(), set()
    for record in records:
        if record["type"] == "eval":
            languages.add(str(record["language"]))
        elif record["type"] == "run":
            seeds.add(str(record.get("seed")))
            systems.add((_part(record, "strategy", "name"), canonical(record.get("hyperparameters"))))
    for name, found in (("languages", languages), ("seeds", seeds), ("strategies and hyperparameters", systems)):
        if len(found) > MOST:
            yield f"{len(found):,} {name}; the limit is {MOST}: make several entries"


def _number(cells: Sequence[object]) -> str:
    return "this cell is" if len(cells) == 1 else f"this cell and {len(cells) - 1} more are"


def _placing(folder: Path) -> Iterator[str]:
    """What an entry's folder is or has that it should not."""
    if folder.is_symlink():
        yield "the entry is a link; put the folder itself there"
        return
    if not NAME.fullmatch(folder.resolve().name):
        yield f"the entry's name {folder.resolve().name!r:.100} is not lower-case letters, digits, '.', '_' and '-'"
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from None
    for path in inside:
        if path.name not in _FILES:
            yield f"{path.name!r:.100} is no part of an entry; leave {' and '.join(_FILES)} alone in its folder"
        elif path.is_symlink() or not path.is_file():
            yield f"{path.name} is a link or no file; put the file itself there"
    for name in {*_FILES} - {path.name for path in inside}:
        yield f"there is no {name}; place entries with `xleval leaderboard add`"


def _lines(path: Path) -> list[tuple[int, Record]]:
    """Records that can be read, with their lines; what is wrong with the others was told."""
    return list(readable(path))


def _metadata(path: Path) -> Iterator[Fault]:
    lines = _lines(path)
    trained = {record["run_id"] for _, record in lines if record["type"] == "eval" and record["status"] == "ok"}
    used = {record["run_id"] for _, record in lines if record["type"] == "eval"}
    for line, record in lines:
        if record["type"] not in ("run", "eval") or (record["type"] == "run" and record["run_id"] not in used):
            continue
        for message in metadata_faults(record, record["run_id"] in trained):
            yield Fault(line, _cell(record) if record["type"] == "eval" else "", message)
    if not trained:
        yield Fault(0, "", "no cell succeeded: there is nothing to show")


def _cell(record: Record) -> str:
    return f"{record['task']!s:.100}/{record['language']!s:.100}"


def _pack_faults(results: Results) -> Iterator[Fault]:
    """Whether the pack can be read at all, and at what cost."""
    pack = results.folder / PACK
    if not pack.exists() or (results.folder / ITEMS).is_dir():
        return
    try:
        sizes = pack_members(pack)
    except UserError as error:
        yield Fault(0, "", str(error))
        return
    total = sum(sizes.get(_member(record), 0) for _, record in _lines(results.path) if record["type"] == "eval")
    if total > READ:
        yield Fault(0, "", f"{total:,} bytes of items for all cells; the limit is {READ:,}: make several entries")


def _member(record: Record) -> str:
    try:
        return items_name(record)
    except UserError:  # told where scores are computed again
        return ""


def _unused(folder: Path, lines: Iterable[tuple[int, Record]]) -> Iterator[Fault]:
    """Members of the pack that no record names: nobody looked at them."""
    try:
        members = pack_members(folder / PACK)
    except UserError:
        return
    unused = sorted(set(members) - {_member(record) for _, record in lines if record["type"] == "eval"})
    if unused:
        more = f" and {len(unused) - 1} more" if len(unused) > 1 else ""
        yield Fault(0, "", f"no record names member {unused[0]!r:.200}{more} of {PACK}; remove it")


def _twice(lines: Iterable[tuple[int, Record]]) -> Iterator[Fault]:
    seen: dict[Key, int] = {}
    for line, record in lines:
        if record["type"] == "eval" and (first := seen.setdefault(cell_key(record), line)) != line:
            yield Fault(line, _cell(record), f"this cell stands on line {first} already; keep one of the two")


def _missing(lines: Sequence[tuple[int, Record]]) -> Iterator[Fault]:
    """Strategies of one entry have the same languages, splits and seeds of a task; a failed cell is one, too."""
    runs = {record["run_id"]: record for _, record in lines if record["type"] == "run"}
    #: (backbone, task) → strategy → (split, language, seed) → line
    table: dict[tuple[str, str], dict[str, dict[tuple[str, str, str], int]]] = defaultdict(lambda: defaultdict(dict))
    for line, record in lines:
        run = runs.get(record["run_id"]) if record["type"] == "eval" else None
        if run is not None:
            column = str(record["split"]), str(record["language"]), str(run.get("seed"))
            row = table[_part(run, "backbone", "id"), str(record["task"])][_part(run, "strategy", "name")]
            row.setdefault(column, line)
    for (_, task), rows in table.items():
        everything = {column for row in rows.values() for column in row}
        for strategy, row in rows.items():
            if absent := sorted(everything - set(row)):
                having = next(name for name, other in rows.items() if absent[0] in other)
                split, language, seed = absent[0]
                more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
                yield Fault(
                    min(row.values()),
                    f"{task:.100} ({strategy:.100})",
                    f"lacks {language:.100} ({split:.100}, seed {seed:.100}){more}, which {having:.100} has; "
                    "run it, or make an entry of its own for each strategy",
                )


def _part(record: Mapping[str, Any], key: str, name: str) -> str:
    part = record.get(key)
    return str(part.get(name)) if isinstance(part, dict) else str(part)
