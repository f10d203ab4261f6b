"""Made scores of two strategies whose true means are known: what ``error_rates.py`` draws from.

A training run of a strategy is right on an item with the probability logistic(mean + item + item × strategy + run), all
four parts normal in log-odds, and independently of other runs. Given that probability:

``accuracy``          the item is right or wrong;
``micro-F1``          a sentence of 0 to 6 entities: some are found, and some are found that are none;
``clustered QA F1``   a question, answered whole, in part or not; those of a paragraph, 1 to 9, are about as hard.

The means are set so that the strategies have the same expected score over new runs and items, or scores ``effect``
points apart, whatever the other parts are: runs that vary more, say, score less on average with the same log-odds.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from xleval.stats.contrast import Cell

KINDS = ("accuracy", "micro-F1", "clustered QA F1")
#: Log-odds of a hit on an average item, and how items differ.
MEAN, SPREAD = 0.9, 1.5
#: Entities of a sentence, mean and most; false ones of a run that never hits; noise of one question of a paragraph.
ENTITIES, MOST, FALSE, QUESTION = 1.6, 6, 0.7, 0.15
#: An answer has this many parts.
ANSWER = 1000
#: Share of the variance of a run that is the same in all of its languages.
COMMON = 0.75
_NODES = {size: np.polynomial.hermite_e.hermegauss(size) for size in (12, 60)}


class Setting(NamedTuple):
    """One simulated situation. Standard deviations and the effect are in points of the score."""

    kind: str
    runs: int
    items: int
    seed_sd: tuple[float, float] = (0.0, 0.0)
    """Of the runs of each strategy."""
    interaction: float = 0.0
    """Standard deviation, in log-odds, of what an item is harder for one strategy than for the other."""
    languages: int = 1
    shared: tuple[bool, bool] = (True, True)
    """Whether one run of the strategy serves all languages."""
    parallel: bool = False
    """Whether the items are the same ones in all languages."""
    effect: float = 0.0
    """What the first strategy is truly better."""
    families: tuple[int, ...] = ()
    """Sizes of the language families, on which the strategies' difference depends."""
    between: tuple[float, float] = (0.0, 0.0)
    """Standard deviations of the true difference between families, and between languages of one."""


class Draw(NamedTuple):
    """Parts of the numerator and of the denominator, (languages, 2, runs, items), and the unit of each item."""

    above: Any
    below: Any
    units: Any


def draw(rng: np.random.Generator, s: Setting) -> Draw:
    """What the runs of both strategies make of one sample of items."""
    shape = (s.languages, 2, s.runs, s.items)
    units = np.arange(s.items)
    if s.kind == "clustered QA F1":
        units = np.repeat(units, rng.integers(1, 10, s.items))[: s.items]
    hard = _normal(rng, s.languages, units[-1] + 1)
    if s.parallel:  # an item of a parallel set is hard in every language, about
        hard = 0.8 * _normal(rng, 1, units[-1] + 1) + 0.6 * hard
    level = (SPREAD * hard)[:, None, None, units] + _runs(rng, s)[..., None]
    if s.interaction:
        level = level + s.interaction * _normal(rng, s.languages, 2, 1, units[-1] + 1)[..., units]
    chance = 1 / (1 + np.exp(-level))
    if s.kind == "accuracy":
        return Draw(rng.random(shape, dtype=np.float32) < chance, np.ones(1), units)
    if s.kind == "micro-F1":
        gold = np.minimum(rng.poisson(ENTITIES, s.items), MOST)
        hits = rng.binomial(gold, chance)
        return Draw(2 * hits, hits + rng.poisson(FALSE * (1 - chance)) + gold, units)
    level = np.clip(chance + QUESTION * _normal(rng, s.items), 0, 1)
    whole = rng.random(shape, dtype=np.float32) < level**2
    part = 0.9 * level * rng.random(shape, dtype=np.float32)
    return Draw(np.where(whole, ANSWER, (ANSWER * part).astype(int)), np.full(1, ANSWER), units)


def _normal(rng: np.random.Generator, *shape: int) -> Any:
    return rng.standard_normal(shape, dtype=np.float32)


def _runs(rng: np.random.Generator, s: Setting) -> Any:
    """(languages, 2, runs) log-odds: the strategy's level, the run's own, and what the language adds to both."""
    made = np.empty((s.languages, 2, s.runs))
    per_point = 1 / slope(s.kind, s.interaction)
    for k in (0, 1):
        own = rng.normal(0, 1, (s.languages, s.runs))
        if s.languages > 1 and s.shared[k]:
            own = np.sqrt(COMMON) * rng.normal(0, 1, s.runs) + np.sqrt(1 - COMMON) * own
        made[:, k] = mean_of(s, k) + s.seed_sd[k] * per_point * own
    if s.families:
        family, language = (sd * per_point for sd in s.between)
        added = np.repeat(rng.normal(0, family, len(s.families)), s.families) + rng.normal(0, language, s.languages)
        made += added[:, None, None] * np.array([0.5, -0.5])[:, None]
    return made


def cells(s: Setting, drawn: Draw) -> list[list[Cell]]:
    """Strategy → language → what ``xleval.stats.contrast.cell`` makes of it, all at once and so much faster."""
    above, below = (np.broadcast_to(x, (s.languages, 2, s.runs, s.items)).astype(float) for x in drawn[:2])
    whole = below.sum(axis=-1, keepdims=True)
    scores = above.sum(axis=-1, keepdims=True) / whole
    influence = (above - scores * below) / whole
    starts = np.flatnonzero(np.diff(drawn.units, prepend=-1))
    if len(starts) < s.items:
        influence = np.add.reduceat(influence, starts, axis=-1)
    numbers = drawn.units[starts]
    return [
        [
            Cell(
                scores[language, k, :, 0],
                influence[language, k],
                tuple((k, None if s.shared[k] else language, run) for run in range(s.runs)),
                numbers,
                "all" if s.parallel else language,
            )
            for language in range(s.languages)
        ]
        for k in (0, 1)
    ]


def truth(s: Setting, strategy: int) -> float:
    """Expected score of a strategy over new runs and items."""
    return expected(s.kind, MEAN, 0.0, s.interaction) + (s.effect / 100 if strategy == 0 else 0.0)


@cache
def mean_of(s: Setting, strategy: int) -> float:
    """The log-odds at which the strategy has its expected score."""
    from scipy.optimize import brentq

    aim, sd = truth(s, strategy), s.seed_sd[strategy] / slope(s.kind, s.interaction)
    return float(brentq(lambda mean: expected(s.kind, mean, sd, s.interaction) - aim, MEAN - 3, MEAN + 3))


@cache
def slope(kind: str, interaction: float) -> float:
    """Points of the score by log-odds."""
    return 50 * (expected(kind, MEAN + 1, 0.0, interaction) - expected(kind, MEAN - 1, 0.0, interaction))


def expected(kind: str, mean: float, sd: float, interaction: float) -> float:
    """Expected score over runs (sd in log-odds) and items, by Gaussian quadrature."""
    runs, weights = _NODES[12]
    items, shares = _NODES[60]
    shares = shares / shares.sum()
    chance = 1 / (1 + np.exp(-(mean + sd * runs[:, None] + np.hypot(SPREAD, interaction) * items)))
    if kind == "accuracy":
        scores = chance @ shares
    elif kind == "micro-F1":
        from scipy.stats import poisson

        gold = sum(float(poisson.sf(k, ENTITIES)) for k in range(MOST))  # E min(N, 6)
        hits, false = gold * (chance @ shares), FALSE * ((1 - chance) @ shares)
        scores = 2 * hits / (hits + false + gold)
    else:
        noise, of_noise = np.linspace(-4, 4, 201), np.exp(-0.5 * np.linspace(-4, 4, 201) ** 2)
        level = np.clip(chance[..., None] + QUESTION * noise, 0, 1)
        f1 = level**2 + (1 - level**2) * (0.45 * level - 0.5 / ANSWER)  # parts are cut to whole thousandths
        scores = (f1 @ (of_noise / of_noise.sum())) @ shares
    return float(scores @ weights / weights.sum())
