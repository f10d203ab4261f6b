"""Damaged treebanks, question files, choices and Parquet: an error that names the file, or exactly what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import PAIR, form, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import FUZZ, changed_cells, changed_json, mutated, rows_or_refusal
from plain_readings import check_spans, compare_questions, compare_trees, spans_of, text_of

from xleval.tasks.readers import read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


# CoNLL-U


def word(number: str, form: str, tag: str, head: str, relation: str) -> list[str]:
    return [number, form, form.lower(), tag, "_", "_", head, relation, "_", "_"]


SENTENCES = [
    [
        word("1-2", "Do\u2019n", "_", "_", "_"),
        word("1", "Do", "AUX", "3", "aux"),
        word("2", "n\u2019t", "PART", "3", "advmod:neg"),
        word("3", "go", "VERB", "0", "root"),
        word("3.1", "there", "_", "_", "_"),
        word("4", ".", "PUNCT", "3", "punct"),
    ],
    [word("1", "\u0939\u093e\u0901", "INTJ", "0", "root"), word("2", "a b", "X", "1", "flat")],
]
CONLLU = "".join(
    f"# sent_id = {number}\n" + "".join("\t".join(fields) + "\n" for fields in lines) + "\n"
    for number, lines in enumerate(SENTENCES)
)
KINDS: dict[Any, Any] = {"dependency-parsing": form("conllu"), "token-classification": form("conllu")}


@FUZZ
@given(data=mutated(CONLLU.encode()), family=st.sampled_from(list(KINDS)))
def test_fuzzed_treebank(file: Path, data: bytes, family: Any) -> None:
    rows = rows_or_refusal(file, data, lambda: list(read(file, KINDS[family], family, "en")))
    if rows is None:
        assert data != CONLLU.encode()
        return
    compare_trees(rows, data, family)


NUMBERS = ["0", "1", "2", "3", "5", "-1", "01", "\u0661", "1-3", "2-1", "2.1", "0.1", "_", "", "x", " ", "a b", "root"]


@FUZZ
@given(
    first=changed_cells(SENTENCES[0], NUMBERS),
    second=changed_cells(SENTENCES[1], NUMBERS),
    between=st.sampled_from(["\n\n", "\n", "\n\n# text = a\n", "\n# text = a\n", "\n \n", "\r\n\r\n"]),
    family=st.sampled_from(list(KINDS)),
)
def test_changed_treebank(file: Path, first: Any, second: Any, between: str, family: Any) -> None:
    text = between.join("\n".join("\t".join(fields) for fields in lines) for lines in (first, second))
    rows = rows_or_refusal(file, text.encode(), lambda: list(read(file, KINDS[family], family, "en")))
    if rows is not None:
        compare_trees(rows, text.encode(), family)


# SQuAD

CONTEXT = "\ufeff  Nair\u00f3bi \u2028 \U0001f30d is in Kenya."


def question(number: int, answer: str) -> dict[str, Any]:
    answers = [{"answer_start": CONTEXT.index(answer), "text": answer}]
    return {"id": f"q{number}", "question": f"\u0645\u0646 {number}?", "answers": answers}


PARAGRAPHS = [
    {"context": CONTEXT, "qas": [question(1, "Nair\u00f3bi"), question(2, "Kenya")]},
    {"context": CONTEXT[3:], "qas": []},
    {"context": CONTEXT, "qas": [question(3, "in")]},
]
SQUAD = {
    "version": "1.1",
    "data": [{"title": "a", "paragraphs": PARAGRAPHS[:1]}, {"title": "b", "paragraphs": PARAGRAPHS[1:]}],
}


def ask(file: Path) -> list[Any]:
    return list(read(file, form("squad", columns={"id": "id"}), "question-answering", "en"))


@FUZZ
@given(data=mutated(json.dumps(SQUAD, indent=1, ensure_ascii=False).encode()))
def test_fuzzed_questions(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: ask(file))
    if rows is not None:
        compare_questions(rows, json.loads(text_of(data)))


@FUZZ
@given(whole=changed_json(SQUAD), ascii_only=st.booleans())
def test_changed_questions(file: Path, whole: Any, ascii_only: bool) -> None:
    data = json.dumps(whole, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    rows = rows_or_refusal(file, data, lambda: ask(file))
    if rows is None:
        assert json.dumps(whole) != json.dumps(SQUAD)
        return
    compare_questions(rows, whole)


ANSWERS = [
    {"context": "a bc", "question": "b?", "answers": {"text": ["bc", "b"], "answer_start": [2, 2]}},
    {"context": "de", "question": "", "answers": [{"start": 0, "text": "d"}]},
]


@FUZZ
@given(records=changed_json(ANSWERS))
def test_changed_answers_in_json_lines(file: Path, records: Any) -> None:
    data = "".join(json.dumps(record) + "\n" for record in (records if isinstance(records, list) else [1])).encode()
    columns = {key: key for key in ("context", "question", "answers")}
    rows = rows_or_refusal(
        file, data, lambda: list(read(file, form("jsonl", columns=columns), "question-answering", "en"))
    )
    if rows is None:
        assert json.dumps(records) != json.dumps(ANSWERS)
        return
    assert [(row.text_a, row.text_b) for row in rows] == [(r["context"], r["question"]) for r in records]
    assert [list(row.answers) for row in rows] == [spans_of(record["answers"]) for record in records]
    check_spans(rows)


# Choices, with labels beside them

CHOICES = [
    {"context": "a", "question": "q", "answerA": "x", "answerB": "y"},
    {"context": "", "question": "", "answerA": "\u0645\u0646", "answerB": "z\u2028"},
    {"context": "b", "question": "q", "answerA": "x", "answerB": "x"},
]
SIQA = form(
    "jsonl",
    columns={"context": "context", "question": "question", "choices": ["answerA", "answerB"]},
    label_names=["1", "2", "3"],
)


@FUZZ
@given(records=changed_json(CHOICES), labels=changed_cells([["1"], ["2"], ["2"]], ["1", "2", "3", "0", "", "x", "A"]))
def test_changed_choices_and_labels(tmp_path: Path, records: Any, labels: list[list[str]]) -> None:
    data = "".join(json.dumps(record) + "\n" for record in (records if isinstance(records, list) else [1])).encode()
    beside = tmp_path / "labels"
    beside.write_text("".join("".join(label) + "\n" for label in labels))
    # Of a fault of the labels their file is named, which lies in the same folder.
    file = tmp_path / "labels.jsonl"
    file.write_bytes(data)
    rows = rows_or_refusal(tmp_path / "labels", beside.read_bytes(), lambda: list(
        read(file, SIQA, "multiple-choice", "en", beside)))  # fmt: skip
    said = beside.read_text().rstrip("\n").split("\n")
    if rows is None:
        assert json.dumps(records) != json.dumps(CHOICES) or len(said) != 3 or not set(said) <= {"1", "2"}
        return
    assert [(row.text_a, row.text_b, row.choices) for row in rows] == [
        (r["context"], r["question"], (r["answerA"], r["answerB"])) for r in records
    ]
    assert [int(row.label) + 1 for row in rows] == [int(label) for label in said]
    assert all(row.label in ("0", "1") and all(choice.strip() for choice in row.choices) for row in rows)


# Parquet


@settings(FUZZ, max_examples=150)
@given(data=st.data())
def test_fuzzed_parquet(tmp_path: Path, data: st.DataObject) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "file.parquet"
    table = {"premise": ["a\u00e9", "b"], "hypothesis": ["", "\u4ed6\u8bf4"], "label": [0, 1]}
    parquet.write_table(pyarrow.table(table), file, compression=data.draw(st.sampled_from(["none", "snappy"])))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.binary(min_size=1, max_size=1))
    damaged = data.draw(st.one_of(mutated(whole), st.just(whole[:at] + other + whole[at + 1 :])))
    rows = rows_or_refusal(file, damaged, lambda: pairs(file, form("parquet", columns=PAIR)))
    if rows is not None:
        expected = parquet.ParquetFile(file).read().to_pylist()
        assert [(r.text_a, r.text_b, r.label) for r in rows] == [
            (r["premise"], r["hypothesis"], str(r["label"])) for r in expected
        ]


def column(cells: Any) -> Any:
    return st.lists(cells, min_size=2, max_size=2)


_WORDS, _NUMBERS = st.text(min_size=1, max_size=3), st.integers(0, 1)
_ANY = st.one_of(
    column(st.none() | st.text(max_size=3)),
    column(st.none() | _NUMBERS),
    column(st.none() | st.floats(width=32)),
    column(st.booleans()),
    column(st.none() | st.binary(max_size=2)),
    column(st.none() | st.lists(st.none() | st.text(max_size=2), max_size=2)),
    column(st.lists(_NUMBERS | st.none(), min_size=1, max_size=2)),
)
_RIGHT = [column(st.lists(cell, min_size=2, max_size=2)) for cell in (_WORDS, _NUMBERS)]


@FUZZ
@given(tokens=_RIGHT[0] | _ANY, tags=_RIGHT[1] | _RIGHT[0] | _ANY)
def test_parquet_of_any_types(tmp_path: Path, tokens: Any, tags: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "file.parquet"
    parquet.write_table(pyarrow.table({"tokens": tokens, "tags": tags}), file)
    kind = form("parquet", columns={"tokens": "tokens", "tags": "tags"}, label_names=["O", "B-PER"])
    rows = rows_or_refusal(file, file.read_bytes(), lambda: list(read(file, kind, "token-classification", "en")))
    if rows is None:
        return
    names = {0: "O", 1: "B-PER"}
    assert [row.tokens for row in rows] == [tuple(words) for words in tokens]
    assert [row.tags for row in rows] == [tuple(names.get(tag, str(tag)) for tag in row) for row in tags]
    assert all(row.tokens and all(type(token) is str and token for token in row.tokens) for row in rows)
