"""The parsing head beside the adapters library's own: equal where nothing is padded, and steady where theirs is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.conftest import words
from xleval.tasks.dependency_parsing import FAMILY, TreeScores
from xleval.tasks.rows import TreeRow

RELATIONS = ("root", "obj", "punct", "amod")
TOLERANCE = 1e-5
#: The library takes the root, 0, for padding unless its users set the pad id of the config to this.
NO_PAD = -1


def sentence(seed: int, count: int) -> TreeRow:
    """Words of one to six sub-words; the second is the root, the others hang on a word somewhere before."""
    draw = np.random.default_rng(seed)
    heads = [0 if i == 1 else 2 if i == 0 else int(draw.integers(1, i + 1)) for i in range(count)]
    if count == 1:
        heads = [0]
    relations = [0 if head == 0 else int(draw.integers(1, len(RELATIONS))) for head in heads]
    return TreeRow(str(seed), tuple(words(seed, count)), tuple(heads), tuple(relations))


ROWS = [sentence(seed, count) for seed, count in enumerate((7, 1, 3, 12, 5))]


@dataclass
class Both:
    """xleval's session and the library's model with the same encoder and the same weights of the head."""

    session: Any
    model: Any

    def mine(self, rows: list[TreeRow], root: str = "include") -> tuple[TreeScores, dict[str, Tensor]]:
        features = FAMILY.features(rows, self.session.tokenizer, {"max_length": 512, "root": root})
        chosen = np.arange(len(rows))
        inputs = {key: torch.as_tensor(value) for key, value in features.inputs(chosen, 0).items()}
        gold = FAMILY.gold(features, chosen, inputs["input_ids"].shape[1])
        gold = {key: torch.as_tensor(value) for key, value in gold.items()}
        with torch.no_grad():
            hidden = self.session.model.base_model(**inputs)[0]
            return FAMILY.scores(self.session.model.heads["dp"], hidden, None, gold), gold

    def theirs(self, rows: list[TreeRow], width: int = 0, pad: int = NO_PAD) -> tuple[float, Tensor, Tensor]:
        """Loss, arcs (n, words, words + 1) and relations (n, words, words + 1, r); words are padded to sub-words.

        ``width``: sub-words that every sentence is padded to; 0: those of the longest.
        """
        tokenizer = self.session.tokenizer
        cut = [[tokenizer.tokenize(word) for word in row.tokens] for row in rows]
        width = width or max(sum(map(len, pieces)) for pieces in cut) + 2
        inputs: dict[str, list[list[int]]] = {}
        for row, pieces in zip(rows, cut, strict=True):
            ids = tokenizer.convert_tokens_to_ids(["[CLS]", *(piece for word in pieces for piece in word), "[SEP]"])
            starts = np.cumsum([1, *map(len, pieces)]).tolist()
            for key, values, fill, size in (
                ("input_ids", ids, 0, width),
                ("attention_mask", [1] * len(ids), 0, width),
                ("word_starts", starts, pad, width + 1),
                ("labels_arcs", list(row.heads), pad, width),
                ("labels_rels", list(row.relations), pad, width),
            ):
                inputs.setdefault(key, []).append(values + [fill] * (size - len(values)))
        self.model.config.pad_token_id = pad
        with torch.no_grad():
            loss, relations, arcs = self.model(
                **{key: torch.tensor(value) for key, value in inputs.items()}, return_dict=False
            )
        return float(loss), arcs, relations


@pytest.fixture
def both(session: Any, backbone: Any) -> Iterator[Both]:
    from adapters import AutoAdapterModel

    FAMILY.add_head(session.model, "dp", RELATIONS, {})
    torch.manual_seed(7)
    for weight in session.model.heads["dp"].parameters():
        torch.nn.init.normal_(weight, std=0.05)  # scores of a few units, as a trained head has
    model = AutoAdapterModel.from_pretrained(backbone.path())
    model.add_dependency_parsing_head("dp", num_labels=len(RELATIONS), id2label=dict(enumerate(RELATIONS)))
    model.load_state_dict(session.model.state_dict())
    model.eval()
    session.model.eval()
    yield Both(session, model)
    session.model.delete_head("dp")


def per_word(scores: TreeScores, gold: dict[str, Tensor]) -> float:
    return float(FAMILY.loss_sum(scores, gold).detach()) / int((gold["heads"] != -100).sum())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{len(row.tokens)} words")
def test_scores_of_a_sentence_are_the_librarys(both: Both, row: TreeRow) -> None:
    size = len(row.tokens)
    scores, _ = both.mine([row])
    _, arcs, relations = both.theirs([row])
    assert torch.allclose(scores.arcs[0], arcs[0, :size, : size + 1], atol=TOLERANCE)
    for head in range(size + 1):  # ours scores the relations of one head a word, theirs of all
        mine = scores.relations(torch.full((1, size), head), torch.ones(1, size, dtype=torch.bool))
        assert torch.allclose(mine, relations[0, :size, head], atol=TOLERANCE)


@pytest.mark.parametrize("size", [2, 9])
def test_the_loss_is_the_librarys_where_nothing_is_padded(both: Both, size: int) -> None:
    # Words as long as sub-words and none special: the one case in which the library adds no word of zeros. The first
    # vector then stands for the root, too.
    row = sentence(size, size)
    torch.manual_seed(size)
    hidden = torch.randn(1, size, both.model.config.hidden_size)
    places = torch.arange(size)
    gold = {
        "heads": torch.tensor([row.heads]),
        "relations": torch.tensor([row.relations]),
        "sizes": torch.tensor([size]),
        "first": torch.tensor([0]),
        "slots": places[None],
    }
    with torch.no_grad():
        mine = FAMILY.scores(both.session.model.heads["dp"], hidden, None, gold)
        both.model.config.pad_token_id = NO_PAD
        loss, relations, arcs = both.model.heads["dp"](
            (hidden,),
            word_starts=torch.arange(size + 1)[None],
            labels_arcs=gold["heads"],
            labels_rels=gold["relations"],
        )
    assert torch.allclose(mine.arcs, arcs, atol=TOLERANCE)
    chosen = relations[0, places, gold["heads"][0]]
    assert torch.allclose(mine.relations(gold["heads"], gold["heads"] >= 0), chosen, atol=TOLERANCE)
    assert per_word(mine, gold) == pytest.approx(float(loss), abs=TOLERANCE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{len(row.tokens)} words")
def test_the_loss_over_the_librarys_scores_of_words_is_ours(both: Both, row: TreeRow) -> None:
    size, places = len(row.tokens), torch.arange(len(row.tokens))
    heads, relations = torch.tensor(row.heads), torch.tensor(row.relations)
    _, arcs, labels = both.theirs([row])
    expected = functional.cross_entropy(arcs[0, :size, : size + 1], heads)
    expected += functional.cross_entropy(labels[0, places, heads], relations)
    assert per_word(*both.mine([row])) == pytest.approx(float(expected.detach()), abs=TOLERANCE)


@pytest.mark.parametrize(("pad", "root"), [(NO_PAD, "include"), (0, "legacy-exclude")])
@pytest.mark.parametrize("width", [40, 64])
def test_the_librarys_loss_is_ours_with_padding_among_the_heads(both: Both, width: int, pad: int, root: str) -> None:
    # Every place of padding is a head with score 0. With the tokenizer's pad id, 0, words under the root are left out.
    row = ROWS[0]
    loss, _, _ = both.theirs([row], width, pad)
    scores, gold = both.mine([row], root)
    learned = gold["heads"] != -100
    assert int(learned.sum()) == len(row.tokens) - (root == "legacy-exclude")
    padded = torch.cat([scores.arcs, torch.zeros(1, len(row.tokens), width - len(row.tokens))], dim=-1)
    expected = functional.cross_entropy(padded[learned], gold["heads"][learned])
    expected += functional.cross_entropy(scores.relations(gold["heads"], learned), gold["relations"][learned])
    assert loss == pytest.approx(float(expected.detach()), abs=TOLERANCE)


def test_a_batch_changes_the_librarys_loss_and_not_ours(both: Both) -> None:
    together, gold = both.mine(ROWS)
    widest = max(len(row.tokens) for row in ROWS)
    assert together.arcs.shape == (len(ROWS), widest, widest + 1)
    total = 0.0
    for i, row in enumerate(ROWS):
        size = len(row.tokens)
        alone, gold_alone = both.mine([row])
        assert torch.allclose(together.arcs[i, :size, : size + 1], alone.arcs[0], atol=TOLERANCE)
        assert torch.isinf(together.arcs[i, :, size + 1 :]).all()
        mask = torch.zeros(len(ROWS), widest, dtype=torch.bool)
        mask[i, :size] = True
        relations = alone.relations(gold_alone["heads"], gold_alone["heads"] >= 0)
        assert torch.allclose(together.relations(gold["heads"], mask), relations, atol=TOLERANCE)
        total += float(FAMILY.loss_sum(alone, gold_alone).detach())
        losses = [both.theirs([row], width)[0] for width in (0, 64, 128)]
        assert losses[0] < losses[1] - 0.01 < losses[2] - 0.02
        assert losses[0] > per_word(alone, gold_alone)
    assert float(FAMILY.loss_sum(together, gold).detach()) == pytest.approx(total, abs=TOLERANCE * len(ROWS))


def test_the_library_attaches_words_to_padding_and_we_do_not(both: Both) -> None:
    # Where all words score below 0, padding scores highest.
    scores, gold = both.mine(ROWS)
    scores.arcs.sub_(100)
    for decode in ("greedy", "mst"):
        for (heads, _), row in zip(FAMILY.choose(scores, gold, {"decode": decode}), ROWS, strict=True):
            assert heads.max() <= len(row.tokens)
    _, arcs, _ = both.theirs(ROWS)
    size = len(ROWS[1].tokens)
    arcs[1, :size, : size + 1] -= 100
    assert int(arcs[1, 0].argmax()) > size
