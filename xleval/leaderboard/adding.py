"""Results placed as an entry of the leaderboard: checked, packed, and put there in one step or not at all."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xleval.errors import UserError
from xleval.item_files import item_bytes
from xleval.item_pack import PACK, write_pack
from xleval.leaderboard.checks import check_entry, check_source
from xleval.leaderboard.entries import NAME, entry_folders
from xleval.records import ITEMS, RECORDS, Key, Record, Results, cell_key
from xleval.results_check import Checked
from xleval.results_merge import Cell, joined, record_line
from xleval.store import sync, write_synced

#: What a later version may not replace by an earlier one's.
_VERSIONS = ("schema", "xleval", "task_version")


class Added(NamedTuple):
    """A new entry."""

    path: Path
    """Its folder."""
    runs: int
    cells: int
    """All cells, failures included."""
    failed: int
    bytes: int
    """Of its two files."""


class RefusedError(Exception):
    """Results that cannot be an entry as they are."""

    def __init__(self, found: Sequence[Checked], reasons: Sequence[str]) -> None:
        number = sum(len(checked.faults) for checked in found) + len(reasons)
        super().__init__(f"{number} fault{'s' * (number > 1)}")
        self.found = found
        """Files with faults on lines."""
        self.reasons = reasons
        """Faults of all of it, each a sentence."""


def add_entry(
    paths: Iterable[Path], to: Path, name: str = "", tell: Callable[[Path, int, int], None] = lambda *_: None
) -> Added:
    """Places results as the entry ``to/name``: ``records.jsonl`` and its per-item files in ``items.zip``.

    Of several records of a cell the one that counts is kept, with the run records of its run, word for word; only
    ``per_example.path`` says where the items lie now. Order and packing follow from the content: equal results
    give equal bytes, with one version of zlib. The entry is written aside and renamed into place.

    Args:
        paths: results folders, or files of records beside their items.
        to: folder of entries; made where it is missing.
        name: of the entry; by default the strategies and a digest of the records.
        tell: hears of each file of records how many cells are checked, and of how many.

    Raises:
        RefusedError: with all faults: of the results (:func:`check_source`, :func:`check_entry`), cells that another
            entry has, versions below those of another entry.
        UserError: a file that cannot be read or written; two different successes of a cell; a name that is none.
    """
    if name and not NAME.fullmatch(name):
        raise UserError(f"--name {name!r:.100}: write lower-case letters and digits, joined by '.', '_' or '-'")
    sources = list({results.path.resolve(): results for results in map(Results.at, paths)}.values())
    found = [_checked(results.path, tell) for results in sources]
    if any(checked.faults for checked in found):
        raise RefusedError([checked for checked in found if checked.faults], ())
    every_run, cells = joined(sources)
    used = {cell.record["run_id"] for cell in cells}
    runs = [run for run in every_run if run["run_id"] in used]
    records, homes = _placed(cells)
    lines = [record_line(record) for record in (*runs, *records)]
    name = name or _name(runs, lines)
    target = to / name
    reasons = list(_against(entry_folders(to) if to.is_dir() else [], runs, records))
    if target.exists() or target.is_symlink():
        reasons.append(f"there is an entry {target} already; choose another --name, or remove it first")
    aside = to / f".adding-{uuid.uuid4().hex[:8]}" / name
    try:
        to.mkdir(parents=True, exist_ok=True)
        aside.mkdir(parents=True)
        write_pack(aside / PACK, homes, lambda member: item_bytes(homes[member].home.folder, homes[member].record)[1])
        write_synced(aside / RECORDS, lines)
        whole = check_entry(aside, scores=False)  # scores were computed from the same bytes: their digests say so
        reasons += [_sentence(fault.cell, fault.message.replace(str(aside), str(target))) for fault in whole.faults]
        if reasons:
            raise RefusedError((), reasons)
        size = sum(file.stat().st_size for file in aside.iterdir())
        sync(aside)
        aside.rename(target)
        sync(to)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}; free space there or choose another --to") from None
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)
    return Added(target, len({run["run_id"] for run in runs}), len(records), whole.failed, size)


def _checked(path: Path, tell: Callable[[Path, int, int], None]) -> Checked:
    return check_source(path, lambda done, total: tell(path, done, total))


def _sentence(cell: str, message: str) -> str:
    return f"{cell}: {message}" if cell else message


def _placed(cells: Sequence[Cell]) -> tuple[list[Record], Mapping[str, Cell]]:
    """The cells' records with the places of their items in the pack, and a cell that each member is from."""
    records: list[Record] = []
    homes: dict[str, Cell] = {}
    for cell in cells:
        about = cell.record.get("per_example")
        if cell.record["status"] != "ok" or about is None:
            records.append(cell.record)
            continue
        member = f"{ITEMS}/{about['sha256']}.jsonl"  # by content: no two differ, and none leads elsewhere
        homes.setdefault(member, cell)
        records.append({**cell.record, "per_example": {**about, "path": member}})
    return records, homes


def _name(runs: Iterable[Record], lines: Iterable[str]) -> str:
    """The strategies, and a digest so that no two entries have one name."""
    labels = dict.fromkeys(str(run["strategy"]["name"]) for run in runs)
    shown = [*labels] if len(labels) <= 3 else [next(iter(labels)), "and", str(len(labels) - 1), "more"]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(shown).lower())[:48].strip("-")
    return f"{slug}-{hashlib.sha256(''.join(lines).encode()).hexdigest()[:8]}".strip("-")


def _against(folders: Iterable[Path], runs: Sequence[Record], records: Sequence[Record]) -> Iterator[str]:
    """What other entries have already, the same or in a later version; a sentence for each entry and fault."""
    ours = {cell_key(record) for record in records}
    own_runs = {run["run_id"]: run for run in runs}
    own: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        own[_subject(own_runs[record["run_id"]], record)].append(record)
    for folder in folders:
        theirs = Results.at(folder)
        their_runs, their_cells = theirs.runs(), theirs.cells()
        if common := [record for key, record in their_cells.items() if key in ours]:
            yield (
                f"{_counted(common)} in entry {folder} already; leave them out, or remove that entry first if this one "
                "replaces it"
            )
        later: dict[str, list[tuple[Record, str, str]]] = defaultdict(list)
        for old in their_cells.values():
            old_run = their_runs.get(old["run_id"], {})
            for new in own.get(_subject(old_run, old), ()):
                versions = zip(_versions(own_runs[new["run_id"]], new), _versions(old_run, old), strict=True)
                for field, (now, before) in zip(_VERSIONS, versions, strict=True):
                    if _version(now) < _version(before):
                        later[field].append((new, now, before))
        for field, cases in later.items():
            _, was, had = cases[0]
            yield (
                f"{_counted([record for record, *_ in cases])} of {field} {was}, and in entry {folder} of {had}; "
                "run again with that version or a later one"
            )


def _counted(records: Sequence[Record]) -> str:
    first = f"{records[0]['task']}/{records[0]['language']}"
    return f"{first} is" if len(records) == 1 else f"{len(records)} cells, the first {first}, are"


def _subject(run: Mapping[str, Any], record: Record) -> Key:
    """What a cell is about for a reader, whatever it was trained with."""
    strategy, backbone = (run.get(key) for key in ("strategy", "backbone"))
    return (
        str(strategy.get("name") if isinstance(strategy, dict) else strategy),
        str(backbone.get("id") if isinstance(backbone, dict) else backbone),
        record["task"],
        record["split"],
        record["language"],
        str(run.get("seed")),
    )


def _versions(run: Mapping[str, Any], record: Record) -> tuple[str, str, str]:
    return str(record["schema"]), str(run.get("xleval")), str(record["task_version"])


def _version(text: str) -> list[tuple[int, int, str]]:
    """Comparable: numbers by size, a word (``rc``) below the end of the version, and that below a number."""
    parts = re.findall(r"\d{1,9}|[a-z]+", text.lower())
    return [(1, int(part), "") if part.isdigit() else (-1, 0, part) for part in parts] + [(0, 0, "")]
