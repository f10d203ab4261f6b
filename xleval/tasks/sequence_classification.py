"""Sentences and sentence pairs: XNLI, PAWS-X, AmericasNLI and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.tasks.family import Hyper, through
from xleval.tasks.features import Arrays, Features, Ints, flatten, offsets_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LabelFeatures(Features):
    """labels: (n,) int32, one an example."""

    labels: npt.NDArray[np.int32]


class SequenceClassification:
    """One label a text or pair of texts, from the first sub-word."""

    first_only = True
    kind: type[Features] = LabelFeatures

    def features(self, rows: Sequence[Any], tokenizer: Any, hyper: Hyper) -> LabelFeatures:
        """Pairs are cut from the longer text first; segment ids are kept where the encoder has them."""
        texts = [row.text_a for row in rows]
        pairs = [row.text_b or "" for row in rows] if any(row.text_b is not None for row in rows) else None
        return LabelFeatures(
            **tokenised(tokenizer, texts, pairs, hyper["max_length"]),
            rows=np.arange(len(rows)),
            labels=np.array([row.label for row in rows], dtype=np.int32),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """``pooler``: the encoder's pooler and one linear layer; ``two-layer``: dense, tanh, linear."""
        pooler = hyper["head"] == "pooler"
        model.add_classification_head(
            name,
            num_labels=len(labels),
            layers=1 if pooler else 2,
            use_pooler=pooler,
            id2label=dict(enumerate(labels)),
        )

    def gold(self, features: LabelFeatures, indices: Ints, width: int) -> Arrays:
        """labels (n,)."""
        return {"labels": features.labels[indices].astype(np.int64)}

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, labels)."""
        return sequence_logits(head, hidden, pooled)

    def loss_sum(self, scores: Tensor, gold: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy summed over examples."""
        from torch.nn import functional

        return functional.cross_entropy(scores.float(), gold["labels"], reduction="sum")

    def targets(self, features: LabelFeatures, indices: Ints) -> int:
        """One an example."""
        return len(indices)

    def choose(self, scores: Tensor, gold: Mapping[str, Tensor], options: Hyper) -> list[int]:
        """The label with the highest logit."""
        chosen: list[int] = scores.argmax(dim=-1).tolist()
        return chosen

    def assemble(
        self, chosen: Sequence[int], features: LabelFeatures, rows: Sequence[Any], labels: Sequence[str]
    ) -> list[Any]:
        """Names of labels."""
        return [labels[label] for label in chosen]


def tokenised(tokenizer: Any, texts: list[str], pairs: list[str] | None, max_length: int) -> dict[str, Any]:
    """ids, offsets and segments of texts, or of pairs of texts."""
    encoded = tokenizer(texts, pairs, truncation=True, max_length=max_length, return_attention_mask=False)
    ids, segments = encoded["input_ids"], encoded.get("token_type_ids")
    return {
        "ids": flatten(ids, np.int32),
        "offsets": offsets_of(ids),
        "segments": None if segments is None else flatten(segments, np.int8),
    }


def sequence_logits(head: Any, hidden: Tensor, pooled: Tensor | None) -> Tensor:
    """Logits (k, labels) of a head of the adapters library on the pooler's output or the first sub-word's."""
    if head.config["use_pooler"]:
        assert pooled is not None
        return through(head, pooled)
    return through(head, hidden[:, 0])


FAMILY = SequenceClassification()
