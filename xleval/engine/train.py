"""Task adapters: trained on source-language data while the language module under them is switched.

Step s stands on module s mod K, source language first (Parović et al. 2023, section 3). Trained are the task
adapter and its head; the backbone, its pooler and all language modules are frozen. (Full fine-tuning is the same
without adapters: then the encoder trains.) The checkpoint is selected on *source-language* dev data: choosing on
target data would not be zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from xleval.engine.bank import Standing
from xleval.engine.batching import epoch_batches, passes
from xleval.engine.forward import forward, predicted
from xleval.engine.loop import Trained, Training, fit
from xleval.engine.session import Session
from xleval.errors import UserError
from xleval.events import Emit, silent
from xleval.hyperparameters import DEV_OPTIONS
from xleval.jobs import FusionJob, LanguageAdapterJob, ModuleJob, TaskAdapterJob
from xleval.scoring import primary_score
from xleval.store import Store
from xleval.tasks.family import family_of
from xleval.tasks.features import Ints


@dataclass(frozen=True)
class TrainedTaskAdapter:
    """A finished job: its adapter is in the folder that :func:`train` was given for it."""

    job: TaskAdapterJob
    trained: Trained
    metric: str


def train(
    jobs: Sequence[TaskAdapterJob],
    session: Session,
    store: Store,
    out: Sequence[Path],
    engine: dict[str, Any],
    emit: Emit = silent,
) -> Iterator[TrainedTaskAdapter]:
    """Trains task adapters over the same backbone and source data, yielding each as it is finished.

    The adapter of ``jobs[i]`` is written to ``out[i]`` in the adapters library's format. Checkpoints lie in
    ``store.partial``; a job that was interrupted goes on from its last one.

    Raises:
        UserError: source data that cannot be read, or are too few.
        TrainingFailedError: loss not finite, or out of memory.
    """
    for job, folder in zip(jobs, out, strict=True):
        trained = _train_one(job, session, store, engine, emit)
        session.save_task_adapter(folder)
        yield TrainedTaskAdapter(job, trained, job.task.metric)


def _train_one(job: TaskAdapterJob, session: Session, store: Store, engine: dict[str, Any], emit: Emit) -> Trained:
    family, hyper, task = family_of(job.task.family), job.hyper, job.task
    rows, features = session.encoded(task, job.train, hyper)
    dev_rows, dev = session.encoded(task, job.dev, hyper)
    if not rows or not dev_rows:
        raise UserError(
            f"{job.train.origin}: no training examples" if not rows else f"{job.dev.origin}: no dev examples"
        )
    if hyper.get("head") == "pooler":
        session.check_pooler()
    # Bank and slots first: they draw from the generator that initialises the task adapter.
    session.encode_with(None)
    modules = [standing_of(store, module) for module in job.cycle]
    dev_module = standing_of(store, job.dev_module)
    for module in (*modules, dev_module):
        session.stand_on(module, job.drop_last)
    if job.start is None:
        session.new_task_adapter(hyper, job.adapter, job.drop_last, job.seed)
        family.add_head(session.model, "task", task.labels, hyper)
    else:
        session.load_task_adapter(store.open(job.start.kind, job.start.fingerprint))
    batch, lengths = hyper["batch"], features.costs
    an_epoch = -(-len(features) // batch)
    steps = hyper["steps"] or hyper["epochs"] * an_epoch
    order: dict[int, Any] = {}

    def turn(step: int) -> int:
        return (step if hyper["switch"] == "step" else step % an_epoch) % len(modules)

    def losses(step: int, budget: int) -> Iterator[Tensor]:
        epoch = step // an_epoch
        if epoch not in order:
            order.clear()
            order[epoch] = epoch_batches(lengths, batch, job.seed, epoch)
        indices = order[epoch][step % an_epoch]
        session.stand_on(modules[turn(step)], job.drop_last)
        total = family.targets(features, indices)
        for part in passes(indices, lengths, budget):
            scores, gold = forward(session, family, features, part)
            yield family.loss_sum(scores, gold) / total

    budget = engine["token_budget"] or session.token_budget

    def evaluate() -> float:
        found = predicted(session, task, dev_rows, dev, DEV_OPTIONS, budget, emit, groups())
        return primary_score(task, dev_rows, found, job.source_language)

    def groups() -> Iterator[Ints]:
        """Dev examples that stand on one module, which is put there before they are given."""
        if hyper["dev_switch"] == "source":
            session.stand_on(dev_module, job.drop_last)
            yield np.arange(len(dev))
            return
        turns = np.arange(len(dev)) // hyper["dev_batch"] % len(modules)
        for index in np.unique(turns):
            session.stand_on(modules[index], job.drop_last)
            yield np.flatnonzero(turns == index)

    def where(step: int) -> str:
        module = job.cycle[turn(step)]
        return f"step {step} of {steps}, on " + (str(module.module) if module else "no language module")

    parameters = session.trainable()
    session.check_frozen(parameters.values())
    training = Training(
        key=job.fingerprint,
        label=job.label,
        parameters=parameters,
        steps=steps,
        lr=hyper["lr"],
        losses=losses,
        evaluate=evaluate,
        eval_every=hyper["eval_every"],
        mode=session.model.train,
        device=session.device,
        token_budget=budget,
        clip=hyper["clip"],
        weight_decay=hyper["weight_decay"],
        patience=hyper["patience"],
        select=hyper["select"],
        checkpoint_seconds=engine["checkpoint_seconds"],
        where=where,
    )
    return fit(training, store.partial(job.fingerprint), job.seed, emit)


def standing_of(store: Store, job: ModuleJob | None) -> Standing | None:
    """Folders of a language module, verified; None for none."""
    if job is None:
        return None
    if isinstance(job, FusionJob):
        return Standing(tuple(folder_of(store, part) for part in job.parts), store.open(job.kind, job.fingerprint))
    return Standing((folder_of(store, job),))


def folder_of(store: Store, job: LanguageAdapterJob) -> Path:
    """Folder of an adapter, ready-made or in the store and then verified."""
    return job.folder or store.open(*job.stored)
