"""A task page in a browser: sorting, filters, links to a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import browser as pages
import pytest
from browser import (
    FORMULA,
    LANGUAGES,
    MBERT,
    XLMR,
    Open,
    Scores,
    Site,
    average,
    choose,
    measured_table,
    names,
    printed,
    scores_of,
    seen,
    sort_button,
    until,
)

from xleval.comparison.measured import MeasuredTable
from xleval.comparison.standing import standings
from xleval.languages import builtin

browser, open_page, site, where = pages.browser, pages.open_page, pages.site, pages.where

PAGE = "task/xnli.html"
OF_MBERT = ("other/madx", "other/tlr-target")


@pytest.fixture(scope="module")
def scores(site: Site) -> dict[str, Scores]:
    return scores_of(site.results)


@pytest.fixture(scope="module")
def tables(site: Site) -> dict[str, MeasuredTable]:
    return {backbone: measured_table(site.results, backbone) for backbone in (XLMR, MBERT)}


@pytest.mark.parametrize(("code", "by"), [("swa", "mouse"), ("yor", "mouse"), ("quy", "keyboard")])
def test_language_columns_sort(open_page: Open, scores: dict[str, Scores], code: str, by: str) -> None:
    page = open_page(PAGE)
    button = sort_button(page, code)

    def press() -> None:
        if by == "mouse":
            button.click()
            return
        for _ in range(100):
            if button.evaluate("button => button === document.activeElement"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")

    before = names(page)
    assert sorted(before) == sorted(scores)
    known = {name: mean for name in before if (mean := average(scores[name], [code])) is not None}
    absent = [name for name in before if name not in known]
    assert len(set(known.values())) > 5 and absent == ["second/badx"] * (code == "yor")
    spoken = page.locator(f"th[abbr]:has(button:text-is('{code}'))").first.get_attribute("abbr")

    press()
    assert names(page) == [*sorted(known, key=lambda name: -known[name]), *absent]
    assert seen(page)["sorted"] == {code: "descending"}
    assert page.locator("#announce").text_content() == f"sorted by {spoken}, best first"
    press()
    assert names(page) == [*sorted(known, key=lambda name: known[name]), *absent]
    assert seen(page)["sorted"] == {code: "ascending"}
    assert page.locator("#announce").text_content() == f"sorted by {spoken}, lowest first"
    assert names(page, 1) and seen(page, 1)["sorted"] == {"average": "descending"}


def test_other_columns_sort(open_page: Open, scores: dict[str, Scores]) -> None:
    page = open_page(PAGE)
    means = {name: found for name in names(page) if (found := average(scores[name], LANGUAGES)) is not None}
    assert names(page) == [*sorted(means, key=lambda name: -means[name]), "second/badx"]
    sort_button(page, "average").click()
    assert names(page) == [*sorted(means, key=lambda name: means[name]), "second/badx"]
    sort_button(page, "strategy").click()
    assert page.locator("#announce").text_content() == "sorted by Strategy, A to Z"
    labels = [label for name in names(page) if (label := name.partition("/")[2])[0].isalpha()]
    assert labels == sorted(labels) and len(labels) == 9
    sort_button(page, "backbone").click()
    sort_button(page, "backbone").click()
    assert set(names(page)[:2]) == set(OF_MBERT)
    sort_button(page, "coverage").click()
    assert names(page)[-1] == "second/badx"
    assert seen(page)["rows"][-1]["cells"]["coverage"] == "8/9"


def test_the_printed_table_sorts_for_itself(open_page: Open) -> None:
    page = open_page(PAGE)
    measured = names(page)
    sort_button(page, "tha", 1).click()
    values = [float(row["cells"]["tha"]) for row in seen(page, 1)["rows"]]
    assert values == sorted(values, reverse=True) and len(set(values)) > 5
    assert names(page) == measured and page.evaluate("location.hash") == "#sort1=tha"
    sort_button(page, "tha", 1).click()
    assert page.evaluate("location.hash") == "#sort1=tha&dir1=asc"
    for descending in (True, False):  # by what the paper prints as the average
        sort_button(page, "average", 1).click()
        values = [float(row["average"]) for row in seen(page, 1)["rows"]]
        assert values == sorted(values, reverse=descending) and len(set(values)) > 5


def markup(page: Any) -> list[str]:
    """Heads and rows of all tables, in their order; spaces between rows may move."""
    rows = page.locator("table.scores tr").evaluate_all("rows => rows.map(row => row.outerHTML)")
    assert len(rows) == 2 + 21
    return list(rows)


def column(facet: str, value: str) -> list[str]:
    return [code for code in LANGUAGES if getattr(builtin().get(code), facet) == value]


VALIDATED = ("first/", "second/", "other/")

#: Filters → languages, whether the average of these has intervals, and which rows are shown.
FILTERS: list[tuple[dict[str, str], Sequence[str], bool, Callable[[str], bool]]] = [
    ({"lang": "swa"}, ["swa"], True, lambda name: True),
    ({"lang": "Yorùbá,QUY"}, ["quy", "yor"], True, lambda name: True),
    ({"lang": "chin swahi"}, ["swa", "zho"], False, lambda name: True),
    ({"family": "Indo-European"}, column("family", "Indo-European"), True, lambda name: True),
    ({"script": "Arab"}, column("script", "Arab"), True, lambda name: True),
    ({"macroarea": "Africa"}, column("macroarea", "Africa"), True, lambda name: True),
    ({"resource": "low"}, column("resource", "low"), True, lambda name: True),
    ({"resource": "medium", "family": "Tai-Kadai"}, ["tha"], True, lambda name: True),
    ({"resource": "high", "script": "Latn"}, ["deu"], True, lambda name: True),
    ({"resource": "high", "lang": "deu zho swa"}, ["deu", "zho"], False, lambda name: True),
    ({"seen": "yes"}, [code for code in LANGUAGES if code not in ("quy", "yor")], True, lambda name: True),
    ({"seen": "no"}, ["quy"], True, lambda name: True),
    ({"seen": "no", "backbone": XLMR}, ["quy", "yor"], True, lambda name: name not in OF_MBERT),
    ({"seen": "yes", "backbone": MBERT}, [c for c in LANGUAGES if c != "quy"], True, lambda name: name in OF_MBERT),
    ({"strategy": "MADX"}, LANGUAGES, True, lambda name: name.endswith("/madx")),
    ({"strategy": "badx, quy", "lang": "quy tha"}, ["quy", "tha"], False, lambda name: "badx" in name or "quy" in name),
    ({"badge": "validated", "script": "Latn"}, column("script", "Latn"), True, lambda name: name.startswith(VALIDATED)),
    ({"badge": "reproduced"}, LANGUAGES, True, lambda name: name in ("first/madx", "second/madx")),
    ({"lang": "klingon"}, [], False, lambda name: True),
    ({"strategy": FORMULA}, LANGUAGES, True, lambda name: name == f"doubtful/{FORMULA}"),
]


def interval_of(
    tables: dict[str, MeasuredTable], name: str, languages: Sequence[str], mean: Fraction
) -> tuple[str, bool | None]:
    """The interval of an average and whether it is tied, from the statistics themselves."""
    table = tables[MBERT if name in OF_MBERT else XLMR]
    found = standings(table, columns={"these": list(languages)})[name, "these"]
    if found.interval is None:
        return "no interval", found.tied
    half = Fraction(round(max(float(mean) / 100 - found.interval[0], found.interval[1] - float(mean) / 100) * 10**6))
    return f"[{printed(mean - half / 10**4)}, {printed(mean + half / 10**4)}]", found.tied


def test_filters_change_rows_columns_and_averages(
    open_page: Open, scores: dict[str, Scores], tables: dict[str, MeasuredTable]
) -> None:
    page = open_page(PAGE)
    whole = markup(page)
    intervals = set()
    for filters, languages, tested, is_shown in FILTERS:
        choose(page, **filters)
        table = seen(page)
        assert [name for name in table["columns"] if name in LANGUAGES] == list(languages), filters
        shown = [row["name"] for row in table["rows"]]
        assert sorted(shown) == sorted(filter(is_shown, scores)), filters
        means = {name: average(scores[name], languages) for name in shown}
        values = [means[name] for name in shown if means[name] is not None]
        assert values == sorted(values, reverse=True) and None not in [means[n] for n in shown][: len(values)], filters
        for row in table["rows"]:
            name, mean = row["name"], means[row["name"]]
            assert row["average"] == printed(mean), (filters, name)
            assert {code: row["cells"][code] for code in languages} == {
                code: printed(average(scores[name], [code])) for code in languages
            }, (filters, name)
            have = sum(average(scores[name], [code]) is not None for code in languages)
            assert row["cells"]["coverage"] == f"{have}/{len(languages)}", (filters, name)
            expected: tuple[str, bool | None] = ("", None)
            if mean is not None and not tested:
                expected = ("n/a for this subset", None)
            elif mean is not None and name.startswith("doubtful"):
                expected = ("no interval", None)
            elif mean is not None:
                expected = interval_of(tables, name, languages, mean)
            assert (row["interval"], "average" in row["tied"]) == (expected[0], bool(expected[1])), (filters, name)
            intervals.add(row["interval"])
        rows = len(shown) + len(seen(page, 1)["rows"])
        text = page.locator("#shown").text_content()
        assert text == f"{rows} of 21 strategies, {len(languages)} of 9 languages", filters
        page.get_by_role("button", name="Clear filters").click()
        assert markup(page) == whole, filters
        assert page.evaluate("location.hash") == ""
    assert len(intervals) > 40


def test_printed_averages_follow_the_filter(open_page: Open) -> None:
    page = open_page(PAGE)
    # A paper's own average stands there, though the languages that it has are not all of the page.
    assert [row["average"] for row in seen(page, 1)["rows"]][:2] == ["66.1", "66.0"]
    choose(page, script="Arab")
    for row in seen(page, 1)["rows"]:
        mean = sum(map(float, (row["cells"]["ara"], row["cells"]["urd"]))) / 2
        assert abs(float(row["average"]) - mean) < 0.11 and row["interval"] == ""
    choose(page, script="Latn")
    assert {row["average"] for row in seen(page, 1)["rows"]} == {"–"}
    choose(page, badge="self-reported")
    assert names(page, 1) == []


def test_cells_show_seeds_intervals_and_colours(
    open_page: Open, scores: dict[str, Scores], tables: dict[str, MeasuredTable]
) -> None:
    page = open_page(PAGE)
    before = markup(page)
    choose(page, cells="seeds")
    dots = page.locator("[data-table='0'] svg.seeds .dots").evaluate_all("ps => ps.map(p => p.getAttribute('d'))")
    seeds = [len(found) for row in scores.values() for found in row.values() if found]
    assert sorted(d.count("M") for d in dots) == sorted(seeds)
    choose(page, cells="interval")
    assert page.locator("svg.seeds").count() == 0
    made = standings(tables[XLMR])["first/madx", "deu"].interval
    assert made is not None
    row = next(row for row in seen(page)["rows"] if row["name"] == "first/madx")
    half = round((made[1] - made[0]) / 2 * 10**6)
    assert row["cells"]["deu"].endswith(f"±{printed(Fraction(half, 10**4))}")
    choose(page, cells="heat", lang="deu hin")
    classes = page.locator("[data-table='0'] tbody td").evaluate_all(
        r"tds => tds.filter(td => td.checkVisibility()).flatMap(td => td.className.match(/\bh\d\b/) ?? [])"
    )
    assert len(classes) == 2 * len(scores) and {"h0", "h8"} <= set(classes) <= {f"h{step}" for step in range(9)}
    page.get_by_role("button", name="Clear filters").click()
    assert markup(page) == before


def test_a_link_opens_the_same_view(open_page: Open, where: str) -> None:
    page = open_page(PAGE, where)
    choose(page, lang="deu, quy, ตha", strategy="mad tr", seen="", cells="heat", badge="self-reported")
    sort_button(page, "quy").click()
    sort_button(page, "quy").click()
    address = page.evaluate("location.hash")
    again = open_page(PAGE + address, where)
    for table in (0, 1):
        assert seen(again, table) == seen(page, table)
    assert seen(again)["sorted"] == {"quy": "ascending"} and len(names(again)) == 6
    values = "form => Object.fromEntries(new FormData(form))"
    assert again.locator("#filters").evaluate(values) == page.locator("#filters").evaluate(values)
    assert again.evaluate("location.hash") == address


def test_back_goes_to_the_view_before(open_page: Open) -> None:
    page = open_page(PAGE + "#lang=quy")
    quy = seen(page)
    page.evaluate("location.hash = 'family=Indo-European&sort=deu&dir=asc'")
    until(page, "document.forms.filters.elements.family.value")
    assert seen(page)["columns"][2:5] == ["deu", "hin", "urd"] and seen(page)["sorted"] == {"deu": "ascending"}
    page.go_back()
    until(page, "document.forms.filters.elements.lang.value")
    assert seen(page) == quy
    page.evaluate("location.hash = 'cite'")  # a place on the page, no view
    until(page, "location.hash === '#cite'")
    assert seen(page) == quy


def test_views_that_are_none_are_ignored(open_page: Open) -> None:
    page = open_page(PAGE)
    plain = seen(page)
    odd = open_page(PAGE + "#sort=nothing&dir=up&family=Klingon&cells=%00&x=%3Cb%3E&seen=maybe&sort1=&dir1=asc")
    assert seen(odd) == plain and seen(odd, 1) == seen(page, 1)


def test_the_link_is_copied(open_page: Open, where: str) -> None:
    page = open_page(PAGE, where)
    if where == "http":
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, lang="deu, quy")
    button = page.locator("#permalink")
    button.click()
    until(page, "document.getElementById('permalink').textContent === 'Copied'")
    assert page.locator("#announce").text_content() == "Copied"
    address, field = page.url, page.locator("#filters [name='strategy']")
    field.focus()
    page.keyboard.press("Control+V")
    assert field.input_value() == address and address.endswith("#lang=deu,+quy")
