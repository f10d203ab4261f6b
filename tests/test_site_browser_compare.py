"""The page that compares two strategies in a browser, against the statistics themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

import browser as pages
import pytest
from browser import LANGUAGES, MBERT, XLMR, Open, Site, average, measured_table, printed, scores_of, until

from xleval.comparison.measured import MeasuredTable
from xleval.comparison.standing import difference
from xleval.languages import builtin
from xleval.stats.multiple import benjamini_hochberg, holm

browser, open_page, site, where = pages.browser, pages.open_page, pages.site, pages.where

PAGE = "compare.html"

#: Texts of the rows of the result, the average last.
LINES = """page => [...document.querySelectorAll('#result tbody tr, #result tfoot tr')].map(
  tr => [...tr.cells].map(cell => cell.textContent.trim()))"""


@pytest.fixture(scope="module")
def table(site: Site) -> MeasuredTable:
    return measured_table(site.results, XLMR)


def row_id(name: str, backbone: str = XLMR) -> str:
    """A row as addresses name it; ``entry/strategy`` here."""
    entry, _, label = name.partition("/")
    return f"{entry}/{backbone}/{label}"


def shown(page: Any) -> list[list[str]]:
    page.locator("#result table").wait_for()
    return list(page.evaluate(LINES))


def chosen(page: Any) -> tuple[str, ...]:
    fields = page.locator("#pair").evaluate("form => ['page', 'a', 'b'].map(name => form.elements[name].value)")
    return tuple(fields)


def open_pair(open_page: Open, a: str, b: str, where: str = "file", backbone: str = XLMR) -> Any:
    values = {"page": "xnli", "a": row_id(a, backbone), "b": row_id(b, backbone)}
    page = open_page(f"{PAGE}#{urlencode(values)}", where)
    shown(page)
    assert chosen(page) == tuple(values.values())
    return page


def columns(table: MeasuredTable, a: str, b: str) -> list[tuple[str, list[str]]]:
    """Name of a line → languages of its average: each, and all that both have."""
    both = [code for code in LANGUAGES if all((row, code) in table.cells for row in (a, b))]
    return [*((builtin().get(code).name, [code]) for code in LANGUAGES), ("Average", both)]


def p_of(table: MeasuredTable, a: str, b: str, languages: Sequence[str]) -> float | None:
    if any(table.reason(one, languages, other) for one, other in ((a, b), (b, a))):
        return None
    return float(difference(table, a, b, languages).p)


def corrected(table: MeasuredTable, a: str, b: str) -> list[float | None]:
    """p-values of a against the baseline b, among those of all rows against it."""
    others = [row.strategy for row in table.table.rows if row.strategy != b]
    raw = {
        (other, name): p
        for other in others
        for name, languages in columns(table, other, b)
        if (p := p_of(table, other, b, languages)) is not None
    }
    made: dict[tuple[str, str], float] = {}
    for method, keys in (
        (benjamini_hochberg, [key for key in raw if key[1] != "Average"]),
        (holm, [key for key in raw if key[1] == "Average"]),
    ):
        made.update(zip(keys, map(float, method([raw[key] for key in keys])), strict=True))
    return [made.get((a, name)) for name, _ in columns(table, a, b)]


def signed(millionths: int) -> str:
    text = printed(Fraction(abs(millionths), 10**4))
    return text if text == "0.0" else ("−" if millionths < 0 else "+") + text


def end(millionths: int) -> str:
    return signed(millionths) if millionths < 0 else printed(Fraction(millionths, 10**4))


def p_text(p: float) -> str:
    up = math.ceil(p * 10**4 - 1e-9)
    return "< .001" if up < 10 else "1" if up > 9995 else f"{up / 10**4:.3f}"[1:]


def expected(site: Site, table: MeasuredTable, a: str, b: str) -> list[list[str]]:
    scores = scores_of(site.results)
    lines = []
    for (name, languages), p in zip(columns(table, a, b), corrected(table, a, b), strict=True):
        means = [printed(average(scores[one], languages)) for one in (a, b)]
        if p is None:
            lines.append([name, *means, "–", "–", "–", "score missing"])
            continue
        one = difference(table, a, b, languages)
        low, high = one.interval()
        estimate, half = round(one.estimate * 10**6), round((high - low) / 2 * 10**6)
        mark = "not told apart" if math.ceil(p * 10**4 - 1e-9) > 500 else "above" if one.estimate > 0 else "below"
        ends = f"[{end(estimate - half)}, {end(estimate + half)}]"
        lines.append([name, *means, signed(estimate), ends, p_text(p), mark])
    return lines


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("first/tlr-all-multi", "first/transfer:lang=quy,steps=100"),
        ("first/madx", "first/la-none-tr"),
        ("second/badx", "first/madx"),
    ],
)
def test_differences_are_those_of_the_statistics(
    open_page: Open, site: Site, table: MeasuredTable, a: str, b: str
) -> None:
    page = open_pair(open_page, a, b)
    there = shown(page)
    assert there == expected(site, table, a, b)
    page.get_by_role("button", name="Swap the two strategies").click()
    assert chosen(page) == ("xnli", row_id(b), row_id(a))
    back = shown(page)
    assert back == expected(site, table, b, a)
    assert f"a={row_id(b)}".replace("/", "%2F").split(":")[0] in page.evaluate("location.hash")
    # The corrections of both directions are over other comparisons.
    assert [line[5] for line in there] != [line[5] for line in back]


def test_the_pairs_are_of_all_kinds(site: Site, table: MeasuredTable) -> None:
    lines = [line for a, b in (("first/madx", "first/la-none-tr"), ("second/badx", "first/madx"))
             for line in expected(site, table, a, b)]  # fmt: skip
    assert {line[-1] for line in lines} == {"above", "not told apart", "score missing"}


def test_the_best_and_the_next_stand_there_first(open_page: Open, site: Site, where: str) -> None:
    page = open_page(PAGE, where)
    shown(page)
    assert chosen(page)[0] == "masakha-nli"
    page.locator("#pair [name='page']").select_option("xnli")
    until(page, "document.querySelectorAll('#result tbody tr').length === 9")
    scores = scores_of(site.results)
    means = {name: average(scores[name], LANGUAGES) for name in scores if not name.startswith("other/")}
    best, second, *_ = sorted((n for n in means if means[n] is not None), key=lambda n: -means[n])  # type: ignore[operator]
    assert chosen(page) == ("xnli", row_id(best), row_id(second))
    assert page.locator("#announce").text_content() == page.locator("#result .verdict").text_content()


def test_rows_without_items_are_not_tested(open_page: Open) -> None:
    page = open_pair(open_page, "first/tlr-all-multi", "doubtful/@none")
    lines = shown(page)
    assert {line[-1] for line in lines} == {"not tested"} and {line[5] for line in lines} == {"–"}
    assert float(lines[-1][1]) - float(lines[-1][2]) == pytest.approx(float(lines[-1][3]), abs=0.11)
    assert "was not tested: self-reported" in page.locator("#result .verdict").text_content()
    assert page.locator("#result svg.forest .point.untested").count() == 10


def test_menus_choose_within_one_backbone(open_page: Open, site: Site) -> None:
    page = open_pair(open_page, "first/madx", "second/madx")
    groups = page.locator("#pair [name='a'] optgroup").evaluate_all("gs => gs.map(g => [g.label, g.children.length])")
    assert groups == [[XLMR, 9], [MBERT, 2]]
    texts = page.locator("#pair [name='b'] option").evaluate_all("os => os.map(o => o.textContent)")
    assert len(texts) == 8 and "madx (second)" in texts and "madx (first)" not in texts and "badx" in texts
    page.locator("#pair [name='b']").select_option(row_id("first/la-none-tr"))
    until(page, "document.querySelector('#result caption').textContent.includes('la-none-tr')")
    assert chosen(page) == ("xnli", row_id("first/madx"), row_id("first/la-none-tr"))
    page.locator("#pair [name='a']").select_option(row_id("other/madx", MBERT))
    until(page, "document.querySelector('#result caption').textContent.includes('tlr-target')")
    assert chosen(page) == ("xnli", row_id("other/madx", MBERT), row_id("other/tlr-target", MBERT))
    again = open_page(PAGE + page.evaluate("location.hash"))
    assert (
        shown(again)
        == shown(page)
        == expected(site, measured_table(site.results, MBERT), "other/madx", "other/tlr-target")
    )


def test_the_plot_has_a_point_for_each_language(open_page: Open) -> None:
    page = open_pair(open_page, "second/badx", "first/la-none-tr")
    marks = [line[-1] for line in shown(page)]
    count = {"told": sum(mark in ("above", "below") for mark in marks[:-1]), "not": marks.count("not told apart")}
    plot = page.locator("#result svg.forest")
    assert plot.locator("circle.point").count() == 8 == len(marks) - 2  # one has no score
    assert plot.locator("circle.point.filled").count() == count["told"] > 0
    assert plot.locator("circle.point.hollow").count() == count["not"]
    assert plot.locator("polygon.average").count() == 1
    texts = plot.locator("text.label").all_text_contents()
    assert texts == [*(builtin().get(code).name for code in LANGUAGES), "Average"]
    # A point above stands right of the line of no difference.
    zero = plot.locator("line.zero").bounding_box()
    points = [box["x"] + box["width"] / 2 for box in (one.bounding_box() for one in plot.locator("circle.point").all())]
    values = [line[3] for line in shown(page)[:-1] if line[3] != "–"]
    assert [point > zero["x"] for point in points] == [value.startswith("+") for value in values]
    ranked = sorted(range(len(points)), key=points.__getitem__)
    numbers = [float(value.replace("−", "-")) for value in values]
    assert [numbers[i] for i in ranked] == sorted(numbers)


def test_its_table_sorts_and_the_average_stays_last(open_page: Open) -> None:
    page = open_pair(open_page, "second/badx", "first/la-none-tr")
    page.get_by_role("button", name="Difference").click()
    values = [line[3] for line in shown(page)]
    numbers = [float(value.replace("−", "-")) for value in values[:-2]]
    assert values[-2] == "–" and shown(page)[-1][0] == "Average" and numbers == sorted(numbers, reverse=True)


def test_addresses_that_name_nothing_show_the_default(open_page: Open) -> None:
    page = open_page(PAGE + "#page=no&a=%3Cimg%20src=x%3E&b=")
    first = shown(page)
    other = open_page(PAGE)
    assert first == shown(other) and chosen(page) == chosen(other)
    page.evaluate("location.hash = 'page=xnli&a=doubtful'")
    until(page, "document.querySelectorAll('#result tbody tr').length === 9")
