"""Work on this machine: in this process, or in several that take one unit of work after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from xleval.errors import UserError
from xleval.events import Emit, WorkFinished, silent
from xleval.executors import Outcome, Setting, Work
from xleval.jobs import Foundation, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.store import Store

if TYPE_CHECKING:
    from xleval.engine.session import Session

J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Unit:
    """What one process does in one go: a language module or tuned backbone, or task adapters and their predictions."""

    jobs: tuple[Foundation, ...] | tuple[TaskAdapterJob, ...]
    predictions: tuple[PredictionJob, ...] = ()

    @property
    def all(self) -> tuple[Job, ...]:
        """Everything that it makes."""
        return (*self.jobs, *self.predictions)

    @property
    def needs(self) -> dict[str, str]:
        """Fingerprint → label of what must be there before."""
        return {job.fingerprint: job.label for mine in self.all for job in mine.needs if job not in self.jobs}

    def without(self, failed: Mapping[str, str]) -> tuple[Unit, list[Outcome]]:
        """What can be made of it, and failures of the rest: of what needs a job that failed (fingerprint → reason)."""
        lost: dict[Job, str] = {}
        for mine in self.all:
            for job in mine.needs:
                if reason := lost.get(job) or failed.get(job.fingerprint):
                    lost.setdefault(mine, f"{job.label} failed: {reason}")
        jobs = tuple(job for job in self.jobs if job not in lost)
        left = Unit(jobs, tuple(job for job in self.predictions if job not in lost))  # type: ignore[arg-type]
        return left, [Outcome(job, ("DependencyFailedError", reason)) for job, reason in lost.items()]


def units_of(work: Work, processes: int) -> list[Unit]:
    """Language adapters and cohorts of task adapters, in as many parts as there are processes; the rest one by one."""
    adapters = tuple(job for job in work.foundations if isinstance(job, LanguageAdapterJob))
    units = [Unit(part) for part in _parts(adapters, processes)]
    units += [Unit((job,)) for job in work.foundations if job not in adapters]
    for cohort in work.cohorts:
        for jobs in _parts(cohort, processes):
            predictions = (prediction for job in jobs for prediction in work.predictions.get(job.fingerprint, ()))
            units.append(Unit(jobs, tuple(predictions)))
    return units


def _parts(jobs: tuple[J, ...], processes: int) -> list[tuple[J, ...]]:
    size = max(-(-len(jobs) // processes), 1)
    return [jobs[start : start + size] for start in range(0, len(jobs), size)]


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
        units = units_of(work, jobs or setting.processes)
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
            left, lost = unit.without(failed)
            for outcome in (*lost, *make(left, session, store, setting, emit)):
                if outcome.error:
                    failed[outcome.job.fingerprint] = outcome.error[1]
                yield outcome


def make(unit: Unit, session: Session, store: Store, setting: Setting, emit: Emit) -> Iterator[Outcome]:
    """Makes a unit, yielding an outcome for each of its jobs as it ends."""
    from xleval.engine import make as engine

    settings, failed = dict(setting.engine), dict[str, str]()

    def told(job: Job, error: Exception | None) -> Outcome:
        if error is None:
            return Outcome(job)
        failed[job.fingerprint] = str(error)
        emit(WorkFinished(job.fingerprint, 0.0, str(error), job.label))
        return Outcome(job, (type(error).__name__, str(error)))

    def all_told(jobs: Sequence[Job], made: Iterator[tuple[Job, Exception | None]]) -> Iterator[Outcome]:
        left = dict.fromkeys(jobs)
        try:
            for job, error in made:
                del left[job]
                yield told(job, error)
        except Exception as fault:  # of all that is left
            yield from [told(job, fault) for job in left]

    yield from all_told(unit.jobs, engine.make_jobs(unit.jobs, session, store, settings, emit))
    rest, lost = Unit((), unit.predictions).without(failed)
    yield from lost
    yield from all_told(rest.predictions, engine.make_predictions(rest.predictions, session, store, settings, emit))
