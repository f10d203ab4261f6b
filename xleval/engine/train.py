"""Task adapters: trained on source-language data while the language module under them is switched.

Step s stands on module s mod K, source language first (Parović et al. 2023, section 3). Trained are the task
adapter and its head; the backbone, its pooler and all language modules are frozen. (Full fine-tuning is the same
without adapters: then the encoder trains.) The checkpoint is selected on *source-language* dev data: choosing on
target data would not be zero-shot.

Task adapters that take the same steps over the same source data (seeds, targets, strategies) are trained side by side,
in *cohorts*: :class:`_Together`. What the encoder of :mod:`xleval.engine.encoder` does not compute (LoRA, prefixes,
fusion, other architectures, full fine-tuning) is trained by the adapters library, one by one: :class:`_Alone`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from xleval.engine import checkpoint
from xleval.engine.bank import Standing
from xleval.engine.batching import bucketed, epoch_batches, passes
from xleval.engine.checkpoint import Piece
from xleval.engine.forward import forward, predicted
from xleval.engine.graphs import graphs_of
from xleval.engine.loop import Member, Trained, Training, TrainingFailedError, fit
from xleval.engine.session import Session
from xleval.engine.slots import Slots
from xleval.engine.standing import standing_of
from xleval.errors import UserError
from xleval.events import Emit, silent
from xleval.hyperparameters import DEV_OPTIONS
from xleval.jobs import TaskAdapterJob
from xleval.scoring import primary_score
from xleval.store import Store
from xleval.tasks.family import family_of
from xleval.tasks.features import Ints


@dataclass(frozen=True)
class TrainedTaskAdapter:
    """A finished job, its adapter in the session; or one that ``failed``."""

    job: TaskAdapterJob
    trained: Trained | TrainingFailedError
    cohort: int
    """How many were trained side by side."""


def train(
    jobs: Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[TrainedTaskAdapter]:
    """Trains task adapters over the same backbone and source data, in as few cohorts as they can be in.

    Each that is yielded lies in the session, to be saved before the next is asked for. Checkpoints lie in
    ``store.partial``; what was interrupted goes on from its last one.

    Raises:
        UserError: source data that cannot be read, or are too few.
        TrainingFailedError: out of memory with one example a pass.
    """
    for cohort in cohorts(jobs, session, store):
        source = _Source(cohort, session, store, engine, emit)
        work = _Together(source) if stacks(cohort[0], session, store) else _Alone(source)
        results = fit(source.training(work), cohort[0].seed, emit)
        for index, (job, trained) in enumerate(zip(cohort, results, strict=True)):
            if isinstance(trained, Trained):
                work.give(index)
            yield TrainedTaskAdapter(job, trained, len(cohort))


def cohorts(jobs: Sequence[TaskAdapterJob], session: Session, store: Store) -> list[list[TaskAdapterJob]]:
    """Jobs in groups that can be trained side by side: of equal data, settings and shapes, and at the same step."""
    found: dict[Any, list[TaskAdapterJob]] = {}
    for number, job in enumerate(jobs):
        key: Any = number
        if stacks(job, session, store):
            layouts = {session.layout_of(standing_of(store, module), job.drop_last) for module in job.cycle}
            step = checkpoint.step_of(store.partial(job.fingerprint))
            data = (job.task.name, job.train.fingerprint, job.dev.fingerprint, job.start and job.start.adapter)
            key = (data, tuple(sorted(job.hyper.items())), job.drop_last, layouts.pop(), job.dev_module is None, step)
        found.setdefault(key, []).append(job)
    return list(found.values())


def stacks(job: TaskAdapterJob, session: Session, store: Store) -> bool:
    """Whether a task adapter is trained with others side by side: a bottleneck over equal bottlenecks, or over none."""
    if job.adapter != "bottleneck" or not session.stacks:
        return False
    modules = [standing_of(store, module) for module in (*job.cycle, job.dev_module)]
    layouts = {session.layout_of(module, job.drop_last) for module in modules if module is not None}
    if not layouts:
        return True
    return None not in layouts and len(layouts) == 1 and None not in modules[:-1]


class _Source:
    """What the trainings of a cohort share: source data, hyperparameters, and which step takes which examples."""

    def __init__(
        self, jobs: Sequence[TaskAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit
    ) -> None:
        self.jobs, self.session, self.store, self.engine, self.emit = jobs, session, store, engine, emit
        first = jobs[0]
        self.task, self.hyper, self.family = first.task, first.hyper, family_of(first.task.family)
        self.rows, features = session.encoded(self.task, first.train, self.hyper)
        self.dev_rows, self.dev = session.encoded(self.task, first.dev, self.hyper)
        if not self.rows or not self.dev_rows:
            empty = f"{first.train.origin}: no training" if not self.rows else f"{first.dev.origin}: no dev"
            raise UserError(f"{empty} examples")
        if self.hyper.get("head") == "pooler":
            session.check_pooler()
        self.features = bucketed(features, self.hyper["batch"])
        self.budget = engine["token_budget"] or session.token_budget
        self.an_epoch = -(-len(self.features) // self.hyper["batch"])
        self.steps = self.hyper["steps"] or self.hyper["epochs"] * self.an_epoch
        self._order: tuple[int, dict[int, list[Ints]]] = (-1, {})
        # Before task adapters: slots of the library's model draw from the generator that initialises those.
        session.encode_with(None)
        self.modules = [[standing_of(store, module) for module in job.cycle] for job in jobs]
        self.dev_modules = [standing_of(store, job.dev_module) for job in jobs]

    def batch(self, seed: int, step: int) -> Ints:
        """The examples of an optimiser step."""
        epoch, index = divmod(step, self.an_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, {})
        orders = self._order[1]
        if seed not in orders:
            orders[seed] = epoch_batches(self.features.shapes, self.hyper["batch"], seed, epoch)
        found: Ints = orders[seed][index]
        return found

    def turn(self, index: int, step: int) -> int:
        """Whose turn it is in the cycle of a job."""
        return (step if self.hyper["switch"] == "step" else step % self.an_epoch) % len(self.modules[index])

    def under(self, step: int) -> list[Standing | None]:
        """What each job stands on at a step."""
        return [modules[self.turn(index, step)] for index, modules in enumerate(self.modules)]

    def dev_groups(self, index: int) -> Iterator[tuple[Standing | None, Ints]]:
        """Dev examples of a job with the module that they stand on."""
        if self.hyper["dev_switch"] == "source":
            yield self.dev_modules[index], np.arange(len(self.dev))
            return
        modules = self.modules[index]
        turns = np.arange(len(self.dev)) // self.hyper["dev_batch"] % len(modules)
        for turn in np.unique(turns):
            yield modules[turn], np.flatnonzero(turns == turn)

    def score(self, predictions: Sequence[Any]) -> float:
        """The selection score of predictions of all dev rows."""
        return primary_score(self.task, self.dev_rows, predictions, self.jobs[0].source_language)

    def new_task_adapter(self, job: TaskAdapterJob) -> None:
        """The task adapter that a job starts from, in the session."""
        if job.start is None:
            self.session.new_task_adapter(self.hyper, job.adapter, job.drop_last, job.seed)
            self.family.add_head(self.session.model, "task", self.task.labels, self.hyper)
        else:
            self.session.load_task_adapter(self.store.open(job.start.kind, job.start.fingerprint))

    def where(self, index: int) -> Callable[[int], str]:
        """Says what a step of a job stands on."""
        cycle = self.jobs[index].cycle

        def said(step: int) -> str:
            module = cycle[self.turn(index, step)]
            return f"step {step} of {self.steps}, on " + (str(module.module) if module else "no language module")

        return said

    def member(self, index: int, pieces: dict[str, Piece]) -> Member:
        """A job as the loop sees it."""
        job = self.jobs[index]
        folder = self.store.partial(job.fingerprint)
        return Member(job.fingerprint, job.label, pieces, folder, self.where(index))

    def training(self, work: _Together | _Alone) -> Training:
        """All that the loop asks for."""
        hyper = self.hyper
        return Training(
            members=work.members,
            steps=self.steps,
            lr=hyper["lr"],
            losses=work.losses,
            evaluate=work.evaluate,
            eval_every=hyper["eval_every"],
            mode=work.mode,
            device=self.session.device,
            token_budget=work.budget,
            clip=hyper["clip"],
            weight_decay=hyper["weight_decay"],
            patience=hyper["patience"],
            select=hyper["select"],
            checkpoint_seconds=self.engine["checkpoint_seconds"],
        )


class _Together:
    """Task adapters in slots, computed at once."""

    def __init__(self, source: _Source) -> None:
        self.source, self.session = source, source.session
        graphs = graphs_of(self.session, self.session.encoder, source.engine, source.emit)
        self.slots = Slots(self.session, source.family, source.jobs[0].drop_last, graphs)
        for job in source.jobs:
            source.new_task_adapter(job)
            self.slots.take()
        self.slots.stack(trainable=True)
        self.seeds = [job.seed for job in source.jobs]
        self.members = [source.member(index, self.slots.pieces(index)) for index in range(len(source.jobs))]
        self.budget = source.engine["token_budget"] or self.session.room

    def losses(self, step: int, budget: int) -> Iterator[Tensor]:
        """Of each job's own batch, on its own module."""
        batches = [self.source.batch(seed, step) for seed in self.seeds]
        under, one = self.source.under(step), self.source.budget
        return self.slots.losses(self.source.features, batches, under, self.seeds, step, one, budget)

    def evaluate(self) -> list[float]:
        """Scores on dev data: all jobs at once, unless each has its own modules under parts of it."""
        source = self.source
        if source.hyper["dev_switch"] == "source":
            chosen = self._decided(range(len(source.jobs)), source.dev_modules, np.arange(len(source.dev)))
        else:
            chosen = []
            for index in range(len(source.jobs)):
                found: list[Any] = [None] * len(source.dev)
                for module, group in source.dev_groups(index):
                    (mine,) = self._decided([index], [module], group)
                    for i in group:
                        found[i] = mine[i]
                chosen.append(found)
        labels = source.task.labels
        return [source.score(source.family.assemble(one, source.dev, source.dev_rows, labels)) for one in chosen]

    def _decided(self, slots: Sequence[int], under: Sequence[Standing | None], group: Ints) -> list[list[Any]]:
        source = self.source
        return self.slots.decisions(source.dev, under, DEV_OPTIONS, self.budget, source.emit, slots, group)

    def mode(self, on: bool) -> None:
        """Training or not: dropout of heads."""
        self.slots.train(on)

    def give(self, index: int) -> None:
        """A job's adapter and head into the session."""
        self.slots.give(index)


class _Alone:
    """One task adapter, computed by the adapters library."""

    def __init__(self, source: _Source) -> None:
        self.source, self.session = source, source.session
        (self.job,) = source.jobs
        for module in (*source.modules[0], source.dev_modules[0]):
            self.session.stand_on(module, self.job.drop_last)
        source.new_task_adapter(self.job)
        parameters = self.session.trainable()
        self.session.check_frozen(parameters.values())
        self.members = [source.member(0, {name: Piece(p) for name, p in parameters.items()})]
        self.budget = source.budget

    def losses(self, step: int, budget: int) -> Iterator[Tensor]:
        """Of the batch, (1,) each."""
        source, family, features = self.source, self.source.family, self.source.features
        indices = source.batch(self.job.seed, step)
        self.session.stand_on(source.under(step)[0], self.job.drop_last)
        total = family.targets(features, indices)
        for part in passes(indices, features.costs, budget):
            scores, gold = forward(self.session, family, features, part)
            yield (family.loss_sum(scores, gold) / total)[None]

    def evaluate(self) -> list[float]:
        """The score on dev data."""
        source = self.source
        budget, emit = self.budget, source.emit
        found = predicted(
            self.session, source.task, source.dev_rows, source.dev, DEV_OPTIONS, budget, emit, self._groups()
        )
        return [source.score(found)]

    def _groups(self) -> Iterator[Ints]:
        """Dev examples that stand on one module, which is put there before they are given."""
        for module, group in self.source.dev_groups(0):
            self.session.stand_on(module, self.job.drop_last)
            yield group

    def mode(self, on: bool) -> None:
        """Training or not: dropout."""
        self.session.model.train(on)

    def give(self, index: int) -> None:
        """It lies in the session already."""
