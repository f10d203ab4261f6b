"""Sentences of one or more clauses: the further ones follow their connective and hang on the first verb.

The unlabelled text and the older data sets have one clause a sentence and use `grammar` directly.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xleval_demo.grammar import ROOT, Token, render

if TYPE_CHECKING:
    from xleval_demo.meaning import Meaning

    Clauses = tuple[Meaning, ...]
    """What one sentence says; each clause but the first has an `opening`."""


def render_clauses(clauses: Clauses, code: str) -> tuple[Token, ...]:
    """One sentence, as Universal Dependencies has it: `because` makes an adverbial clause, the rest conjuncts."""
    first, *further = clauses
    *tokens, mark = render(first, code)
    root = next(i for i, token in enumerate(tokens, start=1) if token.head == ROOT)
    for clause in further:
        start = len(tokens)
        relation = "advcl" if clause.opening == "because" else "conj"
        *words, mark = render(clause, code)
        for word in words:
            if word.head == ROOT:
                tokens.append(replace(word, head=root, relation=relation))
            else:
                tokens.append(replace(word, head=word.head + start))
    return (*tokens, replace(mark, head=root))


def sentence_of(clauses: Clauses, code: str) -> str:
    """`render_clauses` as a string, words apart by blanks."""
    return " ".join(token.form for token in render_clauses(clauses, code))
