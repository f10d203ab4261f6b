"""Tables as Markdown, LaTeX, CSV, JSON, and for the terminal."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from xleval.report.table import AVERAGE, Entry, Row, Standing, Table, TaskTable

if TYPE_CHECKING:
    from rich.console import RenderableType

_MISSING = "–"


def markdown(table: Table) -> str:
    """A caption and a pipe table for each task; in bold what is tied with the best of a column."""
    parts = []
    for one in table.tables:
        bold = _bold(one)
        header = ["strategy", *one.languages, *_averages(one), "coverage"]
        lines = ["| " + " | ".join(map(escape_pipe, header)) + " |", "|:--|" + "--:|" * (len(header) - 1)]
        for row in one.rows:
            cells = [escape_pipe(row.strategy)]
            for column, entry in {**row.entries, AVERAGE: row.average}.items():
                cells.append(f"**{_text(entry)}**" if (row.strategy, column) in bold else _text(entry))
            cells += [_interval(row)] * (len(_averages(one)) > 1)
            lines.append("| " + " | ".join([*cells, _coverage(row)]) + " |")
        notes = "".join(f"\n- {escape_pipe(note)}" for note in (*one.words, *_notes(one)))
        notes = f"\n{notes}" if notes else ""
        parts.append(f"**{escape_pipe(one.caption)}**\n\n" + "\n".join(lines) + notes)
    return "\n\n".join(parts) + "\n" if parts else "no results\n"


def latex(table: Table) -> str:
    """A table environment for each task; needs the booktabs package."""
    parts = []
    for one in table.tables:
        bold = _bold(one)
        averages = _averages(one)
        header = " & ".join(map(escape_latex, ["strategy", *one.languages, *averages]))
        notes = " ".join(f"{escape_latex(note)}." for note in _notes(one))
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(one.caption)}. {notes}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(one.languages) + len(averages))}}}",
            r"\toprule",
            header + r" \\",
            r"\midrule",
        ]
        for row in one.rows:
            cells = [escape_latex(row.strategy)]
            for column, entry in {**row.entries, AVERAGE: row.average}.items():
                text = _text(entry).replace(" ±", r"{\scriptsize$\pm$") + ("}" if entry.sd is not None else "")
                text = text.replace(_MISSING, "--")
                cells.append(rf"\textbf{{{text}}}" if (row.strategy, column) in bold else text)
            cells += [escape_latex(_interval(row))] * (len(averages) > 1)
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def csv_text(table: Table) -> str:
    """One line a score: what a data frame wants."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["task", "version", "backbone", "limit", "strategy", "language", "seed", "metric", "value"])
    for one in table.tables:
        about = (one.task, one.version, one.backbone, one.limit)
        for row in one.rows:
            for language, entry in row.entries.items():
                for seed, value in entry.scores.items():
                    writer.writerow([*about, row.strategy, language, seed, one.metric, value])
    return out.getvalue()


def json_text(table: Table) -> str:
    """Means, standard deviations and every seed."""
    return json.dumps([_plain(one) for one in table.tables], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def terminal(table: Table) -> list[RenderableType]:
    """rich tables, one a task; in bold what is tied with the best of a column."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made: list[RenderableType] = []
    for one in table.tables:
        rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        rich.add_column("strategy", no_wrap=True)
        averages = _averages(one)
        for language in [*one.languages, *averages, "coverage"]:
            rich.add_column(language, justify="right", no_wrap=True)
        bold = _bold(one)
        for row in one.rows:
            entries = {**row.entries, AVERAGE: row.average}
            cells = [
                Text(_text(entry), style="bold" if (row.strategy, column) in bold else "")
                for column, entry in entries.items()
            ]
            cells += [Text(_interval(row))] * (len(averages) > 1)
            rich.add_row(Text(row.strategy), *cells, Text(_coverage(row)))
        made += [Text(one.caption), rich, *(Text(line) for line in one.words)]
        made += [Text(f"note: {note}", style="dim") for note in _notes(one)]
    return made


def _averages(one: TaskTable) -> list[str]:
    """Headers of the columns after the languages."""
    known = any((standing := row.standings.get(AVERAGE)) and standing.interval for row in one.rows)
    return ["average", "95 % interval"] if known else ["average"]


def _interval(row: Row) -> str:
    standing = row.standings.get(AVERAGE)
    if standing is None or standing.interval is None:
        return _MISSING
    return "[{:.1f}, {:.1f}]".format(*(100 * bound for bound in standing.interval))


def _notes(one: TaskTable) -> list[str]:
    """What the marks mean, and why there is no interval."""
    notes = []
    if len(one.rows) > 1:
        notes.append(
            "bold: tied with the best of its column, no other is significantly above it (family-wise error 5 %)"
            if one.tested
            else "bold: best mean, no test implied"
        )
    if len(_averages(one)) > 1:
        notes.append("interval: of the average, over new seeds and new items")
    return [*notes, *(f"no interval: {reason}" for reason in one.reasons)]


def _text(entry: Entry) -> str:
    if entry.mean is None:
        return "failed" if entry.failed else _MISSING
    return f"{100 * entry.mean:.1f}" + (f" ±{100 * entry.sd:.1f}" if entry.sd is not None else "")


def _coverage(row: Row) -> str:
    have, all_ = row.coverage
    failed = sum(entry.failed for entry in row.entries.values())
    return f"{have}/{all_}" + (f", {failed} failed" if failed else "")


def _bold(one: TaskTable) -> set[tuple[str, str]]:
    """(strategy, column) of what is tied with the best; where nothing was tested, of the best mean."""
    if len(one.rows) < 2:
        return set()
    if one.tested:
        return {(row.strategy, column) for row in one.rows for column, s in row.standings.items() if s.tied}
    found: set[tuple[str, str]] = set()
    for column in (*one.languages, AVERAGE):
        means = {row.strategy: (row.average if column == AVERAGE else row.entries[column]).mean for row in one.rows}
        top = max((mean for mean in means.values() if mean is not None), default=None)
        found |= {(name, column) for name, mean in means.items() if mean is not None and mean == top}
    return found


def _plain(one: TaskTable) -> dict[str, Any]:
    def entry(value: Entry, standing: Standing | None) -> dict[str, Any]:
        seeds = {str(seed): score for seed, score in value.scores.items()}
        plain = {"mean": value.mean, "sd": value.sd, "seeds": seeds, "failed": value.failed}
        if standing is None:
            return plain
        interval = None if standing.interval is None else list(standing.interval)
        reason = {"reason": standing.reason} if standing.reason else {}
        return {**plain, "interval": interval, "tied_with_best": standing.tied, **reason}

    return {
        "task": one.task,
        "version": one.version,
        "backbone": one.backbone,
        "limit": one.limit or None,
        "metric": one.metric,
        "in_words": list(one.words),
        "notes": list(one.reasons),
        "seeds": list(one.seeds),
        "strategies": [
            {
                "strategy": row.strategy,
                "languages": {
                    language: entry(value, row.standings.get(language)) for language, value in row.entries.items()
                },
                "average": entry(row.average, row.standings.get(AVERAGE)),
                "coverage": list(row.coverage),
            }
            for row in one.rows
        ],
    }


def escape_pipe(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {"±": r"$\pm$", "×": r"$\times$", "<": "$<$", ">": "$>$", "|": "$|$"}
_LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}


def escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
