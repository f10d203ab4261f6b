"""Text of language adapters: folders, generated text, and Wikipedia from a hub on loopback."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hub_server
import pytest
from hub_server import Fault, Hub

from xleval.errors import UserError
from xleval.host import Host
from xleval.languages import Language, builtin
from xleval.tasks import wikipedia
from xleval.tasks.texts import Text, TextSize, find_text
from xleval.tasks.wikipedia import Edition, edition

hub = hub_server.hub  # the fixture

SWAHILI = builtin().get("swa")
REPO = "org/wiki"
NOWHERE = ("bzd", "cni", "gub", "hch", "luo", "mos", "oto", "quw", "quy", "shp", "tar")
ARTICLES = [["Bara la Afrika.", "Mto Naili."], [], ["Jiji."], ["Mlima", "Ziwa", "Bahari"], ["Mwisho wa yote."]]


@dataclass(frozen=True)
class Made:
    """Stands for a plugin that generates text."""

    name: str = "made"
    version: str = "1"
    languages: tuple[str, ...] = ("swa",)

    def text(self, language: str) -> list[str]:
        return [f"text of {language}", "more"]


def parquet(articles: list[list[str]], column: str = "text") -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    stream = io.BytesIO()
    texts = ["\n\n".join(["", *article, "  "]) for article in articles]
    write_table(pyarrow.table({"id": list(map(str, range(len(texts)))), column: texts}), stream)
    return stream.getvalue()


@pytest.fixture
def wiki(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A Wikipedia of Swahili in two files and one of Yoruba in one; `edition` is pointed at its commit."""
    files = {
        "README.md": b"x",
        "20231101.sw/train-00000-of-00002.parquet": parquet(ARTICLES[:3]),
        "20231101.sw/train-00001-of-00002.parquet": parquet(ARTICLES[3:]),
        "20231101.yo/train-00000-of-00001.parquet": parquet([["Odo."]]),
    }
    commit = hub.commit(REPO, files)
    content = {**wikipedia._content(), "repo": REPO, "revision": commit}
    monkeypatch.setattr(wikipedia, "_content", lambda: content)
    return files


def found(language: Language = SWAHILI, **options: Any) -> Text:
    text = find_text(language, options.pop("text_dir", None), options.pop("providers", {}), **options)
    assert text is not None
    return text


def fault(text: Text) -> str:
    with pytest.raises(UserError) as caught:
        text.lines()
    with pytest.raises(UserError) as again:
        text.bring()
    assert str(caught.value) == str(again.value) and "\n" not in str(caught.value)
    return str(caught.value)


# Which place wins


def test_a_folder_before_generated_before_wikipedia(wiki: dict[str, bytes], tmp_path: Path) -> None:
    providers = {"made": Made()}
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "b.txt").write_text("two\n\n  three \r\nfour", encoding="utf-8")
    (tmp_path / "sw" / "a.txt").write_text("one\n", encoding="utf-8")
    folder = found(text_dir=tmp_path, providers=providers)
    assert folder.lines() == ["one", "two", "three", "four"] and folder.origin == str(tmp_path / "sw")
    assert folder.bring() == TextSize(4, 15)
    generated = found(text_dir=tmp_path / "sw", providers=providers)
    assert generated.lines() == ["text of swa", "more"] and generated.origin == "made@1"
    assert generated.bring() == TextSize(2, 15)
    assert found(text_dir=tmp_path / "sw").lines() == [line for article in ARTICLES for line in article]


def test_a_folder_of_the_code_before_one_of_an_alias(tmp_path: Path) -> None:
    for name in ("swa", "sw"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    assert found(text_dir=tmp_path).lines() == ["swa"]


def test_a_language_without_any_text(tmp_path: Path) -> None:
    for code in NOWHERE:
        assert find_text(builtin().get(code), tmp_path, {}) is None
    with pytest.raises(UserError, match=r"--text-dir .*nowhere: no such folder \(it holds <language>/\*\.txt\)"):
        find_text(SWAHILI, tmp_path / "nowhere", {})


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "swa").mkdir()
    file = tmp_path / "swa" / "a.txt"
    file.write_bytes(b"good\nbad \xff\n")
    assert fault(found(text_dir=tmp_path)) == f"{file}:2: not UTF-8 (byte 4); convert the file"
    file.write_bytes(b" \n\n")
    assert f"no text for language 'swa' in {tmp_path / 'swa'}" in fault(found(text_dir=tmp_path))


def test_the_fingerprint_of_files_is_their_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "swa").mkdir(parents=True)
        (tmp_path / name / "swa" / "a.txt").write_text("x")
    one, two = (found(text_dir=tmp_path / name) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint == found(text_dir=tmp_path / "one", limit=5).fingerprint
    (tmp_path / "two" / "swa" / "b.txt").write_text("y")
    assert found(text_dir=tmp_path / "two").fingerprint != one.fingerprint


# Wikipedia


def test_editions() -> None:
    names = {
        code: str(edition(code)).removeprefix("Wikipedia 20231101.") for code in ("swa", "nob", "yue", "kpv", "bho")
    }
    assert names == {"swa": "sw", "nob": "no", "yue": "zh-yue", "kpv": "kv", "bho": "bh"}
    content = wikipedia._content()
    assert len(content["revision"]) == 40 and int(content["revision"], 16)
    codes = {language.code for language in builtin()}
    assert set(content["editions"]) <= codes and all(isinstance(name, str) for name in content["editions"].values())
    assert len(set(content["editions"].values())) == len(content["editions"])
    assert codes - set(content["editions"]) == {*NOWHERE}


def test_an_edition_is_named_as_the_language_is() -> None:
    """Every edition is the language's code or one of its aliases, so that no table can have swapped two."""
    for code, name in wikipedia._content()["editions"].items():
        language = builtin().get(code)
        assert name.replace("-", "_") in (code, *language.aliases)


def test_planning_asks_no_hub(wiki: dict[str, bytes], hub: Hub) -> None:
    text = found(limit=100)
    assert text.origin == "Wikipedia 20231101.sw" and not hub.log
    prints = {text.fingerprint, found().fingerprint, found(builtin().get("yor"), limit=100).fingerprint}
    assert len(prints) == 3 and text.fingerprint == found(limit=100, offline=True).fingerprint


def test_planning_imports_neither_pyarrow_nor_the_hubs_client() -> None:
    code = (
        "import sys; from xleval.languages import builtin; from xleval.tasks.texts import find_text;"
        "print(find_text(builtin().get('swa'), None, {}).origin);"
        "print({'pyarrow', 'huggingface_hub', 'datasets', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["Wikipedia 20231101.sw", "set()"], done.stderr


def test_all_articles_in_order(wiki: dict[str, bytes], hub: Hub) -> None:
    lines = [line for article in ARTICLES for line in article]
    text = found()
    assert text.lines() == lines
    assert text.bring() == TextSize(len(lines), sum(map(len, lines)), len(ARTICLES))
    assert str(text.bring()) == f"5 articles, {len(lines)} lines, {sum(map(len, lines))} characters"
    asked = len(hub.log)
    assert found(offline=True).lines() == lines and len(hub.log) == asked
    assert not hub.asked("20231101.yo")


@pytest.mark.parametrize(("limit", "articles"), [(1, 1), (25, 1), (26, 3), (30, 3), (31, 4), (1000, 5)])
def test_the_first_articles_up_to_the_limit(wiki: dict[str, bytes], hub: Hub, limit: int, articles: int) -> None:
    text = found(limit=limit)
    assert text.lines() == [line for article in ARTICLES[:articles] for line in article]
    assert text.bring().articles == articles
    assert bool(hub.asked("train-00001")) == (articles > 3)  # files are downloaded as they are needed


def test_articles_come_one_by_one(wiki: dict[str, bytes], hub: Hub) -> None:
    blocks = found().blocks()
    assert [next(blocks) for _ in range(3)] == ARTICLES[:3]
    assert not hub.asked("train-00001")
    assert list(blocks) == ARTICLES[3:]


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    table = pyarrow.table({"text": ["a paragraph of words\n\n" * 50] * 500})
    file = tmp_path / "large.parquet"
    with ParquetWriter(file, table.schema, compression="none", use_dictionary=False) as writer:
        for _ in range(40):
            writer.write_table(table)
    code = (
        "import pyarrow; from pathlib import Path; from xleval.tasks.wikipedia import Edition;"
        f"print(sum(1 for _ in Edition('a/b', '0' * 40, 'x')._read(Path({str(file)!r}))));"
        "print(pyarrow.default_memory_pool().max_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    articles, most = map(int, done.stdout.split())
    assert articles == 20_000 and most < file.stat().st_size / 4


def test_offline_without_all_that_is_needed(wiki: dict[str, bytes], hub: Hub) -> None:
    said = fault(found(offline=True))
    assert "Wikipedia 20231101.sw (org/wiki@" in said and "not in the local cache" in said
    assert "xleval fetch" in said and "--text-dir" in said and not hub.log
    assert found(limit=26).bring().articles == 3
    assert found(limit=26, offline=True).bring().articles == 3
    assert "not in the local cache" in fault(found(limit=31, offline=True))


def test_a_check_before_the_run(wiki: dict[str, bytes], hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    found().check()
    assert not hub.log  # with a network there is nothing to check
    for offline in (True, False):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", not offline)
        with pytest.raises(UserError, match=r"not in the local cache.*run `xleval fetch` with"):
            found(offline=offline).check()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found(limit=1).bring()
    asked = len(hub.log)
    found(offline=True).check()
    assert len(hub.log) == asked
    text = find_text(SWAHILI, None, {"made": Made()}, offline=True)
    assert text is not None
    text.check()


def test_what_the_hub_says_no_to(wiki: dict[str, bytes], hub: Hub) -> None:
    hub.repositories[("datasets", REPO)].gated = True
    assert "gated" in fault(found())
    del hub.repositories[("datasets", REPO)]
    assert "no such repository" in fault(found())


def test_an_edition_that_the_commit_lacks(wiki: dict[str, bytes]) -> None:
    said = fault(found(builtin().get("hau")))
    assert "Wikipedia 20231101.ha" in said and "no file of the repository matches" in said


def test_a_body_cut_short_is_fetched_again(wiki: dict[str, bytes], hub: Hub) -> None:
    hub.script("train-00000", Fault(cut=10), method="GET")
    assert found().bring().articles == 5


@pytest.mark.parametrize("data", [b"", b"no parquet at all", parquet(ARTICLES, column="body")])
def test_files_that_are_no_such_parquet(hub: Hub, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    commit = hub.commit(REPO, {"20231101.sw/train-00000-of-00001.parquet": data})
    text = Text("swa", "f", "x", edition=Edition(REPO, commit, "20231101.sw"))
    assert "train-00000-of-00001.parquet: no Parquet with a column `text`" in fault(text)


def test_a_wikipedia_without_a_word(hub: Hub) -> None:
    commit = hub.commit(REPO, {"20231101.sw/train-00000-of-00001.parquet": parquet([[], []])})
    text = Text("swa", "f", "Wikipedia", edition=Edition(REPO, commit, "20231101.sw"))
    assert fault(text) == "no text for language 'swa' in Wikipedia"


def test_files_that_do_not_say_how_many_they_are(hub: Hub) -> None:
    commit = hub.commit(REPO, {"20231101.sw/train-00000-of-some.parquet": parquet(ARTICLES)})
    assert "does not say how many files" in fault(Text("swa", "f", "x", edition=Edition(REPO, commit, "20231101.sw")))


def test_the_demos_text_stays_generated() -> None:
    host = Host()
    text = find_text(host.languages.get("qaa"), None, host.providers)
    assert text is not None and text.edition is None and text.bring().lines == len(text.lines())
