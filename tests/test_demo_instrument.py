"""The demo is an instrument: its zero-shot scores fall with distance from the source. Runs the main command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from scipy.stats import spearmanr

from xleval.records import Results
from xleval_demo.languages import LANGUAGES

MADE = {language.code: language for language in LANGUAGES}
CHANCE = 1 / 3


@pytest.fixture(scope="module")
def folder(shared_cli: Cli) -> Path:
    """What the main job leaves, run as the README says."""
    shared_cli("run", "--strategy", "tlr-all-multi", seconds=1200)
    return shared_cli.folder / "xleval-results"


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
def test_every_family_is_learnt_and_graded(cli: Cli) -> None:
    asked = [part for task in FULL for part in ("--task", task)]
    cli("run", "--strategy", "la-none-tr", "--seeds", "1", "--jobs", "1", *asked, seconds=1200)
    found = cli.folder / "xleval-results"
    runs = Results(found).runs()
    for task, least in FULL.items():
        records = cells(found, task)
        assert len(records) == 8
        (run,) = {record["run_id"] for record in records}
        assert next(iter(runs[run]["dev"].values())) > least, task
        scores = {record["language"]: next(iter(record["metrics"].values()))["value"] for record in records}
        fall = spearmanr([MADE[lang].distance for lang in scores], list(scores.values()))
        assert fall.statistic < -0.6, (task, scores)
