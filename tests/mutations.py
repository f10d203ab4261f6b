"""Damage to files, for the tests that nothing but an error or what the file says comes of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FUZZ = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)

_PIECES = [
    b"\t",
    b"\n",
    b" ",
    b'"',
    b"\r",
    b"\x00",
    b"\xff",
    b"\n\n",
    b"0",
    b"-",
    b"#",
    b"_",
    b",",
    b"}",
    b"\xe2\x80\xa8",
]


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes dropped, put in, replaced, repeated; the file cut short, or emptied."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["drop", "insert", "replace", "repeat"] * 3 + ["cut", "empty"]))
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=3)))
        if kind == "drop":
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == "insert":
            data[at:at] = piece
        elif kind == "replace":
            data[at : at + 1] = piece
        elif kind == "cut":
            del data[at:]
        elif kind == "repeat":
            data[at:at] = data[: draw(st.integers(0, 20))]
        else:
            data.clear()
    return bytes(data)


@st.composite
def changed_cells(draw: st.DrawFn, original: list[list[str]], values: list[str]) -> list[list[str]]:
    """Rows of a table with columns swapped, fields dropped and added, values changed, rows twice or gone."""
    rows = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        if not rows:
            break
        at = draw(st.integers(0, len(rows) - 1))
        row, kind = rows[at], draw(st.sampled_from(["swap", "swap all", "drop", "add", "change", "remove", "repeat"]))
        if kind in ("swap", "swap all") and len(row) > 1:
            one, other = draw(st.permutations(range(len(row))))[:2]
            for changed in rows if kind == "swap all" else [row]:
                if max(one, other) < len(changed):
                    changed[one], changed[other] = changed[other], changed[one]
        elif kind == "drop" and row:
            del row[draw(st.integers(0, len(row) - 1))]
        elif kind == "add":
            row.insert(draw(st.integers(0, len(row))), draw(st.sampled_from(values)))
        elif kind == "change" and row:
            row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(values))
        elif kind == "remove":
            del rows[at]
        elif kind == "repeat":
            rows.insert(at, list(row))
    return rows


_VALUES = [None, True, False, 0, 1, 2, -1, 3.0, float("nan"), float("inf"), 10**30, "", " ", "0", "x", "\ud800", [], {}]


@st.composite
def changed_json(draw: st.DrawFn, original: Any) -> Any:
    """A value of JSON with parts of other types, keys renamed and dropped, members dropped, twice and swapped."""
    value = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        holders = [holder for holder in _holders(value) if holder]
        if not holders:
            break
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        kind = draw(st.sampled_from(["replace", "replace", "drop", "rename", "repeat", "swap", "shift"]))
        if kind == "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
        elif kind == "drop":
            del holder[key]
        elif kind == "rename" and isinstance(holder, dict):
            holder[f"{key}s"] = holder.pop(key)
        elif kind == "repeat" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == "swap":
            other = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
            holder[key], holder[other] = holder[other], holder[key]
        elif kind == "shift" and type(holder[key]) is int:
            holder[key] += draw(st.sampled_from([-1, 1]))
    return value


def _holders(value: Any) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, (dict, list)) else []
    return own + [holder for member in members for holder in _holders(member)]


def rows_or_refusal(file: Path, data: bytes, read: Callable[[], list[Any]]) -> list[Any] | None:
    """The rows of a file with these bytes; None where it was refused, by name."""
    file.write_bytes(data)
    try:
        return read()
    except UserError as error:
        if str(file) not in str(error):
            raise AssertionError(f"a refusal that names no file: {error}") from error
        return None
