"""Dependency trees: biaffine arcs and relations over words (Dozat & Manning 2017), without hidden layers of their own.

A word is the mean of its sub-words, the root is the first special sub-word, as in Glavaš & Vulić 2021, whose
head the adapters library has. The weights are that head's; the computation is ours: words and not padding
compete for being a head, relations are scored for one head a word and not for all, nothing loops over words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.tasks import trees
from xleval.tasks.family import Hyper
from xleval.tasks.features import Arrays, Features, Ints, flatten, offsets_of, ranges
from xleval.tasks.rows import TreeRow
from xleval.tasks.words import windows_of

if TYPE_CHECKING:
    from torch import Tensor

#: Words whose relations are scored at a time: each takes (relations × dimensions) numbers on the way.
_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class TreeFeatures(Features):
    """An example is a sentence, in as many windows as it takes.

    words:      (total,) int32 the word of the sentence that a sub-word is of, -1 for special ones
    sizes:      (n,) words a sentence
    starts:     (n + 1,) sentence i has the words starts[i] to starts[i + 1] of the next two
    heads:      (words,) int32 gold heads, from 1, 0 the root; -100: none
    relations:  (words,) int32 gold relations; -100: none
    """

    words: npt.NDArray[np.int32]
    starts: Ints
    heads: npt.NDArray[np.int32]
    relations: npt.NDArray[np.int32]

    @property
    def sizes(self) -> Ints:
        return np.diff(self.starts)


@dataclass(frozen=True)
class TreeScores:
    """arcs (n, words, words + 1): logits of each head for each word, -inf for heads that are padding.

    ``dependents`` (n, words, d + 1) and ``heads`` (n, words + 1, d + 1) are the vectors that relations are
    scored from, with a one at the end; ``weight`` (relations, d + 1, d + 1).
    """

    arcs: Tensor
    dependents: Tensor
    heads: Tensor
    weight: Tensor

    def relations(self, chosen: Tensor, words: Tensor) -> Tensor:
        """Logits (m, relations) of some words, given the head ``chosen`` (n, words) of each; ``words`` is a mask."""
        import torch

        index = chosen.clamp(min=0).unsqueeze(-1).expand(-1, -1, self.heads.shape[-1])
        heads = torch.split(self.heads.gather(1, index)[words], _AT_ONCE)
        dependents = torch.split(self.dependents[words], _AT_ONCE)
        return torch.cat(
            [torch.einsum("mi,oij,mj->mo", d, self.weight, h) for d, h in zip(dependents, heads, strict=True)]
        )


class DependencyParsing:
    """A head and a relation a word."""

    first_only = False
    kind: type[Features] = TreeFeatures

    def features(self, rows: Sequence[TreeRow], tokenizer: Any, hyper: Hyper) -> TreeFeatures:
        """Sentences; one longer than ``max_length`` sub-words is read in several windows and parsed as a whole.

        With ``root: legacy-exclude`` the words under the root are not learned, as in the released code of TLR
        and SFT.
        """
        windows = windows_of([row.tokens for row in rows], tokenizer, hyper["max_length"])
        counts = np.bincount(np.array(windows.rows, dtype=np.int64), minlength=len(rows))
        kept = np.flatnonzero(counts)  # a sentence without any sub-word has nothing to read
        read = [rows[int(i)] for i in kept]
        starts = offsets_of([row.tokens for row in read])
        words = flatten(windows.words, np.int32)
        heads = flatten([row.heads for row in read], np.int32)
        relations = flatten([row.relations for row in read], np.int32)
        # A word without sub-words has no vector to learn from.
        seen = np.zeros(len(heads), dtype=bool)
        sentence = np.repeat(np.searchsorted(kept, windows.rows), [len(w) for w in windows.words])
        seen[(starts[sentence] + words)[words >= 0]] = True
        seen &= (heads != 0) | (hyper["root"] == "include")
        return TreeFeatures(
            **windows.arrays(tokenizer),
            rows=kept,
            firsts=np.concatenate([[0], np.cumsum(counts[kept])]),
            words=words,
            starts=starts,
            heads=np.where(seen, heads, -100).astype(np.int32),
            relations=np.where(seen, relations, -100).astype(np.int32),
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """The library's biaffine head: its weights and names."""
        model.add_dependency_parsing_head(name, num_labels=len(labels), id2label=dict(enumerate(labels)))

    def gold(self, features: TreeFeatures, indices: Ints, width: int) -> Arrays:
        """heads, relations (n, words); sizes (n,); first (n,) the first sequence of each sentence; slots (k, w).

        A sub-word's slot is its word's place in the flattened (n, words) table, or the place behind it.
        """
        assert features.firsts is not None
        sizes = features.sizes[indices]
        table = (len(indices), int(sizes.max()))
        inside = np.arange(table[1]) < sizes[:, None]
        flat = ranges(features.starts[indices], features.starts[indices + 1])
        heads, relations = np.full(table, -100, dtype=np.int64), np.full(table, -100, dtype=np.int64)
        heads[inside], relations[inside] = features.heads[flat], features.relations[flat]
        windows = np.diff(features.firsts)[indices]
        words = features.padded(features.words, indices, width, -1)
        place = np.repeat(np.arange(len(indices)), windows)[:, None] * table[1] + words
        return {
            "heads": heads,
            "relations": relations,
            "sizes": sizes,
            "first": np.cumsum(windows) - windows,
            "slots": np.where(words >= 0, place, table[0] * table[1]),
        }

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> TreeScores:
        """Biaffine arcs; what relations will be scored from."""
        import torch

        hidden = head.dropout(hidden)
        n, words = gold["heads"].shape
        slots, vectors = gold["slots"].flatten(), hidden.flatten(0, 1)
        sums = vectors.new_zeros(n * words + 1, vectors.shape[-1]).index_add(0, slots, vectors)
        sizes = vectors.new_zeros(n * words + 1, 1).index_add(0, slots, vectors.new_ones(len(slots), 1))
        means = (sums / sizes.clamp(min=1))[:-1].view(n, words, -1)
        heads = torch.cat([hidden[gold["first"], :1], means], dim=1)
        one = means.new_ones(n, words + 1, 1)
        dependents = torch.cat([means, one[:, 1:]], dim=-1)
        arcs = dependents @ head.biaffine_arcs.weight[0] @ heads.transpose(1, 2)
        places = torch.arange(words + 1, device=arcs.device)
        arcs = arcs.masked_fill((places > gold["sizes"][:, None])[:, None, :], -torch.inf)
        return TreeScores(arcs, dependents, torch.cat([heads, one], dim=-1), head.biaffine_rels.weight)

    def loss_sum(self, scores: TreeScores, gold: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy of heads, and of relations given the gold head, summed over words."""
        from torch.nn import functional

        words = gold["heads"] != -100
        if not words.any():
            return scores.arcs.new_zeros(()).requires_grad_()
        arcs = functional.cross_entropy(scores.arcs[words].float(), gold["heads"][words], reduction="sum")
        logits = scores.relations(gold["heads"], words).float()
        return arcs + functional.cross_entropy(logits, gold["relations"][words], reduction="sum")

    def targets(self, features: TreeFeatures, indices: Ints) -> int:
        """Words with a gold head; at least 1."""
        flat = ranges(features.starts[indices], features.starts[indices + 1])
        return max(int((features.heads[flat] != -100).sum()), 1)

    def choose(self, scores: TreeScores, gold: Mapping[str, Tensor], options: Hyper) -> list[tuple[Ints, Ints]]:
        """Heads and relations of each sentence; ``decode``: ``greedy`` or ``mst``."""
        import torch

        words = gold["heads"].shape[1]
        places = torch.arange(words, device=scores.arcs.device)
        itself = places[:, None] + 1 == torch.arange(words + 1, device=scores.arcs.device)
        arcs = scores.arcs.float().masked_fill(itself, -torch.inf)
        if options["decode"] == "mst":
            sizes = gold["sizes"].cpu().numpy()
            heads = torch.as_tensor(trees.maximum_spanning(arcs.double().cpu().numpy(), sizes), device=arcs.device)
        else:
            heads = arcs.argmax(dim=-1)
        mask = places < gold["sizes"][:, None]
        relations = scores.relations(heads, mask).argmax(dim=-1).cpu().numpy()
        ends = gold["sizes"].cumsum(0).cpu().numpy()[:-1]
        chosen = np.split(heads[mask].cpu().numpy(), ends)
        return list(zip(chosen, np.split(relations, ends), strict=True))

    def assemble(
        self,
        chosen: Sequence[tuple[Ints, Ints]],
        features: TreeFeatures,
        rows: Sequence[TreeRow],
        labels: Sequence[str],
    ) -> list[dict[str, Any]]:
        """``{"heads": [...], "relations": [...]}``; a sentence without sub-words hangs on its first word."""
        empty = [labels.index("root") if "root" in labels else 0] + [0] * max((len(r.tokens) for r in rows), default=0)
        found = [{"heads": [0] + [1] * (len(r.tokens) - 1), "relations": empty[: len(r.tokens)]} for r in rows]
        for row, (heads, relations) in zip(features.rows, chosen, strict=True):
            found[row] = {"heads": heads.tolist(), "relations": relations.tolist()}
        return [{**f, "relations": [labels[i] for i in f["relations"]]} for f in found]


FAMILY = DependencyParsing()
