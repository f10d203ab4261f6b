"""Per-item files, read back: ids, counts and groups of the items that a score was computed from.

One JSON object a line: ``id``, ``prediction``, one integer for each of the record's ``stats`` and, where items are
not independent, ``group`` (``docs/records.md``). Every number about a score can be recomputed from them. A file that is
not there is looked for in the pack ``items.zip`` of the same folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from xleval.errors import UserError
from xleval.item_pack import PACK, read_packed

ID, PREDICTION, GROUP = _OWN = "id", "prediction", "group"

_LARGEST = 2**63 - 1
#: pyarrow reads a file in blocks of this many bytes; a line has to fit in one.
_BLOCK = 1 << 26
_OUTSIDE = "leads out of its folder; per-item files lie in the results folder"
_REMEDY = "restore the file, or run again to score the items anew"


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one score, in the order of the data."""

    ids: list[str]
    """The n ids, all different."""
    counts: npt.NDArray[np.int64]
    """(n, q) integers ≥ 0; columns in the order of ``stats``. No column's sum exceeds int64."""
    groups: list[str] | None
    """The n groups: items of one group depend on one another. None: every item is a unit of its own."""


def items_path(folder: Path, record: Mapping[str, Any]) -> Path:
    """Where the per-item file of an ``eval`` record lies in its results folder, if it is not packed.

    Raises:
        UserError: the record names none, or one outside of the folder (an absolute path, ``..``, a link that
            leads out): a record that somebody sent must not make other files be read.
    """
    inside = Path(folder) / items_name(record)
    if not inside.resolve().is_relative_to(Path(folder).resolve()):
        raise UserError(f"per_example.path {record['per_example']['path']!r} {_OUTSIDE}")
    return inside


def items_name(record: Mapping[str, Any]) -> str:
    """The path of the per-item file of an ``eval`` record below its results folder, as it is packed.

    Raises:
        UserError: the record names none, or one that is not below (an absolute path, ``..``).
    """
    path = _described(record, "path", str)
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if not parts or path.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in path:
        raise UserError(f"per_example.path {path!r} {_OUTSIDE}")
    return "/".join(parts)


def items_of(folder: Path, record: Mapping[str, Any]) -> tuple[tuple[str, ...], Items]:
    """Names of the counts of an ``eval`` record, and its items, read from its results folder.

    Raises:
        UserError: as :func:`items_path` and :func:`read_items`, also for a file that is not the one of the record
            by its digest and number of rows; ``per_example`` lacks a part.
    """
    stats = _described(record, "stats", list)
    if not all(isinstance(stat, str) for stat in stats) or len({*_OWN, *stats}) != len(stats) + len(_OWN):
        raise UserError(f"per_example.stats {stats!r:.200} are not different names of counts")
    sha256, rows = _described(record, "sha256", str), _described(record, "rows", int)
    path, data = item_bytes(folder, record)
    return tuple(stats), _items(path, data, stats, sha256, rows)


def item_bytes(folder: Path, record: Mapping[str, Any]) -> tuple[Path, bytes]:
    """The per-item file of an ``eval`` record: where it lies, and what is in it, as a file or in the folder's pack.

    Raises:
        UserError: as :func:`items_path`; the file cannot be read.
    """
    path = items_path(folder, record)
    pack = Path(folder, PACK)
    if path.is_file() or not pack.is_file():
        return path, _bytes(path)
    name = path.relative_to(folder).as_posix()
    return pack / name, read_packed(pack, name)


def _described(record: Mapping[str, Any], key: str, kind: type) -> Any:
    about = record.get("per_example")
    if about is None:
        raise UserError("the record names no per-item file")
    value = about.get(key) if isinstance(about, dict) else None
    if type(value) is not kind:
        raise UserError(f"per_example.{key} is {value!r:.60}; a record names path, sha256, rows and stats there")
    return value


def read_items(path: Path, stats: Sequence[str], *, sha256: str | None = None, rows: int | None = None) -> Items:
    """Reads a per-item file. Other fields, such as predictions, are not kept.

    Args:
        path: the file.
        stats: names of the counts, as ``per_example.stats`` of the record has them; they become the columns.
        sha256: what the file's digest should be; not checked if None.
        rows: how many items the file should have; not checked if None.

    Raises:
        UserError: the file cannot be read or has another digest or number of rows; naming line and key: a line
            that is no JSON object, an id or a count that is missing, an id or a key that stands there twice, a
            count that is not an integer from 0 to 2⁶³ − 1 or makes the sum larger, a group on some lines only.
        ValueError: ``stats`` are not different names of counts.
    """
    if len({*_OWN, *stats}) != len(stats) + len(_OWN):
        raise ValueError(f"stats must be different names, none of them {', '.join(_OWN)}: {', '.join(stats)}")
    return _items(path, _bytes(path), stats, sha256, rows)


def _bytes(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: the per-item file cannot be read: {error.strerror}; {_REMEDY}") from None


def _items(path: Path, data: bytes, stats: Sequence[str], sha256: str | None, rows: int | None) -> Items:
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise UserError(f"{path}: its SHA-256 is {found}, the record says {sha256}: it was changed; {_REMEDY}")
    items = _at_once(data, stats) or _line_by_line(path, data, stats)
    if rows is not None and len(items.ids) != rows:
        raise UserError(f"{path}: {len(items.ids)} items, the record says {rows}; {_REMEDY}")
    for stat, column in zip(stats, items.counts.T, strict=True):
        if column.sum(dtype=np.float64) >= _LARGEST:
            raise UserError(f"{path}: the sum of {stat!r} is larger than {_LARGEST}; {_REMEDY}")
    return items


def _at_once(data: bytes, stats: Sequence[str]) -> Items | None:
    """All lines in one go; None where any is not as it should be: what is wrong is told by :func:`_line_by_line`."""
    import pyarrow as pa
    from pyarrow import json as arrow

    # As many objects as lines, and each line begins with one: pyarrow itself does not care for lines.
    lines = data.count(b"\n")
    if not data.startswith(b"{") or data.count(b"\n{") != lines - 1 or not data.endswith(b"}\n"):
        return None
    names = (*((name, pa.string()) for name in (ID, GROUP)), *((stat, pa.int64()) for stat in stats))
    try:
        table = arrow.read_json(
            pa.BufferReader(data),
            read_options=arrow.ReadOptions(use_threads=False, block_size=min(len(data) + 1, _BLOCK)),
            parse_options=arrow.ParseOptions(explicit_schema=pa.schema(names), unexpected_field_behavior="ignore"),
        ).combine_chunks()
        ids: list[str] = table[ID].to_pylist()
        groups: list[str] | None = table[GROUP].to_pylist() if table[GROUP].null_count < lines else None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    nulls = sum(table[name].null_count for name in (ID, *stats)) + (table[GROUP].null_count if groups else 0)
    if nulls or table.num_rows != lines or len(set(ids)) != lines:
        return None
    counts = np.empty((lines, len(stats)), dtype=np.int64)
    for index, stat in enumerate(stats):
        counts[:, index] = np.from_dlpack(table[stat].chunk(0))  # unlike to_numpy it does not import pandas
    return Items(ids, counts, groups) if (counts >= 0).all() else None


def _line_by_line(path: Path, data: bytes, stats: Sequence[str]) -> Items:
    ids: dict[str, int] = {}
    groups: list[str | None] = []
    counts: list[list[int]] = []
    wanted = {ID, GROUP, *stats}
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        entry = _object(where, line, wanted)
        item = _text(where, entry, ID)
        if item is None:
            raise UserError(f"{where}: lacks 'id'; {_REMEDY}")
        if item in ids:
            raise UserError(f"{where}: 'id' {item!r:.60} stands on line {ids[item]} already; {_REMEDY}")
        ids[item] = number
        groups.append(_text(where, entry, GROUP))
        if (groups[-1] is None) != (groups[0] is None):
            has = "no" if groups[-1] is None else "a"
            raise UserError(f"{where}: {has} 'group', unlike the lines before; all items have one or none; {_REMEDY}")
        counts.append([_count(where, entry, stat) for stat in stats])
    table = np.array(counts, dtype=np.int64).reshape(len(counts), len(stats))
    return Items(list(ids), table, [group for group in groups if group is not None] or None)


def _object(where: str, line: bytes, wanted: Collection[str]) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            for key in wanted:
                if keys.count(key) > 1:
                    raise UserError(f"{where}: key {key!r} stands there twice; {_REMEDY}")
        return found

    try:
        entry = json.loads(line.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON in UTF-8 ({error}); {_REMEDY}") from None
    if not isinstance(entry, dict):
        raise UserError(f"{where}: not a JSON object; {_REMEDY}")
    return entry


def _text(where: str, entry: dict[str, Any], key: str) -> str | None:
    text = entry.get(key)
    if text is None:
        return None
    try:
        text.encode()
    except (AttributeError, UnicodeEncodeError):
        raise UserError(f"{where}: {key!r} is no text: {text!r:.60}; {_REMEDY}") from None
    return str(text)


def _count(where: str, entry: dict[str, Any], stat: str) -> int:
    if entry.get(stat) is None:
        raise UserError(f"{where}: lacks the count {stat!r}; {_REMEDY}")
    count = entry[stat]
    # bool is a kind of int, and JSON's true is no count.
    if type(count) is not int or not 0 <= count <= _LARGEST:
        raise UserError(f"{where}: count {stat!r} is {count!r:.60}, not an integer from 0 to {_LARGEST}; {_REMEDY}")
    return count
