"""Choices of cause or effect, as meanings: which of two sentences brought about what is said, or came of it.

The two choices tell of the same subject with two verbs of one class (what brings about, or what comes of it), so
either may be right elsewhere. Half of the premises tell of two subjects, and the wrong choice is then right of the
other one: the verbs alone do not decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from xleval_demo import concepts
from xleval_demo.meaning import Meaning, Split, Thing, draw_name, draw_noun, draw_place, draw_tense
from xleval_demo.splits import disjoint

if TYPE_CHECKING:
    from xleval_demo.chance import Chance
    from xleval_demo.clauses import Clauses

Question = Literal["cause", "effect"]
QUESTIONS: tuple[Question, ...] = ("cause", "effect")


@dataclass(frozen=True)
class Choice:
    """What happened, what is asked about it, two sentences and the number of the right one."""

    context: Clauses
    question: Question
    choices: tuple[Meaning, Meaning]
    label: int


@cache
def causes_items(split: Split) -> tuple[Choice, ...]:
    """The items of a split, the same for every language; no context is in two splits."""
    return disjoint("demo-copa", split, _draw, key=lambda item: item.context)


def _draw(chance: Chance, split: Split, number: int) -> Choice:
    label, asked, pair = number % 2, number // 2 % 2, number // 4 % 8
    two = number // 32 % 2 == 1
    told = 1 - asked
    # The verb that is told, and the one of the same class that goes with the wrong choice.
    right = concepts.CAUSES[pair]
    wrong = chance.pick([other for other in concepts.CAUSES if other != right])
    tense = draw_tense(chance)
    who = _subject(chance)
    first = Meaning(right[told], who, tense=tense, place=_place(chance))
    context: Clauses = (first,)
    if two:
        while (other := _subject(chance)).concept == who.concept:
            pass
        second = Meaning(wrong[told], other, tense=tense, place=_place(chance))
        clauses = chance.shuffled((first, second))
        context = (clauses[0], replace(clauses[1], opening=chance.pick(("but", "also"))))
    plain = replace(who, adjective=None)
    answers = [Meaning(verbs[asked], plain, tense=tense) for verbs in (right, wrong)]
    if label:
        answers.reverse()
    return Choice(context, QUESTIONS[asked], (answers[0], answers[1]), label)


def _subject(chance: Chance) -> Thing:
    if chance.happens(0.3):
        return Thing(name=draw_name(chance, "PER"))
    return draw_noun(chance, ("person", "animal"))


def _place(chance: Chance) -> Thing | None:
    return draw_place(chance) if chance.happens(0.3) else None
