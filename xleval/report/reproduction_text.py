"""A reproduction as Markdown, LaTeX, CSV, JSON, and for the terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from xleval.report.grid import MISSING, Grid, signed
from xleval.report.reproduction import LEVEL, Block, Compared, Line, Reproduction

if TYPE_CHECKING:
    from rich.console import RenderableType

_DIFFER = "Where the setup differs:"
_COLUMNS = (
    "table", "task", "printed_metric", "metric", "backbone", "data", "printed_strategy", "strategy", "language",
    "printed", "ours", "seeds", "sd", "difference", "low", "high",
)  # fmt: skip


def markdown(found: Reproduction) -> str:
    """A caption and a pipe table for each block, then where the setup differs."""
    parts = [f"{_title(found)}\n", *(_grid(found, block).markdown() for block in found.blocks), f"{_legend(found)}\n"]
    return "\n".join([*parts, f"{_DIFFER}\n", *(f"- {text}" for text in _listed(found))]) + "\n"


def latex(found: Reproduction) -> str:
    """A table environment for each block (needs booktabs); legend and where the setup differs as comments."""
    comments = [f"% {text}" for text in (_legend(found), _DIFFER, *_listed(found))]
    return "\n".join([*(_grid(found, block, f"{_title(found)}: ").latex() for block in found.blocks), *comments]) + "\n"


def csv_text(found: Reproduction) -> str:
    """One line a strategy and language, and one for its average; percents and points, in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for block in found.blocks:
        writer.writerows(["" if value is None else value for value in row] for row in _tidy(found, block))
    return out.getvalue()


def json_text(found: Reproduction) -> str:
    """Everything, with every seed; percents and points."""
    plain = {
        "table": found.key,
        "shown": found.shown,
        "title": found.title,
        "baseline": found.baseline,
        "unit": "percent",
        "interval_level": LEVEL,
        "blocks": [_plain_block(block) for block in found.blocks],
        "differences": list(found.differences),
    }
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def terminal(found: Reproduction) -> list[RenderableType]:
    """rich tables, then where the setup differs."""
    from rich.text import Text

    made: list[RenderableType] = [Text(_title(found), style="bold")]
    made += [part for block in found.blocks for part in _grid(found, block).terminal()]
    return [*made, Text(_legend(found) + "\n"), Text("\n".join([_DIFFER, *(f"- {text}" for text in _listed(found))]))]


def _title(found: Reproduction) -> str:
    return f"{found.title} ({found.shown})"


def _legend(found: Reproduction) -> str:
    above = f" better: languages above {found.baseline}, ours and (the paper's)." if found.baseline else ""
    return (
        "ours: mean ± SD over seeds. difference: ours less the paper's, in points, with its 95 % interval over our "
        f"seeds (Student's t); a printed number counts as a constant.{above} Nothing is tested."
    )


def _listed(found: Reproduction) -> tuple[str, ...]:
    return found.differences or ("nowhere that the records show",)


def _grid(found: Reproduction, block: Block, before: str = "") -> Grid:
    has_better = any(line.better or line.printed_better for line in block.lines)
    headers = ["strategy", "", *block.languages, "average", *["better"] * has_better]
    rows = [row[: len(headers)] for line in block.lines for row in _rows(line, block)]
    return Grid(before + block.caption, headers, rows, _COLUMNS, list(_tidy(found, block)))


def _rows(line: Line, block: Block) -> Iterator[list[str]]:
    """Ours under the paper's name, the paper's under ours, the difference, and its interval where there is one."""
    digits = block.decimals
    cells = [*(line.languages[code] for code in block.languages), line.average]
    theirs = [MISSING if cell.printed is None else f"{cell.printed:.{digits}f}" for cell in cells]
    if len(line.averaged) < line.n_printed:  # not what the paper averages
        theirs[-1] += f" (of {len(line.averaged)}/{line.n_printed})"
    yield [line.printed_strategy, "ours", *(_ours(cell, digits) for cell in cells), _share(line.better)]
    share = _share(line.printed_better)
    yield [f"  {line.strategy}", "paper", *theirs, f"({share})" if share else ""]
    yield ["", "difference", *(signed(cell.difference, digits=digits) for cell in cells), ""]
    if any(cell.interval for cell in cells):
        yield ["", "95 % interval", *(_interval(cell, digits) for cell in cells), ""]


def _share(better: tuple[int, int] | None) -> str:
    return f"{better[0]}/{better[1]}" if better else ""


def _ours(cell: Compared, digits: int) -> str:
    if cell.ours is None:
        return "failed" if cell.failed else MISSING
    return f"{cell.ours:.{digits}f}" + (f" ±{cell.sd:.{digits}f}" if cell.sd is not None else "")


def _interval(cell: Compared, digits: int) -> str:
    return f"[{', '.join(signed(bound, digits=digits) for bound in cell.interval)}]" if cell.interval else MISSING


def _tidy(found: Reproduction, block: Block) -> Iterator[list[Any]]:
    about = (found.key, block.task, block.printed_metric, block.metric, block.backbone, block.about)
    for line in block.lines:
        for code, cell in (*line.languages.items(), ("average", line.average)):
            low, high = cell.interval or (None, None)
            values = (cell.printed, cell.ours, len(cell.scores), cell.sd, cell.difference, low, high)
            yield [*about, line.printed_strategy, line.strategy, code, *values]


def _plain_block(block: Block) -> dict[str, Any]:
    about = {key: value for key, value in asdict(block).items() if key not in ("lines", "about")}
    return {**about, "data": block.about, "strategies": [_plain_line(line) for line in block.lines]}


def _plain_line(line: Line) -> dict[str, Any]:
    return {
        "printed_strategy": line.printed_strategy,
        "strategy": line.strategy,
        "languages": {code: _plain(cell) for code, cell in line.languages.items()},
        "average": {**_plain(line.average), "languages": list(line.averaged)},
        "printed_average": None if line.printed_average is None else float(line.printed_average),
        "better": line.better,
        "printed_better": line.printed_better,
    }


def _plain(cell: Compared) -> dict[str, Any]:
    return {
        "printed": None if cell.printed is None else float(cell.printed),
        "ours": cell.ours,
        "seeds": {str(seed): score for seed, score in cell.scores.items()},
        "sd": cell.sd,
        "failed": cell.failed,
        "difference": cell.difference,
        "interval": cell.interval,
    }
