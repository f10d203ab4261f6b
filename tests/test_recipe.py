"""Recipes, worlds and the strategies that are chosen on the command line."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any, Literal

import pytest

from xleval.errors import UserError
from xleval.fingerprint import digest
from xleval.host import Host
from xleval.languages import builtin
from xleval.recipe import LA, NONE, LanguageModule, Recipe, Strategy, World, configure, parameters, split_choice

ENG, SWA, YOR, WOL = (builtin().get(code) for code in ("eng", "swa", "yor", "wol"))
WORLD = World(ENG, {"xnli": (YOR, SWA), "ner": (WOL, SWA, ENG)})


@dataclass(frozen=True)
class Knobs:
    """A strategy with a parameter of every usual kind."""

    steps: int = 100
    share: float = 0.5
    last: bool = False
    head: Literal["auto", "none"] = "auto"
    ratio: str = "1:1"
    name: str = "knobs"
    summary: str = "with parameters"

    def recipe(self, task: Any, target: Any, world: World) -> Recipe:
        return Recipe([NONE], NONE)


# Modules and recipes


def test_modules_are_values() -> None:
    assert LA(SWA) == LA("swa") and hash(LA(SWA)) == hash(LA("swa"))
    assert LA("swa") != LA("yor") != NONE
    assert (str(LA("swa")), str(NONE)) == ("LA(swa)", "none")
    assert str(LanguageModule("ba", ("eng", "swa"))) == "BA(eng, swa)"


def test_an_alias_is_the_language_it_stands_for() -> None:
    assert LA(builtin().get("swh")) == LA("swa")


def test_a_recipe_is_frozen_hashable_and_takes_any_sequence() -> None:
    recipe = Recipe([LA("eng"), LA("swa")], LA("swa"))
    assert recipe == Recipe((LA("eng"), LA("swa")), LA("swa"))
    assert {recipe: 1}[Recipe((LA("eng"), LA("swa")), LA("swa"))] == 1
    with pytest.raises(FrozenInstanceError):
        recipe.drop_last = True  # type: ignore[misc]


def test_a_recipe_trains_on_something() -> None:
    with pytest.raises(UserError, match="needs at least one module to train on; use NONE"):
        Recipe([], LA("swa"))


def test_the_checkpoint_is_selected_on_the_first_module_unless_said_otherwise() -> None:
    assert Recipe([LA("eng"), LA("swa")], NONE).selected_on == LA("eng")
    assert Recipe([LA("eng")], NONE, dev_on=NONE).selected_on == NONE


def test_modules_lists_each_once_in_order_of_use() -> None:
    recipe = Recipe([LA("eng"), LA("swa"), LA("eng")], LA("swa"), dev_on=LA("yor"))
    assert recipe.modules() == (LA("eng"), LA("swa"), LA("yor"))


# Worlds


def test_target_languages_of_all_tasks_without_the_source_each_once_by_code() -> None:
    assert WORLD.target_languages() == (SWA, WOL, YOR)
    assert WORLD.target_languages("ner") == (SWA, WOL)


def test_the_order_of_tasks_does_not_change_the_world() -> None:
    other = World(ENG, {"ner": (ENG, SWA, WOL), "xnli": (SWA, YOR)})
    assert other.target_languages() == WORLD.target_languages()


# The built-in strategies, as their papers have them

PAPERS = {
    "madx": Recipe([LA("eng")], LA("yor"), drop_last=True),
    "tlr-all-multi": Recipe([LA("eng"), LA("swa"), LA("wol"), LA("yor")], LA("yor"), drop_last=True),
    "la-source": Recipe([LA("eng")], LA("eng")),
    "la-none": Recipe([LA("eng")], NONE),
    "la-none-tr": Recipe([NONE], NONE),
}


@pytest.mark.parametrize("name", PAPERS)
def test_builtin_strategy(name: str) -> None:
    host = Host()
    strategy = host.strategies.get(name)
    assert isinstance(strategy, Strategy)
    assert strategy.recipe(host.tasks.get("xnli"), YOR, WORLD) == PAPERS[name]


def test_every_builtin_strategy_is_pure_and_says_what_it_is() -> None:
    host = Host()
    task = host.tasks.get("xnli")
    for strategy in host.strategies.values():
        first, second = (strategy.recipe(task, YOR, WORLD) for _ in range(2))
        assert first == second
        assert digest([str(module) for module in first.modules()])
        assert strategy.name == strategy.name.lower() and " " not in strategy.name
        assert 10 < len(strategy.summary) < 110


# Parameters


def test_parameters_are_the_fields_of_a_dataclass() -> None:
    assert parameters(Knobs()) == {"steps": 100, "share": 0.5, "last": False, "head": "auto", "ratio": "1:1"}
    assert parameters(Host().strategies.get("madx")) == {"adapter": "bottleneck"}
    assert parameters(Host().strategies.get("full-ft")) == {}


def test_parameters_are_parsed_by_their_types() -> None:
    given = {"steps": "7", "share": "1e-1", "last": "true", "head": "none", "ratio": "5:1"}
    assert configure(Knobs(), given) == Knobs(7, 0.1, True, "none", "5:1")


def test_what_is_not_given_stays_as_the_plugin_made_it() -> None:
    made = Knobs(steps=9, name="many-knobs", summary="another of the same class")
    assert configure(made, {"share": "0.25"}) == Knobs(9, 0.25, name="many-knobs", summary=made.summary)
    assert configure(made, {}) is made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stps": "7"}, r"strategy 'knobs' has no parameter 'stps' \(it has steps, share.*did you mean 'steps'"),
        ({"name": "x"}, "has no parameter 'name'"),
        ({"steps": "many"}, "strategy 'knobs': steps=many: .*integer"),
        ({"steps": "1.5"}, "steps=1.5"),
        ({"head": "two"}, "head=two: .*'auto' or 'none'"),
        ({"last": "perhaps"}, "last=perhaps"),
    ],
)
def test_a_wrong_parameter_is_named(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        configure(Knobs(), given)


def test_a_strategy_without_parameters_says_so() -> None:
    with pytest.raises(UserError, match=r"'full-ft' has no parameter 'a' \(it has none"):
        Host().choose_strategy("full-ft:a=1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("madx", ("madx", {})),
        ("badx:ratio=5:1,steps=10", ("badx", {"ratio": "5:1", "steps": "10"})),
        ("a: b = c ", ("a", {"b": "c"})),
        ("a:x=1=2", ("a", {"x": "1=2"})),
        ("package/a:x=", ("package/a", {"x": ""})),
        ("a:", ("a", {})),
    ],
)
def test_split_choice(text: str, expected: tuple[str, dict[str, str]]) -> None:
    assert split_choice(text) == expected


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="--strategy badx:ratio: 'ratio' is not key=value"):
        split_choice("badx:ratio")


def test_the_label_keeps_the_parameters_as_given() -> None:
    chosen = Host().choose_strategy("xleval/madx")
    assert (chosen.label, chosen.plugin, chosen.parameters) == ("xleval/madx", "xleval", ())
