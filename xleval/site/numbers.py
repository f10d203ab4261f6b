"""Scores as integers, a millionth each, and how they are printed: as ``leaderboard/script/00-core.js`` does it.

A mean is kept as (sum, n) and is exact until it is printed, so that page and script agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from xleval.site.inference import UNIT

#: In place of a score that is missing.
DASH = "–"
MINUS = "−"


class Mean(NamedTuple):
    """``sum / n`` millionths."""

    sum: int
    n: int

    @property
    def value(self) -> float:
        """In millionths."""
        return self.sum / self.n


def mean(scores: Iterable[int]) -> Mean | None:
    """Of scores in millionths; those below 0 are missing."""
    known = [score for score in scores if score >= 0]
    return Mean(sum(known), len(known)) if known else None


def millionths(score: float) -> int:
    """A proportion as the pages have it."""
    return round(score * UNIT)


def rounded(total: int, n: int, step: int) -> int:
    """``total / n`` in units of ``step`` millionths, half up."""
    return (2 * total + step * n) // (2 * step * n)


def points(total: int, n: int = 1) -> str:
    """In points, to one digit: ``74.2``."""
    tenths = rounded(total, n, 1000)
    return f"{MINUS * (tenths < 0)}{abs(tenths) // 10}.{abs(tenths) % 10}"


def signed(value: int) -> str:
    """A difference in points, to one digit; 0 has no sign, and it reads the same from both sides."""
    text = points(abs(value))
    return text if text == "0.0" else f"{MINUS if value < 0 else '+'}{text}"


def interval(found: Mean, half: int) -> str:
    """``[72.4, 76.0]``."""
    return f"[{points(found.sum - half * found.n, found.n)}, {points(found.sum + half * found.n, found.n)}]"
