"""Sentences for parts of speech and trees, as meanings: events, news, causes and questions, alone or conjoined."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from xleval_demo import concepts
from xleval_demo.entities import TRAIN_SHARE
from xleval_demo.meaning import Meaning, Split, Thing, draw_event, draw_news, draw_noun, draw_place, draw_tense
from xleval_demo.splits import disjoint

if TYPE_CHECKING:
    from xleval_demo.chance import Chance
    from xleval_demo.clauses import Clauses

RELATIONS = (
    "root", "nsubj", "obj", "obl", "amod", "compound", "flat", "advmod", "cc", "mark", "conj", "advcl", "punct",
)  # fmt: skip
"""All that the grammar makes."""
TAGS = ("NOUN", "PROPN", "ADJ", "VERB", "PRON", "PART", "CCONJ", "SCONJ", "PUNCT")
CONJOINED = 0.35
FRONTED = 0.3


@cache
def treebank_items(split: Split) -> tuple[Clauses, ...]:
    """The sentences of a split, the same for every language; none is in two splits."""
    return disjoint("demo-treebank", split, _draw, key=lambda clauses: clauses)


def _draw(chance: Chance, split: Split, number: int) -> Clauses:
    share = 1.0 if split == "test" else TRAIN_SHARE
    first = _clause(chance, share)
    kind = chance.unit()
    if kind < CONJOINED:
        return first, replace(_clause(chance, share), opening=chance.pick(concepts.CONNECTIVES))
    if kind < CONJOINED + 0.1:
        return (_asked(chance, first),)
    if kind < CONJOINED + 0.25:
        return (replace(first, opening=chance.pick(concepts.CONNECTIVES)),)
    return (first,)


def _clause(chance: Chance, share: float) -> Meaning:
    kind = chance.unit()
    if kind < 0.45:
        clause = draw_event(chance)
    elif kind < 0.85:
        clause = draw_news(chance, share)
    else:
        who = draw_noun(chance, ("person", "animal"))
        place = draw_place(chance) if chance.happens(0.4) else None
        clause = Meaning(chance.pick(concepts.INTRANSITIVES), who, place=place, tense=draw_tense(chance))
    return replace(clause, fronted=clause.place is not None and chance.happens(FRONTED))


def _asked(chance: Chance, clause: Meaning) -> Meaning:
    asked = [replace(clause, subject=Thing("who"))]
    if clause.object:
        asked.append(replace(clause, object=Thing("what")))
    if clause.place:
        asked.append(replace(clause, place=Thing("where")))
    return replace(chance.pick(asked), question=True)
