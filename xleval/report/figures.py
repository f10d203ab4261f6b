"""Figures as SVG: sized for a paper's column, in colours that colour-blind readers tell apart, equal bytes each time.

Text stays text (``svg.fonttype none``): it can be searched, copied and read aloud, and no glyph is lost. The layout is
made with DejaVu Sans, which is wide, so nothing collides where a reader's machine puts another font in its place.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe & Ito 2008, the yellow left out, which is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = "osD^vPX"
_DASHES = ("-", "--", "-.", ":")
#: Column and text width of two-column papers, in inches.
COLUMN, TEXT = 3.3, 6.9

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "text.parse_math": False,  # names of strategies are text, dollar signs too
    "axes.formatter.use_mathtext": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "xleval",
}


class Panel(NamedTuple):
    """One small plot: ``points`` are (label, x, y); ``ticks`` name the numbers 0, 1, … of a grade."""

    name: str
    text: str
    points: Sequence[tuple[str, float, float]]
    ticks: Sequence[str] = ()


class Line(NamedTuple):
    """A line over x = 0, 1, …; ``spread`` is half the band's height around each value, NaN or 0 for none."""

    name: str
    values: Sequence[float]
    spread: Sequence[float]


def svg(figure: Figure, title: str) -> str:
    """The figure as an SVG document; the same figure gives the same bytes."""
    out = io.StringIO()
    with style():
        # Without these a file would differ by the day and by the version of the library.
        figure.savefig(out, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    return out.getvalue()


def style() -> AbstractContextManager[None]:
    """The look of all figures."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def heat_map(
    values: Sequence[Sequence[float]], *, rows: Sequence[str], columns: Sequence[str], groups: Sequence[str],
    title: str, row_label: str, column_label: str, unit: str,
) -> Figure:  # fmt: skip
    """A matrix of signed numbers, each written in its cell; NaN is a grey cell with a dash.

    Shapes: values (rows, columns), a group a column; neighbouring columns of one group stand under its name. Zero is
    white, orange is below and purple above it (ColorBrewer PuOr, safe for colour-blind readers).
    """
    import numpy as np

    matrix = np.array(values, dtype=float).reshape(len(rows), len(columns))
    finite = np.abs(matrix[np.isfinite(matrix)])
    limit = float(finite.max()) if len(finite) and finite.max() > 0 else 1.0
    digits = 1 if limit < 99.5 else 0
    with style():
        around = 1.4 + 0.065 * max(map(len, rows), default=0)
        width = min(max(COLUMN, around + 0.36 * len(columns)), TEXT)
        roomy = (width - around) / max(len(columns), 1) > 0.24  # else colours alone
        figure = blank(width, 1.25 + (0.22 if roomy else 0.13) * len(rows), title)
        axes = figure.subplots()
        colours = _colours("PuOr")
        # Cells as shapes, not as an image: sharp at any size.
        edges = [np.arange(size + 1) - 0.5 for size in matrix.T.shape]
        image = axes.pcolormesh(
            *edges, np.ma.masked_invalid(matrix), cmap=colours, vmin=-limit, vmax=limit, edgecolors="white", linewidth=1
        )
        axes.invert_yaxis()
        for (row, column), value in np.ndenumerate(matrix):
            dark = abs(value) > 0.6 * limit
            # A value that rounds to zero has no sign.
            text = "–" if math.isnan(value) else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")
            if roomy:
                axes.text(column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        axes.set_xticks(
            range(len(columns)), columns, rotation=0 if roomy and max(map(len, columns), default=0) < 5 else 90
        )
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(length=0)
        axes.set_xlabel(column_label)
        axes.set_ylabel(row_label)
        axes.spines[:].set_visible(False)
        _name_groups(axes, groups)
        bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06, aspect=14)
        bar.outline.set_visible(False)
        bar.set_label(textwrap.fill(unit, 26))
    return figure


def line_plots(panels: Mapping[str, Sequence[Line]], *, title: str, x_label: str, y_label: str) -> Figure:
    """Small multiples of lines with bands, all on the same axes; one legend, as every panel has the same lines."""
    with style():
        figure, grid = _grid(len(panels), title, height=1.25, columns=4, extra=0.25)
        names = list(dict.fromkeys(line.name for lines in panels.values() for line in lines))
        # Lines that lie on each other are still told apart: the later ones are dashed, with hollow marks.
        looks: dict[str, dict[str, Any]] = {
            name: {
                "color": PALETTE[i % len(PALETTE)],
                "marker": _MARKERS[i % len(_MARKERS)],
                "linestyle": _DASHES[i % len(_DASHES)],
                "markerfacecolor": "white" if i % 2 else PALETTE[i % len(PALETTE)],
                "markersize": 3 - 0.4 * (i % 2),
            }
            for i, name in enumerate(names)
        }
        handles: dict[str, Any] = {}
        for axes, (panel, lines) in zip(grid, panels.items(), strict=True):
            for line in lines:
                x = range(len(line.values))
                (handles[line.name],) = axes.plot(x, line.values, **looks[line.name])
                if any(spread > 0 for spread in line.spread):
                    low, high = (
                        [v + sign * s for v, s in zip(line.values, line.spread, strict=True)] for sign in (-1, 1)
                    )
                    axes.fill_between(x, low, high, color=looks[line.name]["color"], alpha=0.2, linewidth=0)
            axes.set_title(panel, pad=3)
            count = max((len(line.values) for line in lines), default=1)
            step = -(-count // 7)
            axes.set_xticks(range(0, count, step))
        _share_y(grid, y_label)
        for axes in grid[-_across(grid) :]:
            axes.set_xlabel(x_label)
        figure.legend(
            [handles[name] for name in names], names, loc="outside lower center", ncols=min(len(names), 3),
            handlelength=2.2, columnspacing=1.2,
        )  # fmt: skip
    return figure


def scatter_plots(panels: Sequence[Panel], *, title: str, y_label: str) -> Figure:
    """Small multiples of labelled points; grades have their names as ticks. An empty figure says that it is."""
    from matplotlib.ticker import EngFormatter, NullLocator

    with style():
        figure, grid = _grid(max(len(panels), 1), title, height=1.75, columns=3)
        for axes, panel in zip(grid, panels, strict=False):
            x, y = [point[1] for point in panel.points], [point[2] for point in panel.points]
            axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
            axes.scatter(x, y, s=9, color=PALETTE[0], linewidths=0, zorder=2)
            if panel.ticks:
                axes.set_xticks(range(len(panel.ticks)), panel.ticks)
                axes.set_xlim(-0.6, len(panel.ticks) - 0.4)
            elif (least := _skewed(x)) > 0:
                axes.set_xscale("symlog", linthresh=least, linscale=0.4)
                axes.set_xlim(-0.9 * least if min(x) == 0 else least / 2, 3 * max(x))
                powers = [10.0**power for power in range(-12, 13) if least <= 10.0**power <= 3 * max(x)]
                axes.set_xticks([0] * (min(x) == 0) + powers, minor=False)
                axes.xaxis.set_minor_locator(NullLocator())
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            else:
                axes.margins(x=0.12)
                axes.locator_params(axis="x", nbins=5)
                if max(map(abs, x), default=0) >= 10_000:
                    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.margins(y=0.12)
            axes.set_title(panel.text.replace("-", "−"), pad=3)
            axes.set_xlabel(panel.name)
        if not panels:
            grid[0].text(0.5, 0.5, "no predictor varies", ha="center", va="center", transform=grid[0].transAxes)
            grid[0].set_axis_off()
        _share_y(grid, y_label)
        figure.draw_without_rendering()  # the layout is fixed here: labels are put between points in points
        for axes, panel in zip(grid, panels, strict=False):
            _label_points(axes, panel.points)
    return figure


def _skewed(x: Sequence[float]) -> float:
    """The smallest amount above 0 where amounts spread over more than two powers of ten; else 0."""
    least = min((value for value in x if value > 0), default=0.0)
    return least if least and min(x) >= 0 and max(x) > 100 * least else 0.0


def blank(width: float, height: float, title: str) -> Figure:
    """A figure under its title; sizes in inches, the title's lines are added to the height."""
    from matplotlib.figure import Figure

    lines = textwrap.wrap(title, max(int(width * 17), 20), break_on_hyphens=False) or [""]
    figure = Figure(figsize=(width, height + 0.12 * len(lines)), layout="constrained")
    figure.suptitle("\n".join(lines), fontsize=7.5)
    return figure


def _grid(count: int, title: str, *, height: float, columns: int, extra: float = 0.0) -> tuple[Figure, list[Axes]]:
    across = min(count, columns)
    rows = -(-count // across)
    figure = blank(COLUMN if across == 1 else TEXT * max(across, 2) / columns, 0.35 + extra + rows * height, title)
    axes = list(figure.subplots(rows, across, squeeze=False).flat)
    for empty in axes[count:]:
        empty.remove()
    return figure, axes[:count]


def _across(grid: Sequence[Axes]) -> int:
    """How many axes stand side by side in the last full row."""
    found = grid[0].get_subplotspec()
    return 1 if found is None else int(found.get_gridspec().ncols)


def _share_y(grid: Sequence[Axes], label: str) -> None:
    low, high = min(axes.get_ylim()[0] for axes in grid), max(axes.get_ylim()[1] for axes in grid)
    for index, axes in enumerate(grid):
        axes.set_ylim(low, high)
        if index % _across(grid):
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(label)


def _colours(name: str) -> Any:
    import matplotlib

    return matplotlib.colormaps[name].resampled(45).with_extremes(bad="0.9")


def _name_groups(axes: Axes, groups: Sequence[str]) -> None:
    spans = [
        (name, [index for index, _ in found]) for name, found in groupby(enumerate(groups), key=lambda pair: pair[1])
    ]
    if len(spans) < 2:
        return
    for name, indices in spans:
        axes.text((indices[0] + indices[-1]) / 2, -0.6, name, ha="center", va="bottom", fontsize=6.5)
        if indices[0]:
            axes.axvline(indices[0] - 0.5, color="black", linewidth=1)


def _label_points(axes: Axes, points: Sequence[tuple[str, float, float]]) -> None:
    """A label beside each point, where it covers no other label and no point, as far as there is such a place."""
    places = [tuple(axes.transData.transform((x, y)) * 72 / axes.figure.dpi) for _, x, y in points]
    taken = [(x - 1.6, y - 1.6, x + 1.6, y + 1.6) for x, y in places]
    for (label, x, y), (px, py) in sorted(zip(points, places, strict=True), key=lambda pair: (-pair[1][1], pair[0])):
        width, height = 3.3 * len(label), 5.5
        offsets = [
            (3, -height / 2), (-3 - width, -height / 2), (-width / 2, 2.5), (-width / 2, -2.5 - height),
            (2.5, 1.5), (2.5, -1.5 - height), (-2.5 - width, 1.5), (-2.5 - width, -1.5 - height),
            (3, 4), (3, -4 - height), (-3 - width, 4), (-3 - width, -4 - height),
        ]  # fmt: skip
        boxes = [(px + dx, py + dy, px + dx + width, py + dy + height) for dx, dy in offsets]
        best = min(range(len(boxes)), key=lambda i: (sum(_overlap(boxes[i], other) for other in taken), i))
        taken.append(boxes[best])
        axes.annotate(
            label, (x, y), offsets[best], textcoords="offset points", fontsize=5.5, color="0.25", va="bottom", ha="left"
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(up, 0.0)
