"""Choices, labels beside them, ids and types: what is read, and one clear message for each fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import form, refused
from toy_specs import COMMIT, shipped

from xleval.errors import UserError
from xleval.tasks.fields import generated_row
from xleval.tasks.layout import HubFiles, LocalFiles
from xleval.tasks.places import HubPlace, LocalPlace
from xleval.tasks.raw import UnlabelledError
from xleval.tasks.readers import read
from xleval.tasks.sources import ChoiceRow, DataOptions, DataWarning, locate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


# Choices, and labels in a file of their own

COLUMNS: dict[str, Any] = {"context": "c", "question": "q", "choices": ["x", "y"], "label": "label"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"label": 2}, ":1: label 2 names none of the 2 choices (known: 0, 1)"),
        ({"label": "1" * 5000}, ":1: label '1111"),
        ({"label": "\u0661"}, ":1: label '\u0661' names none"),
        ({"label": True}, ":1: label True names none of the 2 choices"),
        ({"label": 1.0}, ":1: label 1.0 names none"),
        ({"label": [1]}, ":1: label [1] names none"),
        ({"label": -1}, ":1: no gold labels (label -1)"),
        ({"label": ""}, ":1: no gold labels (label '')"),
        ({"label": None}, ":1: no gold labels (label None)"),
        ({"x": " "}, ":1: choice 1 of 2 is empty; fill it in or remove the row"),
        ({"y": 3}, ":1: column 'y' is a number, not text"),
        ({"q": None}, ":1: column 'q' is missing, not text"),
    ],
)
def test_broken_choices(file: Path, more: dict[str, Any], said: str) -> None:
    file.write_text(json.dumps({"c": "c", "q": "q", "x": "a", "y": "b", "label": 0, **more}))
    message = refused(file, form("jsonl", columns=COLUMNS), "multiple-choice")
    assert message.startswith(f"{file}{said}")


def test_choices_in_one_column(file: Path) -> None:
    together = form("jsonl", columns={**COLUMNS, "choices": ["x"]})

    def write(choices: Any) -> None:
        file.write_text(json.dumps({"c": "c", "q": "q", "x": choices, "label": 1}))

    write(["a", "b", "c"])
    (row,) = read(file, together, "multiple-choice", "en")
    assert (row.choices, row.label) == (("a", "b", "c"), "1")
    for choices, said in (
        ([], "0 choices; a row needs two"),
        (["a"], "1 choices"),
        (["a", None], "column 'x' is missing"),
    ):
        write(choices)
        assert said in refused(file, together, "multiple-choice")


def test_a_name_beyond_the_choices_is_no_label(file: Path) -> None:
    file.write_text(json.dumps({"c": "c", "q": "q", "x": "a", "y": "b", "label": "C"}))
    named = form("jsonl", columns=COLUMNS, label_names=["A", "B", "C"])
    assert "label 'C' names none of the 2 choices (known: A, B)" in refused(file, named, "multiple-choice")


def test_own_choices_without_names(file: Path) -> None:
    file.write_text('{"c": "c"}')
    none = form("jsonl", columns={"context": "c", "question": "q", "choices": (), "label": "label"})
    assert (
        refused(file, none, "multiple-choice")
        == f"{file}: no columns with choices; name them choice1, choice2 and so on"
    )


BESIDE = form("jsonl", columns={k: v for k, v in COLUMNS.items() if k != "label"}, label_names=["1", "2"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("2\r\n1\n\n\n", None),
        ("\ufeff2\n1\n", None),
        ("2\n", "file.txt:2: {labels} has no label for this row; both must have as many lines"),
        ("2\n1\n1\n", "{labels}: more labels than {file} has rows; both must have as many lines"),
        ("2\n\n1\n", "{labels}:2: empty; one label a line"),
        ("2\n3\n", "{labels}:2: label '3' names none of the 2 choices (known: 1, 2)"),
        ("", "{labels}: empty; fetch the file again"),
        (None, "{labels}: cannot be read: No such file"),
    ],
)
def test_labels_in_a_file_of_their_own(file: Path, labels: str | None, said: str | None) -> None:
    file.write_text((json.dumps({"c": "c", "q": "q", "x": "a", "y": "b"}) + "\n") * 2)
    beside = file.with_name("labels.lst")
    if labels is not None:
        beside.write_text(labels, newline="")
    rows = read(file, BESIDE, "multiple-choice", "en", beside)
    if said is None:
        assert [row.label for row in rows] == ["1", "0"]
        return
    with pytest.raises(UserError) as caught:
        list(rows)
    assert said.format(labels=beside, file=file) in str(caught.value)


def test_labels_beside_belong_to_lines_of_all_languages(file: Path) -> None:
    lines = [{"c": "c", "q": "q", "x": "a", "y": "b", "language": code} for code in ("en", "sw", "en")]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    beside = file.with_name("labels.lst")
    beside.write_text("1\n2\n2\n")
    kind = BESIDE.model_copy(update={"where": {"language": "{lang}"}})
    assert [row.label for row in read(file, kind, "multiple-choice", "en", beside)] == ["0", "1"]
    assert [row.label for row in read(file, kind, "multiple-choice", "sw", beside)] == ["1"]


def test_a_line_with_a_fault_keeps_its_label(file: Path) -> None:
    good = json.dumps({"c": "c", "q": "q", "x": "a", "y": "b"})
    file.write_text(f"{good}\n{{\n{good}\n")
    beside = file.with_name("labels.lst")
    beside.write_text("1\n1\n2\n")
    told: list[UserError] = []
    rows = read(file, BESIDE, "multiple-choice", "en", beside, tell=told.append)
    assert [row.label for row in rows] == ["0", "1"]
    assert len(told) == 1


def test_questions_can_be_had_where_labels_are_withheld(tmp_path: Path) -> None:
    """SuperGLUE's test set of COPA has no labels, and the hub's -1; XCOPA takes its questions from it."""
    row = {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause"}
    target = tmp_path / "xcopa/data/et/test.et.jsonl"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps({**row, "question": "effect", "label": 1}))
    (tmp_path / "COPA").mkdir()
    task, copa = shipped("xcopa"), shipped("sources/copa")
    for more in ({}, {"label": -1}):
        (tmp_path / "COPA/test.jsonl").write_text(json.dumps({**row, **more}))
        located = locate(task, "est", "test", DataOptions(tmp_path), {}, copa)
        with pytest.warns(DataWarning):
            assert located.rows((), {}) == [ChoiceRow("0", "a", "cause", ("b", "c"), 1)]


def test_questions_without_their_file_of_labels(tmp_path: Path) -> None:
    layout = LocalFiles.model_validate({**BESIDE.model_dump(), "name": "x", "files": {}})
    (tmp_path / "rows").write_text(json.dumps({"c": "c", "q": "q", "x": "a", "y": "b"}))
    place = LocalPlace("multiple-choice", layout, tmp_path / "rows", "en", tmp_path / "labels")
    ((_, rows),) = place.read(labelled=False)
    assert [(row.text_b, row.label) for row in rows] == [("q", "")]
    with pytest.raises(UserError, match=r"labels: cannot be read: No such file or directory; it has the labels of"):
        place.identity()


# Lists


@pytest.mark.parametrize("head", ["1", 1.0, True, None, 3, -1, 2])
def test_heads_in_json_lines(file: Path, head: Any) -> None:
    kind = form("jsonl", columns={"tokens": "t", "heads": "h", "tags": "r"})

    def write(second: Any) -> None:
        file.write_text(json.dumps({"t": ["a", "b"], "h": [0, second], "r": ["root", "nsubj:pass"]}))

    write(1)
    (row,) = read(file, kind, "dependency-parsing", "en")
    assert (row.heads, row.tags) == ((0, 1), ("root", "nsubj"))
    write(head)
    assert refused(file, kind, "dependency-parsing").startswith(f"{file}:1: ")


@pytest.mark.parametrize(
    ("family", "row", "said"),
    [
        (
            "multiple-choice",
            {"context": "c", "question": "q", "choices": ["a", "b"], "label": 2},
            "names none of the 2",
        ),
        ("multiple-choice", {"context": "c", "question": "q", "label": 2}, "has no 'choices'"),
        (
            "question-answering",
            {"context": "c", "question": "q", "answers": [{"start": 1, "text": "c"}]},
            "it stands at 0",
        ),
        ("dependency-parsing", {"tokens": ["a"], "heads": [1], "relations": ["root"]}, "head 1 in a sentence of 1"),
        ("token-classification", {"tokens": ["a"], "tags": []}, "1 tokens but 0 tags"),
        ("sequence-classification", {"premise": 3, "label": "x"}, "column 'premise' is a number"),
    ],
)
def test_generated_rows_are_checked_as_well(family: Any, row: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"^demo: row 7.*{said}"):
        generated_row("demo: row 7", family, 7, {"id": "a", **row})


# Ids and labels


def test_ids_count_in_all_files_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).write_text("id\tt\tl\n7\tx\ty\n")
    columns = {"id": "id", "text_a": "t", "label": "l"}
    hub = HubFiles.model_validate({"repo": "o/n", "revision": COMMIT, "files": {}, "format": "tsv", "columns": columns})
    monkeypatch.setattr("xleval.tasks.places.hub_files", lambda *_, **__: [tmp_path / "a", tmp_path / "b"])
    place = HubPlace("sequence-classification", hub, "*", "", "en", offline=True)
    with pytest.raises(UserError, match=r"b:2: id '7' stands on line 2 of .*a already"):
        [row for _, rows in place.read() for row in rows]


def test_ids_of_other_files_of_a_split_count(tmp_path: Path) -> None:
    kind = form("tsv", columns={"id": "id", "text_a": "t", "label": "l"})
    for name in "ab":
        (tmp_path / name).write_text("id\tt\tl\n7\tx\ty\n")
    seen: dict[str, tuple[Path, int]] = {}
    assert len(list(read(tmp_path / "a", kind, "sequence-classification", "en", seen=seen))) == 1
    with pytest.raises(UserError, match=r"b:2: id '7' stands on line 2 of .*a already; remove one"):
        list(read(tmp_path / "b", kind, "sequence-classification", "en", seen=seen))


@pytest.mark.parametrize("text", ['{"t": "x", "l": null}', '{"t": "x"}', '{"t": "x", "l": ""}'])
def test_missing_labels_are_told_from_other_faults(file: Path, text: str) -> None:
    file.write_text(text)
    kind = form("jsonl", columns={"text_a": "t", "label": "l"}, unlabelled="They are withheld.")
    with pytest.raises(UnlabelledError, match=r"no gold label.*They are withheld\."):
        list(read(file, kind, "sequence-classification", "en"))


# Parquet


def test_parquet_with_other_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    kind = form("parquet", columns={"text_a": "t", "label": "l"})

    def message(**columns: Any) -> str:
        parquet.write_table(pyarrow.table(columns), path)
        return refused(path, kind)

    assert f"{path}:1: column 't' is a value of type bytes, not text" in message(t=[b"a"], l=[1])
    assert f"{path}:1: a label is the number 1.0, not text or a whole number" in message(t=["a"], l=[1.0])
    assert f"{path}:2: no gold label" in message(t=["a", "b"], l=["x", None])
    assert f"{path}: no row" in message(t=pyarrow.array([], "string"), l=pyarrow.array([], "string"))
    invalid = pyarrow.StringArray.from_buffers(
        1, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0"), pyarrow.py_buffer(b"\xff\xfe")
    )
    assert "text after row 0 is not UTF-8" in message(t=invalid, l=["x"])
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2 + [pyarrow.array(["x"])], names=["t", "t", "l"])
    parquet.write_table(table, path)
    assert refused(path, kind) == f"{path}: two columns are named 't'; rename the one that is not meant"
