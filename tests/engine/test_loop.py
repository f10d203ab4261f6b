"""Resumption, failures, interruption, memory: what a long training meets."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conftest import trained
from xleval.engine import checkpoint
from xleval.engine import loop as loop_module
from xleval.engine.checkpoint import Piece
from xleval.engine.encoder import Encoder, Inputs
from xleval.engine.loop import TrainingFailedError
from xleval.events import Event, Notice, WorkProgress, WorkStarted
from xleval.jobs import TaskAdapterJob


def run(job: TaskAdapterJob, session: Any, folder: Path, settings: dict[str, Any], emit: Any = lambda e: None) -> Any:
    (result,) = trained([job], session, folder, settings, emit)
    return result, {n: p.detach().clone() for n, p in session.trainable().items()}


class StoppedError(Exception):
    """Stands for a kill."""


def stop_at(step: int, after: int | None = None) -> Any:
    def emit(event: Event) -> None:
        if isinstance(event, WorkProgress) and "loss" in event.info and event.done >= step:
            raise StoppedError

    return emit


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_two_trainings_are_equal_bit_for_bit(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    (first, a), (second, b) = (run(job, session, tmp_path / name, settings) for name in "ab")
    assert_same(a, b)
    assert first.history == second.history


def test_seeds_differ(job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    _, a = run(job, session, tmp_path / "a", settings)
    _, b = run(replace(job, seed=4), session, tmp_path / "b", settings)
    assert any(not torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("step", [1, 6, 9, 15])
def test_resumed_training_is_equal_bit_for_bit(
    step: int, job: TaskAdapterJob, backbone: Any, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    from xleval.engine.session import Session

    whole, expected = run(job, session, tmp_path / "whole", settings)
    always = {**settings, "checkpoint_seconds": 0}
    with pytest.raises(StoppedError):
        run(job, session, tmp_path / "killed", always, stop_at(step))
    started: list[WorkStarted] = []
    fresh = Session(backbone, "cpu", "fp32")
    torch.manual_seed(99)  # a new process has another generator
    resumed, weights = run(
        job, fresh, tmp_path / "killed", always, lambda e: started.append(e) if isinstance(e, WorkStarted) else None
    )
    assert started[0].done == max(step - 1, 0)  # from its checkpoint, not from the start
    assert_same(expected, weights)
    assert whole.history == resumed.history


@pytest.mark.parametrize("name", ["state.safetensors", "position.json"])
def test_a_damaged_checkpoint_means_a_fresh_start(
    name: str, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    _, expected = run(job, session, tmp_path / "whole", settings)
    with pytest.raises(StoppedError):
        run(job, session, tmp_path / "killed", {**settings, "checkpoint_seconds": 0}, stop_at(6))
    (file,) = (tmp_path / "killed").rglob(name)
    file.write_bytes(file.read_bytes()[:20])
    notices: list[str] = []
    _, weights = run(
        job, session, tmp_path / "killed", settings,
        lambda e: notices.append(e.text) if isinstance(e, Notice) else None,
    )  # fmt: skip
    assert "training from the start" in notices[0]
    assert_same(expected, weights)


def test_interrupt_finishes_the_step_and_leaves_a_checkpoint(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    sent: list[int] = []

    def emit(event: Event) -> None:
        if isinstance(event, WorkProgress) and event.done >= 5 and not sent:
            sent.append(event.done)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(job, session, tmp_path, settings, emit)
    assert checkpoint.exists(tmp_path / "store" / "partial" / job.fingerprint)
    assert signal.getsignal(signal.SIGINT) is before


def test_loss_that_is_not_finite_says_where(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xleval.tasks.sequence_classification import SequenceClassification

    original, calls = SequenceClassification.loss_sum, []

    def poisoned(self: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        loss = original(self, logits, labels)
        return loss * float("nan") if len(calls) == 4 else loss

    monkeypatch.setattr(SequenceClassification, "loss_sum", poisoned)
    with pytest.raises(TrainingFailedError, match=r"loss is nan at step 3 of 16, on LA\(swa\)"):
        run(job, session, tmp_path, settings)
    assert not checkpoint.exists(tmp_path / "store" / "partial" / job.fingerprint)


def test_out_of_memory_halves_the_budget_and_says_so(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Encoder.__call__

    def small(self: Encoder, inputs: Inputs, *given: Any, **more: Any) -> torch.Tensor:
        if inputs.ids.numel() > 200:
            raise torch.OutOfMemoryError("made up")
        return original(self, inputs, *given, **more)

    monkeypatch.setattr(Encoder, "__call__", small)
    notices: list[str] = []
    trained, _ = run(
        job, session, tmp_path, {**settings, "token_budget": 1000},
        lambda e: notices.append(e.text) if isinstance(e, Notice) else None,
    )  # fmt: skip
    assert trained.token_budget <= 250
    assert any("halved to 500" in text for text in notices)
    assert trained.steps == 16


def test_out_of_memory_with_one_example_fails(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(Encoder, "__call__", never)
    with pytest.raises(TrainingFailedError, match="out of memory at step 0 of 16"):
        run(job, session, tmp_path, settings)


def test_best_checkpoint_is_kept_and_patience_stops(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    scores: Iterator[float] = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    seen: list[float] = []

    def losses(step: int, budget: int) -> Iterator[torch.Tensor]:
        yield -weight

    def evaluate() -> list[float]:
        seen.append(float(weight.detach()))
        return [next(scores)]

    training = loop_module.Training(
        members=[loop_module.Member("k", "toy", {"w": Piece(weight)}, tmp_path)], steps=60, lr=0.1, losses=losses,
        evaluate=evaluate, eval_every=10, mode=lambda on: None, device=torch.device("cpu"), token_budget=100,
        patience=3,
    )  # fmt: skip
    (trained,) = loop_module.fit(training, 0)
    assert isinstance(trained, loop_module.Trained)
    assert trained.best_step == 20  # the first of equal scores
    assert trained.steps == 50  # three evaluations without a gain
    assert float(weight.detach()) == seen[1]


def test_learning_rate_decays_to_zero(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    values: list[float] = []

    def losses(step: int, budget: int) -> Iterator[torch.Tensor]:
        values.append(float(weight.detach()))
        yield -weight

    training = loop_module.Training(
        members=[loop_module.Member("k", "toy", {"w": Piece(weight)}, tmp_path)], steps=4, lr=0.4, losses=losses,
        evaluate=lambda: [float(weight.detach())],
        eval_every=100, mode=lambda on: None, device=torch.device("cpu"), token_budget=100, select="last",
    )  # fmt: skip
    loop_module.fit(training, 0)
    steps = [b - a for a, b in zip([*values], [*values[1:], float(weight.detach())], strict=True)]
    assert steps == pytest.approx([0.4, 0.3, 0.2, 0.1], rel=1e-6)  # AdamW moves by the learning rate here
