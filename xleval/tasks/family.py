"""What a task family is: everything that differs between classifying sentences and tagging words.

A family turns rows into features, puts a head on the model, computes the loss, decodes logits into
predictions. Scoring (predictions and gold → counts) lives in ``xleval.scoring`` and needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from xleval.tasks.features import Features

if TYPE_CHECKING:
    from torch import Tensor


class Family(Protocol):
    """One module of ``xleval.tasks`` has one of these under the name ``FAMILY``."""

    def features(self, rows: Sequence[Any], tokenizer: Any, max_length: int) -> Features:
        """Rows tokenised, at most ``max_length`` sub-words a sequence, special ones included."""

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Mapping[str, Any]) -> None:
        """Adds a prediction head of the adapters library; its weights come from torch's generator."""

    def loss_sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum of the losses of all targets: the engine divides by the number in the whole step."""

    def targets(self, features: Features, indices: npt.NDArray[np.int64]) -> int:
        """Number of targets of some sequences: what the mean loss of a step divides by."""

    def decode(
        self, logits: Sequence[npt.NDArray[np.float32]], features: Features, rows: Sequence[Any], labels: Sequence[str]
    ) -> list[Any]:
        """One prediction a row, in label names, from the logits of each sequence."""


_MODULES = {
    "sequence-classification": "xleval.tasks.sequence_classification",
    "token-classification": "xleval.tasks.token_classification",
}


def family_of(name: str) -> Family:
    """The family under a spec's ``family``."""
    family: Family = import_module(_MODULES[name]).FAMILY
    return family


def flatten(sequences: Sequence[Sequence[int]], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Sequences one after the other."""
    return np.fromiter((value for sequence in sequences for value in sequence), dtype=dtype)


def offsets_of(sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """(n + 1,) where each sequence starts and ends in :func:`flatten`'s array."""
    return np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
