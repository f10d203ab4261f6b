"""The documentation site builds without a warning and needs nothing from elsewhere."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

DOCS = ROOT / "docs"


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(out / "doctrees")]
    return subprocess.run([*command, str(source), str(out / "site")], capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs")
    done = build(DOCS, out)
    assert done.returncode == 0, f"(a page belongs in a toctree of docs/index.md)\n{done.stderr}"
    return out / "site"


def test_every_page_is_in_the_site_and_in_its_navigation(built: Path) -> None:
    names = {path.stem for path in DOCS.glob("*.md")}
    assert {"index", "demo", "data", "metrics", "records", "hooks", "api", "write-a-strategy"} <= names
    index = (built / "index.html").read_text(encoding="utf-8")
    for name in names:
        assert (built / f"{name}.html").is_file()
        assert name == "index" or f'href="{name}.html"' in index


class Loaded(html.parser.HTMLParser):
    """Addresses that a browser fetches to show a page, and those it goes to when a link is followed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.followed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("src", "href", "srcset", "data", "poster") and value:
                (self.followed if tag == "a" else self.fetched).append(value)


def test_the_site_fetches_nothing_from_elsewhere(built: Path) -> None:
    remote = re.compile(r"(https?:)?//", re.IGNORECASE)
    pages = list(built.rglob("*.html"))
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.fetched
        assert not [address for address in loaded.fetched if remote.match(address)], page
    for sheet in built.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)|@import[^;]*//", text), sheet
    # Scripts may name addresses in comments; what they would fetch from they write as text.
    for script in built.rglob("*.js"):
        text = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", script.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        addresses = set(re.findall(r"[\"'`](https?://[^\"'`\s]+)", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, script


def test_links_within_the_site_lead_somewhere(built: Path) -> None:
    ids = {page: set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))) for page in built.glob("*.html")}
    checked = 0
    for page in ids:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        for address in loaded.followed:
            path, _, anchor = address.partition("#")
            if ":" in path:
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), f"{page.name}: {address}"
            assert not anchor or anchor in ids.get(target, {anchor}), f"{page.name}: {address}"
            checked += 1
    assert checked > 100


def test_a_broken_link_or_a_page_outside_of_the_navigation_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    with (tmp_path / "docs" / "records.md").open("a", encoding="utf-8") as file:
        file.write("\n[nowhere](nothing.md) and [no such heading](data.md#nothing)\n")
    (tmp_path / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    done = build(tmp_path / "docs", tmp_path)
    assert done.returncode != 0
    assert "nothing.md" in done.stderr and "'nothing'" in done.stderr
    assert "lost.md: WARNING: document isn't included in any toctree" in done.stderr
