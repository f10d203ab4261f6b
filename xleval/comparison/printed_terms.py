"""Printed tables in the terms of the TLR paper: reference rows beside the columns that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from xleval.comparison.published_terms import Line, PublishedTerms, Score, better_means, columns_of, known_or_refused
from xleval.errors import UserError
from xleval.published import AVERAGE, Printed, PrintedTable, average, better

if TYPE_CHECKING:
    from xleval.experiment import SuiteTable

#: The baseline of a printed table of which no suite says another.
MADX = "MAD-X"
#: What a reference row says of a gain with an asterisk.
_MARK = re.compile(r"non-significant gain over ([^(;]+)", re.IGNORECASE)


def from_reference(
    printed: PrintedTable,
    task: str = "",
    metric: str = "",
    strategies: Sequence[str] = (),
    baseline: str = "",
    suite: SuiteTable | None = None,
) -> tuple[PublishedTerms, ...]:
    """A printed table, one part for each backbone and task that it has; empty ``strategies``: all.

    Args:
        metric: by default F1 where the table has it, as "Better" counts it of answers; else the first.
        strategies, baseline: names of the paper, whatever their case, or of xleval. The default baseline is that of
            ``suite``, else MAD-X, else the first row.
        suite: the suite's table that stands for the printed one.

    Nothing is tested: a printed number is one run, or a mean without its runs. Asterisks are those of the paper, where
    the reference rows have them. Averages are of the printed cells, exact, beside those that are printed.

    Raises:
        UserError: a task, metric, strategy or baseline that the table does not have.
    """
    groups: dict[tuple[str | None, str], list[Printed]] = {}
    for row in printed.rows:
        groups.setdefault((row.backbone, row.task), []).append(row)
    if task:
        known_or_refused(task, printed.tasks, "task", printed.shown)
        groups = {group: rows for group, rows in groups.items() if group[1] == task}
    if metric:
        known_or_refused(metric, [row.metric for rows in groups.values() for row in rows], "metric", printed.shown)
    chosen = {group: [row for row in rows if row.metric == (metric or _metric(rows))] for group, rows in groups.items()}
    everywhere = [row for rows in chosen.values() for row in rows]
    for kind, names in (("strategy", strategies), ("baseline", [baseline] if baseline else [])):
        for name in names:
            if not _printed_names(name, everywhere):
                known = [n for row in everywhere for n in (row.printed_strategy, row.strategy) if n]
                known_or_refused(name, known, kind, printed.shown)
    made = []
    for rows in chosen.values():
        wanted = {name: _printed_names(name, rows) for name in strategies}
        if rows and (any(wanted.values()) or not strategies):
            made.append(_printed_part(printed, rows, wanted, baseline, suite))
    return tuple(made)


def _metric(rows: Sequence[Printed]) -> str:
    metrics = [row.metric for row in rows]
    return "f1" if "f1" in metrics else metrics[0]


def _printed_names(name: str, rows: Iterable[Printed]) -> list[str]:
    """The printed strategies that a name of the paper or of xleval stands for, in printed order."""
    rows = list(rows)
    exact = [row.printed_strategy for row in rows if row.printed_strategy.casefold() == name.casefold()]
    return list(dict.fromkeys(exact or [row.printed_strategy for row in rows if row.strategy == name]))


def _base(asked: str, rows: Sequence[Printed], suite: SuiteTable | None) -> str | None:
    found = _printed_names(asked or (suite.baseline if suite else "") or MADX, rows)
    if len(found) > 1:
        raise UserError(f"baseline {asked!r} stands for several rows: {', '.join(map(repr, found))}; name one of them")
    return found[0] if found else None if asked else rows[0].printed_strategy


def _printed_part(
    printed: PrintedTable,
    rows: Sequence[Printed],
    wanted: Mapping[str, Sequence[str]],
    asked: str,
    suite: SuiteTable | None,
) -> PublishedTerms:
    """``rows``: of one backbone, task and metric. ``wanted``: asked name → its printed ones; empty: all strategies."""
    base = _base(asked, rows, suite)
    found = [name for names in wanted.values() for name in names]
    names = list(dict.fromkeys(found or (row.printed_strategy for row in rows)))
    if base and base not in names:
        names.insert(0, base)
    rows = [row for row in rows if row.printed_strategy in names]
    languages = tuple(dict.fromkeys(row.language for row in rows if row.language != AVERAGE))
    by_name = {name: {row.language: row for row in rows if row.printed_strategy == name} for name in names}
    lines = tuple(_printed_line(name, by_name[name], base, by_name[base] if base else {}, languages) for name in names)
    first, digits = rows[0], max(0, *(-int(row.percent.as_tuple().exponent) for row in rows))
    ours = suite.metrics.get(first.metric, first.metric) if suite else first.metric
    about = [
        f"{printed.shown}: {suite.title}; " if suite else f"{printed.shown}: ",
        f"{first.task}, {first.metric}{f' (ours: {ours})' if ours != first.metric else ''} × 100, ",
        f"{first.backbone or 'no backbone'}: {_runs(rows)[0]}",
        f", baseline {base}" if base and len(lines) > 1 else "",
    ]
    absent = dict.fromkeys([name for name in wanted if not wanted[name]] + [asked] * (base is None))
    notes = (
        *(f"{name} has no row with this backbone and task" for name in absent),
        *_printed_legend(lines, base),
        f"no inference: {_runs(rows)[1]}",
        *_printed_gaps(lines, digits),
    )
    return PublishedTerms(
        "".join(about), first.task, first.metric, first.backbone, languages, base, lines, notes, digits, printed.key
    )


def _printed_line(
    name: str, mine: Mapping[str, Printed], base: str | None, theirs: Mapping[str, Printed], languages: Sequence[str]
) -> Line:
    compared = base is not None and name != base
    ours = {code: mine[code].percent for code in languages if code in mine}
    bases = {code: theirs[code].percent for code in languages if code in theirs}
    cells = {
        code: Score(
            ours.get(code),
            gain=ours[code] - bases[code] if compared and code in ours and code in bases else None,
            asterisk=compared and code in mine and _marked(mine[code], base),
        )
        for code in languages
    }
    means = [
        average(scores.values()) if languages and len(scores) == len(languages) else None for scores in (ours, bases)
    ]
    gain = means[0] - means[1] if compared and means[0] is not None and means[1] is not None else None
    at_end = mine.get(AVERAGE)
    return Line(
        name,
        next(iter(mine.values())).strategy,
        cells,
        Score(means[0], gain=gain, asterisk=compared and at_end is not None and _marked(at_end, base)),
        better(ours, bases) if compared and languages else None,
        at_end.percent if at_end else None,
    )


def _marked(row: Printed, base: str | None) -> bool:
    """Whether the paper has an asterisk there, for a gain over this baseline."""
    found = _MARK.search(row.note)
    return found is not None and found[1].strip() == base


def _runs(rows: Sequence[Printed]) -> tuple[str, str]:
    """What printed numbers are means of; and why they cannot be tested."""
    one = "the paper prints one number a cell,"
    counts = sorted({row.n_seeds or 0 for row in rows})
    if counts == [1]:
        return "single runs", f"{one} the score of a single run"
    if counts == [0]:
        return "number of runs not stated", f"{one} without saying of how many runs it is"
    known = " or ".join(str(count or "an unknown number of") for count in counts)
    return f"means of {known} runs", f"{one} a mean of {known} runs, without the score of each"


def _printed_legend(lines: Sequence[Line], base: str | None) -> Iterator[str]:
    if base is None:
        return
    if any(cell.asterisk for line in lines for _, cell in columns_of(line)):
        yield f"*: as printed, a gain over {base} that the paper calls not significant by Student's t at .05"
    if any(line.better for line in lines):
        yield better_means(base)
    elif not any(line.languages for line in lines):
        yield "averages alone are printed: there are no languages to count"


def _printed_gaps(lines: Sequence[Line], digits: int) -> Iterator[str]:
    """Where a printed average is not that of the printed cells, or cannot be had."""
    for line in lines:
        missing = [code for code, cell in line.languages.items() if cell.value is None]
        if missing:
            yield f"{line.strategy} has no printed scores in {', '.join(missing)}, and so no average of them"
        mean, theirs = line.average.value, line.printed_average
        if isinstance(mean, Decimal) and theirs is not None:
            rounded = mean.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
            if rounded != theirs:
                yield f"{line.strategy}: the printed cells average {mean.normalize():.6g}, the paper prints {theirs}"
