"""The built site: whole or not at all, the same bytes for the same entries, nothing from anywhere else, all escaped."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape as html_text
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from conftest import ROOT
from entries import changed, failed
from site_results import STRATEGIES, built, placed, tree

from xleval.cli import cli
from xleval.errors import UserError
from xleval.records import Record
from xleval.site import build as building
from xleval.site.citations import bibtex_key
from xleval.site.render import POLICY

ATOM = {"a": "http://www.w3.org/2005/Atom"}

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sound entries, one of them under a name with dots, and one that is self-reported."""
    folder = tmp_path_factory.mktemp("site") / "results"
    placed(folder, "first", STRATEGIES, ("quy", "swa"), (1, 2, 3))
    placed(folder, "second.v2", ("madx",), ("quy", "swa"), (21, 22, 23))
    placed(folder, "third", ("madx",), ("deu",), (1, 2), task="masakhaner")
    changed(folder / "third", lambda records: records[-1]["metrics"]["accuracy"].update(value=0.5))
    return folder


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    assert built(results, out).self_reported == ("third",)
    return out


@pytest.fixture
def own(results: Path, tmp_path: Path) -> Path:
    """A copy of the entries, to be changed."""
    return Path(shutil.copytree(results, tmp_path / "results"))


class Links(HTMLParser):
    """Addresses that a page has, and those that it loads by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.handlers += [name for name in found if name.startswith("on") or name in ("style", "srcdoc")]
        self.ids += [found["id"]] if "id" in found else []
        if tag in ("script", "img", "iframe", "source") and "src" in found:
            self.loaded.append(found["src"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(found["href"])
        elif "href" in found:
            self.links.append(found["href"])


def html(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = html(site)
    found = {path: Links(text) for path, text in pages.items()}
    assert len(pages) > 20
    for path, links in found.items():
        for address in links.loaded:
            assert not urlsplit(address).scheme and not address.startswith("/"), address
        for address in [*links.links, *links.loaded]:
            parts = urlsplit(address)
            if parts.scheme:
                assert parts.scheme == "https" and parts.netloc, address
                continue
            target = (site / path).parent.joinpath(unquote(parts.path)).resolve() if parts.path else site / path
            assert target.is_file(), f"{path}: {address}"
            if parts.fragment and "=" not in parts.fragment:
                assert parts.fragment in found[target.relative_to(site.resolve()).as_posix()].ids, f"{path}: {address}"


def test_pages_run_no_script_but_the_sites_own(site: Path) -> None:
    for path, text in html(site).items():
        links = Links(text)
        assert not links.handlers and "style" not in links.tags and "iframe" not in links.tags, path
        assert f'http-equiv="Content-Security-Policy" content="{POLICY.replace(chr(39), "&#39;")}"' in text, path
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert len(links.ids) == len(set(links.ids)), path


def test_the_same_entries_give_the_same_bytes(results: Path, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "entries"
    for folder in sorted(results.iterdir(), reverse=True):  # in another order, at another place
        shutil.copytree(folder, other / folder.name)
    for again in ("once", "kept"):
        built(other, tmp_path / again, cache_folder=tmp_path / "cache")
        assert tree(tmp_path / again) == tree(site)


def test_the_manifest_names_every_file(site: Path) -> None:
    manifest = json.loads((site / "manifest.json").read_text("utf-8"))
    files = {path: content for path, content in tree(site).items() if path != "manifest.json"}
    assert {path: one["sha256"] for path, one in manifest["files"].items()} == {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items()
    }
    assert {path: one["bytes"] for path, one in manifest["files"].items()} == {p: len(c) for p, c in files.items()}


def test_evidence_lies_beside_its_page(results: Path, site: Path) -> None:
    for name in ("records.jsonl", "items.zip"):
        content = (results / "first" / name).read_bytes()
        assert (site / "entry" / "first" / name).read_bytes() == content
        sha256 = hashlib.sha256(content).hexdigest()
        pages = list((site / "entry" / "first").glob("*.html"))
        assert len(pages) == 1 + len(STRATEGIES)
        assert all(sha256 in page.read_text("utf-8") for page in pages)


def test_an_entry_can_be_cited(results: Path, tmp_path: Path) -> None:
    built(results, tmp_path / "site", url="https://example.org/board/")
    text = (tmp_path / "site" / "entry" / "second.v2" / "index.html").read_text("utf-8")
    sha256 = hashlib.sha256((results / "second.v2" / "records.jsonl").read_bytes()).hexdigest()
    entry = html_text(re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)[0])
    assert bibtex_key(entry) == "xleval-second.v2"
    assert 'url = "https://example.org/board/entry/second.v2/index.html"' in entry and sha256 in entry
    assert 'year = "2026"' in entry
    for page in (tmp_path / "site" / "entry" / "second.v2").glob("*.html"):
        assert "@misc{xleval-second.v2," in page.read_text("utf-8")


def test_the_page_of_an_unproven_entry_says_why(site: Path) -> None:
    text = (site / "entry" / "third" / "index.html").read_text("utf-8")
    assert "self-reported" in text and "metrics.accuracy.value: recorded 0.5" in text


def test_the_feed_has_every_entry(results: Path, site: Path, tmp_path: Path) -> None:
    root = ElementTree.parse(site / "feed.xml").getroot()
    assert [e.text for e in root.findall("a:entry/a:title", ATOM)] == ["third", "second.v2", "first"]
    assert {e.text for e in root.findall(".//a:updated", ATOM)} == {"2026-01-01T00:00:00Z"}
    assert len({e.text for e in root.findall(".//a:id", ATOM)}) == 4
    built(results, tmp_path / "site", url="https://example.org/board")
    root = ElementTree.parse(tmp_path / "site" / "feed.xml").getroot()
    links = [e.attrib["href"] for e in root.findall(".//a:link", ATOM)]
    assert links[2] == "https://example.org/board/entry/third/index.html"
    page = (tmp_path / "site" / "task" / "nli.html").read_text("utf-8")
    assert '<link rel="canonical" href="https://example.org/board/task/nli.html">' in page


def test_a_failed_build_leaves_the_site_that_was_there(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    built(own, out)
    before = tree(out)
    placed(own, "fourth", ("madx",), ("wol",), (1, 2), xleval="0.2.0")

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(building, "feed", full)
    with pytest.raises(UserError, match=r"could not be written to .*: No space left on device; what was there stays"):
        built(own, out)
    assert tree(out) == before and sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []
    monkeypatch.undo()
    assert built(own, out).entries == 4
    assert (out / "entry" / "fourth" / "index.html").is_file() and tree(out) != before


def test_a_folder_that_is_no_site_is_not_replaced(results: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(UserError, match="thesis is not a site that xleval built; choose another folder with --out"):
        built(results, tmp_path / "thesis")
    (tmp_path / "thesis" / "manifest.json").write_text('{"schema": "another"}')
    with pytest.raises(UserError, match="is not a site"):
        built(results, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert built(results, tmp_path / "empty").entries == 3


def test_without_entries_there_are_the_printed_numbers(tmp_path: Path) -> None:
    made = built(tmp_path / "none", tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert made.entries == 0 and "None yet." in text and "task/xnli.html" in text


def _set(path: str, value: object, kind: str = "eval") -> Callable[[list[Record]], None]:
    def change(records: list[Record]) -> None:
        for record in records:
            if record["type"] == kind:
                *parents, name = path.split(".")
                part = record
                for parent in parents:
                    part = part[parent]
                part[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("language", "q" * 1_000_000), "records.jsonl:4: language has 1,000,000 characters; the limit"),
        (_set("language", "q" * 9_000), "language is 'qqq.*, not a name of at most 300 characters"),
        (_set("task", ""), "task is '', not a name"),
        (_set("metrics.accuracy.value", float("nan")), "records.jsonl:4: metrics.accuracy.value is not a finite"),
        (_set("metrics.accuracy.value", 1.5), "accuracy is 1.5; scores are proportions between 0 and 1"),
        (_set("strategy", None, "run"), "run sha256:.*: strategy is missing"),
        (_set("seed", "one", "run"), "seed is 'one', not a number"),
        (_set("run_id", "sha256:other"), "there is no `run` record of it"),
        (lambda records: records.extend(records[-1:] * 100_000), "records.jsonl: the file has .* bytes; the limit is"),
        (
            lambda records: records.extend({**records[-1], "language": f"q{n}"} for n in range(400)),
            "402 languages; the limit is 300: make several entries",
        ),
    ],
    ids=["1 MB name", "long name", "no task", "NaN", "above 1", "no strategy", "seed", "orphan", "lines", "languages"],
)  # fmt: skip
def test_what_cannot_be_shown_is_named_and_nothing_is_built(
    own: Path, tmp_path: Path, change: Callable[[list[Record]], None], says: str
) -> None:
    changed(own / "second.v2", change)
    with pytest.raises(UserError, match=says):
        built(own, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_places_that_are_not_ones_own_are_not_read(own: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"id": "1", "correct": 1, "total": 1}\n')
    changed(own / "second.v2", _set("per_example.path", "../../secret.jsonl"))
    assert built(own, tmp_path / "site").self_reported == ("second.v2", "third")
    text = (tmp_path / "site" / "entry" / "second.v2" / "index.html").read_text("utf-8")
    assert "leads out of" in text
    (own / "linked").symlink_to(own / "first")
    with pytest.raises(UserError, match="linked: an entry is a folder named with"):
        built(own, tmp_path / "site")
    (own / "linked").unlink()
    (own / "fourth").mkdir()
    (own / "fourth" / "records.jsonl").symlink_to(own / "first" / "records.jsonl")
    with pytest.raises(UserError, match="is a link; put the file itself there"):
        built(own, tmp_path / "site")
    shutil.rmtree(own / "fourth")
    (own / "second.v2" / "items.zip").unlink()
    (own / "second.v2" / "items.zip").symlink_to(secret)
    built(own, tmp_path / "site")
    assert not (tmp_path / "site" / "entry" / "second.v2" / "items.zip").exists()


def test_the_same_cell_in_two_entries_is_refused(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own / "first", own / "copy")
    with pytest.raises(UserError, match=r"first/records.jsonl: nli/quy of run sha256:.* stands in entry copy already"):
        built(own, tmp_path / "site")


def test_failed_cells_are_shown_as_missing(own: Path, tmp_path: Path) -> None:
    def break_some(records: list[Record]) -> None:
        for record in records:
            if record["type"] == "eval" and record["language"] == "quy":
                failed(record)

    changed(own / "second.v2", break_some)
    built(own, tmp_path / "site")
    text = (tmp_path / "site" / "task" / "nli.html").read_text("utf-8")
    assert 'title="failed"' in text and "1/2" in text


def hostile(value: object) -> object:
    """Every string that says nothing to a machine."""
    if isinstance(value, dict):
        return {key: hostile(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_markup_in_any_string_is_text(own: Path, tmp_path: Path) -> None:
    kept = ("type", "schema", "run_id", "train_run_id", "status", "target_scope", "created", "per_example")

    def poison(records: list[Record]) -> None:
        for record in records:
            for key, value in record.items():
                if key not in kept:
                    record[key] = hostile(value)
            if "hyperparameters" in record:
                record["hyperparameters"] = {HOSTILE: HOSTILE}
            if "metrics" in record:
                record["metrics"] = {HOSTILE: {**record["metrics"]["accuracy"], "value": 0.5}}

    changed(own / "second.v2", poison)
    assert "second.v2" in built(own, tmp_path / "site").self_reported
    shown = 0
    for path, text in html(tmp_path / "site").items():
        assert "<img src=x" not in text and "</script><" not in text.replace("</script><script", ""), path
        shown += "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in text
    assert shown == 4  # index, task, and the entry's two
    for path in (tmp_path / "site" / "data").iterdir():
        assert "<" not in path.read_text("utf-8") and set(path.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    ElementTree.parse(tmp_path / "site" / "feed.xml")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", *identity, "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_pages_name_the_commit_of_the_entries(own: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "results")
    git(tmp_path, "commit", "-qm", "entries")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "unrelated").write_text("")
    git(tmp_path, "add", "unrelated")
    git(tmp_path, "commit", "-qm", "something else")
    built(own, tmp_path / "site")
    assert f'<meta name="xleval-commit" content="{commit[:12]}">' in (tmp_path / "site" / "index.html").read_text(
        "utf-8"
    )
    shutil.rmtree(own / "third")  # what is built is no commit's then
    built(own, tmp_path / "site")
    assert "xleval-commit" not in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_the_command_says_what_it_made(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path / "cache"))
    arguments = ["leaderboard", "build", "--results", str(own), "--out", str(tmp_path / "site"), "--title", "Board <1>"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0 and re.fullmatch(r"3 entries → \d+ pages, \d\.\d MB: .*index.html", done.stdout.strip())
    assert f"third: self-reported; `xleval leaderboard validate {own / 'third'}` says why" in done.stderr
    assert "Board &lt;1&gt;" in (tmp_path / "site" / "about.html").read_text("utf-8")
    assert list((tmp_path / "cache" / "site").glob("*.json"))
    wrong = CliRunner().invoke(cli, [*arguments, "--url", "javascript:alert(1)"])
    assert wrong.exit_code == 2 and "does not begin with https://" in wrong.output


def test_the_projects_own_entries_are_sound(tmp_path: Path) -> None:
    results = ROOT / "leaderboard" / "results"
    if not results.is_dir():
        pytest.skip("a wheel comes without entries")
    assert built(results, tmp_path / "site").self_reported == ()
