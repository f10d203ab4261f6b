"""Rank correlations over languages: coefficient, bootstrap interval, permutation p, and when there is none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["number", "grade"]

#: With fewer languages there is no correlation worth printing.
FEWEST = 4
RESAMPLES = 9999
#: Resamples without any variation have no correlation; with a larger share of them there is no interval.
_UNDEFINED = 0.05


@dataclass(frozen=True)
class Association:
    """``coefficient``: Spearman's rho (``method`` ``spearman``) or Kendall's tau-b (``kendall``) over ``n`` languages.

    None stands where there is none; ``reason`` says why. ``p`` is a permutation test's,
    two-sided; ``p_adjusted`` after Benjamini & Hochberg over the predictors of one table.
    """

    predictor: str
    n: int
    method: str
    coefficient: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    p: float | None = None
    p_adjusted: float | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def associate(predictor: str, x: Sequence[float], y: Sequence[float], kind: Kind, seed: int = 0) -> Association:
    """Rank correlation of a predictor ``x`` with gains ``y``, one value a language; NaN is a missing value.

    Numbers have Spearman's rho. Grades (yes or no, low to high) have many ties, for which Kendall's tau-b is made.
    The interval is over languages, as if they were a sample: BCa bootstrap (Efron 1987). Where a few resamples have no
    variation and so no coefficient, it is the percentile interval of the others; where many have none, it is left out.
    """
    both = np.isfinite(np.asarray(x, float)) & np.isfinite(np.asarray(y, float))
    first, second = np.asarray(x, float)[both], np.asarray(y, float)[both]
    n, method = int(both.sum()), "spearman" if kind == "number" else "kendall"
    if n < FEWEST:
        return Association(predictor, n, method, reason=f"{n} languages: too few (at least {FEWEST})")
    for values, what in ((first, "the predictor"), (second, "the gain")):
        if np.ptp(values) == 0:
            return Association(predictor, n, method, reason=f"{what} is the same for all {n} languages")
    statistic = spearman if kind == "number" else kendall
    coefficient = float(statistic(first, second))
    low, high, interval, reason = _interval(first, second, statistic, seed)
    p = _permuted(first, second, statistic, seed)
    return Association(predictor, n, method, coefficient, low, high, interval, p, None, reason)


def adjusted(found: Sequence[Association]) -> list[Association]:
    """The same with p-values after Benjamini & Hochberg 1995 over all that have one."""
    from dataclasses import replace

    from scipy.stats import false_discovery_control

    tested = [one.p for one in found if one.p is not None]
    corrected = iter(false_discovery_control(tested) if tested else [])
    return [one if one.p is None else replace(one, p_adjusted=float(next(corrected))) for one in found]


def spearman(x: Floats, y: Floats, axis: int = -1) -> Floats:
    """Pearson's correlation of mean ranks along the last axis, (…, n) → (…); NaN without variation."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=axis) for values in (x, y)]
    a, b = (rank - rank.mean(axis=axis, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        found: Floats = (a * b).sum(axis=axis) / np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    return np.clip(found, -1, 1)


def kendall(x: Floats, y: Floats, axis: int = -1) -> Floats:
    """Kendall's tau-b along the last axis, (…, n) → (…); NaN without variation.

    (concordant − discordant) / √((pairs untied in x)(pairs untied in y)), Kendall 1945.
    """
    rows, columns = np.triu_indices(np.shape(x)[-1], 1)
    a, b = (np.sign(values[..., rows] - values[..., columns]) for values in (np.asarray(x), np.asarray(y)))
    with np.errstate(invalid="ignore"):
        found: Floats = (a * b).sum(-1) / np.sqrt((a != 0).sum(-1) * (b != 0).sum(-1).astype(float))
    return found


def _interval(x: Floats, y: Floats, statistic: Any, seed: int) -> tuple[float | None, float | None, str, str]:
    from scipy.stats import bootstrap

    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")  # degenerate resamples are looked at below
        result = bootstrap(
            (x, y), statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, method="BCa", batch=1000,
            random_state=np.random.default_rng(seed),
        )  # fmt: skip
    drawn = result.bootstrap_distribution
    defined = drawn[np.isfinite(drawn)]
    undefined = 1 - len(defined) / len(drawn)
    low, high = (float(value) for value in result.confidence_interval)
    if np.isfinite([low, high]).all() and low < high:
        return low, high, "BCa", ""
    if undefined > _UNDEFINED:
        return None, None, "", f"no interval: {100 * undefined:.0f} % of the resamples have no variation"
    if np.ptp(defined) == 0:
        return None, None, "", "no interval: every resample has the same order"
    low, high = (float(value) for value in np.percentile(defined, [2.5, 97.5]))
    return low, high, "percentile", ""


def _permuted(x: Floats, y: Floats, statistic: Any, seed: int) -> float:
    """Two-sided p of independence: all orders of ``y`` where they are few, else 9,999 drawn ones."""
    from scipy.stats import permutation_test

    def strength(values: Floats, axis: int = -1) -> Floats:
        return np.asarray(np.abs(statistic(np.broadcast_to(x, values.shape), values)))

    result = permutation_test(
        (y,), strength, permutation_type="pairings", alternative="greater", vectorized=True, n_resamples=RESAMPLES,
        batch=1000, random_state=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.pvalue)
