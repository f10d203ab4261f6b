"""One forward pass of the encoder with its task head, and logits for all sequences of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from xleval.engine.batching import by_length
from xleval.engine.loop import is_out_of_memory
from xleval.engine.session import TASK, Session
from xleval.events import Emit, Notice, silent
from xleval.tasks.features import Features


def forward(session: Session, batch: Mapping[str, npt.NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """Logits of the task head, and the labels, both on the session's device."""
    tensors = {key: torch.as_tensor(value).to(session.device, non_blocking=True) for key, value in batch.items()}
    labels = tensors.pop("labels")
    with session.autocast():
        logits: Tensor = session.model(**tensors, head=TASK).logits
    return logits, labels


def all_logits(session: Session, features: Features, budget: int, emit: Emit = silent) -> list[npt.NDArray[np.float32]]:
    """Logits of every sequence, in order, padding cut off; batches by length under the token budget.

    Shapes: (labels,) a sequence, or (its length, labels) where labels are per token.
    """
    pad, multiple = session.tokenizer.pad_token_id, pad_multiple(session)
    while True:
        try:
            found: list[Any] = [None] * len(features)
            with torch.inference_mode():
                for indices in by_length(features.lengths, budget):
                    logits, _ = forward(session, features.batch(indices, pad, multiple))
                    values = logits.float().cpu().numpy()
                    for row, index in enumerate(indices):
                        length = features.lengths[index]
                        # Copies, so that a batch's padded array is freed with the batch.
                        found[index] = (values[row, :length] if features.per_token else values[row]).copy()
            return found
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or budget <= 16:
                raise
            budget //= 2
            emit(Notice(f"out of memory while predicting; token budget halved to {budget}"))


def pad_multiple(session: Session) -> int:
    """Widths are rounded up to this: tensor cores like multiples of 8, CPUs do not care."""
    return 8 if session.device.type == "cuda" else 1
