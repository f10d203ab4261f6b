"""Results as xleval writes them, all metadata included, for what reads entries of the leaderboard."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from test_results_validate import evaluated

from xleval.records import SCHEMA, Record, Results
from xleval.scoring.metrics import ACCURACY

MOMENT = "2026-01-01T00:00:00Z"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def contributed(
    folder: Path,
    strategies: Sequence[str] = ("madx", "tlr-all-multi"),
    languages: Sequence[str] = ("quy", "swa"),
    seeds: Sequence[int] = (1, 2),
    *,
    task: str = "nli",
    xleval: str = "0.1.0",
    task_version: str = "1",
    items: int = 20,
) -> Path:
    """A sound results folder of these strategies; other versions make other runs."""
    results = Results(folder)
    for strategy in strategies:
        for seed in seeds:
            run = f"sha256:{digest(f'{strategy} {seed} {xleval}')}"
            results.append(
                {
                    "type": "run", "schema": SCHEMA, "run_id": run, "train_run_id": run, "xleval": xleval,
                    "strategy": {"name": strategy, "plugin": "xleval", "version": xleval, "config_sha256": "a" * 64},
                    "backbone": {"id": "bert", "revision": "b" * 40},
                    "adapters": [{"role": "task", "kind": "bottleneck", "id": run, "sha256": "c" * 64}],
                    "source_lang": "eng", "source": [{"train": "nli@1", "dev": "nli@1"}],
                    "hyperparameters": {"lr": 0.1}, "target_scope": "shared", "seed": seed,
                    "git_commit": None, "git_dirty": None, "train_on": ["LA(eng)"], "drop_last": True,
                    "env": dict.fromkeys(["python", "torch", "transformers", "adapters", "device", "precision"], "1"),
                    "train_seconds": 1.0, "created": MOMENT, "checkpoint_selection": "source-dev",
                }
            )  # fmt: skip
            for language in languages:
                random = np.random.default_rng(int(digest(f"{run}{language}")[:8], 16))
                counts = np.stack([random.integers(0, 2, items), np.ones(items, int)], axis=1)
                cell = evaluated(results, run, task, language, [ACCURACY], counts)
                more = {"task_version": task_version, "provenance": "self-reported", "created": MOMENT}
                results.append({**cell, **more})
    return folder


def changed(folder: Path, change: Callable[[list[Record]], object]) -> Path:
    """The folder, with another file of records."""
    path = folder / "records.jsonl"
    records = copy.deepcopy([json.loads(line) for line in path.read_text().splitlines()])
    change(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def failed(record: Record) -> None:
    """Makes a failure of a success."""
    for key in ("item_ids_sha256", "metrics", "n_examples", "counts", "per_example"):
        del record[key]
    record |= {"status": "failed", "error": {"type": "RuntimeError", "message": "out of memory\n\tat step 3"}}
