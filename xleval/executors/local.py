"""Work on this machine: in this process, or in several that take one unit of work after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval.errors import UserError
from xleval.events import Emit, WorkFinished, silent
from xleval.executors import Outcome, Setting, Work
from xleval.jobs import Foundation, Job, PredictionJob, TaskAdapterJob
from xleval.store import Store

if TYPE_CHECKING:
    from xleval.engine.session import Session


@dataclass(frozen=True)
class Unit:
    """What one process does in one go: a language module or tuned backbone, or a task adapter and its predictions."""

    job: Foundation | TaskAdapterJob
    predictions: tuple[PredictionJob, ...] = ()

    @property
    def needs(self) -> dict[str, str]:
        """Fingerprint → label of what must be there before."""
        needed = [*self.job.needs, *(job for prediction in self.predictions for job in prediction.needs)]
        return {job.fingerprint: job.label for job in needed if job != self.job}


@dataclass(frozen=True)
class LocalExecutor:
    """The default executor."""

    name: str = "local"
    summary: str = "on this machine, in one process or in --jobs N"

    def execute(
        self, work: Work, setting: Setting, *, jobs: int = 0, address: str = "", emit: Emit = silent
    ) -> Iterator[Outcome]:
        """Language modules first, then each task adapter followed by its predictions.

        ``jobs=0`` is one process a core (at most 4) where the backbone is small and on a CPU, else one.
        """
        if address:
            raise UserError(f"--executor local:{address}: this executor has no address")
        units = [Unit(job) for job in work.foundations]
        units += [Unit(job, work.predictions.get(job.fingerprint, ())) for cohort in work.cohorts for job in cohort]
        if not units:
            return
        jobs = min(jobs or setting.processes, len(units))
        if jobs > 1:
            from xleval.executors.pool import run_in_processes

            yield from run_in_processes(units, setting, jobs, emit)
            return
        session, store = setting.session(), Store(setting.store)
        failed: dict[str, str] = {}
        for unit in units:
            outcomes = blocked(unit, failed) or make(unit, session, store, setting, emit)
            for outcome in outcomes:
                if outcome.error:
                    failed[outcome.job.fingerprint] = outcome.error[1]
                yield outcome


def blocked(unit: Unit, failed: dict[str, str]) -> list[Outcome]:
    """Failures of a unit, for an adapter under it that could not be made; empty if all are there."""
    for fingerprint, name in unit.needs.items():
        if fingerprint in failed:
            reason = ("DependencyFailedError", f"{name} failed: {failed[fingerprint]}")
            return [Outcome(job, reason) for job in (unit.job, *unit.predictions)]
    return []


def make(unit: Unit, session: Session, store: Store, setting: Setting, emit: Emit) -> Iterator[Outcome]:
    """Makes a unit, yielding an outcome for each of its jobs as it ends."""
    from xleval.engine import make as engine

    settings = dict(setting.engine)
    try:
        if isinstance(unit.job, TaskAdapterJob):
            for _ in engine.make_task_adapters([unit.job], session, store, settings, emit):
                pass
        else:
            engine.make_foundation(unit.job, session, store, settings, emit)
        yield Outcome(unit.job)
    except Exception as error:
        yield from (_failure(job, error, emit) for job in (unit.job, *unit.predictions))
        return
    made = iter(engine.make_predictions(unit.predictions, session, store, settings, emit))
    for index, prediction in enumerate(unit.predictions):
        try:
            next(made)
            yield Outcome(prediction)
        except Exception as error:
            yield _failure(prediction, error, emit)
            made = iter(engine.make_predictions(unit.predictions[index + 1 :], session, store, settings, emit))


def _failure(job: Job, error: Exception, emit: Emit) -> Outcome:
    emit(WorkFinished(job.fingerprint, 0.0, str(error), job.label))
    return Outcome(job, (type(error).__name__, str(error)))
