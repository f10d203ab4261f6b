"""Tables as Markdown, LaTeX, CSV, JSON, and for the terminal."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from xleval.report.table import Entry, Row, Table, TaskTable

if TYPE_CHECKING:
    from rich.console import RenderableType

_MISSING = "–"


def markdown(table: Table) -> str:
    """A caption and a pipe table for each task."""
    parts = []
    for one in table.tables:
        header = ["strategy", *one.languages, "average", "coverage"]
        lines = ["| " + " | ".join(map(escape_pipe, header)) + " |", "|:--|" + "--:|" * (len(header) - 1)]
        for row in one.rows:
            lines.append("| " + " | ".join(map(escape_pipe, [row.strategy, *_texts(row), _coverage(row)])) + " |")
        parts.append(f"**{escape_pipe(one.caption)}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n" if parts else "no results\n"


def latex(table: Table) -> str:
    """A table environment for each task; needs the booktabs package."""
    parts = []
    for one in table.tables:
        best = _best(one)
        header = " & ".join(map(escape_latex, ["strategy", *one.languages, "average"]))
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(one.caption)}. Best mean in bold; no test implied.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(one.languages) + 1)}}}",
            r"\toprule",
            header + r" \\",
            r"\midrule",
        ]
        for row in one.rows:
            cells = [escape_latex(row.strategy)]
            for column, entry in {**row.entries, "": row.average}.items():
                text = _text(entry).replace(" ±", r"{\scriptsize$\pm$") + ("}" if entry.sd is not None else "")
                text = text.replace(_MISSING, "--")
                bold = entry.mean is not None and len(one.rows) > 1 and row.strategy in best[column]
                cells.append(rf"\textbf{{{text}}}" if bold else text)
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
    """rich tables, one a task; the best mean of a column in bold."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made: list[RenderableType] = []
    for one in table.tables:
        rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        rich.add_column("strategy", no_wrap=True)
        for language in [*one.languages, "average", "coverage"]:
            rich.add_column(language, justify="right", no_wrap=True)
        best = _best(one)
        for row in one.rows:
            entries = {**row.entries, "": row.average}
            cells = [
                Text(_text(entry), style="bold" if row.strategy in best[column] and len(one.rows) > 1 else "")
                for column, entry in entries.items()
            ]
            rich.add_row(Text(row.strategy), *cells, Text(_coverage(row)))
        bold = " (bold: best mean, no test implied)" if len(one.rows) > 1 else ""
        made += [Text(one.caption + bold), rich]
    return made


def _texts(row: Row) -> list[str]:
    return [_text(entry) for entry in (*row.entries.values(), row.average)]


def _text(entry: Entry) -> str:
    if entry.mean is None:
        return "failed" if entry.failed else _MISSING
    return f"{100 * entry.mean:.1f}" + (f" ±{100 * entry.sd:.1f}" if entry.sd is not None else "")


def _coverage(row: Row) -> str:
    have, all_ = row.coverage
    failed = sum(entry.failed for entry in row.entries.values())
    return f"{have}/{all_}" + (f", {failed} failed" if failed else "")


def _best(one: TaskTable) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for column in (*one.languages, ""):
        means = {row.strategy: (row.entries[column] if column else row.average).mean for row in one.rows}
        top = max((mean for mean in means.values() if mean is not None), default=None)
        found[column] = {name for name, mean in means.items() if mean is not None and mean == top}
    return found


def _plain(one: TaskTable) -> dict[str, Any]:
    def entry(value: Entry) -> dict[str, Any]:
        seeds = {str(seed): score for seed, score in value.scores.items()}
        return {"mean": value.mean, "sd": value.sd, "seeds": seeds, "failed": value.failed}

    return {
        "task": one.task,
        "version": one.version,
        "backbone": one.backbone,
        "limit": one.limit or None,
        "metric": one.metric,
        "seeds": list(one.seeds),
        "strategies": [
            {
                "strategy": row.strategy,
                "languages": {language: entry(value) for language, value in row.entries.items()},
                "average": entry(row.average),
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
