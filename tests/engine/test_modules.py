"""Language modules in turn, what is frozen, and the ways of released code that are options."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.conftest import ToyText, trained
from engine.test_mlm import alphabet_text
from xleval.engine.bank import Standing
from xleval.engine.loop import TrainingFailedError
from xleval.engine.mlm import train_fusion, train_language_adapter, tune_backbone
from xleval.engine.text import Stream, Turns
from xleval.errors import UserError
from xleval.events import WorkProgress
from xleval.hyperparameters import merged, of_module
from xleval.jobs import BackboneJob, FusionJob, LanguageAdapterJob, TaskAdapterJob
from xleval.recipe import BA, LA, MA, Fusion, Tuned

SMALL = {"la.chunk": 16, "la.seed": 1, "tune.chunk": 16, "tune.batch": 4}
SMALL |= {f"{kind}.{key}": value for kind in ("ba", "ma", "fusion") for key, value in
          {"steps": 6, "batch": 4, "lr": 1e-2, "eval_every": 2}.items()}  # fmt: skip


def texts(*codes: str) -> tuple[Any, ...]:
    return tuple(ToyText(code, code, alphabet_text(seed, 120), code) for seed, code in enumerate(codes, start=1))


def numbered(first: int, count: int) -> Stream:
    """Batches of one chunk; a chunk is its number."""
    return Stream(np.arange(first, first + count)[:, None], np.zeros((1, 1), dtype=np.int64), batch=1, seed=0)


@pytest.mark.parametrize(
    ("order", "expected"),
    [([0], "aaaaaa"), ([0, 1], "ababab"), ([0, 0, 1], "aabaab"), ([0, 1, 1], "abbabb"), ([0, 1, 2], "abcabc")],
)
def test_languages_take_turns_by_optimiser_step(order: list[int], expected: str) -> None:
    turns = Turns([numbered(0, 4), numbered(10, 4), numbered(20, 4)], order)
    taken = [int(turns.at(step)[0, 0]) for step in range(6)]
    assert "".join("abc"[number // 10] for number in taken) == expected
    for first in {number // 10 * 10 for number in taken}:
        mine = [number for number in taken if number // 10 * 10 == first]
        assert len(set(mine[:4])) == min(len(mine), 4)  # its own epoch: every chunk once before any again


def test_a_step_depends_on_its_number_alone() -> None:
    turns = Turns([numbered(0, 3), numbered(10, 5)], [0, 0, 1])
    forward = [int(turns.at(step)[0, 0]) for step in range(40)]
    assert [int(turns.at(step)[0, 0]) for step in reversed(range(40))] == forward[::-1]
    assert Counter(number // 10 for number in forward[:30]) == {0: 20, 1: 10}


@pytest.mark.parametrize("module", [BA("eng", "swa", "2:1"), MA(["eng", "swa", "yor"])], ids=str)
def test_adapters_of_several_languages_resume_where_they_stood(
    module: Any, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    hyper = of_module(merged(SMALL), module.kind)
    job = LanguageAdapterJob("a" * 64, module, hyper, texts(*module.languages))
    always = {**settings, "checkpoint_seconds": 0}
    train_language_adapter(job, session, tmp_path / "p1", tmp_path / "whole", settings)

    def stop(event: Any) -> None:
        if isinstance(event, WorkProgress) and event.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_language_adapter(job, session, tmp_path / "p2", tmp_path / "resumed", always, stop)
    train_language_adapter(job, session, tmp_path / "p2", tmp_path / "resumed", always)
    whole, resumed = ((tmp_path / n / "adapter.safetensors").read_bytes() for n in ("whole", "resumed"))
    assert whole == resumed


def test_a_bilingual_adapter_is_selected_on_the_target(session: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    both = texts("eng", "swa")
    hyper = of_module(merged(SMALL), "ba")
    of_pair = train_language_adapter(
        LanguageAdapterJob("a" * 64, BA("eng", "swa"), hyper, both), session, tmp_path / "p", tmp_path / "o", settings
    )
    (tmp_path / "p2").mkdir()
    target_first = train_language_adapter(
        LanguageAdapterJob("b" * 64, BA("swa", "eng"), hyper, both[::-1]), session, tmp_path / "p2", tmp_path / "o2",
        settings,
    )  # fmt: skip
    # Before training nothing differs but the text that is held out for selection.
    assert of_pair.perplexity_before != target_first.perplexity_before
    alone = of_module(merged({**SMALL, "la.steps": 1}), "la")
    of_target = train_language_adapter(
        LanguageAdapterJob("c" * 64, LA("swa"), {**alone, "invertible": 0}, both[1:]), session, tmp_path / "p3",
        tmp_path / "o3", settings,
    )  # fmt: skip
    assert of_pair.perplexity_before == pytest.approx(of_target.perplexity_before, rel=1e-3)


def test_a_fusion_layer_alone_is_trained(
    language_adapters: dict[str, Path], session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    parts = tuple(LanguageAdapterJob(c * 20, LA(c), {}, (), folder) for c, folder in language_adapters.items())
    module = Fusion([LA("eng"), LA("swa")], trained=True)
    hyper = of_module(merged(SMALL), "fusion")
    job = FusionJob("f" * 64, module, parts, hyper, texts("eng", "swa"))
    before = {folder: (folder / "adapter.safetensors").read_bytes() for folder in language_adapters.values()}
    result = train_fusion(job, list(before), session, tmp_path / "p", tmp_path / "out", settings)
    assert result is not None and result.perplexity < result.perplexity_before
    untrained = replace(job, module=replace(module, trained=False), texts=())
    assert train_fusion(untrained, list(before), session, tmp_path / "p", tmp_path / "raw", settings) is None
    from safetensors.torch import load_file

    trained, raw = (load_file(tmp_path / n / "model_adapter_fusion.safetensors") for n in ("out", "raw"))
    assert set(trained) == set(raw) and all("adapter_fusion_layer.eng,swa" in name for name in trained)
    assert any(not torch.equal(trained[name], raw[name]) for name in trained)
    assert {folder: (folder / "adapter.safetensors").read_bytes() for folder in before} == before


def test_a_tuned_backbone_predicts_and_the_next_one_does_not(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    hyper = {**of_module(merged(SMALL), "tune"), "steps": 3, "lr": 1e-2}
    tuned = BackboneJob("t" * 64, Tuned("swa", 3), hyper, texts("swa")[0])
    tune_backbone(tuned, session, tmp_path / "p", tmp_path / "tuned", settings)
    own = {name: p.detach().clone() for name, p in session.encoder_parameters().items()}
    session.encode_with(tmp_path / "tuned")
    changed = [name for name, p in session.encoder_parameters().items() if not torch.equal(p, own[name])]
    assert any("word_embeddings" in name for name in changed) and any("attention" in name for name in changed)
    assert not any("pooler" in name for name in changed)  # MLM has none; the backbone's own stays
    session.encode_with(None)
    assert all(torch.equal(p, own[name]) for name, p in session.encoder_parameters().items())


def test_full_fine_tuning_leaves_the_backbone_to_the_next(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    full = replace(job, adapter="full", cycle=(None,), dev_module=None, drop_last=False)
    own = {name: p.detach().clone() for name, p in session.encoder_parameters().items()}
    trained([full], session, tmp_path / "full", settings)
    assert not all(torch.equal(p, own[name]) for name, p in session.encoder_parameters().items())
    fine_tuned = {name: p.detach().clone() for name, p in session.encoder_parameters().items()}
    trained([replace(job, fingerprint="9" * 64)], session, tmp_path / "adapter", settings)
    assert all(torch.equal(p, own[name]) for name, p in session.encoder_parameters().items())
    session.load_task_adapter(tmp_path / "full" / "0")
    assert all(torch.equal(p, fine_tuned[name]) for name, p in session.encoder_parameters().items())


def test_what_would_train_besides_is_noticed(job: TaskAdapterJob, session: Any, settings: dict[str, Any]) -> None:
    session.new_task_adapter(job.hyper, "bottleneck", False, 1)
    parameters = session.trainable()
    session.check_frozen(parameters.values())
    assert {name.rpartition(".task.")[1] for name in parameters} == {".task."}
    # An adapter that is added after that is born trainable: what the bank does must not leave one.
    assert job.cycle[0] is not None and isinstance(job.cycle[0], LanguageAdapterJob) and job.cycle[0].folder
    session.stand_on(Standing((job.cycle[0].folder,)), False)
    session.check_frozen(parameters.values())
    session.model.add_adapter("late", config="seq_bn")
    with pytest.raises(AssertionError, match=r"not frozen: .*\.late\."):
        session.check_frozen(parameters.values())


def test_dev_batches_may_cycle_through_the_modules(
    job: TaskAdapterJob, session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xleval.engine.slots import Slots

    decisions = Slots.decisions
    yielded: list[tuple[str, list[int]]] = []

    def watched(self: Slots, features: Any, under: Any, *given: Any) -> Any:
        (standing,) = under
        yielded.append((standing.adapters[0].name, given[-1].tolist()))
        return decisions(self, features, under, *given)

    monkeypatch.setattr(Slots, "decisions", watched)
    hyper = {**job.hyper, "epochs": 1, "eval_every": 1000, "dev_switch": "cycle", "dev_batch": 3}
    trained([replace(job, hyper=hyper)], session, tmp_path / "one", settings)
    of = dict(yielded)
    assert of["eng"] == [0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19]
    assert of["swa"] == [3, 4, 5, 9, 10, 11, 15, 16, 17]
    yielded.clear()
    trained([replace(job, fingerprint="8" * 64)], session, tmp_path / "other", settings)
    assert {name for name, _ in yielded} == {"eng"} and yielded[0][1] == list(range(20))


def test_a_loss_that_is_not_finite_names_the_module(
    session: Any, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import xleval.engine.mlm as module

    def broken(*arguments: Any) -> Any:
        return torch.tensor(float("nan"), requires_grad=True), 1

    job = LanguageAdapterJob("a" * 64, BA("eng", "swa"), of_module(merged(SMALL), "ba"), texts("eng", "swa"))
    monkeypatch.setattr(module, "_loss", broken)
    with pytest.raises(TrainingFailedError, match=r"loss is nan at step 0 of 6 of BA\(eng, swa\)"):
        train_language_adapter(job, session, tmp_path / "p", tmp_path / "o", settings)


@pytest.mark.parametrize(("kind", "key"), [("la", "la.chunk"), ("tune", "tune.chunk")])
def test_a_chunk_longer_than_the_encoder_is_refused(
    kind: str, key: str, session: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    assert session.positions == 512
    hyper = of_module(merged({**SMALL, key: 513}), kind)
    job = LanguageAdapterJob("a" * 64, LA("swa"), hyper, texts("swa"))
    tuned = BackboneJob("b" * 64, Tuned("swa", 1), {**hyper, "steps": 1}, texts("swa")[0])
    places = (session, tmp_path / "p", tmp_path / "o", settings)
    with pytest.raises(UserError, match=f"{key}=513: tiny has 512 positions; give --set {key}=512 or less"):
        train_language_adapter(job, *places) if kind == "la" else tune_backbone(tuned, *places)
