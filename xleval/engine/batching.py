"""Length-bucketed batches under a token budget; never padded to the maximum.

An optimiser step takes exactly ``batch`` examples, as the papers have it. Examples are shuffled, sorted by
length within pools of many batches, cut into batches, and the batches shuffled: neighbours in length share
a batch, and which batch comes when stays random. A batch larger than the token budget is computed in
several passes whose gradients add up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xleval.tasks.features import Ints

#: Batches a pool: more pads less and mixes lengths less.
POOL = 50


def epoch_batches(lengths: Ints, batch: int, seed: int, epoch: int) -> list[Ints]:
    """Indices of every optimiser step of one epoch, a function of (seed, epoch) alone.

    Every example once; all batches have ``batch`` examples but one, which has the rest.
    """
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = random.permutation(len(lengths))
    batches: list[Ints] = []
    for start in range(0, len(order), batch * POOL):
        pool = order[start : start + batch * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch] for i in range(0, len(pool), batch)]
    return [batches[i] for i in random.permutation(len(batches))]


def passes(indices: Ints, lengths: Ints, budget: int) -> Iterator[Ints]:
    """A batch cut into parts of at most ``budget`` sub-words, padding included, shortest first.

    A single sequence longer than the budget is a part of its own.
    """
    ordered = indices[np.argsort(lengths[indices], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or (end + 1 - start) * int(lengths[ordered[end]]) > budget:
            yield ordered[start:end]
            start = end
