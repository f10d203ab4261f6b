"""Language adapters side by side or one by one: the same weights, selection and perplexities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.conftest import ToyText
from engine.test_mlm import alphabet_text
from xleval.engine.language_adapters import train_language_adapters
from xleval.engine.make import make_jobs
from xleval.engine.mlm import TrainedModule, train_language_adapter
from xleval.engine.session import Session
from xleval.errors import UserError
from xleval.events import WorkProgress
from xleval.hyperparameters import group, merged
from xleval.jobs import LanguageAdapterJob
from xleval.recipe import BA, LA
from xleval.store import Store

CODES = ("swa", "yor", "hau")


def jobs_of(**changed: Any) -> list[LanguageAdapterJob]:
    """Three languages, of texts of different lengths."""
    settings = {"la.steps": 50, "la.batch": 8, "la.chunk": 16, "la.lr": 5e-3, "la.eval_every": 10}
    hyper = {**group(merged(settings), "la"), **changed}
    return [
        LanguageAdapterJob(code * 20, LA(code), hyper, (ToyText(code, "toy", alphabet_text(i, 120 + 13 * i), code),))  # type: ignore[arg-type]
        for i, code in enumerate(CODES)
    ]


def made(
    jobs: list[LanguageAdapterJob], session: Session, folder: Path, settings: dict[str, Any], emit: Any = lambda e: None
) -> dict[str, TrainedModule]:
    found = {}
    for done in train_language_adapters(jobs, session, Store(folder / "store"), settings, emit):
        assert isinstance(done.result, TrainedModule), done.result
        (out := folder / done.job.language).mkdir(parents=True, exist_ok=True)
        done.save(out)
        found[done.job.language] = done.result
    return found


def close(one: Path, other: Path) -> None:
    a, b = (load_file(folder / "adapter.safetensors") for folder in (one, other))
    assert a.keys() == b.keys()
    for name in a:
        assert torch.allclose(a[name], b[name], rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize("changed", [{}, {"invertible": 0}, {"head": "frozen"}], ids=str)
def test_a_cohort_is_what_its_members_are_alone(
    changed: dict[str, Any], session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs = jobs_of(**changed)
    together = made(jobs, session, tmp_path / "together", settings)
    for job in jobs:
        alone = made([job], session, tmp_path / "alone", settings)[job.language]
        mine = together[job.language]
        assert mine.trained.best_step == alone.trained.best_step
        assert mine.perplexity == pytest.approx(alone.perplexity, rel=1e-5)
        assert mine.perplexity_before == pytest.approx(alone.perplexity_before, rel=1e-5)
        assert mine.perplexity < mine.perplexity_before
        close(tmp_path / "together" / job.language, tmp_path / "alone" / job.language)


@pytest.mark.parametrize("changed", [{}, {"invertible": 0}, {"head": "frozen"}], ids=str)
def test_the_library_trains_the_same(
    changed: dict[str, Any], still_session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs = jobs_of(**changed)
    together = made(jobs, still_session, tmp_path / "together", settings)
    for job in jobs[:2]:
        (out := tmp_path / "library" / job.language).mkdir(parents=True)
        theirs = train_language_adapter(job, still_session, tmp_path / "partial" / job.language, out, settings)
        assert theirs.perplexity == pytest.approx(together[job.language].perplexity, rel=1e-4)
        close(tmp_path / "together" / job.language, out)


def test_what_was_begun_together_is_ended_alone(session: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(event: Any) -> None:
        if isinstance(event, WorkProgress) and "loss" in event.info and event.done >= 33:
            raise StoppedError

    jobs = jobs_of()
    made(jobs, session, tmp_path / "whole", settings)
    with pytest.raises(StoppedError):
        made(jobs, session, tmp_path / "ended", {**settings, "checkpoint_seconds": 0}, stop)
    for job in reversed(jobs):
        made([job], session, tmp_path / "ended", settings)
        close(tmp_path / "whole" / job.language, tmp_path / "ended" / job.language)


def test_one_that_cannot_be_trained_leaves_the_others(session: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    good, short, pair = jobs_of()
    short = replace(short, texts=(ToyText("t", "toy.txt", ("a b",), "yor"),))  # type: ignore[arg-type]
    pair = replace(pair, module=BA("swa", "hau"), texts=(good.texts[0], pair.texts[0]))
    store = Store(tmp_path)
    results = dict(make_jobs([good, short, pair], session, store, settings))
    assert isinstance(results[short], UserError) and "makes 0 chunks" in str(results[short])
    assert results[good] is None and results[pair] is None
    assert store.manifest(good.kind, good.fingerprint)["cohort"] == 2
    assert store.manifest(pair.kind, pair.fingerprint)["languages"] == ["swa", "hau"]
    again = dict(make_jobs([good, pair], session, store, settings))
    assert set(again.values()) == {None}
