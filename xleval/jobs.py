"""The nodes of the graph: frozen descriptions of artifacts to make, and the cells that they serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xleval.adapter_download import KIND as PUBLISHED
from xleval.adapter_download import fingerprint as of_hub
from xleval.fingerprint import digest, files_digest
from xleval.recipe import LA, LanguageModule, Tuned

if TYPE_CHECKING:
    from xleval.adapterhub import PublishedAdapter
    from xleval.languages import Language
    from xleval.recipe import ChosenStrategy, Recipe
    from xleval.tasks.sources import Located
    from xleval.tasks.spec import TaskSpec
    from xleval.tasks.texts import Text


@dataclass(frozen=True, eq=False)
class Job:
    """Something the store holds or will hold under ``fingerprint``, which is its identity."""

    kind: ClassVar[str]
    fingerprint: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def needs(self) -> tuple[Job, ...]:
        """What it stands on: made before it."""
        return ()

    @property
    def label(self) -> str:
        """Short description for progress bars and messages."""
        return self.kind.replace("_", " ")

    @property
    def texts(self) -> tuple[Text, ...]:
        """Unlabelled text that it is trained on."""
        return ()

    @property
    def stored(self) -> tuple[str, str]:
        """Kind and fingerprint under which the store has it."""
        return self.kind, self.fingerprint


@dataclass(frozen=True, eq=False)
class LanguageAdapterJob(Job):
    """A language, bilingual or multilingual adapter: to be trained by MLM on ``texts``, or ready-made.

    ``texts`` has one for each language of ``module``, in its order. A ready-made one lies in ``folder``, or is
    ``published`` on the hub and brought into the store.
    """

    kind: ClassVar[str] = "language_adapter"
    module: LanguageModule
    hyper: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[Text, ...] = ()
    folder: Path | None = None
    published: PublishedAdapter | None = None

    @property
    def stored(self) -> tuple[str, str]:
        return (PUBLISHED, of_hub(self.published)) if self.published else (self.kind, self.fingerprint)

    @property
    def language(self) -> str:
        """Its languages, joined by ``+``."""
        return "+".join(self.module.languages)

    @property
    def label(self) -> str:
        return f"LA {self.language}" if self.module.kind == "la" else str(self.module)

    @classmethod
    def from_folder(cls, language: str, folder: Path, backbone: str) -> LanguageAdapterJob:
        """A ready-made adapter in the adapters library's format; its identity is its files."""
        files = files_digest(folder, ["adapter_config.json", "adapter.safetensors"])
        inputs = {"kind": "language_adapter", "backbone": backbone, "language": language, "files": files}
        return cls(digest(inputs), LA(language), {}, (), folder)

    @classmethod
    def from_hub(cls, language: str, published: PublishedAdapter, backbone: str) -> LanguageAdapterJob:
        """A published adapter; its identity is its id and revision."""
        inputs = {"kind": "language_adapter", "backbone": backbone, "language": language, "hub": of_hub(published)}
        return cls(digest(inputs), LA(language), {}, (), None, published)


@dataclass(frozen=True, eq=False)
class FusionJob(Job):
    """A layer that fuses adapters: initialised, and where ``module.trained`` trained by MLM on ``texts`` in turn."""

    kind: ClassVar[str] = "fusion"
    module: LanguageModule
    parts: tuple[LanguageAdapterJob, ...]
    hyper: Mapping[str, Any]
    texts: tuple[Text, ...] = ()

    @property
    def needs(self) -> tuple[Job, ...]:
        return self.parts

    @property
    def language(self) -> str:
        """Its languages, joined by ``+``."""
        return "+".join(self.module.languages)

    @property
    def label(self) -> str:
        return str(self.module)


#: What may stand under a task adapter.
ModuleJob = LanguageAdapterJob | FusionJob


@dataclass(frozen=True, eq=False)
class BackboneJob(Job):
    """The backbone after some MLM steps on one language, all of its weights trained."""

    kind: ClassVar[str] = "backbone"
    tuned: Tuned
    hyper: Mapping[str, Any]
    text: Text | None

    @property
    def texts(self) -> tuple[Text, ...]:
        return (self.text,) if self.text else ()

    @property
    def label(self) -> str:
        return str(self.tuned)


#: What task adapters and predictions stand on.
Foundation = LanguageAdapterJob | FusionJob | BackboneJob


@dataclass(frozen=True, eq=False)
class TaskAdapterJob(Job):
    """A task adapter trained on source-language data while cycling through language modules.

    ``cycle``: step s stands on ``cycle[s mod len(cycle)]``; None is no module. ``start``: the task adapter that
    training goes on from, where a task learns from one data set after the other. ``adapter``: its kind, one of
    :data:`xleval.recipe.TASK_ADAPTERS`.
    """

    kind: ClassVar[str] = "task_adapter"
    task: TaskSpec
    train: Located
    dev: Located
    hyper: Mapping[str, Any]
    seed: int
    cycle: tuple[ModuleJob | None, ...]
    dev_module: ModuleJob | None
    drop_last: bool
    source_language: str
    start: TaskAdapterJob | None = None
    adapter: str = "bottleneck"

    @property
    def needs(self) -> tuple[Job, ...]:
        return tuple(dict.fromkeys(job for job in (*self.cycle, self.dev_module, self.start) if job is not None))

    @property
    def stages(self) -> tuple[TaskAdapterJob, ...]:
        """This training and those before it, the first one first."""
        return (*(self.start.stages if self.start else ()), self)

    @property
    def label(self) -> str:
        names = {module.label if module else "no LA" for module in self.cycle}
        on = f"{len(names)} modules" if len(names) > 1 else names.pop()
        learned = f" from {self.train.dataset}" if self.start else ""
        if self.adapter == "full":
            return f"backbone fine-tuned on {self.task.name}{learned}, seed {self.seed}"
        kind = "" if self.adapter == "bottleneck" else f" ({self.adapter})"
        return f"TA{kind} {self.task.name}{learned} on {on}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class PredictionJob(Job):
    """Predictions of one task adapter on one language's evaluation split; ``options`` is the group ``eval``.

    ``backbone``: the tuned backbone that predicts, if it is not the untouched one.
    """

    kind: ClassVar[str] = "prediction"
    task: TaskSpec
    task_adapter: TaskAdapterJob
    module: ModuleJob | None
    data: Located
    options: Mapping[str, Any] = field(default_factory=dict)
    backbone: BackboneJob | None = None

    @property
    def needs(self) -> tuple[Job, ...]:
        return tuple(job for job in (self.task_adapter, self.module, self.backbone) if job is not None)

    @property
    def label(self) -> str:
        return f"predictions {self.task.name}/{self.data.language}"

    @property
    def splits(self) -> tuple[Located, ...]:
        """All labelled data that it depends on: of each training, and to evaluate."""
        return (*(data for stage in self.task_adapter.stages for data in (stage.train, stage.dev)), self.data)


def in_order(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """Jobs and everything that they need, each once, what is needed before what needs it."""
    found: dict[Job, None] = {}

    def visit(job: Job) -> None:
        if job not in found:
            for needed in job.needs:
                visit(needed)
            found[job] = None

    for job in jobs:
        visit(job)
    return tuple(found)


@dataclass(frozen=True)
class Cell:
    """One number of the table: (backbone, strategy, task, target, seed)."""

    strategy: ChosenStrategy
    task: TaskSpec
    language: Language
    seed: int
    recipe: Recipe
    prediction: PredictionJob
    target_scope: str

    @property
    def config_sha256(self) -> str:
        """Digest of the strategy as configured, and of what it said to train."""
        recipe = self.recipe
        return digest(
            {
                "strategy": self.strategy.label,
                "train_on": [str(module) for module in recipe.train_on],
                "dev_on": str(recipe.selected_on),
                "drop_last": recipe.drop_last,
                **({"adapter": recipe.adapter} if recipe.adapter != "bottleneck" else {}),
                **({"tuned": str(recipe.tuned)} if recipe.tuned else {}),
            }
        )

    @property
    def train_run_id(self) -> str:
        """Identity of the training that made the score: scores that share it move together."""
        return "sha256:" + self.prediction.task_adapter.fingerprint

    @property
    def run_id(self) -> str:
        """Identity of the strategy's run: its label and plugin on one training."""
        return "sha256:" + digest(
            {"strategy": self.strategy.label, "plugin": self.strategy.plugin, "train_run_id": self.train_run_id}
        )
