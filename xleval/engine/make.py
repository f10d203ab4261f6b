"""Makes one artifact of the graph: under its lock, unless another process made it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from xleval.engine.forward import predict
from xleval.engine.mlm import TrainedModule, train_fusion, train_language_adapter, tune_backbone
from xleval.engine.session import Session
from xleval.engine.train import folder_of, standing_of, train
from xleval.engine.weights import FULL
from xleval.events import Emit, Notice, WorkFinished, silent
from xleval.jobs import BackboneJob, Foundation, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.predictions import PREDICTIONS, write_predictions
from xleval.store import Store


def make_foundation(
    job: Foundation, session: Session, store: Store, engine: dict[str, Any],
    emit: Emit = silent,
) -> None:  # fmt: skip
    """Makes a language module or tuned backbone in the store, if it is not there."""
    with _locked(job, store, emit):
        if store.intact(job.kind, job.fingerprint):
            return
        about: dict[str, Any] = {
            "module": job.label if isinstance(job, BackboneJob) else str(job.module),
            "languages": [job.tuned.language] if isinstance(job, BackboneJob) else list(job.module.languages),
            "texts": {text.language: {"fingerprint": text.fingerprint, "origin": text.origin} for text in job.texts},
            "hyperparameters": dict(job.hyper),
        }
        with store.create(job.kind, job.fingerprint, about) as folder:
            about["backbone"] = session.backbone.identity
            partial = store.partial(job.fingerprint)
            result: TrainedModule | None
            if isinstance(job, LanguageAdapterJob):
                result = train_language_adapter(job, session, partial, folder, engine, emit)
            elif isinstance(job, FusionJob):
                parts = [folder_of(store, part) for part in job.parts]
                about["parts"] = [part.fingerprint for part in job.parts]
                result = train_fusion(job, parts, session, partial, folder, engine, emit)
            else:
                result = tune_backbone(job, session, partial, folder, engine, emit)
            if result is not None:
                about |= {
                    "seconds": result.trained.seconds,
                    "steps": result.trained.steps,
                    "best_step": result.trained.best_step,
                    "perplexity": result.perplexity,
                    "perplexity_before": result.perplexity_before,
                    "chunks": result.chunks,
                    "token_budget": result.trained.token_budget,
                }
        emit(WorkFinished(job.fingerprint, result.trained.seconds if result else 0.0))


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
                    "cycle": [module.fingerprint if module else None for module in job.cycle],
                    "languages": [module.language if module else None for module in job.cycle],
                    "modules": [str(module.module) if module else None for module in job.cycle],
                    "adapter": job.adapter,
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
                    session.encode_with(None)
                    session.load_task_adapter(store.open(adapter.kind, adapter.fingerprint))
                    loaded = True
                start = time.monotonic()
                if adapter.adapter != FULL:  # which brings its encoder along
                    tuned = job.backbone
                    session.encode_with(store.open(tuned.kind, tuned.fingerprint) if tuned else None)
                session.stand_on(standing_of(store, job.module), adapter.drop_last)
                budget = engine["token_budget"] or session.token_budget
                about: dict[str, Any] = {
                    "task": job.task.name,
                    "language": job.data.language,
                    "task_adapter": adapter.fingerprint,
                    "language_module": job.module.fingerprint if job.module else None,
                    "tuned_backbone": job.backbone.fingerprint if job.backbone else None,
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
