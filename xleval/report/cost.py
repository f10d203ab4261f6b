"""What a plan will cost: optimiser steps, and seconds at rates measured now or in the store."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from xleval.executors import Work
from xleval.executors.local import Unit, units_of
from xleval.executors.trial import Trial
from xleval.executors.trial import measure as trial_of
from xleval.hyperparameters import of_module
from xleval.jobs import BackboneJob, Foundation, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.plan import Plan
from xleval.run import cohorts_of, setting
from xleval.tasks.recent import blocks_of

#: Kinds of artifacts that are trained.
TRAINED = ("language_adapter", "fusion", "backbone", "task_adapter")

#: What a rate is of: kind, then more and more of what it depends on.
_Key = tuple[Any, ...]


def cost(graph: Plan, trial: Trial | None = None) -> dict[str, Any]:
    """``steps`` by kind of what is missing, and ``seconds`` where there are rates for all of it, else None.

    ``unknown_steps``: trainings whose length is not known. Steps by epochs need the number of training examples, which
    are read where they are local. ``processes`` take one unit of work after the other, as the executor deals them.

    What ``trial`` measured comes first: it is of this machine and its load, and of as many trainings side by side as
    will be; what the store has may be of another machine or company. Where nothing was measured now, a rate is that of
    the same task in the store, or of the same batch and chunk of text, else of the kind of artifact.
    """
    trial = trial or Trial()
    rates, steps = _Rates(graph), dict.fromkeys(TRAINED, 0)
    seconds: dict[str, float | None] = {}
    unknown, examples = 0, dict[tuple[str, str], int]()
    for job in graph.jobs.values():
        if graph.present(job):
            continue
        count = 1 if isinstance(job, PredictionJob) else trial.steps.get(job.fingerprint, _steps(job, examples))
        if job.kind in steps:
            steps[job.kind] += count or 0
            unknown += count is None
        rate = rates.of(job) if count else 0.0
        stored = None if count is None or rate is None else count * rate
        seconds[job.fingerprint] = trial.seconds.get(job.fingerprint, stored)
    wanted = graph.experiment.jobs or setting(graph).processes
    units = units_of(work_of(graph), wanted)
    processes = max(min(wanted, len(units)), 1)
    known = {fingerprint: one for fingerprint, one in seconds.items() if one is not None}
    total = round(trial.start + _together(units, known, processes), 1) if len(known) == len(seconds) else None
    return {"steps": steps, "unknown_steps": unknown, "seconds": total, "processes": processes}


def measure(graph: Plan, tell: Callable[[int, int], None]) -> Trial:
    """Measures on this machine how long what is missing takes; ``tell``: what is measured, and of how much."""
    hyper = of_module(graph.scope.hyperparameters(None), "la")
    return trial_of(work_of(graph), setting(graph), jobs=graph.experiment.jobs, hyper=hyper, tell=tell)


def work_of(graph: Plan) -> Work:
    """What has to be made. Unlike :func:`xleval.run.missing_work` it checks no file and brings no adapter."""
    predictions: dict[str, list[PredictionJob]] = defaultdict(list)
    adapters: list[TaskAdapterJob] = []
    foundations: list[Foundation] = []
    for job in graph.jobs.values():
        missing = not graph.present(job)
        if isinstance(job, PredictionJob) and missing:
            predictions[job.task_adapter.fingerprint].append(job)
        elif isinstance(job, TaskAdapterJob):
            adapters.append(job)
        elif isinstance(job, Foundation) and missing and not (isinstance(job, LanguageAdapterJob) and job.published):
            foundations.append(job)
    wanted = [job for job in adapters if job.fingerprint in predictions or not graph.present(job)]
    by_adapter = {fingerprint: tuple(jobs) for fingerprint, jobs in predictions.items()}
    return Work(tuple(foundations), cohorts_of(wanted), by_adapter)


def _together(units: Sequence[Unit], seconds: Mapping[str, float], processes: int) -> float:
    """Seconds from the first unit's start to the last one's end: a process takes the first that has what it needs."""
    made: dict[str, float] = {}  # fingerprint → when it is there
    free, waiting = [0.0] * processes, list(units)

    def ready(unit: Unit) -> float:
        return max((made.get(fingerprint, 0.0) for fingerprint in unit.needs), default=0.0)

    while waiting:
        unmade = {job.fingerprint for unit in waiting for job in unit.jobs}
        unit = min((unit for unit in waiting if not unmade & set(unit.needs)), key=ready)
        waiting.remove(unit)
        end = max(heapq.heappop(free), ready(unit)) + sum(seconds.get(job.fingerprint, 0.0) for job in unit.all)
        made |= dict.fromkeys((job.fingerprint for job in unit.jobs), end)
        heapq.heappush(free, end)
    return max(free)


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


def _steps(job: Job, counted: dict[tuple[str, str], int]) -> int | None:
    # ``counted``: examples of splits that were read; large ones are not kept in memory, and seeds share them.
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
            key = (job.task.name, data.fingerprint)
            if key not in counted:
                counted[key] = sum(map(len, blocks_of(job.task, data)))
            examples = counted[key]
        return None if examples is None else -(-examples // hyper["batch"]) * int(hyper["epochs"])
    return None
