"""Tags of words: entities in a sentence, and parts of speech."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.scoring.metrics import ENTITY_F1, RUN_CHUNK_F1, WORD_ACCURACY, Metric

if TYPE_CHECKING:
    from xleval.tasks.rows import TokenRow


@dataclass(frozen=True)
class EntityScorer:
    """Named entities: counts (tp, pred, gold) of a sentence's entities; a prediction is a list of tag names.

    An entity is right if type, first and last word are. Entities are seqeval's (Nakayama 2018): like conlleval's
    (Tjong Kim Sang & Buchholz 2000), an I- after O or after another type begins one.
    """

    metrics: tuple[Metric, ...] = (ENTITY_F1,)
    stats: tuple[str, ...] = field(default=ENTITY_F1.stats, init=False)

    def item(self, row: TokenRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """(entities in both, predicted, in gold); raises as ``Scorer.item``."""
        return _chunks([labels[tag] for tag in row.tags], names(predicted, labels, len(row.tokens), "tag"))


@dataclass(frozen=True)
class WordScorer:
    """Parts of speech: counts (correct, words, chunk_tp, chunk_pred, chunk_gold); a prediction is as above.

    The chunks are what seqeval 1.x finds in the bare tags of a sentence. It takes the first letter for the B, I, E
    or S of a scheme and the rest for a type: runs of one tag are chunks, CCONJ and SCONJ are one type, each tag in
    S is a chunk of its own, and X at the end is none. Printed as "F1" by XTREME (Hu et al. 2020) and others.
    """

    metrics: tuple[Metric, ...] = (WORD_ACCURACY, RUN_CHUNK_F1)
    stats: tuple[str, ...] = field(default=WORD_ACCURACY.stats, init=False)

    def item(self, row: TokenRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """(words tagged right, words, runs in both, predicted, in gold); raises as ``Scorer.item``."""
        gold, tags = [labels[tag] for tag in row.tags], names(predicted, labels, len(row.tokens), "tag")
        correct = sum(tag == other for tag, other in zip(gold, tags, strict=True))
        return correct, len(gold), *_chunks(gold, tags)


def _chunks(gold: list[str], predicted: list[str]) -> tuple[int, int, int]:
    """(in both, predicted, in gold): chunks of one sentence with the same type, first and last word."""
    from seqeval.metrics.sequence_labeling import get_entities

    with warnings.catch_warnings():
        # It warns of every tag that is of no scheme, and parts of speech are of none.
        warnings.simplefilter("ignore", UserWarning)
        wanted, found = set(get_entities(gold)), set(get_entities(predicted))
    return len(wanted & found), len(found), len(wanted)


def names(predicted: Any, labels: Sequence[str], words: int, what: str) -> list[str]:
    """Checks that there is one known name a word.

    Raises:
        UserError: more or fewer names than words, or one that is none of ``labels``.
    """
    if not isinstance(predicted, list) or len(predicted) != words:
        count = len(predicted) if isinstance(predicted, list) else "no"
        raise UserError(f"{count} {what}s predicted for {words} words")
    for position, name in enumerate(predicted, start=1):
        if name not in labels:
            raise UserError(f"{what} {name!r}, predicted for word {position}, is none of {', '.join(labels)}")
    return predicted
