"""Built-in tasks, source data sets and suites: the YAML files of ``task_specs``, and the local executor."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from xleval import hookimpl
from xleval.resources import resource

if TYPE_CHECKING:
    from xleval.executors import Executor


@hookimpl
def xleval_tasks() -> Iterable[Path]:
    """Tasks lie at the top of ``task_specs``, source data sets under ``sources``."""
    return [resource("task_specs"), resource("task_specs") / "sources"]


@hookimpl
def xleval_suites() -> Iterable[Path]:
    """Suites lie under ``suites``."""
    return [resource("task_specs") / "suites"]


@hookimpl
def xleval_executors() -> Iterable[Executor]:
    """This machine."""
    from xleval.executors.local import LocalExecutor

    return [LocalExecutor()]
