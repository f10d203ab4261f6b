"""Forest and interval plots: what they show, in which marks, and that no text lies on another."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from xleval.report.figures import COLUMN, TEXT, style, svg
from xleval.report.forest import Difference, Score, forest_panels, forest_plot, interval_panels, interval_plot
from xleval.report.sheet import fold, short, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONG = "tlr-leave-out-targ:epochs=3"
WORDS = {"title": "task on backbone", "x_label": "difference in F1 (points)", "baseline": "mad-x"}
AVERAGES = [
    Difference("average (these languages)", 1.0, 0.4, 1.6, [0.9, 1.1], True, summary=True),
    Difference("average (languages as a sample)", 1.0, -0.4, 2.4, [0.9, 1.1], False, summary=True),
]
SCORES = {"title": "scores", "x_label": "F1 (points)"}


def rows(count: int, *, name: str = "language", group: str = "") -> list[Difference]:
    """Differences of both signs, every second one significant."""
    return [
        Difference(f"{name}-{i}", i % 7 - 2.5, i % 7 - 4.0, i % 7 - 1.0, [i % 7 - 3, i % 7 - 2], i % 2 == 0, group)
        for i in range(count)
    ]


def scores(*means: float, names: str = "abcdefghijklmnopqrstuvwxyz") -> list[Score]:
    return [
        Score(name, mean, mean - 2, mean + 2, [mean - 1, mean, mean + 1], mean > 60)
        for name, mean in zip(names, means, strict=False)
    ]


def texts(figure: Figure) -> list[str]:
    """All texts of the drawing, read back from its XML."""
    root = ElementTree.fromstring(svg(figure, "t"))
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def marks(axes: Axes, kind: str) -> list[tuple[float, float]]:
    """(x, y) of all marks of a kind, the filled or hollow ones of an axis for instance."""
    return [
        (float(x), float(y))
        for line in axes.lines
        if line.get_label() == kind
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def assert_clear(figure: Figure) -> None:
    """Every text lies in the figure, on no other text, and is large enough to read."""
    from matplotlib.text import Text

    with style():
        figure.set_dpi(600)  # at few pixels widths are those of a screen's hinted glyphs, not the document's
        figure.draw_without_rendering()
        found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        boxes = [(text.get_text(), text.get_window_extent()) for text in found]
    # Ticks outside the limits are not drawn, but are found.
    edge = figure.bbox
    ticks = {id(label) for axes in figure.axes for label in axes.get_xticklabels()}
    shown = [
        (text, box)
        for one, (text, box) in zip(found, boxes, strict=True)
        if id(one) not in ticks or any(a.bbox.x0 - 9 <= (box.x0 + box.x1) / 2 <= a.bbox.x1 + 9 for a in figure.axes)
    ]
    assert all(text.get_fontsize() >= 5.5 for text in found)
    for text, box in shown:
        assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1, text
    for (one, a), (other, b) in combinations(shown, 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 0 or up <= 9, f"{one!r} lies on {other!r}"  # lines of text may touch


def test_a_forest_plot_shows_names_numbers_and_directions() -> None:
    given = [
        Difference("swa", 1.94, 0.7, 3.06, [1.0, 2.9], True, "Atlantic-Congo"),
        Difference("hau", -0.04, -1.2, 1.1, [0.1, -0.2], False, "Afro-Asiatic"),
        *AVERAGES,
    ]
    found = texts(forest_plot(given, **WORDS, strategy="all-multi"))
    for text in (
        "swa", "hau", "Atlantic-Congo", "Afro-Asiatic", "+1.9 [+0.7, +3.1]", "+0.0 [−1.2, +1.1]", "+1.0 [−0.4, +2.4]",
        "average", "(languages as a sample)", "← mad-x better", "all-multi better →", "significant after correction",
        "not significant", "one seed", "points [95 % interval]", "difference in F1 (points)", "task on backbone",
    ):  # fmt: skip
        assert text in found, text
    assert "not tested" not in found and "interval goes on" not in found
    assert found.index("swa") < found.index("hau") < found.index("(these languages)")


def test_marks_tell_significant_from_not_and_from_untested() -> None:
    given = [
        Difference("a", 2.0, 1.0, 3.0, [1.5, 2.5], True),
        Difference("b", 1.0, -1.0, 3.0, [0.0, 2.0, math.nan], False),
        Difference("c", -2.0, dots=[-2.0]),
        *AVERAGES,
    ]
    axes = forest_plot(given, **WORDS, strategy="s").axes[0]
    assert marks(axes, "filled") == [(2.0, 0.0)]
    assert marks(axes, "hollow") == [(1.0, 1.0)]
    assert marks(axes, "untested") == [(-2.0, 2.0)]
    assert marks(axes, "interval") == [(1.0, 0.0), (3.0, 0.0), (-1.0, 1.0), (3.0, 1.0)]
    dots = marks(axes, "dots")
    assert [x for x, _ in dots] == [1.5, 2.5, 0.0, 2.0, -2.0, 0.9, 1.1, 0.9, 1.1]
    assert all(y % 1 > 0.2 for _, y in dots[:5])  # below the line of the interval
    filled, hollow = (line for line in axes.lines if line.get_label() in ("filled", "hollow"))
    assert filled.get_markerfacecolor() == filled.get_color() and hollow.get_markerfacecolor() == "white"
    diamonds = [patch for patch in axes.patches if patch.get_label() == "average"]
    assert [patch.get_xy()[:3, 0].tolist() for patch in diamonds] == [[0.4, 1.0, 1.6], [-0.4, 1.0, 2.4]]
    assert diamonds[0].get_facecolor() != diamonds[1].get_facecolor()
    assert diamonds[1].get_xy()[0, 1] > diamonds[0].get_xy()[0, 1] > 2.5  # at the bottom, whatever the axis' direction


def test_averages_stand_at_the_bottom_wherever_they_are_given() -> None:
    figure = forest_plot([AVERAGES[0], *rows(2)], **WORDS, strategy="s")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["language-0", "language-1", "average\n(these languages)"]


def test_an_average_without_test_or_interval_is_drawn() -> None:
    untested = Difference("average", 1.0, 0.5, 1.5, summary=True)
    bare = Difference("bare", 2.0, significant=True, summary=True)
    axes = forest_plot([untested, bare], **WORDS, strategy="s").axes[0]
    assert [x for x, _ in marks(axes, "average")] == [1.0, 2.0]
    assert [x for x, _ in marks(axes, "interval")] == [0.5, 1.5]
    assert not axes.patches


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, -math.inf])
def test_missing_values_are_gaps(nothing: float | None) -> None:
    given = [
        Difference("no-estimate", nothing, 1.0, 2.0, significant=True),
        Difference("no-end", 1.0, 0.5, nothing, [1.0]),
        Difference("no-seed", 3.0, nothing, nothing),
    ]
    figure = forest_plot(given, **WORDS, strategy="s")
    found = texts(figure)
    assert "–" in found and "+1.0 (one seed)" in found and "+3.0 (no interval)" in found
    assert not marks(figure.axes[0], "filled") and not marks(figure.axes[0], "interval")
    assert [x for x, _ in marks(figure.axes[0], "untested")] == [1.0, 3.0]
    assert all(map(math.isfinite, figure.axes[0].get_xlim()))


def test_rows_that_have_nothing_at_all_still_make_a_figure() -> None:
    figure = forest_plot([Difference("a", None), Difference("b", None)], **WORDS, strategy="s")
    assert texts(figure).count("–") == 2 and "not tested" not in texts(figure)
    assert figure.axes[0].get_xlim() == (-1.0, 1.0)
    lost = interval_plot([Score("a", None), Score("b", math.nan)], **SCORES)
    assert {"a", "b"} <= set(texts(lost)) and "95 % interval" not in texts(lost) and not marks(lost.axes[0], "untested")


def test_the_axis_has_zero_and_all_that_is_not_far_out() -> None:
    low, high = forest_plot([Difference("a", 5.0, 4.0, 6.0, [7.5])], **WORDS, strategy="s").axes[0].get_xlim()
    assert low < 0 and high > 7.5
    wild = [*rows(6), Difference("wild", 0.0, -60.0, 2.0)]
    figure = forest_plot(wild, **WORDS, strategy="s")
    low, high = figure.axes[0].get_xlim()
    assert -8 < low < -4.5 and marks(figure.axes[0], "cut") == [(low, 6.0)]
    assert {"interval goes on", "+0.0 [−60.0, +2.0]"} <= set(texts(figure))


def test_small_differences_have_two_digits() -> None:
    found = texts(forest_plot([Difference("a", 0.31, -0.02, 0.64)], **WORDS, strategy="s"))
    assert "+0.31 [−0.02, +0.64]" in found


def test_panels_share_both_axes_and_gaps_are_dashes() -> None:
    panels = {"one": rows(3), "two": [*rows(3)[1:], Difference("new", 9.0, 8.0, 10.0, significant=True)], LONG: rows(1)}
    figure = forest_panels(panels, **WORDS)
    found = texts(figure)
    assert len(figure.axes) == 3
    assert len({axes.get_xlim() for axes in figure.axes}) == len({axes.get_ylim() for axes in figure.axes}) == 1
    assert found.count("–") == 1 + 1 + 3
    assert found.count("new") == 1 and found.count("language-1") == 1
    assert {"one", "two", LONG, "two better →", f"{LONG} better →"} <= set(found)
    assert [len(marks(axes, "filled")) for axes in figure.axes] == [2, 2, 1]


def test_what_a_later_panel_adds_stands_behind_its_neighbour() -> None:
    one, two = [Difference("a", 1.0), Difference("c", 1.0)], [Difference("a", 1.0), Difference("b", 1.0)]
    figure = forest_panels({"one": one, "two": two}, **WORDS)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 3 panels, not 4"):
        forest_panels(dict.fromkeys("abcd", rows(1)), **WORDS)
    with pytest.raises(ValueError, match="row 'swa' of panel 's' is given twice"):
        forest_plot([Difference("swa", 1.0), Difference("swa", 2.0)], **WORDS, strategy="s")
    with pytest.raises(ValueError, match="row 'swa' of panel 's': its interval ends at 1, before it begins at 3"):
        forest_plot([Difference("swa", 2.0, 3.0, 1.0)], **WORDS, strategy="s")
    with pytest.raises(ValueError, match="row 'a' is given twice"):
        interval_plot([Score("a", 1.0), Score("a", 2.0)], **SCORES)


def test_empty_figures_say_so() -> None:
    assert "no differences" in texts(forest_plot([], **WORDS, strategy="s"))
    assert "no differences" in texts(forest_panels({}, **WORDS))
    assert "no scores" in texts(interval_plot([], **SCORES))
    assert "no scores" in texts(interval_panels({"task": []}, **SCORES))


def test_an_interval_plot_is_sorted_and_marks_the_tied() -> None:
    figure = interval_plot(scores(50, 65, 61), **SCORES)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c", "a"]
    assert marks(axes, "filled") == [(65.0, 0.0), (61.0, 1.0)] and marks(axes, "hollow") == [(50.0, 2.0)]
    assert len(marks(axes, "dots")) == 9 and len(marks(axes, "interval")) == 6
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row at the top
    best = [line for line in axes.lines if list(line.get_xdata()) == [65.0, 65.0]]
    assert len(best) == 1
    assert {"95 % interval", "tied with the best", "behind the best", "best mean", "one seed"} <= set(texts(figure))


def test_one_seed_has_no_interval_and_says_so() -> None:
    figure = interval_plot([Score("a", 50.0, dots=[50.0]), Score("b", 52.0, dots=[52.0])], **SCORES)
    found = texts(figure)
    assert "† no interval: one seed" in found and found.count("†") == 2 and "95 % interval" not in found
    assert len(marks(figure.axes[0], "untested")) == len(marks(figure.axes[0], "dots")) == 2
    some = texts(interval_plot([Score("a", 50.0, dots=[49.0, 51.0]), *scores(60, 61, names="xy")], **SCORES))
    assert "† no interval" in some and some.count("†") == 1 and "95 % interval" in some


def test_tasks_have_their_own_axis_and_one_order_of_strategies() -> None:
    figure = interval_panels({"ner": scores(60, 64, 70), "nli": scores(40, 43, names="ac")}, **SCORES)
    ner, nli = figure.axes
    # Behind the best: c by 0 and 0, b by 6, a by 10 and 3.
    assert [label.get_text() for label in ner.get_yticklabels()] == ["c", "b", "a"]
    assert marks(nli, "hollow") == [(43.0, 0.0), (40.0, 2.0)]
    assert ner.get_xlim() != nli.get_xlim() and ner.get_ylim() == nli.get_ylim()
    assert texts(figure).count("b") == 1 and {"ner", "nli"} <= set(texts(figure))
    six = interval_panels({f"task-{i}": scores(60 + i, 50) for i in range(6)}, **SCORES)
    assert len({round(axes.get_position().y0, 3) for axes in six.axes}) == 2
    assert texts(six).count("a") == 2  # names once a line of panels


STRANGE = [
    "<script>alert(1)</script>",
    "$x$ & $\\frac{1}{2}$",
    "a\x00b\x1bc",
    "line\nbreak",
    '"quoted"',
    "%s {0}",
    "—",
    "",
]


def test_strange_names_are_text_and_nothing_else() -> None:
    given = [Difference(name, 1.0, 0.0, 2.0, group=name) for name in STRANGE]
    figure = forest_panels({STRANGE[0]: given, STRANGE[1]: given}, title=STRANGE[0], x_label="$y$", baseline="<b>")
    written, found = svg(figure, STRANGE[0]), texts(figure)
    assert "<script" not in written
    for text in (*STRANGE[:2], "a b c", "line break", '"quoted"', "%s {0}", "$y$", "← <b> better"):
        assert text in found, text
    assert "a b" in texts(forest_panels({"a\x00b": given}, **WORDS))
    drawn = texts(interval_panels({STRANGE[0]: [Score(name, 1.0) for name in STRANGE]}, **SCORES))
    assert set(STRANGE[:2]) <= set(drawn)


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert len({svg(forest_plot([*rows(4), *AVERAGES], **WORDS, strategy="s"), "t") for _ in range(2)}) == 1
    assert len({svg(interval_plot(scores(60, 50), **SCORES), "t") for _ in range(2)}) == 1


def families() -> list[Difference]:
    return [*rows(6, name="a", group="Afro-Asiatic"), *rows(1, name="b", group="Trans-New Guinea"), *rows(3, name="c")]


@pytest.mark.parametrize(
    "figure",
    [
        lambda: forest_plot(rows(1), **WORDS, strategy="s"),
        lambda: forest_plot([*rows(35), *AVERAGES], **WORDS, strategy=LONG),
        lambda: forest_plot([*families(), *AVERAGES], **WORDS, strategy=LONG, significance="significant (BH, 5 %)"),
        lambda: forest_plot(rows(3, name=LONG * 4), **{**WORDS, "baseline": LONG * 3}, strategy=LONG * 3),
        lambda: forest_panels({name: [*families(), *AVERAGES] for name in ("mad-x", LONG, LONG * 3)}, **WORDS),
        lambda: forest_panels({name: rows(2, name=LONG) for name in ("a", "b")}, **WORDS),
        lambda: forest_plot(rows(2), **{**WORDS, "title": "a few words " * 9, "x_label": "points " * 30}, strategy="s"),
        lambda: forest_plot([Difference("wide", -123.4, -1234.5, 1234.5, [0.0])], **WORDS, strategy="s"),
        lambda: interval_plot(scores(61), **SCORES),
        lambda: interval_plot([Score(LONG, 61.0, dots=[61.0]), *scores(50, 60)], **SCORES),
        lambda: interval_panels({"ner": scores(*range(45, 64)), LONG * 2: scores(*range(30, 48))}, **SCORES),
        lambda: interval_panels({f"task-{i}": scores(61.25, 61.5) for i in range(7)}, **SCORES),
    ],
    ids=range(12),
)  # fmt: skip
def test_no_text_lies_on_another(figure) -> None:  # type: ignore[no-untyped-def]
    assert_clear(figure())


def test_figures_fit_a_column_or_a_page() -> None:
    assert forest_plot([*rows(8), *AVERAGES], **WORDS, strategy="s").get_figwidth() < 1.2 * COLUMN
    assert interval_plot(scores(60, 61), **SCORES).get_figwidth() == COLUMN
    panels = {name: [*families(), *AVERAGES] for name in ("one", "two", LONG)}
    assert forest_panels(panels, **WORDS).get_figwidth() == TEXT
    heights = [forest_plot(rows(count), **WORDS, strategy="s").get_figheight() for count in (1, 8, 35)]
    assert heights[0] < 1.6 and (heights[2] - heights[1]) / (35 - 8) == pytest.approx((heights[1] - heights[0]) / 7)


def test_names_are_shortened_in_the_middle_and_folded_to_a_width() -> None:
    assert short(LONG) == LONG
    cut = short("start-" + "x" * 100 + "-end")
    assert len(cut) == 44 and cut.startswith("start-") and cut.endswith("-end") and "…" in cut
    folded = fold("some words of a title that is long", 7, 1.0)
    assert folded.count("\n") > 0 and wide(folded, 7) <= 1.0
    assert folded.replace("\n", " ") == "some words of a title that is long"
    assert fold("", 7, 1.0) == "" and wide("", 7) == 0
    assert wide("$x$", 7) > wide("x", 7)  # dollars are text
