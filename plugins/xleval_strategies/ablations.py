"""What language adapters contribute: the ablations of Kunz & Holmström 2024, and no adapters at all.

All layers have adapters here. The first three train the same TA, on the source LA, and differ at inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval import LA, NONE, Recipe, TaskAdapter

if TYPE_CHECKING:
    from xleval import Language, World
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class LaTarget:
    """Kunz & Holmström's TARGET: the target LA replaces the source LA, as in MAD-X."""

    adapter: TaskAdapter = "bottleneck"

    name = "la-target"
    summary = "TA trained on the source LA; the target LA under it at inference"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer on LA(target)."""
        return Recipe([LA(world.source)], LA(target), adapter=self.adapter)


@dataclass(frozen=True)
class LaSource:
    """Kunz & Holmström's SOURCE: the source LA stays at inference."""

    adapter: TaskAdapter = "bottleneck"

    name = "la-source"
    summary = "TA trained on the source LA, which stays under it at inference (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer on LA(source)."""
        return Recipe([LA(world.source)], LA(world.source), adapter=self.adapter)


@dataclass(frozen=True)
class LaNone:
    """Kunz & Holmström's NONE: the LA is taken away at inference."""

    adapter: TaskAdapter = "bottleneck"

    name = "la-none"
    summary = "TA trained on the source LA; nothing under it at inference (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train on LA(source), infer without."""
        return Recipe([LA(world.source)], NONE, adapter=self.adapter)


@dataclass(frozen=True)
class LaNoneTr:
    """Kunz & Holmström's NONE-TR: no LA at all."""

    adapter: TaskAdapter = "bottleneck"

    name = "la-none-tr"
    summary = "TA trained and used without any LA (ablation)"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train and infer without language adapters."""
        return Recipe([NONE], NONE, adapter=self.adapter)


class FullFineTuning:
    """The baseline without adapters: every weight of the backbone is trained."""

    name = "full-ft"
    summary = "the whole backbone fine-tuned on the source data, no adapters"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Fine-tune the backbone."""
        return Recipe([NONE], NONE, adapter="full")
