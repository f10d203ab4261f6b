"""How large a difference is, in terms that need no unit.

There is no Cohen's d: with five runs or fewer its standard deviation is too uncertain to divide by.
"""

from __future__ import annotations

import numpy.typing as npt

from xleval.stats.samples import pairs, sample


def probability_of_superiority(a: npt.ArrayLike, b: npt.ArrayLike, paired: bool = False) -> float:
    """P(A > B) + P(A = B) / 2: how often a run of A scores above a run of B, in [0, 1]; shapes (n,) and (m,).

    The mean over all n · m pairs (a_i, b_j) of 1 where a_i > b_j, 1/2 where they are equal, 0 else; with ``paired``
    over the n pairs (a_i, b_i) of one seed each. 1/2 means that neither is above the other. An estimate without an
    interval: S runs a side give multiples of 1 / (2 S²), or 1 / (2 S) in pairs. Unpaired, it is U / (n m) of Mann
    and Whitney.

    Scores are compared exactly: the same counts make the same score.

    Sources: Vargha & Delaney 2000, "A critique and improvement of the CL common language effect size statistics";
    Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks".

    Raises:
        ValueError: no score on a side, one that is not finite (with its index), lengths that differ in pairs.
    """
    first, second = pairs(a, b) if paired else (sample("a", a)[:, None], sample("b", b)[None, :])
    return float(((first > second) + 0.5 * (first == second)).mean())


def relative_error_reduction(a: float, b: float) -> float | None:
    """(a − b) / (1 − b): the share of B's errors that A does not make; negative where A makes more.

    None where B makes no error, b = 1. ``a`` and ``b`` are scores as proportions in [0, 1].

    Raises:
        ValueError: a score that is not a number in [0, 1], such as one in per cent.
    """
    for name, score in (("a", a), ("b", b)):
        if not 0 <= score <= 1:
            raise ValueError(f"{name} is {score}: a score from 0 to 1 is needed, not per cent")
    return None if b == 1 else (a - b) / (1 - b)
