"""Damaged tables and columns give an error that names the file, or exactly what the file says; never anything else.

The readings that results are compared with know nothing of faults: what they can't read must have been refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import PAIR, PLACES, form, pairs, sentences
from hypothesis import given
from hypothesis import strategies as st
from mutations import FUZZ, changed_cells, changed_json, mutated, rows_or_refusal
from plain_readings import columns_of, objects_of, quoted_of, tokens_of
from toy_specs import NLI, rows_of, toy

from xleval.tasks.readers import read
from xleval.tasks.sources import DataOptions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


CELLS = [
    ["I\u2019m home.", "She slept.", "neutral"],
    ['Ndi\u1ecb mmad\u1ee5 "x"', "b", "entailment"],
    ["\u4ed6\u8bf4", "c\u2028d", "contradiction"],
]
VALUES = ["", " ", "neutral", "Neutral", "neutral ", "2", "-", '"', "a\u2028b", "x"]
TSV = "".join("\t".join(row) + "\n" for row in CELLS)
CSV = 'premise,hypothesis,label\na,"b, ""c""",neutral\n"two\nlines",\u4ed6\u8bf4,entailment\n'
JSON_LINES = [
    {"premise": "a", "hypothesis": "b\u00e9", "label": "neutral"},
    {"premise": "", "hypothesis": "c\u2028d", "label": "entailment", "more": [1.5, None]},
]
CONLL = "Nair\u00f3bi B-LOC\nni O\n\nYor\u00f9b\u00e1 B-ORG\n\u0938\u092d\u093e I-ORG\n. O\n\n"


def as_lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


# TSV and CSV


@FUZZ
@given(data=mutated(TSV.encode()))
def test_fuzzed_tsv(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("tsv", header=False, columns=PLACES)))
    if rows is None:
        assert data != TSV.encode()
        return
    expected = columns_of(data)
    assert [[row.text_a, row.text_b, row.label] for row in rows] == [fields[:3] for fields in expected]
    assert {len(fields) for fields in expected} == {len(expected[0])}


@FUZZ
@given(data=mutated(TSV.encode()))
def test_fuzzed_quoted_tsv(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(
        file, data, lambda: pairs(file, form("tsv", header=False, quoting="minimal", columns=PLACES))
    )
    if rows is None:
        return
    expected = [fields[:3] for fields in quoted_of(data, "\t")]
    assert [[row.text_a, row.text_b, row.label] for row in rows] == expected


@FUZZ
@given(data=mutated(CSV.encode()))
def test_fuzzed_csv(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("csv", quoting="minimal", columns=PAIR)))
    if rows is None:
        assert data != CSV.encode()
        return
    names, *lines = quoted_of(data, ",")
    places = [names.index(name) for name in ("premise", "hypothesis", "label")]
    assert [[r.text_a, r.text_b, r.label] for r in rows] == [[line[place] for place in places] for line in lines]


def test_unchanged_files_are_read(file: Path) -> None:
    file.write_text(CSV)
    assert len(pairs(file, form("csv", quoting="minimal", columns=PAIR))) == 2
    file.write_text(CONLL)
    assert len(sentences(file, form("conll"))) == 2


@FUZZ
@given(
    rows=changed_cells(CELLS, VALUES),
    end=st.sampled_from(["\n", "\r\n"]),
    trailing=st.sampled_from(["", "\n", "\n\n"]),
    mark=st.booleans(),
)
def test_changed_tables_of_a_task(tmp_path: Path, rows: list[list[str]], end: str, trailing: str, mark: bool) -> None:
    """Columns swapped, labels changed, fields dropped, no rows at all; by way of a task with its labels."""
    layout = {"name": "x", "files": {"test": "file.tsv"}, "format": "tsv", "header": False, "columns": PLACES}
    task = toy({"upstream": [layout]}, labels=NLI)
    text = end.join("\t".join(row) for row in rows) + (trailing if rows else "")
    data = ("\ufeff" * mark + text).encode()
    found = rows_or_refusal(tmp_path / "file.tsv", data, lambda: rows_of(task, DataOptions(tmp_path)))
    plain = columns_of(data)
    sound = [line for line in plain if len(line) == len(plain[0]) > 2 and line[2] in NLI]
    expected = [(str(i), line[0], line[1], NLI.index(line[2])) for i, line in enumerate(sound)]
    # What is read is every line; what is refused has a line that can't be.
    assert found is None or found == expected
    assert (found is None) == (len(sound) < len(plain))


# CoNLL


@FUZZ
@given(data=mutated(CONLL.encode()), separator=st.sampled_from(["whitespace", "tab"]))
def test_fuzzed_conll(file: Path, data: bytes, separator: str) -> None:
    if separator == "tab":
        data = data.replace(b" ", b"\t")
    rows = rows_or_refusal(file, data, lambda: sentences(file, form("conll", separator=separator)))
    if rows is None:
        return
    said = [(token, tag) for row in rows for token, tag in zip(row.tokens, row.tags, strict=True)]
    assert said == tokens_of(data, separator)


WIKIANN = "en:Nair\u00f3bi\tB-LOC\nen:en:x\tO\n\nen:\u0938\u092d\u093e\tB-ORG\nen:.\tO\n"


@FUZZ
@given(data=mutated(WIKIANN.encode()))
def test_fuzzed_prefixes(file: Path, data: bytes) -> None:
    kind = form("conll", separator="tab", token_prefix="{lang}:")
    rows = rows_or_refusal(file, data, lambda: sentences(file, kind))
    if rows is None:
        assert data != WIKIANN.encode()
        return
    tokens = [token for token, _ in tokens_of(data, "tab")]
    found = [token for row in rows for token in row.tokens]
    # All of them or none; the second only where few tokens happen to begin so.
    if found == tokens:
        assert sum(token.startswith("en:") for token in tokens) * 2 <= len(tokens)
    else:
        assert found == [token[3:] for token in tokens] and all(token.startswith("en:") for token in tokens)


# JSON Lines


@FUZZ
@given(data=mutated(as_lines(JSON_LINES)))
def test_fuzzed_json_lines(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("jsonl", columns=PAIR)))
    if rows is None:
        assert data != as_lines(JSON_LINES)
        return
    records = objects_of(data)
    assert [(r.text_a, r.text_b, r.label) for r in rows] == [
        (r["premise"], r["hypothesis"], str(r["label"])) for r in records
    ]


@FUZZ
@given(records=changed_json(JSON_LINES))
def test_changed_json_lines(file: Path, records: Any) -> None:
    data = as_lines(records if isinstance(records, list) else [records])
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("jsonl", columns=PAIR)))
    if rows is None:
        assert data != as_lines(JSON_LINES)
        return
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert (row.text_a, row.text_b) == (record["premise"], record["hypothesis"])
        assert type(record["label"]) in (str, int) and row.label == str(record["label"]) != ""


TOKENS = [{"id": "a", "tokens": ["Nair\u00f3bi", "ni"], "tags": [1, 0]}, {"id": 2, "tokens": ["x"], "tags": ["B-PER"]}]


@FUZZ
@given(records=changed_json(TOKENS))
def test_changed_lists_of_tokens(file: Path, records: Any) -> None:
    data = as_lines(records if isinstance(records, list) else [records])
    columns = {"id": "id", "tokens": "tokens", "tags": "tags"}
    kind = form("jsonl", columns=columns, label_names=["O", "B-LOC"])
    rows = rows_or_refusal(file, data, lambda: list(read(file, kind, "token-classification", "en")))
    if rows is None:
        assert data != as_lines(TOKENS)
        return
    names = {0: "O", 1: "B-LOC"}
    assert [row.id for row in rows] == [str(record["id"]) for record in records]
    assert [row.tokens for row in rows] == [tuple(record["tokens"]) for record in records]
    assert [row.tags for row in rows] == [tuple(names.get(t, str(t)) for t in record["tags"]) for record in records]
    assert all(row.tokens and all(row.tokens) and len(set(row.tags) - {""}) for row in rows)
