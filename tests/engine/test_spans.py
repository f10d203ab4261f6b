"""Windows of contexts as the tokenizers library makes them, gold positions, and the search for the best spans."""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xleval.tasks.question_answering import FAMILY, SpanFeatures, best_spans, windows
from xleval.tasks.rows import QuestionRow

# The best spans


@st.composite
def searches(draw: Any) -> tuple[list[list[tuple[float, float]]], list[list[bool]], int, int]:
    """Scores of first and last with many ties, masks, the longest span, and how many are wanted."""
    width = draw(st.integers(1, 9))
    number = st.integers(-3, 3).map(float)
    row = st.lists(st.tuples(number, number), min_size=width, max_size=width)
    mask = st.lists(st.booleans(), min_size=width, max_size=width)
    count = draw(st.integers(1, 3))
    rows = draw(st.lists(row, min_size=count, max_size=count))
    masks = draw(st.lists(mask, min_size=count, max_size=count))
    return rows, masks, draw(st.integers(1, 11)), draw(st.integers(1, 20))


@settings(deadline=None, max_examples=300)
@given(searches())
def test_best_spans_are_those_of_an_enumeration(search: Any) -> None:
    rows, masks, longest, k = search
    found = best_spans(torch.tensor(rows), torch.tensor(masks), longest, k)
    assert found.score.shape == found.first.shape == found.last.shape == (len(rows), k)
    for i, (row, mask) in enumerate(zip(rows, masks, strict=True)):
        every = {
            (first, last): row[first][0] + row[last][1]
            for first in range(len(row))
            for last in range(first, min(first + longest, len(row)))
            if mask[first] and mask[last]
        }
        best = sorted(every.values(), reverse=True)[:k]
        scores = found.score[i].tolist()
        assert scores == best + [-math.inf] * (k - len(best))
        spans = list(zip(found.first[i].tolist(), found.last[i].tolist(), strict=True))[: len(best)]
        assert len(set(spans)) == len(spans)
        assert [every[span] for span in spans] == best


# Windows


LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A fast tokenizer of single letters."""
    from transformers import BertTokenizerFast

    path = tmp_path_factory.mktemp("letters") / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]))
    return BertTokenizerFast(str(path), do_lower_case=False)


def by_the_tokenizer(rows: list[QuestionRow], tokenizer: Any, max_length: int, stride: int) -> dict[str, Any]:
    encoded = tokenizer(
        [row.question for row in rows], [row.context for row in rows], truncation="only_second", max_length=max_length,
        stride=stride, return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    return {
        "ids": encoded["input_ids"],
        "segments": encoded.get("token_type_ids"),
        "rows": encoded["overflow_to_sample_mapping"],
        "places": [
            [place if of == 1 else (-1, -1) for place, of in zip(places, encoded.sequence_ids(i), strict=True)]
            for i, places in enumerate(encoded["offset_mapping"])
        ],
    }


def check_windows(rows: list[QuestionRow], tokenizer: Any, max_length: int, stride: int) -> SpanFeatures:
    expected = by_the_tokenizer(rows, tokenizer, max_length, stride)
    features = FAMILY.features(rows, tokenizer, {"max_length": max_length, "stride": stride})
    assert features.rows.tolist() == expected["rows"]
    assert (features.segments is None) == (expected["segments"] is None)
    for i, ids in enumerate(expected["ids"]):
        part = slice(int(features.offsets[i]), int(features.offsets[i + 1]))
        assert features.ids[part].tolist() == ids
        assert features.segments is None or features.segments[part].tolist() == expected["segments"][i]
        assert list(zip(features.begins[part].tolist(), features.ends[part].tolist(), strict=True)) == [
            tuple(place) for place in expected["places"][i]
        ]
    return features


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 19))
def test_windows_cover_all_and_share_the_stride(length: int, room: int, stride: int) -> None:
    found = windows(length, room, stride)
    assert found[0][0] == 0 and found[-1][1] == length
    shared = min(stride, room - 1)
    for (start, end), (following, _) in pairwise(found):
        assert end - start == room and end - following == shared
    assert all(end < length for _, end in found[:-1])  # none after one that reaches the end
    assert 0 <= found[-1][1] - found[-1][0] <= room


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_windows_are_the_tokenizers(letters: Any, data: Any) -> None:
    text = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=25).map(" ".join)
    max_length = data.draw(st.integers(12, 30), "max_length")
    asked = data.draw(st.text(LETTERS, min_size=1, max_size=4), "question")
    # The tokenizers library refuses a stride that leaves no room to go on.
    stride = data.draw(st.integers(0, max_length - 3 - len(asked) - 1), "stride")
    contexts = data.draw(st.lists(text, min_size=1, max_size=4), "contexts")
    rows = [QuestionRow(str(i), context, asked, ((0, context[0]),)) for i, context in enumerate(contexts)]
    check_windows(rows, letters, max_length, stride)


@cache
def tokenizer_of(realdata: Path, name: str) -> Any:
    from transformers import BertTokenizerFast, XLMRobertaTokenizerFast

    if name == "mbert":
        path = realdata / "tokenizers" / "bert-base-multilingual-cased" / "vocab.txt"
        return BertTokenizerFast(str(path), do_lower_case=False)
    return XLMRobertaTokenizerFast(str(realdata / "tokenizers" / "xlm-roberta-base" / "sentencepiece.bpe.model"))


def squad(path: Path) -> list[QuestionRow]:
    """Questions of a file in SQuAD's format, read here and not by xleval."""
    return [
        QuestionRow(
            str(question["id"]), paragraph["context"], question["question"],
            tuple((answer["answer_start"], answer["text"]) for answer in question["answers"]),
        )
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def squad_dev(realdata: Path) -> list[QuestionRow]:
    path = realdata / "squad" / "dev-v1.1.json"
    if not path.is_file():
        pytest.skip("no SQuAD")
    return squad(path)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mbert", "xlmr"])
@pytest.mark.parametrize(("max_length", "stride"), [(384, 128), (128, 32)])
def test_windows_of_squad_are_the_tokenizers(
    realdata: Path, squad_dev: list[QuestionRow], name: str, max_length: int, stride: int
) -> None:
    tokenizer = tokenizer_of(realdata, name)
    features = check_windows(squad_dev, tokenizer, max_length, stride)
    check_gold(squad_dev, features)


# Gold positions


def gold_of(row: QuestionRow, places: list[tuple[int, int]]) -> tuple[int, int]:
    """First and last sub-word by characters, as `prepare_train_features` of the transformers examples defines them.

    The last sub-word that begins no later than the answer, the first that ends no earlier; 0, 0 unless the window
    reaches from before its first character to behind its last.
    """
    start, text = row.answers[0]
    end = start + len(text)
    inside = [i for i, (begin, _) in enumerate(places) if begin >= 0]
    if not inside or places[inside[0]][0] > start or places[inside[-1]][1] < end:
        return 0, 0
    return max(i for i in inside if places[i][0] <= start), min(i for i in inside if places[i][1] >= end)


def check_gold(rows: list[QuestionRow], features: SpanFeatures) -> int:
    """Compares with :func:`gold_of`, looks at the text that is covered; returns how many windows have an answer."""
    found = 0
    for i, index in enumerate(features.rows):
        row = rows[index]
        part = slice(int(features.offsets[i]), int(features.offsets[i + 1]))
        places = list(zip(features.begins[part].tolist(), features.ends[part].tolist(), strict=True))
        first, last = int(features.first[i]), int(features.last[i])
        assert (first, last) == gold_of(row, places), row
        if not first:
            continue
        found += 1
        start, text = row.answers[0]
        covered = row.context[places[first][0] : places[last][1]]
        assert text in covered
        if whole_words(row.context, start, start + len(text)):
            assert covered.strip() == text.strip()
    return found


def whole_words(context: str, start: int, end: int) -> bool:
    """Whether an answer has spaces, or nothing, on both sides."""
    return (start == 0 or context[start - 1].isspace()) and (end == len(context) or context[end].isspace())


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_gold_positions_cover_the_answer(letters: Any, data: Any) -> None:
    tokens = data.draw(st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=25), "words")
    context = " ".join(tokens)
    start = data.draw(st.sampled_from([i for i, sign in enumerate(context) if sign != " "]), "start")
    end = data.draw(st.sampled_from([i for i in range(start + 1, len(context) + 1) if context[i - 1] != " "]), "end")
    row = QuestionRow("0", context, "q", ((start, context[start:end]),))
    stride = data.draw(st.integers(0, 7), "stride")
    features = FAMILY.features([row], letters, {"max_length": 12, "stride": stride})
    found = check_gold([row], features)
    pieces = sum(sign != " " for sign in context[start:end])
    assert found or pieces > stride  # an answer no longer than what windows share stands whole in one of them


def test_an_answer_inside_a_sub_word_is_that_sub_word() -> None:
    from xleval.tasks.question_answering import _gold_span

    offsets = [(0, 4), (5, 9), (9, 12), (13, 14)]
    assert _gold_span(offsets, (6, "x")) == (1, 1)
    assert _gold_span(offsets, (3, "xxx")) == (0, 1)
    assert _gold_span(offsets, (9, "xxx")) == (2, 2)
    assert _gold_span(offsets, (4, " ")) is None


def test_the_answer_of_a_question_is_its_best_windows() -> None:
    features = SpanFeatures(
        ids=np.zeros(9, np.int32), offsets=np.array([0, 3, 6, 9]), segments=None, rows=np.array([0, 0, 1]),
        begins=np.array([-1, 0, 2, -1, 4, 6, -1, 0, 3], np.int32),
        ends=np.array([-1, 1, 3, -1, 5, 9, -1, 2, 5], np.int32),
        first=np.zeros(3, np.int32), last=np.zeros(3, np.int32),
    )  # fmt: skip
    rows = [QuestionRow(str(i), "abcdefghi", "q", ((0, "a"),)) for i in range(2)]
    assert FAMILY.assemble([(1.0, 1, 2), (2.0, 2, 2), (-5.0, 1, 2)], features, rows, ()) == [[6, 9], [0, 5]]
    # Of windows with equal scores the first one counts.
    assert FAMILY.assemble([(2.0, 1, 2), (2.0, 2, 2), (-5.0, 2, 2)], features, rows, ()) == [[0, 3], [3, 5]]
