"""Measures on this machine how long work will take: a little of each kind of it, in as many processes as will do it.

Processes share cores, memory and caches. So those of a trial are started as those of a run are, with the same number of
threads, and kept busy at the same time.

On a CPU work is timed by what it takes of the CPU, and the wait for one is spread over all that was measured: another
program that is busy for some seconds would else make whatever is measured then look many times slower.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval.errors import UserError
from xleval.executors import Setting, Work
from xleval.executors.local import Unit, units_of
from xleval.executors.pool import begin_worker
from xleval.jobs import BackboneJob, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.store import Store
from xleval.tasks.located import Located, Pooled
from xleval.tasks.places import HubPlace, RawPlace
from xleval.tasks.recent import blocks_of

if TYPE_CHECKING:
    from xleval.engine.estimate import Estimate, Rate

#: Seconds that a trial takes about, the start of its processes apart, and after which what is not done is given up.
_SECONDS, _MOST = 24.0, 150.0

#: Seconds for one kind of work, at least and at most.
_LEAST_EACH, _MOST_EACH = 2.0, 10.0

#: Of a worker process: what it measures with.
_worker: dict[str, Any] = {}


@dataclass(frozen=True)
class Trial:
    """By fingerprint: ``seconds`` of a job (its share, where several go side by side), and ``steps`` found with them.

    ``start``: seconds before work begins. ``rates``: what was measured; ``not_measured``: what was not, and why.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    start: float = 0.0
    rates: tuple[Rate, ...] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)


class _Item(NamedTuple):
    """Units that are alike, and rows by fingerprint of the splits that they predict."""

    units: tuple[Unit, ...]
    counts: Mapping[str, int]


def measure(
    work: Work, setting: Setting, *, jobs: int = 0, hyper: Mapping[str, Any], tell: Callable[[int, int], None]
) -> Trial:
    """Measures each kind of work in a store that is thrown away. Downloads nothing: what is not here is not measured.

    ``jobs``: as for an executor. ``hyper``: of language adapters that are not trained here. ``tell`` takes how many
    kinds are measured, and of how many.
    """
    began, not_measured = time.monotonic(), dict[str, str]()
    try:
        setting.backbone.path(offline=True)
    except UserError as error:
        return Trial(not_measured={f"backbone {setting.backbone.name}": str(error)})
    setting = replace(setting, offline=True)
    units = units_of(work, jobs or setting.processes)
    processes = max(min(jobs or setting.processes, len(units)), 1)
    local = _Local(not_measured)
    alike: dict[Any, list[Unit]] = defaultdict(list)
    for unit in units:
        if (here := local.unit(unit)) is not None:
            alike[_shape(here)].append(here)
    items = [_Item(tuple(some), local.counts) for some in alike.values()]
    if not items:
        return Trial(not_measured=not_measured)
    reading = time.monotonic() - began  # as a run does before it begins
    with tempfile.TemporaryDirectory(prefix="xleval-") as folder:
        found, start = _in_processes(items, replace(setting, store=Path(folder)), processes, hyper, tell, not_measured)
    seconds: dict[str, list[float]] = defaultdict(list)
    slower = sum(estimate.passed for estimate in found) / max(sum(estimate.took for estimate in found), 1e-6)
    for estimate in found:
        for fingerprint, one in estimate.seconds.items():
            seconds[fingerprint].append(one * slower)
    return Trial(
        {fingerprint: fmean(some) for fingerprint, some in seconds.items()},
        {fingerprint: steps for estimate in found for fingerprint, steps in estimate.steps.items()},
        reading + start,
        tuple(
            {
                rate[:3]: rate._replace(seconds=rate.seconds * slower) for estimate in found for rate in estimate.rates
            }.values()
        ),
        not_measured,
    )


def _in_processes(
    items: list[_Item], setting: Setting, processes: int, hyper: Mapping[str, Any], tell: Callable[[int, int], None],
    not_measured: dict[str, str],
) -> tuple[list[Estimate], float]:  # fmt: skip
    """Estimates of all items, and how long the processes took to be ready."""
    # Some are measured twice rather than with a core to themselves.
    rounds = -(-len(items) // processes)
    dealt = [items[number % len(items)] for number in range(rounds * processes)]
    each = min(max(_SECONDS / rounds, _LEAST_EACH), _MOST_EACH)
    began, context = time.time(), multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(setting, hyper))
    found: list[Estimate] = []
    try:
        ready = [pool.submit(_ready) for _ in range(processes)]
        start = max(one.result() for one in ready) - began
        running: dict[Future[Estimate], _Item] = {pool.submit(_measure, item, each): item for item in dealt}
        until = time.monotonic() + _MOST
        tell(0, len(dealt))
        while running and (left := until - time.monotonic()) > 0:
            done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                try:
                    found.append(future.result())
                except BrokenProcessPool:
                    raise
                except Exception as error:
                    not_measured[item.units[0].all[0].label] = f"{type(error).__name__}: {error}"
                tell(len(dealt) - len(running), len(dealt))
        not_measured |= {item.units[0].all[0].label: "too slow to measure" for item in running.values()}
    except BrokenProcessPool:
        not_measured["work"] = "a process died, perhaps killed for memory"
        start = 0.0
    finally:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()  # what it makes is thrown away
        pool.shutdown(wait=True, cancel_futures=True)
    return found, start


def _start(setting: Setting, hyper: Mapping[str, Any]) -> None:
    begin_worker()
    _worker.update(setting=setting, hyper=hyper)


def _ready() -> float:
    """Loads the backbone as the first unit of a run does; the time by the clock."""
    from xleval.engine.timing import Stopwatch

    setting: Setting = _worker["setting"]
    store = Store(setting.store / str(os.getpid()))
    session = setting.session()
    assert session.model is not None
    clock = time.process_time if session.device.type == "cpu" else time.monotonic
    _worker["watch"] = Stopwatch(session, store, dict(setting.engine), _worker["hyper"], clock)
    return time.time()


def _measure(item: _Item, seconds: float) -> Estimate:
    from xleval.engine.estimate import of_foundations, of_task_adapters

    watch = _worker["watch"]
    took, passed = watch.clock(), time.monotonic()
    if isinstance(item.units[0].jobs[0], TaskAdapterJob):
        adapters: list[Any] = [(unit.jobs, unit.predictions) for unit in item.units]
        estimate = of_task_adapters(adapters, item.counts, watch, seconds)
    else:
        foundations: list[Any] = [unit.jobs for unit in item.units]
        estimate = of_foundations(foundations, watch, seconds)
    estimate.took, estimate.passed = watch.clock() - took, time.monotonic() - passed
    return estimate


class _Local:
    """What of a unit can be measured without a download; ``counts`` rows of the splits that are here."""

    def __init__(self, not_measured: dict[str, str]) -> None:
        self.not_measured, self.counts = not_measured, dict[str, int]()
        self._here: dict[str, bool] = {}

    def unit(self, unit: Unit) -> Unit | None:
        """The unit without what is not here; None where nothing is left."""
        jobs: Any = tuple(job for job in unit.jobs if self._has(job))
        predictions = tuple(
            replace(job, data=_cached(job.data))
            for job in unit.predictions
            if job.task_adapter in jobs and self._read(job.data) and all(map(self._has_text, _tuned(job)))
        )
        for job in predictions:
            if job.data.fingerprint not in self.counts:
                self.counts[job.data.fingerprint] = sum(map(len, blocks_of(job.task, job.data)))
        return Unit(tuple(map(_offline, jobs)), predictions) if jobs else None

    def _has(self, job: Job) -> bool:
        if isinstance(job, TaskAdapterJob):
            return self._read(job.train) and self._read(job.dev)
        return self._has_text(job)

    def _has_text(self, job: Job) -> bool:
        for text in job.texts:
            try:
                replace(text, offline=True).check()
            except UserError as error:
                self.not_measured.setdefault(job.label, str(error))
                return False
        return True

    def _read(self, data: Located) -> bool:
        if data.fingerprint not in self._here:
            self._here[data.fingerprint] = True
            try:
                _cached(data).fetch()
            except UserError as error:
                self._here[data.fingerprint] = False
                self.not_measured[f"{data.dataset} {data.language} {data.split}"] = str(error)
        return self._here[data.fingerprint]


def _tuned(job: PredictionJob) -> Iterator[Job]:
    if job.backbone is not None:
        yield job.backbone


def _offline(job: Any) -> Any:
    if isinstance(job, TaskAdapterJob):
        return replace(job, train=_cached(job.train), dev=_cached(job.dev))
    if isinstance(job, BackboneJob):
        return replace(job, text=job.text and replace(job.text, offline=True))
    return replace(job, texts=tuple(replace(text, offline=True) for text in job.texts))


def _cached(data: Located) -> Located:
    """A split that is read from caches and files here only."""
    if isinstance(data, Pooled):
        return replace(data, parts=tuple(map(_cached, data.parts)))
    place = replace(data.place, offline=True) if isinstance(data.place, HubPlace | RawPlace) else data.place
    return replace(data, place=place, questions=data.questions and _cached(data.questions))


def _shape(unit: Unit) -> Any:
    """What the time of a unit depends on: those of one shape are measured once."""
    splits = {job.data.fingerprint for job in unit.predictions}
    return tuple(map(_shape_of, unit.jobs)), len(splits)


def _shape_of(job: Job | None) -> Any:
    if isinstance(job, TaskAdapterJob):
        modules = frozenset(map(_shape_of, (*job.cycle, job.dev_module)))
        data = job.task.name, job.train.fingerprint, job.dev.fingerprint
        return data, job.adapter, job.drop_last, _items(job.hyper), modules, len(set(job.cycle))
    if isinstance(job, LanguageAdapterJob):
        return job.module.kind, len(job.module.languages), _items(job.hyper), job.folder
    if isinstance(job, FusionJob):
        return "fusion", job.module.trained, _items(job.hyper), tuple(map(_shape_of, job.parts))
    if isinstance(job, BackboneJob):
        return "backbone", job.tuned.steps, _items(job.hyper)
    return None


def _items(hyper: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(hyper.items()))
