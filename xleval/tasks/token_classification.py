"""One tag a word: named entities. The first sub-word carries the label, as in MasakhaNER's own code.

A row longer than the encoder takes is cut into windows at word boundaries, so that every word gets a
prediction; a word without any sub-word (a lone control character) is predicted ``O``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.tasks.family import flatten, offsets_of
from xleval.tasks.features import Features
from xleval.tasks.sources import TokenRow

if TYPE_CHECKING:
    from torch import Tensor

_OUTSIDE = "O"


class TokenClassification:
    """One label a word, predicted at its first sub-word."""

    def features(self, rows: Sequence[TokenRow], tokenizer: Any, max_length: int) -> Features:
        """Windows of at most ``max_length`` sub-words; sub-words after a word's first have no label."""
        encoded = tokenizer(
            [list(row.tokens) for row in rows],
            is_split_into_words=True,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        room = max_length - tokenizer.num_special_tokens_to_add()
        probe = tokenizer.unk_token_id
        lead = tokenizer.build_inputs_with_special_tokens([probe]).index(probe)
        ids: list[list[int]] = []
        words: list[list[int]] = []
        targets: list[list[int]] = []
        origin: list[int] = []
        for index, row in enumerate(rows):
            pieces, word_ids = encoded["input_ids"][index], encoded.word_ids(index)
            firsts = [w if w != before else -1 for before, w in zip([None, *word_ids], word_ids, strict=False)]
            for start, end in _windows(firsts, room):
                window = tokenizer.build_inputs_with_special_tokens(pieces[start:end])
                place = [-1] * lead + firsts[start:end] + [-1] * (len(window) - lead - (end - start))
                ids.append(window)
                words.append(place)
                targets.append([row.tags[w] if w >= 0 else -100 for w in place])
                origin.append(index)
        flat = flatten(ids, np.int32)
        has_segments = "token_type_ids" in tokenizer.model_input_names
        return Features(
            ids=flat,
            offsets=offsets_of(ids),
            segments=np.zeros(len(flat), dtype=np.int8) if has_segments else None,
            targets=flatten(targets, np.int32),
            rows=np.array(origin, dtype=np.int64),
            words=flatten(words, np.int32),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Mapping[str, Any]) -> None:
        """One linear layer over every sub-word."""
        model.add_tagging_head(name, num_labels=len(labels), layers=1, id2label=dict(enumerate(labels)))

    def loss_sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy summed over words; logits (b, length, labels), labels (b, length) with -100."""
        from torch.nn import functional

        return functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="sum")

    def targets(self, features: Features, indices: npt.NDArray[np.int64]) -> int:
        """Words that begin in the sequences; at least 1, for a step may have none."""
        spans = (features.targets[features.offsets[i] : features.offsets[i + 1]] for i in indices)
        return max(sum(int((span != -100).sum()) for span in spans), 1)

    def decode(
        self,
        logits: Sequence[npt.NDArray[np.float32]],
        features: Features,
        rows: Sequence[TokenRow],
        labels: Sequence[str],
    ) -> list[list[str]]:
        """A tag a word; logits (length, labels) a sequence, padding cut off."""
        assert features.words is not None
        outside = _OUTSIDE if _OUTSIDE in labels else labels[0]
        found = [[outside] * len(row.tokens) for row in rows]
        for index, values in enumerate(logits):
            place = features.words[features.offsets[index] : features.offsets[index + 1]]
            tags = values.argmax(axis=-1)
            for position in np.flatnonzero(place >= 0):
                found[features.rows[index]][place[position]] = labels[int(tags[position])]
        return found


def _windows(firsts: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Spans of at most ``room`` sub-words that end where a word begins, if any word fits."""
    start = 0
    while len(firsts) - start > room:
        end = start + room
        while end > start + 1 and firsts[end] < 0:
            end -= 1
        if firsts[end] < 0:  # one word fills the window and more
            end = start + room
        yield start, end
        start = end
    if start < len(firsts):
        yield start, len(firsts)


FAMILY = TokenClassification()
