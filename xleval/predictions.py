"""Stored predictions: one JSON object a line with the item's id and what was predicted, never its text.

A prediction is, by family: a label; the position of a choice; a list of tags; ``{"heads", "relations"}``; the
first character of an answer in its context and the one behind its last. Lines are written and read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PREDICTIONS = "predictions.jsonl"


@contextmanager
def written(path: Path) -> Iterator[Callable[[Iterable[tuple[str, Any]]], None]]:
    """Gives a function that writes (id, prediction) pairs as ``{"id": …, "prediction": …}`` lines, as they come."""
    import jsonlines

    with jsonlines.open(path, "w", compact=True) as stream:

        def write(predictions: Iterable[tuple[str, Any]]) -> None:
            stream.write_all({"id": item, "prediction": prediction} for item, prediction in predictions)

        yield write


def read_predictions(path: Path) -> Iterator[tuple[str, Any]]:
    """(id, prediction) pairs, in order."""
    import jsonlines

    with jsonlines.open(path) as stream:
        for line in stream:
            yield line["id"], line["prediction"]
