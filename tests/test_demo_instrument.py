"""The demo is an instrument: its zero-shot scores fall with distance from the source. Runs the main command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

from xleval.records import Results
from xleval_demo.languages import LANGUAGES

MADE = {language.code: language for language in LANGUAGES}
CHANCE = 1 / 3


def results_of(place: Path, *options: str) -> Path:
    """What ``xleval run`` with some options leaves."""
    done = subprocess.run(
        [sys.executable, "-m", "xleval", "run", *options],
        capture_output=True, text=True, cwd=place, timeout=1200,
        env={**os.environ, "XLEVAL_STORE": str(place / "store"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "xleval-results"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The main job, run as the README says."""
    return results_of(tmp_path_factory.mktemp("demo"), "--strategy", "tlr-all-multi")


def cells(folder: Path, task: str) -> list[dict[str, Any]]:
    return [record for record in Results(folder).cells().values() if record["task"] == task]


def means(folder: Path, task: str) -> dict[str, float]:
    """Mean over seeds by language."""
    found: dict[str, list[float]] = {}
    for record in cells(folder, task):
        (metric,) = record["metrics"].values()
        found.setdefault(record["language"], []).append(metric["value"])
    assert {len(values) for values in found.values()} == {3}
    return {language: sum(values) / len(values) for language, values in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["demo-nli", "demo-ner"])
def test_scores_fall_with_distance_from_the_source(task: str, folder: Path) -> None:
    scores = means(folder, task)
    assert len(scores) == 8
    fall = spearmanr([MADE[lang].distance for lang in scores], list(scores.values()))
    assert fall.statistic < -0.6, scores
    near = min(scores, key=lambda lang: MADE[lang].distance)
    far = max(scores, key=lambda lang: MADE[lang].distance)
    assert scores[near] - scores[far] > 0.12, scores


@pytest.mark.slow
def test_close_relatives_are_above_chance_with_certainty(folder: Path) -> None:
    for record in cells(folder, "demo-nli"):
        if MADE[record["language"]].distance <= 0.4:
            assert record["metrics"]["accuracy"]["ci"][0] > CHANCE, record["language"]


@pytest.mark.slow
def test_unseen_languages_too_are_graded(folder: Path) -> None:
    scores = means(folder, "demo-nli")
    near, far = sorted((lang for lang in scores if not MADE[lang].seen), key=lambda lang: MADE[lang].distance)
    assert scores[near] - scores[far] > 0.1
    # A relative that pretraining saw does better than one as close that it did not.
    assert scores["qab"] > scores[near]


@pytest.mark.slow
def test_the_task_is_learnt_and_seeds_differ(folder: Path) -> None:
    runs = Results(folder).runs().values()
    dev = [run["dev"]["accuracy"] for run in runs if "accuracy" in run["dev"]]
    assert min(dev) > 0.6
    assert len(set(dev)) > 1


#: Tasks of the full suite → the least that is reached on the source's dev data.
FULL = {"demo-paraphrase": 0.7, "demo-copa": 0.6, "demo-pos": 0.95, "demo-parse": 0.93, "demo-qa": 0.45}


@pytest.mark.slow
def test_every_family_is_learnt_and_graded(tmp_path: Path) -> None:
    asked = [part for task in FULL for part in ("--task", task)]
    found = results_of(tmp_path, "--strategy", "la-none-tr", "--seeds", "1", *asked)
    runs = Results(found).runs()
    for task, least in FULL.items():
        records = cells(found, task)
        assert len(records) == 8
        (run,) = {record["run_id"] for record in records}
        assert next(iter(runs[run]["dev"].values())) > least, task
        scores = {record["language"]: next(iter(record["metrics"].values()))["value"] for record in records}
        fall = spearmanr([MADE[lang].distance for lang in scores], list(scores.values()))
        assert fall.statistic < -0.6, (task, scores)
