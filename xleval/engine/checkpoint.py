"""Checkpoints of a training under way: safetensors and JSON, replaced as a whole.

They hold what the rest of the training depends on: trained weights, the best ones so far, AdamW's moments,
the random generator, and the position. The order of the data is a function of (seed, epoch) and needs no
state. Files are written to a new folder, and a pointer file is renamed last: a kill at any moment leaves
the previous checkpoint or the new one.
"""

from __future__ import annotations

import json
import math
import shutil
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


@dataclass
class State:
    """Position of a training; ``best`` are the selected weights in order of the parameters."""

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


def save(
    folder: Path,
    state: State,
    names: list[str],
    parameters: list[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> None:
    """Writes a checkpoint and removes the one before it."""
    new = folder / f"step-{state.step}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    tensors: dict[str, Tensor] = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    for name, parameter, best in zip(names, parameters, state.best, strict=True):
        tensors[f"weight.{name}"] = parameter.detach().contiguous()
        tensors[f"best.{name}"] = best.contiguous()
        if moments := optimiser.state.get(parameter):  # none yet where no gradient ever came
            tensors[f"mean.{name}"] = moments["exp_avg"].contiguous()
            tensors[f"square.{name}"] = moments["exp_avg_sq"].contiguous()
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


def load(
    folder: Path,
    names: list[str],
    parameters: list[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> State:
    """Restores weights, optimiser and random generator in place; returns the position.

    Raises:
        CorruptCheckpointError: a file is missing, damaged, or of another training; nothing was changed.
    """
    try:
        current = folder / json.loads((folder / _POINTER).read_text())["folder"]
        position = json.loads((current / "position.json").read_text())
        tensors = load_file(current / "state.safetensors", device=str(device))
        score, history = position.pop("best_score"), [(int(s), float(v)) for s, v in position.pop("history")]
        best = [tensors[f"best.{name}"] for name in names]
        weights = [tensors[f"weight.{name}"] for name in names]
        if any(w.shape != p.shape for w, p in zip(weights, parameters, strict=True)):
            raise ValueError("weights of another shape")
        state = State(best=best, best_score=-math.inf if score is None else score, history=history, **position)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CorruptCheckpointError(f"{folder}: {error}") from error
    for name, parameter, weight in zip(names, parameters, weights, strict=True):
        parameter.data.copy_(weight)
        if f"mean.{name}" in tensors:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": tensors[f"mean.{name}"],
                "exp_avg_sq": tensors[f"square.{name}"],
            }
    torch.set_rng_state(tensors["random.cpu"].cpu())
    if "random.cuda" in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"].cpu(), device)
    return state
