"""Many tests at once: adjusted p-values, and the number of languages on which a gain is sure.

An adjusted p-value is the smallest level at which the procedure rejects that hypothesis, so it is compared with α as
it stands. All functions take m p-values, shape (m,), in any order, and refuse one that is not a number in [0, 1].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xleval.stats.samples import level_of

Floats = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values, shape (m,) → (m,), that control the family-wise error rate.

    p̃_(i) = min(1, max over j ≤ i of (m − j + 1) · p_(j)), p_(1) ≤ … ≤ p_(m). With all p̃ ≤ α rejected, the
    probability of any false rejection is at most α, whatever the dependence between the tests. Never larger than
    Bonferroni's m · p.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    Raises:
        ValueError: a p-value that is not a number in [0, 1], with its index; not one row of them.
    """
    raw = _p_values(p)
    order = np.argsort(raw, kind="stable")
    steps = np.arange(len(raw), 0, -1) * raw[order]
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values, shape (m,) → (m,), that control the false discovery rate.

    p̃_(i) = min(1, min over j ≥ i of m · p_(j) / j). With all p̃ ≤ α rejected, the expected share of false rejections
    among all rejections is at most α, for tests that are independent or positively dependent on each true null
    hypothesis (Benjamini & Yekutieli 2001, theorem 1.2).

    Source: Benjamini & Hochberg 1995, "Controlling the false discovery rate".

    Raises:
        ValueError: a p-value that is not a number in [0, 1], with its index; not one row of them.
    """
    return _false_discovery(p, "bh")


def benjamini_yekutieli(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values, shape (m,) → (m,), that control the false discovery rate under any dependence.

    Benjamini & Hochberg's, times 1 + 1/2 + … + 1/m before the minimum with 1. The price of any dependence: 2.9 times
    larger at m = 10.

    Source: Benjamini & Yekutieli 2001, "The control of the false discovery rate in multiple testing under
    dependency", theorem 1.3.

    Raises:
        ValueError: a p-value that is not a number in [0, 1], with its index; not one row of them.
    """
    return _false_discovery(p, "by")


def partial_conjunction(p_one_sided: npt.ArrayLike) -> Floats:
    """p-values of "at least u of the n languages improved", for u = 1 … n, shape (n,) → (n,), never decreasing.

    p*^{u/n} = min(1, max over v ≤ u of p^{v/n}) with Bonferroni's p^{u/n} = (n − u + 1) · p_(u). The null hypothesis
    of u is that fewer than u languages improved. Then at least n − u + 1 null hypotheses are true, and the smallest
    of their p-values is at most p_(u): Bonferroni's inequality over those n − u + 1 makes it a test at level α under
    any dependence, which is needed here because languages share training runs.

    These are Holm's adjusted p-values in increasing order: the count adds no test to Holm's, but a statement, of how
    many languages improved where it need not be said which.

    Args:
        p_one_sided: one p-value per language, small where it improved. Two-sided ones would count losses as gains.

    Source: Dror, Baumer, Bogomolov & Reichart 2017, "Replicability analysis for natural language processing: testing
    significance with multiple datasets", after Benjamini & Heller 2008, "Screening for partial conjunction
    hypotheses".

    Raises:
        ValueError: a p-value that is not a number in [0, 1], with its index; not one row of them.
    """
    return np.sort(holm(p_one_sided))


def improved_at_least(p_one_sided: npt.ArrayLike, alpha: float = 0.05) -> int:
    """The largest k such that "at least k languages improved" holds with family-wise error ≤ α; 0 where none does.

    k̂ = max{u : p*^{u/n} ≤ α} of ``partial_conjunction``. If k languages truly improved, the probability of k̂ > k is
    at most α under any dependence. It is a lower confidence bound, not an estimate.

    Raises:
        ValueError: as ``partial_conjunction``, or α is not between 0 and 1.
    """
    return int((partial_conjunction(p_one_sided) <= level_of("alpha", alpha)).sum())


def _false_discovery(p: npt.ArrayLike, method: str) -> Floats:
    from scipy.stats import false_discovery_control

    raw = _p_values(p)
    return np.asarray(false_discovery_control(raw, method=method)) if len(raw) else raw


def _p_values(p: npt.ArrayLike) -> Floats:
    raw = np.asarray(p, dtype=float)
    if raw.ndim != 1:
        raise ValueError(f"p-values are one row, not an array of shape {raw.shape}")
    for index in np.flatnonzero(~((raw >= 0) & (raw <= 1))):
        raise ValueError(f"p[{index}] is {raw[index]}: a p-value is a number from 0 to 1")
    return raw
