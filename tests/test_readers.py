"""What each format yields, and one clear message for every way in which a file can be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import PAIR, PLACES, form, pairs, refused, sentences

from xleval.errors import UserError
from xleval.tasks.raw import RawRow
from xleval.tasks.readers import read

if TYPE_CHECKING:
    from pathlib import Path

    from xleval.tasks.layout import Form


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


# TSV and CSV


def test_tsv_with_header_in_any_order(file: Path) -> None:
    file.write_text("label\textra\thypothesis\tpremise\nneutral\tx\th\tp\n")
    assert pairs(file, form("tsv", columns=PAIR)) == [RawRow(2, "0", "p", "h", "neutral")]


def test_tsv_without_header_keeps_quotes(file: Path) -> None:
    # A lone quote opens nothing, and line separators other than line feed are part of sentences.
    file.write_text('He said "no\tU"\tneutral\r\na\u2028b\x85\x0c\t c \tneutral\n', newline="")
    rows = pairs(file, form("tsv", header=False, columns=PLACES))
    assert [(row.text_a, row.text_b) for row in rows] == [('He said "no', 'U"'), ("a\u2028b\x85\x0c", " c ")]
    assert [row.line for row in rows] == [1, 2]


def test_quoted_fields(file: Path) -> None:
    file.write_text('premise,hypothesis,label\n"a, ""b""",h,neutral\n"two\nlines",h,neutral\n')
    rows = pairs(file, form("csv", quoting="minimal", columns=PAIR))
    assert [row.text_a for row in rows] == ['a, "b"', "two\nlines"]
    assert [row.line for row in rows] == [2, 3]


def test_open_quote(file: Path) -> None:
    file.write_text('premise\thypothesis\tlabel\na\tb\tneutral\n"open\tb\tneutral\n')
    assert refused(file, form("tsv", quoting="minimal", columns=PAIR)).startswith(f"{file}:3: not CSV:")


def test_text_alone(file: Path) -> None:
    file.write_text("text\tlabel\na\tx\n")
    (row,) = pairs(file, form("tsv", columns={"text_a": "text", "label": "label"}))
    assert row.text_b is None


def test_byte_order_mark_is_cut(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfpremise\thypothesis\tlabel\na\tb\tneutral\n")
    assert len(pairs(file, form("tsv", columns=PAIR))) == 1


def test_rows_of_one_language_are_numbered_from_zero(file: Path) -> None:
    file.write_text("language\tpremise\thypothesis\tlabel\nsw\ta\tb\tx\nen\tc\td\tx\nsw\te\tf\tx\n")
    kind = form("tsv", columns=PAIR, where={"language": "{lang}"})
    assert [(row.id, row.text_a) for row in pairs(file, kind)] == [("0", "a"), ("1", "e")]
    assert [(row.id, row.text_a) for row in pairs(file, kind, "en")] == [("0", "c")]
    with pytest.raises(UserError, match=r"no row with language = 'fr'; it has en, sw"):
        pairs(file, kind, "fr")


def test_own_ids_and_dropped_labels(file: Path) -> None:
    file.write_text("pairID\tpremise\thypothesis\tlabel\n7n\ta\tb\tx\n8n\tc\td\t-\n9n\te\tf\tx\n")
    kind = form("tsv", columns={**PAIR, "id": "pairID"}, drop_labels=["-"])
    assert [row.id for row in pairs(file, kind)] == ["7n", "9n"]
    # A dropped row keeps its number, so copies with and without such rows can be told apart.
    assert [row.id for row in pairs(file, form("tsv", columns=PAIR, drop_labels=["-"]))] == ["0", "2"]


def test_duplicate_id(file: Path) -> None:
    file.write_text("id\tpremise\thypothesis\tlabel\na\tp\th\tx\nb\tp\th\tx\na\tp\th\tx\n")
    message = refused(file, form("tsv", columns={**PAIR, "id": "id"}))
    assert message == f"{file}:4: id 'a' stands on line 2 already; remove one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": empty; fetch the file again"),
        (" \n\n", ": empty"),
        ("premise\thypothesis\tlabel\n", ": no row"),
        ("premise\thypothesis\tlabel\na\tb\n", ":2: expected 3 columns, found 2 (separated by tabs)"),
        ("premise\thypothesis\tlabel\na\tb\tc\td\n", ":2: expected 3 columns, found 4"),
        ("premise\thypothesis\tlabel\na\tb\tx\n\na\tb\tx\n", ":3: expected 3 columns, found 1"),
        ("premise\thypotesis\tlabel\na\tb\tx\n", ":1: no column 'hypothesis'; did you mean 'hypotesis'?"),
        ("a,b,c\nd,e,f\n", ":1: no column 'premise' (columns: a,b,c)"),
        ("premise\thypothesis\tlabel\na\tb\t\n", ":2: no gold label; every row needs one"),
        ("premise\tpremise\thypothesis\tlabel\na\tb\tc\tx\n", ":1: two columns are named 'premise'"),
        (
            "premise\thypothesis\tlabl\na\tb\tx\n",
            "no column 'label' among premise, hypothesis, labl; did you mean 'labl'?",
        ),
        ("\t".join("abcdefghijklmnop") + "\nx\n", "(columns: a, b, c, d, e, f, g, h, i, j, k, l and 4 more)"),
        ("p" * 99 + "\thypothesis\tlabel\nx\n", f"(columns: {'p' * 40}…, hypothesis, label)"),
    ],
)
def test_broken_tsv(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    message = refused(file, form("tsv", columns=PAIR))
    assert message.startswith(str(file))
    assert said in message


def test_not_utf8_names_line_and_byte(file: Path) -> None:
    file.write_bytes("premise\thypothesis\tlabel\nä\tb\tneutral\nab".encode() + b"\xe4\tb\tneutral\n")
    message = refused(file, form("tsv", columns=PAIR))
    assert message == f"{file}:3: not UTF-8: byte 0xe4, number 3 of the line; convert the file"
    file.write_bytes("premise".encode("utf-16"))
    assert f"{file}:1: not UTF-8: byte 0xff, number 1 of the line" in refused(file, form("tsv", columns=PAIR))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", ["none", "minimal"])
def test_blank_lines_at_the_end_are_no_rows(file: Path, end: str, quoting: str) -> None:
    file.write_text(end.join(["premise\thypothesis\tlabel", "a\tb\tx", "", "", ""]), newline="")
    kind = form("tsv", columns=PAIR, quoting=quoting)
    assert pairs(file, kind) == [RawRow(2, "0", "a", "b", "x")]
    file.write_text(end.join(["premise\thypothesis\tlabel", "", "a\tb\tx"]), newline="")
    assert ":2: expected 3 columns, found 1" in refused(file, kind)


def test_zero_bytes_are_no_text(file: Path) -> None:
    # Without its mark, UTF-16 of English is valid UTF-8.
    file.write_bytes("premise\thypothesis\tlabel\na\tb\tx\n".encode("utf-16-le"))
    assert f"{file}:1: no text: byte 0x00, number 2 of the line; convert it if it is UTF-16" in refused(
        file, form("tsv", columns=PAIR)
    )


def test_a_row_that_is_nobodys_is_refused(file: Path) -> None:
    file.write_text("language\tpremise\thypothesis\tlabel\nsw\ta\tb\tx\n\tc\td\tx\n")
    message = refused(file, form("tsv", columns=PAIR, where={"language": "{lang}"}))
    assert message == f"{file}:3: column 'language', which says whose row it is, is empty; fill it in"


def test_faults_can_be_noted_and_passed_over(file: Path) -> None:
    file.write_text("premise\thypothesis\tlabel\na\tb\tx\nc\nd\te\t\nf\tg\ty\n")
    told: list[UserError] = []
    rows = list(read(file, form("tsv", columns=PAIR), "sequence-classification", "sw", tell=told.append))
    assert [(row.line, row.label) for row in rows] == [(2, "x"), (5, "y")]
    assert [str(error).split(":")[1] for error in told] == ["3", "4"]


def test_missing_file(file: Path) -> None:
    assert "cannot be read: No such file" in refused(file, form("tsv", columns=PAIR))


# Splits without gold labels


def test_unlabelled_columns_are_refused_with_the_reason(file: Path) -> None:
    file.write_text("a\tb\nc\td\n")
    kind = form("tsv", header=False, columns=PLACES, unlabelled="XTREME withholds them: use XNLI-1.0.")
    assert refused(file, kind) == (
        f"{file}: no gold labels (2 columns, labels would be column 3). XTREME withholds them: use XNLI-1.0."
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (form("tsv", columns=PAIR), "premise\thypothesis\na\tb\n"),
        (form("jsonl", columns=PAIR), '{"premise": "a", "hypothesis": "b"}\n'),
    ],
)
def test_unlabelled_by_name(file: Path, kind: Form, text: str) -> None:
    file.write_text(text)
    message = refused(file, kind)
    assert "no gold labels (no " in message
    assert "'label' among premise, hypothesis" in message


# JSON Lines


def test_json_lines(file: Path) -> None:
    file.write_text('{"premise": "a", "hypothesis": "b", "label": 2, "more": null}\n')
    (row,) = pairs(file, form("jsonl", columns=PAIR, label_names=["x", "y", "z"]))
    assert row == RawRow(1, "0", "a", "b", "z")


def test_json_lines_of_tokens(file: Path) -> None:
    file.write_text('{"t": ["a", "b"], "n": [0, 1]}\n')
    kind = form("jsonl", columns={"tokens": "t", "tags": "n"}, label_names=["O", "B-PER"])
    assert sentences(file, kind) == [RawRow(1, "0", tokens=("a", "b"), tags=("O", "B-PER"))]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", ":2: not JSON:"),
        ("[1]", ":2: a list, not an object"),
        ("", ":2: not JSON:"),
        ("[" * 100_000, ":2: not JSON:"),
        ('{"hypothesis": "b", "label": "x"}', ":2: no key 'premise' (keys: hypothesis, label)"),
        ('{"premis": "a", "hypothesis": "b", "label": "x"}', "no key 'premise'; did you mean 'premis'?"),
        ('{"premise": null, "hypothesis": "b", "label": "x"}', ":2: column 'premise' is missing, not text"),
        ('{"premise": "a", "hypothesis": 3, "label": "x"}', ":2: column 'hypothesis' is a number, not text"),
        ('{"premise": "a", "hypothesis": "b", "label": null}', ":2: no gold label"),
        ('{"premise": "a", "hypothesis": "b", "label": true}', ":2: a label is true or false, not text"),
        ('{"premise": "a\\ud800", "hypothesis": "b", "label": "x"}', ":2: half of a surrogate pair"),
        ('{"premise": "a", "hypothesis": "b", "label": 1.0}', ":2: a label is the number 1.0, not text or a whole"),
        ('{"premise": "a", "hypothesis": "b", "label": ["x"]}', ":2: a label is a list, not text"),
        ('{"premise": "a", "hypothesis": "b", "label": NaN}', ":2: not JSON: NaN is no number in JSON"),
        ('{"premise": "a", "hypothesis": "b", "label": "x", "n": -Infinity}', ":2: not JSON: -Infinity is no"),
        ('{"premise": "a", "hypothesis": "b", "label": "x", "label": "y"}', "key 'label' stands twice in one object"),
        ('{"premise": "a", "hypothesis": "b", "label": "x", "n": ' + "1" * 5000 + "}", ":2: not JSON: a number with"),
    ],
)
def test_broken_json_lines(file: Path, line: str, said: str) -> None:
    good = '{"premise": "a", "hypothesis": "b", "label": "x"}'
    file.write_text(f"{good}\n{line}\n{good}\n")
    assert said in refused(file, form("jsonl", columns=PAIR))


def test_integer_without_a_name_stays_visible(file: Path) -> None:
    file.write_text('{"premise": "a", "hypothesis": "b", "label": -1}\n')
    (row,) = pairs(file, form("jsonl", columns=PAIR, label_names=["x"]))
    assert row.label == "-1"
    assert pairs(file, form("jsonl", columns=PAIR, label_names=["x"], drop_labels=["-1"])) == []


@pytest.mark.parametrize(
    ("tokens", "tags", "said"),
    [
        (["a"], ["O", "O"], "1 tokens but 2 tags"),
        ("ab", ["O", "O"], "column 'tokens' is text, not a list"),
        ([1], ["O"], "token 1 is a number, not text"),
        (["a"], [None], "no gold label"),
        (["a", ""], ["O", "O"], "token 2 is empty, not text"),
        ([], [], "no tokens; remove the row"),
    ],
)
def test_broken_token_lists(file: Path, tokens: Any, tags: Any, said: str) -> None:
    file.write_text(json.dumps({"tokens": tokens, "tags": tags}))
    kind = form("jsonl", columns={"tokens": "tokens", "tags": "tags"})
    assert said in refused(file, kind, "token-classification")


# Parquet


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    table = {"tokens": [["a", "b"], ["c"]], "ner_tags": [[0, 2], [1]], "langs": [["en", "en"], ["en"]]}
    parquet.write_table(pyarrow.table(table), path)
    kind = form("parquet", columns={"tokens": "tokens", "tags": "ner_tags"}, label_names=["O", "B-PER", "I-PER"])
    assert [row.tags for row in sentences(path, kind)] == [("O", "I-PER"), ("B-PER",)]
    other = form("parquet", columns={"tokens": "tokens", "tags": "tags"})
    assert refused(path, other, "token-classification").startswith(
        f"{path}: no gold labels (no column 'tags' among tokens, ner_tags, langs; did you mean 'ner_tags' or 'langs'?)"
    )
    path.write_bytes(path.read_bytes()[:-20])
    assert "not readable as Parquet" in refused(path, kind, "token-classification")
