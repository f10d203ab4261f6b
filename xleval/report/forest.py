"""Estimates with their intervals: differences from a baseline as a forest plot, and the scores of strategies.

Pure drawing: nothing is computed but places. All numbers are points (0 to 100); None, NaN and infinity mean "not
there". What an interval covers, and what a test was corrected for, is the caller's to say in the title and in
``significance``. Form after Lewis & Clarke 2001, "Forest plots: trying to see the wood and the trees", BMJ 322: each
estimate on its interval, the line of no effect, averages as diamonds at the bottom, the numbers at the right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from statistics import mean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from xleval.report.figures import COLUMN, PALETTE, blank, style
from xleval.report.sheet import GAP, Entry, Sheet, plain, short, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Difference(NamedTuple):
    """Strategy − baseline in one language, or in an average (``summary``), which stands at the bottom."""

    label: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    #: The difference of each seed, drawn below the interval.
    dots: Sequence[float] = ()
    #: After correction; None where nothing was tested.
    significant: bool | None = None
    #: Such as the language family; written once for neighbours of one group.
    group: str = ""
    summary: bool = False


class Score(NamedTuple):
    """The mean score of one strategy on one task."""

    label: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    #: The score of each seed, drawn below the interval.
    dots: Sequence[float] = ()
    #: Not told apart from the best strategy; None where nothing was tested.
    tied: bool | None = None


_Row = TypeVar("_Row", Difference, Score)

_BLUE, _DARK, _GREY = PALETTE[0], "0.15", "0.35"
_BELOW = 0.31  # rows from an interval down to its dots
_HEAD = "points [95 % interval]"

# Filled, hollow, a bare tick: told apart without colour.
_LOOKS: dict[bool | None, dict[str, Any]] = {
    True: {"marker": "o", "markersize": 3.6, "color": _BLUE, "markeredgewidth": 0.9},
    False: {"marker": "o", "markersize": 3.6, "color": _BLUE, "markerfacecolor": "white", "markeredgewidth": 0.9},
    None: {"marker": "|", "markersize": 5.5, "color": _BLUE, "markeredgewidth": 1.1},
}
_DOT: dict[str, Any] = {"marker": "o", "markersize": 2.2, "color": _BLUE, "alpha": 0.45, "markeredgewidth": 0}
_CUT: dict[str, Any] = {"marker": "<", "markersize": 3, "color": _BLUE, "markeredgewidth": 0}
_BEST: dict[str, Any] = {"color": PALETTE[1], "linestyle": (0, (4, 2)), "linewidth": 0.8}


def forest_plot(
    rows: Sequence[Difference], *, title: str, x_label: str, baseline: str, strategy: str,
    significance: str = "significant after correction",
) -> Figure:  # fmt: skip
    """One strategy against the baseline: see `forest_panels`."""
    return _forest({strategy: rows}, [], title, x_label, baseline, significance)


def forest_panels(
    panels: Mapping[str, Sequence[Difference]], *, title: str, x_label: str, baseline: str,
    significance: str = "significant after correction",
) -> Figure:  # fmt: skip
    """One to three strategies against one baseline, side by side on the same two axes; the keys name the strategies.

    Rows stand as given, averages after all others; a row that one panel lacks has a dash there. Filled marks are
    ``significance``, hollow ones are not, a bare tick was not tested. An end more than three times as far from its
    estimate as the median end may be cut off: an arrow says so, and the numbers at the right are whole.

    Raises ValueError for more than three panels, for a row given twice in one panel, and for an interval that ends
    before it begins.
    """
    return _forest(panels, list(panels), title, x_label, baseline, significance)


def interval_plot(rows: Sequence[Score], *, title: str, x_label: str) -> Figure:
    """The scores of strategies on one task: see `interval_panels`."""
    return _intervals({"": rows}, [], title, x_label)


def interval_panels(panels: Mapping[str, Sequence[Score]], *, title: str, x_label: str) -> Figure:
    """The mean score of each strategy with its interval and its seeds; a panel a task, three side by side.

    Strategies stand in one order in all panels, the best first: by how far they lie behind the best mean, averaged
    over the tasks that they have. Filled marks are tied with the best, hollow ones are not, a bare tick was not tested;
    a line runs through the best mean. A dagger marks a mean without an interval, and the legend says why.

    Raises ValueError for a strategy given twice in one panel, and for an interval that ends before it begins.
    """
    return _intervals(panels, list(panels), title, x_label)


def _forest(
    panels: Mapping[str, Sequence[Difference]], names: Sequence[str], title: str, x_label: str, baseline: str,
    significance: str,
) -> Figure:  # fmt: skip
    if len(panels) > 3:
        raise ValueError(f"a forest plot has at most 3 panels, not {len(panels)}: draw a figure for each strategy")
    found = {name: _keyed(name, rows, _key) for name, rows in panels.items()}
    rows = [row for cells in found.values() for row in cells.values()]
    if not rows:
        return _nothing(title, "no differences")
    keys = sorted(_merged(found.values()), key=lambda key: key[0])  # averages last
    languages, averages = [key for key in keys if not key[0]], [key for key in keys if key[0]]
    with style():
        # "average (languages as a sample)" would take a third of a column on one line.
        labels = [short(key[2]) if not key[0] else short(key[2]).replace(" (", "\n(", 1) for key in keys]
        step = 1.7 if any("\n" in label for label in labels) else 1.2
        start = len(languages) - 0.5 + 0.3 * bool(languages)
        places = [*map(float, range(len(languages))), *(start + step * (i + 0.5) for i in range(len(averages)))]
        bottom = start + step * len(averages) + 0.2
        digits = _digits(rows)
        texts = {
            name: [_numbers(cells[key], digits) if key in cells else "–" for key in keys]
            for name, cells in found.items()
        }
        limits = _limits(rows, [0.0])
        groups = max(wide(short(key[1]), 6) for key in languages or keys)
        sheet = Sheet(
            len(panels), title=title, x_label=x_label, rows=bottom + 0.6, names=names, head=True,
            left=max(  # averages have no group, and take its column
                wide(label, 6.5) + (groups + 2 * GAP) * (groups > 0 and not key[0]) + 2 * GAP
                for label, key in zip(labels, keys, strict=True)
            ),
            right=max([wide(_HEAD, 5.5), *(wide(text, 6) for column in texts.values() for text in column)]) + GAP,
            under=[(f"← {short(baseline)} better", f"{short(name)} better →") for name in panels],
            legend=_legend(
                rows, [row.significant for row in rows], plain(significance), "not significant", _cut(rows, limits)
            ),
        )  # fmt: skip
        for axes, (name, cells) in zip(sheet.axes, found.items(), strict=True):
            axes.set(xlim=limits, ylim=(bottom, -0.6))
            axes.axvline(0, color="0.45", linewidth=0.7, zorder=1)
            drawn = [(y, cells[key]) for y, key in zip(places, keys, strict=True) if key in cells]
            _draw(axes, [(y, row, row.significant) for y, row in drawn if not row.summary])
            _draw_averages(axes, [(y, row) for y, row in drawn if row.summary])
            beside: dict[str, Any] = {"x": 1 + GAP / sheet.across, "transform": axes.get_yaxis_transform()}
            axes.text(y=-0.6, s=_HEAD, fontsize=5.5, color=_GREY, va="bottom", **beside)
            for y, text in zip(places, texts[name], strict=True):
                axes.text(y=y, s=text, fontsize=6, va="center_baseline", **beside)
            axes.set_yticks(places, labels if axes is sheet.axes[0] else [])
        sheet.stripe(places[: len(languages)])
        if languages and averages:
            sheet.rule(start - 0.15)
        for group, run in groupby(enumerate(languages), key=lambda pair: pair[1][1]):
            first = next(run)[0]
            sheet.write(GAP, first, short(group), fontsize=6, color=_GREY)
            if first:
                sheet.rule(first - 0.5, "0.8")
    return sheet.figure


def _intervals(panels: Mapping[str, Sequence[Score]], names: Sequence[str], title: str, x_label: str) -> Figure:
    found = {name: _keyed(name, rows, lambda row: row.label) for name, rows in panels.items()}
    rows = [row for cells in found.values() for row in cells.values()]
    if not rows:
        return _nothing(title, "no scores")
    best = {
        name: max((row.estimate for row in cells.values() if row.estimate is not None), default=math.nan)
        for name, cells in found.items()
    }

    def behind(label: str) -> float:
        gaps = [
            best[name] - row.estimate
            for name, cells in found.items()
            if (row := cells.get(label)) and row.estimate is not None
        ]
        return mean(gaps) if gaps else math.inf

    order = sorted(_merged(found.values()), key=behind)  # equals stay as given
    labels = [short(label) for label in order]
    with style():
        limits = {name: _limits(list(cells.values()), []) for name, cells in found.items()}
        cut = any(_cut(list(cells.values()), limits[name]) for name, cells in found.items())
        legend = _legend(rows, [row.tied for row in rows], "tied with the best", "behind the best", cut)
        if any(row.low is not None for row in rows):
            legend.insert(0, Entry({"linestyle": "-", "color": _BLUE}, "95 % interval"))
        bare = [row for row in rows if row.low is None and row.estimate is not None]
        if bare:
            reason = "no interval: one seed" if all(len(row.dots) < 2 for row in bare) else "no interval"
            legend.append(Entry({"marker": ""}, f"† {reason}"))
        if any(map(math.isfinite, best.values())):
            legend.append(Entry(_BEST, "best mean"))
        sheet = Sheet(
            len(panels), title=title, x_label=x_label, rows=len(order) + 0.3, names=names,
            left=max(wide(label, 6.5) for label in labels) + 2 * GAP, right=GAP, legend=legend,
        )  # fmt: skip
        for index, (axes, (name, cells)) in enumerate(zip(sheet.axes, found.items(), strict=True)):
            axes.set(xlim=limits[name], ylim=(len(order) - 0.35, -0.65))
            if math.isfinite(best[name]):
                axes.axvline(best[name], zorder=1, **_BEST)
            drawn = [(float(y), cells[label]) for y, label in enumerate(order) if label in cells]
            _draw(axes, [(y, row, row.tied) for y, row in drawn])
            for y, row in drawn:
                if row.estimate is not None and row.low is None:
                    axes.annotate("†", (row.estimate, y), (3.5, 0), textcoords="offset points", color=_GREY, fontsize=6)
            axes.set_yticks(range(len(order)), labels if index % 3 == 0 else [])
        sheet.stripe(range(len(order)))
    return sheet.figure


def _key(row: Difference) -> tuple[bool, str, str]:
    return row.summary, row.group, row.label


def _keyed(panel: str, rows: Sequence[_Row], key: Callable[[_Row], Any]) -> dict[Any, _Row]:
    """Rows by what tells them apart; what is not finite is None, and an interval has both of its ends."""
    found: dict[Any, _Row] = {}
    for row in rows:
        where = f"row {row.label!r} of panel {panel!r}" if panel else f"row {row.label!r}"
        if key(row) in found:
            raise ValueError(f"{where} is given twice")
        estimate, low, high = (value if _there(value) else None for value in (row.estimate, row.low, row.high))
        if estimate is None or low is None or high is None:
            low = high = None
        elif low > high:
            raise ValueError(f"{where}: its interval ends at {high:g}, before it begins at {low:g}")
        dots = [dot for dot in row.dots if _there(dot)]
        found[key(row)] = row._replace(estimate=estimate, low=low, high=high, dots=dots)
    return found


def _there(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _merged(orders: Iterable[Iterable[Hashable]]) -> list[Any]:
    """All keys; what a later order adds stands behind the one that it follows there."""
    merged: list[Hashable] = []
    for order in orders:
        at = 0
        for key in order:
            if key not in merged:
                merged.insert(at, key)
            at = merged.index(key) + 1
    return merged


def _limits(rows: Sequence[Difference | Score], also: Sequence[float]) -> tuple[float, float]:
    """Where the axis begins and ends: all estimates and dots, and all ends that are not far out."""
    shown = [*also, *(dot for row in rows for dot in row.dots)]
    shown += [row.estimate for row in rows if row.estimate is not None]
    if spans := [span for row in rows if (span := _span(row))]:
        # Were the median end 0 long, all others would be far out.
        far = 3 * median(abs(end - estimate) for estimate, *ends in spans for end in ends) or math.inf
        shown += [estimate + max(-far, min(far, end - estimate)) for estimate, *ends in spans for end in ends]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    around = 0.05 * (high - low) or 1.0
    return low - around, high + around


def _span(row: Difference | Score) -> tuple[float, float, float] | None:
    if row.estimate is None or row.low is None or row.high is None:
        return None
    return row.estimate, row.low, row.high


def _cut(rows: Sequence[Difference | Score], limits: tuple[float, float]) -> bool:
    return any(span[1] < limits[0] or span[2] > limits[1] for row in rows if (span := _span(row)))


def _legend(
    rows: Sequence[Difference | Score], states: Sequence[bool | None], yes: str, no: str, cut: bool
) -> list[Entry]:
    marked = {state for row, state in zip(rows, states, strict=True) if row.estimate is not None}
    entries = []
    if marked - {None}:  # the pair explains itself, so both are there
        entries += [Entry(_LOOKS[True], yes), Entry(_LOOKS[False], no)]
    if None in marked:
        entries.append(Entry(_LOOKS[None], "not tested"))
    if any(isinstance(row, Difference) and row.summary for row in rows):
        entries.append(Entry({"marker": "D", "markersize": 3.4, "color": _DARK}, "average"))
    if any(row.dots for row in rows):
        entries.append(Entry(_DOT, "one seed"))
    if cut:
        entries.append(Entry(_CUT, "interval goes on"))
    return entries


def _draw(axes: Axes, drawn: Sequence[tuple[float, Difference | Score, bool | None]]) -> None:
    """Intervals, dots below them, and the mark of each state."""
    _draw_dots(axes, [(y + _BELOW, row) for y, row, _ in drawn])
    for y, row, _ in drawn:
        if span := _span(row):
            axes.plot(span[1:], [y, y], color=_BLUE, linewidth=1.1, solid_capstyle="butt", label="interval", zorder=2)
    for state, name in ((True, "filled"), (False, "hollow"), (None, "untested")):
        points = [(row.estimate, y) for y, row, found in drawn if found is state and row.estimate is not None]
        if points:
            axes.plot(*zip(*points, strict=True), **_LOOKS[state], linestyle="none", label=name, zorder=4)
    _draw_cuts(axes, [(y, row) for y, row, _ in drawn], _BLUE)


def _draw_averages(axes: Axes, drawn: Sequence[tuple[float, Difference]]) -> None:
    """A diamond from end to end, filled or hollow; without a test a bar with a tick, without an interval a mark."""
    _draw_dots(axes, [(y + _BELOW + 0.15, row) for y, row in drawn])
    for y, row in drawn:
        face = _DARK if row.significant else "white"
        span = _span(row)
        if span and row.significant is not None:
            estimate, low, high = span
            corners = [low, estimate, high, estimate], [y, y - 0.3, y, y + 0.3]
            axes.fill(*corners, facecolor=face, edgecolor=_DARK, linewidth=0.9, label="average", zorder=3)
        elif row.estimate is not None:
            if span:
                axes.plot(span[1:], [y, y], color=_DARK, linewidth=2, solid_capstyle="butt", label="interval", zorder=3)
            marker, size = ("|", 7) if row.significant is None else ("D", 3.8)
            axes.plot(
                [row.estimate], [y], marker=marker, markersize=size, color=_DARK, markerfacecolor=face,
                linestyle="none", label="average", zorder=4,
            )  # fmt: skip
    _draw_cuts(axes, drawn, _DARK)


def _draw_dots(axes: Axes, drawn: Sequence[tuple[float, Difference | Score]]) -> None:
    dots = [(dot, y) for y, row in drawn for dot in row.dots]
    if dots:
        axes.plot(*zip(*dots, strict=True), **_DOT, linestyle="none", label="dots", zorder=3)


def _draw_cuts(axes: Axes, drawn: Sequence[tuple[float, Difference | Score]], color: str) -> None:
    left, right = axes.get_xlim()
    for y, row in drawn:
        if span := _span(row):
            for x, marker, beyond in ((left, "<", span[1] < left), (right, ">", span[2] > right)):
                if beyond:
                    look = {**_CUT, "marker": marker, "color": color}
                    axes.plot([x], [y], **look, clip_on=False, label="cut", zorder=4)


def _digits(rows: Sequence[Difference]) -> int:
    """One digit; two where all differences are less than a point."""
    return 2 if all(abs(value) < 1 for row in rows for value in (row.estimate, row.low, row.high) if value) else 1


def _numbers(row: Difference, digits: int) -> str:
    if row.estimate is None:
        return "–"
    # A value that rounds to zero has no sign of its own.
    estimate, low, high = (
        "" if value is None else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")
        for value in (row.estimate, row.low, row.high)
    )
    if row.low is None:
        return f"{estimate} ({'one seed' if len(row.dots) == 1 else 'no interval'})"
    return f"{estimate} [{low}, {high}]"


def _nothing(title: str, text: str) -> Figure:
    with style():
        figure = blank(COLUMN, 0.6, plain(title))
        axes = figure.subplots()
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
    return figure
