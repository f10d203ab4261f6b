"""The documentation's tutorials run as they stand, and its pages name every field there is.

On the pages ``write-a-….md`` every block is used. One that is code or data is the file that the text before it names
last; one of commands is run line by line, in order, in the folder of those files.
"""

from __future__ import annotations

import csv
import dataclasses
import re
import shlex
import shutil
import subprocess
import sys

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
