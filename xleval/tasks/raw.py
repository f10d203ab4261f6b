"""Rows as files write them, before labels become numbers, and the text that they are read from."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xleval.tasks.layout import Form


class RawRow(NamedTuple):
    """One item as its file writes it. ``line`` counts lines (of Parquet: rows) from 1.

    Sequence rows have ``text_a``, ``text_b`` (or None) and ``label``; token rows ``tokens`` and ``tags``.
    """

    line: int
    id: str | None
    text_a: str = ""
    text_b: str | None = None
    label: str = ""
    tokens: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def decoded(path: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        UserError: it is missing, empty, or not UTF-8 (with line and byte).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
        line = data.count(b"\n", 0, start) + 1
        column = start - data.rfind(b"\n", 0, start)
        what = f"byte 0x{data[start]:02x}, number {column} of the line"
        raise UserError(f"{path}:{line}: not UTF-8: {what}; convert the file") from None
    if not text.strip():
        raise UserError(f"{path}: empty; fetch the file again")
    return text


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Lines with numbers from 1, empty ones at the end left out.

    Split at line feeds only: the other separators that ``str.splitlines`` knows occur in sentences.
    """
    for number, line in enumerate(text.rstrip("\r\n").split("\n"), start=1):
        yield number, line.removesuffix("\r")


def refuse_unlabelled(where: str, found: str, form: Form) -> UserError:
    """The error for a file without gold labels; ``found`` says what it has in their place."""
    advice = form.unlabelled or "Predictions can't be scored without them: use a release that has them."
    return UserError(f"{where}: no gold labels ({found}). {advice}")


def kind_of(value: Any) -> str:
    """What a value of JSON or Parquet is, in words."""
    names = {type(None): "missing", bool: "true or false", dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), "a number")
