"""All pages of the site in a browser: links, themes, the keyboard alone, no JavaScript, a phone, accessibility."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urljoin

import browser as pages
import pytest
from browser import Open, Site, names, printed, scores_of, seen, until

browser, open_page, site, where, axe = pages.browser, pages.open_page, pages.site, pages.where, pages.axe

TASK = "task/xnli.html"

LINKS = """() => [...document.querySelectorAll('[href], [src]')].map(
  element => element.getAttribute('href') ?? element.getAttribute('src'))"""


def kinds(site: Site) -> list[str]:
    """A page of each kind."""
    system = next(page for page in site.pages if re.match(r"entry/first/tlr", page))
    return [
        "index.html", TASK, "task/xcopa.html", "entry/doubtful/index.html", system, "compare.html", "transfer.html",
        "about.html",
    ]  # fmt: skip


def to_end(page: Any, path: str) -> None:
    if path == "compare.html":
        page.locator("#result table").wait_for()


def test_every_page_opens_and_its_links_lead_somewhere(open_page: Open, site: Site, where: str) -> None:
    page = open_page("index.html", where)
    home = getattr(site, where)
    ids: dict[str, set[str]] = {}
    wanted = set()
    for path in site.pages:
        page.goto(home + path)
        to_end(page, path)
        assert page.locator("h1").count() == 1 and page.title().endswith("xleval leaderboard"), path
        ids[path] = set(page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)"))
        assert page.evaluate("document.querySelectorAll('[id]').length") == len(ids[path]), f"{path}: an id twice"
        for link in page.evaluate(LINKS):
            target = urljoin(home + path, link)
            if target.startswith(home):
                wanted.add((path, *target.removeprefix(home).partition("#")[::2]))
            else:
                assert target.startswith(("https://", "http://")), (path, link)
    assert len(site.pages) > 30 and len(wanted) > 300
    for path, name, anchor in sorted(wanted):
        name = unquote(name)
        assert (site.folder / name).is_file(), (path, name)
        if anchor and "=" not in anchor:
            assert anchor in ids[name], (path, name, anchor)


def test_data_of_pages_end_no_script(site: Site) -> None:
    files = sorted((site.folder / "data").glob("*.js"))
    assert len(files) > 10
    for path in files:
        assert not re.search(r"[<>\u2028\u2029]", path.read_text("utf-8")), path


@pytest.mark.parametrize("system", ["light", "dark"])
def test_themes(open_page: Open, system: str, where: str) -> None:
    page = open_page(TASK, where, color_scheme=system)
    button = page.get_by_role("button", name="Dark theme")
    colour = "getComputedStyle(document.body).backgroundColor"

    def state() -> tuple[str, bool]:
        red, green, blue = map(int, re.findall(r"\d+", page.evaluate(colour))[:3])
        return button.get_attribute("aria-pressed"), red + green + blue < 3 * 128

    as_system = ("true", True) if system == "dark" else ("false", False)
    other = ("false", False) if system == "dark" else ("true", True)
    assert state() == as_system
    button.click()
    assert state() == other
    page.reload()
    assert state() == other
    page.emulate_media(color_scheme="light" if system == "dark" else "dark")
    assert state() == other, "a choice is above the system"
    page.emulate_media(color_scheme=system)
    button.click()
    assert state() == as_system


def test_the_theme_follows_the_system_until_somebody_chooses(open_page: Open) -> None:
    page = open_page("about.html", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"


#: What has the focus, in a few words.
FOCUS = """() => {
  const one = document.activeElement;
  return one.classList.contains('skip') ? 'skip' : one.matches('th button') ? 'sort' : one.role === 'region' ||
    one.getAttribute('role') === 'region' ? 'scroll' : one.dataset.export ? 'export ' + one.dataset.export :
    one.name ? 'filter ' + one.name : one.id || one.tagName;
}"""


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    page = open_page(TASK)
    order = []
    for _ in range(300):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUS))
        if order[-1] in ("BODY", "HTML"):
            break
        visible = "document.activeElement.getBoundingClientRect().width > 0"
        assert page.evaluate(visible), order
        ring = page.evaluate(
            "(({outlineStyle, boxShadow}) => outlineStyle !== 'none' || boxShadow !== 'none')"
            "(getComputedStyle(document.activeElement))"
        )
        assert ring, f"nothing shows that {order[-1]} has the focus"
    assert order[0] == "skip" and order[-1] in ("BODY", "HTML")
    wanted = [
        "theme", "filter lang", "filter strategy", "filter backbone", "filter family", "filter seen", "filter badge",
        "filter cells", "permalink", "export csv", "export markdown", "export latex", "scroll", "sort",
    ]  # fmt: skip
    places = [order.index(name) for name in wanted]
    assert places == sorted(places)
    assert order.count("sort") == page.locator("th button:visible").count() >= 2 * (9 + 5)
    assert order.count("scroll") == page.locator("[role=region]:visible").count() >= 2
    page.goto(page.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "location.hash === '#main'")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_the_dialog_by_keyboard(open_page: Open) -> None:
    page = open_page(TASK)
    button = page.locator("button[data-export='csv']")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="CSV")
    assert dialog.is_visible()
    inside = "document.getElementById('export').contains(document.activeElement)"
    assert page.evaluate(inside)
    for _ in range(8):  # round and round, at most by way of the browser's own buttons
        page.keyboard.press("Tab")
        assert page.evaluate(f"{inside} || document.activeElement === document.body")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("button => button === document.activeElement")
    page.keyboard.press("Space")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_without_javascript_tables_are_whole(open_page: Open, site: Site) -> None:
    page = open_page(TASK, java_script_enabled=False)
    body = page.locator("table.scores[data-table='0'] tbody")
    scores = scores_of(site.results)
    for row in body.locator("tr").all():
        texts = [cell.strip() for cell in row.locator("td").all_text_contents()]
        link = row.locator("th a")
        found = scores[f"{link.get_attribute('href').split('/')[2]}/{link.text_content()}"]
        means = [sum(seeds.values()) / len(seeds) if seeds else None for _, seeds in sorted(found.items())]
        assert texts[1:10] == [printed(mean) for mean in means]
        assert row.is_visible()
    assert body.locator("tr").count() == len(scores)
    assert not page.locator("#filters").is_visible() and not page.locator("#theme").is_visible()
    for button in page.locator("button:visible").all():
        assert button.is_disabled(), button.text_content()
    # Buttons that do nothing look like the text of a header.
    style = "({cursor, opacity}) => [cursor === 'pointer', Number(opacity) > 0.9]"
    for button in page.locator("thead button:visible").all()[:3]:
        assert button.evaluate(f"button => ({style})(getComputedStyle(button))") == [False, True]
    page.goto(site.file + "compare.html")
    assert "Comparing needs JavaScript" in page.locator("noscript:visible").inner_text()
    assert not page.locator("#pair").is_visible()


def test_no_page_is_wider_than_a_phone(open_page: Open, site: Site) -> None:
    page = open_page("index.html", viewport={"width": 390, "height": 844})
    for path in site.pages:
        page.goto(site.file + path)
        to_end(page, path)
        page.evaluate("document.querySelectorAll('details').forEach(details => (details.open = true))")
        wide = page.evaluate("document.documentElement.scrollWidth")
        culprit = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && "
            "e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 80)).slice(0, 3)"
        )
        assert wide <= 390, (path, wide, culprit)


def test_the_first_column_stays_on_a_phone(open_page: Open) -> None:
    page = open_page(TASK, viewport={"width": 390, "height": 844})
    scroll = page.locator(".scroll:has(table.scores[data-table='0'])")
    header = scroll.locator("tbody th").first
    other = scroll.locator("tbody td").nth(3)
    header.scroll_into_view_if_needed()
    before, moved = header.bounding_box(), other.bounding_box()
    scroll.evaluate("scroll => scroll.scrollLeft = 300")
    after, gone = header.bounding_box(), other.bounding_box()
    assert gone["x"] == moved["x"] - 300
    assert abs(after["x"] - before["x"]) <= 1 and after["width"] < 0.6 * 390
    middle = [after["x"] + after["width"] / 2, after["y"] + after["height"] / 2]
    top = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('th, td').tagName", middle)
    assert top == "TH", "cells cover the names of the rows"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(open_page: Open, site: Site, axe: str, scheme: str) -> None:
    page = open_page("index.html", color_scheme=scheme)
    # All rules once; what a theme changes is contrast.
    options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    found = []
    for path in kinds(site):
        page.goto(site.file + path)
        to_end(page, path)
        page.evaluate(axe)
        page.evaluate("document.querySelectorAll('details').forEach(details => (details.open = true))")
        ran = page.evaluate("options => axe.run(document, options)", options)
        assert ran["passes"], path
        for fault in ran["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [f"{' '.join(node['target'])}: {node['failureSummary']}" for node in fault["nodes"][:3]]
                found.append(f"{path}: {fault['id']}, {fault['help']}: {nodes}")
    assert found == []


def test_tables_sort_on_the_other_pages(open_page: Open, site: Site) -> None:
    page = open_page("transfer.html")
    table = page.locator("table.sortable").first
    for name in ("quy", "Transfer"):
        table.locator("thead").get_by_role("button", name=name, exact=True).click()
        cells = "td:nth-child(5)" if name == "quy" else "th"
        texts = [text.replace("−", "-") for text in table.locator(f"tbody tr > {cells}").all_text_contents()]
        assert len(texts) == 2
        assert texts == (sorted(texts, key=float, reverse=True) if name == "quy" else ["quy", "swa"])
    page.goto(site.file + "index.html")
    page.locator("#find").fill("yoruba")
    assert page.locator("table.finder tbody tr:visible").count() == 1
    assert page.locator("#found").text_content() == "1 of 11"
    page.locator("table.finder tbody tr:visible a[href*='xnli']").click()
    page.wait_for_url("**/xnli.html#lang=yor&sort=yor")
    assert seen(page)["sorted"] == {"yor": "descending"} and "first/tlr-all-multi" in names(page)[:2]


def test_the_board_says_how_it_was_made(open_page: Open, site: Site) -> None:
    page = open_page("index.html")
    assert pages.commit_of(site.results)[:12] in page.locator("footer").text_content()
