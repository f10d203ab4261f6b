"""Metrics against seqeval and scikit-learn's definitions; counts add up; intervals behave."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from xleval.errors import UserError
from xleval.scoring import primary_score, score
from xleval.scoring.metrics import METRICS
from xleval.scoring.score import count
from xleval.stats.influence import influence, interval, standard_error
from xleval.tasks.sources import SequenceRow, TokenRow

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SENTENCES = st.lists(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(*(st.lists(st.sampled_from(TAGS), min_size=n, max_size=n) for _ in range(2)))
    ),
    min_size=1,
    max_size=30,
)


@given(SENTENCES)
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_entity_f1_is_seqevals(pairs: list[tuple[list[str], list[str]]]) -> None:
    metric = METRICS["f1"]
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    sums = count(metric, gold, predicted).sum(axis=0).astype(float)
    assert float(metric.finalize(sums)) == pytest.approx(float(f1_score(gold, predicted)), abs=1e-12)


def test_finalize_takes_any_number_of_sums_and_zero_by_zero_is_zero() -> None:
    sums = np.array([[[1.0, 2, 2], [0, 0, 0]]])
    assert METRICS["f1"].finalize(sums).tolist() == [[0.5, 0.0]]
    assert METRICS["accuracy"].finalize(np.array([3.0, 4.0])) == 0.75


@pytest.mark.parametrize("name", sorted(METRICS))
def test_gradient_is_the_derivative(name: str) -> None:
    metric = METRICS[name]
    sums = np.array([30.0, 50.0, 60.0][: len(metric.stats)])
    steps = np.eye(len(sums)) * 1e-6
    numeric = [(metric.finalize(sums + h) - metric.finalize(sums - h)) / 2e-6 for h in steps]
    assert metric.gradient(sums) == pytest.approx(numeric, rel=1e-6)


def test_influence_of_accuracy_and_f1_is_the_documented_one() -> None:
    right = np.array([[1, 1], [0, 1], [1, 1], [1, 1]])
    assert influence(right, METRICS["accuracy"].gradient) == pytest.approx(right[:, 0] - 0.75)
    counts = np.array([[2, 3, 2], [0, 1, 1], [1, 1, 2], [0, 0, 0]])
    f1 = float(METRICS["f1"].finalize(counts.sum(axis=0).astype(float)))
    spread = counts[:, 1] + counts[:, 2]
    expected = (2 * counts[:, 0] - f1 * spread) / spread.mean()
    assert influence(counts, METRICS["f1"].gradient) == pytest.approx(expected)


def test_standard_error_of_accuracy_is_the_binomials() -> None:
    right = np.array([[int(i % 4 > 0), 1] for i in range(400)])
    assert standard_error(right, METRICS["accuracy"].gradient) == pytest.approx(np.sqrt(0.75 * 0.25 / 399))
    assert standard_error(right[:1], METRICS["accuracy"].gradient) == 0.0
    low, high = interval(0.99, 0.02, 50)
    assert (low > 0.9, high) == (True, 1.0)


def test_f1_interval_covers_as_often_as_it_says() -> None:
    # 400 samples of 300 sentences from a population whose F1 is known.
    draw, metric = np.random.default_rng(0), METRICS["f1"]
    gold = draw.integers(0, 4, 200_000)
    found = draw.integers(0, 4, 200_000)
    both = draw.binomial(np.minimum(gold, found), 0.8)
    population = np.stack([both, found, gold], axis=1)
    truth = float(metric.finalize(population.sum(axis=0).astype(float)))
    hits = 0
    for _ in range(400):
        sample = population[draw.integers(0, len(population), 300)]
        value = float(metric.finalize(sample.sum(axis=0).astype(float)))
        low, high = interval(value, standard_error(sample, metric.gradient), 300)
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98


def _task(**more: Any) -> Any:
    return SimpleNamespace(**{"name": "toy", "metric": "accuracy", "labels": ("a", "b"), **more})


def test_score_of_a_split() -> None:
    rows = [SequenceRow(str(i), "x", None, i % 2) for i in range(4)]
    scored = score(_task(), rows, ["0", "1", "2", "3"], ["a", "b", "b", "b"])
    assert scored.metrics["accuracy"]["value"] == 0.75
    assert scored.stats == ("correct", "total")
    assert scored.counts.tolist() == [[1, 1], [1, 1], [0, 1], [1, 1]]
    tags = [TokenRow("0", ("x", "y"), (1, 0))]
    assert primary_score(_task(metric="f1", labels=TAGS), tags, [["B-PER", "O"]]) == 1.0


def test_predictions_of_other_items_are_refused() -> None:
    rows = [SequenceRow("0", "x", None, 0)]
    with pytest.raises(UserError, match="other items"):
        score(_task(), rows, ["1"], ["a"])
