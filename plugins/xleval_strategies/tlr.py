"""Target language-ready task adapters (TLR, Parović et al. 2023): the TA meets target LAs in training.

They differ in the LAs that training cycles through, a step each, the source's first. All drop the last layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval import LA, Recipe, TaskAdapter

if TYPE_CHECKING:
    from xleval import Language, World
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class _Tlr(ABC):
    adapter: TaskAdapter = "bottleneck"

    @abstractmethod
    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Languages whose LAs the TA is trained on, in order."""

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Cycle over the LAs of :meth:`cycle`, each language once; infer on LA(target)."""
        cycle = dict.fromkeys(map(LA, self.cycle(task, target, world)))
        return Recipe(list(cycle), LA(target), drop_last=True, adapter=self.adapter)


@dataclass(frozen=True)
class Target(_Tlr):
    """TLR TARGET (Parović et al. 2023): one TA for each target, trained on that target's LA alone."""

    name = "tlr-target"
    summary = "one TA for each target, trained on the target's LA"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """The target."""
        return [target]


@dataclass(frozen=True)
class Bilingual(_Tlr):
    """TLR BILINGUAL (Parović et al. 2023): one TA for each target, trained on the LAs of source and target in turn."""

    name = "tlr-bilingual"
    summary = "one TA for each target, trained while switching between the LAs of source and target"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Source, target."""
        return [world.source, target]


@dataclass(frozen=True)
class TaskMulti(_Tlr):
    """TLR TASK-MULTI (Parović et al. 2023): one TA for the task."""

    name = "tlr-task-multi"
    summary = "one TA, trained while cycling over the LAs of the source and of every target of the task"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Source, targets of the task."""
        return [world.source, *world.target_languages(task.name)]


@dataclass(frozen=True)
class AllMulti(_Tlr):
    """TLR ALL-MULTI (Parović et al. 2023): one TA for all tasks that share their source data."""

    name = "tlr-all-multi"
    summary = "one TA, trained while cycling over the LAs of the source and of every target of every task"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Source, targets of all tasks."""
        return [world.source, *world.target_languages()]


@dataclass(frozen=True)
class LeaveOutTask(_Tlr):
    """TLR LEAVE-OUT-TASK (Parović et al. 2023): ALL-MULTI that meets no language of the task it is evaluated on."""

    name = "tlr-leave-out-task"
    summary = "ALL-MULTI without the LAs of the task's own targets"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Source, targets of all tasks but those of this one."""
        own = world.target_languages(task.name)
        return [world.source, *(language for language in world.target_languages() if language not in own)]


@dataclass(frozen=True)
class LeaveOutTarg(_Tlr):
    """TLR LEAVE-OUT-TARG (Parović et al. 2023): ALL-MULTI that does not meet the target it is evaluated on."""

    name = "tlr-leave-out-targ"
    summary = "ALL-MULTI without the target's LA, one TA for each target"

    def cycle(self, task: TaskSpec, target: Language, world: World) -> Sequence[Language]:
        """Source, targets of all tasks but this one."""
        return [world.source, *(language for language in world.target_languages() if language != target)]
