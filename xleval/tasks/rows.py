"""Rows with labels as numbers: what families learn from and scoring compares with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xleval.tasks.layout import Family
    from xleval.tasks.raw import RawRow


class SequenceRow(NamedTuple):
    """A text, or a pair of texts, with one label: an index into the task's labels."""

    id: str
    text_a: str
    text_b: str | None
    label: int


class TokenRow(NamedTuple):
    """Words, each with a tag: an index into the task's labels. ``tokens`` and ``tags`` are equally long."""

    id: str
    tokens: tuple[str, ...]
    tags: tuple[int, ...]


T = TypeVar("T")


def numbered(
    raw: Iterable[RawRow],
    family: Family,
    labels: Sequence[str],
    maps: Sequence[Mapping[str, str]],
    where: str,
    *,
    tag_lines: bool = False,
) -> list[SequenceRow] | list[TokenRow]:
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
                    f"{where}:{line}: unknown label {label!r} (known: {', '.join(labels)}{mapped}); "
                    "correct the file, or map the label with label_map in the task's YAML"
                )
            memo[label] = known[name]
        return memo[label]

    if family == "token-classification":
        found = []
        for row in raw:
            tags = tuple(number(tag, row.line + i * tag_lines) for i, tag in enumerate(row.tags))
            found.append(TokenRow(row.id or "", row.tokens, tags))
        return found
    return [SequenceRow(row.id or "", row.text_a, row.text_b, number(row.label, row.line)) for row in raw]


def drawn(rows: list[T], limit: int | None, seed: int) -> list[T]:
    """At most ``limit`` rows, drawn at random, in their order; a smaller limit draws a subset of a larger.

    Only ``random()`` is used: its sequence is the same in every version of Python.
    """
    if limit is None or limit >= len(rows):
        return rows
    chance = random.Random(seed)
    keys = [chance.random() for _ in rows]
    chosen = sorted(sorted(range(len(rows)), key=keys.__getitem__)[:limit])
    return [rows[index] for index in chosen]
