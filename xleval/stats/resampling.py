"""What resampling shares: cells as sums over units, bits that anyone can draw again, p-values and intervals.

``bootstrap.py`` resamples training runs and items, ``randomization.py`` swaps the outputs of two strategies. Both
take scores that are ratios of sums, f = Σ a·c / Σ b·c over the counts c of items, and cost one matrix product.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xleval.stats.counts import Ints, checked

Floats = npt.NDArray[np.float64]

#: Differences that are closer than this, relative to the larger of 1 and the observed one, tie. Scores of equal counts
#: can differ in their last bits, by some 1e-16.
TIE = 1e-12
#: Sums of integers below these are exact in 32 and 64 bits.
EXACT_32, EXACT_64 = 2**24, 2**53


@dataclass(frozen=True)
class ResamplingCell:
    """Sums of one strategy on one language: S training runs on the same items, in m independent units.

    A score of units drawn with weights w is Σ_u w_u · above[s, u] / Σ_u w_u · below[s, u]; 0 where it is 0 / 0.
    """

    above: Floats
    """(S, m), each unit's part of the numerator: Σ over its items of a · counts."""
    below: Floats
    """(S, m), each unit's part of the denominator."""
    runs: tuple[Hashable, ...]
    """The S training runs. A run that made other cells too is drawn for all of them at once."""
    units: Ints
    """(m,), numbers of the units within the stratum, ascending: the same number is the same unit."""
    stratum: Hashable
    """Whose items these are. Cells of one stratum share units: one language, or all of a parallel test set."""

    def scores(self) -> Floats:
        """(S,), the score of each run on the items as they are."""
        return ratio(self.above.sum(axis=1), self.below.sum(axis=1))


def resampling_cell(
    counts: npt.ArrayLike,
    above: npt.ArrayLike,
    below: npt.ArrayLike,
    *,
    runs: Sequence[Hashable],
    units: npt.ArrayLike,
    stratum: Hashable,
) -> ResamplingCell:
    """A cell from counts of shape (S, n, q), non-negative integers that add up over items.

    ``above`` and ``below`` (q,) are the weights a and b of the score (a · Σ counts) / (b · Σ counts). ``units`` (n,)
    says which unit each item belongs to: itself, its paragraph or its document, as integers.

    Raises:
        ValueError: shapes that do not fit, no runs, a negative count or one that is no integer, weights that are not
            finite, a run that is given twice, fewer than two units (one unit says nothing about others).
    """
    counts, numbers, position = checked(counts, runs, units)
    parts = []
    for name, weights in (("above", np.asarray(above, dtype=float)), ("below", np.asarray(below, dtype=float))):
        if weights.shape != counts.shape[2:] or not np.isfinite(weights).all():
            raise ValueError(f"{name}: {counts.shape[2]} finite weights are needed, one a count, not {weights}")
        parts.append(np.array([np.bincount(position, run @ weights, len(numbers)) for run in counts]))
    return ResamplingCell(parts[0], parts[1], tuple(runs), numbers, stratum)


def ratio(above: Floats, below: Floats) -> Floats:
    """above / below; 0 where it is 0 / 0, as in ``Metric.finalize``."""
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=np.asarray(below) != 0)


def exact_type(parts: Floats) -> type[np.float32] | type[np.float64]:
    """The smallest type in which m units drawn from the columns of ``parts`` (…, m) have sums without rounding.

    float64 where none has: weights that are no integers, or sums of 2**53 and more.
    """
    bound = float(np.abs(parts).max(initial=0.0)) * parts.shape[-1]
    return np.float32 if bound < EXACT_32 and (parts == np.rint(parts)).all() else np.float64


def seed_of(task: str, version: str, items: Iterable[str]) -> int:
    """A seed that everyone who has the same data finds: 64 bits of SHA-256 over task, version and ids of items.

    The order of the ids does not matter, nor how often one is named (languages can share ids). A digest of the ids
    of each language will do in their place.
    """
    text = json.dumps([task, version, sorted(set(items))])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def bits_of(seed: int, *purpose: Hashable) -> np.random.PCG64:
    """Random bits for one purpose, named by parts whose ``repr`` says them in full.

    Each purpose has bits of its own, so that what is drawn for it does not depend on what else is drawn, nor in which
    order. Raw bits of PCG64 are the same in all versions of numpy, which methods of its ``Generator`` need not be
    (NEP 19).

    Raises:
        ValueError: a seed that is no integer of 0 or more.
    """
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"a seed is an integer of 0 or more, not {seed!r}")
    digest = hashlib.sha256(repr((int(seed), *purpose)).encode()).digest()
    return np.random.PCG64(int.from_bytes(digest, "big"))


def weights(bits: np.random.PCG64, rows: int, size: int) -> Ints:
    """(rows, size): how often each of ``size`` things is among ``size`` drawn with replacement.

    A draw is ⌊u · size / 2**32⌋ of 32 random bits u: no thing's probability is off by more than size / 2**32 of it.
    """
    drawn = bits.random_raw((rows * size + 1) // 2).astype("<u8", copy=False).view("<u4")[: rows * size]
    places = drawn.astype(np.uint64)
    places *= np.uint64(size)
    places >>= np.uint64(32)
    found = places.view(np.int64).reshape(rows, size)
    found += np.arange(rows)[:, None] * size
    return np.bincount(found.ravel(), minlength=rows * size).reshape(rows, size)


def p_value(null: npt.ArrayLike, observed: float) -> float:
    """(1 + #{|δ*| ≥ |δ| − tie}) / (R + 1) for R values δ* of a statistic under the null and the observed δ.

    Two-sided. Counts are integers, so values of the null equal the observed one all the time: those count, and are
    told from smaller ones up to ``TIE``. Where nothing differs p is 1; it is never 0. Source: Davison & Hinkley 1997,
    equation 4.11; Phipson & Smyth 2010.

    Raises:
        ValueError: no values of the null, or not in one dimension.
    """
    values = _resamples(null)
    least = abs(observed) - TIE * max(1.0, abs(observed))
    return (1 + int(np.count_nonzero(np.abs(values) >= least))) / (len(values) + 1)


def _resamples(values: npt.ArrayLike) -> Floats:
    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or not found.size:
        raise ValueError(f"values of resamples have one dimension and are not empty: {found.shape}")
    return found


def interval(
    values: npt.ArrayLike, observed: float, level: float = 0.95, *, basic: bool = False
) -> tuple[float, float]:
    """A bootstrap interval of an estimate ``observed`` from its R resamples.

    Percentile by default: the quantiles α/2 and 1 − α/2 of the resamples, at places (R + 1) · q of the sorted ones.
    ``basic``: those quantiles mirrored in the estimate, 2δ − quantile. Where the resamples do not vary it is the
    estimate alone. Source: Efron & Tibshirani 1993, chapter 13; Davison & Hinkley 1997, section 5.2.

    Raises:
        ValueError: no resamples, or a level that is not between 0 and 1.
    """
    found = _resamples(values)
    check_level(level)
    low, high = (float(q) for q in np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="weibull"))
    return (2 * observed - high, 2 * observed - low) if basic else (low, high)


def check_level(level: float) -> None:
    """Raises a ValueError where ``level`` is not between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, as 0.95; not {level}")
