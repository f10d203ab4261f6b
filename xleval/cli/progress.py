"""Progress of a run: bars with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from xleval import hookimpl
from xleval.events import CellFinished, Event, Notice, RunStarted, WorkFinished, WorkProgress, WorkStarted

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINE_EVERY = 30.0


class Progress:
    """Listens to ``xleval_event`` in the process that runs; ``cells_done`` counts recorded cells."""

    def __init__(self) -> None:
        self.cells_done = 0
        self._terminal = sys.stderr.isatty()
        self._bars: Any = None
        self._ids: dict[str, TaskID] = {}
        self._labels: dict[str, tuple[str, int]] = {}
        self._told = 0.0
        self._overall: TaskID | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    @hookimpl
    def xleval_event(self, event: Event) -> None:
        """Shows what an event says."""
        if isinstance(event, Notice):
            self._say(f"note: {event.text}")
        elif isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, WorkStarted):
            self._begin(event)
        elif isinstance(event, WorkProgress):
            self._step(event)
        elif isinstance(event, WorkFinished):
            self._end(event)
        elif isinstance(event, CellFinished):
            self.cells_done += event.record["status"] == "ok"
            if self._bars is not None and self._overall is not None:
                self._bars.advance(self._overall)

    def _start(self, event: RunStarted) -> None:
        words = {"backbone": "tuned backbone"}
        named = [(n, words.get(kind, kind.replace("_", " "))) for kind, n in event.missing.items() if n]
        missing = ", ".join(f"{n} {name}{'s' * (n != 1)}" for n, name in named)
        cells = f"; {event.cells} cells" if event.cells else ""
        self._say(f"to do: {missing or 'scoring only'}{cells} → {event.out}")
        if self._terminal:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[info]}"),
                console=Console(stderr=True),
            )
            self._bars.start()
            if event.cells:
                self._overall = self._bars.add_task("cells", total=event.cells, info="", rate="")

    def _begin(self, event: WorkStarted) -> None:
        self._labels[event.key] = (event.label, event.total)
        if self._bars is not None:
            self._ids[event.key] = self._bars.add_task(
                event.label, total=event.total, completed=event.done, info="", rate=""
            )
        else:
            resumed = f" (from step {event.done})" if event.done else ""
            click.echo(f"{event.label}: {event.total} steps{resumed}", err=True)

    def _step(self, event: WorkProgress) -> None:
        info = "  ".join(f"{key} {value:.3f}" for key, value in event.info.items())
        if self._bars is not None and event.key in self._ids:
            task = self._bars.tasks[self._bars.task_ids.index(self._ids[event.key])]
            rate = f"{task.speed:.0f} steps/s" if task.speed else ""
            self._bars.update(self._ids[event.key], completed=event.done, info=info, rate=rate)
        elif time.monotonic() - self._told > _LINE_EVERY and event.key in self._labels:
            label, total = self._labels[event.key]
            click.echo(f"{label}: step {event.done} of {total}  {info}", err=True)
            self._told = time.monotonic()

    def _end(self, event: WorkFinished) -> None:
        label = self._labels.get(event.key, (event.label or event.key[:12], 0))[0]
        if self._bars is not None and event.key in self._ids:
            self._bars.remove_task(self._ids.pop(event.key))
        if event.error:
            self._say(f"{label} failed: {event.error}")
        elif event.seconds:
            self._say(f"{label}: {event.seconds:.1f} s")

    def _say(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)
