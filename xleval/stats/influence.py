"""How much one score would move with other items: its standard error by the influence function."""

from __future__ import annotations

from collections.abc import Callable

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
    psi -= psi.mean()
    return psi * len(counts)


def standard_error(counts: npt.NDArray[np.int64], gradient: Callable[[Floats], Floats]) -> float:
    """sqrt(Σ ψ_i² / (n (n − 1))); 0 for a single item, which says nothing about others."""
    n = len(counts)
    if n < 2:
        return 0.0
    psi = influence(counts, gradient)
    return float(np.sqrt((psi**2).sum() / (n * (n - 1))))


def interval(value: float, error: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """value ± t(n − 1) · error, kept within [0, 1]. Over new items for this one run, not over new seeds."""
    from scipy.special import stdtrit

    half = float(stdtrit(max(n - 1, 1), (1 + level) / 2)) * error
    return max(value - half, 0.0), min(value + half, 1.0)
