"""Resolves the names of an experiment: tasks, languages, data, backbone, seeds, precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.backbones import Backbone, resolve_backbone
from xleval.device import resolve_precision
from xleval.errors import UserError
from xleval.experiment import Experiment, Suite
from xleval.recipe import World
from xleval.tasks.sources import DataOptions, Located, locate, locate_folder
from xleval.tasks.texts import Text, find_text

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.tasks.spec import SourceSpec, TaskSpec

DEFAULT_SUITE = "demo"


@dataclass(frozen=True)
class Scope:
    """An experiment with every name resolved.

    ``targets`` are the languages of the world (what strategies may train on); ``languages`` those to
    evaluate. They differ only when a suite's run is narrowed with ``--language``.
    """

    experiment: Experiment
    host: Host
    suite: Suite | None
    tasks: Mapping[str, TaskSpec]
    targets: Mapping[str, tuple[Language, ...]]
    languages: Mapping[str, tuple[Language, ...]]
    backbone: Backbone
    seeds: tuple[int, ...]
    precision: str
    language_adapters: Mapping[str, Path]
    notices: tuple[str, ...] = ()

    @cached_property
    def options(self) -> DataOptions:
        """Where and how much data to read."""
        limit = self.experiment.limit
        return DataOptions(
            self.experiment.data_dir,
            self.experiment.offline,
            limit.examples if limit else None,
            limit.seed if limit else 0,
        )

    def world(self, task: TaskSpec) -> World:
        """What a strategy sees for one task."""
        return World(self.source_language(task), self.targets)

    def target(self, task: TaskSpec, language: Language) -> Located:
        """The evaluation split of one target language."""
        return locate(task, language.code, task.split, self.options, self.host.providers)

    def source_language(self, task: TaskSpec) -> Language:
        """The language of the task's labelled training data."""
        source = self._source(task)
        return self.host.languages.get(task.source_language if isinstance(source, Path) else source.language)

    def source_data(self, task: TaskSpec) -> tuple[Located, Located]:
        """Train and dev split of the task's source data: the task's default, or what ``--source`` says."""
        source = self._source(task)
        if isinstance(source, Path):
            return (
                locate_folder(task, source, "train", self.options),
                locate_folder(task, source, "dev", self.options),
            )
        language = self.source_language(task).code
        train, dev = (locate(source, language, split, self.options, self.host.providers) for split in ("train", "dev"))
        return train, dev

    def text(self, language: Language) -> Text | None:
        """Unlabelled text of a language, or None."""
        return find_text(language, self.experiment.text_dir, self.host.providers)

    def _source(self, task: TaskSpec) -> SourceSpec | Path:
        given = self.experiment.sources.get(task.name)
        if given is not None and (Path(given).is_dir() or "/" in given):
            return Path(given)
        found = self.host.sources.get(given or task.source)
        if found.family != task.family:
            raise UserError(
                f"--source {task.name}={found.name}: {found.name} is for {found.family}, {task.name} is {task.family}"
            )
        return found


def resolve_scope(experiment: Experiment, host: Host) -> Scope:
    """Every name of the experiment resolved.

    Raises:
        UserError: unknown names, with the nearest known ones.
    """
    suite = _suite(experiment, host)
    names = experiment.tasks or (suite.tasks if suite else [])
    for name in experiment.sources:
        if name not in names:
            raise UserError(f"--source {name}=…: {name!r} is not among the tasks of this run ({', '.join(names)})")
    tasks = {name: host.tasks.get(name) for name in names}
    world_tasks = {name: host.tasks.get(name) for name in suite.tasks} if suite else tasks
    backbone = resolve_backbone(
        experiment.backbone or (suite.backbone if suite else "mbert"), host, offline=experiment.offline
    )
    asked = [host.languages.get(code) for code in experiment.languages]
    notices: list[str] = []
    targets: dict[str, tuple[Language, ...]] = {}
    for name, task in {**world_tasks, **tasks}.items():
        codes = (suite.languages.get(name) if suite else None) or task.languages
        declared = [host.languages.get(code) for code in codes]
        unwritable = [lang for lang in declared if lang.script in backbone.unsupported_scripts and lang not in asked]
        if unwritable:
            left = ", ".join(f"{lang.code} ({lang.script})" for lang in unwritable)
            notices.append(f"{name}: left out {left}, which {backbone.name} has no vocabulary for")
        targets[name] = tuple(lang for lang in declared if lang not in unwritable)
    languages = {name: tuple(lang for lang in targets[name] if not asked or lang in asked) for name in tasks}
    for lang in asked:
        if not any(lang in found for found in languages.values()):
            have = "; ".join(f"{name}: {', '.join(t.code for t in targets[name])}" for name in tasks)
            raise UserError(f"--language {lang.code} ({lang.name}): no task of this run has it ({have})")
    languages = {name: found for name, found in languages.items() if found}
    adapters = {host.languages.get(code).code: Path(path) for code, path in experiment.language_adapters.items()}
    return Scope(
        experiment=experiment,
        host=host,
        suite=suite,
        tasks={name: tasks[name] for name in languages},
        # Without a suite the world is exactly what was asked for.
        targets=targets if suite else languages,
        languages=languages,
        backbone=backbone,
        seeds=tuple(experiment.seeds or (suite.seeds if suite else [1, 2, 3])),
        precision=resolve_precision(experiment.precision, experiment.device),
        language_adapters=adapters,
        notices=tuple(notices),
    )


def _suite(experiment: Experiment, host: Host) -> Suite | None:
    """The suite that was named; else the demo where no other task was named; else none."""
    if experiment.suite:
        return host.suites.get(experiment.suite)
    default = host.suites.get(DEFAULT_SUITE) if DEFAULT_SUITE in {s.name for s in host.suites.values()} else None
    if default is not None and set(experiment.tasks) <= set(default.tasks):
        return default
    if not experiment.tasks:
        raise UserError(f"name a --suite or --task: the suite {DEFAULT_SUITE!r} is not installed or is blocked")
    return None
