"""A table in the terms of the TLR paper, as cells and as data; ``comparison/published_terms.py`` makes it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from xleval.report.grid import MISSING, Grid

if TYPE_CHECKING:
    from xleval.comparison.published_terms import Line, PublishedTerms, Score

_TIDY = (
    "table", "task", "version", "data", "limit", "metric", "backbone", "baseline", "strategy", "xleval_strategy",
    "language", "score", "printed_average", "seeds", "gain", "df", "p", "asterisk", "above_baseline",
)  # fmt: skip


def grid(found: PublishedTerms) -> Grid:
    """A row a strategy. CSV has a line a strategy and language, and one for its average."""
    computed = bool(found.languages)
    printed = any(line.printed_average is not None for line in found.lines)
    counted = any(line.better for line in found.lines)
    headers = ["strategy", *found.languages, *["average"] * computed, *["printed average"] * printed]
    rows = []
    for line in found.lines:
        row = [line.strategy, *(_text(cell, found.digits) for cell in line.languages.values())]
        if computed:
            row.append(_text(line.average, found.digits))
        if printed:
            row.append(_number(line.printed_average, found.digits))
        if counted:
            row.append("{}/{}".format(*line.better) if line.better else "")
        rows.append(row)
    return Grid(found.caption, [*headers, *["better"] * counted], rows, _TIDY, list(_tidy(found)), found.notes)


def as_dict(found: PublishedTerms) -> dict[str, Any]:
    """Percents and points; the same keys for records and printed tables."""
    return {
        "terms": "tlr",
        "table": found.key or None,
        "task": found.task,
        "version": found.version or None,
        "data": found.data or None,
        "limit": found.limit or None,
        "metric": found.metric,
        "backbone": found.backbone,
        "languages": list(found.languages),
        "baseline": found.baseline,
        "unit": "percent",
        "strategies": [_plain_line(line) for line in found.lines],
        "notes": list(found.notes),
    }


def _text(cell: Score, digits: int) -> str:
    if cell.value is None and cell.failed:
        return "failed"
    return _number(cell.value, digits) + "*" * cell.asterisk


def _number(value: float | Decimal | None, digits: int) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Decimal):  # half a unit up, not to the even digit
        value = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{value:.{digits}f}"


def _tidy(found: PublishedTerms) -> Iterator[list[Any]]:
    about = (
        found.key, found.task, found.version, found.data, found.limit, found.metric, found.backbone, found.baseline,
    )  # fmt: skip
    for line in found.lines:
        for code, cell in (*line.languages.items(), ("average", line.average)):
            printed = line.printed_average if code == "average" else None
            plain = _plain(cell)
            yield [
                *about, line.strategy, line.xleval, code, plain["score"], printed, len(cell.seeds) or None,
                plain["gain"], plain["df"], plain["p"], int(cell.asterisk),
                None if cell.gain is None else int(cell.gain > 0),
            ]  # fmt: skip


def _plain_line(line: Line) -> dict[str, Any]:
    return {
        "strategy": line.strategy,
        "xleval_strategy": line.xleval,
        "languages": {code: _plain(cell) for code, cell in line.languages.items()},
        "average": _plain(line.average),
        "printed_average": _float(line.printed_average),
        "better": list(line.better) if line.better else None,
    }


def _plain(cell: Score) -> dict[str, Any]:
    return {
        "score": _float(cell.value),
        "seeds": {str(seed): score for seed, score in cell.seeds.items()},
        "failed": cell.failed,
        "gain": _float(cell.gain),
        "df": cell.test.df if cell.test else None,
        "p": cell.test.p if cell.test else None,
        "reason": cell.reason,
        "asterisk": cell.asterisk,
    }


def _float(value: float | Decimal | None) -> float | None:
    return None if value is None else float(value)
