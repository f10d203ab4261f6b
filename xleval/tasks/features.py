"""Tokenised rows as flat arrays: what every task family hands to the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """Tokenised sequences, flat: sequence i is ``ids[offsets[i]:offsets[i + 1]]``.

    ids:      (total,) int32 sub-word ids, special ones included
    offsets:  (n + 1,) int64
    segments: (total,) int8 token type ids, or None where the encoder has none
    targets:  (n,) a label a sequence, or (total,) a label a sub-word with -100 where there is none
    rows:     (n,) int64 the row that a sequence came from (a long row makes several)
    words:    (total,) int32 the word of the row that a sub-word begins, -1 elsewhere; None for sequence labels
    """

    ids: npt.NDArray[np.int32]
    offsets: Ints
    segments: npt.NDArray[np.int8] | None
    targets: npt.NDArray[np.int32]
    rows: Ints
    words: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """(n,) sub-words a sequence."""
        return np.diff(self.offsets)

    @property
    def per_token(self) -> bool:
        """Whether targets are sub-words' rather than sequences'."""
        return self.words is not None

    def batch(self, indices: Ints, pad_id: int, multiple: int = 1) -> dict[str, npt.NDArray[np.int64]]:
        """Sequences padded to the longest of them: input_ids, attention_mask, token_type_ids, labels.

        Shapes (b, longest), labels (b,) or (b, longest) with -100 on padding. ``multiple`` rounds the
        width up (tensor cores like 8).
        """
        lengths = self.lengths[indices]
        width = -(-int(lengths.max()) // multiple) * multiple
        mask = np.arange(width) < lengths[:, None]
        flat = np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices])
        found = {"input_ids": _filled(mask, self.ids[flat], pad_id), "attention_mask": mask.astype(np.int64)}
        if self.segments is not None:
            found["token_type_ids"] = _filled(mask, self.segments[flat], 0)
        if self.per_token:
            found["labels"] = _filled(mask, self.targets[flat], -100)
        else:
            found["labels"] = self.targets[indices].astype(np.int64)
        return found


def _filled(mask: npt.NDArray[np.bool_], values: npt.NDArray[np.generic], fill: int) -> npt.NDArray[np.int64]:
    out = np.full(mask.shape, fill, dtype=np.int64)
    out[mask] = values
    return out
