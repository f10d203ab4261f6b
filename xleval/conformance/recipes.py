"""Checks of strategies: that a recipe is frozen data, equal for equal arguments, and there for every target."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.conformance import Check, probe
from xleval.errors import UserError
from xleval.recipe import Recipe, World, parameters

if TYPE_CHECKING:
    from xleval.conformance import Subject
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.recipe import Strategy
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Case:
    """Arguments that a strategy is asked with, and how messages name them."""

    name: str
    task: TaskSpec
    target: Language
    world: World


def cases(host: Host) -> list[Case]:
    """Every target of every known task: alone, in the worlds of the suites, and from another source language."""
    found: list[Case] = []
    sources: dict[str, Language] = {}
    for task in host.tasks.values():
        with suppress(UserError):  # of another plugin's task; its own are checked as such
            sources[task.name] = host.languages.get(host.sources.get(task.source.split("+")[-1].strip()).language)
    targets = {
        task.name: tuple(host.languages.get(code) for code in task.languages if code in host.languages)
        for task in host.tasks.values()
        if task.name in sources
    }
    for name, languages in targets.items():
        other = World(languages[-1], {name: languages})
        for world, about in ((World(sources[name], {name: languages}), ""), (other, f" from {other.source.code}")):
            found += [Case(f"{name}/{lang.code}{about}", host.tasks.get(name), lang, world) for lang in languages]
    for suite in host.suites.values():
        whole = {name: targets[name] for name in suite.tasks if name in targets}
        for name, languages in whole.items():
            world, about = World(sources[name], whole), f" in the suite {suite.name}"
            found += [Case(f"{name}/{lang.code}{about}", host.tasks.get(name), lang, world) for lang in languages]
    return found


def printed(strategy: Strategy, asked: Iterable[Case]) -> dict[str, str]:
    """Every answer as text, by the name of the case; what is raised is an answer too."""
    return {case.name: repr(answer(strategy, case)) for case in asked}


def checks(subject: Subject) -> Iterator[Check]:
    """Of the chosen strategies, or of the plugin's own as they are by default."""
    host = subject.host
    labels = subject.strategies or tuple(item.qualified for item in subject.own(host.strategies))
    if not labels:
        return
    asked = cases(host)
    theirs: Mapping[str, Any] = {}
    fault = ""
    try:
        other = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
        theirs = probe.ask("answers", (*subject.modules, *(f"--strategy={label}" for label in labels)), hash_seed=other)
    except RuntimeError as error:
        fault = f"fails in a fresh interpreter: {error}"
    for label in labels:
        of = f"strategy {label if subject.strategies else label.partition('/')[2]}"
        yield from _checks_of(host.choose_strategy(label).strategy, of, asked, theirs.get(label, {}), fault, host)


def _checks_of(
    strategy: Strategy, of: str, asked: Sequence[Case], theirs: Mapping[str, str], fault: str, host: Host
) -> Iterator[Check]:
    before = _state(strategy, asked)
    answers = {case.name: answer(strategy, case) for case in asked}
    after = _state(strategy, asked)
    again = {case.name: answer(strategy, case) for case in reversed(asked)}
    if reason := refusal(strategy, answers.values()):
        yield Check("recipe for every target", of, note=f"needs parameters ({reason}); check it with --strategy")
        return
    wrong = [(name, answer) for name, answer in answers.items() if not isinstance(answer, Recipe)]
    yield Check("recipe for every target", of, _wrong(wrong), note="" if wrong else f"{len(answers)} recipes")
    recipes = {name: answer for name, answer in answers.items() if isinstance(answer, Recipe)}
    yield Check("recipes are frozen", of, _first(recipes, _frozen))
    yield Check("languages are known", of, _first(recipes, lambda recipe: _unknown(recipe, host)))
    changed = [what for what in before if before[what] != after[what]]
    yield Check("changes nothing", of, f"recipe() changes {', '.join(changed)}: let it only read" if changed else "")
    yield Check("same answer again", of, _differs(answers, again, "asked again, in another order"))
    texts = {name: repr(answer) for name, answer in answers.items()}
    elsewhere = fault or _differs(texts, theirs, "in another process (sort what comes out of a set)")
    yield Check("same answer elsewhere", of, elsewhere)


def refusal(strategy: Strategy, answers: Iterable[object]) -> str:
    """Why a strategy with parameters answers nothing without them; empty where it answers anything."""
    given = list(answers)
    refused = bool(given and parameters(strategy)) and all(_refuses(strategy, answer) for answer in given)
    return str(given[0]) if refused else ""


def answer(strategy: Strategy, case: Case) -> object:
    """The recipe for a case, or what was raised or given in its place."""
    try:
        return strategy.recipe(case.task, case.target, case.world)
    except Exception as error:
        return error


def _refuses(strategy: Strategy, answer: object) -> bool:
    """Whether it is a refusal in the strategy's own words, not a fault that xleval found in its recipe."""
    if not isinstance(answer, UserError):
        return False
    frame = answer.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = frame.tb_frame.f_globals["__name__"] if frame is not None else ""
    return bool(where.partition(".")[0] == type(strategy).__module__.partition(".")[0])


def _state(strategy: Strategy, asked: Sequence[Case]) -> dict[str, object]:
    """What a strategy could change: its own attributes, its tasks and its worlds."""
    return {
        "the strategy itself": repr(getattr(strategy, "__dict__", {})),
        "its task": [task.model_dump_json() for task in {c.task.name: c.task for c in asked}.values()],
        "its world": [dict(world.targets) for world in {id(c.world): c.world for c in asked}.values()],
    }


def _wrong(wrong: Sequence[tuple[str, object]]) -> str:
    if not wrong:
        return ""
    name, answer = wrong[0]
    what = f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else f"{answer!r} in place of a Recipe"
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{name}: {what}{more}"


def _first(recipes: Mapping[str, Recipe], fault: Any) -> str:
    return next((f"{name}: {found}" for name, recipe in recipes.items() if (found := fault(recipe))), "")


def _frozen(recipe: Recipe) -> str:
    try:
        hash(recipe)
    except TypeError as error:
        return f"{recipe!r} is not hashable ({error}): make modules with LA, BA, MA, Fusion or NONE"
    return ""


def _unknown(recipe: Recipe, host: Host) -> str:
    codes = [code for module in recipe.modules() for code in module.languages]
    codes += [recipe.tuned.language] if recipe.tuned else []
    unknown = [code for code in codes if code not in host.languages]
    return f"unknown language {unknown[0]!r} (see `xleval ls languages`)" if unknown else ""


def _differs(one: Mapping[str, object], other: Mapping[str, object], how: str) -> str:
    for name, answer in one.items():
        if (isinstance(answer, Exception) and repr(answer) == repr(other.get(name))) or answer == other.get(name):
            continue
        return f"{name}: {answer!r}, but {how}: {other.get(name)!r}"
    return ""
