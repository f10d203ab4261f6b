"""Beginnings of public files, damaged: an error that names the file, or exactly what it says."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import PLACES, form
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import FUZZ, mutated, rows_or_refusal
from plain_readings import columns_of, compare_questions, compare_trees, objects_of, quoted_of, text_of, tokens_of

from xleval.tasks.readers import read

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realdata


def compare_pairs(rows: list[Any], data: bytes) -> None:
    assert [[r.text_a, r.text_b, r.label] for r in rows] == [fields[:3] for fields in columns_of(data)]


def compare_quoted(rows: list[Any], data: bytes) -> None:
    assert [[r.text_a, r.text_b, r.label] for r in rows] == [fields[:3] for fields in quoted_of(data, "\t")]


def compare_language(rows: list[Any], data: bytes) -> None:
    names, *lines = columns_of(data)
    wanted = [dict(zip(names, line, strict=True)) for line in lines]
    assert [[r.text_a, r.text_b, r.label] for r in rows] == [
        [line["premise"], line["hypothesis"], line["label"]] for line in wanted if line["language"] == "aym"
    ]


def compare_tokens(rows: list[Any], data: bytes) -> None:
    said = [(token, tag) for row in rows for token, tag in zip(row.tokens, row.tags, strict=True)]
    assert said == tokens_of(data, "whitespace")


def compare_choices(rows: list[Any], data: bytes) -> None:
    assert [(r.text_a, r.text_b, r.choices, r.label) for r in rows] == [
        (r["premise"], r["question"], (r["choice1"], r["choice2"]), str(r["label"])) for r in objects_of(data)
    ]


PAIR = {"text_a": "premise", "text_b": "hypothesis", "label": "label"}
CHOICES = {"context": "premise", "question": "question", "choices": ["choice1", "choice2"], "label": "label"}
#: File, lines of it (of questions: paragraphs), form, family, comparison.
FILES: dict[str, tuple[int, Any, Any, Any]] = {
    "xnli/dev-th.tsv": (4, form("tsv", header=False, columns=PLACES), "sequence-classification", compare_pairs),
    "pawsx/dev-de.tsv": (
        60, form("tsv", header=False, quoting="minimal", columns=PLACES), "sequence-classification", compare_quoted
    ),
    "americasnli/dev.tsv": (
        5, form("tsv", columns=PAIR, where={"language": "{lang}"}), "sequence-classification", compare_language
    ),
    "masakhaner/data/amh/test.txt": (30, form("conll"), "token-classification", compare_tokens),
    "xcopa/data/ta/val.ta.jsonl": (3, form("jsonl", columns=CHOICES), "multiple-choice", compare_choices),
    "ud/UD_Basque-BDT/eu_bdt-ud-dev.conllu": (
        40, form("conllu"), "dependency-parsing", lambda rows, data: compare_trees(rows, data, "dependency-parsing")
    ),
    "xquad/xquad.ar.json": (
        1, form("squad", columns={"id": "id"}), "question-answering",
        lambda rows, data: compare_questions(rows, json.loads(text_of(data))),
    ),
}  # fmt: skip


@cache
def beginning(path: Path, count: int) -> bytes:
    if path.suffix == ".json":
        whole = json.loads(path.read_text(encoding="utf-8"))
        first = {"paragraphs": whole["data"][0]["paragraphs"][:count]}
        return json.dumps({"data": [first]}, indent=1, ensure_ascii=False).encode()
    lines = path.read_bytes().split(b"\n")[:count]
    while path.suffix == ".conllu" and lines[-1]:
        del lines[-1]  # a sentence cut short is no tree
    return b"\n".join(lines) + b"\n"


@settings(FUZZ, max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("name", list(FILES))
def test_damaged_public_files(tmp_path: Path, realdata: Path, name: str, data: st.DataObject) -> None:
    count, kind, family, compare = FILES[name]
    file = tmp_path / "file"

    def rows_of(content: bytes) -> Any:
        return rows_or_refusal(file, content, lambda: list(read(file, kind, family, "aym")))

    original = beginning(realdata / name, count)
    compare(rows_of(original), original)
    damaged = data.draw(mutated(original))
    rows = rows_of(damaged)
    if rows is not None:
        compare(rows, damaged)
