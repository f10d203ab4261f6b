"""Tokenised rows as flat arrays: what every task family hands to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Features:
    """Examples of one or more tokenised sequences, flat: sequence i is ``ids[offsets[i]:offsets[i + 1]]``.

    An example is what a batch counts: a text, the choices of a question together, a window of a paragraph.
    Families add what they predict.

    ids:      (total,) int32 sub-word ids, special ones included
    offsets:  (s + 1,) int64
    segments: (total,) int8 token type ids, or None where the encoder has none
    rows:     (n,) int64 the row that an example came from (a long row makes several)
    firsts:   (n + 1,) int64 example i has the sequences firsts[i] to firsts[i + 1]; None: one each
    least:    (n,) int64 sub-words that an example is padded to at least; None: as many as it needs
    """

    ids: npt.NDArray[np.int32]
    offsets: Ints
    segments: npt.NDArray[np.int8] | None
    rows: Ints
    firsts: Ints | None = None
    least: Ints | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> Ints:
        """(s,) sub-words a sequence."""
        return np.diff(self.offsets)

    @cached_property
    def counts(self) -> Ints:
        """(n,) sequences an example."""
        return np.ones(len(self.rows), dtype=np.int64) if self.firsts is None else np.diff(self.firsts)

    @cached_property
    def widths(self) -> Ints:
        """(n,) sub-words that an example is padded to alone: its longest sequence, up to the next rung."""
        longest = self.lengths if self.firsts is None else np.maximum.reduceat(self.lengths, self.firsts[:-1])
        return rung(longest) if self.least is None else np.maximum(rung(longest), self.least)

    @cached_property
    def costs(self) -> Ints:
        """(n,) sub-words an example takes in a batch as wide as itself."""
        return self.widths * self.counts

    @cached_property
    def shapes(self) -> Ints:
        """(n,) a number for each (sequences, width), in that order: examples of one shape fill a batch without gaps."""
        return (self.counts << 32) + self.widths

    def sequences(self, indices: Ints) -> Ints:
        """(k,) sequences of some examples, those of an example side by side."""
        if self.firsts is None:
            return indices
        return ranges(self.firsts[indices], self.firsts[indices + 1])

    def inputs(self, indices: Ints, pad_id: int, multiple: int = 1, most: int = 1 << 30) -> Arrays:
        """Sequences of some examples padded to their width: input_ids, attention_mask, token_type_ids.

        Shapes (k, width). ``multiple`` rounds the width up (tensor cores like 8), but not above ``most``, the
        encoder's positions.
        """
        sequences = self.sequences(indices)
        width = min(-(-int(self.widths[indices].max()) // multiple) * multiple, most)
        mask = np.arange(width) < self.lengths[sequences][:, None]
        found: Arrays = {"input_ids": self.padded(self.ids, indices, width, pad_id), "attention_mask": mask.astype(int)}
        if self.segments is not None:
            found["token_type_ids"] = self.padded(self.segments, indices, width, 0)
        return found

    def padded(self, values: npt.NDArray[Any], indices: Ints, width: int, fill: int) -> Ints:
        """A value a sub-word, (total,) → (k, width), of the sequences of some examples."""
        sequences = self.sequences(indices)
        out = np.full((len(sequences), width), fill, dtype=np.int64)
        mask = np.arange(width) < self.lengths[sequences][:, None]
        out[mask] = values[ranges(self.offsets[sequences], self.offsets[sequences + 1])]
        return out


def rung(lengths: Ints) -> Ints:
    """Lengths rounded up to a ladder of sixteen rungs an octave: at most 1/16 more, and powers of two stay.

    Batches of few different widths, which do not depend on which examples of a rung are in them.
    """
    step = np.maximum(1 << np.maximum(np.floor(np.log2(np.maximum(lengths, 1))).astype(np.int64) - 4, 0), 1)
    return np.asarray(-(-lengths // step) * step)


def ranges(starts: Ints, ends: Ints) -> Ints:
    """The numbers from starts[i] to ends[i], one range after the other."""
    sizes = ends - starts
    before = np.cumsum(sizes) - sizes
    return np.asarray(np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes))


def flatten(sequences: Sequence[Sequence[int]], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Sequences one after the other."""
    return np.fromiter((value for sequence in sequences for value in sequence), dtype=dtype)


def offsets_of(sequences: Sequence[Sequence[Any]]) -> Ints:
    """(n + 1,) where each sequence starts and ends in :func:`flatten`'s array."""
    return np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
