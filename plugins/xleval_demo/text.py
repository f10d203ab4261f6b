"""Unlabelled text: short paragraphs in which one sentence leads to the next, as in any real text.

A paragraph opens with a clause; what follows restates it ("so"), opposes it ("but"), adds to it ("also"),
gives its cause ("because"), or answers a question. The connective is sometimes left out. It is by these
connectives that a masked language model of the text comes to know antonyms, kinds and causes.
"""

from __future__ import annotations

from dataclasses import replace

from xleval_demo import concepts
from xleval_demo.chance import Chance
from xleval_demo.entailment import follow
from xleval_demo.grammar import sentence
from xleval_demo.languages import made_language
from xleval_demo.meaning import Meaning, Thing, draw_event, draw_name, draw_news, draw_noun, draw_tense

OPENINGS = {"entailment": "so", "neutral": "also", "contradiction": "but"}
CONNECTED = 0.85
"""Share of following clauses that open with their connective."""


def draw_paragraph(chance: Chance) -> tuple[Meaning, Meaning]:
    """Two clauses that belong together; the second opens with the connective that fits, where one does."""
    kind = chance.unit()
    if kind < 0.7:
        return _argument(chance)
    if kind < 0.8:
        return _cause(chance)
    if kind < 0.88:
        return _question(chance)
    first = draw_news(chance)
    second = draw_news(chance)
    return first, replace(second, subject=first.subject)


def unlabelled(code: str) -> list[str]:
    """The text of a language, one paragraph a line; how much there is of it is a knob of the language."""
    lines = []
    for i in range(made_language(code).lines):
        chance = Chance("text", code, i)
        first, second = draw_paragraph(chance)
        if not chance.happens(CONNECTED):
            second = replace(second, opening=None)
        lines.append(f"{sentence(first, code)} {sentence(second, code)}")
    return lines


def _argument(chance: Chance) -> tuple[Meaning, Meaning]:
    label = chance.pick(tuple(OPENINGS))
    while True:
        first = draw_event(chance)
        second = follow(chance, first, label)
        if second is not None:
            return first, replace(second, opening=OPENINGS[label])


def _cause(chance: Chance) -> tuple[Meaning, Meaning]:
    cause, effect = chance.pick(concepts.CAUSES)
    named = chance.happens(0.3)
    who = Thing(name=draw_name(chance, "PER")) if named else draw_noun(chance, ("person", "animal"))
    tense = draw_tense(chance)
    before = Meaning(cause, who, tense=tense)
    after = Meaning(effect, replace(who, adjective=None), tense=tense)
    if chance.happens(0.5):
        return before, replace(after, opening="so")
    return after, replace(before, opening="because")


def _question(chance: Chance) -> tuple[Meaning, Meaning]:
    answer = draw_event(chance) if chance.happens(0.5) else draw_news(chance)
    answer = replace(answer, negated=False)
    asked = [replace(answer, subject=Thing("who")), replace(answer, object=Thing("what"))]
    if answer.place:
        asked.append(replace(answer, place=Thing("where")))
    return replace(chance.pick(asked), question=True), answer
