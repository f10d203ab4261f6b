"""The interval of one run's score over items: how often it holds the truth."""

from __future__ import annotations

import numpy as np

from xleval.scoring.metrics import ENTITY_F1
from xleval.stats.influence import interval, standard_error


def test_f1_interval_covers_as_often_as_it_says() -> None:
    # 400 samples of 300 sentences from a population whose F1 is known.
    draw = np.random.default_rng(0)
    gold, found = draw.integers(0, 4, (2, 200_000))
    both = draw.binomial(np.minimum(gold, found), 0.8)
    population = np.stack([both, found, gold], axis=1)
    truth = float(ENTITY_F1.finalize(population.sum(axis=0)))
    hits = 0
    for _ in range(400):
        sample = population[draw.integers(0, len(population), 300)]
        value = float(ENTITY_F1.finalize(sample.sum(axis=0)))
        low, high = interval(value, standard_error(sample, ENTITY_F1.gradient), 300)
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98
