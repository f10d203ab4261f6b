"""Per-item files: read in one go, the same line by line, and one clear message for each fault; groups of items."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from file_forms import form
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_specs import shipped

from xleval import item_files
from xleval.errors import UserError
from xleval.item_files import items_of, items_path, read_items
from xleval.records import Results
from xleval.scoring import score
from xleval.tasks.located import DataWarning
from xleval.tasks.readers import read
from xleval.tasks.rows import QuestionRow, numbered, shared_by
from xleval.tasks.sources import DataOptions, locate

STATS = ["correct", "total"]


def line(item: Any = "a", correct: Any = 1, total: Any = 1, **more: Any) -> str:
    return json.dumps({"id": item, "prediction": ["x", {"id": "y"}], "correct": correct, "total": total, **more}) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "items.jsonl"


def refused(file: Path, text: str | bytes, **known: Any) -> str:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UserError) as caught:
        read_items(file, STATS, **known)
    return str(caught.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    predictions = [("1", {"heads": [0]}), ("2", "ná\u2028x"), ("ẹ̀", None)]
    counts = np.array([[2**40, 0, 1], [3, 4, 5], [0, 0, 2**62]])
    for groups in (None, ["1", "1", "ẹ̀"]):
        about = Results(tmp_path).write_items("name", predictions, ["a", "b", "c"], counts, groups)
        stats, items = items_of(tmp_path, {"per_example": about})
        assert stats == ("a", "b", "c") and items.ids == ["1", "2", "ẹ̀"] and items.groups == groups
        assert items.counts.dtype == np.int64 and np.array_equal(items.counts, counts)
        again = read_items(tmp_path / about["path"], ["c", "a"])
        assert np.array_equal(again.counts, counts[:, [2, 0]])  # columns in the order that is asked for


def test_an_empty_file_has_no_items(file: Path) -> None:
    file.write_text("")
    items = read_items(file, STATS, rows=0)
    assert items.ids == [] and items.counts.shape == (0, 2) and items.groups is None


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2**50), st.integers(0, 9)), min_size=1, max_size=20),
    names=st.text(st.characters(exclude_categories=["Cs"])),
    grouped=st.booleans(),
)
def test_both_ways_of_reading_agree(rows: list[tuple[int, int]], names: str, grouped: bool) -> None:
    more = {"group": names} if grouped else {}
    data = "".join(line(f"{i}{names}", *row, **more) for i, row in enumerate(rows)).encode()
    fast, slow = item_files._at_once(data, STATS), item_files._line_by_line(Path("x"), data, STATS)
    assert fast is not None
    assert fast.ids == slow.ids == [f"{i}{names}" for i in range(len(rows))]
    assert fast.groups == slow.groups == ([names] * len(rows) if grouped else None)
    assert np.array_equal(fast.counts, slow.counts) and np.array_equal(fast.counts, np.array(rows))


def test_forms_that_only_the_slow_way_reads_are_read(file: Path) -> None:
    file.write_text(" " + line("a") + line("b").rstrip("\n"))  # an indent, and no newline at the end
    assert item_files._at_once(file.read_bytes(), STATS) is None
    assert read_items(file, STATS).ids == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line() + "{\n", ":2: not JSON in UTF-8"),
        (line() + "\n" + line("b"), ":2: not JSON in UTF-8"),
        (line().encode() + line("b").encode().replace(b"b", b"\xff"), ":2: not JSON in UTF-8"),
        (line().replace("\n", "") + line("b"), ":1: not JSON in UTF-8"),
        (line() + "[" * 100_000 + "\n", ":2: not JSON in UTF-8"),
        (line() + "[1]\n", ":2: not a JSON object"),
        (line() + line(None), ":2: lacks 'id'"),
        (line() + line(5), ":2: 'id' is no text: 5"),
        (line() + line("\ud800"), ":2: 'id' is no text"),
        (line("b") + line() + line(), ":3: 'id' 'a' stands on line 2 already"),
        (line() + '{"id": "b", "total": 1}\n', ":2: lacks the count 'correct'"),
        (line() + line("b", None), ":2: lacks the count 'correct'"),
        (line() + line("b", -1), ":2: count 'correct' is -1, not an integer from 0 to"),
        (line() + line("b", 1, 1.0), ":2: count 'total' is 1.0, not an integer"),
        (line() + line("b", 1, 0.5), ":2: count 'total' is 0.5, not an integer"),
        (line() + line("b", True), ":2: count 'correct' is True, not an integer"),
        (line() + line("b", "1"), ":2: count 'correct' is '1', not an integer"),
        (line() + line("b", float("nan")), ":2: count 'correct' is nan, not an integer"),
        (line() + line("b", [1]), ":2: count 'correct' is [1], not an integer"),
        (line() + line("b", 2**63), f":2: count 'correct' is {2**63}, not an integer from 0 to {2**63 - 1}"),
        (line("a", 2**62) + line("b", 2**62), ": the sum of 'correct' is larger than"),
        (line() + line("b").replace('"total"', '"correct": 0, "total"'), ":2: key 'correct' stands there twice"),
        (line(group="a") + line("b"), ":2: no 'group', unlike the lines before"),
        (line() + line("b", group="a"), ":2: a 'group', unlike the lines before"),
        (line(group=1), ":1: 'group' is no text: 1"),
    ],
)
def test_faults_are_named_with_file_line_and_key(file: Path, text: str | bytes, said: str) -> None:
    message = refused(file, text)
    assert message.startswith(f"{file}{said}") and "restore the file, or run again" in message


def test_another_file_than_the_one_recorded_is_refused(file: Path) -> None:
    digest = hashlib.sha256(line().encode()).hexdigest()
    file.write_text(line())
    assert read_items(file, STATS, sha256=digest, rows=1).ids == ["a"]
    other = hashlib.sha256(line("b").encode()).hexdigest()
    assert f"its SHA-256 is {other}, the record says {digest}" in refused(file, line("b"), sha256=digest)
    assert ": 1 items, the record says 2" in refused(file, line(), rows=2)
    file.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_items(file, STATS)


@pytest.mark.parametrize("stats", [["id"], ["group"], ["a", "a"]])
def test_stats_that_are_no_names_of_counts(file: Path, stats: list[str]) -> None:
    with pytest.raises(ValueError, match="different names"):
        read_items(file, stats)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "items/../../x", "\\x", "C:/x", "..\\x", "link/x", "a\0b", "."]
)
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out of"):
        items_path(tmp_path / "results", {"per_example": {"path": path}})


def test_a_path_inside_of_the_folder(tmp_path: Path) -> None:
    assert items_path(tmp_path, {"per_example": {"path": "items/a..b.jsonl"}}) == tmp_path / "items" / "a..b.jsonl"


ABOUT = {"path": "items/a.jsonl", "sha256": "0" * 64, "rows": 1, "stats": STATS}


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (None, "names no per-item file"),
        ([], "per_example.stats is None"),
        ({**ABOUT, "path": 5}, "per_example.path is 5"),
        ({**ABOUT, "rows": True}, "per_example.rows is True"),
        ({**ABOUT, "sha256": None}, "per_example.sha256 is None"),
        ({**ABOUT, "stats": "ab"}, "per_example.stats is 'ab'"),
        ({**ABOUT, "stats": ["id", "a"]}, "not different names of counts"),
        ({**ABOUT, "stats": [["a"]]}, "not different names of counts"),
    ],
)
def test_a_record_that_does_not_describe_its_file(tmp_path: Path, about: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        items_of(tmp_path, {"per_example": about})


# Groups


def word(number: int, head: int = 0) -> str:
    return f"{number}\tw\t_\tX\t_\t_\t{head}\troot\t_\t_\n"


TREES = [
    word(1),
    "# newdoc id = one\n# text = w\n" + word(1),
    "# text = # newdoc\n" + word(1),
    "# newdoc\n" + word(1),
    "# newdoc_id = two\n" + word(1),
    "# newdoc id = one\n" + word(1),
    "# newdocument = three\n" + word(1),
    "#newdoc  \n" + word(1),
]


def test_documents_of_a_treebank(tmp_path: Path) -> None:
    """Named or not; one whose name comes again goes on; another file's of the same name is another."""
    rows = []
    for name in ("a", "b"):
        (file := tmp_path / name).write_text("\n".join(TREES))
        for family in ("dependency-parsing", "token-classification"):
            raw = list(read(file, form("conllu"), family, "en"))
            labels = ["root"] if family == "dependency-parsing" else ["X"]
            made = list(numbered(raw, family, labels, [], str(file)))
            assert [shared_by(row) for row in made] == [row.document for row in raw]
        rows += made
    first = [None, "one", "one", "new", "two", "one", "one", "newer"]
    names = dict(zip([shared_by(row) for row in rows[:8]], first, strict=True))
    assert [names[shared_by(row)] for row in rows[:8]] == first and len(names) == 5
    assert {shared_by(row) for row in rows[:8]} & {shared_by(row) for row in rows[8:]} == {None}


def questions(contexts: str) -> list[QuestionRow]:
    return [QuestionRow(f"q{i}", text, "?", ((0, text),)) for i, text in enumerate(contexts)]


@pytest.mark.parametrize(
    ("contexts", "groups"),
    [("aabbc", ["q0", "q0", "q2", "q2", "q4"]), ("aba", ["q0", "q1", "q0"]), ("abc", None), ("a", None)],
)
def test_questions_about_a_paragraph_are_named_by_the_first(contexts: str, groups: list[str] | None) -> None:
    rows = questions(contexts)
    predictions = [(row.id, [0, 1]) for row in rows]
    scored = score(shipped("xquad"), rows, predictions, "eng")
    assert scored.groups == groups
    elsewhere = questions(contexts.translate({ord("a"): "α", ord("b"): "β"}))  # another language
    assert score(shipped("xquad"), elsewhere, predictions, "ell").groups == groups


def test_items_that_nothing_is_known_of_have_no_groups() -> None:
    task = shipped("xcopa")
    (row,) = numbered(read_choice(), "multiple-choice", (), [], "x")
    assert score(task, [row], [("0", 0)], "est").groups is None


def read_choice() -> list[Any]:
    from xleval.tasks.raw import RawRow

    return [RawRow(1, "0", "c", "q", "0", choices=("a", "b"))]


# Public data


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["xnli", "xcopa", "xquad", "paws-x"])
def test_parallel_test_sets_have_the_same_ids_and_groups(realdata: Path, name: str) -> None:
    """And, but for PAWS-X, the same labels."""
    task = shipped(name)
    assert task.parallel
    read: dict[str, list[list[Any]]] = {}
    for language in task.languages:
        for split in ("dev", "test"):
            if name == "xquad" and split == "dev":
                continue
            located = locate(task, language, split, DataOptions(realdata), {})
            if not located.revision.startswith("sha256:") or (name == "paws-x" and (language, split) in WITHHELD):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)
                rows = located.rows(task.labels, task.label_map)
            firsts: dict[str, str] = {}
            groups = [firsts.setdefault(shared_by(row) or row.id, row.id) for row in rows]
            labels = [getattr(row, "label", None) for row in rows] if name != "paws-x" else []
            read.setdefault(split, []).append([[row.id for row in rows], groups, labels])
    for split, languages in read.items():
        assert len(languages) > 1, split
        assert all(language == languages[0] for language in languages)
        assert (len(set(languages[0][1])) == 240) == (name == "xquad")


WITHHELD = {("eng", "test"), ("zho", "test")}


@pytest.mark.realdata
def test_documents_of_public_treebanks(realdata: Path) -> None:
    task = shipped("ud-pos")
    for language, split, documents in (("wol", "test", 12), ("wol", "dev", 13)):
        rows = locate(task, language, split, DataOptions(realdata), {}).rows(task.labels, task.label_map)
        assert None not in {shared_by(row) for row in rows} and len({shared_by(row) for row in rows}) == documents
    for language in ("eus", "mlt"):
        rows = locate(task, language, "test", DataOptions(realdata), {}).rows(task.labels, task.label_map)
        assert {shared_by(row) for row in rows} == {None}
