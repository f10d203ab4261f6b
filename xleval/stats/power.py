"""What a comparison can find: power, the minimum detectable difference, the number of seeds.

All of it is about the two-sided t test at level α of a difference δ whose standard error is se, estimated on df
degrees of freedom. t then has the noncentral t distribution with noncentrality δ / se, and

    power = P(t > c) + P(t < −c),   c = t_{1 − α/2}(df).

Both tails count. df may be a fraction (Satterthwaite's) or infinite (a normal test). Power is a statement about the
design, made with a *hypothetical* difference: put the observed one in, and it only restates the p-value.
Source: Cohen 1988, "Statistical power analysis for the behavioral sciences", chapter 2.
"""

from __future__ import annotations

import math

from xleval.stats.samples import level_of


def power(difference: float, se: float, df: float, alpha: float = 0.05) -> float:
    """Probability in [0, 1] that the test rejects when the true difference is ``difference``; α where that is 0.

    ``difference`` and ``se`` in the same unit. With se = 0 nothing varies, and a test finds every difference but 0:
    1, or 0 where the difference is 0.

    Raises:
        ValueError: a difference that is not finite, se that is negative or not finite, df that is not positive, α not
            in (0, 1).
    """
    _checked(se, df)
    level_of("alpha", alpha)
    if not math.isfinite(difference):
        raise ValueError(f"difference is {difference}")
    if se == 0:
        return float(difference != 0)
    return _power(abs(difference) / se, df, alpha)


def detectable(se: float, df: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference that the test finds with this power, in the unit of ``se``.

    δ such that power(δ, se, df, α) is ``power``. It is proportional to se, and 0 where se is 0.

    Raises:
        ValueError: se that is negative or not finite, df that is not positive, α or power not in (0, 1), a power that
            is not above α: the test has that for no difference at all.
    """
    _checked(se, df)
    return se * _noncentrality(df, power, alpha)


def detectable_in_seed_sds(seeds: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """``detectable`` for two strategies of S independent runs each, in units of the standard deviation over seeds.

    se = √(2/S) and df = 2 (S − 1): 5.65 for S = 2, 3.07 (3), 2.38 (4), 2.02 (5), 1.32 (10). For runs that are paired
    by seed, take ``detectable`` with the standard deviation of the differences over √S and df = S − 1.

    Raises:
        ValueError: fewer than two seeds, or as ``detectable``.
    """
    if seeds < 2:
        raise ValueError(f"seeds is {seeds}: with fewer than two no inference over seeds is possible")
    return detectable(math.sqrt(2 / seeds), 2 * (seeds - 1), power, alpha)


def seeds_needed(
    difference: float,
    seed_sd: float,
    power: float = 0.8,
    alpha: float = 0.05,
    *,
    item_se: float = 0.0,
    most: int = 1000,
) -> int | None:
    """The smallest number of runs of each of two strategies with which the test finds ``difference`` at this power.

    The smallest S ≥ 2 with power(difference, √V, df) ≥ ``power``, V = 2 seed_sd² / S + item_se², and Satterthwaite's
    df = 2 (S − 1) · (V / (2 seed_sd² / S))². None where ``most`` seeds are too few: above all where the test items
    are, since no number of seeds makes V smaller than item_se².

    Args:
        difference: the true difference to find; its sign does not matter.
        seed_sd: standard deviation of the score over seeds, the same for both strategies, same unit.
        item_se: standard error of the difference over items, √Ve of ``xleval.stats.contrast`` (its df counts as
            infinite). 0: claims about these items alone. If it is given, seed_sd must be free of noise of the items.
        most: where to stop.

    Raises:
        ValueError: a number that is negative or not finite, α or power not in (0, 1), a power that is not above α,
            ``most`` below 2.
    """
    for name, value in (("seed_sd", seed_sd), ("item_se", item_se)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}: a finite number that is not negative is needed")
    if not math.isfinite(difference):
        raise ValueError(f"difference is {difference}")
    if most < 2:
        raise ValueError(f"most is {most}: at least two seeds are needed for any inference")
    _above(power, alpha)
    if difference == 0:
        return None

    def enough(seeds: int) -> bool:
        between = 2 * seed_sd**2 / seeds
        variance = between + item_se**2
        if variance == 0:
            return True
        df = 2 * (seeds - 1) * (variance / between) ** 2 if between else math.inf
        return _power(abs(difference) / math.sqrt(variance), df, alpha) >= power

    return next((seeds for seeds in range(2, most + 1) if enough(seeds)), None)


def _power(noncentrality: float, df: float, alpha: float) -> float:
    from scipy.special import chdtr, nctdtr, ndtr, ndtri, stdtrit

    if math.isinf(df):
        cut = float(ndtri(1 - alpha / 2))
        return float(ndtr(noncentrality - cut) + ndtr(-noncentrality - cut))
    cut = float(stdtrit(df, 1 - alpha / 2))
    right = 1 - float(nctdtr(df, noncentrality, cut))
    if math.isnan(right):
        # scipy gives up on very large noncentralities. In t = (Z + δ/se) / √(X/df) the normal Z is then nothing
        # beside δ/se, which leaves P(X < df · (δ/se / cut)²) of the chi-square X.
        right = float(chdtr(df, df * (noncentrality / cut) ** 2))
    wrong = float(nctdtr(df, noncentrality, -cut))
    return min(right + (0.0 if math.isnan(wrong) else wrong), 1.0)  # NaN: less than a rounding error


def _noncentrality(df: float, power: float, alpha: float) -> float:
    """δ / se at which the test has this power."""
    from scipy.optimize import brentq

    _above(power, alpha)
    high = 1.0
    while _power(high, df, alpha) <= power:
        high *= 2
    return float(brentq(lambda noncentrality: _power(noncentrality, df, alpha) - power, 0.0, high))


def _checked(se: float, df: float) -> None:
    if not 0 <= se < math.inf:
        raise ValueError(f"se is {se}: a finite number that is not negative is needed")
    if not df > 0:
        raise ValueError(f"df is {df}: degrees of freedom are positive")


def _above(power: float, alpha: float) -> None:
    if level_of("power", power) <= level_of("alpha", alpha):
        raise ValueError(f"power {power:g} is not above alpha {alpha:g}: any test has it where nothing differs")
