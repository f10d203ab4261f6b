"""Choosing an answer: XCOPA, COPA, Social IQa. Each choice is a sequence with one logit.

The head does not know how many choices there are, so one head learns from Social IQa's three and COPA's two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xleval.tasks.family import Hyper
from xleval.tasks.features import Arrays, Ints, offsets_of
from xleval.tasks.sequence_classification import LabelFeatures, SequenceClassification, sequence_logits, tokenised

if TYPE_CHECKING:
    from torch import Tensor

#: How COPA's questions are put as a sentence (XTREME, Hu et al. 2020); other questions are sentences already.
_SENTENCES = {"cause": "What was the cause?", "effect": "What was the effect?"}


class MultipleChoice(SequenceClassification):
    """One of several answers to a question about a text: a classification whose labels are the row's own choices."""

    def features(self, rows: Sequence[Any], tokenizer: Any, hyper: Hyper) -> LabelFeatures:
        """Context and question are the first text of a pair, a choice the second."""
        sentences = _SENTENCES if hyper["question"] == "sentence" else {}
        asked = [f"{row.context} {sentences.get(row.question, row.question)}" for row in rows]
        texts = [text for row, text in zip(rows, asked, strict=True) for _ in row.choices]
        choices = [choice for row in rows for choice in row.choices]
        return LabelFeatures(
            **tokenised(tokenizer, texts, choices, hyper["max_length"]),
            rows=np.arange(len(rows)),
            firsts=offsets_of([row.choices for row in rows]),
            labels=np.array([row.label for row in rows], dtype=np.int32),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """As for sequence classification, with one logit."""
        pooler = hyper["head"] == "pooler"
        model.add_multiple_choice_head(name, num_choices=2, layers=1 if pooler else 2, use_pooler=pooler)

    def gold(self, features: LabelFeatures, indices: Ints, width: int) -> Arrays:
        """labels (n,); filled (n, most choices): the choices that an example has."""
        assert features.firsts is not None
        counts = np.diff(features.firsts)[indices]
        shape = (len(indices), int(counts.max()))
        filled = np.arange(shape[1]) < counts[:, None]
        return {"labels": features.labels[indices].astype(np.int64), "filled": filled}

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, most choices), -inf where an example has fewer."""
        import torch

        logits = sequence_logits(head, hidden, pooled).float().squeeze(-1)
        table = torch.full(gold["filled"].shape, -torch.inf, device=logits.device)
        return table.masked_scatter(gold["filled"], logits)

    def assemble(
        self, chosen: Sequence[int], features: LabelFeatures, rows: Sequence[Any], labels: Sequence[str]
    ) -> list[Any]:
        """Positions of choices."""
        return list(chosen)


FAMILY = MultipleChoice()
