"""What a task family is: everything that differs between classifying sentences and drawing trees.

A family turns rows into features, puts a head on the model, computes scores and the loss, and decides.
Counting what was right (predictions and gold → counts) lives in ``xleval.scoring`` and needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from xleval.tasks.features import Arrays, Features, Ints

if TYPE_CHECKING:
    from torch import Tensor

Hyper = Mapping[str, Any]


class Family(Protocol):
    """One module of ``xleval.tasks`` has one of these under the name ``FAMILY``.

    Shapes: n examples of a batch have k ≥ n sequences of at most w sub-words; the encoder has d dimensions.
    ``first_only``: scores depend on each sequence's first sub-word alone; then w may be 1. ``kind``: the class of its
    features, whose fields are arrays or None.
    """

    first_only: bool
    kind: type[Features]

    def features(self, rows: Sequence[Any], tokenizer: Any, hyper: Hyper) -> Features:
        """Rows tokenised, at most ``hyper["max_length"]`` sub-words a sequence, special ones included."""

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """Adds a prediction head of the adapters library; its weights come from torch's generator.

        The library's heads hold the weights, so that plain adapters loads them; families compute with them.
        """

    def gold(self, features: Any, indices: Ints, width: int) -> Arrays:
        """What the head needs beside the encoder's output: gold labels (-100: none), places of words."""

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> Any:
        """The head's scores from the encoder's last layer (k, w, d) and its pooler's output (k, d)."""

    def loss_sum(self, scores: Any, gold: Mapping[str, Tensor]) -> Tensor:
        """Sum of the losses of all targets: the engine divides by the number in the whole step."""

    def targets(self, features: Any, indices: Ints) -> int:
        """Number of targets of some examples: what the mean loss of a step divides by."""

    def choose(self, scores: Any, gold: Mapping[str, Tensor], options: Hyper) -> list[Any]:
        """What is decided about each of the n examples, small; ``options`` is the group ``eval``."""

    def assemble(self, chosen: Sequence[Any], features: Any, rows: Sequence[Any], labels: Sequence[str]) -> list[Any]:
        """One prediction a row, as it is stored (``xleval.predictions``), from the decisions on all examples."""


_MODULES = {
    "sequence-classification": "xleval.tasks.sequence_classification",
    "multiple-choice": "xleval.tasks.multiple_choice",
    "token-classification": "xleval.tasks.token_classification",
    "dependency-parsing": "xleval.tasks.dependency_parsing",
    "question-answering": "xleval.tasks.question_answering",
}


def through(head: Any, vectors: Tensor) -> Tensor:
    """A head's own layers, a sequence of modules, without the losses and reshaping that the library adds."""
    from torch import nn

    found: Tensor = nn.Sequential.forward(head, vectors)  # type: ignore[no-untyped-call]
    return found


def family_of(name: str) -> Family:
    """The family under a spec's ``family``."""
    family: Family = import_module(_MODULES[name]).FAMILY
    return family
