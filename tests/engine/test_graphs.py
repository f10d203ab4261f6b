"""Trainings whose passes are replayed from captured graphs, in places that stay the same: on a CPU, with a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.conftest import trained
from engine.test_cohort import several
from engine.test_every_family import MADE, job_of
from engine.test_language_cohort import jobs_of, made
from xleval.engine import language_adapters, train
from xleval.engine.graphs import Graphs
from xleval.events import Event, Notice
from xleval.jobs import TaskAdapterJob


class Replay:
    """What ``torch.cuda.make_graphed_callables`` makes of a function, without a GPU.

    Inputs are copied to where the graph reads them, unless they lie there; outputs and gradients are in places that the
    next call overwrites. ``error`` is added to what comes out.
    """

    def __init__(self, error: float = 0.0) -> None:
        self.error, self.captured, self.calls = error, 0, 0
        self.largest: dict[Any, Tensor] = {}

    def place(self, name: Any, value: Tensor) -> Tensor:
        """One place for all graphs, as in a pool that they share."""
        flat = self.largest.setdefault((name, value.dtype), torch.empty(2_000_000, dtype=value.dtype))
        return flat[: value.numel()].view_as(value).copy_(value)

    def capture(self, compute: Callable[..., Tensor], places: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        outer = self
        outer.captured += 1

        class Graphed(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *given: Tensor) -> Tensor:
                outer.calls += 1
                for held, one in zip(places, given, strict=True):
                    if held.data_ptr() != one.data_ptr():
                        held.data.copy_(one)
                with torch.enable_grad():
                    ctx.out = compute(*places)
                return outer.place("out", ctx.out.detach() + outer.error)

            @staticmethod
            def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
                trained = [held for held in places if held.requires_grad]
                found = iter(torch.autograd.grad(ctx.out, trained, gradients))
                return tuple(
                    outer.place(number, next(found)) if held.requires_grad else None
                    for number, held in enumerate(places)
                )

        return Graphed.apply  # type: ignore[no-any-return]


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Lets trainings capture with a stand-in, as they do on a GPU."""

    def use(capture: Any) -> None:
        for module in (train, language_adapters):
            monkeypatch.setattr(
                module, "graphs_of", lambda session, encoder, engine, emit: Graphs(encoder, emit, capture)
            )

    return use


def weights(session: Any, folder: Path) -> Tensor:
    session.load_task_adapter(folder)
    parameters = (*session.task_adapter().values(), *session.task_head.parameters())
    return torch.cat([p.detach().flatten() for p in parameters])


def shorter(job: TaskAdapterJob) -> list[TaskAdapterJob]:
    """Long enough that shapes come again, whatever the family's batch."""
    return several(replace(job, hyper={**job.hyper, "steps": 40, "eval_every": 40}))[:2]


def both(
    jobs: Sequence[TaskAdapterJob],
    session: Any,
    folder: Path,
    settings: dict[str, Any],
    replay: Any,
    capture: Any,
    emit: Any,
) -> None:
    """Trains with and without, and compares."""
    plain = trained(jobs, session, folder / "plain", settings)
    replay(capture)
    graphed = trained(jobs, session, folder / "graphed", settings, emit)
    for index, (one, other) in enumerate(zip(plain, graphed, strict=True)):
        assert one.best_step == other.best_step
        assert [score for _, score in one.history] == pytest.approx([score for _, score in other.history])
        a, b = (weights(session, folder / name / str(index)) for name in ("plain", "graphed"))
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", MADE)
def test_equal(
    family: str, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, replay: Any
) -> None:
    stand_in, events = Replay(), list[Event]()
    both(shorter(job_of(family, job)), session, tmp_path, settings, replay, stand_in.capture, events.append)
    assert stand_in.captured and stand_in.calls > 2 * stand_in.captured
    assert not any(isinstance(event, Notice) and "graphs" in event.text for event in events)


@pytest.mark.parametrize("slots", [1, 2])
def test_several_passes_a_step(
    slots: int, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, replay: Any
) -> None:
    stand_in, small = Replay(), {**settings, "token_budget": 60}
    both(shorter(job)[:slots], session, tmp_path, small, replay, stand_in.capture, lambda event: None)
    assert stand_in.calls > 2 * stand_in.captured > 0


def test_language_adapters(backbone: Any, session: Any, settings: dict[str, Any], tmp_path: Path, replay: Any) -> None:
    jobs = jobs_of()
    plain = made(jobs, session, tmp_path / "plain", settings)
    stand_in = Replay()
    replay(stand_in.capture)
    graphed = made(jobs, session, tmp_path / "graphed", settings)
    assert stand_in.calls > 2 * stand_in.captured > 0
    for job in jobs:
        assert graphed[job.language].perplexity == pytest.approx(plain[job.language].perplexity, rel=1e-5)


@pytest.mark.parametrize("what", ["raises", "lies"])
def test_a_graph_that_is_wrong_is_not_used(
    what: str, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, replay: Any
) -> None:
    def raises(compute: Any, places: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    events: list[Event] = []
    capture = raises if what == "raises" else Replay(error=0.01).capture
    both(several(job)[:2], session, tmp_path, settings, replay, capture, events.append)
    (said,) = [event.text for event in events if isinstance(event, Notice)]
    assert said.startswith("CUDA graphs are off: ")
    assert said.endswith("stream is capturing") if what == "raises" else "differ from the encoder's by" in said


def test_what_lies_under_a_task_adapter_is_not_overwritten(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Two language adapters take turns; were one copied over the other, the session's next training would differ."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in = Replay()
        patch.setattr(
            train, "graphs_of", lambda session, encoder, engine, emit: Graphs(encoder, emit, stand_in.capture)
        )
        trained([job], session, tmp_path / "graphed", settings)
        assert stand_in.captured
    trained([job], session, tmp_path / "plain", settings)
    a, b = (weights(session, tmp_path / name / "0") for name in ("plain", "graphed"))
    assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
