"""The built-in strategies against the table of the papers, and what is refused before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, MakePlugin

from xleval.errors import UserError
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.jobs import TaskAdapterJob
from xleval.languages import builtin
from xleval.plan import Plan, plan
from xleval.recipe import BA, LA, MA, NONE, Fusion, LanguageModule, Recipe, Tuned, World, parse_ratio

ENG, HAU, SWA, WOL, YOR = (builtin().get(code) for code in ("eng", "hau", "swa", "wol", "yor"))
#: Two tasks that share Swahili.
WORLD = World(ENG, {"xnli": (SWA, YOR), "ner": (HAU, SWA, WOL)})

TABLE = {
    "madx": ("LA(eng)", "LA(swa)", True),
    "madx-v1": ("LA(eng)", "LA(swa)", False),
    "tlr-target": ("LA(swa)", "LA(swa)", True),
    "tlr-bilingual": ("LA(eng) LA(swa)", "LA(swa)", True),
    "tlr-task-multi": ("LA(eng) LA(swa) LA(yor)", "LA(swa)", True),
    "tlr-all-multi": ("LA(eng) LA(hau) LA(swa) LA(wol) LA(yor)", "LA(swa)", True),
    "tlr-leave-out-task": ("LA(eng) LA(hau) LA(wol)", "LA(swa)", True),
    "tlr-leave-out-targ": ("LA(eng) LA(hau) LA(wol) LA(yor)", "LA(swa)", True),
    "badx": ("BA(eng, swa)", "BA(eng, swa)", True),
    "badx:ratio=5:1": ("BA(eng, swa, 5:1)", "BA(eng, swa, 5:1)", True),
    "multilingual-la": ("MA(eng, swa, yor)", "MA(eng, swa, yor)", True),
    "la-target": ("LA(eng)", "LA(swa)", False),
    "la-source": ("LA(eng)", "LA(eng)", False),
    "la-none": ("LA(eng)", "none", False),
    "la-none-tr": ("none", "none", False),
    "full-ft": ("none", "none", False),
    "transfer": ("none", "none", False),
    "transfer:lang=yor,steps=10": ("none", "none", False),
    "fusion": ("none", "Fuse(LA(eng), LA(swa))", False),
    "fusion:langs=hau+yor+wol,trained=true": ("none", "Fuse(LA(hau), LA(yor), LA(wol), trained)", False),
    "fusion:langs=yor": ("none", "LA(yor)", False),
}


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.mark.parametrize("label", TABLE)
def test_a_strategy_says_what_its_paper_says(label: str, host: Host) -> None:
    recipe = host.choose_strategy(label).strategy.recipe(host.tasks.get("xnli"), SWA, WORLD)
    trained, inferred, drop_last = TABLE[label]
    said = " ".join(map(str, recipe.train_on)), str(recipe.infer_on), recipe.drop_last
    assert said == (trained, inferred, drop_last)
    assert recipe.selected_on == recipe.train_on[0]
    assert recipe.adapter == ("full" if label == "full-ft" else "bottleneck")
    tuned = {"transfer": Tuned("swa", 100), "transfer:lang=yor,steps=10": Tuned("yor", 10)}
    assert recipe.tuned == tuned.get(label)


def test_every_builtin_strategy_stands_in_the_table(host: Host) -> None:
    assert {strategy.name for strategy in host.strategies.values()} == {label.partition(":")[0] for label in TABLE}


@pytest.mark.parametrize("name", [name for name in TABLE if ":" not in name and name != "full-ft"])
def test_the_kind_of_task_adapter_is_a_parameter(name: str, host: Host) -> None:
    chosen = host.choose_strategy(f"{name}:adapter=lora")
    assert chosen.strategy.recipe(host.tasks.get("xnli"), SWA, WORLD).adapter == "lora"
    with pytest.raises(UserError, match=f"'{name}': adapter=lara: Input should be 'bottleneck', 'parallel'"):
        host.choose_strategy(f"{name}:adapter=lara")


@pytest.mark.parametrize("name", ["badx", "multilingual-la", "tlr-bilingual", "tlr-all-multi", "fusion", "madx"])
def test_the_source_language_is_a_target_too(name: str, host: Host) -> None:
    world = World(ENG, {"xnli": (ENG,)})
    recipe = host.strategies.get(name).recipe(host.tasks.get("xnli"), ENG, world)
    assert (set(recipe.train_on) - {NONE}, recipe.infer_on) == (set() if name == "fusion" else {LA("eng")}, LA("eng"))


# Modules


def test_modules_print_as_they_are_written() -> None:
    assert str(BA("eng", SWA)) == "BA(eng, swa)" and str(BA("eng", "swa", "1:2")) == "BA(eng, swa, 1:2)"
    assert str(MA([ENG, "swa", SWA])) == "MA(eng, swa)"
    assert Fusion([LA("swa")], trained=True) == LA("swa")
    assert Fusion([BA("eng", "swa"), LA("swa")]).languages == ("eng", "swa")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BA("eng", "eng"), "two languages, not eng twice"),
        (lambda: BA("eng", "swa", "5"), "ratio '5': write N:M"),
        (lambda: BA("eng", "swa", "0:1"), "ratio '0:1': write N:M"),
        (lambda: MA(["eng"]), "at least two languages, not eng"),
        (lambda: MA([]), "at least two languages, not none"),
        (lambda: Fusion([]), "different language adapters, not nothing"),
        (lambda: Fusion([LA("eng"), LA("eng")]), r"different language adapters, not LA\(eng\), LA\(eng\)"),
        (lambda: Fusion([LA("eng"), NONE]), r"not LA\(eng\), none"),
        (lambda: Fusion([Fusion([LA("eng"), LA("swa")])]), "different language adapters"),
        (lambda: Tuned("eng", 0), "at least 1 step, not 0"),
        (lambda: Recipe(["LA(eng)"], NONE), r"a recipe's modules are LA\(…\).*not 'LA\(eng\)'"),  # type: ignore[list-item]
        (lambda: Recipe([NONE], LanguageModule("lb", ("eng",))), r"unknown kind of language module 'lb' \(LB\(eng\)\)"),
        (lambda: Recipe([], NONE), "at least one module to train on"),
        (lambda: Recipe([NONE], NONE, adapter="lara"), "adapter='lara': choose one of bottleneck, .*, full"),
        (lambda: Recipe([LA("eng")], NONE, adapter="full"), "full fine-tuning stands on no language module"),
        (lambda: Recipe([NONE], NONE, adapter="full", tuned=Tuned("eng", 1)), "no tuned backbone"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_a_ratio_is_two_numbers() -> None:
    assert parse_ratio("5:1") == (5, 1)


# What a plugin may get wrong: caught by the planner, with plugin and cell


BROKEN = """
import itertools
from dataclasses import dataclass
from xleval import LA, NONE, LanguageModule, Recipe, Tuned, hookimpl
from xleval.recipe import MA

counter = itertools.count()

class Strange:
    name = "strange"
    summary = "for a test"
    def __init__(self, name, make):
        self.name, self.make = name, make
    def recipe(self, task, target, world):
        return self.make(target)

@dataclass(frozen=True)
class Stepped:
    steps: int = 3
    name = "stepped"
    summary = "for a test"
    def recipe(self, task, target, world):
        return Recipe([NONE], NONE)

@hookimpl
def xleval_strategies():
    return [
        Strange("unknown-module", lambda t: Recipe([LanguageModule("lb", ("qaa",))], NONE)),
        Strange("no-module", lambda t: Recipe([LA("qaa"), None], LA(t))),
        Strange("empty-cycle", lambda t: Recipe([], LA(t))),
        Strange("no-recipe", lambda t: "LA(qaa)"),
        Strange("raises", lambda t: 1 / 0),
        Strange("unknown-language", lambda t: Recipe([LA("klingon")], LA(t))),
        Strange("unknown-tuned", lambda t: Recipe([NONE], NONE, tuned=Tuned("klingon", 5))),
        Strange("at-random", lambda t: Recipe([LA("qaa")], LA("qaa" if next(counter) % 2 else t))),
        Strange("without-text", lambda t: Recipe([LA("luo")], LA(t))),
        Stepped(),
    ]
"""


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("unknown-module", "unknown kind of language module 'lb'"),
        ("no-module", "a recipe's modules are LA"),
        ("empty-cycle", "a recipe needs at least one module to train on"),
        ("no-recipe", "gave str in place of a Recipe"),
        ("raises", "failed: ZeroDivisionError: division by zero"),
        ("unknown-language", "unknown language 'klingon'"),
        ("unknown-tuned", "unknown language 'klingon'"),
        ("at-random", "gave two different recipes for the same arguments"),
    ],
)
def test_a_faulty_recipe_is_named_with_plugin_and_cell(
    strategy: str, message: str, temporary_plugin: MakePlugin, cli: Cli
) -> None:
    temporary_plugin("strange_plugin", BROKEN)
    said = cli("run", "--strategy", strategy, "--task", "demo-nli", "--language", "qab", code=2).stderr
    assert f"strategy '{strategy}' (plugin strange-plugin) on demo-nli/qab" in said
    assert message in said and "Traceback" not in said
    assert not (cli.folder / "xleval-results").exists()


def test_a_language_without_adapter_and_text_is_named_with_who_needs_it(temporary_plugin: MakePlugin, cli: Cli) -> None:
    temporary_plugin("strange_plugin", BROKEN)
    said = cli("run", "--strategy", "without-text", "--task", "demo-nli", "--language", "qab", code=2).stderr
    assert (
        "no language adapter and no text to train one for: luo (luo is needed by without-text on demo-nli/qab)" in said
    )
    assert not (cli.folder / "xleval-results").exists()


def test_a_parameter_of_the_wrong_type_is_named(temporary_plugin: MakePlugin, cli: Cli) -> None:
    temporary_plugin("strange_plugin", BROKEN)
    said = cli("run", "--strategy", "stepped:steps=many", code=2).stderr
    assert "strategy 'stepped': steps=many: Input should be a valid integer" in said
    assert "write N:M" in cli("plan", "--strategy", "badx:ratio=five", code=2).stderr
    assert "'fusion': trained=perhaps" in cli("plan", "--strategy", "fusion:trained=perhaps", code=2).stderr


# What strategies share


def graph(host: Host, tmp_path: Path, *strategies: str, **options: Any) -> Plan:
    asked = {
        "strategies": list(strategies),
        "tasks": ["demo-nli"],
        "languages": ["qab", "qac"],
        "seeds": [1],
        **options,
    }
    return plan(make_experiment({**asked, "store": tmp_path / "store", "out": tmp_path / "out"}), host)


@pytest.mark.parametrize(
    ("strategies", "adapters"),
    [
        (["la-target", "la-source", "la-none", "madx-v1"], 1),
        (["la-none-tr", "transfer:steps=1", "transfer:lang=qab,steps=1", "fusion", "fusion:trained=true"], 1),
        (["madx", "madx-v1"], 2),
        (["badx", "badx:ratio=1:1"], 2),  # one for each target
        (["badx", "badx:ratio=2:1"], 4),
        (["multilingual-la", "full-ft"], 2),
        (["madx", "madx:adapter=lora", "madx:adapter=prefix"], 3),
    ],
)
def test_task_adapters_are_trained_once(strategies: list[str], adapters: int, host: Host, tmp_path: Path) -> None:
    assert len(graph(host, tmp_path, *strategies).of_kind("task_adapter")) == adapters


def test_a_fusion_stands_on_the_adapters_that_others_use(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, "fusion", "fusion:trained=true", "madx")
    assert len(found.of_kind("language_adapter")) == 3 and len(found.of_kind("fusion")) == 4
    assert {job.label for job in found.of_kind("fusion")} == {
        "Fuse(LA(qaa), LA(qab))", "Fuse(LA(qaa), LA(qac))",
        "Fuse(LA(qaa), LA(qab), trained)", "Fuse(LA(qaa), LA(qac), trained)",
    }  # fmt: skip


def test_a_kind_of_task_adapter_has_its_own_hyperparameters_only(host: Host, tmp_path: Path) -> None:
    def hyper(strategy: str, **settings: Any) -> dict[str, Any]:
        (job,) = graph(host, tmp_path, strategy, set=settings).of_kind("task_adapter")
        assert isinstance(job, TaskAdapterJob)
        return dict(job.hyper)

    assert {"reduction", "non_linearity"} <= set(hyper("madx")) and "lora_rank" not in hyper("madx")
    assert {"lora_rank", "lora_alpha"} <= set(hyper("madx:adapter=lora")) and "reduction" not in hyper(
        "madx:adapter=lora"
    )
    assert hyper("full-ft", **{"train.lr": 0.5, "full.lr": 0.25})["lr"] == 0.25
    assert hyper("madx", **{"train.lr": 0.5, "full.lr": 0.25})["lr"] == 0.5


def test_the_released_codes_ways_are_recorded_and_off(host: Host, tmp_path: Path) -> None:
    (job,) = graph(host, tmp_path, "madx").of_kind("task_adapter")
    assert isinstance(job, TaskAdapterJob)
    assert (job.hyper["switch"], job.hyper["dev_switch"], "dev_batch" in job.hyper) == ("step", "source", False)
    asked = {"train.switch": "epoch-step", "train.dev_switch": "cycle", "train.dev_batch": 16}
    (other,) = graph(host, tmp_path, "madx", set=asked).of_kind("task_adapter")
    assert isinstance(other, TaskAdapterJob) and other.fingerprint != job.fingerprint
    assert (other.hyper["switch"], other.hyper["dev_switch"], other.hyper["dev_batch"]) == ("epoch-step", "cycle", 16)


# Source languages


def test_another_source_language_is_learned_from_and_stood_on(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, "madx", "tlr-task-multi", source_languages=["qac"])
    one, cycle = (job for job in found.of_kind("task_adapter") if isinstance(job, TaskAdapterJob))
    assert (one.source_language, one.train.language, one.dev.language) == ("qac", "qac", "qac")
    assert [module.language for module in cycle.cycle if module][:3] == ["qac", "qab", "qad"]
    with pytest.raises(UserError, match="--source-language swa: demo-nli has no 'swa'"):
        graph(host, tmp_path, "madx", source_languages=["swa"])
    with pytest.raises(UserError, match="both say what TAs learn from"):
        graph(host, tmp_path, "madx", source_languages=["qac"], sources={"demo-nli": "demo-nli-train"})


def test_source_languages_are_pooled(host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, "la-none-tr", source_languages=["qab", "qac"], limit="40")
    (job,) = (job for job in found.of_kind("task_adapter") if isinstance(job, TaskAdapterJob))
    assert (job.train.language, job.train.limit) == ("qab+qac", 40)
    task = host.tasks.get("demo-nli")
    rows = job.train.rows(task.labels, task.label_map)
    assert len(rows) == len({row.id for row in rows}) == 40
    assert {row.id.partition("/")[0] for row in rows} == {"qab", "qac"}
    whole = graph(host, tmp_path, "la-none-tr", source_languages=["qab"]).of_kind("task_adapter")
    assert whole[0].fingerprint != job.fingerprint
