"""CoNLL columns: tags, blank lines, prefixes, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from file_forms import form, refused, sentences
from hypothesis import given
from hypothesis import strategies as st

from xleval.tasks.conll import bio
from xleval.tasks.raw import RawRow

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


def test_two_columns(file: Path) -> None:
    file.write_text("\nNairobi B-LOC\nni O\n \t\n\nmji O\n")
    assert sentences(file, form("conll")) == [
        RawRow(2, "0", tokens=("Nairobi", "ni"), tags=("B-LOC", "O")),
        RawRow(6, "1", tokens=("mji",), tags=("O",)),
    ]


def test_conll_2003_is_converted(file: Path) -> None:
    file.write_text(
        "-DOCSTART- -X- O O\n\n"
        "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n\n"
        "-DOCSTART- -X- O O\n\n"
        "A NNP I-NP I-PER\nB NNP I-NP B-PER\nC NNP I-NP I-PER\nD NNP I-NP I-LOC\n"
    )
    first, second = sentences(file, form("conll", scheme="iob1"))
    assert first.tags == ("B-ORG", "O", "B-MISC")
    assert second.tags == ("B-PER", "B-PER", "I-PER", "B-LOC")
    assert [first.line, second.line] == [3, 9]
    assert first.tokens == ("EU", "rejects", "German")


def test_bio_is_left_alone(file: Path) -> None:
    # A tag that seqeval reads as an entity all the same is data, not for us to change.
    file.write_text("a I-PER\nb O\n")
    assert sentences(file, form("conll"))[0].tags == ("I-PER", "O")


@given(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])))
def test_iob1_conversion(tags: list[str]) -> None:
    found = bio(tags)
    assert bio(found) == found
    assert [tag[2:] for tag in found] == [tag[2:] for tag in tags]
    before = "O"
    for tag in found:
        assert not tag.startswith("I-") or before[2:] == tag[2:]
        before = tag


def test_wikiann_prefix_is_cut_where_every_token_has_it(file: Path) -> None:
    kind = form("conll", separator="tab", token_prefix="{lang}:")
    file.write_text("en:Sioux\tB-ORG\nen::\tO\n\nen:R.H. S.\tB-PER\n")
    assert [row.tokens for row in sentences(file, kind)] == [("Sioux", ":"), ("R.H. S.",)]
    file.write_text("en:Sioux\tB-ORG\nFalls\tI-ORG\n")
    assert sentences(file, kind)[0].tokens == ("en:Sioux", "Falls")


def test_spaces_of_unicode_are_part_of_tokens(file: Path) -> None:
    file.write_text("100\u00a0000 O\nx\u3000y O\n")
    assert sentences(file, form("conll"))[0].tokens == ("100\u00a0000", "x\u3000y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a O\nb\nc O\n", ":2: expected 2 columns, found 1"),
        ("a O\nb X O\n", ":2: expected 2 columns, found 3"),
        ("a NN NP O\n\nb NN O\n", ":3: expected 4 columns, found 3"),
        ("-DOCSTART- -X- O O\n\n", ": no sentence"),
        ("", ": empty"),
    ],
)
def test_broken_conll(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    assert refused(file, form("conll"), "token-classification").startswith(f"{file}{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a\tO\n\tO\n", ":2: empty token"), ("a\tO\nb\t\n", ":2: empty tag"), ("a\n", "no gold labels")],
)
def test_broken_tabbed_conll(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    assert said in refused(file, form("conll", separator="tab"), "token-classification")


def test_unlabelled_tokens(file: Path) -> None:
    file.write_text("Nairobi\nni\n\nmji\n")
    message = refused(file, form("conll", separator="tab", unlabelled="Ask."), "token-classification")
    assert message == f"{file}:1: no gold labels (one column, the tokens). Ask."
