"""Items of the three splits, drawn one after the other so that none is in two."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, get_args

from xleval_demo.chance import Chance
from xleval_demo.meaning import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

SIZES: dict[Split, int] = {"train": 2400, "dev": 300, "test": 360}


def disjoint(
    dataset: str, split: Split, draw: Callable[[Chance, Split, int], T], key: Callable[[T], Hashable]
) -> tuple[T, ...]:
    """The items of a split. `draw` gets the item's number, by which it may balance; no two items share a `key`."""
    taken: set[Hashable] = set()
    items: list[T] = []
    for known in get_args(Split):
        chance = Chance(dataset, known)
        items = []
        for number in chance.shuffled(range(SIZES[known])):
            while key(item := draw(chance, known, number)) in taken:
                pass
            taken.add(key(item))
            items.append(item)
        if known == split:
            break
    return tuple(items)
