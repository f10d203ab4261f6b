"""The papers' suites: that they say what the papers did, and that a slip in a suite's file is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from xleval.errors import UserError
from xleval.experiment import Suite, load_suite, make_experiment
from xleval.host import Host
from xleval.hyperparameters import parsed
from xleval.jobs import LanguageAdapterJob, TaskAdapterJob
from xleval.plan import Plan, plan

PAPERS = ["badx", "faisal", "kunz", "tlr"]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.fixture(scope="module")
def tlr(host: Host) -> Suite:
    suite: Suite = host.suites.get("tlr")
    return suite


@pytest.mark.parametrize("name", PAPERS)
def test_suites_name_what_there_is(host: Host, name: str) -> None:
    suite = host.suites.get(name)
    tasks = {task: host.tasks.get(task) for task in suite.tasks}
    for text in suite.strategies:
        host.choose_strategy(text)
    of_tables = [table.hyperparameters for table in suite.tables.values()]
    for layer in (suite.hyperparameters, *suite.task_hyperparameters.values(), *of_tables):
        for key, value in layer.items():
            assert parsed(key, value) == value
    for task, source in suite.sources.items():
        assert {host.sources.get(part).family for part in source.partition("[")[0].split("+")} == {tasks[task].family}
    for task, codes in suite.languages.items():
        assert [host.languages.get(code).code for code in codes] == codes
        assert set(codes) <= {*tasks[task].languages, tasks[task].source_language}
    host.backbones.get(suite.backbone)
    assert suite.citation.startswith("@inproceedings{") and suite.citation.count("{") == suite.citation.count("}")


def test_targets_of_tlr_are_the_34_languages_of_all_multi(host: Host, tlr: Suite) -> None:
    told = (
        "af ar aym bm bn bzd cni eu gn hau hch hi ibo kin kpv lug luo mr mt myv nah oto pcm quy shp sw tar te th ug "
        "ur wo yor zh"
    )
    assert {host.languages.get(code).code for code in told.split()} == {
        code for codes in tlr.languages.values() for code in codes
    }
    assert [len(tlr.languages[task]) for task in tlr.tasks] == [9, 10, 10, 6, 4, 4]
    assert "amh" not in tlr.languages["masakhaner"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, tlr: Suite) -> Path:
    folder = tmp_path_factory.mktemp("text")
    for code in {"eng", *(code for codes in tlr.languages.values() for code in codes)}:
        (folder / code).mkdir()
        (folder / code / "a.txt").write_text("one two three\n")
    return folder


def planned(host: Host, texts: Path, suite: str, *strategies: str, **more: Any) -> Plan:
    places = {"text_dir": texts, "store": texts / "store", "out": texts / "out"}
    return plan(make_experiment({"suite": suite, "strategies": list(strategies), **places, **more}), host)


#: Task adapters that one seed of a strategy needs in the TLR suite.
ADAPTERS = {
    "madx": 4,
    "tlr-target": 42,
    "tlr-bilingual": 42,
    "tlr-task-multi": 6,
    "tlr-all-multi": 4,
    "tlr-leave-out-task": 3,
    "tlr-leave-out-targ": 29,
    "badx": 20,
}


@pytest.mark.parametrize("strategy", ADAPTERS)
def test_one_task_adapter_serves_data_sets_of_one_source(host: Host, texts: Path, strategy: str) -> None:
    found = planned(host, texts, "tlr", strategy)
    assert len(found.of_kind("task_adapter")) == ADAPTERS[strategy]
    assert {cell.seed for cell in found.cells} == {1}


def test_madx_and_the_six_configurations_together(host: Host, texts: Path) -> None:
    found = planned(host, texts, "tlr", *[name for name in ADAPTERS if name != "badx"])
    adapters = [job for job in found.of_kind("language_adapter") if isinstance(job, LanguageAdapterJob)]
    assert len(found.of_kind("task_adapter")) == 130
    assert len(adapters) == len({job.language for job in adapters}) == 35


def test_the_suite_says_what_is_run_and_where(host: Host, texts: Path, tlr: Suite) -> None:
    found = planned(host, texts, "tlr")
    ran = {(cell.strategy.label, cell.task.name) for cell in found.cells}
    assert {strategy for strategy, _ in ran} == set(tlr.strategies) == set(ADAPTERS)
    assert {task for strategy, task in ran if strategy == "badx"} == {"ud-parsing", "americasnli"}
    assert {task for strategy, task in ran if strategy == "tlr-leave-out-targ"} == set(tlr.only["tlr-leave-out-targ"])


def test_what_only_the_released_code_does_is_of_the_tables_alone(host: Host, texts: Path, tlr: Suite) -> None:
    found = planned(host, texts, "tlr", "madx", tasks=["ud-parsing", "masakhaner"])
    hyper = {j.task.name: j.hyper for j in found.of_kind("task_adapter") if isinstance(j, TaskAdapterJob)}
    assert hyper["ud-parsing"]["root"] == "include"
    assert "dev_batch" not in hyper["ud-parsing"]
    assert {task: (h["switch"], h["dev_switch"], h["lr"]) for task, h in hyper.items()} == {
        "ud-parsing": ("step", "source", 5e-5),
        "masakhaner": ("step", "source", 5e-5),
    }
    tables = [table.hyperparameters for table in tlr.tables.values()]
    assert {(h["train.switch"], h["train.root"]) for h in tables} == {("epoch-step", "legacy-exclude")}


def test_kunz_and_badx_set_what_their_papers_say(host: Host, texts: Path) -> None:
    found = planned(host, texts, "kunz", "la-none-tr", seeds=[1])
    hyper = {j.task.name: j for j in found.of_kind("task_adapter") if isinstance(j, TaskAdapterJob)}
    assert {task: job.hyper["epochs"] for task, job in hyper.items()} == {"xnli": 3, "paws-x": 6, "xcopa": 6}
    assert {(j.hyper["lr"], j.hyper["batch"], j.hyper["max_length"], j.hyper["select"]) for j in hyper.values()} == {
        (1e-4, 32, 60, "last")
    }
    assert hyper["xcopa"].hyper["question"] == "word"
    assert (hyper["xcopa"].train.dataset, hyper["xcopa"].start) == ("copa", None)
    found = planned(host, texts, "badx", "madx")
    badx = {j.task.name: j.hyper for j in found.of_kind("task_adapter") if isinstance(j, TaskAdapterJob)}
    assert {task: (h["steps"], h["eval_every"]) for task, h in badx.items() if task != "americasnli"} == {
        "ud-pos": (15000, 250),
        "ud-parsing": (15000, 250),
    }
    adapter = found.of_kind("language_adapter")[0]
    assert isinstance(adapter, LanguageAdapterJob)
    assert (adapter.hyper["steps"], adapter.hyper["batch"], adapter.hyper["invertible"]) == (25000, 64, 0)


SUITE: dict[str, Any] = {
    "kind": "suite",
    "name": "mine",
    "summary": "one line",
    "tasks": ["xnli", "xquad"],
    "languages": {"xnli": ["swa", "urd"]},
    "backbone": "mbert",
    "strategies": ["madx", "badx:ratio=5:1"],
    "only": {"badx:ratio=5:1": ["xnli"]},
    "sources": {"xnli": "mnli"},
    "task_hyperparameters": {"xquad": {"train.epochs": 2}},
    "tables": {
        "1": {
            "paper": "p",
            "title": "t",
            "tasks": ["xnli"],
            "strategies": {"MAD-X": "madx"},
            "baseline": "MAD-X",
            "metrics": {"accuracy": "accuracy"},
            "languages": {"xnli": ["swa"]},
        }
    },
}


def written(tmp_path: Path, *path: str, value: Any) -> Path:
    found = json.loads(json.dumps(SUITE))
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(found), encoding="utf-8")
    return file


def test_a_whole_suite_loads(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, "summary", value="another line"))
    assert suite.tables["1"].languages == {"xnli": ["swa"]}
    assert suite.only == {"badx:ratio=5:1": ["xnli"]}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["strategies"], ["madx", "madx"], "strategies: 'madx' stands there twice"),
        (["tasks"], ["xnli", "xquad", "xnli"], "tasks: 'xnli' stands there twice"),
        (["only"], {"bad-x": ["xnli"]}, "only: 'bad-x' is not there (`strategies` has madx, badx:ratio=5:1)"),
        (["only"], {"madx": ["xnil"]}, "only.madx: 'xnil' is not there (`tasks` has xnli, xquad); did you mean 'xnli'"),
        (["only"], {"madx": []}, "only.madx: name at least one task"),
        (["sources"], {"panx": "copa"}, "sources: 'panx' is not there"),
        (["task_hyperparameters"], {"panx": {}}, "task_hyperparameters: 'panx' is not there"),
        (["task_hyperparameters", "xquad"], {"train.epochs": [1]}, "task_hyperparameters.xquad.train.epochs"),
        (["tables", "1", "tasks"], ["panx"], "tables.1.tasks: 'panx' is not there"),
        (["tables", "1", "tasks"], [], "tables.1.tasks: List should have at least 1"),
        (["tables", "1", "strategies"], {"MAD-X": "max"}, "tables.1.strategies.MAD-X: 'max' is not there"),
        (["tables", "1", "baseline"], "MADX", "tables.1.baseline: 'MADX' is not there"),
        (["tables", "1", "languages"], {"xnli": ["ara"]}, "tables.1.languages.xnli: 'ara' is not there"),
        (["tables", "1", "languages"], {"xquad": ["ara"]}, "tables.1.languages: 'xquad' is not there"),
        (["tables", "1", "colour"], "red", "tables.1.colour: Extra inputs"),
        (["tables", "1", "metrics"], {}, "tables.1.metrics"),
        (["tabels"], {}, "tabels: Extra inputs are not permitted; did you mean 'tables'"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_by_file_and_key(tmp_path: Path, path: list[str], value: Any, message: str) -> None:
    file = written(tmp_path, *path, value=value)
    with pytest.raises(UserError) as error:
        load_suite(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


def test_a_table_cannot_have_a_strategy_that_is_run_elsewhere_only(tmp_path: Path) -> None:
    file = written(tmp_path, "only", value={"madx": ["xquad"]})
    with pytest.raises(UserError, match=r"tables\.1\.strategies\.MAD-X: `only` runs madx on xquad, no task of this"):
        load_suite(file)
