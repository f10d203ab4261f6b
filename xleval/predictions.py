"""Stored predictions: one JSON object a line with the item's id and what was predicted, never its text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PREDICTIONS = "predictions.jsonl"


def write_predictions(path: Path, ids: Sequence[str], predictions: Sequence[Any]) -> None:
    """Writes ``{"id": …, "prediction": …}`` lines: a label, or a list of tags."""
    import jsonlines

    with jsonlines.open(path, "w", compact=True) as stream:
        stream.write_all({"id": i, "prediction": p} for i, p in zip(ids, predictions, strict=True))


def read_predictions(path: Path) -> tuple[list[str], list[Any]]:
    """Item ids and predictions, in order."""
    import jsonlines

    with jsonlines.open(path) as stream:
        lines = list(stream)
    return [line["id"] for line in lines], [line["prediction"] for line in lines]
