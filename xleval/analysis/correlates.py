"""Where does a target's language adapter help? The open question of Kunz & Holmström 2024, "The Impact of Language
Adapters": gains of single languages against what is known of them.

Languages are few and related, and predictors hang together (what was seen in pretraining has more text and fewer
pieces): these are descriptions with honest intervals, never causes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.analysis.association import FEWEST, Association, adjusted, associate
from xleval.analysis.measured import Measured
from xleval.analysis.predictors import Predictor
from xleval.analysis.seeds import OverSeeds, over_seeds
from xleval.errors import UserError
from xleval.report.grid import MISSING, Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: With fewer languages a coefficient is there but not to be relied on.
FEW = 10


@dataclass(frozen=True)
class Correlates:
    """``gains``: language → score(first) − score(second), mean over common seeds, a proportion of 1."""

    measured: Measured
    first: str
    second: str
    gains: Mapping[str, OverSeeds]
    predictors: tuple[Predictor, ...]
    found: tuple[Association, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; an unknown value is null."""
        return {
            **self.measured.as_dict(),
            "gain": [self.first, self.second],
            "interval": "95 %, bootstrap over languages; p: permutation test, two-sided; adjusted: Benjamini-Hochberg",
            "languages": {
                code: {
                    "gain": gain.as_dict(),
                    "predictors": {
                        one.name: value if math.isfinite(value := one.values.get(code, math.nan)) else None
                        for one in self.predictors
                    },
                }
                for code, gain in self.gains.items()
            },
            "associations": [one.as_dict() for one in self.found],
            "notes": list(self.notes),
        }

    @property
    def title(self) -> str:
        """One line above table and figure."""
        return f"Gain of {self.first} over {self.second}: {self.measured.about}"

    def grids(self) -> list[Grid]:
        """A line a predictor."""
        return [
            Grid(
                caption=f"{self.title}, {len(self.gains)} languages. ρ: Spearman, τ: Kendall's tau-b; 95 % intervals "
                "by bootstrap over languages; p by permutation, q after Benjamini–Hochberg over "
                f"{self._tested} predictors",
                headers=("predictor", "n", "", "coefficient", "95 % interval", "p", "q", "remark"),
                rows=tuple(
                    (
                        one.predictor,
                        str(one.n),
                        "ρ" if one.method == "spearman" else "τ",
                        MISSING if one.coefficient is None else f"{one.coefficient:+.2f}",
                        MISSING if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}",
                        MISSING if one.p is None else f"{one.p:.3f}",
                        MISSING if one.p_adjusted is None else f"{one.p_adjusted:.3f}",
                        one.reason,
                    )
                    for one in self.found
                ),
                tidy_headers=(
                    "task",
                    "first",
                    "second",
                    "language",
                    "gain",
                    "low",
                    "high",
                    "seeds",
                    "predictor",
                    "value",
                ),
                tidy_rows=tuple(
                    (
                        self.measured.task,
                        self.first,
                        self.second,
                        code,
                        gain.mean,
                        gain.low,
                        gain.high,
                        gain.n,
                        one.name,
                        value,
                    )
                    for code, gain in self.gains.items()
                    for one in self.predictors
                    if math.isfinite(value := one.values.get(code, math.nan))
                ),
                notes=self.notes,
            )
        ]

    @property
    def _tested(self) -> int:
        return sum(one.p is not None for one in self.found)

    def figures(self) -> dict[str, Figure]:
        """Small multiples: the gain against each predictor that varies."""
        from xleval.report.figures import Panel, scatter_plots

        panels = []
        for one, result in zip(self.predictors, self.found, strict=True):
            codes = [code for code in self.gains if math.isfinite(one.values.get(code, math.nan))]
            if result.coefficient is None and len({one.values[code] for code in codes}) < 2:
                continue
            symbol = "ρ" if result.method == "spearman" else "τ"
            text = f"{symbol} = {result.coefficient:+.2f}" if result.coefficient is not None else ""
            if result.low is not None:
                text += f" [{result.low:+.2f}, {result.high:+.2f}]"
            points = [(code, one.values[code], 100 * (self.gains[code].mean or 0.0)) for code in codes]
            panels.append(Panel(one.name, f"{text}, n = {result.n}".lstrip(", "), points, one.ticks))
        return {"": scatter_plots(panels, title=self.title, y_label="gain (points)")}


def correlates(
    group: Measured, first: str, second: str, predictors: Sequence[Predictor], notes: Sequence[str] = ()
) -> Correlates:
    """Gains of ``first`` over ``second`` in one group of results, and their correlation with each predictor.

    The source language itself is no target and left out.

    Raises:
        UserError: a strategy without results; no language that both have scores for, seed by seed.
    """
    gains, more = gains_of(group, first, second)
    found = [associate(one.name, *_pairs(one, gains), one.kind) for one in predictors]
    if len(gains) < FEWEST:
        more.append(f"{len(gains)} languages: too few for any correlation (at least {FEWEST})")
    elif few := [one.n for one in found if one.coefficient is not None and one.n < FEW]:
        more.append(
            f"{min(few)} languages are few: coefficients and intervals are unstable, only strong relations show"
        )
    return Correlates(group, first, second, gains, tuple(predictors), tuple(adjusted(found)), (*notes, *more))


def gains_of(group: Measured, first: str, second: str) -> tuple[dict[str, OverSeeds], list[str]]:
    """Language → mean over common seeds of score(first) − score(second), and notes on languages that have none.

    Raises:
        UserError: as :func:`correlates`.
    """
    one, other = group.of(first), group.of(second)
    if first == second:
        raise UserError(f"--gain {first} {second}: name two strategies")
    gains: dict[str, OverSeeds] = {}
    notes: list[str] = []
    for code in sorted({*one, *other} - {group.source}):
        seeds = sorted(set(one.get(code, {})) & set(other.get(code, {})))
        if seeds:
            gains[code] = over_seeds([one[code][seed] - other[code][seed] for seed in seeds])
        else:
            lacking = [name for name, scores in ((first, one), (second, other)) if not scores.get(code)]
            why = f"no results of {', '.join(lacking)}" if lacking else "no seed in common"
            notes.append(f"{code} left out: {why}")
    if not gains:
        raise UserError(f"{group.task}: {first} and {second} have no language and seed in common")
    if group.settings[first] != group.settings[second]:
        notes.append(f"{first} and {second} were trained with other hyperparameters or data: gains are of those too")
    if max(gain.n for gain in gains.values()) < 2:
        notes.append("one seed: how much of a gain is chance cannot be told")
    return gains, notes


def _pairs(predictor: Predictor, gains: Mapping[str, OverSeeds]) -> tuple[list[float], list[float]]:
    means = [math.nan if gain.mean is None else gain.mean for gain in gains.values()]
    return [predictor.values.get(code, math.nan) for code in gains], means
