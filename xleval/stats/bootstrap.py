"""The paired multi-bootstrap: scores of strategies over new training runs and new items, by resampling both.

The cross-check of the default test (``contrast.py``), and what ranks of strategies come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xleval.stats.counts import Ints, by_stratum, spread
from xleval.stats.resampling import (
    TIE,
    Floats,
    ResamplingCell,
    bits_of,
    check_level,
    exact_type,
    interval,
    p_value,
    ratio,
    weights,
)

Counts = npt.NDArray[np.int16]

#: Numbers of a matrix that are held at once, and weights that are drawn at once: these fit a cache.
HELD, DRAWN = 2**23, 2**17


@dataclass(frozen=True)
class Estimate:
    """A score or a difference of scores with its bootstrap distribution."""

    estimate: float
    values: Floats
    """(R,), the same of each resample."""

    @property
    def se(self) -> float:
        """Standard deviation of the resamples."""
        return float(self.values.std(ddof=1))

    @property
    def p(self) -> float:
        """Two-sided, that it is 0: (1 + #{|δ* − δ| ≥ |δ| − tie}) / (R + 1). 1 where nothing differs."""
        return p_value(self.values - self.estimate, self.estimate)

    def interval(self, level: float = 0.95, *, basic: bool = False) -> tuple[float, float]:
        """Percentile interval, or the basic one."""
        return interval(self.values, self.estimate, level, basic=basic)


@dataclass(frozen=True)
class Resampled:
    """Scores of K strategies on L languages in R resamples."""

    scores: Floats
    """(R, K, L). The R values of one strategy on one language lie side by side in memory."""
    observed: Floats
    """(K, L), the scores: means over the runs as they are."""

    @property
    def macro(self) -> Floats:
        """(R, K), each strategy's average over the languages."""
        return np.asarray(self.scores.mean(axis=2))

    def score(self, strategy: int, language: int | None = None) -> Estimate:
        """Of one strategy on one language; without a language, its average over all of them."""
        if language is None:
            return Estimate(float(self.observed[strategy].mean()), self.scores[:, strategy].mean(axis=1))
        return Estimate(float(self.observed[strategy, language]), self.scores[:, strategy, language])

    def difference(self, first: int, second: int, language: int | None = None) -> Estimate:
        """Score of the first strategy minus that of the second, paired."""
        a, b = self.score(first, language), self.score(second, language)
        return Estimate(a.estimate - b.estimate, a.values - b.values)


def bootstrap(cells: Sequence[Sequence[ResamplingCell]], *, seed: int, resamples: int = 10_000) -> Resampled:
    """Scores in ``resamples`` resamples of training runs and units; ``cells[k][l]`` is strategy k on language l.

    In a resample the m units of each stratum are drawn with replacement, m of them, and independently of that the
    training runs. A run's score is computed on the units drawn, and a strategy's is the mean over the runs drawn.

    What is the same moves together. Strategies on a language share its units, so that their differences are paired;
    languages of a parallel test set share them by number, also where some lack a few. A run has one weight wherever it
    serves: on all languages that it was scored on, and in two strategies that differ at inference only. Runs that made
    the same cells are replicates, and k of them are drawn from k.

    Where units are paragraphs or documents, whole ones are drawn (cluster bootstrap), and the number of items varies.

    Strata that have the same number of units get the same weights, in an order of the resamples that is drawn for each:
    within a resample their weights are independent, but for a chance of 1 / R to be equal, and drawing them, the most
    of the work, is done once. What is drawn for a stratum or a run depends on ``seed``, its name and its size alone.
    So strategies and languages can be permuted, left out or added without a change to what is found for the others, as
    long as the replicates and the units of a stratum stay the same.

    Units and runs are taken as independent. The interval over runs is too narrow for a few of them: the variance of
    a mean of S runs comes out (S − 1) / S times too small. Where runs vary and items hardly do, a nominal 95 % interval
    of a difference misses the truth 20 to 26 % of the time with S = 3, 12 to 19 % with S = 5; the default test
    (``contrast.py``) does not have this fault.

    Source: Sellam et al. 2022 (The MultiBERTs, section 3 and appendix); Efron & Tibshirani 1993, chapters 8 and 13;
    Davison & Hinkley 1997, section 3.8 (clusters).

    Raises:
        ValueError: no cells, strategies on other numbers of languages, on other units or another stratum of the same
            language; a cell with one run, or a run without replicates: nothing can be said about new runs; resamples
            fewer than one; a seed that is no integer of 0 or more.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: at least 1 is needed")
    if not cells or not cells[0] or len({len(row) for row in cells}) > 1:
        raise ValueError(f"strategies have cells on {[len(row) for row in cells]} languages; one or more, as many each")
    for language, (first, *others) in enumerate(zip(*cells, strict=True)):
        for other in others:
            if other.stratum != first.stratum or not np.array_equal(other.units, first.units):
                raise ValueError(f"language {language}: strategies have other units, and cannot be compared on them")
    every = [cell for row in cells for cell in row]
    runs = _run_weights(every, seed, resamples)
    numbers = by_stratum(every)
    found = np.empty((len(every), resamples))
    for size in sorted({len(units) for units in numbers.values()}):
        _fill(found, every, _columns(every, numbers, size), runs, seed)
    shape = (len(cells), len(cells[0]))
    observed = np.array([cell.scores()[_order(cell)].mean() for cell in every]).reshape(shape)
    return Resampled(found.reshape(*shape, resamples).transpose(2, 0, 1), observed)


def _order(cell: ResamplingCell) -> list[int]:
    """Rows of its runs in an order that does not depend on the one they are given in: sums are equal to the bit."""
    return sorted(range(len(cell.runs)), key=lambda row: repr(cell.runs[row]))


def _run_weights(cells: Sequence[ResamplingCell], seed: int, resamples: int) -> dict[Hashable, Counts]:
    """Run → (R,), how often it is drawn. Replicates, the runs that made the same cells, are drawn from each other."""
    made: dict[Hashable, list[int]] = {}
    for number, cell in enumerate(cells):
        if len(cell.runs) < 2:
            raise ValueError("one training run: nothing can be said about new ones")
        for run in cell.runs:
            made.setdefault(run, []).append(number)
    replicates: dict[tuple[int, ...], list[Hashable]] = {}
    for run in sorted(made, key=repr):
        replicates.setdefault(tuple(made[run]), []).append(run)
    found: dict[Hashable, Counts] = {}
    for members in replicates.values():
        if len(members) < 2:
            raise ValueError(f"training run {members[0]!r} made other cells than all others: it has no replicate")
        drawn = weights(bits_of(seed, "runs", *members), resamples, len(members))
        found |= zip(members, drawn.T.astype(np.int16), strict=True)
    return found


@dataclass(frozen=True)
class _Columns:
    """Numerators and denominators of all cells whose strata have the same number of units, each of them once.

    Most denominators are the same in all cells. And what is equal is computed once, so that scores of identical
    strategies are equal also where sums are rounded.
    """

    parts: Floats
    """(c, m)."""
    places: list[tuple[int, list[int], list[int]]]
    """Of each cell: its number, rows of ``parts`` with the numerators and with the denominators of its S runs."""


def _columns(cells: Sequence[ResamplingCell], numbers: Mapping[Hashable, Ints], size: int) -> _Columns:
    known: dict[bytes, int] = {}
    parts: list[Floats] = []

    def place(row: Floats) -> int:
        key = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        if key not in known:
            known[key] = len(parts)
            parts.append(row)
        return known[key]

    places = []
    for number, cell in enumerate(cells):
        if len(units := numbers[cell.stratum]) == size:
            above, below = (spread(half, cell.units, units) for half in (cell.above, cell.below))
            rows = _order(cell)
            places.append((number, [place(above[row]) for row in rows], [place(below[row]) for row in rows]))
    return _Columns(np.array(parts), places)


def _fill(
    found: Floats,
    cells: Sequence[ResamplingCell],
    columns: _Columns,
    runs: Mapping[Hashable, Counts],
    seed: int,
) -> None:
    """``found`` (cells, R): scores of the cells of ``columns`` in each resample."""
    size, resamples = columns.parts.shape[1], found.shape[1]
    parts = columns.parts.astype(exact_type(columns.parts))
    strata = {cells[number].stratum for number, _, _ in columns.places}
    orders = {s: np.argsort(bits_of(seed, "order", s).random_raw(resamples), kind="stable") for s in strata}
    bits = bits_of(seed, "units", size)
    block = max(1, DRAWN // size)
    held = block * max(1, HELD // (block * max(len(parts), size)))
    for start in range(0, resamples, held):
        stop = min(start + held, resamples)
        drawn = np.empty((stop - start, size), dtype=parts.dtype)
        for row in range(0, stop - start, block):
            part = drawn[row : row + block]
            part[:] = weights(bits, len(part), size)
        sums = (parts @ drawn.T).astype(float, copy=False)
        for number, above, below in columns.places:
            cell = cells[number]
            where = orders[cell.stratum][start:stop]
            total = np.zeros(stop - start)
            for run, a, b in zip((cell.runs[row] for row in _order(cell)), above, below, strict=True):
                total += ratio(sums[a], sums[b]) * runs[run][where]
            found[number, where] = total / len(cell.runs)


def rank_intervals(scores: npt.ArrayLike, level: float = 0.95) -> Ints:
    """(K, 2), the lowest and the highest rank of each strategy, 1 the best, from scores (R, K) of resamples.

    In a resample a strategy has rank 1 + #{better} at best and #{as good or better} at worst, which differ where it
    ties: two identical strategies have the ranks 1 to 2. The interval reaches from the quantile (1 − level) / 2 of
    the best rank to the quantile (1 + level) / 2 of the worst.

    It is a strategy's own, not simultaneous over strategies. Where true scores are equal or nearly so, ranks of
    resamples do not vary as ranks of new data do; it is a description of how settled an order is, and no test.
    Source: Hall & Miller 2009 (Annals of Statistics 37, 3929–3959).

    Raises:
        ValueError: scores that are not of shape (R, K), or empty; a level that is not between 0 and 1.
    """
    found = np.asarray(scores, dtype=float)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"scores have the shape (resamples, strategies), and are not empty: {found.shape}")
    check_level(level)
    ranks = np.empty((found.shape[1], 2), dtype=np.int64)
    for strategy, own in enumerate(found.T):
        best = 1 + (found > own[:, None] + TIE).sum(axis=1)
        worst = (found >= own[:, None] - TIE).sum(axis=1)
        for end, values, q in ((0, best, (1 - level) / 2), (1, worst, (1 + level) / 2)):
            ranks[strategy, end] = np.quantile(values, q, method="inverted_cdf")
    return ranks
