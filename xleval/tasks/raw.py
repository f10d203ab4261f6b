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

    Which fields a row has depends on its family:

    sequence classification: ``text_a``, ``text_b`` (or None), ``label``
    multiple choice:         ``text_a`` the context, ``text_b`` the question, ``choices``, ``label`` (a position)
    token classification:    ``tokens``, ``tags``
    dependency parsing:      ``tokens``, ``heads`` (from 1; 0 is the root), ``tags`` the relations
    question answering:      ``text_a`` the context, ``text_b`` the question, ``answers``: (start, text) each
    """

    line: int
    id: str | None
    text_a: str = ""
    text_b: str | None = None
    label: str = ""
    tokens: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    heads: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    answers: tuple[tuple[int, str], ...] = ()
    lines: tuple[int, ...] = ()
    """The line of each token, where they do not follow one another."""


def decoded(path: Path) -> str:
    """The whole text of a file, without a byte order mark; raises as :func:`lines_of`."""
    return "".join(line for _, line in _decoded_lines(path))


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with numbers from 1, without their ends; empty ones at the end of the file are left out.

    Split at line feeds only: the other separators that ``str.splitlines`` knows occur in sentences. The
    file is read as the lines are taken.

    Raises:
        UserError: the file is missing, empty, or not UTF-8 (with line and byte).
    """
    blank: list[tuple[int, str]] = []
    for number, line in _decoded_lines(path):
        text = line.removesuffix("\n").removesuffix("\r")
        if not text.strip("\r"):
            blank.append((number, text))
            continue
        yield from blank
        blank.clear()
        yield number, text


def raw_lines(path: Path) -> Iterator[str]:
    """Lines with their ends, for a reader of quoted text; raises as :func:`lines_of`."""
    return (line for _, line in _decoded_lines(path))


def _decoded_lines(path: Path) -> Iterator[tuple[int, str]]:
    held: list[tuple[int, str]] | None = []  # until a line says something: a file of blanks is empty
    try:
        with path.open("rb") as stream:
            for number, data in enumerate(stream, start=1):
                if number == 1:
                    data = data.removeprefix(codecs.BOM_UTF8)
                try:
                    line = data.decode("utf-8")
                except UnicodeDecodeError as error:
                    what = f"byte 0x{data[error.start]:02x}, number {error.start + 1} of the line"
                    raise UserError(f"{path}:{number}: not UTF-8: {what}; convert the file") from None
                if held is not None:
                    held.append((number, line))
                    if line.strip():
                        yield from held
                        held = None
                else:
                    yield number, line
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if held is not None:
        raise UserError(f"{path}: empty; fetch the file again")


def refuse_unlabelled(where: str, found: str, form: Form) -> UserError:
    """The error for a file without gold labels; ``found`` says what it has in their place."""
    advice = form.unlabelled or "Predictions can't be scored without them: use a release that has them."
    return UserError(f"{where}: no gold labels ({found}). {advice}")


def kind_of(value: Any) -> str:
    """What a value of JSON or Parquet is, in words."""
    names = {type(None): "missing", bool: "true or false", dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), "a number")
