"""Abstract meanings: what a sentence says, before any language says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from xleval_demo import concepts

if TYPE_CHECKING:
    from xleval_demo.chance import Chance

Tense = Literal["present", "past", "future"]
Split = Literal["train", "dev", "test"]
EntityKind = Literal["PER", "LOC", "ORG"]


@dataclass(frozen=True)
class Name:
    """A named entity: `parts` are ids such as `PER-3`, in order; `word` a common noun inside an ORG name."""

    kind: EntityKind
    parts: tuple[str, ...]
    word: str | None = None


@dataclass(frozen=True)
class Thing:
    """A participant: a common noun (perhaps a title before a name), a bare name, or a question word."""

    concept: str | None = None
    adjective: str | None = None
    plural: bool = False
    name: Name | None = None


@dataclass(frozen=True)
class Meaning:
    """One clause. `opening` is a connective to what came before; a question has a question word in a slot.

    `fronted` puts the place first, which says the same thing with another emphasis.
    """

    verb: str
    subject: Thing
    object: Thing | None = None
    place: Thing | None = None
    tense: Tense = "present"
    negated: bool = False
    opening: str | None = None
    question: bool = False
    fronted: bool = False


Slot = Literal["subject", "object", "place"]


def put(meaning: Meaning, slot: Slot, thing: Thing) -> Meaning:
    """The clause with another participant in a slot."""
    if slot == "subject":
        return replace(meaning, subject=thing)
    return replace(meaning, object=thing) if slot == "object" else replace(meaning, place=thing)


def draw_noun(chance: Chance, uppers: tuple[str, ...], adjective: float = 0.5) -> Thing:
    """A common noun of one of the classes; sometimes the class itself (an animal), sometimes plural."""
    upper = chance.pick(uppers)
    concept = upper if chance.happens(0.15) else chance.pick(concepts.MEMBERS[upper])
    return Thing(
        concept,
        adjective=chance.pick(concepts.ADJECTIVES) if chance.happens(adjective) else None,
        plural=chance.happens(0.25),
    )


def draw_place(chance: Chance) -> Thing:
    """A place that is not named."""
    return Thing(chance.pick(concepts.PLACES))


def draw_name(chance: Chance, kind: EntityKind, share: float = 1.0) -> Name:
    """A name whose parts come from the first `share` of each list (training data see part of the names)."""

    def one(what: str) -> str:
        return f"{what}-{chance.below(int(concepts.NAMES[what] * share))}"

    if kind == "PER":
        return Name("PER", (one("PER"), one("FAM")) if chance.happens(0.4) else (one("PER"),))
    if kind == "ORG":
        word = chance.pick(concepts.ORGANISATION_WORDS) if chance.happens(0.5) else None
        return Name("ORG", (one("ORG"),), word)
    return Name("LOC", (one("LOC"),))


def draw_tense(chance: Chance) -> Tense:
    """Present half of the time."""
    return chance.pick(("present", "present", "past", "future"))


def draw_event(chance: Chance, named: float = 0.2) -> Meaning:
    """A transitive clause about people, animals and things: the stuff of entailment."""
    by_name = chance.happens(named)
    subject = Thing(name=draw_name(chance, "PER")) if by_name else draw_noun(chance, ("person", "animal"))
    while True:
        target = draw_noun(chance, tuple(concepts.MEMBERS))
        if target.concept != subject.concept:
            break
    return Meaning(
        verb=chance.pick(concepts.VERBS),
        subject=subject,
        object=target,
        place=draw_place(chance) if chance.happens(0.4) else None,
        tense=draw_tense(chance),
        negated=chance.happens(0.25),
    )


def draw_news(chance: Chance, share: float = 1.0) -> Meaning:
    """A clause full of names: the stuff of named entities. `share` as in `draw_name`."""

    def named(kind: EntityKind) -> Thing:
        word = None
        if kind == "PER" and chance.happens(0.35):
            word = chance.pick(concepts.TITLES)
        elif kind == "LOC" and chance.happens(0.3):
            word = chance.pick(concepts.LOCATION_WORDS)
        return Thing(word, name=draw_name(chance, kind, share))

    kinds: tuple[EntityKind, ...] = ("PER", "LOC", "ORG")
    subject = named(chance.pick(("PER", "PER", "ORG"))) if chance.happens(0.8) else draw_noun(chance, ("person",))
    target = named(chance.pick(kinds)) if chance.happens(0.6) else draw_noun(chance, ("person", "tool", "food"))
    place: Thing | None = None
    if chance.happens(0.6):
        place = named("LOC") if chance.happens(0.6) else draw_place(chance)
    return Meaning(
        verb=chance.pick((*concepts.NAME_VERBS, *concepts.NAME_VERBS, "see", "love", "find", "praise", "blame")),
        subject=subject,
        object=target,
        place=place,
        tense=draw_tense(chance),
        negated=chance.happens(0.15),
    )
