"""Makes one artifact of the graph: under its lock, unless another process made it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from xleval.engine.language_adapters import train_language_adapters
from xleval.engine.loop import TrainingFailedError
from xleval.engine.mlm import TrainedModule, train_fusion, train_language_adapter, tune_backbone
from xleval.engine.predict import predict
from xleval.engine.session import Session
from xleval.engine.standing import folder_of
from xleval.engine.train import train
from xleval.events import Emit, Notice, WorkFinished, silent
from xleval.jobs import BackboneJob, Foundation, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.store import Store


def make_jobs(
    jobs: Sequence[Foundation] | Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any],
    emit: Emit = silent,
) -> Iterator[tuple[Job, Exception | None]]:  # fmt: skip
    """Makes language modules and tuned backbones, or task adapters, those that are not in the store.

    Yields each job as it is there, or with what went wrong with it alone.
    """
    adapters = [job for job in jobs if isinstance(job, TaskAdapterJob)]
    languages = [job for job in jobs if isinstance(job, LanguageAdapterJob) and session.stacks]
    for job in jobs:
        if not isinstance(job, TaskAdapterJob) and job not in languages:
            make_foundation(job, session, store, engine, emit)
            yield job, None
    if languages:
        yield from make_language_adapters(languages, session, store, engine, emit)
    if adapters:
        yield from make_task_adapters(adapters, session, store, engine, emit)


def make_foundation(
    job: Foundation, session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> None:  # fmt: skip
    """Makes a language module or tuned backbone in the store, by itself, if it is not there."""
    with _locked(job, store, emit):
        if store.intact(job.kind, job.fingerprint):
            return
        about = _about(job, session)
        with store.create(job.kind, job.fingerprint, about) as folder:
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
            about |= _measured(result)
        emit(WorkFinished(job.fingerprint, result.trained.seconds if result else 0.0))


def make_language_adapters(
    jobs: Sequence[LanguageAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[tuple[LanguageAdapterJob, Exception | None]]:
    """Trains language adapters that are not in the store, side by side; yields each as it is there, or failed."""
    with _all_locked(jobs, store, emit):
        missing = [job for job in jobs if not store.intact(job.kind, job.fingerprint)]
        yield from ((job, None) for job in jobs if job not in missing)
        for done in train_language_adapters(missing, session, store, engine, emit):
            job, result = done.job, done.result
            if isinstance(result, Exception):
                yield job, result
                continue
            about = _about(job, session) | _measured(result) | {"cohort": done.company}
            with store.create(job.kind, job.fingerprint, about) as folder:
                done.save(folder)
            emit(WorkFinished(job.fingerprint, result.trained.seconds))
            yield job, None


def _about(job: Foundation, session: Session) -> dict[str, Any]:
    return {
        "module": job.label if isinstance(job, BackboneJob) else str(job.module),
        "languages": [job.tuned.language] if isinstance(job, BackboneJob) else list(job.module.languages),
        "texts": {text.language: {"fingerprint": text.fingerprint, "origin": text.origin} for text in job.texts},
        "hyperparameters": dict(job.hyper),
        "backbone": session.backbone.identity,
    }


def _measured(result: TrainedModule | None) -> dict[str, Any]:
    if result is None:  # nothing was trained
        return {}
    return {
        "seconds": result.trained.seconds,
        "steps": result.trained.steps,
        "best_step": result.trained.best_step,
        "perplexity": result.perplexity,
        "perplexity_before": result.perplexity_before,
        "chunks": result.chunks,
        "token_budget": result.trained.token_budget,
    }


def make_task_adapters(
    jobs: Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[tuple[TaskAdapterJob, TrainingFailedError | None]]:
    """Trains task adapters that are not in the store, side by side; yields each as it is there, or failed."""
    with _all_locked(jobs, store, emit):
        missing = [job for job in jobs if not store.intact(job.kind, job.fingerprint)]
        yield from ((job, None) for job in jobs if job not in missing)
        for done in train(missing, session, store, engine, emit) if missing else ():
            job, trained = done.job, done.trained
            if isinstance(trained, TrainingFailedError):
                yield job, trained
                continue
            about: dict[str, Any] = {
                "task": job.task.name,
                "family": job.task.family,
                "labels": list(job.task.labels),
                "seed": job.seed,
                "train": job.train.fingerprint,
                "start": job.start.fingerprint if job.start else None,
                "cycle": [module.fingerprint if module else None for module in job.cycle],
                "languages": [module.language if module else None for module in job.cycle],
                "modules": [str(module.module) if module else None for module in job.cycle],
                "adapter": job.adapter,
                "drop_last": job.drop_last,
                "hyperparameters": dict(job.hyper),
                "backbone": session.backbone.identity,
                "seconds": trained.seconds,
                "cohort": done.cohort,
                "steps": trained.steps,
                "best_step": trained.best_step,
                "dev": {job.task.metric: trained.best_score},
                "history": [list(point) for point in trained.history],
                "token_budget": trained.token_budget,
            }
            with store.create(job.kind, job.fingerprint, about) as folder:
                session.save_task_adapter(folder)
            emit(WorkFinished(job.fingerprint, trained.seconds))
            yield job, None


def make_predictions(
    jobs: Sequence[PredictionJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[tuple[PredictionJob, Exception | None]]:
    """Predicts evaluation splits with task adapters; yields each as its predictions are stored, or failed.

    Those of one split on one language module, by task adapters that can stand side by side, are made at once.
    """
    yield from predict(jobs, session, store, engine, lambda job: _locked(job, store, emit), emit)


@contextmanager
def _all_locked(jobs: Sequence[Job], store: Store, emit: Emit) -> Iterator[None]:
    with ExitStack() as locks:
        # In one order for all processes, which else might wait for each other.
        for job in sorted(jobs, key=lambda job: job.fingerprint):
            locks.enter_context(_locked(job, store, emit))
        yield


def _locked(job: Job, store: Store, emit: Emit) -> Any:
    def waiting() -> None:
        emit(Notice(f"waiting for another process that makes {job.kind.replace('_', ' ')} {job.fingerprint[:12]}"))

    return store.lock(job.fingerprint, waiting)
