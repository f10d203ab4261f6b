"""How much one score would move with other items: its standard error by the influence function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def influence(counts: npt.NDArray[np.int64], gradient: Callable[[Floats], Floats]) -> Floats:
    """ψ_i = n · ∇f(Σ counts) · (counts_i − mean), shape (n, q) → (n,): the influence of each item.

    ``gradient`` is the derivative of the score by the sums of counts. For accuracy this is x_i − x̄, for
    micro-F1 (2·tp_i − F·(pred_i + gold_i)) / mean(pred + gold). Assumes independent items.
    Source: Efron & Tibshirani 1993, chapter 21 (the delta method by influence values).
    """
    psi = np.zeros(len(counts))
    for column, weight in zip(counts.T, gradient(counts.sum(axis=0).astype(float)), strict=True):
        psi += weight * column  # by column: no copy of the whole table
    if len(psi):
        psi -= psi.mean()
    return psi * len(counts)


def standard_error(
    counts: npt.NDArray[np.int64], gradient: Callable[[Floats], Floats], groups: Sequence[str] | None = None
) -> float:
    """sqrt(m / (m − 1) · Σ_g (Σ_{i in g} ψ_i)²) / n over m groups of items; 0 for a single one.

    ``groups`` names the paragraph or document of each item; without it each item is a group of its own, and this is
    sqrt(Σ ψ_i² / (n (n − 1))). One group says nothing about others. Source: Liang & Zeger 1986 for groups.
    """
    n = len(counts)
    psi: Floats = influence(counts, gradient)
    if groups is not None:
        _, place = np.unique(np.asarray(groups), return_inverse=True)
        psi = np.bincount(place, psi).astype(float)
    m = len(psi)
    return float(np.sqrt(m / (m - 1) * (psi**2).sum()) / n) if m > 1 else 0.0


def interval(value: float, error: float, m: int, level: float = 0.95) -> tuple[float, float]:
    """value ± t(m − 1) · error of m items or groups, within [0, 1]. Over new items for this run, not over new seeds."""
    from scipy.special import stdtrit

    half = float(stdtrit(max(m - 1, 1), (1 + level) / 2)) * error
    return max(value - half, 0.0), min(value + half, 1.0)
