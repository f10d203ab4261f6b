"""Made entries of a large leaderboard: what ``site_build.py`` builds a site of.

Scores are drawn at random, from one seed: 20 strategies × 5 backbones × 36 languages × 5 seeds a task, records as long
as those of real runs. Two kinds of entries, on different tasks:

``made-…``      any number of scores. They name per-item files that are not there (two hundred thousand would be
                gigabytes), so they are shown as self-reported, and nothing is tested.
``measured-…``  few scores, with their per-item files, which ``xleval leaderboard validate`` passes.

Run: python benchmarks/site_records.py FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xleval.leaderboard.adding import add_entry
from xleval.leaderboard.bounds import FILE, LINES
from xleval.records import RECORDS, SCHEMA, Record, Results, item_ids_digest
from xleval.scoring import metrics
from xleval.scoring.metrics import PARTS, Metric
from xleval.scoring.score import in_records

SEED = 20_260_101

BACKBONES = {
    "google-bert/bert-base-multilingual-cased": "3f076fdb1ab68d5b2880cb87a0886f315b8146f8",
    "FacebookAI/xlm-roberta-base": "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
    "FacebookAI/xlm-roberta-large": "c23d21b0620b635a76227c604d44e43a9f0ee389",
    "made/encoder-small": "4" * 40,
    "made/encoder-large": "5" * 40,
}
_NAMES = (
    "madx", "madx-v1", "multilingual-la", "tlr-task-multi", "tlr-all-multi", "tlr-leave-out-task", "la-target",
    "la-source", "la-none", "la-none-tr",
)  # fmt: skip
STRATEGIES = tuple(f"{name}{kind}" for kind in ("", ":adapter=lora") for name in _NAMES)
LANGUAGES = (
    "amh", "ara", "aym", "bam", "ben", "bzd", "cni", "deu", "eng", "est", "fin", "fra", "grn", "hat", "hau", "hin",
    "ibo", "ind", "ita", "jpn", "kin", "kor", "luo", "mar", "mlt", "quy", "rus", "spa", "swa", "tam", "tel", "tha",
    "urd", "wol", "yor", "zho",
)  # fmt: skip
SEEDS = (1, 2, 3, 4, 5)

#: Language modules that a strategy trains the task adapter on: none, the source's, or a cycle.
_CYCLES = {"la-none": 0, "la-none-tr": 0, "multilingual-la": 1, "madx": 1, "madx-v1": 1, "la-target": 1, "la-source": 1}
_CYCLE = 9

_LABELS, _ENTITIES = (metrics.ACCURACY,), (metrics.ENTITY_F1,)
_WORDS = metrics.WORD_ACCURACY, metrics.RUN_CHUNK_F1
_TREES = metrics.LAS, metrics.UAS, metrics.LAS_LEGACY, metrics.UAS_LEGACY, metrics.TREES
_ANSWERS = metrics.ANSWER_F1, metrics.EXACT_MATCH, metrics.SEGMENTED_F1

#: Metrics of a family → count → how many an item has, and which share of them a score of 1 makes right; None: not right
#: or wrong.
_COUNTS: dict[tuple[Metric, ...], dict[str, tuple[float, float | None]]] = {
    _LABELS: {"correct": (1, 1), "total": (1, None)},
    _ENTITIES: {"tp": (1.6, 1), "pred": (1.6, None), "gold": (1.6, None)},
    _WORDS: {
        "correct": (20, 1), "words": (20, None), "chunk_tp": (12, 0.9), "chunk_pred": (12, None),
        "chunk_gold": (12, None),
    },
    _TREES: {
        "correct_heads": (20, 1), "correct_arcs": (20, 0.9), "words": (20, None), "correct_heads_legacy": (19, 1),
        "correct_arcs_legacy": (19, 0.9), "words_legacy": (19, None), "trees": (1, 1), "sentences": (1, None),
    },
    _ANSWERS: {"f1_e12": (PARTS, 1), "f1_segmented_e12": (PARTS, 1), "em": (1, 0.75), "total": (1, None)},
}  # fmt: skip


class Task(NamedTuple):
    """What is evaluated."""

    name: str
    source: str = "mnli"
    metrics: tuple[Metric, ...] = _LABELS
    parallel: bool = True
    split: str = "test"


_KNOWN = (
    Task("xnli"),
    Task("masakhaner", "conll2003", _ENTITIES, False),
    Task("xcopa", "siqa+copa"),
    Task("americasnli"),
    Task("panx", "wikiann-en", _ENTITIES, False),
    Task("paws-x", "paws"),
    Task("ud-pos", "ud-pos-english-ewt", _WORDS, False),
    Task("ud-parsing", "ud-english-ewt", _TREES, False),
    Task("xquad", "squad", _ANSWERS),
    Task("tydiqa-goldp", "squad", _ANSWERS, False, "dev"),
)
#: Items of a cell with a per-item file, and most entities of a sentence.
ITEMS, ENTITIES = 200, 4


def digest(*parts: object) -> str:
    """SHA-256 of the parts."""
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


def task_at(number: int) -> Task:
    """The tasks in order: shipped ones, then made ones without end."""
    return _KNOWN[number] if number < len(_KNOWN) else Task(f"task-{number + 1}", parallel=False)


def run_record(task: Task, backbone: str, strategy: str, seed: int) -> Record:
    """A run that serves all languages of one task."""
    name, _, kind = strategy.partition(":adapter=")
    run = f"sha256:{digest('run', task.name, backbone, strategy, seed)}"
    modules = LANGUAGES[: _CYCLES.get(name, _CYCLE)]
    return {
        "type": "run", "schema": SCHEMA, "run_id": run, "train_run_id": run, "xleval": "0.1.0",
        "strategy": {
            "name": strategy, "plugin": "xleval", "version": "0.1.0", "parameters": {"adapter": kind} if kind else {},
            "config_sha256": digest("config", strategy),
        },
        "backbone": {"id": backbone, "revision": BACKBONES[backbone]},
        "adapters": [
            *(language_module(code, backbone) for code in modules),
            {"role": "task", "kind": kind or "bottleneck", "id": run, "sha256": digest("weights", run)},
        ],
        "source_lang": "eng", "source": [dict.fromkeys(("train", "dev"), f"{task.source}@{'a' * 40}")],
        "train_on": [f"LA({code})" for code in modules] or ["none"], "drop_last": name != "madx-v1",
        "hyperparameters": {
            "epochs": 3, "steps": 0, "batch": 32, "lr": 0.0001, "clip": 1.0, "weight_decay": 0.0, "eval_every": 625,
            "patience": 0, "select": "best", "max_length": 128, "reduction": 16, "non_linearity": "relu",
            "head": "two-layer", "switch": "step", "dev_switch": "source",
        },
        "module_hyperparameters": {
            "la": {
                "steps": 50000, "batch": 64, "chunk": 128, "lr": 0.0001, "mlm_probability": 0.15, "eval_every": 5000,
                "held_out": 0.05, "reduction": 2, "invertible": 2, "non_linearity": "relu", "head": "trained",
                "seed": 42,
            }
        } if modules else {},
        "target_scope": "shared", "seed": seed, "git_commit": "c" * 40, "git_dirty": False,
        "env": {
            "python": "3.11.7", "torch": "2.13.0+cu130", "transformers": "4.57.6", "adapters": "1.3.0",
            "datasets": "5.0.1", "tokenizers": "0.22.2", "numpy": "2.4.6", "seqeval": "1.2.2", "icu4py": "1.2.0",
            "device": "NVIDIA A100-SXM4-80GB", "precision": "fp32",
        },
        "dev": {task.metrics[0].name: 0.7433333333333333}, "best_step": 36250, "train_seconds": 2432.447,
        "created": _moment(seed), "checkpoint_selection": "source-dev",
    }  # fmt: skip


def language_module(code: str, backbone: str) -> Record:
    """A trained language adapter, as records name it."""
    found = digest("module", code, backbone)
    return {
        "role": "language", "lang": code, "module": f"LA({code})", "id": f"sha256:{found}",
        "texts": {code: f"sha256:{found[:16]}"}, "perplexity_before": 6.096507072821137 + int(found[:2], 16),
        "perplexity": 4.156838695230903, "sha256": digest("weights", found),
    }  # fmt: skip


def _eval_record(task: Task, run: Record, backbone: str, language: str) -> Record:
    return {
        "type": "eval", "schema": SCHEMA, "run_id": run["run_id"], "task": task.name, "task_version": "1",
        "dataset": task.name, "dataset_revision": digest("data", task.name)[:40], "split": task.split,
        "language": language, "parallel": task.parallel, "limit": None,
        "infer_on": language_module(language, backbone), "provenance": "self-reported", "status": "ok",
        "eval_seconds": 12.696, "created": _moment(run["seed"]),
    }  # fmt: skip


def _moment(seed: int) -> str:
    return f"2026-01-{seed:02d}T12:00:00Z"


def drawn_scores(task: Task, backbone: str) -> npt.NDArray[np.float64]:
    """Expected scores, (strategies, languages, seeds): all three matter, and so does the backbone."""
    draw = np.random.default_rng([SEED, *digest(task.name, backbone).encode()[:8]])
    shape = len(STRATEGIES), len(LANGUAGES), len(SEEDS)
    parts = ((shape[0], 1, 1), 0.05), ((1, shape[1], 1), 0.1), ((*shape[:2], 1), 0.02), ((shape[0], 1, shape[2]), 0.01)
    found = draw.uniform(0.5, 0.7) + sum(sd * draw.standard_normal(size) for size, sd in parts)
    return np.asarray(np.clip(found + 0.005 * draw.standard_normal(shape), 0.02, 0.98))


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def reported(task: Task, backbone: str, most: int) -> tuple[list[bytes], list[bytes]]:
    """Lines of the runs, and of at most so many scores: whole languages first, so that all strategies have them."""
    scores = drawn_scores(task, backbone)
    items = {code: 500 + 10 * (int(digest(task.name, code)[:4], 16) % 450) for code in LANGUAGES}
    ids = {code: digest("ids", task.name, "" if task.parallel else code) for code in LANGUAGES}
    amounts = _COUNTS[task.metrics].values()
    stats = list(task.metrics[0].stats)
    runs: dict[tuple[int, int], Record] = {}
    lines: list[bytes] = []
    for language, seed, strategy in product(range(len(LANGUAGES)), range(len(SEEDS)), range(len(STRATEGIES))):
        if len(lines) == most:
            break
        if (strategy, seed) not in runs:
            runs[strategy, seed] = run_record(task, backbone, STRATEGIES[strategy], SEEDS[seed])
        run, code = runs[strategy, seed], LANGUAGES[language]
        n, p = items[code], scores[strategy, language, seed]
        sums = [round(n * each) if share is None else round(n * each * share * p) for each, share in amounts]
        cell = digest("items", run["run_id"], code)
        lines.append(
            _line(
                {
                    **_eval_record(task, run, backbone, code),
                    "item_ids_sha256": ids[code],
                    "metrics": {metric.name: _stated(metric, sums, n) for metric in task.metrics},
                    "n_examples": n,
                    "counts": dict(zip(stats, sums, strict=True)),
                    "per_example": {"path": f"items/{cell[:32]}.jsonl", "sha256": cell, "rows": n, "stats": stats},
                }
            )
        )
    return [_line(run) for run in runs.values()], lines


def _stated(metric: Metric, sums: Sequence[int], n: int) -> Record:
    """As scoring writes it, but for the standard error, which takes the items."""
    counts = dict(zip(metric.stats, sums, strict=True))
    above, below = (
        sum(weight * counts[stat] for stat, weight in part.items()) for part in (metric.above, metric.below)
    )
    value = above / below
    error = (value * (1 - value) / n) ** 0.5
    return {
        "value": value, "unit": metric.unit, "higher_is_better": True, "se": error,
        "ci": [max(value - 1.96 * error, 0.0), min(value + 1.96 * error, 1.0)], "ci_level": 0.95,
        "ci_method": "delta method over items, t quantile; this run only",
    }  # fmt: skip


def write_reported(folder: Path, records: int) -> None:
    """Entries ``made-…`` with exactly so many scores in all: of one backbone each, within the limits of a file."""
    for number, backbone in enumerate(BACKBONES):
        left = records // len(BACKBONES) + (number < records % len(BACKBONES))
        short = backbone.rpartition("/")[2]
        for part, lines in enumerate(_within_limits(_groups(backbone, left)), start=1):
            entry = folder / f"made-{short}-{part}"
            entry.mkdir(parents=True)
            with (entry / RECORDS).open("wb") as stream:
                stream.writelines(lines)


def _groups(backbone: str, left: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
    number = 0
    while left:
        runs, scores = reported(task_at(number), backbone, left)
        left -= len(scores)
        number += 1
        yield runs, scores


def _within_limits(groups: Iterator[tuple[list[bytes], list[bytes]]]) -> Iterator[list[bytes]]:
    """Lines of files: the runs of its tasks, then their scores."""
    runs: list[bytes] = []
    scores: list[bytes] = []
    size = 0
    for more_runs, more in groups:
        more_size = sum(map(len, more_runs)) + sum(map(len, more))
        lines = len(runs) + len(scores) + len(more_runs) + len(more)
        if scores and (size + more_size > FILE or lines > LINES):
            yield runs + scores
            runs, scores, size = [], [], 0
        runs, scores, size = runs + more_runs, scores + more, size + more_size
    if scores:
        yield runs + scores


def write_measured(folder: Path, records: int) -> int:
    """Entries ``measured-…``, one a backbone, of two tasks or more; returns how many scores they have.

    All strategies, backbones and seeds have all languages, so the number is a multiple of their product.
    """
    columns = records // (len(BACKBONES) * len(STRATEGIES) * len(SEEDS))
    tasks = max(-(-columns // len(LANGUAGES)), min(2, columns))
    for backbone in BACKBONES if columns else ():
        with tempfile.TemporaryDirectory() as name:
            results = Results(Path(name))
            lines: list[bytes] = []
            for number in range(tasks):
                task = Task(f"measured-{number + 1}", metrics=_ENTITIES if number % 2 else _LABELS)
                languages = LANGUAGES[: len(range(number, columns, tasks))]
                lines += _measured(task, backbone, languages, results)
            results.path.write_bytes(b"".join(lines))
            add_entry([results.folder], folder, f"measured-{backbone.rpartition('/')[2]}")
    return columns * len(BACKBONES) * len(STRATEGIES) * len(SEEDS)


def _measured(task: Task, backbone: str, languages: Sequence[str], results: Results) -> Iterator[bytes]:
    """Lines of records; the items are written."""
    scores = drawn_scores(task, backbone)
    ids = [f"{task.name}-{number}" for number in range(ITEMS)]
    stats = task.metrics[0].stats
    draw = np.random.default_rng([SEED, 1, *digest(task.name, backbone).encode()[:8]])
    items = np.random.default_rng([SEED, 2, *task.name.encode()])
    hardness, gold = items.normal(0, 1, ITEMS), items.integers(0, ENTITIES, ITEMS)  # of the same items everywhere
    for (s, strategy), (k, seed) in product(enumerate(STRATEGIES), enumerate(SEEDS)):
        run = run_record(task, backbone, strategy, seed)
        yield _line(run)
        for language, code in enumerate(languages):
            p = scores[s, language, k]
            chance = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + hardness)))
            counts, predicted = _items(task, chance, gold, draw)
            name = digest("items", run["run_id"], code)[:32]
            yield _line(
                {
                    **_eval_record(task, run, backbone, code),
                    "item_ids_sha256": item_ids_digest(ids),
                    "metrics": {metric.name: in_records(metric, counts) for metric in task.metrics},
                    "n_examples": ITEMS,
                    "counts": dict(zip(stats, counts.sum(axis=0).tolist(), strict=True)),
                    "per_example": results.write_items(name, zip(ids, predicted, strict=True), stats, counts.tolist()),
                }
            )


def _items(
    task: Task, chance: npt.NDArray[np.float64], gold: npt.NDArray[np.int64], draw: np.random.Generator
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Counts (items, q), and what was predicted."""
    if task.metrics == _LABELS:
        right = (draw.random(ITEMS) < chance).astype(np.int64)
        return np.stack([right, np.ones_like(right)], axis=1), ["neutral" if one else "entailment" for one in right]
    found = draw.binomial(gold, chance)
    pred = found + draw.poisson(0.3, ITEMS)
    return np.stack([found, pred, gold], axis=1), [["O"] * 6 + ["B-PER", "O"] * int(each) for each in pred]


def main() -> None:
    """Writes the entries and says how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of entries; made where it is missing")
    parser.add_argument("--records", type=int, default=200_000, help="scores without per-item files")
    parser.add_argument("--measured", type=int, default=4000, help="scores with per-item files: a multiple of 500")
    given = parser.parse_args()
    start = time.perf_counter()
    measured = write_measured(given.folder, given.measured)  # first: adding an entry reads those that are there
    print(f"{measured:,} scores with per-item files in {time.perf_counter() - start:.0f} s")
    start = time.perf_counter()
    write_reported(given.folder, given.records)
    print(f"{given.records:,} scores without in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
