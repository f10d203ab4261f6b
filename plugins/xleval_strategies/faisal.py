"""Transfer and interference of languages (Faisal & Anastasopoulos 2024): a TA trained without any LA, once.

In the paper its data are pooled from several languages: ``--source-language`` with more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval import LA, NONE, Fusion, Recipe, TaskAdapter, Tuned

if TYPE_CHECKING:
    from xleval import Language, World
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Transfer:
    """What some MLM steps on one language do to all targets; ``la-none-tr`` is the same without them.

    Without ``lang`` it is the target itself.
    """

    lang: str = ""
    steps: int = 100
    adapter: TaskAdapter = "bottleneck"

    name = "transfer"
    summary = "TA trained without LA; the backbone under it has had some MLM steps on one transfer language"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train without LA; infer without, on the backbone after ``steps`` MLM steps on ``lang``."""
        return Recipe([NONE], NONE, adapter=self.adapter, tuned=Tuned(self.lang or target.code, self.steps))


@dataclass(frozen=True)
class FusedLAs:
    """LAs fused under the TA: ``langs`` as in ``deu+tur``, or source and target where none are named.

    ``trained``: the fusion layer is trained by MLM on those languages' text; the released code never trains it.
    One language alone is its LA, not fused.
    """

    langs: tuple[str, ...] = ()
    trained: bool = False
    adapter: TaskAdapter = "bottleneck"

    name = "fusion"
    summary = "TA trained without LA; a fusion of LAs under it at inference"

    def recipe(self, task: TaskSpec, target: Language, world: World) -> Recipe:
        """Train without LA; infer on Fuse(LA(l1), LA(l2), …)."""
        langs = self.langs or tuple(dict.fromkeys((world.source.code, target.code)))
        module = Fusion(map(LA, langs), trained=self.trained)
        return Recipe([NONE], module, adapter=self.adapter)
