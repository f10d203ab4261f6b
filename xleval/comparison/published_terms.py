"""Tables in the terms of the TLR paper: scores, averages, the column "Better", and asterisks on doubtful gains.

The terms are those of Parović et al. 2023, "Cross-Lingual Transfer with Target Language-Ready Task Adapters", Tables 2
and 6 to 8: a row a strategy, a column a language, an average; on how many languages a strategy is above the baseline;
and an asterisk on a gain over the baseline that is *not* significant. They are here so that a published table and our
own can be read in the same way. What xleval itself says of a difference is in ``versus.py``; printed tables are put
into these terms by ``printed_terms.py``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError, nearest
from xleval.published import better
from xleval.report.table import AVERAGE, Entry, Row, TaskTable
from xleval.stats.student import TTest, asterisk, student

if TYPE_CHECKING:
    from xleval.report.grid import Grid

#: The level of the asterisk.
ALPHA = 0.05
#: Digits after the point of our own scores: as in the paper.
DIGITS = 2

_ONE_SEED = "one seed"
_ONE_COMMON = "one seed with scores in all languages"


@dataclass(frozen=True)
class Score:
    """One cell, in percent; gains and tests in points."""

    value: float | Decimal | None = None
    """Mean over seeds, or the printed number; None without a score."""
    seeds: Mapping[int, float] = field(default_factory=dict)
    """The score of each seed; empty where a paper prints the mean alone."""
    failed: int = 0
    gain: float | Decimal | None = None
    """Over the baseline; None for the baseline, and where either has no score."""
    test: TTest | None = None
    """Student's t of the gain, two independent samples of seeds."""
    reason: str = ""
    """Why there is a gain and no test."""
    asterisk: bool = False
    """A gain that is not significant: by ``test``, or as printed."""


@dataclass(frozen=True)
class Line:
    """One strategy."""

    strategy: str
    """As it is shown: the paper's name in a printed table."""
    xleval: str | None
    """xleval's strategy, None where it has none."""
    languages: Mapping[str, Score]
    average: Score
    """Over all languages of the table; of seeds that have all of them."""
    better: tuple[int, int] | None = None
    """On how many languages above the baseline, and of how many that both have; None for the baseline."""
    printed_average: Decimal | None = None


@dataclass(frozen=True)
class PublishedTerms:
    """One task and metric under one backbone, as the TLR paper would print it. Percents and points."""

    caption: str
    task: str
    metric: str
    backbone: str | None
    languages: tuple[str, ...]
    baseline: str | None
    """None where the baseline has no scores with this backbone or task."""
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    digits: int = DIGITS
    key: str = ""
    """``tlr:2a``; empty for scores from records."""
    version: str = ""
    data: str = ""
    limit: str = ""

    def grids(self) -> list[Grid]:
        """One, for the terminal, Markdown, LaTeX and CSV."""
        from xleval.report.published_terms import grid

        return [grid(self)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; every number in full."""
        from xleval.report.published_terms import as_dict

        return as_dict(self)


def from_table(table: TaskTable, strategies: Sequence[str], baseline: str) -> PublishedTerms:
    """Scores of records in the terms of the paper; ``strategies`` empty: all of the table.

    A score is the mean over all seeds of its language. An average is taken for each seed that has scores in all
    languages, then over these seeds; a strategy that lacks a language has none. Gains, on a language and on the
    average, are tested by Student's t of two independent samples of seeds, which may differ in number
    (``xleval.stats.student.student``): two-sided, α = .05. A positive gain with p > α gets the asterisk. With fewer
    than two seeds on a side there is no test, no asterisk, and a note that says so.

    The test knows seeds alone: see ``xleval.stats.student`` for what it leaves out. Means that agree to nine digits
    count as equal, and equal scores are not better.

    Raises:
        UserError: a strategy or baseline that the table does not have, or has in several configurations.
    """
    rows = {row.strategy: row for row in table.rows}
    base = _row_of(baseline, rows, "baseline", table.task)
    names = list(dict.fromkeys(_row_of(name, rows, "strategy", table.task) for name in strategies)) or list(rows)
    if base not in names:
        names.insert(0, base)
    entries = [rows[name].entries for name in names]
    languages = [code for code in table.languages if any(e[code].scores or e[code].failed for e in entries)]
    lines = [_line(rows[name], None if name == base else rows[base], languages) for name in names]
    counts = {len(cell.seeds) for line in lines for cell in line.languages.values() if cell.seeds}
    limit = f", limited to {table.limit} examples a split" if table.limit else ""
    return PublishedTerms(
        f"{table.task} (version {table.version}, {table.data}), {table.metric} × 100, {table.backbone}{limit}: "
        f"means over {' or '.join(map(str, sorted(counts))) or 'no'} seed{'s' * (counts != {1})}, baseline {base}",
        table.task, table.metric, table.backbone, tuple(languages), base, tuple(lines),
        (*_legend(lines, base), *_untested(lines), *_incomplete(lines)),
        version=table.version, data=table.data, limit=table.limit,
    )  # fmt: skip


def _row_of(name: str, rows: Mapping[str, Row], kind: str, task: str) -> str:
    if name in rows:
        return name
    # Runs of one strategy in two configurations are rows of their own, "madx [1a2b3c]".
    found = [label for label in rows if label.partition(" [")[0] == name]
    if len(found) > 1:
        raise UserError(f"{kind} {name!r} has several configurations in the results of {task}: {', '.join(found)}")
    return found[0] if found else known_or_refused(name, rows, kind, f"the results of {task}")


def known_or_refused(name: str, known: Iterable[str], kind: str, where: str) -> str:
    """The name, if it is one of the known; raises UserError with the nearest ones and all of them."""
    known = list(dict.fromkeys(known))
    if name not in known:
        raise UserError(f"no {kind} {name!r} in {where}{nearest(name, known)} (it has {', '.join(known)})")
    return name


def _line(row: Row, base: Row | None, languages: Sequence[str]) -> Line:
    cells = {code: _score(row, row.entries[code], base, base.entries[code] if base else None) for code in languages}
    whole = _score(row, _whole(row, languages), base, _whole(base, languages) if base else None)
    if whole.reason and any(cell.reason != whole.reason for cell in cells.values()):
        whole = Score(whole.value, whole.seeds, 0, whole.gain, reason=_ONE_COMMON)
    ours = {code: _rounded(cell.value) for code, cell in cells.items() if cell.value is not None}
    theirs = {
        code: _rounded(100 * mean) for code in languages if base and (mean := base.entries[code].mean) is not None
    }
    return Line(row.strategy, row.strategy.partition(" [")[0], cells, whole, better(ours, theirs) if base else None)


def _whole(row: Row, languages: Sequence[str]) -> Entry:
    """The average of each seed that has scores in all of the languages."""
    each = [row.entries[code].scores for code in languages]
    common = sorted(set.intersection(*map(set, each))) if each else []
    return Entry({seed: statistics.fmean(scores[seed] for scores in each) for seed in common})


def _score(row: Row, ours: Entry, base: Row | None, theirs: Entry | None) -> Score:
    seeds = {seed: 100 * score for seed, score in ours.scores.items()}
    value = statistics.fmean(seeds.values()) if seeds else None
    if value is None or base is None or theirs is None or theirs.mean is None:
        return Score(value, seeds, ours.failed)
    # Rounded, for equal scores may differ in the last bit of their means.
    gain = round(_rounded(value) - _rounded(100 * theirs.mean), 9)
    few = [one.strategy for one, scores in ((row, ours.scores), (base, theirs.scores)) if len(scores) < 2]
    if few:
        reason = _ONE_SEED if len(few) > 1 else f"{_ONE_SEED} of {few[0]}"
        return Score(value, seeds, ours.failed, gain, reason=reason)
    test = student(list(seeds.values()), [100 * score for score in theirs.scores.values()])
    return Score(value, seeds, ours.failed, gain, test, asterisk=bool(asterisk(gain, test.p, ALPHA)))


def _rounded(value: float | Decimal) -> float:
    return round(float(value), 9)


def _legend(lines: Sequence[Line], base: str) -> list[str]:
    notes = []
    if any(cell.test for line in lines for _, cell in columns_of(line)):
        notes = [
            f"*: a gain over {base} that is not significant by Student's t over seeds (two-sided, .05)",
            "Student's t over seeds says nothing about new test items: in simulations, at a nominal 5 %, it called "
            "4 to 14 % of true nulls significant (docs/statistics.md)",
        ]
    if any(line.better for line in lines):
        notes.append(better_means(base))
    return notes


def better_means(base: str) -> str:
    """The legend of the column."""
    return f"better: on how many languages a score is strictly above that of {base}; a description, no test"


def columns_of(line: Line) -> list[tuple[str, Score]]:
    """(language, cell), the average last with the language :data:`AVERAGE`."""
    return [*line.languages.items(), (AVERAGE, line.average)]


def _untested(lines: Sequence[Line]) -> Iterator[str]:
    """Why gains have no test: once where it is the same everywhere, else for each strategy."""
    gains = {
        line.strategy: [(code, cell) for code, cell in columns_of(line) if cell.gain is not None] for line in lines
    }
    everywhere = {cell.reason for cells in gains.values() for _, cell in cells}
    if len(everywhere) == 1:
        yield from (f"no inference: {reason}" for reason in everywhere if reason)
        return
    for name, cells in gains.items():
        for reason in dict.fromkeys(cell.reason for _, cell in cells if cell.reason):
            codes = [code for code, cell in cells if cell.reason == reason]
            places = [f"in {', '.join(filter(None, codes))}"] if any(codes) else []
            places += ["on the average"] if AVERAGE in codes else []
            where = f" {' and '.join(places)}" if len(codes) < len(cells) else ""
            yield f"no inference for {name}{where}: {reason}"


def _incomplete(lines: Sequence[Line]) -> Iterator[str]:
    """Which scores are missing, and what averages are over because of it."""
    for line in lines:
        missing = [code for code, cell in line.languages.items() if cell.value is None]
        if missing:
            yield f"{line.strategy} has no scores in {', '.join(missing)}, and so no average"
            continue
        seeds = sorted({seed for cell in line.languages.values() for seed in cell.seeds})
        absent = {s: [code for code, cell in line.languages.items() if s not in cell.seeds] for s in seeds}
        gaps = "; ".join(f"seed {seed} is missing in {', '.join(codes)}" for seed, codes in absent.items() if codes)
        if gaps:
            over = ", ".join(map(str, line.average.seeds))
            what = f"average over seed{'s' * (len(line.average.seeds) > 1)} {over}" if over else "no average"
            yield f"{line.strategy}: {what}, as {gaps}"
