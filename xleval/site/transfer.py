"""What some MLM steps on a transfer language do to each target: ``transfer:lang=…`` against ``la-none-tr``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xleval.errors import UserError
from xleval.recipe import split_choice
from xleval.site.board import Line, Page
from xleval.site.inference import P_UNIT, corrected
from xleval.site.known import Column, Known

_STRATEGY, _BASELINE, _DEFAULT_STEPS = "transfer", "la-none-tr", "100"

ALPHA = 0.05


@dataclass(frozen=True)
class Effect:
    """On one target."""

    difference: int | None
    """After minus before, in millionths."""
    sure: bool | None
    """Whether it is told apart from 0 after correction; None where that was not tested."""
    same: bool
    """Whether the target is the transfer language itself."""
    step: int = 0
    """Colour: -4 to 4 by size, relative to the largest effect of its table."""


@dataclass(frozen=True)
class TransferMap:
    """A heat map: transfer languages × targets, of one page, entry and backbone."""

    page: Page
    entry: str
    backbone: str
    steps: str
    rows: list[tuple[Column, Line, list[Effect]]]
    largest: int
    """Of all effects, in millionths."""


def transfer_maps(pages: Sequence[Page], known: Known) -> Iterator[TransferMap]:
    """The maps of all pages that have transfer languages beside the baseline."""
    for page in pages:
        groups: dict[tuple[str, int, str], list[tuple[str, Line]]] = {}
        baselines = {(line.entry, line.backbone): line for line in page.lines if line.strategy == _BASELINE}
        for line in page.lines:
            if found := _parameters(line.strategy):
                code, steps = found
                groups.setdefault((line.entry, line.backbone, steps), []).append((code, line))
        for (entry, backbone, steps), lines in sorted(groups.items(), key=lambda item: item[0]):
            if baseline := baselines.get((entry, backbone)):
                yield _map(page, entry, backbone, steps, lines, baseline, known)


def _parameters(strategy: str) -> tuple[str, str] | None:
    try:
        name, given = split_choice(strategy)
    except UserError:
        return None
    if name.rpartition("/")[2] != _STRATEGY or "lang" not in given:
        return None
    return given["lang"], given.get("steps", _DEFAULT_STEPS)


def _map(
    page: Page, entry: str, backbone: int, steps: str, lines: list[tuple[str, Line]], baseline: Line, known: Known
) -> TransferMap:
    differences = {(code, i): _difference(line, baseline, i) for code, line in lines for i in page.everything}
    largest = max((abs(one) for one in differences.values() if one is not None), default=0)
    rows = []
    for code, line in sorted(lines, key=lambda pair: pair[0]):
        effects = []
        for i, column in enumerate(page.languages):
            one = differences[code, i]
            step = round(4 * one / largest) if one is not None and largest else 0
            effects.append(Effect(one, _sure(page, line, baseline, i), column.code == code, step))
        rows.append((known.column(code), line, effects))
    return TransferMap(page, entry, page.backbones[backbone].name, steps, rows, largest)


def _difference(line: Line, baseline: Line, language: int) -> int | None:
    after, before = line.mean(language), baseline.mean(language)
    return round(after.value - before.value) if after and before else None


def _sure(page: Page, line: Line, baseline: Line, language: int) -> bool | None:
    rows, pairs = page.pairs.get(line.backbone, ([], {}))
    a, b = page.lines.index(line), page.lines.index(baseline)
    if a not in rows or b not in rows:
        return None
    p = corrected(pairs, len(rows), len(page.languages), rows.index(a), rows.index(b))[language]
    return None if p is None else p <= ALPHA * P_UNIT
