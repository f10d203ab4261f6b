"""What a file of records from anybody may hold, looked at before anything else reads it.

Sizes, text and numbers only. What passes here can be parsed, printed and put on a page without more care than usual.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from xleval.errors import UserError

#: Bytes of a file of records and of one line; lines; characters of a string; levels of nesting; metrics of a cell.
FILE, LINE, LINES, STRING, DEPTH, METRICS = 64 << 20, 1 << 20, 100_000, 10_000, 20, 20

#: Faults told of one line, and of a file: whoever sends more does not get more.
_OF_LINE, _OF_FILE = 10, 1000

#: Marks that make text read in another order than it is written, so that a name looks like another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_LONG = re.compile(rb'"[^"]{%d}' % (STRING + 1))
_FINITE = json.JSONEncoder(allow_nan=False, check_circular=False)


def out_of_bounds(path: Path) -> list[tuple[int, str]]:
    """Lines, and what on them is too large, no text or no finite number: the first thousand such faults.

    A line that is no JSON is not told of here.

    Raises:
        UserError: the file cannot be read.
    """
    return list(islice(_faults(path), _OF_FILE))


def _faults(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if (size := path.stat().st_size) > FILE:
            yield 0, f"the file has {size:,} bytes; the limit is {FILE:,}: make several entries of the results"
            return
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if number > LINES:
                    yield number, f"the limit is {LINES:,} lines: make several entries of the results"
                    return
                if len(line) > LINE:
                    yield number, f"{len(line):,} bytes; the limit of a line is {LINE:,}: cut what xleval did not write"
                else:
                    yield from ((number, message) for message in islice(_unfit(line), _OF_LINE))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _unfit(line: bytes) -> Iterator[str]:
    try:
        record = json.loads(line)
    except RecursionError:
        yield f"nested more than {DEPTH} deep: remove what xleval did not write"
        return
    except ValueError:
        return
    if isinstance(record, dict) and isinstance(metrics := record.get("metrics"), dict) and len(metrics) > METRICS:
        yield f"{len(metrics):,} metrics; the limit is {METRICS}: remove what xleval did not write"
    if _plain(line, record):
        return
    waiting: list[tuple[Any, tuple[str, ...]]] = [(record, ())]
    while waiting:
        value, place = waiting.pop()
        if len(place) > DEPTH:
            yield f"{_shown(place[:3])} is nested more than {DEPTH} deep: remove what xleval did not write"
            return
        if isinstance(value, str):
            yield from (f"{_shown(place)} {fault}" for fault in _unfit_text(value, place == ("error", "message")))
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{_shown(place)} is not a finite number: restore what xleval wrote, or run again"
        elif isinstance(value, list):
            waiting += [(part, (*place, str(index))) for index, part in enumerate(value)]
        elif isinstance(value, dict):
            for key, part in value.items():
                yield from (f"a key of {_shown(place)} {fault}" for fault in _unfit_text(key, False))
                waiting.append((part, (*place, key)))


def _plain(line: bytes, record: Any) -> bool:
    """Whether a look at its bytes shows that a line is within bounds, as it does of most that xleval wrote."""
    if not line.isascii() or b"\\" in line or b"\x7f" in line or line.count(b"{") + line.count(b"[") > DEPTH:
        return False
    if len(line) > STRING and _LONG.search(line):
        return False
    try:
        _FINITE.encode(record)
    except ValueError:
        return False
    return True


def _unfit_text(text: str, lines: bool) -> Iterator[str]:
    if len(text) > STRING:
        yield f"has {len(text):,} characters; the limit is {STRING:,}: shorten it"
    elif not text.isascii() or not text.isprintable():
        for letter in text:
            if (
                unicodedata.category(letter) in ("Cc", "Cs") and not (lines and letter in "\n\t")
            ) or letter in _TURNING:
                yield f"has the control character U+{ord(letter):04X}: remove it"
                return


def _shown(place: tuple[str, ...]) -> str:
    return ascii(".".join(place))[1:-1][:100] or "the record"
