"""One forward pass of the encoder with its task head, and predictions for a whole split."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from xleval.engine.batching import passes
from xleval.engine.loop import is_out_of_memory
from xleval.engine.session import TASK, Session
from xleval.events import Emit, Notice, silent
from xleval.tasks.family import Family, family_of
from xleval.tasks.features import Features, Ints

if TYPE_CHECKING:
    from xleval.tasks.spec import TaskSpec


def forward(session: Session, family: Family, features: Features, indices: Ints) -> tuple[Any, dict[str, Tensor]]:
    """The task head's scores for some examples, and what the family's ``gold`` gives, on the session's device."""
    inputs = features.inputs(indices, session.tokenizer.pad_token_id, session.pad_multiple, session.positions)
    gold = session.on_device(family.gold(features, indices, inputs["input_ids"].shape[1]))
    with session.autocast():
        encoded = session.model.base_model(**session.on_device(inputs))
        scores = family.scores(session.model.heads[TASK], encoded[0], encoded.get("pooler_output"), gold)
    return scores, gold


def predicted(
    session: Session, task: TaskSpec, rows: Sequence[Any], features: Features, options: Mapping[str, Any],
    budget: int, emit: Emit = silent, groups: Iterable[Ints] = (),
) -> list[Any]:  # fmt: skip
    """One prediction a row; batches by length under the token budget, halved when memory runs out.

    ``groups``: examples to take together, where what stands under them changes between groups; all of them once.
    """
    family = family_of(task.family)
    chosen: list[Any] = [None] * len(features)
    for group in groups or (np.arange(len(features)),):
        waiting = deque(passes(group, features.costs, budget))
        while waiting:
            indices = waiting.popleft()
            try:
                with torch.inference_mode():
                    scores, gold = forward(session, family, features, indices)
                    choices = family.choose(scores, gold, options)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or budget <= 16:
                    raise
                budget //= 2
                emit(Notice(f"out of memory while predicting; token budget halved to {budget}"))
                left = np.concatenate([indices, *waiting])
                waiting = deque(passes(left, features.costs, budget))
                continue
            for index, choice in zip(indices, choices, strict=True):
                chosen[index] = choice
    return family.assemble(chosen, features, rows, task.labels)
