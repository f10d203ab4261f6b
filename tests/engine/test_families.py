"""Rows → features → predictions: alignment of words and sub-words, windows, pairs, heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.conftest import LABELS, TAGS, pairs, sentences
from xleval.tasks.sequence_classification import FAMILY as CLASSIFY
from xleval.tasks.sources import SequenceRow, TokenRow
from xleval.tasks.token_classification import FAMILY as TAG
from xleval.tasks.token_classification import _windows


def logits_for(features: Any, labels: int, at: dict[int, int]) -> list[np.ndarray]:
    """Logits that choose label ``at[word]`` at each word's first sub-word, and nonsense elsewhere."""
    found = []
    for i in range(len(features)):
        place = features.words[features.offsets[i] : features.offsets[i + 1]]
        values = np.zeros((len(place), labels), dtype=np.float32)
        values[:, labels - 1] = 5
        for position, word in enumerate(place):
            if word >= 0:
                values[position] = 0
                values[position, at[int(word)]] = 9
        found.append(values)
    return found


def test_pairs_have_segments_and_both_texts(session: Any) -> None:
    rows = [SequenceRow("0", "ab", "cd", 1)]
    features = CLASSIFY.features(rows, session.tokenizer, 16)
    tokens = session.tokenizer.convert_ids_to_tokens(features.ids)
    assert tokens == ["[CLS]", "a", "##b", "[SEP]", "c", "##d", "[SEP]"]
    assert features.segments.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert features.targets.tolist() == [1]
    assert not features.per_token


def test_a_long_pair_is_cut_from_the_longer_text(session: Any) -> None:
    rows = [SequenceRow("0", "abcdefghijklmnop", "xy", 0)]
    features = CLASSIFY.features(rows, session.tokenizer, 10)
    tokens = session.tokenizer.convert_ids_to_tokens(features.ids)
    assert len(tokens) == 10
    assert tokens[-4:] == ["[SEP]", "x", "##y", "[SEP]"]


def test_single_texts_have_no_pair(session: Any) -> None:
    features = CLASSIFY.features([SequenceRow("0", "ab", None, 0)], session.tokenizer, 16)
    assert session.tokenizer.convert_ids_to_tokens(features.ids) == ["[CLS]", "a", "##b", "[SEP]"]


def test_sequence_decode_takes_the_highest(session: Any) -> None:
    logits = [np.array([0.1, 0.2]), np.array([3.0, -1.0])]
    assert CLASSIFY.decode(logits, None, [None, None], LABELS) == ["other", "same"]


def test_first_sub_word_carries_the_label(session: Any) -> None:
    rows = [TokenRow("0", ("abc", "d"), (1, 0))]
    features = TAG.features(rows, session.tokenizer, 16)
    assert features.words.tolist() == [-1, 0, -1, -1, 1, -1]
    assert features.targets.tolist() == [-100, 1, -100, -100, 0, -100]
    assert TAG.targets(features, np.array([0])) == 2


@pytest.mark.parametrize("max_length", [8, 9, 20, 128])
def test_every_word_is_predicted_however_long_the_sentence(session: Any, max_length: int) -> None:
    rows = list(sentences(5, 12))
    features = TAG.features(rows, session.tokenizer, max_length)
    assert features.lengths.max() <= max_length
    begun = [(int(features.rows[i]), int(w)) for i in range(len(features))
             for w in features.words[features.offsets[i]:features.offsets[i + 1]] if w >= 0]  # fmt: skip
    assert sorted(begun) == [(r, w) for r, row in enumerate(rows) for w in range(len(row.tokens))]
    for index, row in enumerate(rows):
        want = {w: w % 3 for w in range(20)}
        mine = [i for i in range(len(features)) if features.rows[i] == index]
        logits = logits_for(features, len(TAGS), want)
        decoded = TAG.decode(logits, features, rows, TAGS)
        assert mine
        assert decoded[index] == [TAGS[w % 3] for w in range(len(row.tokens))]


def test_windows_end_where_words_begin() -> None:
    assert list(_windows([0, 1, -1, 2, -1, -1, 3], 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(_windows([0, 1, -1, -1, 2], 3)) == [(0, 1), (1, 4), (4, 5)]
    assert list(_windows([0, -1, -1, -1, 1], 3)) == [(0, 3), (3, 5)]  # a word longer than a window
    assert list(_windows([], 3)) == []


def test_a_word_without_sub_words_is_outside(session: Any) -> None:
    rows = [TokenRow("0", ("\u200d", "ab"), (1, 1)), TokenRow("1", ("\u200d",), (1,))]
    features = TAG.features(rows, session.tokenizer, 16)
    decoded = TAG.decode(logits_for(features, len(TAGS), {0: 1, 1: 1}), features, rows, TAGS)
    assert decoded == [["O", "B-PER"], ["O"]]


def test_heads_have_the_published_shape(session: Any) -> None:
    CLASSIFY.add_head(session.model, "p", LABELS, {"head": "pooler"})
    CLASSIFY.add_head(session.model, "t", LABELS, {"head": "two-layer"})
    linear = [[m for m in session.model.heads[h] if hasattr(m, "weight")] for h in "pt"]
    assert [len(layers) for layers in linear] == [1, 2]
    assert session.model.heads["p"].config["use_pooler"] is True
    session.model.delete_head("p")
    session.model.delete_head("t")


def test_xlmr_style_tokenizer_has_no_segments(session: Any) -> None:
    class NoSegments:
        def __init__(self, tokenizer: Any) -> None:
            self._tokenizer = tokenizer
            self.model_input_names = ["input_ids", "attention_mask"]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tokenizer, name)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self._tokenizer(*args, **{**kwargs, "return_token_type_ids": False})

    assert CLASSIFY.features(list(pairs(1, 3)), NoSegments(session.tokenizer), 16).segments is None
    assert TAG.features(list(sentences(1, 3)), NoSegments(session.tokenizer), 16).segments is None
