"""Length-bucketed batches under a token budget; never padded to the maximum.

An optimiser step takes exactly ``batch`` examples, as the papers have it. Examples are shuffled and sorted by shape
(examples of one shape stay shuffled), cut into batches, and the batches shuffled: neighbours in length share a batch,
and which batch comes when stays random. The shapes of an epoch's batches, and their order, are the same for every
seed, so that trainings which differ in it can go side by side. A batch larger than the token budget is computed in
several passes whose gradients add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from xleval.tasks.features import Features, Ints

F = TypeVar("F", bound=Features)

#: Batches that examples of one width fill at least: else the same ones would meet in every epoch.
_COMPANY = 2


def epoch_batches(shapes: Ints, batch: int, seed: int, epoch: int) -> list[Ints]:
    """Indices of every optimiser step of one epoch: the examples a function of (seed, epoch), the shapes of epoch.

    Every example once; all batches have ``batch`` examples but one, which has the rest and lies anywhere.
    """
    order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(shapes))
    order = order[np.argsort(shapes[order], kind="stable")]
    of_all_seeds = np.random.Generator(np.random.PCG64([len(shapes), epoch]))
    sizes = np.full(-(-len(shapes) // batch), batch)
    sizes[of_all_seeds.integers(len(sizes))] -= len(sizes) * batch - len(shapes)
    batches = np.split(order, np.cumsum(sizes)[:-1])
    return [batches[i] for i in of_all_seeds.permutation(len(batches))]


def bucketed(features: F, batch: int) -> F:
    """The same examples, widths so few that each has examples for at least two batches: rare ones are padded more."""
    least = features.widths.copy()
    for count in np.unique(features.counts):
        of = np.flatnonzero(features.counts == count)
        widths, sizes = np.unique(features.widths[of], return_counts=True)
        ends, waiting = [0], 0
        for end, size in enumerate(sizes, start=1):
            waiting += int(size)
            if waiting >= _COMPANY * batch:
                ends.append(end)
                waiting = 0
        ends = [*(ends[:-1] if waiting and len(ends) > 1 else ends), *([len(widths)] if waiting else [])]
        tops = np.repeat(widths[np.array(ends[1:]) - 1], np.diff(ends))
        least[of] = tops[np.searchsorted(widths, features.widths[of])]
    return replace(features, least=least)


def passes(indices: Ints, costs: Ints, budget: int) -> Iterator[Ints]:
    """A batch cut into parts of at most ``budget`` sub-words, padding included, shortest first.

    A single example longer than the budget is a part of its own.
    """
    ordered = indices[np.argsort(costs[indices], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or (end + 1 - start) * int(costs[ordered[end]]) > budget:
            yield ordered[start:end]
            start = end
