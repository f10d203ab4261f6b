"""CoNLL-U: treebanks of Universal Dependencies. Words only: multiword tokens and empty nodes are no words.

Relations are cut at ":" (subtypes differ by language), as the CoNLL 2018 scorer does.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from xleval.errors import UserError
from xleval.tasks.raw import RawRow, lines_of, refuse, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Family, Form
    from xleval.tasks.raw import Tell

_COLUMNS = 10
_WORD = re.compile(r"[1-9][0-9]{0,8}")
_RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_NODE = re.compile(r"([0-9]{1,9})\.([1-9][0-9]{0,8})")
_HEAD = re.compile(r"0|[1-9][0-9]{0,8}|_")
_DOCUMENT = re.compile(r"#\s*newdoc(?:[\s_]id\s*=\s*(.*?))?\s*")  # `newdoc_id` as Wolof-WTB writes it


class _Word(NamedTuple):
    line: int
    form: str
    upos: str
    head: int | None
    relation: str


def read_conllu(path: Path, form: Form, family: Family, tell: Tell = refuse) -> Iterator[RawRow]:
    """Sentences: words with universal part-of-speech tags, or with heads and relations.

    A comment ``# newdoc`` begins a document; those with the same id are one. Sentences before the first are
    in none.

    Raises:
        UserError: naming file and line: not ten columns, ids that do not count up from 1, ranges that reach
            elsewhere, an empty word, words withheld, no tags; for parsing, heads that are missing, out of
            range, or form no tree with one root.
    """
    empty = withheld = True
    document: str | None = None
    for lines in _blocks(path):
        empty = False
        document = _document(path, lines) or document
        try:
            words = _words(path, lines)
            row = _row(path, form, family, words)
        except UserError as error:
            tell(error)
            withheld = False
            continue
        withheld = withheld and set(row.tokens) == {"_"}
        yield row._replace(document=document)
    if empty:
        raise UserError(f"{path}: no sentence; fetch the file again")
    if withheld:
        raise UserError(f"{path}: every word is `_`: this treebank comes without its text; get that from its homepage")


def _row(path: Path, form: Form, family: Family, words: Sequence[_Word]) -> RawRow:
    tokens = tuple(word.form for word in words)
    lines = tuple(word.line for word in words)
    if family == "dependency-parsing":
        heads = _heads(path, form, words)
        tags = tuple(word.relation.partition(":")[0] for word in words)
        what = "relation"
    else:
        heads, tags = (), tuple(word.upos for word in words)
        what = "UPOS tag"
    missing = next((word for word, tag in zip(words, tags, strict=True) if tag in ("", "_")), None)
    if missing:
        raise refuse_unlabelled(f"{path}:{missing.line}", f"no {what} for {missing.form!r}", form)
    return RawRow(lines[0], None, tokens=tokens, tags=tags, heads=heads, lines=lines)


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
        chain: dict[int, None] = {}
        word = index + 1
        while word not in settled:
            if word in chain:
                raise UserError(f"{where[word - 1]}: the word is its own ancestor; correct the heads of the sentence")
            chain[word] = None
            word = heads[word - 1]
        settled.update(chain)


def _heads(path: Path, form: Form, words: Sequence[_Word]) -> tuple[int, ...]:
    missing = next((word for word in words if word.head is None), None)
    if missing:
        raise refuse_unlabelled(f"{path}:{missing.line}", f"no head for {missing.form!r}", form)
    heads = tuple(word.head or 0 for word in words)
    check_tree(heads, [f"{path}:{word.line}" for word in words])
    return heads


def _blocks(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Lines between blank ones, those with comments only left out."""
    block: list[tuple[int, str]] = []
    for line, text in lines_of(path):
        if text.strip(" "):
            block.append((line, text))
            continue
        if not all(text.startswith("#") for _, text in block):
            yield block
        block = []
    if not all(text.startswith("#") for _, text in block):
        yield block


def _document(path: Path, lines: Sequence[tuple[int, str]]) -> str | None:
    """The document that begins with a sentence, if one does: a name that no other has, in this file or another."""
    for line, text in takewhile(lambda entry: entry[1].startswith("#"), lines):
        if found := _DOCUMENT.fullmatch(text):
            return f"{path} {found[1]}" if found[1] else f"{path}:{line}"
    return None


def _words(path: Path, lines: Sequence[tuple[int, str]]) -> list[_Word]:
    words: list[_Word] = []
    reach = nodes = 0  # the last word of a range, and the empty nodes after the last word
    for line, text in lines:
        where = f"{path}:{line}"
        expected = len(words) + 1
        if text.startswith("#"):
            if words or reach or nodes:
                # Taken for a comment, a damaged word would vanish.
                raise UserError(f"{where}: a comment inside a sentence; comments come first, and sentences end blank")
            continue
        fields = text.split("\t")
        if len(fields) != _COLUMNS:
            spaces = ", and spaces separate nothing" if len(fields) == 1 and " " in text else ""
            said = f"{len(fields)} columns separated by tabs, CoNLL-U has {_COLUMNS}{spaces}"
            raise UserError(f"{where}: {said}; correct the line")
        number = fields[0]
        if found := _RANGE.fullmatch(number):
            start, end = map(int, found.groups())
            if start != expected or end <= start or start <= reach:
                raise UserError(f"{where}: range {number!r} before word {expected}; ranges begin at the next word")
            reach = end
        elif found := _EMPTY_NODE.fullmatch(number):
            nodes += 1
            if tuple(map(int, found.groups())) != (len(words), nodes):
                raise UserError(f"{where}: empty node {number!r} where {len(words)}.{nodes} should stand")
        elif not _WORD.fullmatch(number) or int(number) != expected:
            raise UserError(f"{where}: id {number!r:.40} where {expected} should stand; ids count words from 1")
        else:
            nodes = 0
            words.append(_word(where, line, fields))
    if reach > len(words):
        raise UserError(f"{path}:{lines[-1][0]}: the sentence ends with word {len(words)}, a range in it with {reach}")
    if not words:
        raise UserError(f"{path}:{lines[-1][0]}: a sentence without words; remove it")
    return words


def _word(where: str, line: int, fields: Sequence[str]) -> _Word:
    if not fields[1].strip():
        raise UserError(f"{where}: empty word form")
    if not _HEAD.fullmatch(fields[6]):
        raise UserError(f"{where}: head {fields[6]!r:.40} is no number; write the head's id, 0 for the root")
    head = None if fields[6] == "_" else int(fields[6])
    return _Word(line, fields[1], fields[3], head, fields[7])
