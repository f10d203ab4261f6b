"""What a strategy says: frozen data that the planner turns into artifacts.

A strategy differs from another only in which language modules its task adapter (TA) is trained on and
which one stands under it at inference. It trains nothing, loads nothing and knows no device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from xleval.errors import UserError, nearest

if TYPE_CHECKING:
    from xleval.languages import Language
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class LanguageModule:
    """What stands under the task adapter: one language adapter (``kind="la"``) or nothing (``"none"``)."""

    kind: str
    languages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind.upper()}({', '.join(self.languages)})" if self.languages else self.kind


def LA(language: Language | str) -> LanguageModule:  # noqa: N802 - the field writes it so
    """The language adapter of one language, trained by masked language modelling on its text."""
    return LanguageModule("la", (language if isinstance(language, str) else language.code,))


#: No language module: the task adapter stands alone on the backbone.
NONE = LanguageModule("none")


@dataclass(frozen=True)
class Recipe:
    """How one target language gets its task adapter.

    ``train_on``  the modules that optimiser steps cycle through: step s uses module s mod K.
    ``infer_on``  the module under the task adapter when it predicts the target language.
    ``drop_last`` no language or task adapter in the last layer (MAD-X v2.0; the invertible adapter stays).
    ``dev_on``    the module under which source-language dev data select the checkpoint; by default the
                  first of ``train_on``, which every cyclic strategy makes the source language's.
    """

    train_on: Sequence[LanguageModule]
    infer_on: LanguageModule
    drop_last: bool = False
    dev_on: LanguageModule | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "train_on", tuple(self.train_on))
        if not self.train_on:
            raise UserError("a recipe needs at least one module to train on; use NONE for no language adapter")

    @property
    def selected_on(self) -> LanguageModule:
        """The module under which the checkpoint is selected."""
        return self.dev_on or self.train_on[0]

    def modules(self) -> tuple[LanguageModule, ...]:
        """Every module the recipe names, each once, in order of first use."""
        return tuple(dict.fromkeys((*self.train_on, self.selected_on, self.infer_on)))


@dataclass(frozen=True)
class World:
    """What a strategy may know beyond its task and target: the source language and all targets.

    The targets are those of the suite that is run; without a suite, those of the tasks and languages
    that were asked for. They do not shrink when a suite's run is narrowed with ``--language``.
    """

    source: Language
    targets: Mapping[str, tuple[Language, ...]]

    def target_languages(self, task: str | None = None) -> tuple[Language, ...]:
        """Target languages of one task, or of all, without the source, each once, in order of code."""
        tasks = self.targets if task is None else {task: self.targets[task]}
        found = {lang.code: lang for langs in tasks.values() for lang in langs}
        found.pop(self.source.code, None)
        return tuple(found[code] for code in sorted(found))


@runtime_checkable
class Strategy(Protocol):
    """What a plugin gives from ``xleval_strategies``. Fields of a dataclass become its parameters."""

    @property
    def name(self) -> str:
        """Name on the command line, in lower case with dashes."""

    @property
    def summary(self) -> str:
        """One line for ``xleval ls strategies``."""

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """The recipe for one target language; pure, and the same for the same arguments."""


@dataclass(frozen=True)
class ChosenStrategy:
    """A strategy with its parameters as given on the command line; ``label`` is what tables print."""

    label: str
    plugin: str
    version: str
    strategy: Strategy
    parameters: tuple[tuple[str, str], ...] = ()


def parameters(strategy: Strategy) -> dict[str, Any]:
    """Parameters of a strategy with their values: the fields of its dataclass, none otherwise."""
    if not is_dataclass(strategy):
        return {}
    return {f.name: getattr(strategy, f.name) for f in fields(strategy) if f.init and f.name not in ("name", "summary")}


def configure(strategy: Strategy, given: Mapping[str, str]) -> Strategy:
    """The strategy with ``given`` parameters, parsed by the types of its dataclass fields.

    Raises:
        UserError: for a parameter that it does not have, or a value of the wrong type.
    """
    if not given:
        return strategy
    known = parameters(strategy)
    for key in given:
        if key not in known:
            have = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"strategy {strategy.name!r} has no parameter {key!r} ({have}){nearest(key, known)}")
    from typing import get_type_hints

    from pydantic import TypeAdapter, ValidationError

    hints, values = get_type_hints(type(strategy)), dict[str, Any]()
    for key, text in given.items():
        try:
            values[key] = TypeAdapter(hints[key]).validate_python(text)
        except ValidationError as error:
            raise UserError(f"strategy {strategy.name!r}: {key}={text}: {error.errors()[0]['msg']}") from None
    # Not the class anew: two strategies of one class may differ in their names.
    made: Strategy = replace(strategy, **values)  # type: ignore[type-var]
    return made


def split_choice(text: str) -> tuple[str, dict[str, str]]:
    """``"badx:ratio=5:1,steps=10"`` as its name and parameters.

    Raises:
        UserError: for a parameter without ``=``.
    """
    name, _, rest = text.partition(":")
    given: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, sign, value = part.partition("=")
        if not sign:
            raise UserError(f"--strategy {text}: {part!r} is not key=value (write {name}:key=value,key=value)")
        given[key.strip()] = value.strip()
    return name.strip(), given
