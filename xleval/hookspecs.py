"""The whole plugin contract. Copy a signature, put ``@xleval.hookimpl`` above it, and name the module in
an entry point of the group ``xleval``::

    [project.entry-points.xleval]
    my-strategies = "my_package"

Every hook is optional and collecting: each plugin's list is added to the others'. Hooks return
declarations and must stay cheap, for ``xleval ls`` calls them; heavy work sits behind what they return.
A plugin may set ``XLEVAL_API = 1``, the version of this contract that it was written for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from xleval.backbones import Backbone
    from xleval.events import Event
    from xleval.executors import Executor
    from xleval.languages import Language
    from xleval.recipe import Strategy
    from xleval.tasks.sources import DataProvider

#: Raised by one when a hook changes in a way that breaks plugins.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("xleval")

# Declarations: called once per process, on the first look at the registry in question.


@hookspec
def xleval_languages() -> Iterable[Language]:  # type: ignore[empty-body]
    """Languages beyond the built-in registry.

    A code or alias that another language has is a conflict, reported with both claimants.
    """


@hookspec
def xleval_backbones() -> Iterable[Backbone]:  # type: ignore[empty-body]
    """Encoders by name: a hub id with a pinned revision, or a folder. No weights are loaded here."""


@hookspec
def xleval_strategies() -> Iterable[Strategy]:  # type: ignore[empty-body]
    """Strategies. Each answers ``recipe(task, target, world)`` with frozen data; see ``xleval.recipe``."""


@hookspec
def xleval_tasks() -> Iterable[Path]:  # type: ignore[empty-body]
    """Paths of YAML files that describe tasks or source data sets, or of folders of such files."""


@hookspec
def xleval_suites() -> Iterable[Path]:  # type: ignore[empty-body]
    """Paths of YAML files that name tasks, languages, backbone, hyperparameters and seeds together."""


@hookspec
def xleval_data_providers() -> Iterable[DataProvider]:  # type: ignore[empty-body]
    """Generators of labelled rows and unlabelled text, for task specs whose data are ``generated``."""


@hookspec
def xleval_executors() -> Iterable[Executor]:  # type: ignore[empty-body]
    """Places where work runs (``--executor NAME``): this machine, a cluster."""


# Running: called while ``xleval run`` works.


@hookspec
def xleval_event(event: Event) -> None:
    """Called for every event of a run, in order, in the process that runs it.

    Progress bars and experiment trackers live here. An exception is reported once and the plugin's
    tracker is switched off; the run goes on.
    """
