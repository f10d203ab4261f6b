"""Sentences for named entities, as meanings: people, places and organisations in the news."""

from __future__ import annotations

from functools import cache

from xleval_demo.chance import Chance
from xleval_demo.meaning import Meaning, Split, draw_news

SIZES: dict[Split, int] = {"train": 2000, "dev": 300, "test": 360}
TRAIN_SHARE = 0.6
"""Share of each list of names that the training and dev sentences draw on; the test draws on all."""


@cache
def ner_items(split: Split) -> tuple[Meaning, ...]:
    """The sentences of a split, the same for every language; none is in two splits."""
    earlier: set[Meaning] = set()
    for other in ("train", "dev", "test"):
        if other == split:
            break
        earlier.update(ner_items(other))
    chance = Chance("demo-ner", split)
    items: list[Meaning] = []
    while len(items) < SIZES[split]:
        meaning = draw_news(chance, share=1.0 if split == "test" else TRAIN_SHARE)
        if meaning not in earlier:
            earlier.add(meaning)
            items.append(meaning)
    return tuple(items)
