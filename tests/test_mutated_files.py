"""Damaged files give an error that names the file, or exactly what the file says; never anything else."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from file_forms import PAIR, PLACES, form, pairs, sentences
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xleval.tasks.raw import RawRow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


TSV = 'I\u2019m home.\tShe slept.\tneutral\nNdi\u1ecb mmad\u1ee5 "x"\tb\tentailment\n\u4ed6\u8bf4\tc\tcontradiction\n'
JSON_LINES = (
    '{"premise": "a", "hypothesis": "b\\u00e9", "label": "x"}\n{"premise": "", "hypothesis": "", "label": "y"}\n'
)
CONLL = "Nair\u00f3bi B-LOC\nni O\n\nYor\u00f9b\u00e1 B-ORG\n\u0938\u092d\u093e I-ORG\n. O\n\n"


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["drop", "insert", "replace", "cut", "repeat", "empty"]))
        piece = draw(
            st.one_of(
                st.sampled_from([b"\t", b"\n", b" ", b'"', b"\r", b"\x00", b"\xff", b"\n\n"]),
                st.binary(max_size=3),
            )
        )
        if kind == "drop":
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == "insert":
            data[at:at] = piece
        elif kind == "replace":
            data[at : at + 1] = piece
        elif kind == "cut":
            del data[at:]
        elif kind == "repeat":
            data[at:at] = data[: draw(st.integers(0, 20))]
        else:
            data.clear()
    return bytes(data)


FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def lines_without_ends(data: bytes) -> list[str]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode()
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]


def rows_or_refusal(file: Path, data: bytes, read: Callable[[], list[RawRow]]) -> list[RawRow] | None:
    file.write_bytes(data)
    try:
        return read()
    except UserError as error:
        if str(file) not in str(error):
            raise AssertionError(f"a refusal that names no file: {error}") from error
        return None


@FUZZ
@given(data=mutated(TSV.encode()))
def test_fuzzed_tsv(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("tsv", header=False, columns=PLACES)))
    if rows is None:
        return
    said = ["\t".join([row.text_a, row.text_b or "", row.label]) for row in rows]
    columns = lines_without_ends(data)[0].count("\t") + 1
    assert said == ["\t".join(line.split("\t")[:3]) for line in lines_without_ends(data)]
    assert columns >= 3


@FUZZ
@given(data=mutated(TSV.encode()))
def test_fuzzed_quoted_tsv(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(
        file, data, lambda: pairs(file, form("tsv", header=False, quoting="minimal", columns=PLACES))
    )
    if rows is None:
        return
    text = io.StringIO(data.removeprefix(b"\xef\xbb\xbf").decode(), newline="")
    expected = [fields[:3] for fields in csv.reader(text, delimiter="\t", strict=True)]
    assert [[row.text_a, row.text_b, row.label] for row in rows] == expected


@FUZZ
@given(data=mutated(CONLL.encode()), separator=st.sampled_from(["whitespace", "tab"]))
def test_fuzzed_conll(file: Path, data: bytes, separator: str) -> None:
    if separator == "tab":
        data = data.replace(b" ", b"\t")
    rows = rows_or_refusal(file, data, lambda: sentences(file, form("conll", separator=separator)))
    if rows is None:
        return
    lines = [line for line in lines_without_ends(data) if line.strip(" \t") and not line.startswith("-DOCSTART-")]
    said = [(token, tag) for row in rows for token, tag in zip(row.tokens, row.tags, strict=True)]
    if separator == "tab":
        assert said == [(line.split("\t")[0], line.split("\t")[-1]) for line in lines]
    else:
        fields = [[part for part in line.replace("\t", " ").split(" ") if part] for line in lines]
        assert said == [(parts[0], parts[-1]) for parts in fields]


@FUZZ
@given(data=mutated(JSON_LINES.encode()))
def test_fuzzed_json_lines(file: Path, data: bytes) -> None:
    rows = rows_or_refusal(file, data, lambda: pairs(file, form("jsonl", columns=PAIR)))
    if rows is None:
        return
    records = [json.loads(line) for line in lines_without_ends(data)]
    assert [(r.text_a, r.text_b) for r in rows] == [(r["premise"], r["hypothesis"]) for r in records]
