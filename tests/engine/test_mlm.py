"""Language adapters: chunks, masks, what trains, perplexity that falls, resumption."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.conftest import ToyText
from xleval.engine.mlm import train_language_adapter
from xleval.engine.text import cut, mask
from xleval.errors import UserError
from xleval.events import WorkProgress
from xleval.hyperparameters import group, merged
from xleval.jobs import LanguageAdapterJob
from xleval.recipe import LA


def alphabet_text(seed: int, lines: int) -> tuple[str, ...]:
    """Letters that follow each other in the alphabet: a language that can be learnt."""
    draw, made = random.Random(seed), []
    for _ in range(lines):
        start = draw.randint(0, 25)
        made.append(" ".join(chr(97 + (start + i) % 26) for i in range(20)))
    return tuple(made)


@pytest.fixture
def job() -> LanguageAdapterJob:
    hyper = group(merged({"la.steps": 80, "la.batch": 8, "la.chunk": 16, "la.lr": 5e-3, "la.eval_every": 20}), "la")
    text = ToyText("t", "toy", alphabet_text(1, 200))
    return LanguageAdapterJob("a" * 64, LA("swa"), hyper, (text,))  # type: ignore[arg-type]


def test_chunks_are_running_text_without_padding(session: Any) -> None:
    chunks = cut(["a b", "c d e"], session.tokenizer, 4)
    tokens = session.tokenizer.convert_ids_to_tokens(chunks.ravel())
    assert tokens == ["[CLS]", "a", "b", "[SEP]", "[CLS]", "c", "d", "e"]  # what fills no chunk is dropped
    assert cut(["a"], session.tokenizer, 64).shape[0] == 0


def test_masking_follows_devlin(session: Any) -> None:
    chunks = cut(list(alphabet_text(2, 3000)), session.tokenizer, 32)
    inputs, labels = mask(chunks, session.tokenizer, 0.15, (1, 2))
    special = np.isin(chunks, session.tokenizer.all_special_ids)
    chosen = labels != -100
    assert not (chosen & special).any()
    assert chosen[~special].mean() == pytest.approx(0.15, abs=0.005)
    assert (labels[chosen] == chunks[chosen]).all()
    assert (inputs[~chosen] == chunks[~chosen]).all()
    masked = inputs[chosen] == session.tokenizer.mask_token_id
    same = inputs[chosen] == chunks[chosen]
    assert masked.mean() == pytest.approx(0.8, abs=0.02)
    assert same.mean() == pytest.approx(0.1, abs=0.02)
    again, _ = mask(chunks, session.tokenizer, 0.15, (1, 2))
    other, _ = mask(chunks, session.tokenizer, 0.15, (1, 3))
    assert (again == inputs).all()
    assert (other != inputs).any()


def test_perplexity_falls_and_the_adapter_loads_plainly(
    job: LanguageAdapterJob, session: Any, backbone: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    from adapters import AutoAdapterModel

    (out := tmp_path / "out").mkdir()
    result = train_language_adapter(job, session, tmp_path / "partial", out, settings)
    assert result.trained.steps == 80
    scores = [score for _, score in result.trained.history]
    assert len(scores) == 4
    assert result.trained.best_score == max(scores)
    assert result.perplexity < 0.85 * result.perplexity_before  # the encoder is random, and frozen
    model = AutoAdapterModel.from_pretrained(backbone.path())
    assert model.load_adapter(str(out), use_safetensors=True) == "swa"
    config = model.adapters_config.get("swa")
    assert (config.reduction_factor, config.inv_adapter, config.inv_adapter_reduction_factor) == (2, "nice", 2)
    assert sorted(p.name for p in out.iterdir()) == ["adapter.safetensors", "adapter_config.json"]


@pytest.mark.parametrize("head", ["trained", "frozen"])
def test_only_the_adapter_and_the_head_train(
    head: str, job: LanguageAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: Any
) -> None:
    model = session.masked_lm()
    monkeypatch.setattr(session, "masked_lm", lambda: model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    (out := tmp_path / "out").mkdir()
    train_language_adapter(
        replace(job, hyper={**job.hyper, "head": head, "steps": 3}), session, tmp_path / "p", out, settings
    )
    changed = {n for n, p in model.named_parameters() if n in before and not torch.equal(p, before[n])}
    assert bool(changed) == (head == "trained")
    assert all(name.startswith("cls.predictions.") and "decoder.weight" not in name for name in changed)
    assert torch.equal(model.get_input_embeddings().weight, before["bert.embeddings.word_embeddings.weight"])


def test_resumed_training_is_equal_bit_for_bit(
    job: LanguageAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    class StoppedError(Exception):
        pass

    def stop(event: Any) -> None:
        if isinstance(event, WorkProgress) and "loss" in event.info and event.done >= 33:
            raise StoppedError

    for name in ("whole", "resumed"):
        (tmp_path / name).mkdir()
    train_language_adapter(job, session, tmp_path / "p1", tmp_path / "whole", settings)
    always = {**settings, "checkpoint_seconds": 0}
    with pytest.raises(StoppedError):
        train_language_adapter(job, session, tmp_path / "p2", tmp_path / "resumed", always, stop)
    train_language_adapter(job, session, tmp_path / "p2", tmp_path / "resumed", always)
    whole, resumed = (load_file(tmp_path / n / "adapter.safetensors") for n in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_too_little_text_is_refused(
    job: LanguageAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    short = replace(job, texts=(ToyText("t", "toy.txt", ("a b",)),))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"'swa' .toy\.txt. makes 0 chunks"):
        train_language_adapter(short, session, tmp_path / "p", tmp_path, settings)
