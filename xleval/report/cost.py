"""What a plan will cost: optimiser steps, and seconds at the rates that the store has measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from xleval.jobs import BackboneJob, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.plan import Plan
from xleval.run import setting
from xleval.tasks.recent import blocks_of

#: Kinds of artifacts that are trained.
TRAINED = ("language_adapter", "fusion", "backbone", "task_adapter")

#: What a rate is of: kind, then more and more of what it depends on.
_Key = tuple[Any, ...]


def cost(graph: Plan) -> dict[str, Any]:
    """``steps`` by kind of what is missing, and ``seconds`` where the store has rates for the backbone, else None.

    ``unknown_steps``: trainings whose length is not known. Steps by epochs need the number of training examples, which
    are read where they are local. A rate is that of the same task, or of the same batch and chunk of text, where one
    was measured, else of the kind of artifact. ``processes`` share the work.
    """
    rates, steps = _Rates(graph), dict.fromkeys(TRAINED, 0)
    seconds: list[float | None] = []
    unknown = 0
    for job in graph.jobs.values():
        if graph.present(job):
            continue
        count = 1 if isinstance(job, PredictionJob) else _steps(job)
        if job.kind in steps:
            steps[job.kind] += count or 0
            unknown += count is None
        rate = rates.of(job) if count else 0.0
        seconds.append(None if count is None or rate is None else count * rate)
    processes = max(min(graph.experiment.jobs or setting(graph).processes, len(seconds)), 1)
    known = [one for one in seconds if one is not None]
    total = round(sum(known) / processes, 1) if len(known) == len(seconds) else None
    return {"steps": steps, "unknown_steps": unknown, "seconds": total, "processes": processes}


class _Rates:
    """Seconds a step, or a split's predictions, of what the store has on the same backbone."""

    def __init__(self, graph: Plan) -> None:
        identity = graph.scope.backbone.identity
        totals: dict[_Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for stored in graph.store:
            about = stored.manifest
            if about.get("backbone") != identity or "seconds" not in about:
                continue
            for key in _of_manifest(stored.kind, about):
                totals[key][0] += about["seconds"]
                totals[key][1] += about.get("steps", 1)
        self._rates = {key: seconds / count for key, (seconds, count) in totals.items() if count}

    def of(self, job: Job) -> float | None:
        """The rate of what is most like a job; None: nothing of its kind was measured."""
        keys = [key for key in _of_job(job) if key in self._rates]
        return self._rates[keys[-1]] if keys else None


def _of_manifest(kind: str, about: Mapping[str, Any]) -> Iterator[_Key]:
    yield (kind,)
    if kind == "prediction":
        yield from ((kind, about["task"]), (kind, about["task"], about["language"]))
    elif kind == "task_adapter":
        yield from _of_training(kind, about["family"], about["task"], about["adapter"])
    else:
        yield (kind, about["hyperparameters"].get("batch"), about["hyperparameters"].get("chunk"))


def _of_job(job: Job) -> Iterator[_Key]:
    yield (job.kind,)
    if isinstance(job, PredictionJob):
        yield from ((job.kind, job.task.name), (job.kind, job.task.name, job.data.language))
    elif isinstance(job, TaskAdapterJob):
        yield from _of_training(job.kind, job.task.family, job.task.name, job.adapter)
    elif isinstance(job, LanguageAdapterJob | FusionJob | BackboneJob):
        yield (job.kind, job.hyper.get("batch"), job.hyper.get("chunk"))


def _of_training(kind: str, family: str, task: str, adapter: str) -> Iterator[_Key]:
    yield (kind, family)
    yield (kind, family, task)
    yield (kind, family, task, adapter)


def _steps(job: Job) -> int | None:
    hyper = job.hyper  # type: ignore[attr-defined]
    untrained = isinstance(job, FusionJob) and not job.module.trained
    if untrained or (isinstance(job, LanguageAdapterJob) and job.published):
        return 0
    if isinstance(job, BackboneJob):
        return job.tuned.steps
    if hyper["steps"]:
        return int(hyper["steps"])
    if isinstance(job, TaskAdapterJob):
        data = job.train
        if data.is_remote:  # not to be downloaded for a count
            examples = data.expected if data.limit is None else min(data.limit, data.expected or data.limit)
        else:
            examples = sum(map(len, blocks_of(job.task, data)))
        return None if examples is None else -(-examples // hyper["batch"]) * int(hyper["epochs"])
    return None
