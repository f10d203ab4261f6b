"""Scorers and metrics: what gold and constant predictions score, that counts add up, and that intervals behave."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from xleval.errors import UserError
from xleval.scoring import Scored, primary_score, score, scorer_of
from xleval.scoring.answers import segmented
from xleval.scoring.metrics import ACCURACY, ENTITY_F1, METRICS, PARTS, Metric
from xleval.scoring.trees import is_tree
from xleval.stats.influence import influence, interval, standard_error
from xleval.tasks.rows import ChoiceRow, QuestionRow, SequenceRow, TokenRow, TreeRow

LABELS = ("yes", "no", "maybe")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
UPOS = ("NOUN", "VERB", "CCONJ", "SCONJ")
RELATIONS = ("root", "nsubj", "nsubj:pass", "obj", "dep")
#: Family → its metrics, and the labels of the task below.
TASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sequence-classification": (("accuracy",), LABELS),
    "multiple-choice": (("accuracy",), LABELS),
    "token-classification": (("f1", "accuracy"), TAGS),
    "dependency-parsing": (("las", "uas"), RELATIONS),
    "question-answering": (("f1", "em"), ()),
}
SCORERS = [(family, metric) for family, (metrics, _) in TASKS.items() for metric in metrics]
METRIC_LIST = [metric for metrics in METRICS.values() for metric in metrics]


def task_of(family: str, metric: str, **more: Any) -> Any:
    labels = UPOS if (family, metric) == ("token-classification", "accuracy") else TASKS[family][1]
    return SimpleNamespace(**{"name": "toy", "family": family, "metric": metric, "labels": labels, **more})


def scored(task: Any, rows: list[Any], predictions: list[Any], language: str = "eng") -> Scored:
    return score(task, rows, zip([row.id for row in rows], predictions, strict=True), language)


def values(found: Scored) -> dict[str, float]:
    return {name: metric["value"] for name, metric in found.metrics.items()}


def _tree(draws: list[int]) -> tuple[int, ...]:
    """The first word is the root, every other one is under one before it."""
    return (0, *(1 + draw % place for place, draw in enumerate(draws, start=1)))


@st.composite
def items(draw: st.DrawFn, family: str, labels: tuple[str, ...]) -> list[tuple[Any, Any]]:
    """Rows, each with its gold in the form of a prediction; one row's gold may be predicted for another.

    Every sentence has an entity, every answer a word.
    """
    found: list[tuple[Any, Any]] = []
    words = draw(st.integers(2, 7))
    label = st.integers(0, len(labels) - 1) if labels else st.just(0)
    for number in range(draw(st.integers(1, 6))):
        name = f"i{number}"
        tokens = tuple(f"w{place}" for place in range(words))
        row: Any
        gold: Any
        if family == "sequence-classification":
            row = SequenceRow(name, "text", None, draw(label))
            gold = labels[row.label]
        elif family == "multiple-choice":
            row = ChoiceRow(name, "context", "question", ("a", "b", "c"), draw(label))
            gold = row.label
        elif family == "token-classification":
            row = TokenRow(name, tokens, (1, *draw(st.lists(label, min_size=words - 1, max_size=words - 1))))
            gold = [labels[tag] for tag in row.tags]
        elif family == "dependency-parsing":
            heads = _tree(draw(st.lists(st.integers(0, 99), min_size=words - 1, max_size=words - 1)))
            row = TreeRow(name, tokens, heads, tuple(draw(st.lists(label, min_size=words, max_size=words))))
            gold = {"heads": list(heads), "relations": [labels[relation] for relation in row.relations]}
        else:
            first = draw(st.integers(0, words - 1))
            start, end = 3 * first, 3 * draw(st.integers(first + 1, words)) - 1
            context = " ".join(tokens)
            row = QuestionRow(name, context, "question", ((0, "elsewhere"), (start, context[start:end])))
            gold = [start, end]
        found.append((row, gold))
    return found


# -- every scorer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "metric"), SCORERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_gold_scores_one(family: str, metric: str, data: st.DataObject) -> None:
    task = task_of(family, metric)
    rows, gold = map(list, zip(*data.draw(items(family, task.labels)), strict=True))
    found = scored(task, rows, gold)
    assert set(values(found).values()) == {1.0}
    assert next(iter(found.metrics)) == metric
    assert primary_score(task, rows, gold, "eng") == 1.0


@pytest.mark.parametrize(("family", "metric"), SCORERS)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_counts_of_a_split_are_those_of_its_parts(family: str, metric: str, data: st.DataObject) -> None:
    task = task_of(family, metric)
    pairs = data.draw(items(family, task.labels))
    rows = [row for row, _ in pairs]
    other = [gold for _, gold in reversed(pairs)]
    cut = data.draw(st.integers(0, len(pairs)))
    whole, parts = scored(task, rows, other), [scored(task, rows[s], other[s]) for s in (slice(cut), slice(cut, None))]
    assert whole.counts.tolist() == [row for part in parts for row in part.counts.tolist()]
    assert whole.ids == [row.id for row in rows]
    for one in scorer_of(family, metric).metrics:
        sums = [part.counts.sum(axis=0) for part in parts]
        assert float(one.finalize(sums[0] + sums[1])) == values(whole)[one.name]
    assert primary_score(task, rows, other, "eng") == values(whole)[metric]


@pytest.mark.parametrize(("family", "metric"), SCORERS)
def test_no_items_score_zero(family: str, metric: str) -> None:
    task = task_of(family, metric)
    found = scored(task, [], [])
    assert found.counts.shape == (0, len(found.stats)) and found.counts.dtype == np.int64
    assert set(values(found).values()) == {0.0}


def test_a_family_without_the_metric_says_which_it_has() -> None:
    with pytest.raises(UserError, match=r"question-answering has no metric 'accuracy' \(it has f1, em\)"):
        scorer_of("question-answering", "accuracy")
    with pytest.raises(UserError, match="did you mean 'las'"):
        scorer_of("dependency-parsing", "lass")


# -- constant predictions: arithmetic ---------------------------------------------------------------------------


def test_one_label_for_all_scores_its_share() -> None:
    rows = [SequenceRow(str(i), "x", None, i % 3) for i in range(10)]
    found = scored(task_of("sequence-classification", "accuracy"), rows, ["yes"] * 10)
    assert values(found) == {"accuracy": 0.4}
    assert found.counts.tolist() == [[int(i % 3 == 0), 1] for i in range(10)]
    choices = [ChoiceRow(str(i), "x", "cause", ("a", "b"), i % 2) for i in range(5)]
    assert values(scored(task_of("multiple-choice", "accuracy"), choices, [1] * 5)) == {"accuracy": 0.4}


def test_one_tag_for_all_words() -> None:
    rows = [TokenRow("0", ("a", "b", "c"), (1, 2, 0)), TokenRow("1", ("d", "e"), (0, 3))]
    task = task_of("token-classification", "f1")
    assert scored(task, rows, [["O"] * 3, ["O"] * 2]).counts.tolist() == [[0, 0, 1], [0, 0, 1]]
    found = scored(task, rows, [["B-LOC"] * 3, ["B-LOC"] * 2])  # 5 found, 1 of 2 right
    assert values(found) == {"f1": pytest.approx(2 / 7)}
    words = [TokenRow("0", ("a", "b", "c"), (0, 0, 1)), TokenRow("1", ("d",), (1,))]
    found = scored(task_of("token-classification", "accuracy"), words, [["NOUN"] * 3, ["NOUN"]])
    # Runs in gold: two and one; as predicted: one and one; none is the same.
    assert found.counts.tolist() == [[2, 3, 0, 1, 2], [0, 1, 0, 1, 1]]
    assert values(found) == {"accuracy": 0.5, "run_chunk_f1": 0.0}


def test_run_chunks_take_one_conjunction_for_the_other() -> None:
    rows = [TokenRow("0", ("a", "b"), (2, 1))]
    found = scored(task_of("token-classification", "accuracy"), rows, [["SCONJ", "VERB"]])
    assert values(found) == {"accuracy": 0.5, "run_chunk_f1": 1.0}


def test_every_word_under_the_one_before() -> None:
    # "the old dog barks": two words are under their neighbour, one of them with another subtype.
    row = TreeRow("0", ("the", "old", "dog", "barks"), (3, 3, 4, 0), (4, 4, 2, 0))
    chain = {"heads": [0, 1, 2, 3], "relations": ["root", "dep", "dep", "dep"]}
    other = {"heads": [3, 3, 4, 0], "relations": ["dep", "obj", "nsubj", "root"]}
    task = task_of("dependency-parsing", "las")
    assert scored(task, [row], [chain]).counts.tolist() == [[0, 0, 4, 0, 0, 3, 1, 1]]
    found = scored(task, [row, row._replace(id="1")], [other, chain])
    assert found.stats[:3] == ("correct_heads", "correct_arcs", "words")
    assert values(found) == {"las": 3 / 8, "uas": 1 / 2, "las_legacy": 1 / 3, "uas_legacy": 1 / 2, "trees": 1.0}
    assert list(scored(task_of("dependency-parsing", "uas"), [row], [chain]).metrics)[:2] == ["uas", "las"]


@given(st.lists(st.integers(0, 7), min_size=1, max_size=7).map(lambda heads: [min(h, len(heads)) for h in heads]))
@settings(max_examples=500, deadline=None)
def test_a_tree_is_one_root_that_every_word_reaches(heads: list[int]) -> None:
    def reaches(word: int) -> bool:
        for _ in heads:
            word = heads[word - 1] if word else 0
        return word == 0

    assert is_tree(heads) == (heads.count(0) == 1 and all(map(reaches, range(1, len(heads) + 1))))


def test_the_whole_context_as_answer() -> None:
    context = "the red fox, the blue fish and one green frog"  # 8 words without articles
    row = QuestionRow("0", context, "which?", ((0, "owl"), (4, "red fox"), (13, "The Blue Fish and")))
    task = task_of("question-answering", "f1")
    found = scored(task, [row], [[0, len(context)]])
    assert values(found) == {"f1": pytest.approx(6 / 11), "em": 0.0, "f1_segmented": pytest.approx(6 / 11)}
    assert found.counts.tolist() == [[round(6 / 11 * PARTS), round(6 / 11 * PARTS), 0, 1]]
    assert values(scored(task, [row], [[0, 11]])) == {"f1": 1.0, "em": 1.0, "f1_segmented": 1.0}  # "the red fox"
    assert values(scored(task, [row], [[3, 3]])) == {"f1": 0.0, "em": 0.0, "f1_segmented": 0.0}
    # SQuAD v1.1: an answer of which nothing is left matches another one, and has no word in common with it.
    article = row._replace(answers=((0, "the"),))
    assert values(scored(task, [article], [[3, 3]])) == {"f1": 0.0, "em": 1.0, "f1_segmented": 0.0}


# -- answers in languages without spaces ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "context", "gold", "share"),
    [
        ("zho", "他生于中国北京。", "中国北京", (0.5, 1.0)),
        ("jpn", "彼は東京で生まれた。", "東京", (0.2, 0.9)),
        ("tha", "เขาเกิดที่กรุงเทพ", "กรุงเทพ", (0.2, 0.9)),
    ],
)
def test_segmented_f1_sees_words_where_spaces_do_not(
    language: str, context: str, gold: str, share: tuple[float, float]
) -> None:
    row = QuestionRow("0", context, "where?", ((context.index(gold), gold),))
    task = task_of("question-answering", "f1")
    found = values(scored(task, [row], [[0, len(context)]], language))
    assert found["f1"] == 0.0 and share[0] <= found["f1_segmented"] <= share[1]
    assert values(scored(task, [row], [[0, len(context)]], "eng"))["f1_segmented"] == 0.0


def test_marks_are_no_words_and_characters_beyond_the_first_plane_are_whole() -> None:
    assert segmented("北京。", "zh") == segmented("《北京》 ", "zh") == ["北京"]
    assert "".join(segmented("𠀀𠀁中国 20世纪", "zh")) == "𠀀𠀁中国20世纪"
    row = QuestionRow("0", "𝒜 北京。", "?", ((2, "北京"),))
    found = values(scored(task_of("question-answering", "f1"), [row], [[2, 5]], "zho"))
    assert found == {"f1": 0.0, "em": 0.0, "f1_segmented": 1.0}


# -- streams, and predictions that are none ---------------------------------------------------------------------


def test_rows_and_predictions_are_read_side_by_side() -> None:
    taken = {"rows": 0, "predictions": 0}

    def counted(name: str, entries: list[Any]) -> Iterator[Any]:
        for entry in entries:
            taken[name] += 1
            assert abs(taken["rows"] - taken["predictions"]) <= 1
            yield entry

    rows = [SequenceRow(str(i), "x", None, 0) for i in range(50)]
    predictions = [(str(i), "yes") for i in range(50)]
    task = task_of("sequence-classification", "accuracy")
    found = score(task, counted("rows", rows), counted("predictions", predictions), "eng")
    assert found.ids == [row.id for row in rows] and found.counts.sum() == 100


@pytest.mark.parametrize(
    ("ids", "where"),
    [
        (["1", "0"], "item 1: '1' in the predictions, '0' in the data"),
        (["0"], "item 2: none in the predictions, '1' in the data"),
        (["0", "1", "2"], "item 3: '2' in the predictions, none in the data"),
    ],
)
def test_predictions_of_other_items_are_refused(ids: list[str], where: str) -> None:
    rows = [SequenceRow(name, "x", None, 0) for name in ("0", "1")]
    with pytest.raises(UserError, match="task toy: stored predictions are for other items") as caught:
        score(task_of("sequence-classification", "accuracy"), rows, ((i, "yes") for i in ids), "eng")
    assert where in str(caught.value)


LABELLED = SequenceRow("i7", "x", None, 0)
CHOICE = ChoiceRow("i7", "x", "?", ("a", "b"), 0)
SENTENCE = TokenRow("i7", ("a", "b"), (0, 0))
PARSE = TreeRow("i7", ("a", "b"), (0, 1), (0, 1))
QUESTION = QuestionRow("i7", "three", "?", ((0, "three"),))


@pytest.mark.parametrize(
    ("family", "metric", "row", "predicted", "why"),
    [
        ("sequence-classification", "accuracy", LABELLED, "perhaps", "label 'perhaps' is none"),
        ("sequence-classification", "accuracy", LABELLED, ["yes"], "none of yes, no, maybe"),
        ("multiple-choice", "accuracy", CHOICE, 2, "not a position from 0 to 1"),
        ("multiple-choice", "accuracy", CHOICE, True, "choice True is not"),
        ("token-classification", "f1", SENTENCE, ["O"], "1 tags predicted for 2 words"),
        ("token-classification", "f1", SENTENCE, "OO", "no tags predicted for 2 words"),
        ("token-classification", "f1", SENTENCE, ["O", "B-X"], "tag 'B-X', predicted for word 2, is none of O, B-PER"),
        ("token-classification", "accuracy", SENTENCE, ["NOUN", None], "tag None, predicted for word 2"),
        ("dependency-parsing", "las", PARSE, [0, 1], "a predicted parse is"),
        ("dependency-parsing", "las", PARSE, {"heads": [0], "relations": ["root"]}, "1 heads predicted for 2 words"),
        ("dependency-parsing", "las", PARSE, {"heads": [0, 3], "relations": ["root", "obj"]}, "head 3, predicted"),
        ("dependency-parsing", "las", PARSE, {"heads": [0, -1], "relations": ["root", "obj"]}, "not from 0 to 2"),
        ("dependency-parsing", "las", PARSE, {"heads": [0, 1], "relations": ["root"]}, "1 relations predicted"),
        ("dependency-parsing", "las", PARSE, {"heads": [0, 1], "relations": ["root", "x"]}, "relation 'x'"),
        ("question-answering", "f1", QUESTION, [0, 6], "within the context's 5 characters"),
        ("question-answering", "f1", QUESTION, [3, 2], r"no \[start, end\]"),
        ("question-answering", "f1", QUESTION, [-1, 2], r"\[-1, 2\]"),
        ("question-answering", "f1", QUESTION, "three", "'three' is no"),
        ("question-answering", "f1", QUESTION._replace(answers=()), [0, 1], "no gold answer"),
    ],
)
def test_what_cannot_be_a_prediction_is_refused(family: str, metric: str, row: Any, predicted: Any, why: str) -> None:
    with pytest.raises(UserError, match=f"^task toy, item 'i7': .*{why}"):
        scored(task_of(family, metric), [row], [predicted])
    with pytest.raises(UserError, match=r"^task toy, item 'i7': "):
        primary_score(task_of(family, metric), [row], [predicted], "eng")


# -- metrics ----------------------------------------------------------------------------------------------------


def test_metrics_are_listed_by_name() -> None:
    listed = {(metric.name, family) for metric in METRIC_LIST for family in metric.families}
    used = {(metric.name, family) for family, name in SCORERS for metric in scorer_of(family, name).metrics}
    assert listed == used
    for metric in METRIC_LIST:
        assert set(metric.counts) == {*metric.above, *metric.below} and metric.unit == "proportion"


def test_finalize_takes_any_number_of_sums_and_zero_by_zero_is_zero() -> None:
    assert ENTITY_F1.finalize(np.array([[[1.0, 2, 2], [0, 0, 0]]])).tolist() == [[0.5, 0.0]]
    assert ACCURACY.finalize(np.array([3, 4])) == 0.75
    assert ACCURACY.gradient(np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("metric", METRIC_LIST, ids=lambda metric: f"{metric.name} {metric.families[-1]}")
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_gradient_is_the_derivative(metric: Metric, data: st.DataObject) -> None:
    q = len(metric.stats)
    units = np.array([PARTS if stat.endswith("_e12") else 1 for stat in metric.stats], dtype=float)
    sums = units * data.draw(st.lists(st.integers(20, 900), min_size=q, max_size=q))
    steps = 1e-4 * np.diag(units)
    numeric = [(metric.finalize(sums + h) - metric.finalize(sums - h)) / (2e-4 * units[i]) for i, h in enumerate(steps)]
    assert metric.gradient(sums) * units == pytest.approx(np.array(numeric) * units, rel=1e-6, abs=1e-10)


TAGGED = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*(st.lists(st.sampled_from(TAGS), min_size=n, max_size=n) for _ in range(2)))
)


@given(st.lists(TAGGED, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_entity_f1_is_seqevals(pairs: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    rows = [TokenRow(str(i), tuple(tags), tuple(map(TAGS.index, tags))) for i, tags in enumerate(gold)]
    found = primary_score(task_of("token-classification", "f1"), rows, predicted, "eng")
    assert found == pytest.approx(float(f1_score(gold, predicted)), abs=1e-12)


# -- intervals --------------------------------------------------------------------------------------------------


def test_influence_of_accuracy_and_f1_is_the_documented_one() -> None:
    right = np.array([[1, 1], [0, 1], [1, 1], [1, 1]])
    assert influence(right, ACCURACY.gradient) == pytest.approx(right[:, 0] - 0.75)
    counts = np.array([[2, 3, 2], [0, 1, 1], [1, 1, 2], [0, 0, 0]])
    f1 = float(ENTITY_F1.finalize(counts.sum(axis=0).astype(float)))
    spread = counts[:, 1] + counts[:, 2]
    expected = (2 * counts[:, 0] - f1 * spread) / spread.mean()
    assert influence(counts, ENTITY_F1.gradient) == pytest.approx(expected)


def test_standard_error_of_accuracy_is_the_binomials() -> None:
    right = np.array([[int(i % 4 > 0), 1] for i in range(400)])
    assert standard_error(right, ACCURACY.gradient) == pytest.approx(np.sqrt(0.75 * 0.25 / 399))
    assert standard_error(right[:1], ACCURACY.gradient) == 0.0
    assert interval(0.99, 0.02, 50)[1] == 1.0


def test_standard_error_of_answer_f1_is_that_of_a_mean() -> None:
    context = "one two three four five six"
    spans = [[0, 3], [0, 7], [0, 13], [0, 18], [8, 13], [0, 0]]
    task = task_of("question-answering", "f1")
    # A paragraph for each question.
    rows = [QuestionRow(str(i), context + " ." * i, "?", ((0, "one two"),)) for i, _ in enumerate(spans)]
    found = scored(task, rows, spans)
    f1 = found.counts[:, 0] / PARTS
    assert found.metrics["f1"]["se"] == pytest.approx(f1.std(ddof=1) / np.sqrt(len(f1)))
    low, high = found.metrics["f1"]["ci"]
    assert low <= f1.mean() <= high and found.metrics["f1"]["unit"] == "proportion"
    # Two questions on each of three paragraphs: the mean of a paragraph is one observation.
    rows = [QuestionRow(str(i), context + " ." * (i // 2), "?", ((0, "one two"),)) for i, _ in enumerate(spans)]
    of_paragraphs = f1.reshape(3, 2).mean(axis=1)
    grouped = scored(task, rows, spans).metrics["f1"]
    assert grouped["se"] == pytest.approx(of_paragraphs.std(ddof=1) / np.sqrt(3))
    assert grouped["ci_method"] == "delta method over groups of items, t quantile; this run only"
