"""Averages as pictures of one line: each seed a dot, the mean a bar on its interval, one scale for a whole table.

Small SVG of our own: hundreds stand on a page, and colours have to follow the theme of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from xleval.site.board import Line, Page
from xleval.site.numbers import interval, points

WIDTH, HEIGHT = 160, 18
_EDGE = 5

#: Ends of scales are multiples of this many millionths.
_STEP = 10_000


@dataclass(frozen=True)
class Scale:
    """From ``low`` to ``high``, in millionths."""

    low: int
    high: int

    def x(self, value: float) -> str:
        """Where a value stands, in pixels."""
        inside = min(max(value, self.low), self.high)
        return f"{_EDGE + (inside - self.low) / (self.high - self.low) * (WIDTH - 2 * _EDGE):.1f}"

    @property
    def ends(self) -> tuple[str, str]:
        """In points."""
        return points(self.low)[:-2], points(self.high)[:-2]


def scale_of(page: Page) -> Scale | None:
    """A scale that all averages of a page fit on, with their seeds and intervals; None where there is no average."""
    values: list[float] = []
    for number, line in enumerate(page.lines):
        found = line.average(page.everything)
        if found:
            half = max(page.sets[0].half[number], 0)
            values += [found.value - half, found.value + half]
            values += [one.value for one in line.averages(page.everything).values()]
    if not values:
        return None
    low, high = int(max(min(values), 0)) // _STEP * _STEP, -(int(-max(values)) // _STEP) * _STEP
    return Scale(low, max(high, low + _STEP))


def strip(line: Line, languages: Sequence[int], half: int, scale: Scale) -> Markup:
    """One average; empty without any."""
    found = line.average(languages)
    if found is None:
        return Markup()
    seeds = line.averages(languages)
    middle = HEIGHT / 2
    said = f"mean {points(*found)}" + (f", 95 % interval {interval(found, half)}" if half >= 0 else "")
    said += f"; {'; '.join(f'seed {seed}: {points(*one)}' for seed, one in list(seeds.items())[:20])}"
    band = ""
    if half >= 0:
        band = f'<path class="band" d="M{scale.x(found.value - half)} {middle:g}H{scale.x(found.value + half)}"/>'
    dots = "".join(f"M{scale.x(one.value)} {middle:g}h0" for one in seeds.values())
    return Markup(
        f'<svg class="strip" role="img" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{said}</title>{band}"
        f'<path class="dots" d="{dots}"/><path class="mean" d="M{scale.x(found.value)} 3V{HEIGHT - 3}"/></svg>'
    )
