"""One tag a word: named entities, parts of speech. The first sub-word carries the label, as in MasakhaNER's code.

A row longer than the encoder takes is cut into windows at word boundaries, so that every word gets a
prediction; a word without any sub-word (a lone control character) is predicted ``O``, or the first label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.tasks.family import Hyper, through
from xleval.tasks.features import Arrays, Features, Ints, flatten, ranges
from xleval.tasks.rows import TokenRow
from xleval.tasks.words import windows_of

if TYPE_CHECKING:
    from torch import Tensor

_OUTSIDE = "O"


@dataclass(frozen=True, kw_only=True)
class TagFeatures(Features):
    """words: (total,) int32 the word of the row that a sub-word begins, -1 elsewhere; tags: (total,) -100 there."""

    words: npt.NDArray[np.int32]
    tags: npt.NDArray[np.int32]


class TokenClassification:
    """One label a word, predicted at its first sub-word."""

    first_only = False
    kind: type[Features] = TagFeatures

    def features(self, rows: Sequence[TokenRow], tokenizer: Any, hyper: Hyper) -> TagFeatures:
        """Windows of at most ``max_length`` sub-words; sub-words after a word's first have no label."""
        windows = windows_of([row.tokens for row in rows], tokenizer, hyper["max_length"])
        words: list[list[int]] = []
        tags: list[list[int]] = []
        before = (-1, -1)
        for row, place in zip(windows.rows, windows.words, strict=True):
            begun = []
            for word in place:
                # A word cut by a window's end has begun in the window before.
                begun.append(word if word >= 0 and (row, word) != before else -1)
                before = (row, word) if word >= 0 else before
            words.append(begun)
            tags.append([rows[row].tags[word] if word >= 0 else -100 for word in begun])
        return TagFeatures(
            **windows.arrays(tokenizer),
            rows=np.array(windows.rows, dtype=np.int64),
            words=flatten(words, np.int32),
            tags=flatten(tags, np.int32),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """One linear layer over every sub-word."""
        model.add_tagging_head(name, num_labels=len(labels), layers=1, id2label=dict(enumerate(labels)))

    def gold(self, features: TagFeatures, indices: Ints, width: int) -> Arrays:
        """labels (n, w)."""
        return {"labels": features.padded(features.tags, indices, width, -100)}

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, w, labels)."""
        return through(head, hidden)

    def loss_sum(self, scores: Tensor, gold: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy summed over words."""
        from torch.nn import functional

        return functional.cross_entropy(scores.float().flatten(0, 1), gold["labels"].flatten(), reduction="sum")

    def targets(self, features: TagFeatures, indices: Ints) -> int:
        """Words that begin in the sequences; at least 1, for a step may have none."""
        inside = features.tags[ranges(features.offsets[indices], features.offsets[indices + 1])]
        return max(int((inside != -100).sum()), 1)

    def choose(self, scores: Tensor, gold: Mapping[str, Tensor], options: Hyper) -> list[npt.NDArray[np.int64]]:
        """The label with the highest logit at each sub-word, padding included: (w,) an example."""
        return list(scores.argmax(dim=-1).cpu().numpy())

    def assemble(
        self,
        chosen: Sequence[npt.NDArray[np.int64]],
        features: TagFeatures,
        rows: Sequence[TokenRow],
        labels: Sequence[str],
    ) -> list[list[str]]:
        """A tag a word."""
        outside = _OUTSIDE if _OUTSIDE in labels else labels[0]
        found = [[outside] * len(row.tokens) for row in rows]
        for index, tags in enumerate(chosen):
            place = features.words[features.offsets[index] : features.offsets[index + 1]]
            for position in np.flatnonzero(place >= 0):
                found[features.rows[index]][place[position]] = labels[int(tags[position])]
        return found


FAMILY = TokenClassification()
