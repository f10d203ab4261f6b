"""Metrics as functions of integer counts that add up over items: that is the whole contract.

Counts add up, so any resampling of items is a weighted sum of rows, and every score is one division of sums.
How the counts of an item are found is said in ``xleval.scoring.scorers``; ``docs/metrics.md`` has it all on a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A score of one item that is a fraction is counted in this many parts of one: sums stay exact integers.
PARTS = 10**12


@dataclass(frozen=True)
class Metric:
    """A ratio of two linear functions of summed counts: f(s) = (a · s) / (b · s), a and b of length q."""

    name: str
    """Name in specs, records and tables."""
    families: tuple[str, ...]
    """Families of tasks that have it."""
    summary: str
    above: Mapping[str, float] = field(hash=False)
    """Count → its weight a in the numerator; 0 where it is not named."""
    below: Mapping[str, float] = field(hash=False)
    """Count → its weight b in the denominator."""
    stats: tuple[str, ...]
    """Names of the q counts that items of its families have, in the order of the columns."""

    unit = "proportion"

    @property
    def counts(self) -> tuple[str, ...]:
        """The counts it depends on, a part of ``stats``."""
        return tuple(stat for stat in self.stats if stat in self.above or stat in self.below)

    def finalize(self, sums: Counts | Floats) -> Floats:
        """Scores in [0, 1] from sums of counts, shape (..., q) → (...); 0 where it is 0 / 0."""
        above, below = (sums @ weights for weights in self.weights)
        return np.divide(above, below, out=np.zeros_like(above), where=below != 0)

    def gradient(self, sums: Counts | Floats) -> Floats:
        """(a − f · b) / (b · s), shape (q,) → (q,): the derivative by each sum; zeros where it is 0 / 0."""
        above, below = self.weights
        denominator = float(sums @ below)
        if denominator == 0:
            return np.zeros(len(self.stats))
        return np.asarray((above - float(sums @ above) / denominator * below) / denominator)

    @cached_property
    def weights(self) -> tuple[Floats, Floats]:
        """a and b, (q,) each."""
        return self._weights(self.above), self._weights(self.below)

    def _weights(self, of: Mapping[str, float]) -> Floats:
        return np.array([of.get(stat, 0.0) for stat in self.stats])


_LABEL = ("correct", "total")
_ENTITIES = ("tp", "pred", "gold")
_WORDS = ("correct", "words", "chunk_tp", "chunk_pred", "chunk_gold")
_TREES = (
    "correct_heads",
    "correct_arcs",
    "words",
    "correct_heads_legacy",
    "correct_arcs_legacy",
    "words_legacy",
    "trees",
    "sentences",
)
_ANSWERS = ("f1_e12", "f1_segmented_e12", "em", "total")
_TAGS, _PARSES, _QUESTIONS = ("token-classification",), ("dependency-parsing",), ("question-answering",)

ACCURACY = Metric(
    "accuracy",
    ("sequence-classification", "multiple-choice"),
    "Share of items whose label, or choice, is right.",
    {"correct": 1},
    {"total": 1},
    _LABEL,
)
ENTITY_F1 = Metric(
    "f1",
    _TAGS,
    "Micro-averaged F1 of exactly matching entities, found as seqeval and conlleval find them.",
    {"tp": 2},
    {"pred": 1, "gold": 1},
    _ENTITIES,
)
WORD_ACCURACY = Metric(
    "accuracy", _TAGS, "Share of words whose tag is right.", {"correct": 1}, {"words": 1}, _WORDS
)  # fmt: skip
RUN_CHUNK_F1 = Metric(
    "run_chunk_f1",
    _TAGS,
    "F1 of runs of equal tags: what seqeval makes of bare part-of-speech tags, printed as F1 by XTREME.",
    {"chunk_tp": 2},
    {"chunk_pred": 1, "chunk_gold": 1},
    _WORDS,
)
LAS = Metric(
    "las",
    _PARSES,
    "Share of words with the right head and relation (without subtype), as in the CoNLL 2018 shared task.",
    {"correct_arcs": 1},
    {"words": 1},
    _TREES,
)
UAS = Metric(
    "uas",
    _PARSES,
    "Share of words with the right head, as in the CoNLL 2018 shared task.",
    {"correct_heads": 1},
    {"words": 1},
    _TREES,
)
LAS_LEGACY = Metric(
    "las_legacy",
    _PARSES,
    "LAS without the words that are roots in gold: what the released code of SFT and TLR prints.",
    {"correct_arcs_legacy": 1},
    {"words_legacy": 1},
    _TREES,
)
UAS_LEGACY = Metric(
    "uas_legacy",
    _PARSES,
    "UAS without the words that are roots in gold: what the released code of SFT and TLR prints.",
    {"correct_heads_legacy": 1},
    {"words_legacy": 1},
    _TREES,
)
TREES = Metric(
    "trees",
    _PARSES,
    "Share of sentences whose predicted heads form one tree with one root.",
    {"trees": 1},
    {"sentences": 1},
    _TREES,
)
ANSWER_F1 = Metric(
    "f1",
    _QUESTIONS,
    "Mean over questions of the F1 of an answer's words between spaces, as in SQuAD v1.1.",
    {"f1_e12": 1},
    {"total": PARTS},
    _ANSWERS,
)
EXACT_MATCH = Metric(
    "em",
    _QUESTIONS,
    "Share of questions answered exactly, as in SQuAD v1.1.",
    {"em": 1},
    {"total": 1},
    _ANSWERS,
)
SEGMENTED_F1 = Metric(
    "f1_segmented",
    _QUESTIONS,
    "The same F1 where Chinese, Japanese and Thai are cut into words by ICU's dictionaries.",
    {"f1_segmented_e12": 1},
    {"total": PARTS},
    _ANSWERS,
)

METRICS: dict[str, tuple[Metric, ...]] = {}
"""Name → the metrics of that name: accuracy and F1 count other things in other families."""
for _metric in (ACCURACY, WORD_ACCURACY, ENTITY_F1, ANSWER_F1, SEGMENTED_F1, EXACT_MATCH, RUN_CHUNK_F1,
                LAS, UAS, LAS_LEGACY, UAS_LEGACY, TREES):  # fmt: skip
    METRICS[_metric.name] = (*METRICS.get(_metric.name, ()), _metric)
