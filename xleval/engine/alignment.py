"""[CLS] vectors of every layer: what the alignment analysis compares. The one part of it that needs a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from xleval.engine.batching import passes
from xleval.engine.session import Session
from xleval.engine.standing import standing_of
from xleval.jobs import ModuleJob, TaskAdapterJob
from xleval.store import Store
from xleval.tasks.family import family_of

if TYPE_CHECKING:
    from xleval.tasks.spec import TaskSpec

Vectors = npt.NDArray[np.float32]


class Aligner:
    """Encodes examples with a task adapter on a language module; loads an adapter only when it changes."""

    def __init__(self, session: Session, store: Store, token_budget: int = 0) -> None:
        self.session, self.store = session, store
        self.budget = token_budget or session.token_budget
        self._loaded: TaskAdapterJob | None = None

    def vectors(self, adapter: TaskAdapterJob, module: ModuleJob | None, rows: Sequence[Any]) -> Vectors:
        """(layers + 1, n, d): the first sub-word of every row after the embeddings and after each layer.

        Of a row that makes several sequences (choices, windows) it is the first one's. The embeddings have been
        through the module's invertible adapter, a layer through its adapters.
        """
        session = self.session
        if self._loaded != adapter:
            session.encode_with(None)
            session.load_task_adapter(self._folder(adapter))
            self._loaded = adapter
        session.stand_on(standing_of(self.store, module), adapter.drop_last)
        return first_vectors(session, adapter.task, rows, adapter.hyper, self.budget)

    def _folder(self, adapter: TaskAdapterJob) -> Path:
        return self.store.open(adapter.kind, adapter.fingerprint)


def first_vectors(
    session: Session, task: TaskSpec, rows: Sequence[Any], hyper: Mapping[str, Any], budget: int
) -> Vectors:
    """The same with what stands on the session now; ``budget`` in sub-words a forward pass, padding included."""
    features = family_of(task.family).features(rows, session.tokenizer, hyper)
    _, firsts = np.unique(features.rows, return_index=True)  # the first window of each row
    found: Vectors = np.empty((session.layers + 1, len(firsts), session.model.config.hidden_size), dtype=np.float32)
    costs = features.costs[firsts]
    for part in passes(np.arange(len(firsts)), costs, budget):
        examples = firsts[part]
        inputs = features.inputs(examples, session.tokenizer.pad_token_id, session.pad_multiple, session.positions)
        with torch.inference_mode(), session.autocast():
            states = session.model.base_model(**session.on_device(inputs), output_hidden_states=True).hidden_states
        counts = np.ones(len(part), int) if features.firsts is None else np.diff(features.firsts)[examples]
        sequences = torch.as_tensor(np.cumsum(counts) - counts, device=session.device)
        for layer, state in enumerate(states):
            found[layer, part] = state[sequences, 0].float().cpu().numpy()
    return found
