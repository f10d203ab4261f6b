"""Which counts and metrics a task has: one scorer for each family and primary metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from xleval.errors import UserError, nearest
from xleval.scoring.answers import AnswerScorer
from xleval.scoring.metrics import ACCURACY, ANSWER_F1, EXACT_MATCH, LAS, UAS, Metric
from xleval.scoring.tags import EntityScorer, WordScorer
from xleval.scoring.trees import TreeScorer

if TYPE_CHECKING:
    from xleval.tasks.rows import ChoiceRow, SequenceRow


class Scorer(Protocol):
    """Counts of one item, and the metrics that sums of them give."""

    @property
    def stats(self) -> tuple[str, ...]:
        """Names of the q counts."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The task's own metric first."""

    def item(self, row: Any, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """The q counts of one row of the data and its prediction, as it is stored.

        ``labels`` are the names of the task's labels, ``language`` is the row's ISO 639-3 code.

        Raises:
            UserError: ``predicted`` is nothing that could be predicted for this row; says why.
        """


@dataclass(frozen=True)
class LabelScorer:
    """Sequence classification: counts (correct, total); a prediction is the name of a label."""

    metrics: tuple[Metric, ...] = (ACCURACY,)
    stats: tuple[str, ...] = field(default=ACCURACY.stats, init=False)

    def item(self, row: SequenceRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """(1 or 0, 1); raises as :meth:`Scorer.item`."""
        if predicted not in labels:
            raise UserError(f"predicted label {predicted!r} is none of {', '.join(labels)}")
        return int(labels[row.label] == predicted), 1


@dataclass(frozen=True)
class ChoiceScorer:
    """Multiple choice: counts (correct, total); a prediction is the position of a choice, from 0."""

    metrics: tuple[Metric, ...] = (ACCURACY,)
    stats: tuple[str, ...] = field(default=ACCURACY.stats, init=False)

    def item(self, row: ChoiceRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """(1 or 0, 1); raises as :meth:`Scorer.item`."""
        # bool is a kind of int, and JSON's true is no position.
        if type(predicted) is not int or not 0 <= predicted < len(row.choices):
            raise UserError(f"predicted choice {predicted!r} is not a position from 0 to {len(row.choices) - 1}")
        return int(row.label == predicted), 1


_SCORERS: dict[str, dict[str, Callable[[], Scorer]]] = {
    "sequence-classification": {"accuracy": LabelScorer},
    "multiple-choice": {"accuracy": ChoiceScorer},
    "token-classification": {"f1": EntityScorer, "accuracy": WordScorer},
    "dependency-parsing": {"las": lambda: TreeScorer(LAS), "uas": lambda: TreeScorer(UAS)},
    "question-answering": {"f1": lambda: AnswerScorer(ANSWER_F1), "em": lambda: AnswerScorer(EXACT_MATCH)},
}


def scorer_of(family: str, metric: str) -> Scorer:
    """The scorer of a task's ``family`` whose first metric is the task's ``metric``.

    Raises:
        UserError: no task of that family is measured so; names the metrics that it may have.
    """
    known = _SCORERS[family]
    if metric not in known:
        raise UserError(f"{family} has no metric {metric!r} (it has {', '.join(known)}){nearest(metric, known)}")
    return known[metric]()
