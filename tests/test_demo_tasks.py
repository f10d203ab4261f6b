"""The demo's tasks beside entailment and entities: balanced, parallel, whole, and not to be solved by their surface."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from typing import Any

import pytest

from xleval.resources import resource
from xleval.tasks.sources import DataOptions, locate
from xleval.tasks.spec import TaskSpec, load_spec
from xleval_demo import concepts
from xleval_demo.data import DATASETS, DemoData
from xleval_demo.languages import LANGUAGES, SOURCE
from xleval_demo.paraphrase import changed, paraphrase_items
from xleval_demo.questions import answers, question_items
from xleval_demo.treebank import RELATIONS, TAGS

CODES = [language.code for language in LANGUAGES]
NEW = ("demo-paraphrase", "demo-copa", "demo-pos", "demo-parse", "demo-qa")
TREES = ("demo-pos", "demo-parse")


@cache
def rows(dataset: str, split: str, language: str) -> list[dict[str, Any]]:
    return DemoData().rows(dataset, split, language)


def spec_of(name: str) -> TaskSpec:
    spec = load_spec(resource("task_specs") / f"{name}.yaml")
    assert isinstance(spec, TaskSpec)
    return spec


def test_the_full_suite_has_every_task_and_shares_the_language_adapters() -> None:
    from xleval.experiment import load_suite

    full, demo = (load_suite(resource("task_specs") / "suites" / f"{name}.yaml") for name in ("demo-full", "demo"))
    assert set(full.tasks) == set(DATASETS) == {*NEW, "demo-nli", "demo-ner"}
    assert full.hyperparameters == demo.hyperparameters


@pytest.mark.parametrize("name", NEW)
def test_rows_are_read_as_those_of_any_task(name: str) -> None:
    task, provider = spec_of(name), DemoData()
    for code in (*task.languages, SOURCE):
        located = locate(task, code, "test", DataOptions(), {"demo": provider})
        found = located.rows(task.labels, task.label_map)
        assert [row.id for row in found] == [f"test-{i:04d}" for i in range(360)]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("code", CODES)
def test_test_sets_are_parallel(name: str, code: str) -> None:
    source, other = rows(name, "test", SOURCE), rows(name, "test", code)
    for mine, theirs in zip(source, other, strict=True):
        assert mine["id"] == theirs["id"]
        for key in ("label", "question") if name == "demo-copa" else ("label",):
            assert mine.get(key) == theirs.get(key)
        if name in TREES:
            for key in {"tags", "relations"} & mine.keys():
                assert Counter(mine[key]) == Counter(theirs[key]) or code in (
                    "qae",
                    "qag",
                    "qai",
                )  # NEGATION is an affix


@pytest.mark.parametrize("name", NEW)
def test_no_item_is_in_two_splits(name: str) -> None:
    def key(row: dict[str, Any]) -> str:
        return " ".join(row["tokens"]) if "tokens" in row else row.get("context") or row["premise"]

    train, dev, test = ({key(row) for row in rows(name, split, SOURCE)} for split in ("train", "dev", "test"))
    assert not train & dev and not train & test and not dev & test


# Pairs


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_labels_are_balanced(split: str) -> None:
    assert abs(Counter(r["label"] for r in rows("demo-paraphrase", split, SOURCE)).most_common()[0][1]
               - len(rows("demo-paraphrase", split, SOURCE)) / 2) <= 1  # fmt: skip
    cells = Counter((row["label"], row["question"]) for row in rows("demo-copa", split, SOURCE))
    assert len(cells) == 4
    assert max(cells.values()) - min(cells.values()) <= 1


def naive_bayes(train: list[tuple[list[str], Any]], test: list[tuple[list[str], Any]]) -> float:
    """Accuracy of a naive Bayes classifier over features: what the surface alone tells."""
    counts: dict[Any, Counter[str]] = {}
    for features, label in train:
        counts.setdefault(label, Counter()).update(features)
    known = {feature for counter in counts.values() for feature in counter}
    sizes = {label: sum(counter.values()) + len(known) for label, counter in counts.items()}
    right = 0
    for features, label in test:
        scores = {
            guess: sum(
                math.log((counts[guess][feature] + 1) / sizes[guess]) for feature in features if feature in known
            )
            for guess in counts
        }
        right += max(scores, key=scores.__getitem__) == label
    return right / len(test)


def test_bags_of_words_do_not_tell_paraphrases() -> None:
    def features(row: dict[str, Any], sides: tuple[str, ...]) -> list[str]:
        return [f"{side}:{word}" for side in sides for word in row[side].split()]

    for sides in (("hypothesis",), ("premise", "hypothesis")):
        parts = [
            [(features(r, sides), r["label"]) for r in rows("demo-paraphrase", s, SOURCE)] for s in ("train", "test")
        ]
        assert naive_bayes(*parts) < 0.6
    # Nor does the number of words that differ.
    same, other = (
        Counter(changed(p, h) for p, h, label in paraphrase_items("train") if label == wanted)
        for wanted in ("paraphrase", "different")
    )
    shared = sum(min(same[k], other[k]) for k in same)
    assert shared / 1200 > 0.8


def test_choices_alone_do_not_tell_causes() -> None:
    train, test = (
        [
            (choice.split(), int(i == row["label"]))
            for row in rows("demo-copa", split, SOURCE)
            for i, choice in enumerate(row["choices"])
        ]
        for split in ("train", "test")
    )
    assert naive_bayes(train, test) < 0.56


# Trees


@pytest.mark.parametrize("code", CODES)
def test_trees_are_whole(code: str) -> None:
    for row in rows("demo-parse", "test", code):
        size = len(row["tokens"])
        assert len(row["heads"]) == len(row["relations"]) == size
        assert row["heads"].count(0) == 1
        assert [r for r, h in zip(row["relations"], row["heads"], strict=True) if h == 0] == ["root"]
        for i in range(1, size + 1):
            steps, at = 0, i
            while at:
                at, steps = row["heads"][at - 1], steps + 1
                assert steps <= size
    assert {r for row in rows("demo-parse", "test", code) for r in row["relations"]} <= set(RELATIONS)


def test_labels_of_the_specs_are_what_the_grammar_makes() -> None:
    assert set(spec_of("demo-parse").labels) == set(RELATIONS)
    assert set(spec_of("demo-pos").labels) == set(TAGS)
    made = {tag for row in rows("demo-pos", "train", SOURCE) for tag in row["tags"]}
    assert made == set(TAGS)


def test_trees_differ_in_shape() -> None:
    shapes = Counter(tuple(row["heads"]) for row in rows("demo-parse", "train", SOURCE))
    assert len(shapes) > 200
    assert shapes.most_common(1)[0][1] < 240
    # Hanging every word on the one before, or on the verb, is not enough.
    arcs = [(h, i) for row in rows("demo-parse", "test", SOURCE) for i, h in enumerate(row["heads"])]
    assert sum(h == i for h, i in arcs) / len(arcs) < 0.5


# Questions


@pytest.mark.parametrize("code", CODES)
def test_answers_stand_where_they_are_said_to(code: str) -> None:
    for row in rows("demo-qa", "test", code):
        (answer,) = row["answers"]
        assert answer["text"] and row["context"][answer["start"] :].startswith(answer["text"])
        words = row["context"].split()
        assert set(answer["text"].split()) <= set(words)


def test_one_sentence_answers_each_question() -> None:
    for item in question_items("train"):
        assert [answers(clause, item.question) for clause in item.context].count(True) == 1
        assert answers(item.context[item.answer], item.question)


def test_sentences_and_parts_are_asked_about_alike() -> None:
    items = question_items("train")
    assert len(set(Counter(item.slot for item in items).values())) == 1
    for size in (2, 3):
        asked = Counter(item.answer for item in items if len(item.context) == size)
        assert len(asked) == size
        assert max(asked.values()) - min(asked.values()) <= len(items) / 50


def test_no_position_is_the_answer() -> None:
    found = rows("demo-qa", "test", SOURCE)
    for place in range(6):
        guessed = [
            row["context"].split()[place : place + 2] for row in found if len(row["context"].split()) > place + 1
        ]
        exact = sum(" ".join(g) == row["answers"][0]["text"] for g, row in zip(guessed, found, strict=False))
        assert exact / len(found) < 0.2


def test_contexts_fit_the_encoder() -> None:
    assert max(len(row["context"].split()) for row in rows("demo-qa", "test", SOURCE)) < 40
    assert concepts.QUESTION_WORDS == ("who", "what", "where")
