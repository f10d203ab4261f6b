"""Validation of results: sound ones agree, and each way in which a number can be wrong is found and named."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli

from xleval.errors import UserError
from xleval.records import SCHEMA, Record, Results, item_ids_digest
from xleval.results_check import check_results
from xleval.scoring.metrics import ACCURACY, ANSWER_F1, ENTITY_F1, EXACT_MATCH, LAS, SEGMENTED_F1, TREES, UAS, Metric
from xleval.scoring.score import in_records

FAMILIES: dict[str, Sequence[Metric]] = {
    "nli": [ACCURACY],
    "ner": [ENTITY_F1],
    "parse": [LAS, UAS, TREES],
    "qa": [ANSWER_F1, EXACT_MATCH, SEGMENTED_F1],
}


def made(folder: Path, *, seed: int = 1, strategy: str = "madx", tasks: Sequence[str] = tuple(FAMILIES)) -> Results:
    """A sound results folder: one run, two languages of each task, counts drawn at random."""
    results = Results(folder)
    run = f"sha256:{strategy}-{seed}"
    random = np.random.default_rng(seed)
    results.append(
        {
            "type": "run", "schema": SCHEMA, "run_id": run, "train_run_id": f"sha256:{seed}", "seed": seed,
            "strategy": {"name": strategy, "plugin": "xleval"}, "backbone": {"id": "b", "revision": "r"},
            "created": f"2026-01-0{seed}T00:00:00Z",
        }
    )  # fmt: skip
    for task in tasks:
        metrics = FAMILIES[task]
        for language in ("swa", "quy"):
            counts = random.integers(0, 5, (20, len(metrics[0].stats)))
            if metrics[0].below == {"total": 1} or metrics[0] is ANSWER_F1:
                counts = np.minimum(counts, 1)
                counts[:, metrics[0].stats.index("total")] = 1
            record = evaluated(results, run, task, language, metrics, counts)
            results.append({**record, "created": f"2026-01-0{seed}T00:00:00Z"})
    return results


def evaluated(
    results: Results, run: str, task: str, language: str, metrics: Sequence[Metric], counts: Any
) -> dict[str, Any]:
    ids, stats = [f"i{i}" for i in range(len(counts))], metrics[0].stats
    name = hashlib.sha256(f"{run} {task} {language}".encode()).hexdigest()[:32]
    return {
        "type": "eval", "schema": SCHEMA, "run_id": run, "task": task, "task_version": "1",
        "dataset_revision": "1" * 40, "split": "test", "language": language, "limit": None, "parallel": True,
        "status": "ok",
        "item_ids_sha256": item_ids_digest(ids),
        "metrics": {metric.name: in_records(metric, counts) for metric in metrics},
        "n_examples": len(ids), "counts": dict(zip(stats, counts.sum(axis=0).tolist(), strict=True)),
        "per_example": results.write_items(name, [(item, "x") for item in ids], stats, counts),
    }  # fmt: skip


def rewritten(results: Results, change: Callable[[list[Record]], object]) -> Results:
    """The results with another file of records."""
    records = copy.deepcopy(results.read())
    change(records)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    results.path.write_text(text, encoding="utf-8")
    return Results(results.folder)


def faults(results: Results) -> list[str]:
    return [f"{line}: {cell}: {message}" for line, cell, message in check_results(results.folder).faults]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return made(tmp_path / "results")


def test_sound_results_agree(results: Results) -> None:
    results.append({"type": "remark", "schema": "xleval/1.7", "text": "of a newer version"})
    told: list[tuple[int, int]] = []
    for path in (results.folder, results.path):
        checked = check_results(path, lambda done, total: told.append((done, total)))
        assert (checked.runs, checked.cells, checked.failed, checked.faults) == (1, 8, 0, [])
        assert str(checked) == f"8 cells of 1 runs in {results.path}: all agree"
    assert told == [(i, 8) for i in range(1, 9)] * 2


def test_the_file_of_records_may_have_another_name(results: Results) -> None:
    other = results.path.rename(results.folder / "sent.jsonl")
    assert check_results(other).cells == 8
    with pytest.raises(UserError, match=r"no records\.jsonl in"):
        check_results(results.folder)
    with pytest.raises(UserError, match="no file or folder"):
        check_results(results.path)


def test_a_failure_is_counted_and_no_fault(results: Results) -> None:
    def fail(records: list[Record]) -> None:
        records[1] = {key: records[1][key] for key in list(records[1])[:9]}
        records[1] |= {"limit": None, "status": "failed", "error": {"type": "E", "message": "no"}}

    checked = check_results(rewritten(results, fail).folder)
    assert (checked.cells, checked.failed, checked.faults) == (7, 1, [])
    assert "(1 more failed when they were run)" in str(checked)


def put(place: str, value: Any) -> Callable[[list[Record]], None]:
    """Puts a value into the record of nli/swa, on line 2; ``...`` takes what is there away."""

    def change(records: list[Record]) -> None:
        *steps, last = place.split(".")
        at: Any = records[1]
        for step in steps:
            at = at[step]
        if value is ...:
            del at[last]
        else:
            at[last] = value

    return change


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("metrics.accuracy.value", 0.123, "metrics.accuracy.value: recorded 0.123, the items give 0."),
        ("metrics.accuracy.value", 10**400, "metrics.accuracy.value"),
        ("metrics.accuracy.value", True, "metrics.accuracy.value: recorded True, the items give 0."),
        ("metrics.accuracy.se", 0.0, "metrics.accuracy.se: recorded 0.0, the items give 0."),
        ("metrics.accuracy.se", ..., "metrics.accuracy.se: missing, the items give 0."),
        ("metrics.accuracy.ci", [0.1, 0.2], "metrics.accuracy.ci: recorded [0.1, 0.2], the items give [0."),
        ("metrics.accuracy.ci", [0.1], "metrics.accuracy.ci: recorded [0.1], the items give [0."),
        ("metrics.accuracy.ci", "x", "metrics.accuracy.ci: recorded 'x'"),
        ("metrics.accuracy.ci_level", 0.9, "metrics.accuracy.ci_level: recorded 0.9, the items give 0.95"),
        ("metrics.accuracy.ci_method", "guess", "metrics.accuracy.ci_method: recorded 'guess'"),
        ("metrics.accuracy.higher_is_better", False, "metrics.accuracy.higher_is_better: recorded False"),
        ("metrics.uas", {"value": 0.5}, "metrics.uas is not computed from the counts correct, total"),
        ("metrics.bleu", {"value": 0.5}, "metrics.bleu: no metric has this name; known are accuracy, f1"),
        ("metrics", {}, "has no metrics"),
        ("metrics", ..., "has no metrics"),
        ("counts", {"correct": 1, "total": 20}, "counts: recorded {'correct': 1, 'total': 20}, the items give {"),
        ("n_examples", 21, "n_examples: recorded 21, the items give 20"),
        ("n_examples", 20.0, "n_examples: recorded 20.0, the items give 20"),
        ("item_ids_sha256", "0" * 64, f"item_ids_sha256: recorded '{'0' * 64}', the items give "),
        ("per_example", ..., "cannot be recomputed: the record names no per-item file"),
        ("per_example.path", "../x", "cannot be recomputed: per_example.path '../x' leads out of"),
        ("per_example.path", "items/x.jsonl", "cannot be recomputed: "),
        ("per_example.sha256", "0" * 64, "cannot be recomputed: "),
        ("per_example.rows", 19, "cannot be recomputed: "),
        ("per_example.rows", None, "cannot be recomputed: per_example.rows is None"),
        ("per_example.stats", ["right", "total"], "cannot be recomputed: "),
        ("eval_seconds", float("inf"), "eval_seconds is not a finite number"),
        ("infer_on", {"perplexity": [1.0, float("nan")]}, "infer_on.perplexity[1] is not a finite number"),
        ("run_id", "sha256:other", "there is no run record sha256:other"),
    ],
)  # fmt: skip
def test_what_a_record_says_otherwise_is_found(results: Results, place: str, value: Any, said: str) -> None:
    found = faults(rewritten(results, put(place, value)))
    assert len(found) == 1
    head = "2: : " if value == 10**400 else "2: nli/swa: " if place == "run_id" else "2: nli/swa (madx, seed 1): "
    assert found[0].startswith(head) and (said in found[0] or value == 10**400)


def test_the_last_digits_of_another_machine_are_no_fault(results: Results) -> None:
    def nudge(records: list[Record]) -> None:
        for record in records[1:]:
            for metric in record["metrics"].values():
                metric |= {key: metric[key] + 1e-13 for key in ("value", "se")}

    assert faults(rewritten(results, nudge)) == []


def test_every_family_is_recomputed(results: Results) -> None:
    def nudge(records: list[Record]) -> None:
        for record in records[1:]:
            for metric in record["metrics"].values():
                metric["value"] += 1e-8

    assert len(faults(rewritten(results, nudge))) == 2 * sum(map(len, FAMILIES.values()))


def test_a_changed_item_is_found(results: Results) -> None:
    path = results.folder / results.read()[1]["per_example"]["path"]
    text = path.read_text()
    path.write_text(text.replace('"correct": 0', '"correct": 1', 1))
    (fault,) = faults(results)
    assert fault.startswith(f"2: nli/swa (madx, seed 1): cannot be recomputed: {path}: its SHA-256 is ")

    def adopt(records: list[Record]) -> None:
        records[1]["per_example"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()

    found = faults(rewritten(results, adopt))  # the forger knows of digests
    assert [fault.split(": ")[2] for fault in found][:2] == ["counts", "metrics.accuracy.value"] and len(found) > 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{\n", "is not a record"),
        ("[" * 100_000 + "\n", "is not a record"),
        ('{"type": "run", "schema": "xleval/1.0", "run_id": []}\n', "is not a record"),
        ('{"type": "run", "schema": "xleval/1.0"}\n', "lacks 'run_id'"),
        ('{"type": "run", "schema": "xleval/2.0", "run_id": "r"}\n', "schema xleval/2.0 is newer"),
        ('{"type": "run", "schema": "xleval/1.0", "run_id": "r"}', "cut short"),
    ],
)
def test_a_line_that_is_no_record_does_not_hide_the_others(results: Results, line: str, said: str) -> None:
    changed = rewritten(results, put("n_examples", 21))
    with changed.path.open("a") as stream:
        stream.write(line)
    found = faults(changed)
    assert len(found) == 2 and found[0].startswith("2: nli/swa") and found[1].startswith(f"10: : {said}")


def test_records_that_contradict_each_other(results: Results) -> None:
    def contradict(records: list[Record]) -> None:
        run, cell = copy.deepcopy(records[:2])
        run["seed"], run["env"] = 7, {"torch": "another version is none"}
        cell["counts"]["correct"] += 1
        records += [run, cell, copy.deepcopy(records[2])]  # the last one is the same again

    found = faults(rewritten(results, contradict))
    assert found[0] == "10: : run sha256:madx-1 has two records that differ in seed: 1 and 7"
    assert found[1].startswith(
        "11: nli/swa (madx, seed 1): another result of this cell is on line 2, with other counts"
    )
    assert len(found) == 3 and found[2].startswith("11: nli/swa (madx, seed 1): counts: recorded")  # it counts, too


def test_a_retry_after_a_failure_is_no_contradiction(results: Results) -> None:
    def retry(records: list[Record]) -> None:
        failure = {**records[1], "status": "failed", "error": {"type": "E", "message": "no"}}
        del failure["per_example"], failure["metrics"]
        records[:] = [records[0], failure, *records[1:], failure]

    checked = check_results(rewritten(results, retry).folder)
    assert (checked.cells, checked.failed, checked.faults) == (8, 0, [])


# The command


def test_the_command(cli: Cli, tmp_path: Path) -> None:
    sound = made(cli.folder / "xleval-results", tasks=["nli"])
    assert cli("results", "validate").stdout == "2 cells of 1 runs in xleval-results/records.jsonl: all agree\n"
    made(cli.folder / "b", tasks=["nli"])
    rewritten(Results(cli.folder / "b"), put("per_example", ...))
    both = ["results", "validate", sound.path, "b"]
    done = cli(*both, code=1)
    assert "b/records.jsonl:2: nli/swa (madx, seed 1): cannot be recomputed: the record names no" in done.stderr
    assert "2 cells of 1 runs in b/records.jsonl: 1 fault, 1 cells cannot be recomputed" in done.stdout
    first, second = json.loads(cli(*both, "--json", code=1).stdout)
    assert first["faults"] == [] and first["cells"] == 2 and first["path"] == str(sound.path)
    assert second["without_items"] == 1
    (fault,) = second["faults"]
    assert (fault["line"], fault["cell"]) == (2, "nli/swa (madx, seed 1)")
    assert "no file or folder nowhere" in cli("results", "validate", "b", "nowhere", code=2).stderr
