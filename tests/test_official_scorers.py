"""The same scores as scorers that others wrote: fixtures/official/README.md says which, and how they were run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from xleval.scoring import Scored, score
from xleval.tasks.rows import QuestionRow, TokenRow, TreeRow

FOLDER = Path(__file__).parent / "fixtures" / "official"
EXACT = 1e-9


def _cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("official_cases", FOLDER / "cases.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = _cases()


def printed(name: str) -> dict[str, Any]:
    """What the official scorer printed for the cases, after a check that they are still the same cases."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    makers = {"answers": CASES.questions}
    assert CASES.digest(makers.get(name, getattr(CASES, name, None))()) == content["cases_sha256"]
    return content


def scored(family: str, metric: str, labels: tuple[str, ...], rows: list[Any], predicted: list[Any]) -> Scored:
    task = SimpleNamespace(name="official", family=family, metric=metric, labels=labels)
    return score(task, rows, zip([row.id for row in rows], predicted, strict=True), "eng")


def column(found: Scored, stat: str) -> list[int]:
    return [int(count) for count in found.counts[:, found.stats.index(stat)]]


def numbers(tags: list[str], labels: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(map(labels.index, tags))


# -- dependency parsing: conll18_ud_eval.py ---------------------------------------------------------------------


def parses(keep: list[bool] | None = None) -> Scored:
    cases = [case for case, kept in zip(CASES.parses(), keep or [True] * 10_000, strict=False) if kept]
    rows = [
        TreeRow(
            case.id,
            tuple(f"w{place}" for place, _ in enumerate(case.gold["heads"])),
            tuple(case.gold["heads"]),
            numbers(case.gold["relations"], CASES.RELATIONS),
        )
        for case in cases
    ]
    return scored("dependency-parsing", "las", CASES.RELATIONS, rows, [case.predicted for case in cases])


def test_heads_and_relations_of_every_sentence_are_conll_2018s() -> None:
    items, found = printed("parses")["items"], parses()
    ours = zip(column(found, "correct_heads"), column(found, "correct_arcs"), strict=True)
    accepted = [(list(our), item) for our, item in zip(ours, items, strict=True) if isinstance(item, list)]
    assert len(accepted) > 1000
    assert [our for our, _ in accepted] == [item for _, item in accepted]


def test_las_and_uas_of_all_that_conll_2018_accepts() -> None:
    content = printed("parses")
    found = parses([isinstance(item, list) for item in content["items"]])
    for name, line in zip(("uas", "las"), content["printed"], strict=True):
        value = found.metrics[name]["value"]
        assert value == pytest.approx(content["accepted"][name], abs=EXACT)
        assert [f"{100 * value:.2f}"] * 3 == [field.strip() for field in line.split("|")[1:4]]


def test_what_conll_2018_refuses_is_no_tree_and_nothing_else_is() -> None:
    items, found = printed("parses")["items"], parses()
    refused = [item for item in items if isinstance(item, str)]
    assert sum("cycle" in message for message in refused) > 500
    assert sum("roots" in message for message in refused) > 100
    assert column(found, "trees") == [int(isinstance(item, list)) for item in items]
    # A sentence that is refused there is counted here like any other.
    assert sum(column(found, "correct_heads")) > sum(item[0] for item in items if isinstance(item, list))


# -- question answering: evaluate-v1.1.py -----------------------------------------------------------------------


def test_every_answer_scores_as_by_squad() -> None:
    content, cases = printed("answers"), CASES.questions()
    rows = [QuestionRow(case.id, case.gold["context"], "?", tuple(map(tuple, case.gold["answers"]))) for case in cases]
    found = scored("question-answering", "f1", (), rows, [case.predicted for case in cases])
    official = content["items"]
    assert [100 * count for count in column(found, "em")] == [match for match, _ in official]
    assert column(found, "f1_e12") == pytest.approx([f1 * 1e10 for _, f1 in official], abs=1)
    assert len({f1 for _, f1 in official}) > 40
    whole = json.loads(content["printed"][-1])
    assert found.metrics["f1"]["value"] == pytest.approx(whole["f1"] / 100, abs=EXACT)
    assert found.metrics["em"]["value"] == pytest.approx(whole["exact_match"] / 100, abs=EXACT)


# -- entities: conlleval.pl and seqeval -------------------------------------------------------------------------


def test_entities_of_every_sentence_are_conllevals() -> None:
    content, cases = printed("entities"), CASES.entities()
    labels = CASES.ENTITY_TAGS
    rows = [TokenRow(case.id, tuple(case.gold), numbers(case.gold, labels)) for case in cases]
    found = scored("token-classification", "f1", labels, rows, [case.predicted for case in cases])
    assert found.counts.tolist() == content["items"]
    correct, predicted, gold = found.counts.sum(axis=0)
    assert f"with {gold} phrases; found: {predicted} phrases; correct: {correct}." in content["printed"][0]
    value = found.metrics["f1"]["value"]
    assert content["printed"][1].endswith(f"FB1: {100 * value:6.2f}")
    assert value == pytest.approx(content["seqeval"]["f1"], abs=EXACT)


def test_parts_of_speech_are_seqevals() -> None:
    content = printed("parts_of_speech")
    found, official = _parts_of_speech(CASES.parts_of_speech()), content["seqeval"]
    assert found.metrics["accuracy"]["value"] == pytest.approx(official["accuracy"], abs=EXACT)
    # Given a whole corpus, seqeval gives a first tag X the start of a chunk of some sentence before.
    assert found.metrics["run_chunk_f1"]["value"] != pytest.approx(official["f1"], abs=EXACT)
    assert found.metrics["run_chunk_f1"]["value"] == pytest.approx(official["f1"], abs=0.005)
    others, official = CASES.without_first_x(CASES.parts_of_speech()), content["seqeval_without_first_x"]
    assert len(others) > 1000
    assert _parts_of_speech(others).metrics["run_chunk_f1"]["value"] == pytest.approx(official["f1"], abs=EXACT)


def _parts_of_speech(cases: list[Any]) -> Scored:
    rows = [TokenRow(case.id, tuple(case.gold), numbers(case.gold, CASES.UPOS)) for case in cases]
    return scored("token-classification", "accuracy", CASES.UPOS, rows, [case.predicted for case in cases])


@pytest.mark.parametrize("name", ["entities", "parts_of_speech"])
def test_f1_of_every_sentence_is_seqevals(name: str) -> None:
    cases = getattr(CASES, name)()
    metric, labels = ("f1", CASES.ENTITY_TAGS) if name == "entities" else ("accuracy", CASES.UPOS)
    rows = [TokenRow(case.id, tuple(case.gold), numbers(case.gold, labels)) for case in cases]
    found = scored("token-classification", metric, labels, rows, [case.predicted for case in cases])
    right, predicted, gold = found.counts[:, -3:].T
    ours = [2 * a / (b + c) if b + c else 0.0 for a, b, c in zip(right, predicted, gold, strict=True)]
    assert ours == pytest.approx(printed(name)["seqeval"]["items"], abs=EXACT)
