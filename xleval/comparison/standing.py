"""Who may be the best: scores with intervals, and the strategies that no other is significantly above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xleval.comparison.measured import MeasuredTable
from xleval.report.table import AVERAGE, Standing
from xleval.stats.contrast import Contrast, contrast

ALPHA = 0.05


def standings(
    found: MeasuredTable, alpha: float = ALPHA, columns: Mapping[str, Sequence[str]] | None = None
) -> dict[tuple[str, str], Standing]:
    """(strategy, column) → its standing.

    ``columns``: name → the languages that it averages over; by default each language, and :data:`AVERAGE`, which is all
    of the table.

    K strategies of a column are compared by pairs. One is tied with the best unless another is above it with a
    one-sided p ≤ α / (K − 1). Whichever strategy is truly the best, it is among the tied with probability 1 − α at
    least: it has K − 1 comparisons to lose. So the tied are a confidence set for the best, and that the best was chosen
    by looking is allowed for.

    Source: Hsu 1981 (multiple comparisons with the best); Mogstad, Romano, Shaikh & Wilhelm 2024 (inference for ranks).
    """
    made: dict[tuple[str, str], Standing] = {}
    names = [row.strategy for row in found.table.rows]
    if columns is None:
        columns = {**{code: [code] for code in found.table.languages}, AVERAGE: found.table.languages}
    for column, languages in columns.items():
        reasons = {name: found.reason(name, languages) for name in names}
        able = [name for name in names if not reasons[name]]
        beaten = _beaten(found, able, languages, alpha)
        for name in names:
            if reasons[name]:
                made[name, column] = Standing(None, None, reasons[name])
            else:
                score = contrast(found.cells_of(name, languages), [1 / len(languages)] * len(languages))
                low, high = score.interval()
                made[name, column] = Standing(
                    (max(low, 0.0), min(high, 1.0)), name not in beaten if len(able) > 1 else None
                )
    return made


def difference(found: MeasuredTable, first: str, second: str, languages: Sequence[str]) -> Contrast:
    """Average of the first strategy minus that of the second over these languages; both have cells on all."""
    key = (first, second, tuple(languages))
    if key not in found.differences:
        cells = found.cells_of(first, languages, second) + found.cells_of(second, languages, first)
        weights = [1 / len(languages)] * len(languages) + [-1 / len(languages)] * len(languages)
        found.differences[key] = contrast(cells, weights)
    return found.differences[key]


def _beaten(found: MeasuredTable, names: Sequence[str], languages: Sequence[str], alpha: float) -> set[str]:
    beaten: set[str] = set()
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            if found.reason(first, languages, second):
                continue  # two seeds that both have are needed where runs are shared
            one = difference(found, first, second, languages)
            if min(one.p_less, one.p_greater) * (len(names) - 1) <= alpha:
                beaten.add(first if one.p_less < one.p_greater else second)
    return beaten
