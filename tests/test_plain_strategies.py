"""Every built-in strategy: the engine's predictions on the demo are those of a plain implementation."""

from __future__ import annotations

from pathlib import Path

import pytest

from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.hyperparameters import of_module
from xleval.jobs import LanguageAdapterJob
from xleval.plan import Plan, plan
from xleval.predictions import PREDICTIONS, read_predictions
from xleval.run import execute
from xleval.tasks.family import family_of
from xleval.tasks.recent import rows_of

TARGET = "qac"
STRATEGIES = [
    "madx", "madx-v1", "badx", "badx:ratio=2:1", "multilingual-la",
    "tlr-target", "tlr-bilingual", "tlr-task-multi", "tlr-all-multi", "tlr-leave-out-task", "tlr-leave-out-targ",
    "la-target", "la-source", "la-none", "la-none-tr", "full-ft", "transfer:lang=qad,steps=5",
    "fusion:langs=qaa+qac", "fusion:langs=qab+qac+qad,trained=true",
    "madx:adapter=parallel", "madx:adapter=lora", "madx:adapter=ia3", "madx:adapter=prefix",
]  # fmt: skip
SUITE = """
kind: suite
name: small
summary: "Two tasks whose languages overlap, so that every TLR cycle is another."
tasks: [demo-nli, demo-ner]
languages: {demo-nli: [qab, qac], demo-ner: [qac, qad, qae]}
backbone: demo
seeds: [1]
hyperparameters:
  {la.steps: 6, la.batch: 8, la.chunk: 48, la.lr: 5.0e-3, la.eval_every: 3,
   ba.steps: 7, ba.batch: 8, ba.lr: 5.0e-3, ba.eval_every: 3,
   ma.steps: 7, ma.batch: 8, ma.lr: 5.0e-3, ma.eval_every: 3,
   fusion.steps: 6, fusion.batch: 8, fusion.lr: 1.0e-2, fusion.eval_every: 3, tune.batch: 8, tune.chunk: 48,
   tune.lr: 1.0e-3, full.lr: 1.0e-3}
task_hyperparameters:
  demo-nli: {train.epochs: 1, train.batch: 8, train.lr: 5.0e-3, train.select: last}
  demo-ner: {train.epochs: 1, train.batch: 8, train.lr: 2.0e-2, train.select: last}
"""
PLUGIN = """
import pathlib
import xleval

@xleval.hookimpl
def xleval_suites():
    return [pathlib.Path(__file__).with_name("small.yaml")]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Host]:
    """All strategies run once on both tasks, in one process."""
    folder = tmp_path_factory.mktemp("strategies")
    (folder / "small.yaml").write_text(SUITE)
    (folder / "small_suite_plugin.py").write_text(PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        host = Host(modules=["small_suite_plugin"])
    options = {"strategies": STRATEGIES, "suite": "small", "languages": [TARGET], "limit": "72", "jobs": 1}
    graph = plan(make_experiment({**options, "store": folder / "store", "out": folder / "out"}), host)
    finished = execute(graph, host)
    assert not finished.failed
    return graph, host


@pytest.mark.parametrize("task", ["demo-nli", "demo-ner"])
@pytest.mark.parametrize("label", STRATEGIES)
def test_predictions_are_those_of_the_plain_library(
    label: str, task: str, made: tuple[Plan, Host], tmp_path: Path
) -> None:
    from plain_strategies import Setting, plain, predictions

    graph, host = made
    (cell,) = [cell for cell in graph.cells if cell.strategy.label == label and cell.task.name == task]
    job, scope = cell.prediction, graph.scope
    values = scope.hyperparameters(None)
    adapters = [a for a in graph.of_kind("language_adapter") if isinstance(a, LanguageAdapterJob)]
    setting = Setting(
        backbone=scope.backbone.path(),
        adapters={a.language: graph.store.open(a.kind, a.fingerprint) for a in adapters if a.module.kind == "la"},
        text=lambda code: host.providers["demo"].text(code),
        source="qaa",
        of_task={"demo-nli": ["qab", "qac"], "demo-ner": ["qac", "qad", "qae"]}[task],
        of_all=["qab", "qac", "qad", "qae"],
        mlm={kind: of_module(values, kind) for kind in ("ba", "ma", "fusion", "tune")},
    )
    family, hyper, tokenizer = family_of(cell.task.family), dict(job.task_adapter.hyper), setting.tokenizer()
    train, test = (
        family.features(rows_of(cell.task, data), tokenizer, hyper) for data in (job.task_adapter.train, job.data)
    )
    by_hand = predictions(
        plain(label, TARGET, setting, tmp_path), setting, family, cell.task.labels, train, test, hyper, 1, tmp_path
    )
    stored = list(read_predictions(graph.store.open(job.kind, job.fingerprint) / PREDICTIONS))
    expected = family.assemble(by_hand, test, rows_of(cell.task, job.data), cell.task.labels)
    ours = [prediction for _, prediction in stored]
    decisions = [
        mine == theirs
        for one, other in zip(ours, expected, strict=True)
        for mine, theirs in (zip(one, other, strict=True) if isinstance(one, list) else [(one, other)])
    ]
    assert decisions.count(False) <= len(decisions) // 400  # rounding may tip one of hundreds of tags
    assert len(stored) == 72 and len({str(prediction) for prediction in expected}) > 1
