"""Sentences and sentence pairs: XNLI, AmericasNLI and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.tasks.family import flatten, offsets_of
from xleval.tasks.features import Features
from xleval.tasks.sources import SequenceRow

if TYPE_CHECKING:
    from torch import Tensor


class SequenceClassification:
    """One label a text or pair of texts, from the first sub-word."""

    def features(self, rows: Sequence[SequenceRow], tokenizer: Any, max_length: int) -> Features:
        """Pairs are cut from the longer text first; segment ids are kept where the encoder has them."""
        texts = [row.text_a for row in rows]
        pairs = [row.text_b or "" for row in rows] if any(row.text_b is not None for row in rows) else None
        encoded = tokenizer(texts, pairs, truncation=True, max_length=max_length, return_attention_mask=False)
        ids = encoded["input_ids"]
        segments = encoded.get("token_type_ids")
        return Features(
            ids=flatten(ids, np.int32),
            offsets=offsets_of(ids),
            segments=None if segments is None else flatten(segments, np.int8),
            targets=np.array([row.label for row in rows], dtype=np.int32),
            rows=np.arange(len(rows)),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Mapping[str, Any]) -> None:
        """``pooler``: the encoder's pooler and one linear layer; ``two-layer``: dense, tanh, linear."""
        pooler = hyper["head"] == "pooler"
        model.add_classification_head(
            name,
            num_labels=len(labels),
            layers=1 if pooler else 2,
            use_pooler=pooler,
            id2label=dict(enumerate(labels)),
        )

    def loss_sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy summed over sequences; logits (b, labels), labels (b,)."""
        from torch.nn import functional

        return functional.cross_entropy(logits.float(), labels, reduction="sum")

    def targets(self, features: Features, indices: npt.NDArray[np.int64]) -> int:
        """One a sequence."""
        return len(indices)

    def decode(
        self,
        logits: Sequence[npt.NDArray[np.float32]],
        features: Features,
        rows: Sequence[SequenceRow],
        labels: Sequence[str],
    ) -> list[str]:
        """The label with the highest logit; logits (labels,) a sequence."""
        return [labels[int(values.argmax())] for values in logits]


FAMILY = SequenceClassification()
