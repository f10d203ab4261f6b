"""Predictions of evaluation splits: by all task adapters that can stand side by side at once, else one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from xleval.engine.forward import predicted
from xleval.engine.session import Session
from xleval.engine.slots import Slots
from xleval.engine.stacked import Layout
from xleval.engine.standing import standing_of
from xleval.engine.weights import FULL
from xleval.events import Emit
from xleval.jobs import Job, PredictionJob, TaskAdapterJob
from xleval.predictions import PREDICTIONS, written
from xleval.store import Store
from xleval.tasks.family import family_of
from xleval.tasks.features import Features

#: Gives a context that holds a job's lock.
Lock = Callable[[Job], Any]

#: (rows, features) of a block → predictions of all its rows, by each job of a group.
_Decide = Callable[[Sequence[Any], Features], Iterable[list[Any]]]


def predict(
    jobs: Sequence[PredictionJob], session: Session, store: Store, engine: dict[str, Any], lock: Lock, emit: Emit
) -> Iterator[tuple[PredictionJob, Exception | None]]:
    """Makes predictions that are not in the store; yields each job as they are stored, or with what went wrong."""
    for adapters in _side_by_side([job.task_adapter for job in jobs], session):
        mine = [job for job in jobs if job.task_adapter in adapters]
        maker = _Maker(adapters, session, store, engine, emit)
        for group in maker.groups(mine):
            with ExitStack() as locks:
                # In one order for all processes, which else might wait for each other.
                for job in sorted(group, key=lambda job: job.fingerprint):
                    locks.enter_context(lock(job))
                missing = [job for job in group if not store.intact(job.kind, job.fingerprint)]
                try:
                    maker.make(missing)
                except Exception as error:
                    yield from ((job, error if job in missing else None) for job in group)
                else:
                    yield from ((job, None) for job in group)


def _side_by_side(adapters: Sequence[TaskAdapterJob], session: Session) -> list[list[TaskAdapterJob]]:
    """Task adapters in groups of one shape; what the library computes is in a group of its own."""
    found: dict[Any, list[TaskAdapterJob]] = {}
    for job in dict.fromkeys(adapters):
        key: Any = job.fingerprint
        if job.adapter == "bottleneck" and session.stacks:
            key = (job.task.family, tuple(job.task.labels), tuple(sorted(job.hyper.items())), job.drop_last)
        found.setdefault(key, []).append(job)
    return list(found.values())


class _Maker:
    """Some task adapters, loaded when the first prediction asks for them."""

    def __init__(
        self, adapters: Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit
    ) -> None:
        self.adapters, self.session, self.store, self.emit = list(adapters), session, store, emit
        self.budget = engine["token_budget"] or session.token_budget
        self.room = engine["token_budget"] or session.room
        self.stacks = adapters[0].adapter == "bottleneck" and session.stacks
        self._slots: Slots | None = None
        self._loaded: TaskAdapterJob | None = None

    def groups(self, jobs: Sequence[PredictionJob]) -> list[list[PredictionJob]]:
        """Predictions that are made at once: of one split, on language modules of one layout or on none."""
        found: dict[Any, list[PredictionJob]] = {}
        for job in jobs:
            tuned = job.backbone.fingerprint if job.backbone else ""
            key: Any = (tuned, job.fingerprint)
            if self.stacks and (layout := self._layout(job)):
                options = tuple(sorted(job.options.items()))
                key = (tuned, job.data.fingerprint, job.task.name, options, layout)
            found.setdefault(key, []).append(job)
        return [found[key] for key in sorted(found, key=lambda key: str(key[0]))]  # a backbone's together

    def make(self, jobs: Sequence[PredictionJob]) -> None:
        """Makes one group, a block of rows at a time: a split of any size fits."""
        if not jobs:
            return
        start, first = time.monotonic(), jobs[0]
        decide = self._together(jobs) if self.stacks and self._layout(first) else self._alone(first)
        abouts = [_about(job, self.session) for job in jobs]
        with ExitStack() as stack:
            write = []
            for job, about in zip(jobs, abouts, strict=True):
                folder = stack.enter_context(self.store.create(job.kind, job.fingerprint, about))
                write.append(stack.enter_context(written(folder / PREDICTIONS)))
            for rows, features in self.session.blocks(first.task, first.data, first.task_adapter.hyper):
                for lines, found in zip(write, decide(rows, features), strict=True):
                    lines(zip((row.id for row in rows), found, strict=True))
            for about in abouts:
                about["seconds"] = round((time.monotonic() - start) / len(jobs), 3)

    def _together(self, jobs: Sequence[PredictionJob]) -> _Decide:
        session, first = self.session, jobs[0]
        family, options, labels = family_of(first.task.family), first.options, first.task.labels
        if self._slots is None:
            session.encode_with(None)
            self._slots = Slots(session, family, first.task_adapter.drop_last)
            for adapter in self.adapters:
                session.load_task_adapter(self.store.open(adapter.kind, adapter.fingerprint))
                self._slots.take()
            self._slots.stack(trainable=False)
            self._slots.train(False)
        slots, chosen = self._slots, [self.adapters.index(job.task_adapter) for job in jobs]
        under = [standing_of(self.store, job.module) for job in jobs]
        self._encode(first)

        def decide(rows: Sequence[Any], features: Features) -> Iterator[list[Any]]:
            for found in slots.decisions(features, under, options, self.room, self.emit, chosen):
                yield family.assemble(found, features, rows, labels)

        return decide

    def _alone(self, job: PredictionJob) -> _Decide:
        session, adapter = self.session, job.task_adapter
        if self._loaded != adapter:
            session.encode_with(None)
            session.load_task_adapter(self.store.open(adapter.kind, adapter.fingerprint))
            self._loaded, self._slots = adapter, None
        self._encode(job)
        session.stand_on(standing_of(self.store, job.module), adapter.drop_last)
        return lambda rows, features: [
            predicted(session, job.task, rows, features, job.options, self.budget, self.emit)
        ]  # fmt: skip

    def _encode(self, job: PredictionJob) -> None:
        if job.task_adapter.adapter != FULL:  # which brings its encoder along
            tuned = job.backbone
            self.session.encode_with(self.store.open(tuned.kind, tuned.fingerprint) if tuned else None)

    def _layout(self, job: PredictionJob) -> Layout | str | None:
        """Of what a prediction stands on: ``"none"`` for nothing, None for what cannot stand side by side."""
        standing = standing_of(self.store, job.module)
        return "none" if standing is None else self.session.layout_of(standing, job.task_adapter.drop_last)


def _about(job: PredictionJob, session: Session) -> dict[str, Any]:
    return {
        "backbone": session.backbone.identity,
        "task": job.task.name,
        "language": job.data.language,
        "task_adapter": job.task_adapter.fingerprint,
        "language_module": job.module.fingerprint if job.module else None,
        "tuned_backbone": job.backbone.fingerprint if job.backbone else None,
        "options": dict(job.options),
    }
