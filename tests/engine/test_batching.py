"""Batches: every example once, the papers' batch size, no padding to the maximum, never over budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xleval.engine.batching import bucketed, epoch_batches, passes
from xleval.tasks.features import Features, ranges


def of_lengths(lengths: Any) -> Features:
    """Examples of one sequence each."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Features(np.zeros(offsets[-1], dtype=np.int32), offsets, None, np.arange(len(lengths)))


LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=300).map(np.array)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_has_every_example_once_in_full_batches(
    lengths: np.ndarray, batch: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lengths, batch, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    sizes = sorted((len(b) for b in batches), reverse=True)
    assert len(batches) == -(-len(lengths) // batch)
    assert all(size == batch for size in sizes[:-1])


def test_order_is_a_function_of_seed_and_epoch() -> None:
    widths = bucketed(of_lengths(range(1, 101)), 8).shapes
    order = [np.concatenate(epoch_batches(widths, 8, seed, epoch)) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert (order[0] == order[1]).all()
    assert (order[0] != order[2]).any()
    assert (order[0] != order[3]).any()


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5))
def test_shapes_of_batches_are_the_same_for_all_seeds(lengths: np.ndarray, batch: int, epoch: int) -> None:
    features = bucketed(of_lengths(lengths), batch)
    one, other = (
        [
            [(len(part), features.widths[part].max()) for part in passes(indices, features.costs, 400)]
            for indices in epoch_batches(features.shapes, batch, seed, epoch)
        ]
        for seed in (1, 2)
    )
    assert one == other


@given(LENGTHS, st.integers(1, 40))
def test_a_width_has_company(lengths: np.ndarray, batch: int) -> None:
    features = bucketed(of_lengths(lengths), batch)
    assert (features.widths >= features.lengths).all()
    _, sizes = np.unique(features.widths, return_counts=True)
    assert (sizes >= min(2 * batch, len(lengths))).all()
    order = np.argsort(features.lengths, kind="stable")
    assert (np.diff(features.widths[order]) >= 0).all()  # neighbours in length stay neighbours


def test_buckets_pad_little() -> None:
    lengths = np.random.default_rng(0).integers(5, 120, 4000)
    features = bucketed(of_lengths(lengths), 16)
    padded = sum(len(b) * features.widths[b].max() for b in epoch_batches(features.shapes, 16, 0, 0))
    assert padded / lengths.sum() < 1.05
    assert len(lengths) * 120 / lengths.sum() > 1.8  # what padding to the maximum would cost


@given(LENGTHS, st.integers(1, 500))
def test_passes_stay_within_the_budget(lengths: np.ndarray, budget: int) -> None:
    parts = list(passes(np.arange(len(lengths)), lengths, budget))
    assert sorted(np.concatenate(parts)) == list(range(len(lengths)))
    for part in parts:
        assert len(part) * lengths[part].max() <= budget or len(part) == 1


def test_a_batch_is_cut_only_where_it_must_be() -> None:
    assert [len(p) for p in passes(np.array([0, 1, 2]), np.array([10, 10, 10]), 30)] == [3]
    assert [len(p) for p in passes(np.array([0, 1, 2]), np.array([10, 10, 11]), 30)] == [2, 1]


def test_padding_and_masks() -> None:
    features = Features(
        ids=np.array([5, 6, 7, 8, 9], dtype=np.int32),
        offsets=np.array([0, 2, 5]),
        segments=np.array([0, 1, 0, 0, 1], dtype=np.int8),
        rows=np.arange(2),
    )
    batch = features.inputs(np.array([0, 1]), pad_id=99)
    assert batch["input_ids"].tolist() == [[5, 6, 99], [7, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["token_type_ids"].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert features.padded(np.array([1, -100, 2, -100, 0]), np.array([1, 0]), 4, -7).tolist() == [
        [2, -100, 0, -7],
        [1, -100, -7, -7],
    ]
    assert features.inputs(np.array([1]), 0, multiple=8)["input_ids"].shape == (1, 8)


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [1]])
def test_sequences_follow_the_indices(order: list[int]) -> None:
    features = Features(np.array([5, 6, 7], dtype=np.int32), np.array([0, 1, 3]), None, np.arange(2))
    rows = [[5], [6, 7]]
    found = features.inputs(np.array(order), 0)
    assert [
        ids[: sum(mask)]
        for ids, mask in zip(found["input_ids"].tolist(), found["attention_mask"].tolist(), strict=True)
    ] == [rows[i] for i in order]


def test_examples_of_several_sequences_stay_together_and_cost_what_they_take() -> None:
    ids = np.arange(10, 20, dtype=np.int32)  # sequences of 1, 2, 3, 4 sub-words; examples of 3 and 1
    features = Features(ids, np.array([0, 1, 3, 6, 10]), None, np.arange(2), firsts=np.array([0, 3, 4]))
    assert len(features) == 2
    assert features.costs.tolist() == [9, 4]
    assert features.inputs(np.array([1, 0]), 0)["input_ids"].tolist() == [
        [16, 17, 18, 19],
        [10, 0, 0, 0],
        [11, 12, 0, 0],
        [13, 14, 15, 0],
    ]


def test_ranges() -> None:
    assert ranges(np.array([3, 0, 7]), np.array([5, 0, 8])).tolist() == [3, 4, 7]
