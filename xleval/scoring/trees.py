"""Attachment of words to their heads, by the definition of the CoNLL 2018 shared task on gold words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.scoring.metrics import LAS, LAS_LEGACY, TREES, UAS, UAS_LEGACY, Metric
from xleval.scoring.tags import names

if TYPE_CHECKING:
    from xleval.tasks.rows import TreeRow


@dataclass(frozen=True)
class TreeScorer:
    """Dependency parsing; a prediction is ``{"heads": [position from 1, 0 the root], "relations": [name]}``.

    Counts of a sentence: words with the right head; with the right head and relation, subtypes cut off (all after
    ":"); words; the three again without the words that are roots in gold; 1 if the predicted heads form one tree
    with one root; 1. The root's own attachment counts (Zeman et al. 2018). The official scorer refuses a file with
    one sentence that is no tree; here it counts like any other, and ``trees`` says how many there are.
    """

    primary: Metric = LAS
    """LAS or UAS."""
    stats: tuple[str, ...] = field(default=LAS.stats, init=False)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The primary one first."""
        second = UAS if self.primary is LAS else LAS
        return self.primary, second, LAS_LEGACY, UAS_LEGACY, TREES

    def item(self, row: TreeRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """The eight counts of one sentence; raises as ``Scorer.item``."""
        words = len(row.tokens)
        if not isinstance(predicted, dict) or set(predicted) != {"heads", "relations"}:
            raise UserError('a predicted parse is {"heads": [...], "relations": [...]}')
        heads = _heads(predicted["heads"], words)
        relations = names(predicted["relations"], labels, words, "relation")
        all_heads = all_arcs = heads_below = arcs_below = below = 0
        for gold, head, relation, name in zip(row.heads, heads, row.relations, relations, strict=True):
            right = gold == head
            labelled = right and _universal(labels[relation]) == _universal(name)
            all_heads += right
            all_arcs += labelled
            if gold:
                below += 1
                heads_below += right
                arcs_below += labelled
        return all_heads, all_arcs, words, heads_below, arcs_below, below, int(is_tree(heads)), 1


def is_tree(heads: Sequence[int]) -> bool:
    """Whether heads (from 1; 0 is the root) attach every word, over others, to the one root: no cycle, no second root.

    Each word is visited once.
    """
    if sum(head == 0 for head in heads) != 1:
        return False
    # Number of the walk on which a word was first met: meeting one of the same walk again closes a cycle.
    met = [0] * (len(heads) + 1)
    for walk, start in enumerate(range(1, len(heads) + 1), start=1):
        word = start
        while word and not met[word]:
            met[word] = walk
            word = heads[word - 1]
        if word and met[word] == walk:
            return False
    return True


def _heads(predicted: Any, words: int) -> list[int]:
    if not isinstance(predicted, list) or len(predicted) != words:
        count = len(predicted) if isinstance(predicted, list) else "no"
        raise UserError(f"{count} heads predicted for {words} words")
    for position, head in enumerate(predicted, start=1):
        if type(head) is not int or not 0 <= head <= words:
            raise UserError(f"head {head!r}, predicted for word {position}, is not from 0 to {words}")
    return predicted


def _universal(relation: str) -> str:
    return relation.partition(":")[0]
