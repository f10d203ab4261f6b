"""Makes one artifact of the graph: under its lock, unless another process made it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from xleval.engine.forward import predict
from xleval.engine.mlm import train_language_adapter
from xleval.engine.session import Session
from xleval.engine.train import adapter_path, train
from xleval.events import Emit, Notice, WorkFinished, silent
from xleval.jobs import Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.predictions import PREDICTIONS, write_predictions
from xleval.store import Store


def make_language_adapter(
    job: LanguageAdapterJob, session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> None:
    """Trains a language adapter into the store, if it is not there."""
    with _locked(job, store, emit):
        if store.intact(job.kind, job.fingerprint):
            return
        assert job.text is not None
        about: dict[str, Any] = {
            "language": job.language,
            "text": job.text.fingerprint,
            "hyperparameters": dict(job.hyper),
        }
        with store.create(job.kind, job.fingerprint, about) as folder:
            result = train_language_adapter(job, session, store.partial(job.fingerprint), folder, engine, emit)
            about |= {
                "backbone": session.backbone.identity,
                "seconds": result.trained.seconds,
                "steps": result.trained.steps,
                "best_step": result.trained.best_step,
                "perplexity": result.perplexity,
                "perplexity_before": result.perplexity_before,
                "chunks": result.chunks,
                "token_budget": result.trained.token_budget,
            }
        emit(WorkFinished(job.fingerprint, result.trained.seconds))


def make_task_adapters(
    jobs: Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[TaskAdapterJob]:
    """Trains task adapters into the store, those that are not there; yields each job when it is there."""
    for job in jobs:
        with _locked(job, store, emit):
            if not store.intact(job.kind, job.fingerprint):
                about: dict[str, Any] = {
                    "task": job.task.name,
                    "family": job.task.family,
                    "labels": list(job.task.labels),
                    "seed": job.seed,
                    "train": job.train.fingerprint,
                    "dev": job.dev.fingerprint,
                    "start": job.start.fingerprint if job.start else None,
                    "cycle": [adapter.fingerprint if adapter else None for adapter in job.cycle],
                    "languages": [adapter.language if adapter else None for adapter in job.cycle],
                    "drop_last": job.drop_last,
                    "hyperparameters": dict(job.hyper),
                }
                with store.create(job.kind, job.fingerprint, about) as folder:
                    (result,) = train([job], session, store, [folder], engine, emit)
                    about |= {
                        "backbone": session.backbone.identity,
                        "seconds": result.trained.seconds,
                        "steps": result.trained.steps,
                        "best_step": result.trained.best_step,
                        "dev": {result.metric: result.trained.best_score},
                        "history": [list(point) for point in result.trained.history],
                        "token_budget": result.trained.token_budget,
                    }
                emit(WorkFinished(job.fingerprint, result.trained.seconds))
        yield job


def make_predictions(
    jobs: Sequence[PredictionJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[PredictionJob]:
    """Predicts evaluation splits with one task adapter; yields each job when its predictions are stored."""
    loaded = False
    for job in jobs:
        with _locked(job, store, emit):
            if not store.intact(job.kind, job.fingerprint):
                adapter = job.task_adapter
                if not loaded:
                    session.load_task_adapter(store.open(adapter.kind, adapter.fingerprint))
                    loaded = True
                start = time.monotonic()
                session.stand_on(adapter_path(store, job.language_adapter), adapter.drop_last)
                budget = engine["token_budget"] or session.token_budget
                about: dict[str, Any] = {
                    "task": job.task.name,
                    "language": job.data.language,
                    "task_adapter": adapter.fingerprint,
                    "language_adapter": job.language_adapter.fingerprint if job.language_adapter else None,
                    "options": dict(job.options),
                }
                with store.create(job.kind, job.fingerprint, about) as folder:
                    found = predict(session, job.task, job.data, adapter.hyper, job.options, budget, emit)
                    write_predictions(folder / PREDICTIONS, found)
                    about["seconds"] = round(time.monotonic() - start, 3)
        yield job


def _locked(job: Job, store: Store, emit: Emit) -> Any:
    def waiting() -> None:
        emit(Notice(f"waiting for another process that makes {job.kind.replace('_', ' ')} {job.fingerprint[:12]}"))

    return store.lock(job.fingerprint, waiting)
