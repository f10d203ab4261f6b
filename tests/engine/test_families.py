"""Rows → features → predictions: alignment of words and sub-words, windows, pairs, choices, spans, trees, heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.conftest import LABELS, TAGS, pairs, sentences
from xleval.tasks.dependency_parsing import FAMILY as PARSE
from xleval.tasks.family import Family, family_of
from xleval.tasks.multiple_choice import FAMILY as CHOOSE
from xleval.tasks.question_answering import FAMILY as ANSWER
from xleval.tasks.rows import ChoiceRow, QuestionRow, SequenceRow, TokenRow, TreeRow
from xleval.tasks.sequence_classification import FAMILY as CLASSIFY
from xleval.tasks.token_classification import FAMILY as TAG
from xleval.tasks.words import cut

HYPER = {"max_length": 16, "stride": 4, "question": "sentence", "root": "include", "head": "two-layer"}
RELATIONS = ("root", "obj", "punct")


def hyper(**changes: Any) -> dict[str, Any]:
    return {**HYPER, **changes}


def pieces(session: Any, features: Any, sequence: int = 0) -> list[str]:
    ids = features.ids[features.offsets[sequence] : features.offsets[sequence + 1]]
    found: list[str] = session.tokenizer.convert_ids_to_tokens(ids)
    return found


def scored(session: Any, family: Family, features: Any, name: str, indices: list[int] | None = None) -> Any:
    """A family's scores with the head ``name``, and gold: what the engine's forward pass does."""
    chosen = np.array(indices if indices is not None else range(len(features)))
    inputs = {k: torch.as_tensor(v) for k, v in features.inputs(chosen, session.tokenizer.pad_token_id).items()}
    gold = family.gold(features, chosen, inputs["input_ids"].shape[1])
    gold = {key: torch.as_tensor(value) for key, value in gold.items()}
    session.model.eval()
    with torch.no_grad():
        encoded = session.model.base_model(**inputs)
        return family.scores(session.model.heads[name], encoded[0], encoded[1], gold), gold


# Sequences and choices


def test_pairs_have_segments_and_both_texts(session: Any) -> None:
    features = CLASSIFY.features([SequenceRow("0", "ab", "cd", 1)], session.tokenizer, HYPER)
    assert pieces(session, features) == ["[CLS]", "a", "##b", "[SEP]", "c", "##d", "[SEP]"]
    assert features.segments.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert features.labels.tolist() == [1]


def test_a_long_pair_is_cut_from_the_longer_text(session: Any) -> None:
    features = CLASSIFY.features(
        [SequenceRow("0", "abcdefghijklmnop", "xy", 0)], session.tokenizer, hyper(max_length=10)
    )
    tokens = pieces(session, features)
    assert len(tokens) == 10
    assert tokens[-4:] == ["[SEP]", "x", "##y", "[SEP]"]


def test_single_texts_have_no_pair(session: Any) -> None:
    features = CLASSIFY.features([SequenceRow("0", "ab", None, 0)], session.tokenizer, HYPER)
    assert pieces(session, features) == ["[CLS]", "a", "##b", "[SEP]"]


def test_sequence_choice_is_the_highest(session: Any) -> None:
    chosen = CLASSIFY.choose(torch.tensor([[0.1, 0.2], [3.0, -1.0]]), {}, {})
    assert CLASSIFY.assemble(chosen, None, [None, None], LABELS) == ["other", "same"]


CHOICES = [
    ChoiceRow("0", "ab", "cause", ("x", "yy"), 1),
    ChoiceRow("1", "c", "effect", ("x", "y", "zzzz"), 2),
    ChoiceRow("2", "d", "why so?", ("x", "y"), 0),
]


def test_choices_share_context_and_question(session: Any) -> None:
    features = CHOOSE.features(CHOICES, session.tokenizer, hyper(max_length=64))
    assert len(features) == 3
    assert features.firsts.tolist() == [0, 2, 5, 7]
    texts = ["".join(pieces(session, features, i)).replace("##", "") for i in range(7)]
    asked = "[UNK]was" + "thecause[UNK][SEP]"  # the toy vocabulary has no capitals and no question mark
    assert texts[0] == f"[CLS]ab{asked}x[SEP]"
    assert texts[1] == f"[CLS]ab{asked}yy[SEP]"
    assert texts[4].endswith("theeffect[UNK][SEP]zzzz[SEP]")
    assert texts[5] == "[CLS]dwhyso[UNK][SEP]x[SEP]"
    word = CHOOSE.features(CHOICES[:1], session.tokenizer, hyper(question="word"))
    assert "".join(pieces(session, word)).replace("##", "") == "[CLS]abcause[SEP]x[SEP]"


def test_examples_with_other_numbers_of_choices_share_a_batch(session: Any) -> None:
    features = CHOOSE.features(CHOICES, session.tokenizer, hyper(max_length=64))
    torch.manual_seed(1)
    CHOOSE.add_head(session.model, "mc", (), HYPER)
    together, gold = scored(session, CHOOSE, features, "mc")
    assert together.shape == (3, 3)
    assert torch.isinf(together).tolist() == [[False, False, True], [False] * 3, [False, False, True]]
    for i, row in enumerate(CHOICES):
        alone, _ = scored(session, CHOOSE, features, "mc", [i])
        assert torch.allclose(together[i, : len(row.choices)], alone[0], atol=1e-5)
    loss = CHOOSE.loss_sum(together, gold)
    each = [-torch.log_softmax(together[i, : len(r.choices)], 0)[r.label] for i, r in enumerate(CHOICES)]
    assert float(loss) == pytest.approx(float(sum(each)), abs=1e-5)
    assert 2 not in np.array(CHOOSE.choose(together, gold, {}))[[0, 2]]
    session.model.delete_head("mc")


def test_choice_logits_are_the_librarys(session: Any) -> None:
    features = CHOOSE.features([CHOICES[0], CHOICES[2]], session.tokenizer, hyper(max_length=64))
    CHOOSE.add_head(session.model, "mc", (), HYPER)
    mine, _ = scored(session, CHOOSE, features, "mc")
    inputs = {k: torch.as_tensor(v) for k, v in features.inputs(np.arange(2), 0).items()}
    with torch.no_grad():
        theirs = session.model(**inputs, head="mc").logits
    assert torch.allclose(mine, theirs, atol=1e-6)
    session.model.delete_head("mc")


# Words


def choices_for(features: Any, at: dict[int, int], other: int) -> list[np.ndarray]:
    """Decisions that choose label ``at[word]`` where a word begins, and another elsewhere."""
    found = []
    for i in range(len(features)):
        place = features.words[features.offsets[i] : features.offsets[i + 1]]
        found.append(np.array([at[int(word)] if word >= 0 else other for word in place]))
    return found


def test_first_sub_word_carries_the_label(session: Any) -> None:
    features = TAG.features([TokenRow("0", ("abc", "d"), (1, 0))], session.tokenizer, HYPER)
    assert features.words.tolist() == [-1, 0, -1, -1, 1, -1]
    assert features.tags.tolist() == [-100, 1, -100, -100, 0, -100]
    assert TAG.targets(features, np.array([0])) == 2


@pytest.mark.parametrize("max_length", [8, 9, 20, 128])
def test_every_word_is_predicted_however_long_the_sentence(session: Any, max_length: int) -> None:
    rows = [*sentences(5, 12), TokenRow("long", ("abcdefghijklmnopqrstuvwxyz", "b"), (1, 2))]
    features = TAG.features(rows, session.tokenizer, hyper(max_length=max_length))
    assert features.lengths.max() <= max_length
    begun = [(int(features.rows[i]), int(w)) for i in range(len(features))
             for w in features.words[features.offsets[i]:features.offsets[i + 1]] if w >= 0]  # fmt: skip
    assert sorted(begun) == [(r, w) for r, row in enumerate(rows) for w in range(len(row.tokens))]
    decoded = TAG.assemble(choices_for(features, {w: w % 3 for w in range(20)}, 2), features, rows, TAGS)
    assert decoded == [[TAGS[w % 3] for w in range(len(row.tokens))] for row in rows]


def test_windows_end_where_words_begin() -> None:
    assert list(cut([0, 1, 1, 2, 2, 2, 3], 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(cut([0, 1, 1, 1, 2], 3)) == [(0, 1), (1, 4), (4, 5)]
    assert list(cut([0, 0, 0, 0, 1], 3)) == [(0, 3), (3, 5)]  # a word longer than a window
    assert list(cut([], 3)) == []


def test_a_word_without_sub_words_is_outside(session: Any) -> None:
    rows = [TokenRow("0", ("\u200d", "ab"), (1, 1)), TokenRow("1", ("\u200d",), (1,))]
    features = TAG.features(rows, session.tokenizer, HYPER)
    assert TAG.assemble(choices_for(features, {0: 1, 1: 1}, 2), features, rows, TAGS) == [["O", "B-PER"], ["O"]]


# Trees


TREES = [
    TreeRow("0", ("ab", "c", "d"), (2, 0, 2), (1, 0, 2)),
    TreeRow("1", ("a",), (0,), (0,)),
    TreeRow("2", tuple("abcdefg"), (2, 0, 2, 3, 4, 5, 2), (1, 0, 1, 1, 1, 1, 2)),
]


def test_tree_features(session: Any) -> None:
    features = PARSE.features(TREES, session.tokenizer, HYPER)
    assert features.words[:6].tolist() == [-1, 0, 0, 1, 2, -1]
    assert features.sizes.tolist() == [3, 1, 7]
    assert features.heads[:4].tolist() == [2, 0, 2, 0]
    assert PARSE.targets(features, np.array([0, 1])) == 4
    gold = PARSE.gold(features, np.array([1, 0]), 6)
    assert gold["heads"].tolist() == [[0, -100, -100], [2, 0, 2]]
    assert gold["relations"].tolist() == [[0, -100, -100], [1, 0, 2]]
    legacy = PARSE.features(TREES, session.tokenizer, hyper(root="legacy-exclude"))
    assert legacy.heads[:4].tolist() == [2, -100, 2, -100]
    assert PARSE.targets(legacy, np.array([1])) == 1  # nothing to learn, and no division by zero


def test_a_sentence_in_windows_is_parsed_as_a_whole(session: Any) -> None:
    features = PARSE.features(TREES, session.tokenizer, hyper(max_length=6))
    assert features.lengths.max() <= 6
    assert features.firsts.tolist() == [0, 1, 2, 4]
    torch.manual_seed(1)
    PARSE.add_head(session.model, "dp", RELATIONS, HYPER)
    for weight in session.model.heads["dp"].parameters():
        torch.nn.init.normal_(weight)
    scores, gold = scored(session, PARSE, features, "dp")
    assert scores.arcs.shape == (3, 7, 8)
    for decode in ("greedy", "mst"):
        chosen = PARSE.choose(scores, gold, {"decode": decode})
        found = PARSE.assemble(chosen, features, TREES, RELATIONS)
        assert [len(tree["heads"]) for tree in found] == [3, 1, 7]
        for tree, row in zip(found, TREES, strict=True):
            assert all(0 <= head <= len(row.tokens) and head != i + 1 for i, head in enumerate(tree["heads"]))
            assert decode == "greedy" or tree["heads"].count(0) == 1
            assert set(tree["relations"]) <= set(RELATIONS)
        # A sentence is parsed alike whatever shares its batch.
        for i in range(3):
            alone = PARSE.choose(*scored(session, PARSE, features, "dp", [i]), {"decode": decode})
            assert alone[0][0].tolist() == found[i]["heads"]
    session.model.delete_head("dp")


def test_words_and_sentences_without_sub_words(session: Any) -> None:
    rows = [
        TreeRow("0", ("a", "\u200d"), (0, 1), (0, 1)),
        TreeRow("1", ("\u200d", "\u200d"), (0, 1), (0, 1)),
        TreeRow("2", ("b",), (0,), (0,)),
    ]
    features = PARSE.features(rows, session.tokenizer, HYPER)
    assert features.rows.tolist() == [0, 2]
    assert features.heads.tolist() == [0, -100, 0]
    PARSE.add_head(session.model, "dp", RELATIONS, HYPER)
    scores, gold = scored(session, PARSE, features, "dp")
    assert torch.isfinite(PARSE.loss_sum(scores, gold))
    found = PARSE.assemble(PARSE.choose(scores, gold, {"decode": "mst"}), features, rows, RELATIONS)
    assert [tree["heads"] for tree in found] == [[0, 1], [0, 1], [0]] or found[0]["heads"] == [2, 0]
    assert found[1] == {"heads": [0, 1], "relations": ["root", "root"]}
    session.model.delete_head("dp")


def test_a_batch_without_targets_has_no_loss(session: Any) -> None:
    features = PARSE.features(TREES, session.tokenizer, hyper(root="legacy-exclude"))
    PARSE.add_head(session.model, "dp", RELATIONS, HYPER)
    scores, gold = scored(session, PARSE, features, "dp", [1])
    assert float(PARSE.loss_sum(scores, gold).detach()) == 0
    session.model.delete_head("dp")


# Spans


def test_spans_of_windows(session: Any) -> None:
    context = "ab cd ef gh ij kl"
    rows = [QuestionRow("0", context, "q", ((9, "gh"),)), QuestionRow("1", context, "r", ((0, "ab cd"),))]
    features = ANSWER.features(rows, session.tokenizer, hyper(max_length=12, stride=4))
    assert features.lengths.max() <= 12
    assert features.rows.tolist() == [0, 0, 1, 1]
    assert pieces(session, features)[:3] == ["[CLS]", "q", "[SEP]"]
    for i, row in enumerate(rows):
        for window in np.flatnonzero(features.rows == i):
            start = features.offsets[window]
            first, last = features.first[window], features.last[window]
            if first:
                covered = context[features.begins[start + first] : features.ends[start + last]]
                assert covered == row.answers[0][1]
    assert (features.first > 0).sum() == 3  # "gh" stands in both windows, "ab cd" in the first
    # The best window wins, wherever it is.
    place = int(features.first[0])
    chosen = [(1.0, place, place + 1), (0.5, place, place), (-2.0, 3, 4), (3.0, 3, 3)]
    assert ANSWER.assemble(chosen, features, rows, ()) == [[9, 11], [6, 7]]
    nothing = [(-np.inf, 0, 0)] * 4
    assert ANSWER.assemble(nothing, features, rows, ()) == [[0, 0], [0, 0]]


def test_answers_lie_in_the_context_and_logits_are_the_librarys(session: Any) -> None:
    rows = [QuestionRow(str(i), "ab cd ef" + " gh" * i, "q r s", ((0, "ab"),)) for i in range(3)]
    features = ANSWER.features(rows, session.tokenizer, hyper(max_length=32))
    torch.manual_seed(1)
    ANSWER.add_head(session.model, "qa", (), HYPER)
    scores, gold = scored(session, ANSWER, features, "qa")
    inputs = {k: torch.as_tensor(v) for k, v in features.inputs(np.arange(3), 0).items()}
    with torch.no_grad():
        theirs = session.model(**inputs, head="qa")
    inside = inputs["attention_mask"].bool()
    assert torch.allclose(scores[..., 0][inside], theirs.start_logits[inside], atol=1e-6)
    assert torch.allclose(scores[..., 1][inside], theirs.end_logits[inside], atol=1e-6)
    assert torch.isinf(scores[~inside]).all()
    found = ANSWER.assemble(ANSWER.choose(scores, gold, {"answer_length": 2}), features, rows, ())
    for (start, end), row in zip(found, rows, strict=True):
        assert 0 <= start < end <= len(row.context)
        assert end - start <= 3  # two sub-words, perhaps with a blank between
    for i in range(3):  # padding changes nothing
        alone, _ = scored(session, ANSWER, features, "qa", [i])
        width = alone.shape[1]
        assert torch.allclose(scores[i, :width], alone[0], atol=1e-5)
    session.model.delete_head("qa")


def test_long_questions_and_blank_contexts(session: Any) -> None:
    rows = [QuestionRow("0", "ab", "q" * 99, ((0, "ab"),)), QuestionRow("1", "\u200d", "q", ((0, "\u200d"),))]
    features = ANSWER.features(rows, session.tokenizer, hyper(max_length=12))
    assert features.lengths.max() <= 12
    ANSWER.add_head(session.model, "qa", (), HYPER)
    scores, gold = scored(session, ANSWER, features, "qa")
    assert torch.isfinite(ANSWER.loss_sum(scores, gold))
    assert ANSWER.assemble(ANSWER.choose(scores, gold, {"answer_length": 5}), features, rows, ())[1] == [0, 0]
    session.model.delete_head("qa")


# All


def test_heads_have_the_published_shape(session: Any) -> None:
    CLASSIFY.add_head(session.model, "p", LABELS, {"head": "pooler"})
    CLASSIFY.add_head(session.model, "t", LABELS, {"head": "two-layer"})
    linear = [[m for m in session.model.heads[h] if hasattr(m, "weight")] for h in "pt"]
    assert [len(layers) for layers in linear] == [1, 2]
    assert session.model.heads["p"].config["use_pooler"] is True
    session.model.delete_head("p")
    session.model.delete_head("t")


class NoSegments:
    """A tokenizer like XLM-R's, whose encoder knows no segments."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.model_input_names = ["input_ids", "attention_mask"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._tokenizer(*args, **{**kwargs, "return_token_type_ids": False})


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("sequence-classification", pairs(1, 3)),
        ("multiple-choice", CHOICES),
        ("token-classification", sentences(1, 3)),
        ("dependency-parsing", TREES),
        ("question-answering", [QuestionRow("0", "ab cd", "q", ((0, "ab"),))]),
    ],
)
def test_encoders_without_segments(session: Any, name: str, rows: Any) -> None:
    family = family_of(name)
    assert family.features(list(rows), session.tokenizer, HYPER).segments is not None
    assert family.features(list(rows), NoSegments(session.tokenizer), HYPER).segments is None
