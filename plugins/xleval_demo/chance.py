"""Reproducible chance: draws that depend on a key and on nothing else.

Only `random.Random(int).random()` is used, whose sequence Python promises to keep; `choice`, `shuffle` and
`sample` have changed between versions, and `hash()` of a string changes between processes.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def number(*key: object) -> int:
    """A 64-bit integer that depends on the printed parts of `key` alone."""
    text = "\x1f".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Chance:
    """A stream of draws named by a key: `Chance("nli", "test", 7)` gives the same stream everywhere."""

    def __init__(self, *key: object) -> None:
        self._random = random.Random(number(*key)).random

    def unit(self) -> float:
        """A float in [0, 1)."""
        return self._random()

    def happens(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random() < probability

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return int(self._random() * n)

    def pick(self, options: Sequence[T]) -> T:
        """One element of a non-empty sequence."""
        return options[int(self._random() * len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A permuted copy (Fisher-Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = int(self._random() * (i + 1))
            out[i], out[j] = out[j], out[i]
        return out
