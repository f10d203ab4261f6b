"""bf16: computed in half precision, trained in full. The same code runs under autocast on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conftest import ToyText, trained
from engine.test_mlm import alphabet_text
from xleval.engine.mlm import train_language_adapter
from xleval.engine.session import Session
from xleval.hyperparameters import group, merged
from xleval.jobs import LanguageAdapterJob, TaskAdapterJob
from xleval.recipe import LA


@pytest.fixture
def half(backbone: Any) -> Session:
    return Session(backbone, "cpu", "bf16")


def test_task_adapter_weights_stay_fp32_and_near(
    job: TaskAdapterJob, session: Any, half: Session, settings: dict[str, Any], tmp_path: Path
) -> None:
    scores, weights = [], []
    for name, one in (("fp32", session), ("bf16", half)):
        (result,) = trained([job], one, tmp_path / name, settings)
        scores.append(result.best_score)
        weights.append(list(one.trainable().values()))
        assert {p.dtype for p in weights[-1]} == {torch.float32}
    assert scores[0] == pytest.approx(scores[1], abs=0.2)  # 20 dev items
    assert any(not torch.equal(a, b) for a, b in zip(*weights, strict=True))  # it did compute in bf16
    assert all(torch.allclose(a, b, atol=0.05) for a, b in zip(*weights, strict=True))


def test_language_adapter_learns_in_bf16(half: Session, settings: dict[str, Any], tmp_path: Path) -> None:
    hyper = group(merged({"la.steps": 40, "la.batch": 8, "la.chunk": 16, "la.lr": 5e-3, "la.eval_every": 20}), "la")
    text = ToyText("t", "toy", alphabet_text(1, 200))
    job = LanguageAdapterJob("a" * 64, LA("swa"), hyper, (text,))  # type: ignore[arg-type]
    (out := tmp_path / "out").mkdir()
    result = train_language_adapter(job, half, tmp_path / "partial", out, settings)
    assert result.perplexity < result.perplexity_before
