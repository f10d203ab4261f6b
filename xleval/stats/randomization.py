"""Approximate randomization: do two strategies differ on new items, with these training runs?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from xleval.stats.counts import Ints, by_stratum, spread
from xleval.stats.resampling import (
    Floats,
    ResamplingCell,
    bits_of,
    exact_type,
    p_value,
    ratio,
)

#: Swaps that are held at once.
HELD = 2**22


@dataclass(frozen=True)
class Randomized:
    """Differences of two strategies on L languages, and what R random swaps make of them."""

    null: Floats
    """(R, L), differences after swapping. The R values of one language lie side by side in memory."""
    observed: Floats
    """(L,), mean score of the first strategy minus that of the second."""

    def p(self, language: int | None = None) -> float:
        """Two-sided: (1 + #{|δ*| ≥ |δ| − tie}) / (R + 1). Without a language, of the average over all of them."""
        if language is None:
            return p_value(self.null.mean(axis=1), float(self.observed.mean()))
        return p_value(self.null[:, language], float(self.observed[language]))


def randomization(
    first: Sequence[ResamplingCell], second: Sequence[ResamplingCell], *, seed: int, resamples: int = 10_000
) -> Randomized:
    """Differences of two strategies, a cell of each on every language, after random swaps of their outputs.

    Each unit is swapped with probability ½: all S outputs of an item, or of all items of a paragraph or document, go
    to the other strategy together, those of its s-th run to the other's s-th. The statistic is the difference of
    mean scores over runs. Languages of a parallel test set are swapped together, by number of the unit.

    It tests new examples for these training runs only, and says nothing about new ones: with one run each that two
    checkpoints differ, with several that two sets of checkpoints do. Null hypothesis: outputs for a unit could as
    well be the other strategy's. With few units the p-value is that of all 2**m swaps, up to chance.

    Source: Noreen 1989, chapter 2; Yeh 2000 (COLING, section 3).

    Raises:
        ValueError: no languages, or not as many of both; other numbers of runs, other units or another stratum;
            resamples fewer than one; a seed that is no integer of 0 or more.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: at least 1 is needed")
    if not first or len(first) != len(second):
        raise ValueError(f"cells on {len(first)} and {len(second)} languages; one or more are needed, as many of both")
    for language, (a, b) in enumerate(zip(first, second, strict=True)):
        if len(a.runs) != len(b.runs):
            raise ValueError(
                f"language {language}: {len(a.runs)} and {len(b.runs)} training runs; outputs can only be swapped "
                "where there are as many of both"
            )
        if a.stratum != b.stratum or not np.array_equal(a.units, b.units):
            raise ValueError(f"language {language}: strategies have other units, and cannot be compared on them")
    null = np.empty((len(first), resamples))
    for stratum, numbers in by_stratum(first).items():
        _fill(null, first, second, stratum, numbers, seed)
    observed = np.array([a.scores().mean() - b.scores().mean() for a, b in zip(first, second, strict=True)])
    return Randomized(null.T, observed)


def _fill(
    null: Floats,
    first: Sequence[ResamplingCell],
    second: Sequence[ResamplingCell],
    stratum: Hashable,
    numbers: Ints,
    seed: int,
) -> None:
    """Rows of ``null`` (L, R): differences on the languages of a stratum."""
    languages = [language for language, cell in enumerate(first) if cell.stratum == stratum]
    # Sums after swapping are those before, plus or minus the swapped units' differences: one product does for both.
    moved = np.array(
        [
            [spread(b.above - a.above, a.units, numbers), spread(b.below - a.below, a.units, numbers)]
            for a, b in ((first[language], second[language]) for language in languages)
        ]
    )
    wide, (_, halves, runs, size) = moved.astype(exact_type(moved)).reshape(-1, len(numbers)), moved.shape
    bits = bits_of(seed, "swaps", stratum)
    resamples = null.shape[1]
    held = max(1, HELD // size)
    for start in range(0, resamples, held):
        stop = min(start + held, resamples)
        swapped = swaps(bits, stop - start, size).astype(wide.dtype)
        sums = (wide @ swapped.T).astype(float, copy=False).reshape(len(languages), halves, runs, -1)
        for language, (above, below) in zip(languages, sums, strict=True):
            a, b = first[language], second[language]
            before = [total[:, None] for cell in (a, b) for total in (cell.above.sum(axis=1), cell.below.sum(axis=1))]
            scores_a = ratio(before[0] + above, before[1] + below).mean(axis=0)
            scores_b = ratio(before[2] - above, before[3] - below).mean(axis=0)
            null[language, start:stop] = scores_a - scores_b


def swaps(bits: np.random.PCG64, rows: int, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """(rows, size) of 0 and 1, each with probability ½ and independent."""
    words = -(-size // 64)
    drawn = bits.random_raw(rows * words).astype("<u8", copy=False).view(np.uint8).reshape(rows, 8 * words)
    return np.unpackbits(drawn, axis=1, count=size, bitorder="little")
