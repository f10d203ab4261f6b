"""Work on this machine, one job after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xleval.errors import UserError
from xleval.events import Emit, WorkFinished, silent
from xleval.executors import Outcome, Setting, Work
from xleval.jobs import Job, LanguageAdapterJob, TaskAdapterJob
from xleval.store import Store


@dataclass(frozen=True)
class LocalExecutor:
    """The default executor."""

    name: str = "local"
    summary: str = "on this machine, one job after the other"

    def execute(
        self, work: Work, setting: Setting, *, jobs: int = 1, address: str = "", emit: Emit = silent
    ) -> Iterator[Outcome]:
        """Language adapters first, then each task adapter followed by its predictions."""
        if jobs > 1 or address:
            raise UserError("--executor local works one job at a time: leave out --jobs and the address")
        if not work.language_adapters and not work.cohorts:
            return
        from xleval.engine import make

        session, store, engine = setting.session(), Store(setting.store), dict(setting.engine)
        failed: dict[str, tuple[str, str]] = {}

        def outcome(job: Job, error: Exception | tuple[str, str] | None = None) -> Outcome:
            if error is None:
                return Outcome(job)
            reason = error if isinstance(error, tuple) else (type(error).__name__, str(error))
            failed[job.fingerprint] = reason
            emit(WorkFinished(job.fingerprint, 0.0, reason[1]))
            return Outcome(job, reason)

        for language_adapter in work.language_adapters:
            try:
                make.make_language_adapter(language_adapter, session, store, engine, emit)
                yield outcome(language_adapter)
            except Exception as error:
                yield outcome(language_adapter, error)
        for cohort in work.cohorts:
            for task_adapter in cohort:
                predictions = work.predictions.get(task_adapter.fingerprint, ())
                try:
                    if blocked := _blocked((*task_adapter.cycle, task_adapter.dev_adapter), failed):
                        raise DependencyFailedError(blocked)
                    for _ in make.make_task_adapters([task_adapter], session, store, engine, emit):
                        yield outcome(task_adapter)
                except Exception as error:
                    yield outcome(task_adapter, error)
                    yield from (outcome(job, failed[task_adapter.fingerprint]) for job in predictions)
                    continue
                for prediction in predictions:
                    try:
                        if blocked := _blocked((prediction.language_adapter,), failed):
                            raise DependencyFailedError(blocked)
                        for _ in make.make_predictions([prediction], session, store, engine, emit):
                            yield outcome(prediction)
                    except Exception as error:
                        yield outcome(prediction, error)


class DependencyFailedError(Exception):
    """Something this job stands on could not be made."""


def _blocked(
    adapters: tuple[LanguageAdapterJob | TaskAdapterJob | None, ...], failed: dict[str, tuple[str, str]]
) -> str:
    for adapter in adapters:
        if adapter is not None and adapter.fingerprint in failed:
            name = f"LA({adapter.language})" if isinstance(adapter, LanguageAdapterJob) else adapter.label
            return f"{name} failed: {failed[adapter.fingerprint][1]}"
    return ""
