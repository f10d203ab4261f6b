"""The strategy ``example-strategy`` for xleval: a task adapter that meets the languages that have the most data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xleval import LA, Recipe, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xleval import Language, World
    from xleval.recipe import Strategy
    from xleval.tasks.spec import TaskSpec

XLEVAL_API = 1  # the version of the plugin contract that this module is written for


@dataclass(frozen=True)
class ExampleStrategy:
    """Trains while cycling over the source's language adapter and those of the targets of one resource class."""

    resource: Literal["high", "medium", "low"] = "high"  # a field is a parameter: example-strategy:resource=low
    name = "example-strategy"
    summary = "one TA, trained while cycling over the LAs of the source and of the targets with the most data"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Cycle over LA(source) and the chosen targets' LAs, source first; infer on LA(target)."""
        chosen = [language for language in world.target_languages() if language.resource == self.resource]
        return Recipe(train_on=[LA(world.source), *map(LA, chosen)], infer_on=LA(target))


@hookimpl
def xleval_strategies() -> Iterable[Strategy]:
    """What this package adds to xleval."""
    return [ExampleStrategy()]
