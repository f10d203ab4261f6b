"""CoNLL-U: treebanks of Universal Dependencies. Words only: multiword tokens and empty nodes are no words.

Relations are cut at ":" (subtypes differ by language), as the CoNLL 2018 scorer does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xleval.errors import UserError
from xleval.tasks.raw import RawRow, lines_of, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Family, Form

_COLUMNS = 10


class _Word(NamedTuple):
    line: int
    form: str
    upos: str
    head: int | None
    relation: str


def read_conllu(path: Path, form: Form, family: Family) -> Iterator[RawRow]:
    """Sentences: words with universal part-of-speech tags, or with heads and relations.

    Raises:
        UserError: naming file and line: not ten columns, ids that do not count up from 1, an empty word, no
            tags; for parsing, heads that are missing, out of range, or form no tree with one root.
    """
    empty = True
    for words in _sentences(path):
        empty = False
        tokens = tuple(word.form for word in words)
        lines = tuple(word.line for word in words)
        if family == "dependency-parsing":
            heads = _heads(path, form, words)
            tags = tuple(word.relation.partition(":")[0] for word in words)
            missing = next((word for word in words if word.relation in ("", "_")), None)
            if missing:
                raise refuse_unlabelled(f"{path}:{missing.line}", f"no relation for {missing.form!r}", form)
        else:
            heads, tags = (), tuple(word.upos for word in words)
            missing = next((word for word in words if word.upos in ("", "_")), None)
            if missing:
                raise refuse_unlabelled(f"{path}:{missing.line}", f"no UPOS tag for {missing.form!r}", form)
        yield RawRow(lines[0], None, tokens=tokens, tags=tags, heads=heads, lines=lines)
    if empty:
        raise UserError(f"{path}: no sentence; fetch the file again")


def check_tree(heads: Sequence[int], where: Sequence[str]) -> None:
    """Refuses heads (from 1; 0 is the root) that are not one tree with one root.

    Raises:
        UserError: with ``where[i]`` of the word that is at fault.
    """
    roots = [index for index, head in enumerate(heads) if head == 0]
    for index, head in enumerate(heads):
        if not 0 <= head <= len(heads) or head == index + 1:
            raise UserError(f"{where[index]}: head {head} in a sentence of {len(heads)} words; correct the tree")
    if len(roots) != 1:
        at = where[roots[1] if roots else 0]
        raise UserError(f"{at}: {len(roots)} roots in one sentence; a tree has one word with head 0")
    settled = {0}
    for index in range(len(heads)):
        chain: list[int] = []
        word = index + 1
        while word not in settled:
            if word in chain:
                raise UserError(f"{where[word - 1]}: the word is its own ancestor; correct the heads of the sentence")
            chain.append(word)
            word = heads[word - 1]
        settled.update(chain)


def _heads(path: Path, form: Form, words: Sequence[_Word]) -> tuple[int, ...]:
    missing = next((word for word in words if word.head is None), None)
    if missing:
        raise refuse_unlabelled(f"{path}:{missing.line}", f"no head for {missing.form!r}", form)
    heads = tuple(word.head or 0 for word in words)
    check_tree(heads, [f"{path}:{word.line}" for word in words])
    return heads


def _sentences(path: Path) -> Iterator[list[_Word]]:
    words: list[_Word] = []
    for line, text in lines_of(path):
        if not text.strip():
            if words:
                yield words
            words = []
        elif not text.startswith("#"):
            word = _word(path, line, text, len(words) + 1)
            words += [word] if word else []
    if words:
        yield words


def _word(path: Path, line: int, text: str, expected: int) -> _Word | None:
    # Fields are split here and not by the library, which takes two spaces for a tab.
    from conllu.exceptions import ParseException
    from conllu.parser import parse_id_value, parse_int_value

    fields = text.split("\t")
    if len(fields) != _COLUMNS:
        raise UserError(f"{path}:{line}: {len(fields)} columns separated by tabs, CoNLL-U has {_COLUMNS}")
    try:
        number, head = parse_id_value(fields[0]), parse_int_value(fields[6])
    except ParseException as error:
        raise UserError(f"{path}:{line}: {error} Write a number, or `_` for none") from None
    if isinstance(number, tuple):
        return None
    if number != expected:
        raise UserError(f"{path}:{line}: id {fields[0]!r} where {expected} should stand; ids count words from 1")
    if not fields[1].strip():
        raise UserError(f"{path}:{line}: empty word form")
    return _Word(line, fields[1], fields[3], head, fields[7])
