"""The adapters library is the reference: its plain ``Stack`` and the engine train to the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.conftest import trained
from xleval.engine.bank import Standing
from xleval.engine.batching import bucketed, epoch_batches
from xleval.jobs import TaskAdapterJob
from xleval.tasks.family import family_of

#: fp32 sums in another order: the engine may cut a batch into passes, the reference never does.
TOLERANCE = 1e-5


def trained_by_engine(job: TaskAdapterJob, session: Any, folder: Path, settings: dict[str, Any]) -> Path:
    trained([job], session, folder, settings)
    return folder / "0"


def trained_by_library(job: TaskAdapterJob, backbone: Any) -> Any:
    """The same training as a user of the library writes it: every LA loaded, ``Stack`` set at each step."""
    import adapters.composition as ac
    from adapters import AutoAdapterModel, SeqBnConfig
    from transformers import AutoTokenizer, get_linear_schedule_with_warmup

    tokenizer = AutoTokenizer.from_pretrained(backbone.path())
    model = AutoAdapterModel.from_pretrained(backbone.path())
    last = [model.config.num_hidden_layers - 1] if job.drop_last else []
    names = [
        model.load_adapter(str(a.folder), load_as=a.language, leave_out=list(last), use_safetensors=True)
        for a in job.cycle
        if a is not None
    ]
    family, labels = family_of(job.task.family), job.task.labels
    torch.manual_seed(job.seed)
    model.add_adapter("task", config=SeqBnConfig(reduction_factor=16, non_linearity="relu", leave_out=list(last)))
    family.add_head(model, "task", labels, job.hyper)
    model.train_adapter("task")
    parameters = [p for p in model.parameters() if p.requires_grad]
    assert not any(p.requires_grad for n, p in model.named_parameters() if any(f".{name}." in n for name in names))
    features = bucketed(family.features(job.train.rows(labels, {}), tokenizer, job.hyper), 8)
    batches = [b for e in range(job.hyper["epochs"]) for b in epoch_batches(features.shapes, 8, job.seed, e)]
    optimiser = torch.optim.AdamW(parameters, lr=job.hyper["lr"], weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimiser, 0, len(batches))
    model.train()
    torch.manual_seed(job.seed)
    for step, indices in enumerate(batches):
        model.active_adapters = ac.Stack(names[step % len(names)], "task")
        inputs = features.inputs(indices, tokenizer.pad_token_id)
        inputs |= family.gold(features, indices, inputs["input_ids"].shape[1])
        batch = {k: torch.as_tensor(v) for k, v in inputs.items()}
        model(**batch, head="task").loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    return model


@pytest.mark.parametrize("kind", ["job", "tagging"])
def test_equal_weights(
    kind: str, request: pytest.FixtureRequest, still_session: Any, still_backbone: Any, settings: dict[str, Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    session, backbone = still_session, still_backbone
    given: TaskAdapterJob = request.getfixturevalue(kind)
    job = replace(given, hyper={**given.hyper, "select": "last"})
    out = trained_by_engine(job, session, tmp_path, settings)
    reference = trained_by_library(job, backbone)
    reference.load_adapter(str(out), load_as="engine", use_safetensors=True)
    weights = dict(reference.named_parameters())
    compared = 0
    for name, mine in weights.items():
        if ".engine." in name:
            theirs = weights[name.replace(".engine.", ".task.")]
            assert torch.allclose(mine, theirs, rtol=TOLERANCE, atol=TOLERANCE), name
            compared += 1
    assert compared >= 6  # down and up projections with biases, and the head
    start = dict(session.model.named_parameters())
    assert not any(p.requires_grad for n, p in start.items() if ".task." not in n)


def test_training_changes_nothing_but_task_adapter_and_head(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    before = {n: p.detach().clone() for n, p in session.model.named_parameters()}
    trained_by_engine(job, session, tmp_path, settings)
    for name, parameter in session.model.named_parameters():
        if name in before:
            assert torch.equal(parameter, before[name]), name


def test_stored_adapter_gives_the_same_logits_in_the_plain_library(
    job: TaskAdapterJob, session: Any, backbone: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    import adapters.composition as ac
    from adapters import AutoAdapterModel

    from xleval.engine.forward import forward

    out = trained_by_engine(job, session, tmp_path, settings)
    session.load_task_adapter(out)
    session.stand_on(Standing((job.cycle[1].folder,)), job.drop_last)
    _, features = session.encoded(job.task, job.dev, job.hyper)
    with torch.no_grad():
        mine, _ = forward(session, family_of(job.task.family), features, np.arange(len(features)))
    model = AutoAdapterModel.from_pretrained(backbone.path())
    language = model.load_adapter(str(job.cycle[1].folder), leave_out=[1], use_safetensors=True)
    task = model.load_adapter(str(out), use_safetensors=True)
    model.active_adapters = ac.Stack(language, task)
    model.eval()
    for index in range(len(features)):
        batch = {k: torch.as_tensor(v) for k, v in features.inputs(np.array([index]), 0).items()}
        with torch.no_grad():
            theirs = model(**batch).logits[0].numpy()
        assert mine[index].numpy() == pytest.approx(theirs, abs=1e-5)


def test_token_budget_does_not_change_the_result(
    job: TaskAdapterJob, still_session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    # Without dropout the number of passes a step takes must not matter beyond rounding.
    session = still_session
    weights = []
    for name, budget in (("whole", 4096), ("cut", 60)):
        trained_by_engine(
            replace(job, hyper={**job.hyper, "select": "last"}),
            session,
            tmp_path / name,
            {**settings, "token_budget": budget},
        )
        weights.append([p.detach().clone() for p in session.trainable().values() if p.requires_grad])
    for whole, cut in zip(*weights, strict=True):
        assert torch.allclose(whole, cut, atol=1e-4)
