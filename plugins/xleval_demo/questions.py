"""Questions over two or three sentences, as meanings: a question repeats the words of one sentence but for one part.

Which sentence it is, and which part of it is asked for, both have to be found: the sentences have no verb and no
participant in common, each is asked about equally often, and so is each part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from xleval_demo import concepts
from xleval_demo.meaning import Meaning, Slot, Split, Thing, draw_event, draw_news, draw_place, put
from xleval_demo.splits import disjoint

if TYPE_CHECKING:
    from xleval_demo.chance import Chance

WORDS: dict[Slot, str] = {"subject": "who", "object": "what", "place": "where"}
SLOTS: tuple[Slot, ...] = ("subject", "object", "place")
SENTENCES = (2, 2, 2, 3)
"""How many sentences a context has, in turn."""
PLACED = 0.25
"""Share of contexts whose sentences have places though none is asked for."""


@dataclass(frozen=True)
class Question:
    """Sentences, a question, the slot asked for and the number of the sentence that answers."""

    context: tuple[Meaning, ...]
    question: Meaning
    slot: Slot
    answer: int


@cache
def question_items(split: Split) -> tuple[Question, ...]:
    """The items of a split, the same for every language; no context is in two splits."""
    return disjoint("demo-qa", split, _draw, key=lambda item: item.context)


def answers(clause: Meaning, question: Meaning) -> bool:
    """Whether a clause says what a question asks for: all that the question mentions, it mentions too."""
    for slot, word in WORDS.items():
        asked, said = getattr(question, slot), getattr(clause, slot)
        if asked == Thing(word):
            if said is None:
                return False
        elif asked is not None and said != asked:
            return False
    return clause.verb == question.verb and clause.tense == question.tense and not clause.negated


def _draw(chance: Chance, split: Split, number: int) -> Question:
    slot = SLOTS[number % 3]
    size = SENTENCES[number // 3 % 4]
    answer = number // 12 % size
    draw = draw_event if chance.happens(0.5) else draw_news
    placed = slot == "place" or chance.happens(PLACED)
    while not _apart(clauses := [_clause(chance, draw(chance), placed) for _ in range(size)]):
        pass
    # One tense, so that it does not tell the sentences apart.
    context = tuple(replace(clause, tense=clauses[0].tense) for clause in clauses)
    asked = replace(context[answer], place=None, question=True)
    return Question(context, put(asked, slot, Thing(WORDS[slot])), slot, answer)


def _clause(chance: Chance, drawn: Meaning, placed: bool) -> Meaning:
    place = drawn.place or draw_place(chance)
    return replace(drawn, place=place if placed else None, negated=False)


def _apart(clauses: list[Meaning]) -> bool:
    """Whether no two verbs, and no two participants, could be taken for each other."""
    verbs = [clause.verb for clause in clauses]
    things = [thing for clause in clauses for thing in (clause.subject, clause.object, clause.place) if thing]
    words = [word for thing in things for word in (thing.name.parts if thing.name else (thing.concept,))]
    # A class would be answered by its members: who sees a dog sees an animal.
    if len({*words}) < len(words) or not {*words}.isdisjoint(concepts.MEMBERS):
        return False
    return len({min(verb, concepts.SYNONYM.get(verb, verb)) for verb in verbs}) == len(verbs)
