"""Results folders with per-item files of runs that never were: what comparisons read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xleval.comparison.choosing import choose
from xleval.comparison.measured import measure
from xleval.comparison.recorded import recorded
from xleval.comparison.versus import Comparison, compare
from xleval.item_files import items_of
from xleval.records import SCHEMA, Results, item_ids_digest
from xleval.scoring.metrics import ACCURACY, Metric
from xleval.scoring.score import in_records

#: strategy → language → (seeds, items) of right (1) and wrong (0), or counts of shape (seeds, items, q).
Outcomes = Mapping[str, Mapping[str, Any]]


def scored(folder: Path, outcomes: Outcomes, *, task: str = "nli", metric: Metric = ACCURACY, **fields: Any) -> Path:
    """Writes records of these outcomes; ``fields`` are put into every ``eval`` record.

    ``trainings``: strategy → what its runs are called, where strategies share them; by default its own name, and with
    ``own`` among the names of ``per_language`` one a language. ``seeds``: their numbers. ``groups`` of the items.
    """
    results = Results(folder)
    trainings: Mapping[str, str] = fields.pop("trainings", {})
    per_language: Sequence[str] = fields.pop("per_language", ())
    seeds: Sequence[int] | None = fields.pop("seeds", None)
    groups: Sequence[str] | None = fields.pop("groups", None)
    backbone = fields.pop("backbone", {"id": "bert", "revision": "0" * 40})
    settings = fields.pop("hyperparameters", {})
    for strategy, by_language in outcomes.items():
        for language, given in by_language.items():
            counts = np.asarray(given)
            if counts.ndim == 2:
                counts = np.stack([counts, np.ones_like(counts)], axis=-1)
            for seed, of_seed in zip(seeds or range(1, len(counts) + 1), counts, strict=True):
                training = f"{trainings.get(strategy, strategy)}-{seed}"
                training += f"-{language}" * (strategy in per_language)
                run_id = f"sha256:{strategy}-{training}-{hashlib.sha256(repr(settings).encode()).hexdigest()[:8]}"
                results.append(
                    {
                        "type": "run", "schema": SCHEMA, "run_id": run_id, "strategy": {"name": strategy},
                        "train_run_id": f"sha256:{training}", "seed": seed, "backbone": backbone, "source_lang": "eng",
                        "hyperparameters": settings, "source": [], "env": {"precision": "fp32"}, "train_on": [],
                        "drop_last": False, "target_scope": "per-target" if strategy in per_language else "shared",
                    }
                )  # fmt: skip
                about: dict[str, Any] = {
                    "type": "eval", "schema": SCHEMA, "run_id": run_id, "task": task, "task_version": "1",
                    "dataset": task, "dataset_revision": "1" * 40, "split": "test", "language": language,
                    "limit": None, "parallel": False, "status": "ok", **fields,
                }  # fmt: skip
                ids = about.pop("ids", None) or [f"i{i}" for i in range(len(of_seed))]
                name = hashlib.sha256(f"{run_id} {task} {language} {fields}".encode()).hexdigest()[:32]
                predictions = [(item, row.tolist()) for item, row in zip(ids, of_seed, strict=True)]
                results.append(
                    {
                        **about,
                        "item_ids_sha256": item_ids_digest(ids),
                        "metrics": {metric.name: in_records(metric, of_seed, groups)},
                        "n_examples": len(ids),
                        "counts": dict(zip(metric.stats, of_seed.sum(axis=0).tolist(), strict=True)),
                        "per_example": results.write_items(name, predictions, metric.stats, of_seed, groups),
                    }
                )
    return folder


def outcomes(
    chances: Mapping[str, float], languages: Sequence[str] = ("swa", "quy"), *, seeds: int = 3, items: int = 200
) -> dict[str, dict[str, Any]]:
    """Random outcomes with these chances of a right one; the same each time."""
    rng = np.random.default_rng(7)
    return {
        strategy: {code: (rng.random((seeds, items)) < chance).astype(int) for code in languages}
        for strategy, chance in chances.items()
    }


FAMILIES = {"swa": "Niger-Congo", "quy": "Quechuan"}
FAR = {"madx": 0.6, "tlr": 0.8, "same": 0.61}


def compared(folder: Path, *strategies: str, baseline: str = "", **more: Any) -> Comparison:
    _, (table,) = choose(recorded(folder)[0], strategies, baseline)
    return compare(measure(table, partial(items_of, folder)), table.rows[0].strategy, FAMILIES, **more)
