"""Built-in strategies. Each says which language adapters (LA) the task adapter (TA) is trained on, and which
one stands under it at inference. To add one, write a class like these and list it in ``xleval_strategies``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xleval import LA, NONE, Recipe, hookimpl

if TYPE_CHECKING:
    from xleval import Language, World
    from xleval.recipe import Strategy
    from xleval.tasks.spec import TaskSpec


class MadX:
    """MAD-X v2.0 (Pfeiffer et al. 2020, as run by Parović et al. 2023): no adapter in the last layer."""

    name = "madx"
    summary = "TA trained on the source LA; the target LA takes its place at inference (MAD-X v2.0)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer on LA(target)."""
        return Recipe(train_on=[LA(world.source)], infer_on=LA(target), drop_last=True)


class AllMulti:
    """TLR ALL-MULTI (Parović et al. 2023, section 3): the TA meets every target LA in training."""

    name = "tlr-all-multi"
    summary = "one TA, trained while cycling over the LAs of the source and of every target of every task"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Cycle over LA(source) and all targets' LAs, source first; infer on LA(target)."""
        cycle = [LA(world.source), *map(LA, world.target_languages())]
        return Recipe(train_on=cycle, infer_on=LA(target), drop_last=True)


class LaSource:
    """Ablation of Kunz & Holmström 2024: the source LA stays at inference."""

    name = "la-source"
    summary = "TA trained on the source LA, which stays under it at inference (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer on LA(source), all layers."""
        return Recipe(train_on=[LA(world.source)], infer_on=LA(world.source))


class LaNone:
    """Ablation of Kunz & Holmström 2024: the LA is taken away at inference."""

    name = "la-none"
    summary = "TA trained on the source LA; nothing under it at inference (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer without."""
        return Recipe(train_on=[LA(world.source)], infer_on=NONE)


class LaNoneTr:
    """Ablation of Kunz & Holmström 2024: no LA at all."""

    name = "la-none-tr"
    summary = "TA trained and used without any LA (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer without language adapters."""
        return Recipe(train_on=[NONE], infer_on=NONE)


@hookimpl
def xleval_strategies() -> Iterable[Strategy]:
    """The strategies of this package."""
    return [MadX(), AllMulti(), LaSource(), LaNone(), LaNoneTr()]
