"""Tests over runs alone: Student's t, Welch's t, the paired t, and the exact sign-flip test.

They see one score per training run, and treat the test items as the whole population: a difference that other items
would not show can be significant here, and is in 4 to 14 % of comparisons of equal strategies at a nominal 5 %. The
default test of xleval is over runs and items (``xleval.stats.contrast``). These are here to reproduce published
tables in their own terms, and for scores without items.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from xleval.stats.samples import Floats, level_of, pairs, sample

#: Scores, their differences and spreads below this share of the largest score are rounding errors, taken as 0:
#: 0.1 + 0.2 and 0.3 are the same score. One item in a thousand million moves a score by more.
ROUNDING = 1e-12
#: All 2^n signs are counted up to this n: a million.
MOST_FLIPS = 20


class TTest(NamedTuple):
    """A difference of means, its t test and its interval, all in the unit of the scores."""

    difference: float
    """Mean of A minus mean of B."""
    t: float
    df: float
    p: float
    """Two-sided."""
    low: float
    high: float


def student(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> TTest:
    """Two independent samples with equal variances, shapes (n,) and (m,).

    t = (ā − b̄) / √(s² (1/n + 1/m)), s² = ((n − 1) s_a² + (m − 1) s_b²) / (n + m − 2), df = n + m − 2; the interval is
    ā − b̄ ± t_{(1 + level)/2}(df) · √(s² (1/n + 1/m)). Where nothing varies, t = 0 and p = 1 if the means are equal,
    else t = ±∞ and p = 0; the interval has no width.

    Assumes normal scores, independent runs, equal variances.

    Source: Student 1908, "The probable error of a mean"; Fisher 1925 for two samples.

    Raises:
        ValueError: fewer than two runs on a side, a score that is not finite (with its index), a level not in (0, 1).
    """
    a, b = _runs("a", a), _runs("b", b)
    df = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * float(a.var(ddof=1)) + (len(b) - 1) * float(b.var(ddof=1))) / df
    return _t_test(float(a.mean() - b.mean()), pooled * (1 / len(a) + 1 / len(b)), df, _largest(a, b), level)


def welch(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> TTest:
    """Two independent samples whose variances may differ, shapes (n,) and (m,).

    t = (ā − b̄) / √(v_a + v_b), v_a = s_a²/n, v_b = s_b²/m, df = (v_a + v_b)² / (v_a²/(n − 1) + v_b²/(m − 1)).
    Interval, and what holds where nothing varies, as in ``student``; df is then the smaller of n − 1 and m − 1.

    Assumes normal scores, independent runs.

    Source: Welch 1947, "The generalization of 'Student's' problem when several different population variances are
    involved"; df of Satterthwaite 1946.

    Raises:
        ValueError: as ``student``.
    """
    a, b = _runs("a", a), _runs("b", b)
    parts = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    variance, df = sum(parts), float(min(len(a), len(b)) - 1)
    if variance:
        # By shares, not by squares of variances, which can underflow.
        df = 1 / ((parts[0] / variance) ** 2 / (len(a) - 1) + (parts[1] / variance) ** 2 / (len(b) - 1))
    return _t_test(float(a.mean() - b.mean()), variance, df, _largest(a, b), level)


def paired(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> TTest:
    """Pairs (a_i, b_i) of one seed each, shape (n,): the t test of their differences d_i = a_i − b_i.

    t = d̄ / √(s_d² / n), df = n − 1. Interval, and what holds where nothing varies, as in ``student``.

    Assumes normal differences and independent pairs. The pairing must be real: the same seed must have made the two
    runs more alike. Sorting scores, or pairing by number where the seed drives different random draws, is not enough.

    Source: Student 1908, "The probable error of a mean".

    Raises:
        ValueError: as ``student``, or lengths that differ.
    """
    first, second = pairs(_runs("a", a), _runs("b", b))
    d = first - second
    return _t_test(float(d.mean()), float(d.var(ddof=1)) / len(d), len(d) - 1, _largest(first, second), level)


class SignFlip(NamedTuple):
    """The exact paired test: p = extreme / flips."""

    difference: float
    """Mean of the differences."""
    p: float
    extreme: int
    """Assignments of signs whose sum is at least as far out as the observed one, which is one of them."""
    flips: int
    """2^n, all assignments of signs."""


def sign_flip(
    differences: npt.ArrayLike,
    alternative: Literal["two-sided", "greater"] = "two-sided",
    alpha: float | None = 0.05,
) -> SignFlip:
    """Fisher's exact test of n paired differences, shape (n,), n ≤ 20: all 2^n assignments of signs are counted.

    p = #{|Σ ±d_i| ≥ |Σ d_i| − tol} / 2^n, and without the bars for ``greater``; tol = 10⁻⁹ Σ |d_i|, since sums that
    are equal on paper differ by rounding errors. Differences that are 0 stay 0, and all 0 gives p = 1. On differences
    of −1, 0 and 1 it is McNemar's exact test.

    Assumes independent differences that are symmetric about 0 under the null hypothesis; no normal distribution.
    Differences that should be 0 must be exactly 0: only their size against one another is seen.

    Args:
        alternative: ``greater`` tests for a positive mean only.
        alpha: the level that the test is meant for. The smallest p-value that n pairs can give is 2 / 2^n (1 / 2^n
            for ``greater``); where that is above α the test can never reject, and is refused. None: never refuse.

    Source: Fisher 1935, "The design of experiments", section 21.

    Raises:
        ValueError: no difference, more than 20, one that is not finite (with its index), an unknown alternative, too
            few pairs for α.
    """
    d = sample("differences", differences)
    n = len(d)
    if alternative not in ("two-sided", "greater"):
        raise ValueError(f"alternative is {alternative!r}: 'two-sided' or 'greater'")
    if n > MOST_FLIPS:
        raise ValueError(f"{n} differences: all 2^n signs are counted for at most {MOST_FLIPS}")
    smallest = (2 if alternative == "two-sided" else 1) / 2**n
    if alpha is not None and smallest > level_of("alpha", alpha):
        raise ValueError(
            f"the {alternative} sign-flip test of {n} differences cannot give a p-value below {smallest:.4g}, "
            f"which is above alpha = {alpha:g}: it could never reject; more pairs are needed"
        )
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    observed, tolerance = float(sums[0]), 1e-9 * float(np.abs(d).sum())  # the first sum has every sign as it was
    if alternative == "two-sided":
        sums, observed = np.abs(sums), abs(observed)
    extreme = int((sums >= observed - tolerance).sum())
    return SignFlip(float(d.mean()), extreme / 2**n, extreme, 2**n)


def asterisk(gain: float, p: float, alpha: float = 0.05) -> str:
    """``"*"`` where a gain is positive but not significant (p > α), else ``""``.

    The mark warns rather than praises: a number without it is a significant gain, or no gain.

    Raises:
        ValueError: a gain that is not finite, a p-value outside [0, 1], α outside (0, 1).
    """
    if not math.isfinite(gain):
        raise ValueError(f"gain is {gain}")
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}: a p-value is a number from 0 to 1")
    return "*" if gain > 0 and p > level_of("alpha", alpha) else ""


def _runs(name: str, values: npt.ArrayLike) -> Floats:
    scores = sample(name, values)
    if len(scores) < 2:
        raise ValueError(f"{name} has one value: with one seed no inference over seeds is possible")
    return scores


def _largest(a: Floats, b: Floats) -> float:
    return max(float(np.abs(a).max()), float(np.abs(b).max()))


def _t_test(difference: float, variance: float, df: float, largest: float, level: float) -> TTest:
    from scipy.special import stdtr, stdtrit

    level_of("level", level)
    se, nothing = math.sqrt(variance), ROUNDING * largest
    if se <= nothing:
        if abs(difference) <= nothing:
            return TTest(0.0, 0.0, df, 1.0, 0.0, 0.0)
        return TTest(difference, math.copysign(math.inf, difference), df, 0.0, difference, difference)
    t, half = difference / se, float(stdtrit(df, (1 + level) / 2)) * se
    return TTest(difference, t, df, 2 * float(stdtr(df, -abs(t))), difference - half, difference + half)
