"""CoNLL columns: one token a line, a blank line between sentences.

Read so: MasakhaNER (two columns), CoNLL-2003 (four, IOB1), WikiANN (``en:token TAB tag``) and what XTREME
made of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from xleval.errors import UserError
from xleval.tasks.raw import RawRow, lines_of, refuse, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Form
    from xleval.tasks.raw import Tell

    _Sentence = tuple[int, list[str], list[str]]

#: Marks the start of a document in CoNLL-2003; no token.
_DOCUMENT = "-DOCSTART-"


def read_conll(path: Path, form: Form, code: str, tell: Tell = refuse) -> Iterator[RawRow]:
    """Sentences with tags in BIO. ``line`` is that of the first token; those of a sentence are consecutive.

    Raises:
        UserError: a line with more or fewer columns than the first has, an empty token or tag, no tags, a token
            without the prefix that most have.
    """
    sentences = _sentences(path, form, tell)
    prefix = form.token_prefix.replace("{lang}", code)
    for line, tokens, tags in _without_prefix(path, sentences, prefix, tell) if prefix else sentences:
        for offset, token in enumerate(tokens):
            if not token:
                tell(UserError(f"{path}:{line + offset}: empty token; fetch the file again"))
        found_tags = bio(tags) if form.scheme == "iob1" else tags
        yield RawRow(line, None, tokens=tuple(tokens), tags=tuple(found_tags))


def _without_prefix(path: Path, sentences: Iterable[_Sentence], prefix: str, tell: Tell) -> Iterator[_Sentence]:
    """Some copies have the prefix and some don't, where a token may begin so all the same (``en:Foo``)."""
    found = list(sentences)
    counts = Counter(token.startswith(prefix) for _, tokens, _ in found for token in tokens)
    if counts[True] <= counts[False]:
        yield from found
        return
    for line, tokens, tags in found:
        for offset, token in enumerate(tokens):
            if not token.startswith(prefix):
                said = f"token {token!r:.60} does not begin with {prefix!r}, as most of the file's do"
                tell(UserError(f"{path}:{line + offset}: {said}; fetch the file again"))
        yield line, [token.removeprefix(prefix) for token in tokens], tags


def bio(tags: Sequence[str]) -> list[str]:
    """IOB1 → BIO: every entity begins with B-, whatever stands before it. BIO stays as it is."""
    found = []
    before = "O"
    for tag in tags:
        begins = tag.startswith("I-") and (before == "O" or before[2:] != tag[2:])
        found.append("B-" + tag[2:] if begins else tag)
        before = tag
    return found


def _sentences(path: Path, form: Form, tell: Tell) -> Iterator[_Sentence]:
    at = form.columns.get("tokens", 0), form.columns.get("tags", -1)
    token_at, tag_at = (place if isinstance(place, int) else 0 for place in at)
    tokens: list[str] = []
    tags: list[str] = []
    width = start = 0
    empty = True
    for line, text in lines_of(path):
        fields = text.split("\t") if form.separator == "tab" else text.replace("\t", " ").split(" ")
        if form.separator == "whitespace":
            # Not str.split(): no-break and other Unicode spaces are part of tokens.
            fields = [field for field in fields if field]
        if not text.strip(" \t") or fields[0] == _DOCUMENT:
            if tokens:
                yield start, tokens, tags
                tokens, tags = [], []
            continue
        if not width:
            width = len(fields)
            if width == 1:
                raise refuse_unlabelled(f"{path}:{line}", "one column, the tokens", form)
            if width <= max(token_at, tag_at):
                raise UserError(f"{path}:{line}: expected {max(token_at, tag_at) + 1} columns, found {width}")
        empty = False
        if len(fields) != width:
            tell(UserError(f"{path}:{line}: expected {width} columns, found {len(fields)}; correct the line"))
            continue
        if not fields[tag_at]:
            tell(UserError(f"{path}:{line}: empty tag; every token needs one"))
            continue
        start = start if tokens else line
        tokens.append(fields[token_at])
        tags.append(fields[tag_at])
    if tokens:
        yield start, tokens, tags
    if empty:
        raise UserError(f"{path}: no sentence; fetch the file again")
