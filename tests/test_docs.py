"""The documentation site: it builds without a warning and needs nothing from elsewhere, and its tutorials run.

On the pages ``write-a-….md`` every block is used. One that is code or data is the file that the text before it names
last; one of commands is run line by line, in order, in the folder of those files.
"""

from __future__ import annotations

import csv
import dataclasses
import html.parser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from xleval.records import Results

DOCS = ROOT / "docs"
TUTORIALS = sorted(path.stem for path in DOCS.glob("write-a-*.md"))

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+\.(?:py|yaml|jsonl))`")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, file and text of every block; commands have no file."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found, end = [], 0
    for match in BLOCK.finditer(text):
        files = FILE.findall(text[end : match.start()])
        found.append((match[1], "" if match[1] == "sh" else files[-1], match[2]))
        end = match.end()
    return found


def run_page(page: str, cli: Cli, skip: int = 0) -> list[str]:
    """Uses every block of a page but the first ``skip`` and gives the commands that were run."""
    commands = []
    for language, file, text in blocks(page)[skip:]:
        if file:
            path = cli.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.name.startswith("test_"):
                done = subprocess.run(
                    [sys.executable, "-m", "pytest", "-q", path.name],
                    cwd=cli.folder, env=cli.environment, capture_output=True, text=True,
                )  # fmt: skip
                assert done.returncode == 0, done.stdout
            continue
        assert language == "sh"
        for line in text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "xleval", f"{page}: {line}"
            cli(*arguments)
            commands.append(line)
    return commands


def recorded(cli: Cli) -> list[dict]:
    results = Results(cli.folder / "xleval-results")
    assert {record["status"] for record in results.cells().values()} == {"ok"}
    return [dict(record) | {"run": results.runs()[record["run_id"]]} for record in results.cells().values()]


def test_there_is_a_page_for_each_thing_to_write() -> None:
    assert TUTORIALS == ["write-a-backbone", "write-a-strategy", "write-a-task", "write-a-tracker"]


@pytest.mark.slow
def test_write_a_strategy(cli: Cli) -> None:
    # The first block installs a package: tests/test_plugins_new.py runs it in a new environment.
    assert "pip install" in blocks("write-a-strategy")[0][2]
    assert len(run_page("write-a-strategy", cli, skip=1)) >= 6
    (record,) = recorded(cli)
    assert (record["task"], record["language"], record["run"]["strategy"]["name"]) == ("demo-nli", "qab", "pair")


@pytest.mark.slow
def test_write_a_task(cli: Cli) -> None:
    assert len(run_page("write-a-task", cli)) >= 5
    records = recorded(cli)
    assert {(record["task"], record["language"], record["n_examples"]) for record in records} == {
        ("opinions", "swa", 2),
        ("opinions", "yor", 2),
    }


@pytest.mark.slow
def test_write_a_backbone(cli: Cli) -> None:
    encoder = ROOT / "plugins" / "xleval_demo" / "encoder"
    (cli.folder / "tokenizer").mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(encoder / file, cli.folder / "tokenizer")
    assert len(run_page("write-a-backbone", cli)) >= 5
    (record,) = recorded(cli)
    assert record["run"]["backbone"]["id"] == "tiny"


@pytest.mark.slow
def test_write_a_tracker(cli: Cli) -> None:
    assert len(run_page("write-a-tracker", cli)) == 2
    with (cli.folder / "xleval-results" / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    scores = {r["language"]: r["metrics"]["accuracy"]["value"] for r in recorded(cli)}
    assert {(task, language): float(score) for task, language, _, score in rows} == {
        ("demo-nli", language): score for language, score in scores.items()
    }
    assert set(scores) == {"qab", "qah"}


def test_the_events_page_has_every_event_and_field() -> None:
    from xleval import events

    page = (DOCS / "write-a-tracker.md").read_text(encoding="utf-8")
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    for kind in kinds:
        if kind is not events.Event:
            (row,) = re.findall(rf"^\| `{kind.__name__}` \|.*$", page, flags=re.MULTILINE)
            assert all(f"`{field.name}`" in row for field in dataclasses.fields(kind)), row


def test_the_backbone_page_has_every_field() -> None:
    from xleval import Backbone

    page = (DOCS / "write-a-backbone.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(Backbone):
        assert re.search(rf"^\| `{field.name}` \|", page, flags=re.MULTILINE), field.name


def test_the_strategy_page_has_every_field_of_a_recipe() -> None:
    from xleval import Recipe
    from xleval.recipe import TASK_ADAPTERS

    page = (DOCS / "write-a-strategy.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(Recipe):
        assert re.search(rf"^\| `{field.name}` \|", page, flags=re.MULTILINE), field.name
    for kind in TASK_ADAPTERS:
        assert f"`{kind}`" in page


# The site


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
    assert {"index", "demo", "data", "metrics", "records", "hooks", "api", *TUTORIALS} <= names
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
