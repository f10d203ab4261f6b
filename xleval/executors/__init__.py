"""Where work runs. An executor makes the missing artifacts of a plan and says how each went."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from xleval.backbones import Backbone
from xleval.device import resolve_device
from xleval.events import Emit, silent
from xleval.jobs import Foundation, Job, PredictionJob, TaskAdapterJob

if TYPE_CHECKING:
    from xleval.engine.session import Session


@dataclass(frozen=True)
class Setting:
    """What work needs besides the jobs: plain data, so that it can travel to another process or machine."""

    backbone: Backbone
    device: str
    precision: str
    store: Path
    engine: Mapping[str, Any]
    offline: bool = False

    def session(self) -> Session:
        """The backbone, loaded. This is where torch is imported."""
        from xleval.engine.session import Session

        return Session(self.backbone, self.device, self.precision, offline=self.offline)

    @property
    def processes(self) -> int:
        """How many processes are worth having: several only for a small backbone on a CPU, which one core fills."""
        if resolve_device(self.device) != "cpu" or not self.backbone.is_small:
            return 1
        return min(os.cpu_count() or 1, 4)


@dataclass(frozen=True)
class Work:
    """Missing artifacts. ``foundations``: language modules and tuned backbones, what is needed before what needs it.

    ``cohorts``: task adapters over the same source data, trained as one list.
    ``predictions``: those to make with each task adapter, by its fingerprint; a task adapter that is in the
    store already but has predictions to make is in a cohort too.
    """

    foundations: tuple[Foundation, ...] = ()
    cohorts: tuple[tuple[TaskAdapterJob, ...], ...] = ()
    predictions: Mapping[str, tuple[PredictionJob, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """A job is done (``error`` is None), or failed: type of the exception and message."""

    job: Job
    error: tuple[str, str] | None = None


@runtime_checkable
class Executor(Protocol):
    """What a plugin gives from ``xleval_executors``; ``--executor NAME[:ADDRESS]`` chooses one."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    @property
    def summary(self) -> str:
        """One line for listings."""

    def execute(
        self, work: Work, setting: Setting, *, jobs: int = 0, address: str = "", emit: Emit = silent
    ) -> Iterator[Outcome]:
        """Makes everything in ``work``, yielding an outcome for every job as it ends.

        A failure ends what depends on it, with its reason, and nothing else.
        """
