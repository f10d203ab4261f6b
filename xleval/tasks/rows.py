"""Rows with labels as numbers: what families learn from and scoring compares with."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xleval.tasks.layout import Family
    from xleval.tasks.raw import RawRow


class SequenceRow(NamedTuple):
    """A text, or a pair of texts, with one label: an index into the task's labels."""

    id: str
    text_a: str
    text_b: str | None
    label: int


class ChoiceRow(NamedTuple):
    """A text, a question about it, and answers to choose from; ``label`` is the right one, from 0."""

    id: str
    context: str
    question: str
    choices: tuple[str, ...]
    label: int


class TokenRow(NamedTuple):
    """Words, each with a tag: an index into the task's labels. ``tokens`` and ``tags`` are equally long."""

    id: str
    tokens: tuple[str, ...]
    tags: tuple[int, ...]
    document: str | None = None
    """Equal for the sentences of one document, where the file marks documents; not recorded."""


class TreeRow(NamedTuple):
    """Words, the position of each one's head (from 1; 0 is the root), and the relation to it, an index."""

    id: str
    tokens: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[int, ...]
    document: str | None = None
    """As of a :class:`TokenRow`."""


class QuestionRow(NamedTuple):
    """A question whose answers are spans of the context: (first character, text) each."""

    id: str
    context: str
    question: str
    answers: tuple[tuple[int, str], ...]


Row = SequenceRow | ChoiceRow | TokenRow | TreeRow | QuestionRow

T = TypeVar("T")


def numbered(
    raw: Iterable[RawRow],
    family: Family,
    labels: Sequence[str],
    maps: Sequence[Mapping[str, str]],
    where: str,
    *,
    tag_lines: bool = False,
) -> Iterator[Row]:
    """Rows with their labels mapped (``maps`` one after the other) and looked up by name.

    ``where`` names the file in messages; with ``tag_lines`` each tag of a row stands on a line of its own.

    Raises:
        UserError: a label that is none of the task's, with file, line and the known ones.
    """
    known = {name: index for index, name in enumerate(labels)}
    memo: dict[str, int] = {}

    def number(label: str, line: int) -> int:
        if label not in memo:
            name = label
            for mapping in maps:
                name = mapping.get(name, name)
            if name not in known:
                also = sorted({old for mapping in maps for old in mapping} - set(known))
                mapped = f"; mapped are {', '.join(also)}" if also else ""
                raise UserError(
                    f"{where}:{line}: unknown label {label!r:.60} (known: {', '.join(labels)}{mapped}); "
                    "correct the file, or map the label with label_map in the task's YAML"
                )
            memo[label] = known[name]
        return memo[label]

    for row in raw:
        item = row.id or ""
        if family == "sequence-classification":
            yield SequenceRow(item, row.text_a, row.text_b, number(row.label, row.line))
        elif family == "multiple-choice":
            yield ChoiceRow(item, row.text_a, row.text_b or "", row.choices, int(row.label))
        elif family == "question-answering":
            yield QuestionRow(item, row.text_a, row.text_b or "", row.answers)
        else:
            lines = row.lines or [row.line + i * tag_lines for i in range(len(row.tags))]
            tags = tuple(map(number, row.tags, lines))
            if family == "dependency-parsing":
                yield TreeRow(item, row.tokens, row.heads, tags, row.document)
            else:
                yield TokenRow(item, row.tokens, tags, row.document)


def shared_by(row: Row) -> str | None:
    """What a row has in common with those that it is not independent of: a question's paragraph, a sentence's document.

    None where nothing is known of others.
    """
    if isinstance(row, QuestionRow):
        return row.context
    return row.document if isinstance(row, (TokenRow, TreeRow)) else None


def drawn(rows: Iterable[T], limit: int | None, seed: int) -> Iterator[T]:
    """At most ``limit`` rows, drawn at random, in their order; a smaller limit draws a subset of a larger.

    Only ``random()`` is used: its sequence is the same in every version of Python. No more than ``limit``
    rows are held at a time.
    """
    if limit is None:
        return iter(rows)
    chance = random.Random(seed)
    keyed = ((chance.random(), index, row) for index, row in enumerate(rows))
    chosen = heapq.nsmallest(limit, keyed, key=lambda entry: entry[:2])
    return (row for _, _, row in sorted(chosen, key=lambda entry: entry[1]))
