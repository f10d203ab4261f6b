"""Maximum spanning trees against networkx (every choice of root tried), and what a tree is."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xleval.tasks.trees import greedy, is_tree, maximum_spanning


def best_by_networkx(scores: np.ndarray) -> float:
    """Score of the best tree with one root: arborescences from each word, plus the arc that makes it the root."""
    words = len(scores)
    best = -np.inf
    for root in range(1, words + 1):
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(1, words + 1))
        for word in range(1, words + 1):
            if word != root:
                for head in range(1, words + 1):
                    if head != word:
                        # Shifted, for it looks for arborescences and would leave out arcs of negative weight.
                        graph.add_edge(head, word, weight=float(scores[word - 1, head]) + 1e3)
        tree = networkx.maximum_spanning_arborescence(graph) if words > 1 else graph
        inner = sum(weight - 1e3 for _, _, weight in tree.edges.data("weight"))
        best = max(best, inner + float(scores[root - 1, 0]))
    return best


def batch_of(seed: int, sizes: list[int], whole: bool) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    words = max(sizes)
    scores = draw.normal(size=(len(sizes), words, words + 1)) * 3
    scores = np.round(scores) if whole else scores  # whole numbers tie
    for sentence, size in zip(scores, sizes, strict=True):
        sentence[:, size + 1 :] = -np.inf
        sentence[np.arange(words), np.arange(1, words + 1)] = -np.inf
    return scores, np.array(sizes)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 7), min_size=1, max_size=5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_best_tree_is_found_for_every_sentence_of_a_batch(seed: int, sizes: list[int], whole: bool) -> None:
    scores, lengths = batch_of(seed, sizes, whole)
    heads = maximum_spanning(scores, lengths)
    assert is_tree(heads, lengths).all()
    for sentence, found, size in zip(scores, heads, sizes, strict=True):
        assert (found[size:] == 0).all()
        total = sentence[np.arange(size), found[:size]].sum()
        assert total == pytest.approx(best_by_networkx(sentence[:size, : size + 1]), abs=1e-6)


def test_a_greedy_tree_is_kept_and_long_cycles_are_opened() -> None:
    words = 60
    scores = np.zeros((2, words, words + 1))
    scores[0, np.arange(words), np.arange(words)] = 5.0  # a chain from the root
    scores[1, np.arange(words), (np.arange(words) + 1) % words + 1] = 5.0  # one cycle of all words
    scores[1, 7, 0] = 1.0
    scores[:, np.arange(words), np.arange(1, words + 1)] = -np.inf
    heads = maximum_spanning(scores, np.array([words, words]))
    assert heads[0].tolist() == list(range(words))
    assert heads[1, 7] == 0
    assert (np.delete(heads[1], 7) == np.delete((np.arange(words) + 1) % words + 1, 7)).all()


def test_what_a_tree_is() -> None:
    heads = np.array([[2, 0, 2], [2, 1, 0], [0, 0, 1], [2, 3, 1], [0, 9, 9]])
    lengths = np.array([3, 3, 3, 3, 1])
    assert is_tree(heads, lengths).tolist() == [True, False, False, False, True]


def test_greedy_takes_each_best() -> None:
    assert greedy(np.array([[[0.0, -1, 2], [3, 1, 0]]])).tolist() == [[2, 0]]
