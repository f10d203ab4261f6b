"""Pairs of sentences that say the same thing, or almost: the words overlap either way.

A paraphrase has a synonymous verb, or its place put first or back. An alteration changes as many words: negation
comes in where an adjective goes, an adjective moves from one noun to the other, a word becomes another. Verbs,
negation and adjectives are spread alike over both labels, so that no bag of words tells them apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from xleval_demo import concepts
from xleval_demo.grammar import render
from xleval_demo.languages import SOURCE
from xleval_demo.meaning import Meaning, Slot, Split, Thing, draw_event, draw_place, put
from xleval_demo.splits import disjoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xleval_demo.chance import Chance

LABELS = ("different", "paraphrase")
SAME = (*["synonym"] * 8, *["order"] * 4)
OTHER = (*["negation"] * 6, *["adjectives"] * 3, "quality", "place", "roles")
"""Edits in proportion. They change one word, `order` and `adjectives` none, `roles` (by their cases) two."""
_SLOTS: tuple[Slot, ...] = ("subject", "object")
REORDERED = 0.4
"""Share of pairs in which the place moves too, besides those that `order` makes."""


@cache
def paraphrase_items(split: Split) -> tuple[tuple[Meaning, Meaning, str], ...]:
    """(premise, hypothesis, label) of a split, the same for every language; no premise is in two splits."""
    return disjoint("demo-paraphrase", split, _draw, key=lambda item: item[0])


def changed(premise: Meaning, hypothesis: Meaning) -> int:
    """How many words of the hypothesis are not in the premise, wherever they stand; counted in the source."""
    first, second = (Counter(token.gloss for token in render(side, SOURCE)) for side in (premise, hypothesis))
    return sum((second - first).values())


def _draw(chance: Chance, split: Split, number: int) -> tuple[Meaning, Meaning, str]:
    label = LABELS[number % 2]
    turn = number // 2 % 12
    kind = SAME[turn] if label == "paraphrase" else OTHER[turn]
    # Under either label two thirds of the premises have a verb with a synonym.
    verbs = concepts.SYNONYM if (turn < 8 if label == "paraphrase" else number // 24 % 3) else concepts.ANTONYM
    moved = kind == "order" or chance.happens(REORDERED)
    while True:
        premise = _premise(chance, [verb for verb in concepts.VERBS if verb in verbs])
        hypothesis = _edited(chance, premise, kind)
        if hypothesis:
            return premise, replace(hypothesis, fronted=premise.fronted != moved), label


def _premise(chance: Chance, verbs: Sequence[str]) -> Meaning:
    """An event with a place. If it is negated it has an adjective less: see `_negation`."""
    event = draw_event(chance, named=0)
    assert event.object is not None
    negated = chance.happens(0.5)
    count = chance.below(2) + (not negated)
    first, second = chance.shuffled([*chance.shuffled(concepts.ADJECTIVES)[:count], None, None][:2])
    return replace(
        event,
        verb=chance.pick(verbs),
        subject=replace(event.subject, adjective=first),
        object=replace(event.object, adjective=second),
        place=event.place or draw_place(chance),
        negated=negated,
        fronted=chance.happens(0.5),
    )


def _edited(chance: Chance, clause: Meaning, kind: str) -> Meaning | None:
    """The clause with one edit, or None where it finds no hold."""
    assert clause.object is not None
    if kind == "order":
        return clause
    if kind == "synonym":
        return replace(clause, verb=concepts.SYNONYM[clause.verb])
    if kind == "negation":
        return _negation(chance, clause)
    if kind == "adjectives":
        return _exchanged(clause, clause.subject, clause.object)
    if kind == "quality":
        described = [slot for slot in _SLOTS if _filler(clause, slot).adjective]
        return _opposite(clause, chance.pick(described)) if described else None
    if kind == "place":
        place = draw_place(chance)
        return replace(clause, place=place) if place != clause.place else None
    animate = concepts.HYPERNYM.get(clause.object.concept or "", clause.object.concept) in ("person", "animal")
    return replace(clause, subject=clause.object, object=clause.subject) if animate else None


def _negation(chance: Chance, clause: Meaning) -> Meaning:
    """Negation in and an adjective out, or the other way round: as many words as before."""
    slot = chance.pick([slot for slot in _SLOTS if (_filler(clause, slot).adjective is None) == clause.negated])
    adjective = chance.pick(concepts.ADJECTIVES) if clause.negated else None
    return replace(put(clause, slot, replace(_filler(clause, slot), adjective=adjective)), negated=not clause.negated)


def _exchanged(clause: Meaning, one: Thing, two: Thing) -> Meaning | None:
    """The adjectives of subject and object change places, or the only one moves over."""
    if one.adjective == two.adjective:
        return None
    subject, target = replace(one, adjective=two.adjective), replace(two, adjective=one.adjective)
    return replace(clause, subject=subject, object=target)


def _opposite(clause: Meaning, slot: Slot) -> Meaning:
    thing = _filler(clause, slot)
    return put(clause, slot, replace(thing, adjective=concepts.ANTONYM[thing.adjective or ""]))


def _filler(clause: Meaning, slot: Slot) -> Thing:
    thing = clause.subject if slot == "subject" else clause.object
    assert thing is not None
    return thing
