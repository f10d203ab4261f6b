"""Premise and hypothesis pairs as meanings: one edit decides the label, and may be joined by a harmless one.

The negated premises keep to edits that are valid under negation. Every kind of hypothesis (negated or not,
with or without adjective and place, longer or shorter) occurs under several labels, so that the hypothesis
alone says little.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from xleval_demo import concepts
from xleval_demo.chance import Chance
from xleval_demo.meaning import Meaning, Split, Thing, draw_event, draw_noun, draw_place

LABELS = ("entailment", "neutral", "contradiction")
SIZES: dict[Split, int] = {"train": 2400, "dev": 300, "test": 360}


@cache
def nli_items(split: Split) -> tuple[tuple[Meaning, Meaning, str], ...]:
    """(premise, hypothesis, label) of a split, the same for every language; no premise is in two splits."""
    earlier: set[Meaning] = set()
    for other in ("train", "dev", "test"):
        if other == split:
            break
        earlier.update(premise for premise, _, _ in nli_items(other))
    chance = Chance("demo-nli", split)
    labels = chance.shuffled([LABELS[i % 3] for i in range(SIZES[split])])
    items: list[tuple[Meaning, Meaning, str]] = []
    for label in labels:
        while True:
            premise = draw_event(chance)
            hypothesis = follow(chance, premise, label)
            if hypothesis is not None and premise not in earlier:
                break
        earlier.add(premise)
        items.append((premise, hypothesis, label))
    return tuple(items)


def follow(chance: Chance, premise: Meaning, label: str) -> Meaning | None:
    """A hypothesis in the given relation to the premise; None where the drawn edit finds no hold."""
    if label == "entailment":
        return _entail(chance, premise)
    edited = _neutral(chance, premise) if label == "neutral" else _contradict(chance, premise)
    if edited is None or not chance.happens(0.4):
        return edited
    return _shorten(chance, edited) or edited


def _entail(chance: Chance, premise: Meaning) -> Meaning | None:
    edited: Meaning | None = None
    for _ in range(1 + chance.happens(0.4)):
        kind = chance.pick(("shorten", "hypernym", "synonym"))
        base = edited or premise
        if kind == "shorten":
            step = _shorten(chance, base)
        elif kind == "hypernym":
            step = _raise(chance, base)
        else:
            step = replace(base, verb=concepts.SYNONYM[base.verb]) if base.verb in concepts.SYNONYM else None
        edited = step or edited
    return edited


def _shorten(chance: Chance, base: Meaning) -> Meaning | None:
    """Drops an adjective or the place; under negation only the subject's adjective, which merely refers."""
    options: list[Meaning] = []
    if base.subject.adjective:
        options.append(replace(base, subject=replace(base.subject, adjective=None)))
    if not base.negated and base.object and base.object.adjective:
        options.append(replace(base, object=replace(base.object, adjective=None)))
    if not base.negated and base.place:
        options.append(replace(base, place=None))
    return chance.pick(options) if options else None


def _raise(chance: Chance, base: Meaning) -> Meaning | None:
    """A hypernym for the subject, or for the object of a clause that is not negated."""
    options: list[Meaning] = []
    if base.subject.concept in concepts.HYPERNYM:
        upper = concepts.HYPERNYM[base.subject.concept]
        options.append(replace(base, subject=replace(base.subject, concept=upper)))
    if not base.negated and base.object and base.object.concept in concepts.HYPERNYM:
        upper = concepts.HYPERNYM[base.object.concept]
        options.append(replace(base, object=replace(base.object, concept=upper)))
    return chance.pick(options) if options else None


def _neutral(chance: Chance, premise: Meaning) -> Meaning | None:
    assert premise.object is not None
    kind = chance.pick(("object", "object", "subject", "adjective", "place", "lower", "swap", "verb"))
    if kind == "object":
        return replace(premise, object=_other(chance, premise.object, premise.subject, tuple(concepts.MEMBERS)))
    if kind == "subject":
        return replace(premise, subject=_other(chance, premise.subject, premise.object, ("person", "animal")))
    if kind == "adjective":
        adjective = chance.pick(concepts.ADJECTIVES)
        if premise.subject.name is None and premise.subject.adjective is None:
            return replace(premise, subject=replace(premise.subject, adjective=adjective))
        if not premise.negated and premise.object.adjective is None:
            return replace(premise, object=replace(premise.object, adjective=adjective))
        return None
    if kind == "place":
        free = premise.place is None and not premise.negated
        return replace(premise, place=draw_place(chance)) if free else None
    if kind == "lower":
        if premise.negated or premise.object.concept not in concepts.MEMBERS:
            return None
        lower = chance.pick(concepts.MEMBERS[premise.object.concept])
        return replace(premise, object=replace(premise.object, concept=lower))
    if kind == "swap":
        agent = concepts.HYPERNYM.get(premise.object.concept or "", premise.object.concept)
        if agent not in ("person", "animal"):
            return None
        return replace(premise, subject=premise.object, object=premise.subject)
    verb = chance.pick(concepts.VERBS)
    related = (premise.verb, concepts.ANTONYM.get(premise.verb), concepts.SYNONYM.get(premise.verb))
    return None if verb in related else replace(premise, verb=verb)


def _contradict(chance: Chance, premise: Meaning) -> Meaning | None:
    assert premise.object is not None
    if premise.negated:
        return replace(premise, negated=False)
    kind = chance.pick(("negate", "adjective", "verb", "place"))
    if kind == "negate":
        return replace(premise, negated=True)
    if kind == "verb":
        return replace(premise, verb=concepts.ANTONYM[premise.verb]) if premise.verb in concepts.ANTONYM else None
    if kind == "place":
        if premise.place is None:
            return None
        place = draw_place(chance)
        return replace(premise, place=place) if place != premise.place else None
    # The adjective of the subject only: one may well love a big dog and a small one.
    if premise.subject.adjective is None:
        return None
    return replace(premise, subject=replace(premise.subject, adjective=concepts.ANTONYM[premise.subject.adjective]))


def _other(chance: Chance, thing: Thing, beside: Thing, uppers: tuple[str, ...]) -> Thing:
    """Something of another kind than `thing` and `beside`, so that neither entails it."""

    def kind(concept: str | None) -> str | None:
        return concepts.HYPERNYM.get(concept or "", concept)

    while True:
        other = draw_noun(chance, uppers)
        clash = other.concept in (thing.concept, beside.concept, kind(thing.concept))
        if not clash and thing.concept != kind(other.concept):
            return other
