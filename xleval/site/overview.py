"""The index: which strategies are best on each task, and for each language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xleval.site.board import Line, Page
from xleval.site.known import Column
from xleval.site.numbers import Mean


@dataclass(frozen=True)
class Best:
    """The highest mean of a language or an average, and how many rows are tied with it."""

    page: Page
    line: Line
    mean: Mean
    half: int
    tied: int
    """Others that are tied with the best of its backbone; -1 where that is not known."""
    of: int
    """Rows of its backbone with a score."""


@dataclass(frozen=True)
class Summary:
    """A strategy on all tasks under one backbone; ``cells`` has a row of each page, or None."""

    label: str
    entry: str
    backbone: str
    href: str
    cells: list[tuple[Page, Line, Mean | None, int] | None]
    """Page, row, average, tied."""

    @property
    def tied(self) -> int:
        """Tasks on which it is tied with the best."""
        return sum(cell is not None and cell[3] == 1 for cell in self.cells)

    @property
    def tested(self) -> int:
        """Tasks on which that is known."""
        return sum(cell is not None and cell[3] >= 0 for cell in self.cells)


def main_pages(pages: Sequence[Page]) -> list[Page]:
    """One page a task: its own metric, its last version, measured."""
    return [page for page in pages if page.lines and page.primary and page.plain]


def best_average(page: Page, backbone: int) -> Best | None:
    """Of one backbone of a page."""
    scored = [
        (mean, line) for line in page.lines if line.backbone == backbone and (mean := line.average(page.everything))
    ]
    if not scored:
        return None
    mean, line = max(scored, key=lambda pair: pair[0].value)
    half, own, _ = page.standing(line)
    tied = sum(page.standing(other)[1] == 1 for _, other in scored if other is not line) if own >= 0 else -1
    return Best(page, line, mean, half, tied, len(scored))


def finder(pages: Sequence[Page]) -> list[tuple[Column, list[Best | None]]]:
    """For each language of the main pages the best row of each of them."""
    main = main_pages(pages)
    columns = {column.code: column for page in main for column in page.languages}
    return [
        (columns[code], [_best(page, code) for page in main])
        for code in sorted(columns, key=lambda code: (columns[code].name.casefold(), code))
    ]


def _best(page: Page, code: str) -> Best | None:
    number = next((i for i, column in enumerate(page.languages) if column.code == code), None)
    if number is None:
        return None
    scored = [(mean, line) for line in page.lines if (mean := line.mean(number))]
    if not scored:
        return None
    mean, line = max(scored, key=lambda pair: pair[0].value)
    rivals = [other for _, other in scored if other.backbone == line.backbone]
    tied = sum(other.tied[number] == 1 for other in rivals if other is not line) if line.tied[number] >= 0 else -1
    return Best(page, line, mean, line.half[number], tied, len(rivals))


def summaries(pages: Sequence[Page]) -> list[Summary]:
    """Systems × main pages: most often tied with the best first."""
    main = main_pages(pages)
    found: dict[tuple[str, str], Summary] = {}
    for number, page in enumerate(main):
        standing = page.sets[0]
        for row, line in enumerate(page.lines):
            key = (line.entry, line.system)
            if key not in found:
                name = page.backbones[line.backbone].name
                found[key] = Summary(line.label, line.entry, name, line.href, [None] * len(main))
            found[key].cells[number] = (page, line, line.average(page.everything), standing.tied[row])
    return sorted(found.values(), key=lambda one: (-one.tied, one.label, one.entry, one.backbone))
