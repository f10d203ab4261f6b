"""Times small copies of jobs with the engine that makes the real ones, in a store that is thrown away."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from xleval.engine.make import make_foundation, make_jobs, make_predictions
from xleval.engine.miniature import Miniatures, sample
from xleval.engine.session import Session
from xleval.events import Event, WorkProgress, WorkStarted
from xleval.jobs import BackboneJob, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.store import Store
from xleval.tasks.recent import rows_of

#: Most steps of a timed training, and most rows of a timed prediction. Fewer rows come first: their rest is fixed cost.
MOST_STEPS, _MOST_ROWS, _FEW_ROWS = 60, 256, 16

#: How many times as many trainings are tried side by side once fewer were fast enough.
_GROWTH = 4


class TrainingTime(NamedTuple):
    """Seconds of a step, of an evaluation, and of all besides: the share of one training in its cohort."""

    step: float
    evaluation: float
    besides: float


class PredictionTime(NamedTuple):
    """Seconds whatever the number of rows, and seconds a row: the share of one prediction of a split."""

    fixed: float
    row: float


class _Watch:
    """Notes when the last training began, made its last step, and was evaluated."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.began, self.stepped, self.evaluated = clock, 0.0, 0.0, 0.0

    def __call__(self, event: Event) -> None:
        now = self.clock()
        if isinstance(event, WorkStarted):
            self.began = self.stepped = self.evaluated = now
        elif isinstance(event, WorkProgress):
            self.evaluated = now
            if "dev" not in event.info:
                self.stepped = now


class Stopwatch:
    """Makes small copies of jobs and says how long they take by ``clock``. ``hyper``: as for :class:`Miniatures`."""

    def __init__(
        self, session: Session, store: Store, engine: dict[str, Any], hyper: Mapping[str, Any],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.session, self.store, self.engine, self.clock = session, store, engine, clock
        self.small = Miniatures(hyper)

    def make_stand_ins(self) -> None:
        """Makes the language modules that small copies stand on."""
        missing = [job for job in self.small.stand_ins if not self.store.has(job.kind, job.fingerprint)]
        adapters = [job for job in missing if isinstance(job, LanguageAdapterJob)]
        for some in (adapters, [job for job in missing if job not in adapters]):  # others are made of adapters
            for _, error in make_jobs(some, self.session, self.store, self.engine):
                if error is not None:
                    raise error

    def training(
        self, jobs: Sequence[Any], small: Callable[[Any, int], Any], most: int, seconds: float
    ) -> tuple[list[Any], TrainingTime]:
        """Trains small copies (``small(job, steps)``) side by side; those of the last training, and its times.

        Of one job first, then of more: two steps each, which warm up. Of as many as are bearable in ``seconds``, at
        most ``most`` steps are timed. Were all too slow, what fewer take is the best guess.
        """
        until, size = time.monotonic() + seconds, 1
        while True:
            began, copies = time.monotonic(), [small(job, 2) for job in jobs[:size]]
            times = self._trained(copies, 2)
            took, left = time.monotonic() - began, until - time.monotonic()
            more = min(_GROWTH * size, len(jobs))
            if more == size or took * more / size > left:
                break
            self._drop(copies)
            size = more
        overhead = took - 2 * times.step * size
        steps = min(most, int((left - overhead) / max(times.step * size, 1e-6)))
        if steps > 2:
            self._drop(copies)
            copies = [small(job, steps) for job in jobs[:size]]
            times = self._trained(copies, steps)
        return copies, times

    def _trained(self, copies: Sequence[Any], steps: int) -> TrainingTime:
        watch, began = _Watch(self.clock), self.clock()
        for _, error in make_jobs(copies, self.session, self.store, self.engine, watch):
            if error is not None:
                raise error
        besides = self.clock() - began - (watch.evaluated - watch.began)
        shared = (watch.stepped - watch.began) / steps, watch.evaluated - watch.stepped, besides
        return TrainingTime(*(one / len(copies) for one in shared))

    def _drop(self, copies: Sequence[Any]) -> None:
        """Removes what nothing stands on: language adapters of a large backbone fill a disk."""
        for copy in copies:
            shutil.rmtree(self.store.path(copy.kind, copy.fingerprint), ignore_errors=True)

    def prediction(
        self, jobs: Sequence[PredictionJob], adapters: Sequence[TaskAdapterJob], seconds: float
    ) -> tuple[int, PredictionTime]:
        """Predicts rows of one split of ``jobs`` by small ``adapters``, as many as predict it at once; and how many."""
        until, splits = time.monotonic() + seconds, defaultdict[str, list[PredictionJob]](list)
        for job in jobs:
            splits[job.data.fingerprint].append(job)
        together = max(splits.values(), key=len)[: len(adapters)]
        first, began = together[0], self.clock()
        rows = rows_of(first.task, first.data)
        reading = (self.clock() - began) / len(rows) / len(together)
        backbone: BackboneJob | None = None
        if first.backbone is not None:
            backbone = self.small.trained_on_text(first.backbone, 1)
            make_foundation(backbone, self.session, self.store, self.engine)

        def took(count: int) -> float:
            # Under a name of its own, so that it is tokenised anew, as a split is in a run.
            data = replace(sample(first.data, rows, count), fingerprint=f"{first.data.fingerprint} {time.monotonic()}")
            rows_of(first.task, data)
            copies = [self.small.prediction(*pair, data, backbone) for pair in zip(together, adapters, strict=False)]
            self.make_stand_ins()
            began = self.clock()
            for _, error in make_predictions(copies, self.session, self.store, self.engine):
                if error is not None:
                    raise error
            return (self.clock() - began) / len(copies)

        took(_FEW_ROWS)
        few, least = took(_FEW_ROWS), min(_FEW_ROWS, len(rows))
        most = min(len(rows), _MOST_ROWS, int(least * (until - time.monotonic()) / (few * len(together))))
        if most < 2 * least:
            return len(together), PredictionTime(0.0, few / least + reading)
        row = min(max((took(most) - few) / (most - least), 0.0), few / least)
        return len(together), PredictionTime(few - least * row, row + reading)
