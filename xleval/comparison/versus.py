"""Strategies against a baseline: differences with intervals, corrected p-values, power."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xleval.comparison.measured import NO_SCORES, MeasuredTable
from xleval.comparison.standing import ALPHA, difference, standings
from xleval.report.table import AVERAGE, Row, Standing, TaskTable
from xleval.stats.contrast import Contrast
from xleval.stats.effect import probability_of_superiority, relative_error_reduction
from xleval.stats.languages import over_languages
from xleval.stats.multiple import benjamini_hochberg, benjamini_yekutieli, holm, improved_at_least
from xleval.stats.power import detectable

POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """A strategy minus the baseline on one language, or on the average; scores are proportions."""

    language: str
    """Its code, or :data:`AVERAGE`."""
    score: float
    """Mean of the strategy over its seeds."""
    baseline: float
    seeds: Mapping[int, float]
    """Difference of each seed that both have."""
    contrast: Contrast | None
    reason: str = ""
    """Why there is no inference."""
    corrected: float | None = None
    """p after correction: Holm's over strategies for averages, Benjamini–Hochberg's over all cells for languages."""
    superiority: float | None = None
    """P(strategy > baseline) over pairs of runs, ties half."""

    @property
    def estimate(self) -> float:
        return self.score - self.baseline

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, over new seeds and new items; not corrected."""
        return self.contrast.interval() if self.contrast else None

    @property
    def significant(self) -> bool | None:
        """After correction; None without inference."""
        return None if self.corrected is None else self.corrected <= ALPHA

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that this design finds with 80 % power, before correction."""
        return detectable(self.contrast.se, self.contrast.df, POWER, ALPHA) if self.contrast else None

    @property
    def error_reduction(self) -> float | None:
        """Share of the baseline's errors that are gone."""
        return relative_error_reduction(self.score, self.baseline)


@dataclass(frozen=True)
class Versus:
    """One strategy against the baseline on one task."""

    strategy: str
    baseline: str
    languages: tuple[Difference, ...]
    average: Difference
    sample: Contrast | None
    """The average with languages as a sample of languages, by family."""
    sample_reason: str
    seeds: tuple[int, int]
    """How many seeds the strategy and the baseline have on all languages."""

    @property
    def better(self) -> tuple[int, int]:
        """On how many languages the mean is above the baseline's, and of how many. A description, no test."""
        # Rounded, for equal scores may differ in the last bit of their means.
        return sum(round(one.estimate, 9) > 0 for one in self.languages), len(self.languages)

    @property
    def improved(self) -> int | None:
        """At least so many languages improved, with family-wise error ≤ 5 %; None where a language has no inference."""
        p = [one.contrast.p_greater for one in self.languages if one.contrast]
        return improved_at_least(p, ALPHA) if p and len(p) == len(self.languages) else None


@dataclass(frozen=True)
class Comparison:
    """Strategies against one baseline on one task under one backbone."""

    table: TaskTable
    metric: str
    baseline: str
    versus: tuple[Versus, ...]
    standings: Mapping[str, Standing]
    """Of the averages of the strategies and the baseline, among themselves."""
    correction: str = "bh"
    """Over languages: ``bh`` (Benjamini–Hochberg) or ``by`` (Benjamini–Yekutieli, under any dependence)."""
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def words(self) -> list[str]:
        """A line for each strategy: whether it differs, and how sure that is."""
        from xleval.comparison.wording import sentences

        return list(sentences(self))

    def to_markdown(self) -> str:
        """The averages, and the languages, as pipe tables."""
        from xleval.report.comparison import grids

        return "\n".join(grid.markdown() for grid in grids(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; proportions."""
        from xleval.report.comparison import as_dict

        return as_dict(self)


def compare(
    found: MeasuredTable,
    baseline: str,
    families: Mapping[str, str],
    correction: str = "bh",
    *,
    among: Mapping[tuple[str, str], Standing] | None = None,
) -> Comparison:
    """Each of the strategies, all of the table but the baseline, against it, on the languages that both have scores in.

    ``families``: language → its family; a language without one is a family of its own. p-values of averages are
    corrected by Holm's method over the strategies, those of languages over all strategies and languages of the table,
    which is one family of tests: a task under a backbone. ``among``: the standings, where they are known.
    """
    strategies = [row.strategy for row in found.table.rows if row.strategy != baseline]
    versus = [_versus(found, strategy, baseline, families) for strategy in strategies]
    tested = [one for one in versus if one.average.contrast]
    corrected = iter(holm([one.average.contrast.p for one in tested if one.average.contrast]))
    versus = [
        replace(one, average=replace(one.average, corrected=float(next(corrected)))) if one.average.contrast else one
        for one in versus
    ]
    adjust = {"bh": benjamini_hochberg, "by": benjamini_yekutieli}[correction]
    p = iter(adjust([d.contrast.p for one in versus for d in one.languages if d.contrast]))
    versus = [
        replace(
            one,
            languages=tuple(replace(d, corrected=float(next(p))) if d.contrast else d for d in one.languages),
        )
        for one in versus
    ]
    notes = _notes(found, [baseline, *strategies], versus)
    averages = {name: one for (name, column), one in (among or standings(found)).items() if column == AVERAGE}
    return Comparison(found.table, found.table.metric, baseline, tuple(versus), averages, correction, notes)


def _versus(found: MeasuredTable, strategy: str, baseline: str, families: Mapping[str, str]) -> Versus:
    ours, theirs = found.row(strategy), found.row(baseline)
    shared = [code for code in found.table.languages if ours.entries[code].scores and theirs.entries[code].scores]
    by_language = tuple(_difference(found, ours, theirs, [code], code) for code in shared)
    average = _difference(found, ours, theirs, shared, AVERAGE)
    sample, why = _sample(by_language, average, families)
    seeds = tuple(len(_common(row, shared)) for row in (ours, theirs))
    return Versus(strategy, baseline, by_language, average, sample, why, (seeds[0], seeds[1]))


def _difference(found: MeasuredTable, ours: Row, theirs: Row, languages: Sequence[str], name: str) -> Difference:
    reason = "" if languages else NO_SCORES
    pair = ((ours, theirs.strategy), (theirs, ours.strategy))
    for row, other in pair:
        if not reason and (why := found.reason(row.strategy, languages, other)):
            reason = f"{row.strategy}: {why}"
    scores = [_averages(row, languages) for row in (ours, theirs)]
    if not reason:  # where runs are shared, the means are over those that both have, as the interval is
        scores = [
            {seed: averages[seed] for seed in found.seeds(row.strategy, languages, other)}
            for averages, (row, other) in zip(scores, pair, strict=True)
        ]
    means = [statistics.fmean(seeds.values()) if seeds else float("nan") for seeds in scores]
    both = {seed: scores[0][seed] - scores[1][seed] for seed in scores[0] if seed in scores[1]}
    if reason:
        return Difference(name, means[0], means[1], both, None, reason)
    return Difference(
        name,
        means[0],
        means[1],
        both,
        difference(found, ours.strategy, theirs.strategy, languages),
        superiority=probability_of_superiority(list(scores[0].values()), list(scores[1].values())),
    )


def _averages(row: Row, languages: Sequence[str]) -> dict[int, float]:
    return {
        seed: statistics.fmean(row.entries[code].scores[seed] for code in languages) for seed in _common(row, languages)
    }


def _common(row: Row, languages: Sequence[str]) -> list[int]:
    sets = [set(row.entries[code].scores) for code in languages]
    return sorted(set.intersection(*sets)) if sets else []


def _sample(
    by_language: Sequence[Difference], average: Difference, families: Mapping[str, str]
) -> tuple[Contrast | None, str]:
    if average.contrast is None:
        return None, average.reason
    contrasts = [one.contrast for one in by_language if one.contrast]
    names = [families.get(one.language, one.language) for one in by_language]
    if len(set(names)) < 2:
        return None, "languages of one family say nothing about others"
    return (
        over_languages(average.contrast, [c.estimate for c in contrasts], [c.variance for c in contrasts], names),
        "",
    )


def _notes(found: MeasuredTable, strategies: Sequence[str], versus: Sequence[Versus]) -> tuple[str, ...]:
    notes = list(dict.fromkeys(f"no inference: {d.reason}" for one in versus
                               for d in (*one.languages, one.average) if d.reason))  # fmt: skip
    for one in versus:
        missing = [code for code in found.table.languages if code not in {d.language for d in one.languages}]
        if missing:
            notes.append(f"{one.strategy} and {one.baseline} do not both have scores in {', '.join(missing)}")
    for strategy in strategies:
        entries = found.row(strategy).entries.values()
        if len({tuple(entry.scores) for entry in entries if entry.scores}) > 1:
            notes.append(f"{strategy} has not the same seeds in all languages; averages are over those common to all")
    return tuple(dict.fromkeys(notes))
