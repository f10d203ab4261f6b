"""The training loop: the same for language adapters (MLM) and task adapters.

AdamW with linear decay to zero and no warm-up, gradient clipping, checkpoint selection, resumption after a
kill, and a stop at the first loss that is not finite. What differs between trainings is in :class:`Training`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xleval.engine import checkpoint
from xleval.events import Emit, Notice, WorkProgress, WorkStarted, silent
from xleval.interrupt import shielded

#: Losses are looked at in groups of this many steps: reading one waits for the device.
_LOOK_EVERY = 10


class TrainingFailedError(Exception):
    """Training cannot go on; the message says where it stood."""


@dataclass
class Training:
    """One training. ``losses(step, budget)`` yields the terms of a step's loss, one a forward pass.

    The terms add up to the mean over the step's examples (or words), however many passes the token budget
    makes of them. ``evaluate()`` gives the selection score (higher is better) in the current state.
    ``where(step)`` says in words what a step stands on, for failures.
    """

    key: str
    label: str
    parameters: Mapping[str, nn.Parameter]
    steps: int
    lr: float
    losses: Callable[[int, int], Iterator[Tensor]]
    evaluate: Callable[[], float]
    eval_every: int
    mode: Callable[[bool], Any]
    device: torch.device
    token_budget: int
    clip: float = 1.0
    weight_decay: float = 0.0
    patience: int = 0
    select: str = "best"
    checkpoint_seconds: float = 60.0
    where: Callable[[int], str] = field(default=lambda step: f"step {step}")


@dataclass(frozen=True)
class Trained:
    """How a training went. ``history``: (steps done, selection score) of every evaluation."""

    steps: int
    best_step: int
    best_score: float
    history: tuple[tuple[int, float], ...]
    seconds: float
    token_budget: int


def fit(training: Training, folder: Path, seed: int, emit: Emit = silent) -> Trained:
    """Trains to the end, from the checkpoint in ``folder`` if there is one; leaves the selected weights.

    Raises:
        TrainingFailedError: a loss or score that is not finite; out of memory with one example a pass.
        KeyboardInterrupt: on Ctrl-C, after the current step and a checkpoint.
    """
    names, parameters = list(training.parameters), list(training.parameters.values())
    optimiser = torch.optim.AdamW(parameters, lr=training.lr, weight_decay=training.weight_decay)
    state = checkpoint.State(best=[p.detach().clone() for p in parameters])
    torch.manual_seed(seed)  # dropout
    if checkpoint.exists(folder):
        try:
            state = checkpoint.load(folder, names, parameters, optimiser, training.device)
        except checkpoint.CorruptCheckpointError as error:
            emit(Notice(f"{training.label}: checkpoint cannot be read, training from the start ({error})"))
    emit(WorkStarted(training.key, training.label, training.steps, state.step))
    budget = state.token_budget or training.token_budget
    pending: list[Tensor] = []
    started = saved = time.monotonic()
    training.mode(True)
    with shielded() as interrupted:
        while state.step < training.steps and not state.stopped:
            step = state.step
            for group in optimiser.param_groups:
                group["lr"] = training.lr * (training.steps - step) / training.steps
            loss, budget = _backward(training, step, budget, emit)
            nn.utils.clip_grad_norm_(parameters, training.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            pending.append(loss)
            state.step += 1
            evaluating = state.step % training.eval_every == 0 or state.step == training.steps
            due = time.monotonic() - saved >= training.checkpoint_seconds
            if len(pending) >= _LOOK_EVERY or evaluating or due or interrupted():
                emit(WorkProgress(training.key, state.step, {"loss": _look(pending, training, step)}))
                pending = []
            if evaluating:
                _evaluate(training, state, parameters, emit)
            stopping = interrupted()
            if due or stopping:
                if pending:  # nothing unseen gets into a checkpoint
                    _look(pending, training, step)
                    pending = []
                now = saved = time.monotonic()
                state.seconds, started, state.token_budget = state.seconds + now - started, now, budget
                checkpoint.save(folder, state, names, parameters, optimiser, training.device)
            if stopping:
                break
    if training.select == "best":
        torch._foreach_copy_([p.data for p in parameters], state.best)
    else:
        state.best_step, state.best_score = state.history[-1]
    training.mode(False)
    seconds = state.seconds + time.monotonic() - started
    return Trained(state.step, state.best_step, state.best_score, tuple(state.history), round(seconds, 3), budget)


def _backward(training: Training, step: int, budget: int, emit: Emit) -> tuple[Tensor, int]:
    """Gradients of one step; when memory runs out, again with half the token budget."""
    # The generator's state is kept so that a repeated step draws the dropout that it drew before.
    random = _random_state(training.device)
    while True:
        try:
            total = torch.zeros((), device=training.device)
            for loss in training.losses(step, budget):
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
            return total, budget
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            for parameter in training.parameters.values():
                parameter.grad = None
            if budget <= 16:
                raise TrainingFailedError(f"out of memory at {training.where(step)} with one example a pass") from error
            budget //= 2
            if training.device.type == "cuda":
                torch.cuda.empty_cache()
            _set_random_state(random, training.device)
            emit(Notice(f"{training.label}: out of memory; token budget halved to {budget}"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the device or the host has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _look(pending: list[Tensor], training: Training, last: int) -> float:
    losses = torch.stack(pending).tolist()
    for index, loss in enumerate(losses):
        if not math.isfinite(loss):
            step = last - len(losses) + 1 + index
            raise TrainingFailedError(
                f"loss is {loss} at {training.where(step)}: lower the learning rate or look at the data"
            )
    return float(sum(losses) / len(losses))


def _evaluate(training: Training, state: checkpoint.State, parameters: list[nn.Parameter], emit: Emit) -> None:
    training.mode(False)
    score = training.evaluate()
    training.mode(True)
    if not math.isfinite(score):
        raise TrainingFailedError(f"dev score is {score} after step {state.step}")
    state.history.append((state.step, score))
    if score > state.best_score:
        state.best_score, state.best_step = score, state.step
        torch._foreach_copy_(state.best, [p.detach() for p in parameters])
    emit(WorkProgress(training.key, state.step, {"dev": score}))
    since = sum(1 for step, _ in state.history if step > state.best_step)
    state.stopped = bool(training.patience) and since >= training.patience


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
