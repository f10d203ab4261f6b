"""Entries whose every string is markup, in a browser: nothing of it runs, and readers see it as it is written."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import browser as pages
import pytest
from browser import Open, Site, add, built, choose, common, names, served, sort_button, until
from entries import failed

from xleval.item_pack import PACK

browser, open_page, where = pages.browser, pages.open_page, pages.where

EVIL = "</script><img src=x onerror=alert(1)>"
URL = "https://example.org/board/"


def fill(results: Path) -> None:
    """One entry that is sound but for its names, and one that nothing is sound of."""
    sly = add(results, "sly", {EVIL: 0.7, f"{EVIL} 2": 0.4}, ("quy", "swa"), (1, 2), task=EVIL, backbone=EVIL, items=20)
    evil = shutil.copytree(sly, results / "evil")
    (evil / PACK).unlink()
    records = [json.loads(line) for line in (evil / "records.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        record["run_id"] += EVIL
        if record["type"] == "run":
            record |= {
                "adapters": [dict.fromkeys(("role", "lang", "id", "sha256"), EVIL)],
                "env": dict.fromkeys((*record["env"], EVIL), EVIL),
                "hyperparameters": {EVIL: EVIL, "nested": {EVIL: [EVIL]}},
                "strategy": {**record["strategy"], "plugin": EVIL, "version": EVIL},
                **dict.fromkeys(("source_lang", "checkpoint_selection", "xleval", "git_commit", "created"), EVIL),
                "train_on": [EVIL], "git_dirty": True,
            }  # fmt: skip
        else:
            record |= dict.fromkeys(("task_version", "dataset_revision", "split", "provenance", "dataset"), EVIL)
            record["language"] = f"{EVIL} {record['language']}"
            record["metrics"] = {EVIL: record["metrics"]["accuracy"]}
    failed(records[-1])
    records[-1]["error"] = {"type": EVIL, "message": EVIL}
    (evil / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(*built(common(tmp_path_factory, "hostile"), fill, title=EVIL, url=URL)) as made:
        yield made


def task_pages(site: Site) -> list[str]:
    return [page for page in site.pages if page.startswith("task/script-img-src-x")]


def harmless(page: Any) -> None:
    """No element came of the markup; watched pages fail with a dialog or a request besides."""
    assert page.locator("img:not([src$='icon.svg']), [onerror]").count() == 0, page.url


def test_every_page_shows_it_as_text(open_page: Open, site: Site, where: str) -> None:
    page = open_page("index.html", where)
    assert len(task_pages(site)) == 2
    shown = 0
    for path in site.pages:
        page.goto(getattr(site, where) + path)
        harmless(page)
        assert page.title().endswith(f" – {EVIL}")
        shown += EVIL in page.locator("main").text_content()
        assert page.locator("header .brand").text_content() == EVIL
    assert shown >= 2 + 2 + 4 + 1, "the names stand on the pages of tasks, entries and systems, and on the first"


def test_it_ends_no_script_and_no_file(site: Site) -> None:
    data = [path.read_text("utf-8") for path in (site.folder / "data").glob("*.js")]
    assert sum("img src=x" in text for text in data) == 2
    assert not any("<" in text or ">" in text for text in data)
    feed = ElementTree.fromstring((site.folder / "feed.xml").read_text("utf-8"))
    assert EVIL in "".join(feed.itertext())
    entries = [path.name for path in (site.folder / "entry").iterdir()]
    assert sorted(entries) == ["evil", "sly"]


def test_filters_and_exports_hold_it(open_page: Open, site: Site, where: str) -> None:
    for path in task_pages(site):
        page = open_page(path, where)
        before = names(page)
        assert len(before) == 2 and all(EVIL in name for name in before)
        choose(page, strategy=EVIL, lang=EVIL if "evil" in before[0] else "quy")
        sort_button(page, "strategy").click()
        harmless(page)
        assert sorted(names(page)) == sorted(before)
        for form in ("csv", "markdown", "latex"):
            page.locator(f"button[data-export='{form}']").click()
            harmless(page)
            text = page.locator("#export textarea").input_value()
            address = re.search(re.escape(f"{URL}{path}#") + r"[^\s<>{}]*", text)
            assert address and f"strategy={EVIL}" in unquote_plus(address[0])
            if form == "csv":
                rows = list(csv.reader(text.splitlines()[1:]))
                assert {row[0] for row in rows[1:]} == {EVIL, f"{EVIL} 2"} and rows[1][1] == EVIL
            else:
                assert "<img" not in text and "</script" not in text
            page.keyboard.press("Escape")
        again = open_page(path + page.evaluate("location.hash"), where)
        harmless(again)
        assert names(again) == names(page)


def test_the_comparison_shows_it(open_page: Open, site: Site, where: str) -> None:
    page = open_page("compare.html", where)
    for number in range(page.locator("#pair [name='page'] option").count()):
        page.locator("#pair [name='page']").select_option(index=number)
        until(page, f"document.querySelector('#pair [name=page]').selectedIndex === {number}")
        page.locator("#result table").wait_for()
        harmless(page)
        assert page.locator("#result .verdict").text_content().count(EVIL) == 2
        page.get_by_role("button", name="Swap the two strategies").click()
        until(page, "decodeURIComponent(location.hash).includes('onerror')")
        page.locator("#result button[data-export='markdown']").click()
        assert "<img" not in page.locator("#export textarea").input_value()
        harmless(page)
        page.keyboard.press("Escape")
        again = open_page("compare.html" + page.evaluate("location.hash"), where)
        again.locator("#result table").wait_for()
        harmless(again)


def test_addresses_hold_it(open_page: Open, site: Site) -> None:
    # Somebody may send a link: whatever stands behind # is text, too.
    for path in ("index.html", "compare.html", task_pages(site)[0]):
        keys = ("q", "lang", "strategy", "sort", "dir", "page", "a", "b", "family", "cells")
        page = open_page(f"{path}#" + "&".join(f"{key}={EVIL.replace(' ', '+')}" for key in keys))
        if path == "compare.html":
            page.locator("#result table").wait_for()
        harmless(page)
        page.evaluate(f"location.hash = 'strategy=' + {json.dumps(EVIL)}")
        harmless(page)
