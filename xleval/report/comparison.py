"""A comparison as tables, JSON and figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xleval.comparison.versus import Comparison, Difference, Versus
from xleval.comparison.wording import bare_p, sentences, unit
from xleval.report.forest import Difference as ForestRow
from xleval.report.forest import Score as ScoreRow
from xleval.report.forest import forest_plot, interval_plot
from xleval.report.grid import MISSING, Grid, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from xleval.stats.contrast import Contrast

_CORRECTIONS = {"bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}
_TIDY = (
    "task", "version", "data", "limit", "metric", "backbone", "baseline", "strategy", "language", "score",
    "baseline_score", "difference", "low", "high", "p", "p_corrected", "significant", "df", "detectable",
    "superiority", "seeds",
)  # fmt: skip


def grids(found: Comparison) -> list[Grid]:
    """The averages, a row a strategy; then the languages, a row each where there is one strategy to look at."""
    each = _languages(found) if len(found.versus) > 1 else _one_by_language(found, found.versus[0])
    return [_averages(found), each]


def _averages(found: Comparison) -> Grid:
    headers = [
        "strategy", "average", "95 % interval", "tied with best", f"− {found.baseline}", "95 % interval", "corrected p",
        "other languages", "detectable", "P(above)", "better", "at least",
    ]  # fmt: skip
    rows = [[found.baseline, *_score(found, found.baseline, found.versus[0].average.baseline), *[""] * 8]]
    for one in found.versus:
        average = one.average
        rows.append(
            [
                one.strategy,
                *_score(found, one.strategy, average.score),
                signed(_number(average.estimate), 100),
                _bounds(average.contrast),
                bare_p(average.corrected) + "*" * bool(average.significant),
                _bounds(one.sample),
                MISSING if average.detectable is None else f"{100 * average.detectable:.1f}",
                MISSING if average.superiority is None else f"{average.superiority:.2f}",
                "{}/{}".format(*one.better),
                MISSING if one.improved is None else str(one.improved),
            ]
        )
    return Grid(f"{_about(found)}: averages", headers, rows, _TIDY, list(_tidy(found)), _legend(found))


def _score(found: Comparison, strategy: str, mean: float) -> list[str]:
    standing = found.standings[strategy]
    interval = (
        MISSING if standing.interval is None else "[{:.1f}, {:.1f}]".format(*(100 * b for b in standing.interval))
    )
    return [_percents(mean), interval, {True: "yes", False: "no", None: MISSING}[standing.tied]]


def _percents(value: float) -> str:
    return MISSING if _number(value) is None else f"{100 * value:.1f}"


def _bounds(contrast: Contrast | None) -> str:
    if contrast is None:
        return MISSING
    return "[{}, {}]".format(*(signed(bound, 100) for bound in contrast.interval()))


def _languages(found: Comparison) -> Grid:
    codes = [
        code for code in found.table.languages if any(d.language == code for v in found.versus for d in v.languages)
    ]
    rows = []
    for one in found.versus:
        cells = {d.language: d for d in one.languages}
        rows.append([one.strategy, *(_mark(cells.get(code)) for code in codes)])
    note = f"* p ≤ .05 after {_CORRECTIONS[found.correction]}'s correction over all cells of this table"
    return Grid(
        f"{_about(found)}: strategy − {found.baseline}, by language", ["strategy", *codes], rows, (), [], [note]
    )


def _mark(one: Difference | None) -> str:
    return MISSING if one is None else signed(one.estimate, 100) + "*" * bool(one.significant)


def _one_by_language(found: Comparison, one: Versus) -> Grid:
    headers = [
        "language",
        one.strategy,
        found.baseline,
        "difference",
        "95 % interval",
        "corrected p",
        "detectable",
        "P(above)",
    ]
    rows = [
        [
            d.language,
            _percents(d.score),
            _percents(d.baseline),
            signed(d.estimate, 100),
            _bounds(d.contrast),
            bare_p(d.corrected) + "*" * bool(d.significant),
            MISSING if d.detectable is None else f"{100 * d.detectable:.1f}",
            MISSING if d.superiority is None else f"{d.superiority:.2f}",
        ]
        for d in one.languages
    ]
    note = f"* p ≤ .05 after {_CORRECTIONS[found.correction]}'s correction over all cells of this table"
    return Grid(f"{_about(found)}: {one.strategy} − {found.baseline}, by language", headers, rows, (), [], [note])


def _about(found: Comparison) -> str:
    table = found.table
    limit = f", limited to {table.limit} examples a split" if table.limit else ""
    return f"{table.task} (version {table.version}, {table.data}), {found.metric} × 100, {table.backbone}{limit}"


def _legend(found: Comparison) -> list[str]:
    notes = [
        "intervals are over new seeds and new items, for these languages; not corrected for the number of comparisons",
        "corrected p: Holm over strategies; * ≤ .05",
    ]
    if any(one.average.contrast for one in found.versus):
        notes += [
            "other languages: the same with languages as a sample of languages, by family"
            + "".join(dict.fromkeys(f"; none: {one.sample_reason}" for one in found.versus if one.sample_reason)),
            "detectable: the smallest true difference that is found with 80 % power; P(above): a run of the strategy "
            "is above one of the baseline",
            "better: languages with a higher mean, no test; at least: so many improved, with family-wise error ≤ 5 %",
        ]
    return [*notes, *found.notes]


def _tidy(found: Comparison) -> Iterator[list[Any]]:
    table = found.table
    about = (table.task, table.version, table.data, table.limit, found.metric, table.backbone, found.baseline)
    for one in found.versus:
        for d in (*one.languages, one.average):
            low, high = d.interval or (None, None)
            c = d.contrast
            yield [
                *about, one.strategy, d.language or "average",
                *map(_number, (d.score, d.baseline, d.estimate)), low, high,
                c.p if c else None, d.corrected, d.significant, c.df if c else None, d.detectable, d.superiority,
                len(d.seeds),
            ]  # fmt: skip


def as_dict(found: Comparison) -> dict[str, Any]:
    """Everything, for JSON; proportions."""
    table = found.table
    return {
        "task": table.task,
        "version": table.version,
        "data": table.data,
        "limit": table.limit or None,
        "backbone": table.backbone,
        "metric": found.metric,
        "baseline": found.baseline,
        "interval_level": 0.95,
        "correction": {"averages": "holm", "languages": found.correction},
        "strategies": [_plain(found, one) for one in found.versus],
        "tied_with_best": [name for name, standing in found.standings.items() if standing.tied],
        "in_words": list(sentences(found)),
        "notes": list(found.notes),
    }


def _plain(found: Comparison, one: Versus) -> dict[str, Any]:
    return {
        "strategy": one.strategy,
        "seeds": list(one.seeds),
        "average": _plain_difference(one.average),
        "languages_as_a_sample": _plain_contrast(one.sample, one.sample_reason),
        "languages": {d.language: _plain_difference(d) for d in one.languages},
        "better": list(one.better),
        "improved_at_least": one.improved,
        "tied_with_best": found.standings[one.strategy].tied,
    }


def _plain_difference(d: Difference) -> dict[str, Any]:
    return {
        "score": _number(d.score),
        "baseline": _number(d.baseline),
        "difference": _number(d.estimate),
        **_plain_contrast(d.contrast, d.reason),
        "p_corrected": d.corrected,
        "significant": d.significant,
        "detectable": d.detectable,
        "superiority": d.superiority,
        "relative_error_reduction": d.error_reduction if d.contrast else None,
        "seeds": {str(seed): value for seed, value in d.seeds.items()},
    }


def _plain_contrast(contrast: Contrast | None, reason: str) -> dict[str, Any]:
    if contrast is None:
        return {"interval": None, "p": None, "reason": reason}
    return {
        "interval": list(contrast.interval()),
        "p": contrast.p,
        "se": contrast.se,
        "df": _number(contrast.df),
        "variance": {"seeds": contrast.runs, "items": contrast.items, "both": contrast.residual},
    }


def _number(value: float) -> float | None:
    return value if abs(value) < float("inf") else None  # neither NaN nor infinity is JSON


def figures(found: Comparison, families: Mapping[str, str]) -> dict[str, Figure]:
    """``forest-STRATEGY`` for each strategy, and ``scores``, the strategies' averages."""
    made = {
        "scores" if len(found.versus) > 1 else "": interval_plot(
            list(_scores(found)), title=_about(found), x_label=f"average {unit(found.metric)}"
        )
    }
    for one in found.versus:
        rows = [_forest_row(d, families.get(d.language, "")) for d in one.languages]
        low, high = one.average.interval or (None, None)
        rows.append(_summary("average (these languages)", one.average, low, high, one.average.significant))
        if one.sample:
            low, high = one.sample.interval()
            rows.append(_summary("average (languages as a sample)", one.average, low, high, one.sample.p <= 0.05))
        made["forest-" + re.sub(r"[^\w.,=-]", "_", one.strategy)] = forest_plot(
            rows, title=_about(found), x_label=f"difference, {unit(found.metric)}", baseline=found.baseline,
            strategy=one.strategy, significance=f"significant ({found.correction.upper()}; averages Holm), 5 %",
        )  # fmt: skip
    return made


def _forest_row(d: Difference, family: str) -> ForestRow:
    low, high = d.interval or (None, None)
    dots = [100 * value for value in d.seeds.values()]
    return ForestRow(d.language, 100 * d.estimate, _percent(low), _percent(high), dots, d.significant, family)


def _summary(label: str, d: Difference, low: float | None, high: float | None, significant: bool | None) -> ForestRow:
    return ForestRow(label, 100 * d.estimate, _percent(low), _percent(high), (), significant, "", True)


def _scores(found: Comparison) -> Iterator[ScoreRow]:
    for name, standing in found.standings.items():
        entry = next(row for row in found.table.rows if row.strategy == name).average
        low, high = standing.interval or (None, None)
        dots = [100 * score for score in entry.scores.values()]
        yield ScoreRow(
            name, None if entry.mean is None else 100 * entry.mean, _percent(low), _percent(high), dots, standing.tied
        )


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
