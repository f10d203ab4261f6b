"""Reference rows on the pages: scores that papers print, in tables of their own, never tested against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from xleval.published import AVERAGE, Printed, Published, shown_table
from xleval.site.board import Page, PrintedLine, address
from xleval.site.inference import UNIT
from xleval.site.known import Known

_PEOPLE = "people"
_PERCENT = Decimal(UNIT) / 100


def add_printed(pages: Sequence[Page], published: Published, known: Known) -> list[Page]:
    """The pages with the printed rows of their task and metric, and pages of their own for the others.

    Rows with a language that no measured row has do not go on a measured page: averages there would lack it.
    """
    found: dict[tuple[str, str], list[Printed]] = defaultdict(list)
    for row in published.rows:
        found[row.task, row.metric].append(row)
    made = list(pages)
    for (task, metric), rows in found.items():
        codes = {row.language for row in rows} - {AVERAGE}
        place = next(
            (i for i, page in enumerate(made) if (page.task, page.metric) == (task, metric) and page.plain), None
        )
        if place is not None and codes <= {column.code for column in made[place].languages}:
            made[place] = _with_rows(made[place], rows, published, known)
        else:
            made.append(_with_rows(_empty(task, metric, codes, known, apart=place is not None), rows, published, known))
    return sorted(made, key=lambda page: (page.task, not page.primary, page.metric, page.slug))


def _empty(task: str, metric: str, codes: set[str], known: Known, apart: bool) -> Page:
    primary = metric == known.metric(task, metric)
    slug = "-".join([address(task), *([] if primary else [address(metric)]), *(["published"] if apart else [])])
    columns = tuple(known.column(code) for code in sorted(codes))
    return Page(slug, task, "", "", metric, True, primary, columns, (), [], [], {}, [], [])


def _with_rows(page: Page, rows: Sequence[Printed], published: Published, known: Known) -> Page:
    codes = [column.code for column in page.languages]
    encoders = list(page.backbones)
    names = [one.name for one in encoders]
    grouped: dict[tuple[str, str, str], dict[str, Printed]] = defaultdict(dict)
    for row in rows:
        grouped[row.key, row.backbone or _PEOPLE, row.printed_strategy][row.language] = row
    lines = []
    for (_, backbone, label), cells in grouped.items():
        if backbone not in names:
            names.append(backbone)
            encoders.append(known.encoder(backbone, codes))
        some = next(iter(cells.values()))
        paper = published.papers[some.paper]
        lines.append(
            PrintedLine(
                label, some.strategy, names.index(backbone), f"{some.paper}, {shown_table(some.table)}", paper.url,
                [_millionths(cells.get(code)) for code in codes], _millionths(cells.get(AVERAGE)), some.n_seeds,
                some.note,
            )
        )  # fmt: skip
    lines.sort(key=lambda line: -line.average)
    return replace(page, backbones=tuple(encoders), printed=lines)


def _millionths(row: Printed | None) -> int:
    return -1 if row is None else int(row.percent * _PERCENT)
