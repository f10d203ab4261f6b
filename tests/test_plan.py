"""The graph: what is shared, what is new, what fingerprints depend on, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xleval.errors import UserError
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.jobs import TaskAdapterJob
from xleval.plan import Plan, plan
from xleval.report.graph import as_dict
from xleval.run import execute

DEMO = {"tasks": ["demo-nli"], "backbone": "demo", "languages": ["qab", "qai"], "seeds": [1, 2]}


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def graph(host: Host, tmp_path: Path, **options: Any) -> Plan:
    places = {"store": tmp_path / "store", "out": tmp_path / "out"}
    return plan(make_experiment({**DEMO, **places, **options}), host)


def names(found: Plan, kind: str) -> set[str]:
    return {job.fingerprint for job in found.of_kind(kind)}


def test_la_source_and_la_none_share_a_task_adapter_per_seed(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, strategies=["la-source", "la-none"])
    adapters = found.of_kind("task_adapter")
    assert [a.seed for a in adapters if isinstance(a, TaskAdapterJob)] == [1, 2]
    assert all(found.used_by[a.fingerprint] == ("la-source", "la-none") for a in adapters)
    assert len(found.of_kind("language_adapter")) == 1
    assert len(found.of_kind("prediction")) == 2 * 2 * 2


def test_madx_has_its_own_for_it_drops_the_last_layer(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, strategies=["madx", "la-source"])
    assert len(found.of_kind("task_adapter")) == 4
    assert len(found.of_kind("language_adapter")) == 3  # but the source's LA is shared


def test_all_multi_cycles_over_source_first_and_all_targets_of_all_tasks(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, strategies=["tlr-all-multi"], tasks=[], languages=["qab"], suite="demo")
    adapters = [job for job in found.of_kind("task_adapter") if isinstance(job, TaskAdapterJob)]
    # --language narrows what is evaluated, not the world of a suite.
    assert [a.language for a in adapters[0].cycle if a] == [
        "qaa", "qab", "qac", "qad", "qae", "qaf", "qag", "qah", "qai",
    ]  # fmt: skip
    assert {cell.language.code for cell in found.cells} == {"qab"}


def test_without_a_suite_the_world_is_what_was_asked(host: Host, tmp_path: Path) -> None:
    for code in ("eng", "swa", "wol"):
        (tmp_path / "text" / code).mkdir(parents=True)
        (tmp_path / "text" / code / "x.txt").write_text("one two three")
    found = graph(
        host, tmp_path, strategies=["tlr-all-multi"], tasks=["masakhaner"], languages=["swa", "wol"], seeds=[1],
        text_dir=tmp_path / "text",
    )  # fmt: skip
    (job,) = found.of_kind("task_adapter")
    assert isinstance(job, TaskAdapterJob)
    assert [a.language for a in job.cycle if a] == ["eng", "swa", "wol"]


def test_tasks_of_the_demo_alone_mean_the_demo_suite(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, strategies=["madx"], backbone=None)
    assert found.scope.backbone.name == "demo"
    assert found.scope.suite is not None
    mixed = graph(host, tmp_path, strategies=["la-none-tr"], tasks=["demo-nli", "xnli"], languages=["qab", "swa"])
    assert mixed.scope.suite is None


def test_a_new_language_adds_only_what_is_new(host: Host, tmp_path: Path) -> None:
    few = graph(host, tmp_path, strategies=["madx"])
    more = graph(host, tmp_path, strategies=["madx"], languages=["qab", "qai", "qac"])
    assert names(few, "task_adapter") == names(more, "task_adapter")
    assert len(names(more, "language_adapter") - names(few, "language_adapter")) == 1
    assert names(few, "prediction") < names(more, "prediction")


def test_one_mnli_adapter_serves_xnli_and_americasnli(host: Host, tmp_path: Path) -> None:
    found = graph(
        host, tmp_path, strategies=["la-none-tr"], tasks=["xnli", "americasnli"], languages=["swa", "quy"], seeds=[1]
    )
    assert len(found.of_kind("task_adapter")) == 1
    assert len(found.of_kind("prediction")) == 2
    assert len({cell.run_id for cell in found.cells}) == 1


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"seeds": [3, 4]}, {"task_adapter", "prediction"}),
        ({"limit": 50}, {"task_adapter", "prediction"}),
        ({"set": {"train.lr": 1e-4}}, {"task_adapter", "prediction"}),
        ({"set": {"la.lr": 1e-4}}, {"language_adapter", "task_adapter", "prediction"}),
        ({"set": {"engine.token_budget": 100}}, set()),
        ({"precision": "bf16"}, {"language_adapter", "task_adapter", "prediction"}),
        ({"out": Path("elsewhere"), "device": "cpu"}, set()),
    ],
)
def test_fingerprints_depend_on_what_determines_an_artifact(
    change: dict[str, Any], kinds: set[str], host: Host, tmp_path: Path
) -> None:
    before = graph(host, tmp_path, strategies=["tlr-all-multi"])
    after = graph(host, tmp_path, strategies=["tlr-all-multi"], **change)
    for kind in ("language_adapter", "task_adapter", "prediction"):
        assert (names(before, kind) != names(after, kind)) == (kind in kinds), kind


def test_text_decides_the_language_adapter(host: Host, tmp_path: Path) -> None:
    for name, line in (("a", "one two"), ("b", "one two"), ("c", "one three")):
        (tmp_path / name / "qab").mkdir(parents=True)
        (tmp_path / name / "qab" / "x.txt").write_text(line)
    found = {
        name: names(graph(host, tmp_path, strategies=["madx"], text_dir=tmp_path / name), "language_adapter")
        for name in "abc"
    }
    assert found["a"] == found["b"]  # the same text at another place
    assert len(found["a"] & found["c"]) == 2  # the other two languages have generated text


def test_no_adapter_and_no_text_names_both_remedies(host: Host, tmp_path: Path) -> None:
    planned = graph(host, tmp_path, strategies=["madx"], tasks=["masakhaner"], languages=["luo"])  # can be looked at
    assert planned.without_text == {"luo": "madx on masakhaner/luo"}
    with pytest.raises(UserError) as caught:
        execute(planned, host)
    assert "luo (luo is needed by madx on masakhaner/luo)" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert "--text-dir" in str(caught.value)
    assert "--la luo=FOLDER" in str(caught.value)


def test_given_adapter_is_present_and_checked(host: Host, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        graph(host, tmp_path, strategies=["la-none"], language_adapters={"qaa": str(tmp_path)})
    from xleval.engine.session import Session

    model = Session(host.backbones.get("demo"), "cpu", "fp32").model
    model.add_adapter("given", config="seq_bn_inv")
    model.save_adapter(str(tmp_path), "given", with_head=False, use_safetensors=True)
    found = graph(host, tmp_path, strategies=["la-none"], language_adapters={"qaa": str(tmp_path)})
    (job,) = found.of_kind("language_adapter")
    assert found.present(job)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategies": ["madxx"]}, "did you mean 'madx'"),
        ({"tasks": ["demo-nil"]}, "did you mean 'demo-nli'"),
        ({"languages": ["qzz"]}, "unknown language 'qzz'"),
        ({"languages": ["swa"]}, "no task of this run has it"),
        ({"backbone": "demoo"}, "did you mean 'demo'"),
        ({"suite": "dem", "tasks": []}, "did you mean 'demo'"),
        ({"set": {"train.epoch": 1}}, "did you mean 'train.epochs'"),
        ({"set": {"train.lr": -1}}, "at least 0"),
        ({"sources": {"demo-ner": "mnli"}}, "not among the tasks of this run"),
        ({"sources": {"demo-nli": "wikiann-en"}}, "is for token-classification"),
        ({"sources": {"demo-nli": "mnlii"}}, "did you mean 'mnli'"),
        ({"strategies": ["madx:ratio=1"]}, "has no parameter 'ratio'"),
        ({"text_dir": Path("no-such")}, "no such folder"),
        ({"executor": "rayy"}, None),
    ],
)
def test_wrong_names_are_named_with_the_nearest(
    options: dict[str, Any], message: str | None, host: Host, tmp_path: Path
) -> None:
    if message is None:  # executors are looked up when work starts, not when it is planned
        graph(host, tmp_path, **options)
        return
    with pytest.raises(UserError, match=message):
        graph(host, tmp_path, **options)


def test_scripts_without_vocabulary_are_left_out_unless_asked_for(host: Host, tmp_path: Path) -> None:
    options = {"strategies": ["la-none-tr"], "tasks": ["masakhaner"], "backbone": "mbert", "languages": []}
    found = graph(host, tmp_path, **options)
    assert "amh" not in {cell.language.code for cell in found.cells}
    assert any("amh (Ethi)" in text for text in found.scope.notices)
    asked = graph(host, tmp_path, **{**options, "languages": ["amh"]})
    assert {cell.language.code for cell in asked.cells} == {"amh"}


class _Broken:
    name = "broken"
    summary = "gives nonsense"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def recipe(self, task: Any, target: Any, world: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(("answer", "message"), [(None, "NoneType"), (KeyError("x"), "KeyError"), ("la", "str")])
def test_a_strategy_that_fails_is_named(answer: Any, message: str, tmp_path: Path) -> None:
    import xleval
    from xleval.registry import PluginInfo

    class Plugin:
        @xleval.hookimpl
        def xleval_strategies(self) -> list[Any]:
            return [_Broken(answer)]

    made = Host()
    made._register(info := PluginInfo("third", "third", "1", "test"), Plugin())
    made.plugins.append(info)
    with pytest.raises(UserError, match=f"'broken' .plugin third.*{message}"):
        graph(made, tmp_path, strategies=["broken"])


def test_json_has_the_documented_shape(host: Host, tmp_path: Path) -> None:
    data = as_dict(graph(host, tmp_path, strategies=["la-source", "la-none"], set={"train.steps": 7, "la.steps": 5}))
    assert data["counts"] == {
        "backbone": {"total": 1, "missing": 0},
        "language_adapter": {"total": 1, "missing": 1},
        "task_adapter": {"total": 2, "missing": 2},
        "prediction": {"total": 8, "missing": 8},
    }
    assert data["cost"]["steps"] == {"language_adapter": 5, "fusion": 0, "backbone": 0, "task_adapter": 14}
    by_epochs = as_dict(graph(host, tmp_path, strategies=["la-none-tr"], seeds=[1]))
    assert by_epochs["cost"]["steps"]["task_adapter"] == 3 * 75  # 2,400 examples by 32, three epochs
    keys = {"kind", "fingerprint", "present", "used_by", "seed", "languages", "source"}
    assert all(keys <= set(artifact) for artifact in data["artifacts"])


def test_seconds_are_those_of_what_is_most_alike(host: Host, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"strategies": ["la-none-tr"], "tasks": ["demo-nli"], "seeds": [1, 2], "jobs": 2}
    made = graph(host, tmp_path, **asked, set={"train.steps": 10})
    assert as_dict(made)["cost"]["seconds"] is None  # nothing was measured yet

    def measured(kind: str, name: str, **about: Any) -> None:
        with made.store.create(kind, name * 64, {"backbone": made.scope.backbone.identity, **about}) as folder:
            (folder / "x").write_text("")

    training = {"family": "sequence-classification", "adapter": "bottleneck"}
    measured("task_adapter", "a", **training, task="demo-paraphrase", seconds=70.0, steps=10)
    measured("prediction", "b", task="demo-ner", language="qab", seconds=100.0)
    splits = len(made.of_kind("prediction"))
    assert as_dict(made)["cost"]["seconds"] == (2 * 10 * 7 + splits * 100) / 2  # of the family; of any prediction
    measured("task_adapter", "c", **training, task="demo-nli", seconds=20.0, steps=10)
    measured("prediction", "d", task="demo-nli", language="qab", seconds=1.0)
    measured("prediction", "e", task="demo-nli", language="qac", seconds=3.0)
    each = {"qab": 1.0, "qac": 3.0}
    languages = [job.data.language for job in made.of_kind("prediction")]  # type: ignore[attr-defined]
    expected = (2 * 10 * 2 + sum(each.get(code, 2.0) for code in languages)) / 2
    assert as_dict(made)["cost"] == {
        "steps": {"language_adapter": 0, "fusion": 0, "backbone": 0, "task_adapter": 20},
        "unknown_steps": 0, "seconds": expected, "processes": 2,
    }  # fmt: skip
    other = {"backbone": {"id": "other", "revision": "main"}, "seconds": 1e6, "steps": 1}
    with made.store.create("task_adapter", "f" * 64, {**training, **other, "task": "demo-nli"}):
        pass
    assert as_dict(made)["cost"]["seconds"] == expected
