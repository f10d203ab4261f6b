"""MAD-X (Pfeiffer et al. 2020) and BAD-X (Parović et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval import BA, LA, MA, Recipe, TaskAdapter

if TYPE_CHECKING:
    from xleval import Language, World
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class MadX:
    """MAD-X v2.0, as run by Parović et al. 2023: no adapter in the last layer."""

    adapter: TaskAdapter = "bottleneck"

    name = "madx"
    summary = "TA trained on the source LA; the target LA takes its place at inference (MAD-X v2.0)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer on LA(target)."""
        return Recipe([LA(world.source)], LA(target), drop_last=True, adapter=self.adapter)


@dataclass(frozen=True)
class MadXV1:
    """MAD-X as first published: adapters in every layer."""

    adapter: TaskAdapter = "bottleneck"

    name = "madx-v1"
    summary = "MAD-X with adapters in every layer, the last one included"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer on LA(target), all layers."""
        return Recipe([LA(world.source)], LA(target), adapter=self.adapter)


@dataclass(frozen=True)
class BadX:
    """BAD-X (Parović et al. 2022): a bilingual adapter for each pair of source and target.

    ``ratio`` N:M is that of source to target batches when the bilingual adapter is trained.
    """

    ratio: str = "1:1"
    adapter: TaskAdapter = "bottleneck"

    name = "badx"
    summary = "TA trained and used on the bilingual adapter of source and target, one TA for each target (BAD-X)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer on BA(source, target); in the source language itself on LA(source)."""
        same = target.code == world.source.code
        module = LA(target) if same else BA(world.source, target, self.ratio)
        return Recipe([module], module, drop_last=True, adapter=self.adapter)


@dataclass(frozen=True)
class MultilingualLA:
    """The multilingual language adapter that BAD-X is compared with (Parović et al. 2022)."""

    adapter: TaskAdapter = "bottleneck"

    name = "multilingual-la"
    summary = "TA trained and used on one adapter trained on the source and all targets of the task, round robin"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer on MA(source, targets of the task)."""
        targets = world.target_languages(task.name)
        module = MA([world.source, *targets]) if targets else LA(world.source)
        return Recipe([module], module, drop_last=True, adapter=self.adapter)
