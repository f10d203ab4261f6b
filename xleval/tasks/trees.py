"""From arc scores to trees, a batch at a time: each word's best head, or the maximum spanning tree.

Nodes are 0, the root, and the words from 1. ``scores[b, d, h]`` is the score of head h for word d + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xleval.tasks.features import Ints

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def greedy(scores: Floats) -> Ints:
    """(b, w) the best head of each word, whatever comes of it; (b, w, w + 1) scores, -inf where there is no arc."""
    return np.asarray(scores.argmax(axis=-1))


def is_tree(heads: Ints, lengths: Ints) -> Bools:
    """(b,) whether heads (b, w) of sentences of ``lengths`` words are one tree with one root."""
    words = np.arange(heads.shape[1]) < lengths[:, None]
    pointers = _with_root(np.where(words, heads, 0))
    one_root = ((heads == 0) & words).sum(axis=1) == 1
    return np.asarray(one_root & (_ancestors(pointers) == 0).all(axis=1))


def maximum_spanning(scores: Floats, lengths: Ints) -> Ints:
    """(b, w) heads of the best tree with one root for each sentence; 0 beyond its ``lengths`` words.

    Chu & Liu 1965, Edmonds 1967, all sentences side by side: a cycle of best heads is contracted to one node
    until none is left, then opened again from the last to the first. One root: arcs from it are lowered by
    more than any tree can gain (exact; see Zmigrod, Vieira & Cotterell 2020 for the alternatives).
    """
    heads = greedy(scores) * (np.arange(scores.shape[1]) < lengths[:, None])
    broken = np.flatnonzero(~is_tree(heads, lengths))
    if len(broken):
        heads[broken] = _spanning(scores[broken], lengths[broken])
    return heads


@dataclass
class _Contraction:
    """What one contraction needs to be undone, of the sentences that still had a cycle."""

    sentences: Ints
    node: Ints
    """(c,) the node that stands for the cycle."""
    inside: Bools
    """(c, m) its members."""
    heads: Ints
    """(c, m) the heads at that time."""
    entered: Ints
    """(c, m) for each node as a head of the cycle: the member that it enters at."""
    left: Ints
    """(c, m) for each node as a dependent of the cycle: the member that is its head."""


def _spanning(scores: Floats, lengths: Ints) -> Ints:
    batch, size = scores.shape[0], scores.shape[1] + 1
    arcs = np.full((batch, size, size), -np.inf)  # arcs[b, h, d]
    arcs[:, :, 1:] = scores.transpose(0, 2, 1)
    nodes = np.arange(size) <= lengths[:, None]
    arcs[~(nodes[:, :, None] & nodes[:, None, :])] = -np.inf
    arcs[:, np.arange(size), np.arange(size)] = -np.inf
    finite = np.isfinite(arcs)
    spread = np.where(finite, arcs, -np.inf).max(axis=(1, 2)) - np.where(finite, arcs, np.inf).min(axis=(1, 2))
    arcs[:, 0] -= ((spread + 1) * size)[:, None]
    active = nodes.copy()
    done: list[_Contraction] = []
    while True:
        heads = _best_heads(arcs, active)
        cyclic = _ancestors(heads)
        sentences = np.flatnonzero((cyclic != 0).any(axis=1))
        if not len(sentences):
            break
        # The ancestor that a node arrives at after many steps, if it is not the root, lies on a cycle.
        first = (cyclic[sentences] != 0).argmax(axis=1)
        done.append(_contract(arcs, active, heads, sentences, cyclic[sentences, first]))
    for step in reversed(done):
        _open(step, heads)
    return heads[:, 1:]


def _best_heads(arcs: Floats, active: Bools) -> Ints:
    heads = np.where(active[:, :, None], arcs, -np.inf).argmax(axis=1)
    heads[~active] = 0
    heads[:, 0] = 0
    return np.asarray(heads)


def _ancestors(heads: Ints) -> Ints:
    """(b, m) where each node arrives after at least m steps: 0, or a node on a cycle."""
    steps = 1
    while steps < heads.shape[1]:
        heads = np.take_along_axis(heads, heads, axis=1)
        steps *= 2
    return heads


def _contract(arcs: Floats, active: Bools, heads: Ints, sentences: Ints, node: Ints) -> _Contraction:
    count, size = len(sentences), arcs.shape[1]
    each = np.arange(count)
    inside = np.zeros((count, size), dtype=bool)
    member = node
    for _ in range(size):
        inside[each, member] = True
        member = heads[sentences, member]
    here = arcs[sentences]
    # The cost of entering at a member is the arc inside the cycle that it breaks.
    inner = np.where(inside, np.take_along_axis(here, heads[sentences][:, None, :], axis=1)[:, 0], 0.0)
    entering = np.where(inside[:, None, :], here - inner[:, None, :], -np.inf)
    leaving = np.where(inside[:, :, None], here, -np.inf)
    step = _Contraction(sentences, node, inside, heads[sentences], entering.argmax(axis=2), leaving.argmax(axis=1))
    here[each, :, node] = np.where(inside, -np.inf, entering.max(axis=2))
    here[each, node, :] = np.where(inside, -np.inf, leaving.max(axis=1))
    arcs[sentences] = here
    gone = inside.copy()
    gone[each, node] = False
    active[sentences] &= ~gone
    return step


def _open(step: _Contraction, heads: Ints) -> None:
    now = heads[step.sentences]
    each = np.arange(len(step.sentences))
    head = now[each, step.node]
    at = step.entered[each, head]
    # Dependents of the cycle's node hang on the member that the arc came from.
    outside = ~step.inside
    now = np.where(outside & (now == step.node[:, None]), step.left, now)
    now = np.where(step.inside, step.heads, now)
    now[each, at] = head
    now[:, 0] = 0
    heads[step.sentences] = now


def _with_root(heads: Ints) -> Ints:
    return np.concatenate([np.zeros((len(heads), 1), dtype=heads.dtype), heads], axis=1)
