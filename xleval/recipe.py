"""What a strategy says: frozen data that the planner turns into artifacts.

A strategy differs from another only in which language modules its task adapter (TA) is trained on and
which one stands under it at inference. It trains nothing, loads nothing and knows no device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from xleval.errors import UserError, nearest

if TYPE_CHECKING:
    from xleval.languages import Language
    from xleval.tasks.spec import TaskSpec


#: What a task adapter may be, as the adapters library has it.
TaskAdapter = Literal["bottleneck", "parallel", "lora", "ia3", "prefix"]

#: The same, and ``full``: the backbone is fine-tuned, without adapters.
TASK_ADAPTERS = (*get_args(TaskAdapter), "full")


@dataclass(frozen=True)
class LanguageModule:
    """What stands under the task adapter. Made by :func:`LA`, :func:`BA`, :func:`MA`, :func:`Fusion`, or ``NONE``.

    ``kind`` is ``la``, ``ba``, ``ma``, ``fusion`` or ``none``; ``ratio`` is of a bilingual adapter, ``parts`` and
    ``trained`` are of a fusion.
    """

    kind: str
    languages: tuple[str, ...] = ()
    ratio: tuple[int, int] = (1, 1)
    parts: tuple[LanguageModule, ...] = ()
    trained: bool = False

    def __str__(self) -> str:
        if self.kind == "none":
            return "none"
        inner = [str(part) for part in self.parts] or list(self.languages)
        if self.kind == "ba" and self.ratio != (1, 1):
            inner.append("{}:{}".format(*self.ratio))
        if self.trained:
            inner.append("trained")
        return f"{'Fuse' if self.kind == 'fusion' else self.kind.upper()}({', '.join(inner)})"


def LA(language: Language | str) -> LanguageModule:  # noqa: N802 - the field writes it so
    """The language adapter of one language, trained by masked language modelling on its text."""
    return LanguageModule("la", (_code(language),))


def BA(source: Language | str, target: Language | str, ratio: str = "1:1") -> LanguageModule:  # noqa: N802
    """A bilingual adapter (BAD-X, Parović et al. 2022): MLM on both languages' text in turn.

    ``ratio`` ``N:M`` takes N batches of the source, then M of the target; the checkpoint is selected on the target.

    Raises:
        UserError: a ratio that is not two whole numbers of at least 1, or one language twice.
    """
    languages = (_code(source), _code(target))
    if languages[0] == languages[1]:
        raise UserError(f"a bilingual adapter needs two languages, not {languages[0]} twice")
    return LanguageModule("ba", languages, ratio=parse_ratio(ratio))


def MA(languages: Iterable[Language | str]) -> LanguageModule:  # noqa: N802
    """A multilingual adapter (Parović et al. 2022): MLM on the text of several languages, round robin.

    Raises:
        UserError: fewer than two languages.
    """
    codes = tuple(dict.fromkeys(map(_code, languages)))
    if len(codes) < 2:
        raise UserError(f"a multilingual adapter needs at least two languages, not {', '.join(codes) or 'none'}")
    return LanguageModule("ma", codes)


def Fusion(modules: Iterable[LanguageModule], trained: bool = False) -> LanguageModule:  # noqa: N802
    """Adapters fused by attention (AdapterFusion, Pfeiffer et al. 2021); one alone is that adapter itself.

    ``trained``: the fusion layer is trained by MLM on the text of its languages in turn, the adapters frozen; else
    it stays as it is initialised (near their mean), as in the released code of Faisal & Anastasopoulos 2024.
    As in the adapters library, only the first module's invertible adapter takes part.

    Raises:
        UserError: no module, one twice, or one that cannot be fused.
    """
    parts = tuple(modules)
    if not parts or len(set(parts)) < len(parts) or any(part.kind not in ("la", "ba", "ma") for part in parts):
        raise UserError(f"a fusion needs different language adapters, not {', '.join(map(str, parts)) or 'nothing'}")
    if len(parts) == 1:
        return parts[0]
    languages = tuple(dict.fromkeys(code for part in parts for code in part.languages))
    return LanguageModule("fusion", languages, parts=parts, trained=trained)


#: No language module: the task adapter stands alone on the backbone.
NONE = LanguageModule("none")


def parse_ratio(text: str) -> tuple[int, int]:
    """``"5:1"`` as (5, 1); raises UserError for anything else."""
    source, _, target = text.partition(":")
    if not (source.isdecimal() and target.isdecimal() and int(source) and int(target)):
        raise UserError(f"ratio {text!r}: write N:M, N source batches to M target batches, such as 5:1")
    return int(source), int(target)


def _code(language: Language | str) -> str:
    return language if isinstance(language, str) else language.code


@dataclass(frozen=True)
class Tuned:
    """A backbone that has had ``steps`` of MLM, all weights trained, on the text of one language."""

    language: str
    steps: int

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise UserError(f"a backbone is tuned for at least 1 step, not {self.steps!r}")

    def __str__(self) -> str:
        return f"backbone after {self.steps} MLM steps on {self.language}"


@dataclass(frozen=True)
class Recipe:
    """How one target language gets its task adapter.

    ``train_on``  the modules that optimiser steps cycle through: step s uses module s mod K.
    ``infer_on``  the module under the task adapter when it predicts the target language.
    ``drop_last`` no language or task adapter in the last layer (MAD-X v2.0; the invertible adapter stays).
    ``dev_on``    the module under which source-language dev data select the checkpoint; by default the
                  first of ``train_on``, which every cyclic strategy makes the source language's.
    ``adapter``   what the task adapter is, one of :data:`TASK_ADAPTERS`; ``full`` fine-tunes the backbone instead.
    ``tuned``     the backbone that predicts has had some MLM steps on a language; training used the untouched one.

    Raises:
        UserError: nothing to train on, something that is no language module, or parts that exclude each other.
    """

    train_on: Sequence[LanguageModule]
    infer_on: LanguageModule
    drop_last: bool = False
    dev_on: LanguageModule | None = None
    adapter: str = "bottleneck"
    tuned: Tuned | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "train_on", tuple(self.train_on))
        if not self.train_on:
            raise UserError("a recipe needs at least one module to train on; use NONE for no language adapter")
        for module in self.modules():
            if not isinstance(module, LanguageModule):
                raise UserError(f"a recipe's modules are LA(…), BA(…), MA(…), Fusion(…) or NONE, not {module!r}")
            if module.kind not in ("la", "ba", "ma", "fusion", "none"):
                raise UserError(f"unknown kind of language module {module.kind!r} ({module})")
        if self.adapter not in TASK_ADAPTERS:
            raise UserError(f"adapter={self.adapter!r}: choose one of {', '.join(TASK_ADAPTERS)}")
        if self.adapter == "full" and (set(self.modules()) != {NONE} or self.tuned):
            raise UserError("full fine-tuning stands on no language module and no tuned backbone")

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
    """The strategy with ``given`` parameters, parsed by the types of its dataclass fields; ``a+b`` is a tuple.

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
    from typing import get_origin, get_type_hints

    from pydantic import TypeAdapter, ValidationError

    hints, values = get_type_hints(type(strategy)), dict[str, Any]()
    for key, text in given.items():
        try:
            value = text.split("+") if get_origin(hints[key]) is tuple else text
            values[key] = TypeAdapter(hints[key]).validate_python(value)
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
