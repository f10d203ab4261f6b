"""What a comparison comes to, in plain words."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from xleval.comparison.versus import Comparison, Difference, Versus
from xleval.report.grid import MISSING

_NAMES = {"f1": "F1", "em": "EM", "las": "LAS", "uas": "UAS", "accuracy": "points of accuracy"}


def unit(metric: str) -> str:
    """What a difference in points is called: ``F1``, ``points of accuracy``."""
    return _NAMES.get(metric, f"points of {metric}")


def sentences(found: Comparison) -> Iterator[str]:
    """A line for each strategy: which is better, how sure that is, and what was too small to be seen."""
    for one in found.versus:
        yield _sentence(one, unit(found.metric))


def _sentence(one: Versus, of: str) -> str:
    average = one.average
    count = len(one.languages)
    where = f"on the average of {count} languages" if count != 1 else f"on {one.languages[0].language}"
    if average.contrast is None or average.interval is None:
        if not one.languages:
            return f"{one.strategy} and {one.baseline} have no language in common."
        return (
            f"{one.strategy} scores {_points(average.estimate)} {of} {'above' if average.estimate >= 0 else 'below'} "
            f"{one.baseline} {where}; whether that is more than chance cannot be said: {average.reason}."
        )
    low, high = (100 * bound for bound in average.interval)
    if average.contrast.variance == 0 and average.estimate == 0:
        return f"{one.strategy} and {one.baseline} predict the same {where}: 0.0 {of} [0.0, 0.0], p = 1."
    if average.significant:
        better, worse = (one.strategy, one.baseline) if average.estimate > 0 else (one.baseline, one.strategy)
        bounds = sorted((abs(low), abs(high)))
        said = f"{better} is better than {worse} by {_points(average.estimate)} {of} [{bounds[0]:.1f}, {bounds[1]:.1f}]"
        said += f" {where}"
    else:
        said = f"{one.strategy} and {one.baseline} are not told apart {where}: {_signed(100 * average.estimate)} {of} "
        said += f"[{_signed(low)}, {_signed(high)}]"
    return f"{said} (corrected {p_text(average.corrected)}){_power(one)}."


def _power(one: Versus) -> str:
    """What the seeds at hand can find, and for which claims that is too little."""
    n = one.seeds[0] if one.seeds[0] == one.seeds[1] else f"{one.seeds[0]} and {one.seeds[1]}"
    average, parts = one.average, []
    if not average.significant and _misses(average):
        parts.append(f"{_points(average.detectable)} or more on the average (observed: {_points(average.estimate)})")
    each = [d.detectable for d in one.languages if d.detectable is not None]
    weak = False
    if len(one.languages) > 1 and each:
        median = statistics.median(each)
        weak = median > abs(average.estimate)
        parts.append(f"{_points(median)} or more on a language")
    if not parts:
        return ""
    under = "underpowered" + (" for per-language claims" if weak and average.significant else "")
    hint = f": {under}" if weak or (not average.significant and _misses(average)) else ""
    return f"; {n} seeds detect {', and '.join(parts)}{hint}"


def _misses(one: Difference) -> bool:
    return one.detectable is not None and one.detectable > abs(one.estimate)


def p_text(p: float | None) -> str:
    """``p = .031``, ``p < .001``."""
    if p is None:
        return "not tested"
    if p < 0.001:
        return "p < .001"
    return "p = 1" if p > 0.9995 else f"p = {p:.3f}".replace("0.", ".")


def bare_p(p: float | None) -> str:
    """For a column of p-values: ``.031``, ``< .001``, and a dash where nothing was tested."""
    return MISSING if p is None else p_text(p).removeprefix("p ").removeprefix("= ")


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * abs(value):.1f}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0").replace("-", "−")
