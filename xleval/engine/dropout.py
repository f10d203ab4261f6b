"""Dropout that a training draws alike whoever trains beside it.

A generator that all slots of a cohort share would make each one's result depend on the others. Here what is dropped is
a function of the training's seed, the step, the part of the batch and the place in the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

#: Draws are 16 bits each: a probability is met within 1 / 65,536.
_LEVELS = 1 << 16


class Field:
    """Random numbers for one forward pass, a row a slot, which :meth:`drop` uses up from the left."""

    def __init__(self, drawn: Tensor) -> None:
        self.drawn, self.used = drawn, 0

    @classmethod
    def of(cls, seeds: Sequence[int], number: Sequence[int], draws: int, device: torch.device) -> Field:
        """``draws``: how many a slot takes; ``number``: what makes passes differ, such as (step, part)."""
        return cls(_drawn(seeds, number, draws, device))

    def drop(self, x: Tensor, probability: float) -> Tensor:
        """``x`` (S, …) with each element zero with this probability, and the others scaled to the same mean."""
        size = x[0].numel()
        row = self.drawn[:, self.used : self.used + size]
        self.used += size
        level = round(probability * _LEVELS)
        # Numbers and not truth values: a product with those is several times slower.
        keep = torch.ge(row, level - _LEVELS // 2, out=torch.empty(row.shape, dtype=x.dtype, device=x.device))
        return x * keep.mul_(_LEVELS / (_LEVELS - level)).view_as(x)


def _drawn(seeds: Sequence[int], number: Sequence[int], draws: int, device: torch.device) -> Tensor:
    if device.type == "cuda":
        found = torch.empty(len(seeds), draws, dtype=torch.int16, device=device)
        generator = torch.Generator(device)
        for row, seed in zip(found, seeds, strict=True):
            generator.manual_seed(mixed(seed, *number))
            row.random_(-_LEVELS // 2, _LEVELS // 2, generator=generator)
        return found
    words = -(-draws // 4)
    rows = [np.random.SFC64(mixed(seed, *number)).random_raw(words).view(np.int16) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def mixed(*numbers: int) -> int:
    """One seed of 63 bits from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
