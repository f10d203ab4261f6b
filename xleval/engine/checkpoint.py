"""Checkpoints of a training under way: safetensors and JSON, replaced as a whole.

They hold what the rest of a training depends on: trained weights, the best ones so far, AdamW's moments,
the random generator, and the position. Trainings that go side by side have one each, so that any of them can go on
alone. The order of the data is a function of (seed, epoch) and needs no
state. Files are written to a new folder, and a pointer file is renamed last: a kill at any moment leaves
the previous checkpoint or the new one.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xleval.store import replace_synced, sync, write_synced

_POINTER = "current.json"


class CorruptCheckpointError(Exception):
    """A checkpoint cannot be resumed from; the message says why."""


@dataclass(frozen=True)
class Piece:
    """A trained tensor: a parameter, or what lies at ``slot`` in the first dimension of a stacked one."""

    parameter: nn.Parameter
    slot: int | None = None

    def of(self, tensor: Tensor) -> Tensor:
        """This piece of a tensor that is shaped as the parameter; a view."""
        return tensor if self.slot is None else tensor[self.slot]

    @property
    def weight(self) -> Tensor:
        """Its value, without gradient; a view."""
        return self.of(self.parameter.detach())


#: What one training trains, by name.
Pieces = Mapping[str, Piece]


@dataclass
class State:
    """Position of a training; ``best`` are the selected weights in order of the pieces."""

    best: list[Tensor]
    step: int = 0
    best_step: int = 0
    best_score: float = -math.inf
    history: list[tuple[int, float]] = field(default_factory=list)
    stopped: bool = False
    seconds: float = 0.0
    token_budget: int = 0


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to resume from."""
    return (folder / _POINTER).is_file()


def step_of(folder: Path) -> int:
    """Steps done at the checkpoint; 0 if there is none, or none that can be read."""
    try:
        current = folder / json.loads((folder / _POINTER).read_text())["folder"]
        return int(json.loads((current / "position.json").read_text())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def save(folder: Path, state: State, pieces: Pieces, optimiser: torch.optim.Optimizer, device: torch.device) -> None:
    """Writes a checkpoint and removes the one before it."""
    new = folder / f"step-{state.step}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    tensors: dict[str, Tensor] = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    for (name, piece), best in zip(pieces.items(), state.best, strict=True):
        tensors[f"weight.{name}"] = piece.weight.contiguous()
        tensors[f"best.{name}"] = best.contiguous()
        if moments := optimiser.state.get(piece.parameter):  # none yet where no gradient ever came
            tensors[f"mean.{name}"] = piece.of(moments["exp_avg"]).contiguous()
            tensors[f"square.{name}"] = piece.of(moments["exp_avg_sq"]).contiguous()
    save_file(tensors, new / "state.safetensors")
    sync(new / "state.safetensors")
    position = {
        "step": state.step,
        "best_step": state.best_step,
        "best_score": None if math.isinf(state.best_score) else state.best_score,
        "history": state.history,
        "stopped": state.stopped,
        "seconds": state.seconds,
        "token_budget": state.token_budget,
    }
    write_synced(new / "position.json", json.dumps(position))
    replace_synced(folder / _POINTER, json.dumps({"folder": new.name}))
    for old in folder.glob("step-*"):
        if old != new:
            shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, pieces: Pieces, optimiser: torch.optim.Optimizer, device: torch.device) -> State:
    """Restores weights, optimiser and random generator in place; returns the position.

    Raises:
        CorruptCheckpointError: a file is missing, damaged, or of another training; nothing was changed.
    """
    try:
        current = folder / json.loads((folder / _POINTER).read_text())["folder"]
        position = json.loads((current / "position.json").read_text())
        tensors = load_file(current / "state.safetensors", device=str(device))
        score, history = position.pop("best_score"), [(int(s), float(v)) for s, v in position.pop("history")]
        best = [tensors[f"best.{name}"] for name in pieces]
        weights = [tensors[f"weight.{name}"] for name in pieces]
        if any(w.shape != piece.weight.shape for w, piece in zip(weights, pieces.values(), strict=True)):
            raise ValueError("weights of another shape")
        state = State(best=best, best_score=-math.inf if score is None else score, history=history, **position)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CorruptCheckpointError(f"{folder}: {error}") from error
    for (name, piece), weight in zip(pieces.items(), weights, strict=True):
        piece.weight.copy_(weight)
        if f"mean.{name}" in tensors:
            moments = optimiser.state[piece.parameter]
            if not moments:
                moments |= {key: torch.zeros_like(piece.parameter) for key in ("exp_avg", "exp_avg_sq")}
            moments["step"] = torch.tensor(float(state.step))
            piece.of(moments["exp_avg"]).copy_(tensors[f"mean.{name}"])
            piece.of(moments["exp_avg_sq"]).copy_(tensors[f"square.{name}"])
    torch.set_rng_state(tensors["random.cpu"].cpu())
    if "random.cuda" in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"].cpu(), device)
    return state
