"""One table of any content: for the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.report.render import escape_latex, escape_pipe

if TYPE_CHECKING:
    from rich.console import RenderableType

MISSING = "–"


@dataclass(frozen=True)
class Grid:
    """Cells as they are printed, and as data: CSV has ``tidy_rows``, one observation a line, numbers in full."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    tidy_headers: Sequence[str]
    tidy_rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """A caption, a pipe table, and notes as a list."""
        lines = [f"**{escape_pipe(self.caption)}**", ""]
        lines += ["| " + " | ".join(map(escape_pipe, row)) + " |" for row in (self.headers, *self.rows)]
        lines.insert(3, "|:--|" + "--:|" * (len(self.headers) - 1))
        notes = ["", *(f"- {escape_pipe(note)}" for note in self.notes)] if self.notes else []
        return "\n".join([*lines, *notes]) + "\n"

    def latex(self) -> str:
        """A table environment; needs the booktabs package."""
        body = [" & ".join(map(escape_latex, row)) + r" \\" for row in (self.headers, *self.rows)]
        notes = "".join(f" {escape_latex(note)}." for note in self.notes)
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(self.caption)}.{notes}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.headers) - 1)}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """One observation a line; an empty field is a missing value."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.tidy_headers)
        writer.writerows(["" if value is None else value for value in row] for row in self.tidy_rows)
        return out.getvalue()

    def terminal(self) -> list[RenderableType]:
        """Caption, table and notes."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, header in enumerate(self.headers):
            table.add_column(Text(header), justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return [Text(self.caption), table, *(Text(f"note: {note}") for note in self.notes)]


def signed(value: Any, scale: float = 1, digits: int = 1) -> str:
    """A difference with its sign: a number, None, or a mean over seeds with half its interval's width."""
    mean, low = (value.mean, value.low) if hasattr(value, "mean") else (value, None)
    if mean is None:
        return MISSING
    half = "" if low is None else f" ±{scale * (mean - low):.{digits}f}"
    # Not "-0.0".
    return f"{scale * mean:+.{digits}f}".replace(f"-{0:.{digits}f}", f"+{0:.{digits}f}") + half
