"""Rows a second from stored predictions to a score with its interval, a family of tasks each.

Data and predictions are files, as `xleval score` has them: a made test set, and predictions of which half are right.
*From files* reads both, counts every item and computes metrics, standard error and interval; *in memory* has rows and
predictions read before. The peer is seqeval's F1 of all sentences, or scikit-learn's accuracy, on lists in memory: one
number, without counts of items. On one thread; repetitions in turn.

Run: python benchmarks/scoring.py
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import yaml
from memory import KINDS, declared, made_rows, test_file, write_rows

from xleval.predictions import PREDICTIONS, read_predictions, written
from xleval.scoring import score
from xleval.tasks.located import DataOptions
from xleval.tasks.sources import locate
from xleval.tasks.spec import TaskSpec, load_spec

LANGUAGE = "swa"


def predictions(family: str, rows: Sequence[Any], labels: Sequence[str], draw: random.Random) -> list[Any]:
    """As the store has them, half of them right; the others are drawn, as long as they have to be."""
    return [_prediction(family, row, labels, draw if draw.random() < 0.5 else None) for row in rows]


def _prediction(family: str, row: Any, labels: Sequence[str], draw: random.Random | None) -> Any:
    if family == "sequence-classification":
        return draw.choice(labels) if draw else labels[row.label]
    if family == "multiple-choice":
        return draw.randrange(len(row.choices)) if draw else row.label
    if family == "question-answering":
        start, text = row.answers[0]
        end = start + len(text)
        return [draw.randrange(start + 1), draw.randrange(end, len(row.context) + 1)] if draw else [start, end]
    words = range(len(row.tokens))
    names = [draw.choice(labels) if draw else labels[tag] for tag in _tags(row)]
    if family == "token-classification":
        return names
    return {"heads": [draw.randrange(len(words) + 1) for _ in words] if draw else list(row.heads), "relations": names}


def _tags(row: Any) -> Sequence[int]:
    return row.tags if hasattr(row, "tags") else row.relations  # type: ignore[no-any-return]


def peer_of(task: TaskSpec, rows: Sequence[Any], found: Sequence[Any]) -> tuple[str, Callable[[], float]] | None:
    """Who else computes the metric, and the call on lists that it takes."""
    if task.family == "token-classification":
        from seqeval.metrics import f1_score

        gold = [[task.labels[tag] for tag in row.tags] for row in rows]
        return "seqeval", lambda: float(f1_score(gold, found))
    if task.family in ("sequence-classification", "multiple-choice"):
        from sklearn.metrics import accuracy_score  # type: ignore[import-untyped] # seqeval needs it

        right = [task.labels[row.label] if task.labels else row.label for row in rows]
        return "scikit-learn", lambda: float(accuracy_score(right, found))
    return None


def rates(kind: str, count: int, times: int, folder: Path) -> str:
    """A row of the table."""
    (folder / "task.yaml").write_text(yaml.safe_dump(declared(kind)))
    task = load_spec(folder / "task.yaml")
    assert isinstance(task, TaskSpec)
    write_rows(folder / test_file(kind), kind, made_rows(kind, count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = locate(task, LANGUAGE, "test", DataOptions(folder, offline=True), {})
        rows = data.rows(task.labels, task.label_map)
    found = predictions(task.family, rows, task.labels, random.Random(1))
    pairs = [(row.id, one) for row, one in zip(rows, found, strict=True)]
    with written(folder / PREDICTIONS) as write:
        write(pairs)
    from_files, in_memory = "from files", "in memory"
    stored = folder / PREDICTIONS
    calls: dict[str, Callable[[], float]] = {
        from_files: lambda: _value(
            task, score(task, data.stream(task.labels, task.label_map), read_predictions(stored), LANGUAGE)
        ),
        in_memory: lambda: _value(task, score(task, rows, pairs, LANGUAGE)),
    }
    peer = peer_of(task, rows, found)
    if peer:
        calls[peer[0]] = peer[1]
    values = {who: call() for who, call in calls.items()}  # all have been called once before the clock starts
    assert max(values.values()) - min(values.values()) < 1e-9, values
    seconds: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(times):
        for who, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[who].append(time.perf_counter() - start)
    speed = {who: count / statistics.median(some) for who, some in seconds.items()}
    cells = f"{speed[from_files]:,.0f} | {speed[in_memory]:,.0f}"
    return f"| {kind} | {task.metric} | {cells} | {f'{peer[0]}: {speed[peer[0]]:,.0f}' if peer else '—'} |"


def _value(task: TaskSpec, scored: Any) -> float:
    return float(scored.metrics[task.metric]["value"])


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    print(f"One thread, load {os.getloadavg()[0]:.1f}; {given.rows} rows; medians of {given.times} repetitions.\n")
    print("| rows are | metric | from files, rows/s | in memory, rows/s | peer, rows/s |\n|---|---|--:|--:|--:|")
    for kind in given.kinds:
        with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(rates(kind, given.rows, given.times, Path(name)), flush=True)


if __name__ == "__main__":
    main()
