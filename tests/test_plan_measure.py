"""``xleval plan --measure``: how long a run will take, before anything was trained."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from xleval.events import WorkProgress, WorkStarted
from xleval.executors import trial
from xleval.executors.local import Unit
from xleval.executors.trial import Trial
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.jobs import TaskAdapterJob
from xleval.plan import Plan, plan
from xleval.report import cost
from xleval.report.graph import as_dict
from xleval.tasks.texts import Text

#: Language adapters in units of two and one, task adapters over them in units of two and one, and predictions.
SMALL = [
    "plan", "--strategy", "madx", "--task", "demo-nli", "--backbone", "demo", "--language", "qab,qac",
    "--seeds", "3", "--jobs", "2", "--limit", "96", "--set", "la.steps=4", "--set", "la.chunk=16",
    "--set", "train.steps=6", "--measure",
]  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.fixture(scope="module")
def measured(shared_cli: Cli) -> dict[str, Any]:
    places = shared_cli.folder.parent
    (places / "temporary").mkdir()
    found: dict[str, Any] = json.loads(shared_cli(*SMALL, "--json", TMPDIR=str(places / "temporary")).stdout)
    return found


def graph(host: Host, place: Path, **options: Any) -> Plan:
    asked = {"strategies": ["la-none-tr"], "tasks": ["demo-nli"], "backbone": "demo", "languages": ["qab"], "jobs": 2}
    return plan(make_experiment({**asked, "store": place / "store", "out": place / "out", **options}), host)


# A measurement, whole


@pytest.mark.slow
def test_an_empty_store_has_an_estimate(measured: dict[str, Any]) -> None:
    assert measured["cost"]["processes"] == 2
    assert 1 < measured["cost"]["seconds"] < 600
    assert measured["not_measured"] == {}
    assert measured["counts"]["task_adapter"] == {"total": 3, "missing": 3}


@pytest.mark.slow
def test_rates_are_of_the_cohorts_that_a_run_would_have(measured: dict[str, Any]) -> None:
    sizes = {(rate["kind"], rate["cohort"]) for rate in measured["measured"]}
    kinds = ("language_adapter", "task_adapter", "prediction")
    assert sizes == {(kind, size) for kind in kinds for size in (1, 2)}
    assert all(0 < rate["seconds"] < 30 for rate in measured["measured"])


@pytest.mark.slow
def test_nothing_is_left(measured: dict[str, Any], shared_cli: Cli) -> None:
    places = shared_cli.folder.parent
    assert not list((places / "store").rglob("manifest.json"))
    assert not list((places / "temporary").glob("xleval-*"))
    assert not list(shared_cli.folder.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_nothing_either(cli: Cli, tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "xleval", *SMALL]
    environment = {**cli.environment, "TMPDIR": str(temporary)}
    process = subprocess.Popen(command, cwd=cli.folder, env=environment, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(temporary.glob("xleval-*")) and time.monotonic() < until:
        time.sleep(0.1)
    assert list(temporary.glob("xleval-*")), "the measurement never began"
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert not list(temporary.glob("xleval-*"))
    assert not list((tmp_path / "store").rglob("manifest.json"))


def test_without_the_option_nothing_heavy_is_imported(cli: Cli) -> None:
    script = (
        "import sys\nfrom xleval.cli import main\nsys.argv = ['xleval', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert not {'torch', 'transformers', 'adapters'} & set(sys.modules)"
    )
    asked = [part for part in SMALL if part != "--measure"]
    done = subprocess.run(
        [sys.executable, "-c", script, *asked], env=cli.environment, cwd=cli.folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# What is measured


def dealt(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be measured: filled when :func:`cost.measure` is called, which then has no estimates."""
    items: list[Any] = []

    def in_processes(given: list[Any], *rest: Any) -> tuple[list[Any], float]:
        items.extend(given)
        return [], 0.0

    monkeypatch.setattr(trial, "_in_processes", in_processes)
    return items


def silent(done: int, total: int) -> None:
    pass


def test_units_that_are_alike_are_measured_once(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = dealt(monkeypatch)
    cost.measure(graph(host, tmp_path, seeds=[1, 2, 3, 4, 5, 6], jobs=3), silent)
    assert [[len(unit.jobs) for unit in item.units] for item in items] == [[2, 2, 2]]
    items.clear()
    cost.measure(graph(host, tmp_path, seeds=[1, 2, 3, 4, 5], jobs=2), silent)
    assert [[len(unit.jobs) for unit in item.units] for item in items] == [[3], [2]]


def test_what_is_not_here_is_named_and_not_measured(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path / "cache"))
    items = dealt(monkeypatch)
    made = graph(host, tmp_path, tasks=["demo-nli", "xnli"], languages=["qab", "swa"], seeds=[1])
    found = cost.measure(made, silent)
    assert {job.task.name for item in items for unit in item.units for job in unit.jobs} == {"demo-nli"}
    assert any("eng train" in what for what in found.not_measured)
    assert all("not in the cache" in why or "fetch" in why for why in found.not_measured.values())
    assert as_dict(made, found)["cost"]["seconds"] is None
    assert as_dict(made, found)["not_measured"] == dict(found.not_measured)


def test_a_backbone_that_is_not_here_is_named(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path / "cache"))
    items = dealt(monkeypatch)
    found = cost.measure(graph(host, tmp_path, backbone="mbert", seeds=[1]), silent)
    assert list(found.not_measured) == ["backbone mbert"]
    assert not items


# What is made of it


def test_what_was_measured_now_goes_before_the_store(host: Host, tmp_path: Path) -> None:
    made = graph(host, tmp_path, seeds=[1], jobs=1, set={"train.steps": 10})
    about = {
        "backbone": made.scope.backbone.identity, "family": "sequence-classification", "adapter": "bottleneck",
        "task": "demo-nli",
    }  # fmt: skip
    with made.store.create("task_adapter", "a" * 64, {**about, "seconds": 50.0, "steps": 10}):
        pass
    with made.store.create("prediction", "b" * 64, {**about, "language": "qab", "seconds": 7.0}):
        pass
    (adapter,), predictions = made.of_kind("task_adapter"), made.of_kind("prediction")
    assert cost.cost(made)["seconds"] == 50 + 7 * len(predictions)
    found = Trial(seconds={adapter.fingerprint: 20.0}, start=3.0)
    assert cost.cost(made, found)["seconds"] == 3 + 20 + 7 * len(predictions)


def units(host: Host, tmp_path: Path, count: int) -> list[Unit]:
    made = graph(host, tmp_path, seeds=list(range(count)))
    return [Unit((job,)) for job in made.of_kind("task_adapter") if isinstance(job, TaskAdapterJob)]


@pytest.mark.parametrize(("seconds", "processes", "expected"), [
    ([3.0, 2.0, 2.0], 1, 7.0), ([3.0, 2.0, 2.0], 2, 4.0), ([1.0, 1.0, 9.0], 2, 10.0), ([5.0], 4, 5.0), ([], 2, 0.0),
])  # fmt: skip
def test_processes_take_one_unit_after_the_other(
    seconds: list[float], processes: int, expected: float, host: Host, tmp_path: Path
) -> None:
    some = units(host, tmp_path, len(seconds)) if seconds else []
    known = {unit.jobs[0].fingerprint: one for unit, one in zip(some, seconds, strict=True)}
    assert cost._together(some, known, processes) == expected


def test_a_unit_waits_for_what_it_stands_on(host: Host, tmp_path: Path) -> None:
    made = graph(host, tmp_path, strategies=["la-source"], seeds=[1])
    (module,), (adapter,) = made.of_kind("language_adapter"), made.of_kind("task_adapter")
    some: list[Any] = [Unit((module,)), Unit((adapter,))]  # type: ignore[arg-type]
    assert cost._together(some, {module.fingerprint: 5.0, adapter.fingerprint: 2.0}, 2) == 7.0


# How it is timed


class Clock:
    """Time that passes only when :meth:`wait` is called."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


Timing = Callable[[int, float], tuple[Any, list[int]]]


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Timing:
    """Times ``count`` trainings of which each step takes so long; the times, and the sizes of all cohorts tried."""
    from xleval.engine import timing
    from xleval.store import Store

    clock, tried = Clock(), list[int]()
    monkeypatch.setattr(timing, "time", clock)

    def run(count: int, step: float) -> tuple[Any, list[int]]:
        def make_jobs(copies: Sequence[Any], session: Any, store: Any, engine: Any, emit: Any) -> list[Any]:
            tried.append(len(copies))
            clock.wait(1.0)  # to load and to tokenise
            emit(WorkStarted("x", "x", copies[0].steps))
            clock.wait(step * copies[0].steps * len(copies))
            emit(WorkProgress("x", copies[0].steps, {"loss": 1.0}))
            clock.wait(0.5 * len(copies))
            emit(WorkProgress("x", copies[0].steps, {"dev": 1.0}))
            return []

        monkeypatch.setattr(timing, "make_jobs", make_jobs)
        watch = timing.Stopwatch(None, Store(tmp_path), {}, {}, clock.monotonic)  # type: ignore[arg-type]
        copies, times = watch.training(list(range(count)), lambda job, steps: Copy(steps), 20, 30.0)
        assert len(copies) == tried[-1]
        return times, tried

    return run


class Copy:
    kind, fingerprint = "task_adapter", "f" * 64

    def __init__(self, steps: int) -> None:
        self.steps = steps


def test_a_training_is_timed_in_its_company_and_from_its_first_step(timing: Timing) -> None:
    times, tried = timing(6, 0.01)
    assert tried == [1, 4, 6, 6]  # what warms up, and what is timed
    assert times.step == pytest.approx(0.01)
    assert times.evaluation == pytest.approx(0.5)
    assert times.besides == pytest.approx(1 / 6)


def test_what_is_too_slow_side_by_side_is_timed_in_smaller_company(timing: Timing) -> None:
    times, tried = timing(6, 10.0)
    assert tried == [1]
    assert times.step == pytest.approx(10.0)


def test_a_long_text_is_measured_by_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xleval.engine import estimate
    from xleval.engine.text import cut

    class Tokenizer:
        def __call__(self, lines: list[str], **options: Any) -> dict[str, list[list[int]]]:
            self.seen += len(lines)
            return {"input_ids": [[1] * (len(line.split()) + 2) for line in lines]}

        seen = 0

    lines = ["w " * (3 + number % 5) for number in range(5000)]
    (tmp_path / "x.txt").write_text("\n".join(lines))
    text = Text("qab", "f", "here", (tmp_path / "x.txt",))
    monkeypatch.setattr(estimate, "_CHARACTERS", 5000)
    tokenizer = Tokenizer()
    found = estimate._size(text, tokenizer, {"chunk": 16}, time.monotonic)
    assert tokenizer.seen < 1000
    assert math.isclose(found.chunks, len(cut(text.lines(), tokenizer, 16)), rel_tol=0.02)
    some = estimate._size(text, tokenizer, {"chunk": 16, "lines": 100}, time.monotonic)
    assert math.isclose(some.chunks, len(cut(text.lines()[:100], tokenizer, 16)), rel_tol=0.02)
