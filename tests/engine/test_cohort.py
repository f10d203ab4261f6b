"""Side by side or one by one: the same weights, selection and predictions, dropout included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conftest import ToyData, trained
from engine.test_every_family import MADE, job_of
from xleval.engine.loop import Trained, TrainingFailedError
from xleval.engine.make import make_predictions, make_task_adapters
from xleval.engine.train import cohorts, train
from xleval.events import Event, Notice, WorkProgress
from xleval.hyperparameters import DEV_OPTIONS
from xleval.jobs import PredictionJob, TaskAdapterJob
from xleval.predictions import PREDICTIONS, read_predictions
from xleval.store import Store

#: fp32 sums in another order.
TOLERANCE = 1e-5

#: Learning rate.
RATE = 1e-3


def several(job: TaskAdapterJob) -> list[TaskAdapterJob]:
    """Seeds and strategies over one source data set: a cycle of two, of one, and the other way round."""
    one, two = job.cycle
    kinds = [((one, two), one), ((two,), one), ((two, one), two)]
    return [
        replace(job, fingerprint=f"{seed}{number}" * 32, seed=seed, cycle=cycle, dev_module=dev)
        for seed in (3, 4)
        for number, (cycle, dev) in enumerate(kinds)
    ]


def weights(session: Any, folder: Path) -> list[torch.Tensor]:
    session.load_task_adapter(folder)
    return [p.detach().clone() for p in (*session.task_adapter().values(), *session.task_head.parameters())]


def close(one: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    """Equal but for rounding, which AdamW makes a step of where a gradient is nothing else (a bias under softmax)."""
    a, b = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (one, other))
    assert torch.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE).float().mean() > 0.99
    assert (a - b).abs().max() < 5 * RATE


@pytest.mark.parametrize("family", MADE)
def test_a_cohort_is_what_its_members_are_alone(
    family: str, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    hyper = {**job_of(family, job).hyper, "lr": RATE, "steps": 50, "eval_every": 10}
    jobs = several(replace(job_of(family, job), hyper=hyper))
    assert len(cohorts(jobs, session, Store(tmp_path / "none"))) == 1
    together = trained(jobs, session, tmp_path / "together", settings)
    alone = [trained([one], session, tmp_path / f"alone{i}", settings)[0] for i, one in enumerate(jobs)]
    for index, (mine, theirs) in enumerate(zip(together, alone, strict=True)):
        assert mine.best_step == theirs.best_step
        assert [score for _, score in mine.history] == pytest.approx([score for _, score in theirs.history], abs=1e-6)
        close(weights(session, tmp_path / "together" / str(index)), weights(session, tmp_path / f"alone{index}" / "0"))
    first, second = (weights(session, tmp_path / "together" / name) for name in "01")
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("family", MADE)
def test_predictions_made_at_once_are_those_of_each(
    family: str, job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs = several(job_of(family, job))
    test = ToyData(f"test-{family}", MADE[family][0](3, 50))
    targets = [
        PredictionJob(f"{number}{index}" * 32, one.task, one, module, test, DEV_OPTIONS)  # type: ignore[arg-type]
        for number, one in enumerate(jobs)
        for index, module in enumerate((*one.cycle, None))
    ]
    # A task adapter twice, on two modules, beside one that stands on none: as many slots as task adapters.
    twice = [targets[0], targets[1], targets[4]]
    found = []
    for name, parts in (
        ("at-once", [targets]), ("each", [[target] for target in targets]), ("twice", [twice, targets]),
    ):  # fmt: skip
        store = Store(tmp_path / name)
        assert all(error is None for _, error in make_task_adapters(jobs, session, store, settings))
        for part in parts:
            assert [error for _, error in make_predictions(part, session, store, settings)] == [None] * len(part)
        lines = [list(read_predictions(store.open(t.kind, t.fingerprint) / PREDICTIONS)) for t in targets]
        found.append(lines)
    assert all(len(lines) == 50 for lines in found[0])
    for others in found[1:]:
        same = [a == b for one, other in zip(found[0], others, strict=True) for a, b in zip(one, other, strict=True)]
        assert sum(same) >= 0.999 * len(same)  # rounding may tip a decision
    assert len({str(lines) for lines in found[0]}) > 1


def test_a_member_that_fails_leaves_the_others_as_they_are(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xleval.engine.slots import Slots

    jobs = several(job)
    expected = trained(jobs, session, tmp_path / "whole", settings)
    original = Slots._losses

    def poisoned(self: Slots, *given: Any) -> Any:
        for index, loss in enumerate(original(self, *given)):
            yield loss * float("nan") if index == 1 and given[-1][0] == 4 else loss

    monkeypatch.setattr(Slots, "_losses", poisoned)
    store = Store(tmp_path / "store")
    results = {done.job: done.trained for done in train(jobs, session, store, settings)}
    failed = results[jobs[1]]
    assert isinstance(failed, TrainingFailedError)
    assert str(failed).startswith("loss is nan at step 4 of 16, on LA(swa)")
    for one, whole in zip(jobs, expected, strict=True):
        mine = results[one]
        if one is not jobs[1]:
            assert isinstance(mine, Trained) and mine.history == whole.history


def test_what_was_begun_together_is_ended_in_other_company(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs = several(job)
    whole = trained(jobs, session, tmp_path / "whole", settings)

    class StoppedError(Exception):
        pass

    def stop(event: Event) -> None:
        if isinstance(event, WorkProgress) and event.done >= 9:
            raise StoppedError

    with pytest.raises(StoppedError):
        trained(jobs, session, tmp_path / "ended", {**settings, "checkpoint_seconds": 0}, stop)
    (tmp_path / "ended/store/partial" / jobs[2].fingerprint / "current.json").unlink()  # as if killed before it
    groups = cohorts(jobs, session, Store(tmp_path / "ended/store"))
    assert sorted(map(len, groups)) == [1, 5]
    first = trained(jobs[:3], session, tmp_path / "ended", settings)
    for index in range(3):
        close(weights(session, tmp_path / "whole" / str(index)), weights(session, tmp_path / "ended" / str(index)))
    rest = trained(jobs[3:], session, tmp_path / "ended", settings)
    assert [one.best_step for one in (*first, *rest)] == [one.best_step for one in whole]


def test_patience_is_each_ones_own(job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    jobs = several(replace(job, hyper={**job.hyper, "patience": 2, "eval_every": 1}))
    together = trained(jobs, session, tmp_path / "together", settings)
    alone = [trained([one], session, tmp_path / f"alone{i}", settings)[0] for i, one in enumerate(jobs)]
    assert [one.steps for one in together] == [one.steps for one in alone]
    assert len({one.steps for one in together}) > 1


def test_little_room_takes_fewer_at_once(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    """The cut of one's own batch is what dropout depends on: with room for one at a time nothing else changes."""
    jobs = several(job)
    wide = trained(jobs, session, tmp_path / "wide", {**settings, "token_budget": 4096})
    notices: list[str] = []
    from xleval.engine.encoder import Encoder, Inputs

    original, sizes = Encoder.__call__, set[int]()

    def small(self: Encoder, inputs: Inputs, *given: Any, **more: Any) -> torch.Tensor:
        if torch.is_grad_enabled() and inputs.ids.numel() > 600:
            raise torch.OutOfMemoryError("made up")
        if torch.is_grad_enabled():
            sizes.add(len(inputs.ids))
        return original(self, inputs, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "__call__", small)
        narrow = trained(
            jobs, session, tmp_path / "narrow", settings,
            lambda event: notices.append(event.text) if isinstance(event, Notice) else None,
        )  # fmt: skip
    assert any("token budget halved" in text for text in notices)
    assert min(sizes) < len(jobs)
    assert [one.best_step for one in wide] == [one.best_step for one in narrow]
    for index in range(len(jobs)):
        close(weights(session, tmp_path / "wide" / str(index)), weights(session, tmp_path / "narrow" / str(index)))
