"""The default test: a weighted sum of scores, over new training runs and new items at the same time.

Every question of a comparison is one *contrast* Σ_c w_c · score_c of cells, a cell being a strategy on a language:
the difference on a language has the weights 1 and −1, the difference of averages over L languages 1/L and −1/L, the
score of one strategy the weight 1. Training runs and items are two crossed random factors, as readers and cases are
in studies of diagnostic images, where the problem was solved first (Obuchowski & Rockette 1995; Gallas et al. 2009;
Hillis 2007 for the degrees of freedom). ``docs/statistics.md`` has the derivation and the simulated error rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xleval.stats.counts import by_stratum, checked, spread

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The variance is at least this share of the items' part. Where runs do not differ, Vs + Ve − Vr is unbiased but, with
#: few runs, often far too small; the whole of Ve would be safe but too large, and reject half as often as it should.
FLOOR = 0.5
#: The share of the residual that is no sign of a difference between runs, in the degrees of freedom: for one group of
#: runs, and for several.
NOISE = (0.15, 0.3)
#: Variances below this share of the squared scores are rounding errors of sums that cancel, taken as 0. One item in ten
#: million moves a score by more.
ROUNDING = 1e-24
#: How much the groups of runs that vary most count in the degrees of freedom: 2 is Satterthwaite's weight, ∞ has the
#: largest alone.
WEIGHT = 2.5


@dataclass(frozen=True)
class Cell:
    """Scores of one strategy on one language: S training runs on the same n items, in m independent units."""

    scores: Floats
    """(S,), the score of each run."""
    influence: Floats
    """(S, m), what each unit adds to a run's score to first order: Σ over its items of ψ_i / n. Rows add up to 0."""
    runs: tuple[Hashable, ...]
    """The S training runs. A run that made other cells too moves them together."""
    units: Ints
    """(m,), numbers of the units within the stratum: the same number is the same unit."""
    stratum: Hashable
    """Whose items these are. Cells of one stratum share units: one language, or all of a parallel test set."""

    def only(self, rows: Sequence[int]) -> Cell:
        """The same with some of its runs, by position."""
        if list(rows) == list(range(len(self.runs))):
            return self
        picked = list(rows)
        return replace(
            self,
            scores=self.scores[picked],
            influence=self.influence[picked],
            runs=tuple(self.runs[row] for row in picked),
        )


def cell(
    counts: Ints,
    finalize: Callable[[Floats], Floats],
    gradient: Callable[[Floats], Floats],
    *,
    runs: Sequence[Hashable],
    units: npt.ArrayLike,
    stratum: Hashable,
) -> Cell:
    """A cell from counts of shape (S, n, q), non-negative integers that add up over items.

    ``finalize`` and ``gradient`` are the metric's, on sums of counts of length q (``xleval.scoring.metrics``).
    ``units`` (n,) says which unit each item belongs to: itself, its paragraph or its document, as integers.

    Raises:
        ValueError: shapes that do not fit, a negative count, a run that is given twice, fewer than two units (one
            unit says nothing about others).
    """
    counts, numbers, position = checked(counts, runs, units)
    sums = counts.sum(axis=1, dtype=float)
    alone = len(numbers) == counts.shape[1]
    influence = np.empty((len(counts), len(numbers)))
    for run, total in enumerate(sums):
        psi = counts[run] @ gradient(total)
        psi -= psi.mean()
        influence[run] = psi[np.argsort(position)] if alone else np.bincount(position, psi, len(numbers))
    return Cell(np.asarray([finalize(total) for total in sums]), influence, tuple(runs), numbers, stratum)


class Contrast(NamedTuple):
    """An estimate with its uncertainty over new runs and new items."""

    estimate: float
    variance: float
    """V = max(Vs + Ve − Vr, Vs, 0.5 Ve)."""
    df: float
    runs: float
    """Vs, of the mean over training runs, noise of the items included."""
    items: float
    """Ve, of the mean over items, noise of the runs included."""
    residual: float
    """Vr, the noise that both include."""

    @property
    def se(self) -> float:
        """√V."""
        return math.sqrt(self.variance)

    @property
    def p(self) -> float:
        """Two-sided, that the contrast is 0. 1 where nothing differs; 0 where something does and nothing varies."""
        return min(2 * min(self.p_greater, self.p_less), 1.0)

    @property
    def p_greater(self) -> float:
        """One-sided: small where the contrast is above 0."""
        return self._tail(-self.estimate)

    @property
    def p_less(self) -> float:
        """One-sided: small where the contrast is below 0."""
        return self._tail(self.estimate)

    def _tail(self, value: float) -> float:
        from scipy.special import stdtr

        if self.variance == 0:
            return 1.0 if value >= 0 else 0.0
        return float(stdtr(self.df, value / self.se))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """estimate ± t(df) · √V."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.df, (1 + level) / 2)) * self.se if self.variance else 0.0
        return self.estimate - half, self.estimate + half


def contrast(cells: Sequence[Cell], weights: Sequence[float]) -> Contrast:
    """Σ_c w_c · (mean over runs of score_c), its variance over new runs and new items, and the df of a t interval.

    A run's part is t_r = Σ_c w_c s_cr / S_c over the cells that it made. Runs that made the same cells are
    replicates: k of them add k · Var(t_r) to Vs and their k − 1 to its df. So one run that serves all languages
    moves their average, runs of one language each average out, and where two strategies share their runs the
    differences are paired. Likewise a unit's part is e_u = Σ_c w_c · mean over runs of its influence; the m units of
    a stratum add m · Var(e_u) to Ve. Both include the interaction of runs and units, Vr, which is estimated from
    the residuals of a unit's part in each run, and taken out once:

        V = max(Vs + Ve − Vr, Vs, 0.5 Ve)
        1/df = (Σ_g N_g^2.5 / (k_g − 1)) / (Σ_g N_g^1.5) / V + min(Ve / V, 1)² / df_e

    with N_g = max(Vs_g − c Vr_g, 0) over groups of replicates, c = 0.3, or 0.15 for a single group. Satterthwaite
    (1946) has (N_g / V)² / (k_g − 1), summed. That is too hopeful where a part of V that is known well, of items or
    of many small groups, stands beside one that is estimated from three runs: the runs happen to agree, and both V
    and the doubt about it are underestimated. Here the first term is the doubt about the group that varies most,
    once. The constants 0.5, 0.3, 0.15 and 2.5 were set by simulation over all ratios of the components.

    Assumes scores that are about normal over runs, many items (influence values are a first-order expansion),
    independent units.

    Raises:
        ValueError: no cells, or not a weight for each; a cell with one run, or a run without replicates: nothing can
            be said about new runs.
    """
    if not cells or len(cells) != len(weights):
        raise ValueError(f"{len(cells)} cells, {len(weights)} weights")
    estimate = float(sum(w * c.scores.mean() for c, w in zip(cells, weights, strict=True)))
    units = by_stratum(cells)
    total = {stratum: np.zeros(len(numbers)) for stratum, numbers in units.items()}
    between, within, lone = [], [], []
    for members in _replicates(cells):
        k = len(members[0][1])
        scores = np.zeros(k)
        parts: dict[Hashable, Floats] = {}
        for number, rows in members:
            c, w = cells[number], weights[number] / len(cells[number].runs)
            picked = slice(None) if rows == list(range(len(c.runs))) else rows
            scores += w * c.scores[picked]
            part = parts.setdefault(c.stratum, np.zeros((k, len(units[c.stratum]))))
            part += w * spread(c.influence[picked], c.units, units[c.stratum])
        between.append(k * float(scores.var(ddof=1)))
        noise = 0.0
        for stratum, part in parts.items():
            m, mean = part.shape[1], part.mean(axis=0)
            residual = float(np.einsum("ij,ij->", part, part)) - k * float(mean @ mean)
            noise += k * max(residual, 0.0) / (k - 1) * m / (m - 1)
            total[stratum] += k * mean
        within.append(noise)
        lone.append(k - 1)
    items, df_items = _over_units(total)
    scale = sum(abs(w) * float(np.abs(c.scores).max()) for c, w in zip(cells, weights, strict=True))
    least = ROUNDING * scale**2
    if abs(estimate) <= math.sqrt(least):
        estimate = 0.0
    of_runs, of_noise = (np.where(np.array(found) > least, found, 0.0) for found in (between, within))
    return _combined(estimate, of_runs, of_noise, np.array(lone), items if items > least else 0.0, df_items)


def _replicates(cells: Sequence[Cell]) -> list[list[tuple[int, list[int]]]]:
    """Groups of runs that made the same cells; each is a list of (number of the cell, rows of those runs in it)."""
    made: dict[Hashable, list[tuple[int, int]]] = {}
    for number, c in enumerate(cells):
        if len(c.runs) < 2:
            raise ValueError("one training run: nothing can be said about new ones")
        for row, run in enumerate(c.runs):
            made.setdefault(run, []).append((number, row))
    groups: dict[tuple[int, ...], list[list[tuple[int, int]]]] = {}
    for places in made.values():
        groups.setdefault(tuple(number for number, _ in places), []).append(places)
    found = []
    for numbers, members in groups.items():
        if len(members) < 2:
            raise ValueError("a training run that made other cells than all others: it has no replicate")
        found.append([(number, [places[i][1] for places in members]) for i, number in enumerate(numbers)])
    return found


def _over_units(total: dict[Hashable, Floats]) -> tuple[float, float]:
    variances = squares = 0.0
    for parts in total.values():
        variance = len(parts) * float(parts.var(ddof=1))
        variances += variance
        squares += variance**2 / (len(parts) - 1)
    return variances, variances**2 / squares if squares else math.inf


def _combined(
    estimate: float, between: Floats, within: Floats, df_runs: Ints, items: float, df_items: float
) -> Contrast:
    runs, residual = float(between.sum()), float(within.sum())
    variance = max(runs + items - residual, runs, FLOOR * items)
    inverse = 0.0
    if variance:
        net = np.maximum(between - NOISE[len(between) > 1] * within, 0.0) / variance
        if net.any():
            inverse += float((net**WEIGHT / df_runs).sum() / (net ** (WEIGHT - 1)).sum())
        inverse += min(items / variance, 1.0) ** 2 / df_items  # the floor is below Ve
    return Contrast(estimate, variance, 1 / inverse if inverse else math.inf, runs, items, residual)
