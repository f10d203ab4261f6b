"""What a reader exports from a task page: the view that stands there, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import browser as pages
import pytest
from browser import (
    FORMULA,
    LANGUAGES,
    XLMR,
    Open,
    Site,
    average,
    choose,
    commit_of,
    printed,
    scores_of,
    seen,
    sort_button,
    until,
)

browser, open_page, site, where = pages.browser, pages.open_page, pages.site, pages.where

PAGE = "task/xnli.html"

#: Name of a view → filters and the headers that are pressed; the order is another one than before.
VIEWS: dict[str, tuple[dict[str, str], Sequence[str]]] = {
    "all": ({}, ()),
    "some": ({"script": "Latn", "strategy": "badx, tlr, HYPER"}, ("yor", "yor")),
    "two": ({"lang": "deu zho", "badge": "validated", "cells": "heat"}, ("strategy",)),
}


def export(page: Any, form: str) -> str:
    page.locator(f"button[data-export='{form}']").click()
    text = page.locator("#export textarea").input_value()
    page.keyboard.press("Escape")
    return str(text)


@pytest.fixture(params=list(VIEWS))
def page(request: pytest.FixtureRequest, open_page: Open) -> Any:
    filters, columns = VIEWS[request.param]
    page = open_page(PAGE)
    choose(page, **filters)
    for column in columns:
        sort_button(page, column).click()
    return page


def address_of(page: Any) -> str:
    return str(page.evaluate("location.href"))


def test_csv_has_what_is_seen(page: Any, site: Site) -> None:
    comment, *lines = export(page, "csv").splitlines()
    assert comment.startswith("# xnli") and f"commit {commit_of(site.results)[:12]}" in comment
    assert address_of(page).replace(",", "%2C") in comment and not re.search('[,;"]', comment)
    rows = [dict(zip(lines[0].split(","), row, strict=True)) for row in csv.reader(lines[1:])]
    table, scores = seen(page), scores_of(site.results)
    languages = [code for code in table["columns"] if code in LANGUAGES]
    fixed = ["strategy", "backbone", "badge", "entry", "average", "low", "high", "tied"]
    assert lines[0].split(",") == [*fixed, *languages]
    assert [f"{row['entry']}/{row['strategy'].removeprefix(chr(39))}" for row in rows] == [
        r["name"] for r in table["rows"]
    ]
    for row, there in zip(rows, table["rows"], strict=True):
        mean = average(scores[there["name"]], languages)
        assert row["average"] == ("" if mean is None else printed(mean, 2))
        for code in languages:
            one = average(scores[there["name"]], [code])
            assert row[code] == ("" if one is None else printed(one, 2))
        ends = re.findall(r"[\d.]+", there["interval"]) if there["interval"].startswith("[") else ["", ""]
        for end, text in zip((row["low"], row["high"]), ends, strict=True):
            assert bool(end) == bool(text) and (not end or abs(float(end) - float(text)) < 0.051)
        assert (row["tied"] == "yes") == ("average" in there["tied"]) and (row["tied"] != "") == bool(row["low"])
        assert row["backbone"].endswith(there["cells"]["backbone"]) and row["badge"] == there["cells"]["badge"]
        if row["strategy"].lstrip("'") == FORMULA:
            assert row["strategy"] == f"'{FORMULA}"


def as_seen(page: Any) -> tuple[list[str], list[list[tuple[str, bool]]]]:
    """Head and rows of a table to print: texts, and whether they are bold."""
    table = seen(page)
    languages = [code for code in table["columns"] if code in LANGUAGES]
    tested = any(row["interval"].startswith("[") for row in table["rows"])
    rows = []
    for row in table["rows"]:
        interval = row["interval"] if row["interval"].startswith("[") else "–"
        backbone = next(name for name in (XLMR, pages.MBERT) if name.endswith(row["cells"]["backbone"]))
        cells = [(code, row["cells"][code], code in row["tied"]) for code in languages]
        rows.append([
            (row["name"].partition("/")[2], False), (backbone, False), (row["average"], "average" in row["tied"]),
            *([(interval, False)] if tested else []), (row["cells"]["coverage"], False),
            *((text, tied) for _, text, tied in cells),
        ])  # fmt: skip
    return ["strategy", "backbone", "average", *(["95 % interval"] if tested else []), "coverage", *languages], rows


def bold(text: str, around: str, plain: Callable[[str], str]) -> tuple[str, bool]:
    found = re.fullmatch(around, text)
    return plain(found[1] if found else text), bool(found)


def from_markdown(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).replace("&lt;", "<").replace("&gt;", ">")


def from_latex(text: str) -> str:
    for written, meant in (("$-$", "−"), ("--", "–"), ("''", '"'), ("{}", "")):
        text = text.replace(written, meant)
    return re.sub(r"\\([&%$#_{}])", r"\1", text)


def test_markdown_has_what_is_seen(page: Any, site: Site) -> None:
    about, _, head, rule, *lines = export(page, "markdown").splitlines()
    assert about.startswith("**xnli, accuracy; ") and f"<{address_of(page)}>" in about
    assert about.endswith(f"commit {commit_of(site.results)[:12]}")
    names, rows = as_seen(page)
    assert [from_markdown(cell.strip()) for cell in head.strip("|").split("|")] == names
    assert rule.count(":--|") == 2 and rule.count("--:|") == len(names) - 2
    found = [
        [bold(cell.strip(), r"\*\*(.*)\*\*", from_markdown) for cell in line.strip("|").split(" | ")] for line in lines
    ]
    assert found == rows and len(rows) > 2


def test_latex_has_what_is_seen(page: Any, site: Site) -> None:
    text = export(page, "latex")
    assert f"\\url{{{address_of(page)}}}" in text and f"(commit {commit_of(site.results)[:12]})" in text
    names, rows = as_seen(page)
    head, body = re.search(r"\\toprule\n(.*)\\midrule\n(.*)\\bottomrule", text, re.DOTALL).groups()  # type: ignore[union-attr]
    assert [from_latex(cell) for cell in head.removesuffix(" \\\\\n").split(" & ")] == names
    lines = [line.removesuffix(" \\\\").split(" & ") for line in body.splitlines()]
    assert [[bold(cell, r"\\textbf\{(.*)\}", from_latex) for cell in line] for line in lines] == rows
    assert f"\\begin{{tabular}}{{ll{'r' * (len(names) - 2)}}}" in text


def test_formulas_of_names_stay_text(open_page: Open) -> None:
    page = open_page(PAGE)
    text = export(page, "csv")
    cells = [cell for row in csv.reader(text.splitlines()[1:]) for cell in row]
    assert f"'{FORMULA}" in cells and "'@none" in cells
    assert not any(cell[:1] in ("=", "+", "@", "-") for cell in cells)


def test_the_export_is_copied_and_downloaded(open_page: Open, where: str, tmp_path: Path) -> None:
    page = open_page(PAGE, where)
    choose(page, lang="quy")
    page.locator("button[data-export='markdown']").click()
    text = page.locator("#export textarea").input_value()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    assert downloading.value.suggested_filename == "xnli.md"
    downloading.value.save_as(tmp_path / "xnli.md")
    assert (tmp_path / "xnli.md").read_text("utf-8") == text
    page.locator("#copy").click()
    until(page, "document.getElementById('copy').textContent === 'Copied'")
    page.keyboard.press("Escape")
    field = page.locator("#filters [name='strategy']")
    field.focus()
    page.keyboard.press("Control+V")
    assert field.input_value() == text.replace("\n", " ").strip() or field.input_value() == text.replace("\n", "")


def test_the_comparison_is_exported(open_page: Open, site: Site) -> None:
    page = open_page("compare.html")
    page.locator("#result table").wait_for()
    lines = export(page, "csv").splitlines()
    assert page.evaluate("new URLSearchParams(location.hash.slice(1)).get('page')") is None
    assert "page=masakha-nli" in lines[0] and commit_of(site.results)[:12] in lines[0]
    head, *rows = csv.reader(lines[1:])
    assert head == ["language", "name", "a", "b", "difference", "low", "high", "p", "p corrected", "mark"]
    shown = page.evaluate(
        "[...document.querySelectorAll('#result tbody tr, #result tfoot tr')]"
        ".map(tr => [...tr.cells].map(cell => cell.textContent))"
    )
    assert [(row[1], row[-1]) for row in rows] == [(line[0], line[-1]) for line in shown] and len(rows) == 4
    for row, line in zip(rows, shown, strict=True):
        for exact, text in zip((row[2], row[3], row[4]), line[1:4], strict=True):
            assert abs(float(exact) - float(text.replace("−", "-"))) < 0.051
    markdown = export(page, "markdown")
    assert from_markdown(markdown).count(page.locator("#result .verdict").text_content()) == 1
