"""What the encoder is pretrained on: paragraphs of the seen languages, some of which change language.

This text is drawn apart from the languages' unlabelled text. Languages are weighted by how much of that they
have. Besides paragraphs in one language there are some in which the second sentence is in another seen
language: a continuation, or the translation of the first. That is how the seen languages get a common space;
the unseen ones have only their cognates and borrowed names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xleval_demo.chance import Chance
from xleval_demo.concepts import CONNECTIVES
from xleval_demo.grammar import sentence
from xleval_demo.languages import LANGUAGES, SOURCE
from xleval_demo.meaning import draw_event, draw_news
from xleval_demo.text import CONNECTED, draw_paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 1
RELATIONS = (*CONNECTIVES, "none")
"""What may stand between two sentences: the classes of the sentence-pair objective."""
UNKNOWN = -100


@dataclass(frozen=True)
class Mixture:
    """Shares of what the text is made of; the defaults made the shipped encoder."""

    mixed: float = 0.1
    """Paragraphs whose second sentence continues in another seen language."""
    translated: float = 0.05
    """Paragraphs that are a sentence and its translation."""
    removed: float = 0.7
    """Sentence pairs about which the model is asked which connective was taken out."""
    everywhere: bool = False
    """Ask so in every language, not only where a sentence is in the source language."""


@dataclass(frozen=True)
class Batch:
    """One step's rows: `second` is None for running text; `relation` indexes RELATIONS, or is UNKNOWN."""

    first: list[str]
    second: list[str] | None
    relation: list[int]


@dataclass(frozen=True)
class _Pair:
    first: str
    second: str
    bare: str
    """The second sentence without its connective."""
    relation: int


def paragraphs(start: int, count: int, mixture: Mixture) -> list[_Pair]:
    """The pretraining paragraphs number start ... start + count - 1."""
    return [_paragraph(index, mixture) for index in range(start, start + count)]


def _paragraph(index: int, mixture: Mixture) -> _Pair:
    chance = Chance("pretrain", SEED, index)
    weighted = [language.code for language in LANGUAGES if language.seen for _ in range(language.lines // 500)]
    code = other = chance.pick(weighted)
    kind = chance.unit()
    if kind < mixture.mixed + mixture.translated:
        while other == code:
            other = chance.pick(weighted)
    if mixture.mixed <= kind < mixture.mixed + mixture.translated:
        first = second = draw_event(chance) if chance.happens(0.7) else draw_news(chance)
    else:
        first, second = draw_paragraph(chance)
    asked = mixture.everywhere or SOURCE in (code, other)
    relation = RELATIONS.index(second.opening or "none") if asked else UNKNOWN
    bare = sentence(replace(second, opening=None), other)
    full = sentence(second, other) if chance.happens(CONNECTED) else bare
    return _Pair(sentence(first, code), full, bare, relation)


def batches(steps: int, size: int, mixture: Mixture) -> Iterator[Batch]:
    """Batches of `size` paragraphs: six in eight as sentence pairs, one as running text, one two in a row.

    Eight batches are drawn at a time and dealt out by length, which saves a fifth of the padding.
    """
    for block in range(0, steps, 8):
        pairs = paragraphs(block * size, 8 * size, mixture)
        pairs.sort(key=lambda pair: len(pair.first) + len(pair.second))
        chance = Chance("pretrain", "order", SEED, block)
        for step, place in enumerate(chance.shuffled(range(8))[: steps - block]):
            rows = pairs[place * size : (place + 1) * size]
            if step == 1:
                yield Batch([f"{row.first} {row.second}" for row in rows], None, [UNKNOWN] * size)
            elif step == 5:
                texts = [f"{row.first} {row.second}" for row in rows]
                joined = [" ".join(texts[i : i + 2]) for i in range(0, size, 2)]
                yield Batch(joined, None, [UNKNOWN] * len(joined))
            else:
                asked = [row.relation != UNKNOWN and chance.happens(mixture.removed) for row in rows]
                yield Batch(
                    [row.first for row in rows],
                    [row.bare if ask else row.second for row, ask in zip(rows, asked, strict=True)],
                    [row.relation if ask else UNKNOWN for row, ask in zip(rows, asked, strict=True)],
                )
