"""Panels of rows laid out in inches, for figures whose names and numbers stand beside the axes.

Everything has its place before anything is drawn: widths of texts are measured in the figures' font, so names of any
length move the axes and never lie over them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval.report.figures import COLUMN, TEXT, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

#: Inches: a row, a line of small text, the space between columns of text.
ROW, LINE, GAP = 0.165, 0.115, 0.08
_WANTED, _LEAST = 1.3, 0.7  # inches across an axis: where there is room, and where there is none
_ACROSS = 3  # panels side by side
_TICKS = 0.19  # inches for ticks and their numbers
_LONGEST = 44  # characters of a name
_SMALL = 6.0  # points


class Entry(NamedTuple):
    """One entry of the legend: how its mark looks, and what that means."""

    look: dict[str, Any]
    text: str


class Sheet:
    """A figure of ``count`` panels, three side by side, each ``rows`` rows high, with one legend under all of them.

    ``left`` inches hold the names of rows, ``right`` inches beside each panel its numbers. ``names`` are the panels'
    titles (may be empty). ``under`` has for each panel what its two directions mean: on one line where both fit, else
    on lines of their own. ``head`` keeps a line free above the rows. Call it under `xleval.report.figures.style`.

    The width is a column's as long as axes are wide enough, the text's at most; only names that would leave an axis
    less than 0.7 inches make it wider.
    """

    def __init__(
        self, count: int, *, title: str, x_label: str, rows: float, left: float, right: float, names: Sequence[str],
        under: Sequence[tuple[str, str]] = (), legend: Sequence[Entry] = (), head: bool = False,
    ) -> None:  # fmt: skip
        side = min(count, _ACROSS)
        down = -(-count // side)
        needed = left + side * (_WANTED + right + GAP)
        width = min(max(COLUMN, needed), max(TEXT, needed - side * (_WANTED - _LEAST)))
        #: Inches: the width of an axis.
        self.across = (width - left) / side - right - GAP
        cell = self.across + right
        titles = [fold(plain(name), 7, cell) for name in names]
        notes = [_directions(*pair, self.across, cell) for pair in under]
        label = fold(plain(x_label), 7, width - 2 * GAP)
        columns, depth = _columns(legend, width - GAP)

        above = _height(titles, 0.125) + LINE * head
        below = _TICKS + LINE * max(map(len, notes), default=0) - 0.04
        body = ROW * rows
        block = above + body + below + 0.08  # one line of panels, and the space to the next
        foot = 0.125 * (label.count("\n") + 1) + 0.125 * depth + 0.08
        height = 0.08 + down * block - 0.05 + foot
        self.figure = figure = blank(width, height, plain(title))
        # Nothing is left to place but the title, which would keep a share of the height from the edge.
        figure.set_layout_engine("none")
        full = figure.get_figheight()
        figure.suptitle(figure.get_suptitle(), y=1 - 0.04 / full, fontsize=7.5)

        self.axes: list[Axes] = []
        top = height - 0.08
        for index in range(count):
            row, column = divmod(index, side)
            x, y = left + column * (cell + GAP), top - row * block - above - body
            axes = figure.add_axes((x / width, y / full, self.across / width, body / full))
            axes.patch.set_visible(False)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0, pad=GAP * 72)
            axes.tick_params(axis="x", pad=2)
            axes.locator_params(axis="x", nbins=max(2, min(8, int(self.across / 0.24))), steps=[1, 2, 5, 10])
            if titles:
                up = (y + body + LINE * head + 0.04) / full
                figure.text(x / width, up, titles[index], fontsize=7, ha="left", va="bottom")
            for line, parts in enumerate(notes[index] if notes else []):
                at = (y - _TICKS - LINE * line) / full
                for text, place in parts:
                    figure.text((x + place) / width, at, text, fontsize=_SMALL, color="0.25", ha="left", va="top")
            self.axes.append(axes)
        middle = (left + width - right) / 2 if count == 1 else (left + width) / 2
        half = wide(label, 7) / 2 + GAP / 2
        middle = min(max(middle, half), width - half)
        figure.text(middle / width, (foot - 0.02) / full, label, fontsize=7, ha="center", va="top")
        if legend:
            self._explain(legend, columns)

    def _explain(self, legend: Sequence[Entry], columns: int) -> None:
        from matplotlib.lines import Line2D

        self.figure.legend(
            [Line2D([], [], **{"linestyle": "none", **entry.look}) for entry in legend],
            [entry.text for entry in legend], loc="lower center", ncols=columns, fontsize=_SMALL, borderpad=0,
            borderaxespad=0, handlelength=_HANDLE, handletextpad=_PAD, columnspacing=_BETWEEN, labelspacing=0.5,
            bbox_to_anchor=(0.5, 0.05 / self.figure.get_figheight()),
        )  # fmt: skip

    def _rows(self) -> list[Transform]:
        """Figure coordinates across, rows down; one for each line of panels."""
        from matplotlib.transforms import blended_transform_factory

        return [
            blended_transform_factory(self.figure.transFigure, axes.transData) for axes in self.axes[::_ACROSS]
        ]  # fmt: skip

    def stripe(self, rows: Sequence[float]) -> None:
        """A pale band behind every second row, from edge to edge: it leads the eye from a name to its numbers."""
        from matplotlib.patches import Rectangle

        for transform in self._rows():
            for y in rows[1::2]:
                band = Rectangle((0, y - 0.5), 1, 1, transform=transform, color="0.955", linewidth=0, zorder=-2)
                self.figure.add_artist(band)

    def rule(self, y: float, color: str = "0.45") -> None:
        """A thin line from edge to edge."""
        from matplotlib.lines import Line2D

        for transform in self._rows():
            self.figure.add_artist(
                Line2D([0, 1], [y, y], transform=transform, color=color, linewidth=0.5, zorder=-1)
            )  # fmt: skip

    def write(self, inches: float, y: float, text: str, **look: Any) -> None:
        """A text ``inches`` from the left edge, in row ``y``."""
        for transform in self._rows():
            self.figure.text(
                inches / self.figure.get_figwidth(), y, text, transform=transform, va="center_baseline", **look
            )


def plain(text: str) -> str:
    """The text on one line, without what XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)


def short(name: str) -> str:
    """A name of at most 44 characters: of a longer one the middle is left out, as both ends tell names apart."""
    name = plain(name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 17]}…{name[-16:]}"


def wide(text: str, size: float) -> float:
    """The inches that the widest line of a text needs in the figures' font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size)
    widths = [text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.split("\n")]
    return float(max(widths)) / 72


def fold(text: str, size: float, inches: float) -> str:
    """The text on as many lines as it needs to be no wider."""
    characters = len(text)
    while wide(folded := textwrap.fill(text, max(characters, 1)), size) > inches and characters > 4:
        characters -= 1
    return folded


def _height(texts: Sequence[str], line: float) -> float:
    return line * max((text.count("\n") + 1 for text in texts if text), default=0)


def _directions(left: str, right: str, across: float, cell: float) -> list[list[tuple[str, float]]]:
    """Lines of (text, inches from the axis' left end)."""
    if wide(left, _SMALL) + wide(right, _SMALL) + 0.15 <= cell:
        return [[(left, 0.0), (right, max(across - wide(right, _SMALL), wide(left, _SMALL) + 0.15))]]
    lines = [line for text in (left, right) for line in fold(text, _SMALL, cell).split("\n")]
    return [[(line, 0.0)] for line in lines]


_HANDLE, _PAD, _BETWEEN = 1.3, 0.5, 1.4  # of the legend, in sizes of its font


def _columns(legend: Sequence[Entry], inches: float) -> tuple[int, int]:
    """How many columns make the legend's lines the fewest, and how many lines that are."""
    em = _SMALL / 72
    widths = [wide(entry.text, _SMALL) + (_HANDLE + _PAD) * em for entry in legend]
    fitting = []
    for columns in range(1, len(legend) + 1):
        # As the library fills columns: the first ones take what is left over.
        depth, more = divmod(len(widths), columns)
        ends = [index * depth + min(index, more) for index in range(columns + 1)]
        total = sum(max(widths[a:b]) for a, b in pairwise(ends)) + (columns - 1) * _BETWEEN * em
        if total <= inches or columns == 1:
            fitting.append((depth + (more > 0), columns))
    depth, columns = min(fitting, default=(0, 1))
    return columns, depth
