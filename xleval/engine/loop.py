"""The training loop: the same for language adapters (MLM) and task adapters, for one training and for several.

AdamW with linear decay to zero and no warm-up, gradient clipping, checkpoint selection, resumption after a
kill, and a stop at the first loss that is not finite. What differs between trainings is in :class:`Training`.
Trainings that go side by side take the same steps at the same rate; each has its gradients clipped, its checkpoint
selected and its failure found by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xleval.engine import checkpoint
from xleval.engine.checkpoint import Pieces, State
from xleval.events import Emit, Notice, WorkProgress, WorkStarted, silent
from xleval.interrupt import shielded

#: Losses are looked at in groups of this many steps: reading one waits for the device.
_LOOK_EVERY = 10


class TrainingFailedError(Exception):
    """Training cannot go on; the message says where it stood."""


@dataclass
class Member:
    """One of the trainings that go side by side: what it trains, and the folder of its checkpoints.

    ``where(step)`` says in words what a step stands on, for failures.
    """

    key: str
    label: str
    pieces: Pieces
    folder: Path
    where: Callable[[int], str] = field(default=lambda step: f"step {step}")


@dataclass
class Training:
    """Trainings side by side. ``losses(step, budget)`` yields the terms of a step's losses, (members,) each.

    A member's terms add up to the mean over its step's examples (or words), however many passes the token budget
    makes of them. ``evaluate()`` gives each member's selection score (higher is better) in the current state.
    """

    members: Sequence[Member]
    steps: int
    lr: float
    losses: Callable[[int, int], Iterator[Tensor]]
    evaluate: Callable[[], Sequence[float]]
    eval_every: int
    mode: Callable[[bool], Any]
    device: torch.device
    token_budget: int
    clip: float = 1.0
    weight_decay: float = 0.0
    patience: int = 0
    select: str = "best"
    checkpoint_seconds: float = 60.0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that is trained, each once."""
        return list(dict.fromkeys(piece.parameter for member in self.members for piece in member.pieces.values()))


@dataclass(frozen=True)
class Trained:
    """How a training went. ``history``: (steps done, selection score) of every evaluation.

    ``seconds``: its share of the time, where several went side by side.
    """

    steps: int
    best_step: int
    best_score: float
    history: tuple[tuple[int, float], ...]
    seconds: float
    token_budget: int


def fit(training: Training, seed: int, emit: Emit = silent) -> list[Trained | TrainingFailedError]:
    """Trains to the end, from checkpoints if there are any; leaves the selected weights. One result a member.

    Members that have checkpoints have them at the same step. ``seed``: of torch's generator.

    Raises:
        TrainingFailedError: out of memory with one example a pass.
        KeyboardInterrupt: on Ctrl-C, after the current step and checkpoints.
    """
    return _Fit(training, seed, emit).run()


class _Fit:
    def __init__(self, training: Training, seed: int, emit: Emit) -> None:
        self.training, self.emit = training, emit
        self.parameters = training.parameters
        pieces = [list(member.pieces.values()) for member in training.members]
        self.stacked = [piece.parameter for piece in pieces[0] if piece.slot is not None]
        self.own = [[piece.parameter for piece in some if piece.slot is None] for some in pieces]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=training.lr, weight_decay=training.weight_decay)
        torch.manual_seed(seed)  # dropout of what has no generator of its own
        self.states = self._start()
        self.failed: dict[int, TrainingFailedError] = {}
        self.step = self.states[0].step
        self.budget = self.states[0].token_budget or training.token_budget
        self.pending: list[Tensor] = []
        self.looked = time.monotonic()

    @property
    def going(self) -> list[int]:
        """Members that neither failed nor ran out of patience."""
        return [i for i, state in enumerate(self.states) if i not in self.failed and not state.stopped]

    def run(self) -> list[Trained | TrainingFailedError]:
        training = self.training
        saved = self.looked = time.monotonic()
        training.mode(True)
        with shielded() as interrupted:
            while self.step < training.steps and self.going:
                self._advance()
                evaluating = self.step % training.eval_every == 0 or self.step == training.steps
                due = time.monotonic() - saved >= training.checkpoint_seconds
                if len(self.pending) >= _LOOK_EVERY or evaluating or due or interrupted():
                    self._look()
                if evaluating:
                    self._evaluate()
                stopping = interrupted()
                if due or stopping:
                    self._look()  # nothing unseen gets into a checkpoint
                    self._save()
                    saved = time.monotonic()
                if stopping:
                    break
        training.mode(False)
        self._share_time()
        return [self.failed.get(i) or self._finish(i) for i in range(len(training.members))]

    def _start(self) -> list[State]:
        training, states = self.training, list[State]()
        for member in training.members:
            state = State(best=[piece.weight.clone() for piece in member.pieces.values()])
            if checkpoint.exists(member.folder):
                try:
                    state = checkpoint.load(member.folder, member.pieces, self.optimiser, training.device)
                except checkpoint.CorruptCheckpointError as error:
                    text = f"{member.label}: checkpoint cannot be read, training from the start ({error})"
                    self.emit(Notice(text))
            states.append(state)
            self.emit(WorkStarted(member.key, member.label, training.steps, state.step))
        return states

    def _advance(self) -> None:
        training = self.training
        for group in self.optimiser.param_groups:
            group["lr"] = training.lr * (training.steps - self.step) / training.steps
        losses = self._backward()
        self._clip()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.pending.append(losses)
        self.step += 1

    def _backward(self) -> Tensor:
        """Gradients of one step; when memory runs out, again with half the token budget. Losses, (members,)."""
        training = self.training
        # The generator's state is kept so that a repeated step draws the dropout that it drew before.
        random = _random_state(training.device)
        while True:
            try:
                total = torch.zeros(len(training.members), device=training.device)
                for losses in training.losses(self.step, self.budget):
                    losses.sum().backward()  # type: ignore[no-untyped-call]
                    total += losses.detach()
                return total
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self.optimiser.zero_grad(set_to_none=True)
                first = training.members[0]
                if self.budget <= 16:
                    text = f"out of memory at {first.where(self.step)} with one example a pass"
                    raise TrainingFailedError(text) from error
                self.budget //= 2
                if training.device.type == "cuda":
                    torch.cuda.empty_cache()
                _set_random_state(random, training.device)
                self.emit(Notice(f"{first.label}: out of memory; token budget halved to {self.budget}"))

    def _clip(self) -> None:
        """Scales each member's gradients to a norm of at most ``clip``."""
        members, limit = self.training.members, self.training.clip
        if len(members) == 1:
            nn.utils.clip_grad_norm_(self.parameters, limit)
            return
        squares = torch.zeros(len(members), device=self.training.device)
        stacked = [p.grad.flatten(1) for p in self.stacked if p.grad is not None]
        for gradient in stacked:
            squares += gradient.square().sum(dim=1)
        own = [[p.grad for p in some if p.grad is not None] for some in self.own]
        if any(own):
            norms = [torch.stack(torch._foreach_norm(some)) if some else squares.new_zeros(1) for some in own]
            squares += torch.stack([norm.square().sum() for norm in norms])
        scales = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for gradient in stacked:
            gradient.mul_(scales[:, None])
        for some, scale in zip(own, scales.unbind(), strict=True):
            if some:
                torch._foreach_mul_(some, scale)

    def _look(self) -> None:
        """Reads the losses of the last steps: a member whose loss is not finite has failed."""
        if not self.pending:
            return
        losses, first = torch.stack(self.pending).tolist(), self.step - len(self.pending)
        self.pending = []
        for index in self.going:
            member, mine = self.training.members[index], [row[index] for row in losses]
            bad = next((i for i, loss in enumerate(mine) if not math.isfinite(loss)), None)
            if bad is None:
                mean = sum(mine) / len(mine)
                self.emit(WorkProgress(member.key, self.step, {"loss": mean}))
                continue
            where = member.where(first + bad)
            self._fail(index, f"loss is {mine[bad]} at {where}: lower the learning rate or look at the data")

    def _fail(self, index: int, text: str) -> None:
        self.failed[index] = TrainingFailedError(text)

    def _evaluate(self) -> None:
        training = self.training
        training.mode(False)
        scores = training.evaluate()
        training.mode(True)
        for index in self.going:
            state, member, score = self.states[index], training.members[index], scores[index]
            if not math.isfinite(score):
                self._fail(index, f"dev score is {score} after step {self.step}")
                continue
            state.history.append((self.step, score))
            if score > state.best_score or training.select == "last":
                state.best_score, state.best_step = score, self.step
                torch._foreach_copy_(state.best, [piece.weight for piece in member.pieces.values()])
            self.emit(WorkProgress(member.key, self.step, {"dev": score}))
            since = sum(1 for step, _ in state.history if step > self._peak(state))
            state.stopped = bool(training.patience) and since >= training.patience
            state.step = self.step

    @staticmethod
    def _peak(state: State) -> int:
        """The first step of the best score so far."""
        return max(state.history, key=lambda point: point[1])[0]

    def _share_time(self) -> None:
        now = time.monotonic()
        for state in self.states:
            state.seconds += (now - self.looked) / len(self.states)
        self.looked = now

    def _save(self) -> None:
        self._share_time()
        for index, (state, member) in enumerate(zip(self.states, self.training.members, strict=True)):
            if index in self.failed:
                continue
            if not state.stopped:
                state.step, state.token_budget = self.step, self.budget
            checkpoint.save(member.folder, state, member.pieces, self.optimiser, self.training.device)

    def _finish(self, index: int) -> Trained:
        state = self.states[index]
        pieces = self.training.members[index].pieces.values()
        torch._foreach_copy_([piece.weight for piece in pieces], state.best)
        history = tuple(state.history)
        return Trained(state.step, state.best_step, state.best_score, history, round(state.seconds, 3), self.budget)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the device or the host has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
