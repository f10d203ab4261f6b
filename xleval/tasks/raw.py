"""Rows as files write them, before labels become numbers, and the text that they are read from."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from xleval.tasks.layout import Form

    Tell = Callable[[UserError], None]
    """What becomes of a fault after which a reader can go on: :func:`refuse`, or it is noted and the row left out."""


class UnlabelledError(UserError):
    """A row without gold label. At the start of a file it may say that its release withholds them all."""


def refuse(error: UserError) -> None:
    """The first fault ends the reading: rows are never left out of what is learned from or scored."""
    raise error


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
    document: str | None = None
    """Of a sentence: names its document, if the file marks documents. Equal for its sentences and for no others."""


def decoded(path: Path) -> str:
    """The whole text of a file, without a byte order mark; raises as :func:`lines_of`."""
    return "".join(line for _, line in _decoded_lines(path))


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with numbers from 1, without their ends; empty ones at the end of the file are left out.

    Split at line feeds only: the other separators that ``str.splitlines`` knows occur in sentences. The
    file is read as the lines are taken.

    Raises:
        UserError: the file is missing, empty, or no text in UTF-8 (with line and byte).
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
                line = _text(path, number, data)
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


def _text(path: Path, number: int, data: bytes) -> str:
    try:
        line = data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"byte 0x{data[error.start]:02x}, number {error.start + 1} of the line"
        raise UserError(f"{path}:{number}: not UTF-8: {what}; convert the file") from None
    if "\0" in line:
        # UTF-16 without its mark is valid UTF-8, every other byte a zero; so is a block that a disk lost.
        what = f"byte 0x00, number {data.index(0) + 1} of the line"
        raise UserError(f"{path}:{number}: no text: {what}; convert it if it is UTF-16, else fetch the file again")
    return line


def refuse_unlabelled(where: str, found: str, form: Form) -> UnlabelledError:
    """The error for a file without gold labels; ``found`` says what it has in their place."""
    advice = form.unlabelled or "Predictions can't be scored without them: use a release that has them."
    return UnlabelledError(f"{where}: no gold labels ({found}). {advice}")


def kind_of(value: Any) -> str:
    """What a value of JSON or Parquet is, in words."""
    names = {type(None): "missing", bool: "true or false", dict: "an object", list: "a list", str: "text"}
    if isinstance(value, float):
        return f"the number {value}"
    return names.get(type(value)) or (
        "a number" if isinstance(value, int) else f"a value of type {type(value).__name__}"
    )


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message, the rest counted: a file of another format may have a sentence in place of each."""
    found = list(names)
    short = [name if len(name) <= 40 else f"{name[:40]}…" for name in found[:most]]
    return ", ".join(short) + (f" and {len(found) - most} more" if len(found) > most else "")


def has_half_character(value: Any) -> bool:
    """Whether text has half of a surrogate pair, which JSON can escape; it is no text and breaks tokenizers."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return True
    return False
