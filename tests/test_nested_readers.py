"""Treebanks and questions: what is read, and one clear message for each fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from file_forms import form, refused

from xleval.errors import UserError
from xleval.tasks.raw import RawRow
from xleval.tasks.readers import read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


# CoNLL-U


def word(number: str, form: str = "w", tag: str = "X", head: str = "0", relation: str = "root") -> str:
    return "\t".join([number, form, "_", tag, "_", "_", head, relation, "_", "_"]) + "\n"


def parsed(file: Path) -> list[RawRow]:
    return list(read(file, form("conllu"), "dependency-parsing", "en"))


def test_words_of_a_treebank(file: Path) -> None:
    file.write_text(
        "# text = du a\n" + word("1-2", "du", "_", "_", "_") + word("1", "de", "ADP", "2", "case")
        + word("2", "le", "DET", "0", "root:x") + word("2.1", "e", "_", "_", "_") + word("2.2", "f", "_", "_", "_")
        + " \n# text = a\n" + word("1", "a b").rstrip("\n")
    )  # fmt: skip
    assert parsed(file) == [
        RawRow(3, "0", tokens=("de", "le"), heads=(2, 0), tags=("case", "root"), lines=(3, 4)),
        RawRow(9, "1", tokens=("a b",), heads=(0,), tags=("root",), lines=(9,)),
    ]
    tags = read(file, form("conllu"), "token-classification", "en")
    assert [row.tags for row in tags] == [("ADP", "DET"), ("X",)]


ONE, TWO = word("1"), word("2", head="1", relation="x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": empty"),
        ("# text = a\n", ": no sentence"),
        (ONE.replace("\t_\n", "\n"), ":1: 9 columns separated by tabs, CoNLL-U has 10; correct the line"),
        (ONE.replace("\t", "  "), ":1: 1 columns separated by tabs, CoNLL-U has 10, and spaces separate nothing"),
        (ONE + "\t" * 9 + "\n", ":2: id '' where 2 should stand"),
        (ONE + "\t\n" + TWO, ":2: 2 columns separated by tabs"),
        (TWO, ":1: id '2' where 1 should stand; ids count words from 1"),
        (ONE + ONE, ":2: id '1' where 2 should stand"),
        (ONE + word("\u0662"), ":2: id '\u0662' where 2 should stand"),
        (ONE + word("02"), ":2: id '02' where 2 should stand"),
        (ONE + word("2", head="0"), ":2: 2 roots in one sentence; a tree has one word with head 0"),
        (word("1", head="2") + TWO, ":1: 0 roots in one sentence"),
        (ONE + word("2", head="3") + word("3", head="2"), ":2: the word is its own ancestor; correct the heads"),
        (ONE + word("2", head="2"), ":2: head 2 in a sentence of 2 words; correct the tree"),
        (ONE + word("2", head="3"), ":2: head 3 in a sentence of 2 words"),
        (ONE + word("2", head="-1"), ":2: head '-1' is no number; write the head's id, 0 for the root"),
        (ONE + word("2", head="_"), ":2: no gold labels (no head for 'w')"),
        (ONE + word("2", head="1", relation="_"), ":2: no gold labels (no relation for 'w')"),
        (ONE + word("2", form=" "), ":2: empty word form"),
        (ONE + "# " + TWO, ":2: a comment inside a sentence"),
        (word("1-2", "w") + ONE + "\n", ":2: the sentence ends with word 1, a range in it with 2"),
        (word("1-3") + ONE + word("2-3") + TWO, ":3: range '2-3' before word 2"),
        (ONE + word("1-2") + TWO, ":2: range '1-2' before word 2; ranges begin at the next word"),
        (word("1-1") + ONE, ":1: range '1-1' before word 1"),
        (ONE + word("8.1"), ":2: empty node '8.1' where 1.1 should stand"),
        (ONE + word("1.2"), ":2: empty node '1.2' where 1.1 should stand"),
        (word("1", "_") + word("2", "_", head="1") + "\n" + word("1", "_"), ": every word is `_`: this treebank comes"),
        (word("0.1") + "\n", ":1: a sentence without words"),
    ],
)
def test_broken_treebank(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    message = refused(file, form("conllu"), "dependency-parsing")
    assert message.startswith(str(file)) and said in message


def test_a_long_cycle_is_found_at_once(file: Path) -> None:
    heads = [0, *range(3, 20_000), 2]
    file.write_text("".join(word(str(i), head=str(head)) for i, head in enumerate(heads, start=1)))
    assert "its own ancestor" in refused(file, form("conllu"), "dependency-parsing")


def test_sentences_with_faults_can_be_passed_over(file: Path) -> None:
    file.write_text(ONE + "\n" + TWO + "\n" + ONE + word("2", head="9") + "\n" + ONE + TWO)
    told: list[UserError] = []
    rows = read(file, form("conllu"), "dependency-parsing", "en", tell=told.append)
    assert [row.line for row in rows] == [1, 8]
    assert [str(error).split(":")[1] for error in told] == ["3", "6"]


# SQuAD


def squad(*answers: Any, context: Any = "\U0001f30d Nair\u00f3bi, Nair\u00f3bi", **more: Any) -> Any:
    item = {"id": "q", "question": "w?", "answers": [{"answer_start": s, "text": t} for s, t in answers], **more}
    return {"data": [{"paragraphs": [{"context": context, "qas": [item]}]}]}


def asked(file: Path) -> str:
    return refused(file, form("squad"), "question-answering")


def test_questions(file: Path) -> None:
    file.write_text(json.dumps(squad((2, "Nair\u00f3bi"), (11, "Nair\u00f3bi"))))
    (row,) = read(file, form("squad"), "question-answering", "en")
    spans = ((2, "Nair\u00f3bi"), (11, "Nair\u00f3bi"))
    assert row == RawRow(1, "0", "\U0001f30d Nair\u00f3bi, Nair\u00f3bi", "w?", answers=spans)


AT = "data[0].paragraphs[0].qas[0]"


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        ([], ":1: the file is a list, not an object; see the SQuAD format"),
        ({"Data": []}, ":1: the file: 'data' is missing"),
        ({"data": []}, ": no question; fetch the file again"),
        ({"data": [3]}, ":3: data[0] is a number, not an object"),
        ({"data": [{"paragraphs": [{"context": "a"}]}]}, ":5: data[0].paragraphs[0]: 'qas' is missing"),
        (squad((0, "a"), context=None), ":5: data[0].paragraphs[0]: 'context' is missing"),
        (squad((0, "a"), context="\udc00"), ":5: data[0].paragraphs[0]: 'context' has half of a surrogate pair"),
        (squad((0, "a"), question=3), f":8: {AT}: 'question' is a number"),
        (squad(answers=None), f":8: {AT} (id 'q'): no gold labels (no key 'answers')"),
        (squad(), f":8: {AT} (id 'q'): no gold labels (its answers are empty)"),
        (squad((0, "")), f":8: {AT} (id 'q'): no gold labels (its answers are empty)"),
        (squad(is_impossible=True), f":8: {AT} (id 'q'): has no answer by design (SQuAD 2.0)"),
        (squad((2, "N"), (0, "")), f":8: {AT} (id 'q'): an empty answer beside others; remove it"),
        (squad(answers={"text": "a"}), f":8: {AT} (id 'q'): 'answers' is an object"),
        (squad((2.0, "N")), f":12: {AT}.answers[0] (id 'q'): 'answer_start' is the number 2.0"),
        (squad((True, "N")), f":12: {AT}.answers[0] (id 'q'): 'answer_start' is true or false"),
        (squad(("2", "N")), f":12: {AT}.answers[0] (id 'q'): 'answer_start' is text"),
        (squad((2, None)), f":12: {AT}.answers[0] (id 'q'): 'text' is missing"),
        (squad((-1, "i")), "is not at character -1 of its context (there: '\U0001f30d'); it stands at 4; correct"),
        (squad((-1, "\U0001f30d")), "it stands at 0; correct answer_start"),
        (squad((9, "Nair\u00f3bi")), "it stands at 11; correct answer_start, counted in characters from 0"),
        (squad((99, "Nair\u00f3bi")), "(there: ''); it stands at 11"),
        (
            squad((3, "Nair\u00f3bi")),
            "it stands at 2: answer_start counts units of UTF-16, and should count characters",
        ),
        (squad((15, "Nair\u00f3bi")), "it stands at 11: answer_start counts bytes of UTF-8"),
        (squad((2, "Nairobi")), "its context does not have it at all; correct the text or remove the answer"),
    ],
)
def test_broken_questions(file: Path, whole: Any, said: str) -> None:
    file.write_text(json.dumps(whole, indent=1))
    message = asked(file)
    assert message.startswith(str(file)) and said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"data":\n[}', ":2:2: not JSON: Expecting value; fetch the file again"),
        ('{"data": [],\n"data": []}', ":2: not JSON: key 'data' stands twice in one object"),
        ('{"data": [NaN]}', ":1: not JSON: NaN is no number in JSON"),
        ("[" * 100_000, ":1: not JSON: nested too deeply"),
    ],
)
def test_questions_that_are_no_json(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    assert asked(file).startswith(f"{file}{said}")


def test_own_ids_of_questions(file: Path) -> None:
    whole = squad((2, "N"))
    whole["data"] *= 2
    file.write_text(json.dumps(whole))
    assert len(list(read(file, form("squad"), "question-answering", "en"))) == 2
    own = form("squad", columns={"id": "id"})
    assert refused(file, own, "question-answering") == (
        f"{file}: question 2: id 'q' stands in question 1 already; remove one"
    )
    file.write_text(json.dumps(squad((2, "N"), id=None)))
    assert f"{AT}: 'id' is missing" in refused(file, own, "question-answering")


def test_no_line_is_looked_for_without_a_fault(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # To look for that of every question takes half an hour with SQuAD.
    monkeypatch.setattr("xleval.tasks.squad_files.line_of", lambda text, path: 1 / 0)
    file.write_text(json.dumps(squad((2, "N"))))
    assert len(list(read(file, form("squad", columns={"id": "id"}), "question-answering", "en"))) == 1


# Copies with cut contexts, and files of several languages


def one(context: str, answers: list[tuple[int, str]], item: str = "english-1") -> dict[str, Any]:
    found = [{"answer_start": start, "text": text} for start, text in answers]
    return {"context": context, "qas": [{"id": item, "question": "?", "answers": found}]}


def test_answers_of_cut_contexts_are_found_nearby(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    cut = one("an art, an owl", [(11, "an")])  # three leading spaces were cut: it stood at 11, now at 8
    path.write_text(json.dumps({"data": [{"paragraphs": [cut]}]}))
    with pytest.raises(UserError, match="it stands at 8; correct answer_start"):
        list(read(path, form("squad"), "question-answering", "en"))
    (row,) = read(path, form("squad", offsets="nearest"), "question-answering", "en")
    assert row.answers == ((8, "an"),)
    path.write_text(json.dumps({"data": [{"paragraphs": [one("an art", [(0, "ox")])]}]}))
    with pytest.raises(UserError, match="does not have it at all"):
        list(read(path, form("squad", offsets="nearest"), "question-answering", "en"))


def test_questions_of_one_language_by_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    both = [one("a b", [(0, "a")]), one("c d", [(2, "d")], "swahili-1"), one("e", [(0, "e")], "english-2")]
    path.write_text(json.dumps({"data": [{"paragraphs": both}]}))
    kind = form("squad", columns={"id": "id"}, where={"id": "{folder}-*"})
    assert [row.id for row in read(path, kind, "question-answering", "english/en")] == ["english-1", "english-2"]
    assert [row.text_a for row in read(path, kind, "question-answering", "swahili/sw")] == ["c d"]
    with pytest.raises(UserError, match=r"no question with an id like 'finnish-\*', of 3"):
        list(read(path, kind, "question-answering", "finnish/fi"))
