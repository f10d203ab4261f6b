"""Records of runs that never were, with given scores: what the analyses' tests read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xleval.analysis.measured import Measured, measured
from xleval.records import SCHEMA, Results

#: strategy → language → score of each seed, the first one 1; None is a failure.
Given = Mapping[str, Mapping[str, list[float | None]]]


def records(given: Given, *, task: str = "xnli", source: str = "eng", **fields: Any) -> list[dict[str, Any]]:
    """``run`` and ``eval`` records; strategies share the training of a seed unless ``trainings`` names their own."""
    trainings: Mapping[str, str] = fields.pop("trainings", {})
    backbone = fields.pop("backbone", {"id": "google-bert/bert-base-multilingual-cased", "revision": "0" * 40})
    made: list[dict[str, Any]] = []
    for strategy, by_language in given.items():
        for seed in range(1, max(map(len, by_language.values()), default=0) + 1):
            run_id = f"sha256:{task}-{strategy}-{seed}-{fields.get('run', '')}"
            made.append(
                {
                    "type": "run", "schema": SCHEMA, "run_id": run_id, "strategy": {"name": strategy}, "seed": seed,
                    "train_run_id": f"sha256:{trainings.get(strategy, 'shared')}-{seed}", "backbone": backbone,
                    "source_lang": source,
                }
            )  # fmt: skip
            for language, scores in by_language.items():
                if seed > len(scores):
                    continue
                score = scores[seed - 1]
                outcome: dict[str, Any] = (
                    {"status": "failed", "error": {"type": "E", "message": "no"}}
                    if score is None
                    else {"status": "ok", "metrics": {"accuracy": {"value": score}, "other": {"value": 1 - score}}}
                )
                about = {
                    "type": "eval", "schema": SCHEMA, "run_id": run_id, "task": task, "task_version": "1",
                    "dataset_revision": "1" * 40, "split": "test", "language": language, "limit": None,
                }  # fmt: skip
                extra = {key: value for key, value in fields.items() if key != "run"}
                made.append({**about, "infer_on": None, **outcome, **extra})
    return made


def group_of(given: Given, **fields: Any) -> Measured:
    """The one group of such records."""
    (group,) = groups_of(records(given, **fields))
    return group


def groups_of(found: list[dict[str, Any]], metric: str = "") -> list[Measured]:
    """All groups of some records."""
    runs = {record["run_id"]: record for record in found if record["type"] == "run"}
    return measured((record for record in found if record["type"] == "eval"), runs, metric)


def written(folder: Path, found: list[dict[str, Any]]) -> Path:
    """A results folder with some records."""
    results = Results(folder)
    for record in found:
        results.append(record)
    return folder
