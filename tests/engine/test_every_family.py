"""Every family through the whole engine: it learns, is stored as plain adapters loads it, predicts block by block."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conftest import TAGS, ToyData, ToyTask, pairs, sentences, words
from xleval.engine.make import make_predictions, make_task_adapters
from xleval.hyperparameters import DEV_OPTIONS, group, merged
from xleval.jobs import PredictionJob, TaskAdapterJob
from xleval.predictions import PREDICTIONS, read_predictions
from xleval.scoring import score
from xleval.store import Store
from xleval.tasks import recent
from xleval.tasks.rows import ChoiceRow, QuestionRow, TreeRow


def choices(seed: int, count: int, of: int = 2) -> tuple[ChoiceRow, ...]:
    """The right choice is the one that repeats the context's first letter."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        letter, label = draw.choice("abcd"), draw.randrange(of)
        given = [letter if k == label else draw.choice("wxyz") for k in range(of)]
        rows.append(ChoiceRow(str(i), f"{letter} {words(seed + i, 1)[0]}", "cause", tuple(given), label))
    return tuple(rows)


def trees(seed: int, count: int) -> tuple[TreeRow, ...]:
    """Every word hangs on the one word that begins with x, which is the root."""
    rows = []
    for i in range(count):
        tokens = words(seed * 1000 + i, 2 + i % 6)
        at = i % len(tokens)
        tokens[at] = "x"
        heads = tuple(0 if k == at else at + 1 for k in range(len(tokens)))
        rows.append(TreeRow(str(i), tuple(tokens), heads, tuple(0 if h == 0 else 1 for h in heads)))
    return tuple(rows)


def questions(seed: int, count: int) -> tuple[QuestionRow, ...]:
    """The answer is the word that begins with z."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        context = words(seed * 1000 + i, draw.randint(2, 12), "abcdef")
        context.insert(draw.randrange(len(context)), "zz")
        text = " ".join(context)
        rows.append(QuestionRow(str(i), text, "q", ((text.index("zz"), "zz"),)))
    return tuple(rows)


MADE: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "sequence-classification": (pairs, ("same", "other"), "accuracy"),
    "multiple-choice": (choices, (), "accuracy"),
    "token-classification": (sentences, TAGS, "f1"),
    "dependency-parsing": (trees, ("root", "dep"), "las"),
    "question-answering": (questions, (), "f1"),
}


def job_of(family: str, job: TaskAdapterJob) -> TaskAdapterJob:
    rows, labels, metric = MADE[family]
    settings = {"train.epochs": 4, "train.batch": 8, "train.lr": 5e-3, "train.eval_every": 1}
    hyper = group(merged({**settings, "train.max_length": 24, "train.stride": 4}), "train", family)
    hyper |= {"head": "two-layer"} if "head" in hyper else {}
    return replace(
        job,
        fingerprint=family[0] * 64,
        task=ToyTask(f"toy-{family}", family, labels, metric=metric),  # type: ignore[arg-type]
        train=ToyData(f"train-{family}", rows(1, 120)),  # type: ignore[arg-type]
        dev=ToyData(f"dev-{family}", rows(2, 30)),  # type: ignore[arg-type]
        hyper=hyper,
    )


@pytest.mark.parametrize("family", MADE)
def test_trained_stored_loaded_and_predicted(
    family: str, job: TaskAdapterJob, session: Any, backbone: Any, settings: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from adapters import AutoAdapterModel

    made, store = job_of(family, job), Store(tmp_path / "store")
    list(make_task_adapters([made], session, store, settings))
    history = store.manifest(made.kind, made.fingerprint)["history"]
    # A random encoder tells words apart; its first sub-word hardly knows what stands beside it.
    if family not in ("sequence-classification", "multiple-choice"):
        assert max(value for _, value in history) > history[0][1]
    plain = AutoAdapterModel.from_pretrained(backbone.path())
    plain.load_adapter(str(store.open(made.kind, made.fingerprint)), use_safetensors=True)
    stored = dict(plain.named_parameters())
    ours = {n: p for n, p in session.model.named_parameters() if ".task." in n}
    assert len(ours) >= 5
    for name, parameter in ours.items():
        assert torch.equal(stored[name], parameter), name

    test = ToyData(f"test-{family}", MADE[family][0](3, 50))
    target = PredictionJob("5" * 64, made.task, made, made.cycle[1], test, DEV_OPTIONS)  # type: ignore[arg-type]
    list(make_predictions([target], session, store, settings))
    whole = list(read_predictions(store.open(target.kind, target.fingerprint) / PREDICTIONS))
    assert [item for item, _ in whole] == [row.id for row in test.items]
    scored = score(made.task, iter(test.items), iter(whole), "eng")
    assert scored.ids == [row.id for row in test.items]
    assert 0 < next(iter(scored.metrics.values()))["value"] <= 1
    # A split that is longer than a block is read in blocks, is not kept, and comes out the same.
    monkeypatch.setattr(recent, "BLOCK", 7)
    again = replace(test, fingerprint="again")
    other = replace(target, fingerprint="6" * 64, data=again)
    list(make_predictions([other], session, store, {**settings, "token_budget": 200}))
    blocks = list(read_predictions(store.open(other.kind, other.fingerprint) / PREDICTIONS))
    assert [item for item, _ in blocks] == [item for item, _ in whole]
    same = sum(a == b for a, b in zip(blocks, whole, strict=True))
    assert same >= 49  # rounding may tip one decision
    assert not any("again" in key for key in recent._recent)


def test_a_chain_goes_on_from_where_the_last_training_ended(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    first = replace(
        job_of("multiple-choice", job),
        fingerprint="1" * 64,
        train=ToyData("three", choices(5, 60, of=3)),  # type: ignore[arg-type]
        dev=ToyData("three-dev", choices(6, 20, of=3)),  # type: ignore[arg-type]
    )
    still = {**first.hyper, "lr": 0.0, "epochs": 1}
    second = replace(job_of("multiple-choice", job), fingerprint="2" * 64, hyper=still, start=first)
    fresh = replace(second, fingerprint="3" * 64, start=None)
    list(make_task_adapters([first, second, fresh], session, store, settings))

    def weights(one: TaskAdapterJob) -> dict[str, torch.Tensor]:
        session.load_task_adapter(store.open(one.kind, one.fingerprint))
        return {n: p.detach().clone() for n, p in session.model.named_parameters() if ".task." in n}

    ended, began, new = weights(first), weights(second), weights(fresh)
    assert all(torch.equal(ended[name], began[name]) for name in ended)
    assert not all(torch.equal(ended[name], new[name]) for name in ended)
    assert store.manifest(second.kind, second.fingerprint)["start"] == first.fingerprint


def test_the_last_block_may_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "BLOCK", 5)
    for count, sizes in ((0, []), (5, [5]), (10, [5, 5]), (11, [5, 5, 1])):
        data: Any = ToyData(f"blocks-{count}", pairs(1, count))
        assert [len(block) for block in recent.blocks_of(ToyTask(), data)] == sizes  # type: ignore[arg-type]
        assert [len(block) for block in recent.blocks_of(ToyTask(), data)] == sizes  # type: ignore[arg-type]
