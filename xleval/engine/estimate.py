"""How long trainings and predictions take: what small copies took, at the jobs' own steps, evaluations and rows.

What happens once (reading, tokenising, loading, saving) is counted once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple

from xleval.engine.miniature import sample
from xleval.engine.mlm import auto_steps
from xleval.engine.text import cut
from xleval.engine.timing import MOST_STEPS, PredictionTime, Stopwatch, TrainingTime
from xleval.engine.train import cohorts
from xleval.jobs import BackboneJob, Foundation, FusionJob, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.tasks.recent import rows_of
from xleval.tasks.texts import Text

#: Most rows of the samples that task adapters are trained and evaluated on.
_TRAIN_ROWS, _DEV_ROWS = 2048, 128

#: Share of the time that goes to training; the rest is for predictions.
_TRAINING = 0.7

#: Characters of a text that are tokenised to tell how many sub-words all of it has, and seconds to count the rest.
_CHARACTERS, _COUNTING = 200_000, 3.0


class Rate(NamedTuple):
    """What was measured: ``seconds`` a step, or a row, of all ``cohort`` that go side by side."""

    kind: str
    of: str
    cohort: int
    seconds: float


@dataclass
class Estimate:
    """By fingerprint: seconds of a job (its share), and the steps of those that depend on the length of text.

    ``took`` and ``passed``: seconds of the measurement, by the clock that it was made with and by that on the wall.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    rates: list[Rate] = field(default_factory=list)
    took: float = 0.0
    passed: float = 0.0


def of_foundations(units: Sequence[Sequence[Foundation]], watch: Stopwatch, seconds: float) -> Estimate:
    """Trainings by MLM. Units are alike: the first is timed, for about ``seconds``."""
    estimate, groups = Estimate(), defaultdict[Any, list[int]](list)
    for index, job in enumerate(units[0]):
        side_by_side = isinstance(job, LanguageAdapterJob) and watch.session.stacks
        company = _module(job) if side_by_side else str(index)
        groups[tuple(sorted(job.hyper.items())), company].append(index)
        if isinstance(job, FusionJob):
            watch.small.module(job)
    watch.make_stand_ins()
    for group in groups.values():
        first = units[0][group[0]]
        most = min(MOST_STEPS, _steps(first) or MOST_STEPS)
        jobs = [units[0][index] for index in group]
        copies, times = watch.training(jobs, watch.small.trained_on_text, most, seconds / len(groups))
        chunks = watch.store.manifest(copies[0].kind, copies[0].fingerprint).get("chunks", 0)
        if chunks:
            estimate.rates.append(Rate(first.kind, _module(first), len(copies), times.step * len(copies)))
        for unit in units:
            for index in group:
                _of_training(unit[index], times, chunks / 2, watch, estimate)
    return estimate


def _of_training(job: Foundation, times: TrainingTime, held: float, watch: Stopwatch, estimate: Estimate) -> None:
    """One training by MLM, of which a small copy has ``held`` chunks of held-out text."""
    if isinstance(job, FusionJob) and not job.module.trained:
        estimate.seconds[job.fingerprint] = times.besides
        return
    hyper, steps = job.hyper, _steps(job)
    sizes = [_size(text, watch.session.tokenizer, hyper, watch.clock) for text in job.texts]
    selecting = sizes[-1:] if isinstance(job, LanguageAdapterJob) and job.module.kind == "ba" else sizes
    mine = sum(math.ceil(size.chunks * hyper["held_out"]) for size in selecting)
    evaluation = times.evaluation * mine / max(held * len(selecting) / len(sizes), 1)
    if not steps:
        rest = [size.chunks - math.ceil(size.chunks * hyper["held_out"]) for size in sizes]
        steps = estimate.steps[job.fingerprint] = auto_steps(sum(math.ceil(n / hyper["batch"]) for n in rest))
    evaluations = 1 + math.ceil(steps / (steps if isinstance(job, BackboneJob) else hyper["eval_every"]))
    once = times.besides + sum(size.seconds for size in sizes)
    estimate.seconds[job.fingerprint] = once + steps * times.step + evaluations * evaluation


def _module(job: Foundation) -> str:
    kinds = {"ba": "bilingual", "ma": "multilingual"}
    return kinds.get(job.module.kind, "") if isinstance(job, LanguageAdapterJob) else ""


def of_task_adapters(
    units: Sequence[tuple[Sequence[TaskAdapterJob], Sequence[PredictionJob]]],
    counts: Mapping[str, int],
    watch: Stopwatch,
    seconds: float,
) -> Estimate:
    """Task adapters and their predictions; ``counts``: rows by fingerprint of a split. Units as in the other."""
    jobs, predictions = units[0]
    estimate, task, hyper = Estimate(), jobs[0].task, jobs[0].hyper
    train, dev = rows_of(task, jobs[0].train), rows_of(task, jobs[0].dev)
    some = sample(jobs[0].train, train, _TRAIN_ROWS), sample(jobs[0].dev, dev, _DEV_ROWS)
    began = watch.clock()
    watch.session.encoded(task, some[0], hyper)
    tokenising = (watch.clock() - began) / min(len(train), _TRAIN_ROWS) * (len(train) + len(dev))

    def small(job: TaskAdapterJob, steps: int) -> TaskAdapterJob:
        return watch.small.task_adapter(job, *some, steps)

    copies = [small(job, 1) for job in jobs]
    watch.make_stand_ins()
    number = {copy.fingerprint: index for index, copy in enumerate(copies)}
    known: dict[Any, tuple[TrainingTime, PredictionTime]] = {}
    of: dict[int, Any] = {}  # place in a unit → what its times are known by
    groups = [[number[copy.fingerprint] for copy in group] for group in cohorts(copies, watch.session, watch.store)]
    for group in groups:
        first = jobs[group[0]]
        of |= dict.fromkeys(group, (first.adapter, first.drop_last, tuple(sorted(first.hyper.items())), len(group)))
    share = seconds / len(set(of.values()))
    for group in groups:
        if (key := of[group[0]]) in known:
            continue
        mine = [jobs[index] for index in group]
        made, times = watch.training(mine, small, min(MOST_STEPS, hyper["steps"] or MOST_STEPS), share * _TRAINING)
        name = task.name if jobs[group[0]].adapter == "bottleneck" else f"{task.name} ({jobs[group[0]].adapter})"
        estimate.rates.append(Rate("task_adapter", name, len(made), times.step * len(made)))
        predicting = PredictionTime(0.0, 0.0)
        if targets := [job for job in predictions if job.task_adapter in mine]:
            together, predicting = watch.prediction(targets, made, share * (1 - _TRAINING))
            estimate.rates.append(Rate("prediction", name, together, predicting.row * together))
        known[key] = times, predicting
    for adapters, wanted in units:
        for index, job in enumerate(adapters):
            times, predicting = known[of[index]]
            steps = job.hyper["steps"] or job.hyper["epochs"] * math.ceil(len(train) / job.hyper["batch"])
            evaluation = times.evaluation * len(dev) / min(len(dev), _DEV_ROWS)
            once = times.besides + tokenising / len(adapters)
            evaluations = math.ceil(steps / job.hyper["eval_every"])
            estimate.seconds[job.fingerprint] = once + steps * times.step + evaluations * evaluation
            for one in wanted:
                if one.task_adapter == job:
                    rows = counts[one.data.fingerprint]
                    estimate.seconds[one.fingerprint] = predicting.fixed + rows * predicting.row
    return estimate


def _steps(job: Foundation) -> int:
    """0 where they depend on the length of the text."""
    return job.tuned.steps if isinstance(job, BackboneJob) else int(job.hyper.get("steps", 0))


class _Size(NamedTuple):
    """Of a text: chunks that it makes, and seconds to read and tokenise it."""

    chunks: float
    seconds: float


def _size(text: Text, tokenizer: Any, hyper: Mapping[str, Any], clock: Callable[[], float]) -> _Size:
    """By its start, and the characters of all of it."""
    began, some, read, whole = clock(), list[str](), 0, 0
    for line in islice(chain.from_iterable(text.blocks()), hyper.get("lines") or None):
        whole += len(line)
        if read < _CHARACTERS:
            some.append(line)
            read = whole
        elif text.edition is not None and clock() - began > _COUNTING:
            whole = max(whole, text.limit)  # so long that it is cut off there, or trained for the most steps anyway
            break
    reading, began = clock() - began, clock()
    chunks = len(cut(some, tokenizer, hyper["chunk"]))
    times = whole / max(read, 1)
    return _Size(chunks * times, reading + (clock() - began) * times)
