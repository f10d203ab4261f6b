"""On a GPU: the same weights and predictions as on a CPU, side by side as alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conftest import trained
from engine.test_cohort import several
from engine.test_every_family import MADE, job_of
from engine.test_language_cohort import jobs_of, made
from xleval.engine.session import Session
from xleval.events import Event, Notice
from xleval.jobs import TaskAdapterJob

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def weights(session: Session, folder: Path) -> torch.Tensor:
    session.load_task_adapter(folder)
    parameters = (*session.task_adapter().values(), *session.task_head.parameters())
    return torch.cat([p.detach().cpu().flatten() for p in parameters])


@pytest.mark.parametrize("family", MADE)
def test_as_on_a_cpu(
    family: str, job: TaskAdapterJob, still_backbone: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs = several(job_of(family, job))
    sessions = {name: Session(still_backbone, name, "fp32") for name in ("cpu", "cuda")}
    found = {name: trained(jobs, session, tmp_path / name, settings) for name, session in sessions.items()}
    for index in range(len(jobs)):
        one, other = (weights(session, tmp_path / name / str(index)) for name, session in sessions.items())
        assert torch.isclose(one, other, rtol=1e-3, atol=1e-3).float().mean() > 0.98
    scores = [[one.best_score for one in found[name]] for name in sessions]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", MADE)
def test_side_by_side_as_alone(
    precision: str, family: str, job: TaskAdapterJob, backbone: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs, session = several(job_of(family, job)), Session(backbone, "cuda", precision)
    together = trained(jobs, session, tmp_path / "together", settings)
    for index, one in enumerate(jobs):
        (alone,) = trained([one], session, tmp_path / f"alone{index}", settings)
        assert alone.best_score == pytest.approx(together[index].best_score, abs=0.1)
        a, b = weights(session, tmp_path / "together" / str(index)), weights(session, tmp_path / f"alone{index}" / "0")
        near = {"rtol": 1e-4, "atol": 1e-4} if precision == "fp32" else {"rtol": 0.1, "atol": 0.02}
        assert torch.isclose(a, b, **near).float().mean() > 0.98


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_language_adapters(precision: str, backbone: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    jobs, session = jobs_of(), Session(backbone, "cuda", precision)
    together = made(jobs, session, tmp_path / "together", settings)
    for job in jobs:
        alone = made([job], session, tmp_path / "alone", settings)[job.language]
        assert alone.perplexity == pytest.approx(together[job.language].perplexity, rel=0.02)
        assert alone.perplexity < alone.perplexity_before


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", MADE)
def test_graphs(
    precision: str, family: str, job: TaskAdapterJob, backbone: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    longer = job_of(family, job)
    jobs = several(replace(longer, hyper={**longer.hyper, "steps": 40, "eval_every": 40}))
    session, notices = Session(backbone, "cuda", precision), list[Event]()
    plain = trained(jobs, session, tmp_path / "plain", settings)
    graphed = trained(jobs, session, tmp_path / "graphed", {**settings, "cuda_graphs": "on"}, notices.append)
    assert not any(isinstance(event, Notice) for event in notices)
    near = {"rtol": 1e-4, "atol": 1e-4} if precision == "fp32" else {"rtol": 0.1, "atol": 0.02}
    for index, (one, other) in enumerate(zip(plain, graphed, strict=True)):
        assert one.best_score == pytest.approx(other.best_score, abs=0.1)
        a, b = (weights(session, tmp_path / name / str(index)) for name in ("plain", "graphed"))
        assert torch.isclose(a, b, **near).float().mean() > 0.98


def test_graphs_of_language_adapters(backbone: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    jobs, session = jobs_of(), Session(backbone, "cuda", "fp32")
    plain = made(jobs, session, tmp_path / "plain", settings)
    graphed = made(jobs, session, tmp_path / "graphed", {**settings, "cuda_graphs": "on"})
    for job in jobs:
        assert graphed[job.language].perplexity == pytest.approx(plain[job.language].perplexity, rel=1e-3)
