"""Several processes on this machine. Each loads the backbone once and takes unit after unit."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from xleval.events import Emit
from xleval.executors import Outcome, Setting
from xleval.executors.local import Unit, make
from xleval.store import Store
from xleval.tasks.located import DataWarning

#: Of a worker process: its setting, session (made at the first unit), and the way back.
_worker: dict[str, Any] = {}


def run_in_processes(units: list[Unit], setting: Setting, jobs: int, emit: Emit) -> Iterator[Outcome]:
    """Outcomes of all units as they come; a unit starts when what it needs is there.

    Events of the processes are emitted here. A process that dies (say, killed for memory) ends the run
    with an outcome for everything that was not made.
    """
    context = multiprocessing.get_context("spawn")
    channel = context.Queue()
    waiting, failed = list(units), dict[str, str]()
    running: dict[Future[list[Outcome]], Unit] = {}
    unfinished = {job.fingerprint: job for unit in units for job in unit.all}

    def fresh(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            if unfinished.pop(outcome.job.fingerprint, None) is not None:
                if outcome.error:
                    failed[outcome.job.fingerprint] = outcome.error[1]
                yield outcome

    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(setting, channel))
    try:
        while waiting or running:
            in_the_making = {job.fingerprint for unit in (*waiting, *running.values()) for job in unit.jobs}
            ready = [unit for unit in waiting if not in_the_making & set(unit.needs)]
            for unit in ready[: jobs - len(running)]:
                waiting.remove(unit)
                left, lost = unit.without(failed)
                yield from fresh(lost)
                if left.all:
                    running[pool.submit(_work, left)] = left
            done, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
            yield from fresh(_messages(channel, emit))
            for future in done:
                del running[future]
                yield from fresh(future.result())  # what its messages have not told yet
    except BrokenProcessPool:
        reason = ("ProcessDied", "a worker process died, perhaps killed for memory: try --jobs 1, then run again")
        yield from [Outcome(job, reason) for job in unfinished.values()]
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()  # a training finishes its step and leaves a checkpoint
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        channel.close()


def _messages(channel: Any, emit: Emit) -> Iterator[Outcome]:
    """What the processes have sent by now: events are emitted, outcomes given."""
    while True:
        try:
            message = channel.get_nowait()
        except queue.Empty:
            return
        if isinstance(message, Outcome):
            yield message
        else:
            emit(message)


def _start(setting: Setting, channel: Any) -> None:
    _worker.update(setting=setting, channel=channel)
    begin_worker()


def begin_worker() -> None:
    """What every worker process begins with: it is quiet, and ends when its parent says so, or ends itself."""
    # Ctrl-C on a terminal reaches every process: the parent alone decides, and passes it on as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", DataWarning)  # the parent has read the same data, and said it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # killed: what was under way goes on from its checkpoint


def _work(unit: Unit) -> list[Outcome]:
    setting, channel = _worker["setting"], _worker["channel"]
    if "session" not in _worker:
        _worker["session"] = setting.session()
    outcomes = []
    for outcome in make(unit, _worker["session"], Store(setting.store), setting, channel.put):
        channel.put(outcome)  # at once, so that a finished cell is recorded while the unit goes on
        outcomes.append(outcome)
    return outcomes
