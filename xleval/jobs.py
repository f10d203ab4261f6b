"""The nodes of the graph: frozen descriptions of artifacts to make, and the cells that they serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xleval.errors import UserError
from xleval.fingerprint import digest, files_digest

if TYPE_CHECKING:
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


@dataclass(frozen=True, eq=False)
class LanguageAdapterJob(Job):
    """A language adapter: to be trained by MLM on ``text``, or given ready-made in ``folder``."""

    kind: ClassVar[str] = "language_adapter"
    language: str
    hyper: Mapping[str, Any] = field(default_factory=dict)
    text: Text | None = None
    folder: Path | None = None

    @classmethod
    def from_folder(cls, language: str, folder: Path, backbone: str) -> LanguageAdapterJob:
        """A ready-made adapter in the adapters library's format; its identity is its files.

        Raises:
            UserError: when the folder holds no adapter.
        """
        weights = folder / "adapter.safetensors"
        if not (folder / "adapter_config.json").is_file() or not weights.is_file():
            raise UserError(
                f"--la {language}={folder}: no adapter there (needs adapter_config.json and adapter.safetensors, "
                "as model.save_adapter(…, use_safetensors=True) writes)"
            )
        files = files_digest(folder, ["adapter_config.json", "adapter.safetensors"])
        inputs = {"kind": "language_adapter", "backbone": backbone, "language": language, "files": files}
        return cls(digest(inputs), language, {}, None, folder)


@dataclass(frozen=True, eq=False)
class TaskAdapterJob(Job):
    """A task adapter trained on source-language data while cycling through language adapters.

    ``cycle``: step s stands on ``cycle[s mod len(cycle)]``; None is no language adapter. ``start``: the task
    adapter that training goes on from, where a task learns from one data set after the other.
    """

    kind: ClassVar[str] = "task_adapter"
    task: TaskSpec
    train: Located
    dev: Located
    hyper: Mapping[str, Any]
    seed: int
    cycle: tuple[LanguageAdapterJob | None, ...]
    dev_adapter: LanguageAdapterJob | None
    drop_last: bool
    source_language: str
    start: TaskAdapterJob | None = None

    @property
    def stages(self) -> tuple[TaskAdapterJob, ...]:
        """This training and those before it, the first one first."""
        return (*(self.start.stages if self.start else ()), self)

    @property
    def label(self) -> str:
        """Short description for progress bars."""
        names = {adapter.language if adapter else "no LA" for adapter in self.cycle}
        on = f"{len(names)} LAs" if len(names) > 1 else names.pop()
        learned = f" from {self.train.dataset}" if self.start else ""
        return f"TA {self.task.name}{learned} on {on}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class PredictionJob(Job):
    """Predictions of one task adapter on one language's evaluation split; ``options`` is the group ``eval``."""

    kind: ClassVar[str] = "prediction"
    task: TaskSpec
    task_adapter: TaskAdapterJob
    language_adapter: LanguageAdapterJob | None
    data: Located
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[Located, ...]:
        """All labelled data that it depends on: of each training, and to evaluate."""
        return (*(data for stage in self.task_adapter.stages for data in (stage.train, stage.dev)), self.data)


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
