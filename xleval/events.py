"""What happens during a run, as frozen data for progress bars and trackers (hook ``xleval_event``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """Base of all events; a tracker ignores the kinds that it does not know."""


@dataclass(frozen=True)
class RunStarted(Event):
    """The plan is made. ``missing`` counts artifacts to make by kind; ``cells`` those still to evaluate, 0 where
    nothing is evaluated (``xleval la train``, ``xleval predict``). ``out`` is where what is made goes.
    """

    missing: Mapping[str, int]
    cells: int
    out: Path


@dataclass(frozen=True)
class WorkStarted(Event):
    """Work on one artifact begins (or goes on from a checkpoint at ``done``); ``total`` steps or items."""

    key: str
    label: str
    total: int
    done: int = 0


@dataclass(frozen=True)
class WorkProgress(Event):
    """``done`` steps or items of the artifact ``key`` are finished; ``info`` holds loss, score and so on."""

    key: str
    done: int
    info: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkFinished(Event):
    """The artifact ``key`` is in the store, or ``error`` says why it is not, and ``label`` what failed."""

    key: str
    seconds: float
    error: str | None = None
    label: str = ""


@dataclass(frozen=True)
class CellFinished(Event):
    """One evaluation record was written and synced to disk (a failed cell is a record too)."""

    record: Mapping[str, Any]


@dataclass(frozen=True)
class Notice(Event):
    """Something that the user should know and that stops nothing, such as a halved token budget."""

    text: str


@dataclass(frozen=True)
class RunFinished(Event):
    """All cells have a record."""

    done: int
    failed: int
    out: Path


Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """An ``Emit`` that drops everything."""
