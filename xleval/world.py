"""Resolves the names of an experiment: tasks, languages, data, backbone, seeds, precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.backbones import Backbone, resolve_backbone
from xleval.device import resolve_precision
from xleval.errors import UserError
from xleval.experiment import Experiment, Suite
from xleval.hyperparameters import merged
from xleval.recipe import World
from xleval.tasks.sources import DataOptions, Located, locate, locate_folder, pooled
from xleval.tasks.texts import Text, find_text

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.recipe import ChosenStrategy
    from xleval.tasks.spec import SourceSpec, TaskSpec

DEFAULT_STRATEGY = "tlr-all-multi"
DEFAULT_SUITE = "demo"
#: All tasks of the demo: what a task of the demo outside of the default suite implies.
FULL_SUITE = "demo-full"


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
    language_adapters: Mapping[str, str]
    treebanks: Mapping[str, str] = field(default_factory=dict)
    source_languages: tuple[Language, ...] = ()
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
            self.treebanks,
        )

    def world(self, task: TaskSpec) -> World:
        """What a strategy sees for one task."""
        return World(self.source_language(task), self.targets)

    def target(self, task: TaskSpec, language: Language) -> Located:
        """The evaluation split of one target language."""
        split = self.experiment.split or task.split
        questions = self.host.sources.get(task.question_from) if task.question_from else None
        return locate(task, language.code, split, self.options, self.host.providers, questions)

    @cached_property
    def strategies(self) -> tuple[ChosenStrategy, ...]:
        """What was asked for, else the suite's, else the default; with parameters."""
        names = self.experiment.strategies or (self.suite.strategies if self.suite else []) or [DEFAULT_STRATEGY]
        return tuple(self.host.choose_strategy(text) for text in dict.fromkeys(names))

    def runs(self, task: TaskSpec, strategy: ChosenStrategy) -> bool:
        """Whether a strategy is run on a task: a suite may name the tasks of one."""
        only = self.suite.only.get(strategy.label) if self.suite else None
        return only is None or task.name in only

    def hyperparameters(self, task: TaskSpec | None) -> dict[str, Any]:
        """All hyperparameters of a task (None: of language modules) by precedence."""
        suite, own = self.suite, {}
        if task is not None:
            own = {key: value for key, value in task.hyperparameters.items() if key.startswith("train.")}
        of_suite = suite.hyperparameters if suite else {}
        of_task = suite.task_hyperparameters.get(task.name, {}) if suite and task else {}
        return merged(own, of_suite, of_task, self.experiment.set)

    def source_language(self, task: TaskSpec) -> Language:
        """The language of the task's labelled training data; of several, the first."""
        if self.source_languages:
            return self.source_languages[0]
        source, _ = self._sources(task)[-1]
        return self.host.languages.get(task.source_language if isinstance(source, Path) else source.language)

    def target_of(self, task: str, language: str) -> Located:
        """:meth:`target` by name and code."""
        return self.target(self.tasks[task], self.host.languages.get(language))

    def source_data_of(self, task: str) -> tuple[tuple[Located, Located], ...]:
        """:meth:`source_data` by name."""
        return self.source_data(self.tasks[task])

    def source_data(self, task: TaskSpec) -> tuple[tuple[Located, Located], ...]:
        """Train and dev split of the task's source data, or of each of a chain: the task's own, or ``--source``'s.

        With ``--source-language`` the task's own data in that language, or pooled from several.
        """
        if self.source_languages:
            return ((self._pooled(task, "train"), self._pooled(task, "dev")),)
        found = []
        options = replace(self.options, treebanks={})
        for source, splits in self._sources(task):
            if isinstance(source, Path):
                train, dev = (locate_folder(task, source, split, options) for split in ("train", "dev"))
            else:
                providers, language = self.host.providers, source.language
                train = pooled([locate(source, language, split, options, providers) for split in splits])
                dev = locate(source, language, "dev", options, providers)
            found.append((train, dev))
        return tuple(found)

    def text(self, language: Language) -> Text | None:
        """Unlabelled text of a language, or None."""
        limit = self.hyperparameters(None)["la.text_limit"]
        experiment = self.experiment
        return find_text(language, experiment.text_dir, self.host.providers, limit=limit, offline=experiment.offline)

    def _pooled(self, task: TaskSpec, split: str) -> Located:
        parts = []
        for language in self.source_languages:
            try:
                parts.append(locate(task, language.code, split, self.options, self.host.providers))
            except UserError as error:
                raise UserError(f"--source-language {language.code}: {error}") from None
        return pooled(parts)

    def _sources(self, task: TaskSpec) -> tuple[tuple[SourceSpec | Path, tuple[str, ...]], ...]:
        """Source data sets or a folder, each with the splits to train on: ``a+b``, ``copa[train,dev]``."""
        given = self.experiment.sources.get(task.name) or (self.suite.sources.get(task.name) if self.suite else None)
        if given is not None and (Path(given).is_dir() or "/" in given):
            return ((Path(given), ("train",)),)
        found = tuple(self._source(task, part.strip()) for part in (given or task.source).split("+"))
        for source, _ in found:
            if source.language != found[-1][0].language:
                raise UserError(f"--source {task.name}={given}: a chain is in one language")
        return found

    def _source(self, task: TaskSpec, part: str) -> tuple[SourceSpec, tuple[str, ...]]:
        name, bracket, rest = part.partition("[")
        splits = tuple(split.strip() for split in rest.rstrip("]").split(",")) if bracket else ("train",)
        if bracket and not rest.endswith("]"):
            raise UserError(f"--source {task.name}={part}: write NAME[train,dev] to train on several splits")
        source = self.host.sources.get(name.strip())
        if source.family != task.family:
            raise UserError(
                f"--source {task.name}={source.name}: {source.name} is for {source.family}, "
                f"{task.name} is {task.family}"
            )
        return source, splits


def resolve_scope(experiment: Experiment, host: Host, *, needs_tasks: bool = True) -> Scope:
    """Every name of the experiment resolved. ``needs_tasks=False``: a named backbone needs no suite and no task.

    Raises:
        UserError: unknown names, with the nearest known ones.
    """
    suite = _suite(experiment, host)
    named = experiment.suite or experiment.tasks or experiment.backbone is None
    if suite and not needs_tasks and not named and suite.backbone != experiment.backbone:
        suite = None
    names = experiment.tasks or (suite.tasks if suite else [])
    for name in experiment.sources:
        if name not in names:
            raise UserError(f"--source {name}=…: {name!r} is not among the tasks of this run ({', '.join(names)})")
        if experiment.source_languages:
            raise UserError(f"--source {name}=… and --source-language: both say what TAs learn from; give one")
    tasks = {name: host.tasks.get(name) for name in names}
    world_tasks = {name: host.tasks.get(name) for name in suite.tasks} if suite else tasks
    backbone = resolve_backbone(
        experiment.backbone or (suite.backbone if suite else "mbert"), host, offline=experiment.offline
    )
    treebanks = resolve_treebanks(experiment, host)
    asked = [host.languages.get(code) for code in experiment.languages]
    notices: list[str] = []
    targets: dict[str, tuple[Language, ...]] = {}
    for name, task in {**world_tasks, **tasks}.items():
        codes = (suite.languages.get(name) if suite else None) or task.languages
        more = [code for code in treebanks if code not in codes] if task.data.has_folders and name in tasks else []
        declared = [host.languages.get(code) for code in (*codes, *more)]
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
    adapters = {host.languages.get(code).code: given for code, given in experiment.language_adapters.items()}
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
        treebanks=treebanks,
        source_languages=tuple(dict.fromkeys(map(host.languages.get, experiment.source_languages))),
        notices=tuple(notices),
    )


def resolve_treebanks(experiment: Experiment, host: Host) -> dict[str, str]:
    """Language → folder of a treebank that was asked for by name, such as ``UD_Komi_Zyrian-IKDP``.

    The language is the one that the folder or its files are named after.

    Raises:
        UserError: a name that is none, an unknown language, or two treebanks of one.
    """
    found: dict[str, str] = {}
    for folder in experiment.treebanks:
        middle, dash, _ = folder.removeprefix("UD_").rpartition("-")
        if not folder.startswith("UD_") or not dash or "/" in folder:
            raise UserError(f"--treebank {folder}: write a folder's name, such as UD_Komi_Zyrian-IKDP")
        if experiment.data_dir is None:
            raise UserError(f"--treebank {folder}: give --data-dir, the folder that holds it (or holds ud/{folder})")
        files = [file for home in (".", "ud") for file in (experiment.data_dir / home / folder).glob("*-ud-*.conllu")]
        names = [middle, *(file.name.partition("_")[0] for file in sorted(files)[:1])]
        known = [name for name in names if name in host.languages]
        if not known:
            raise UserError(
                f"--treebank {folder}: {names[0]!r} is no language that xleval knows (`xleval ls languages`)"
            )
        language = host.languages.get(known[0])
        if language.code in found:
            raise UserError(f"--treebank {folder}: {found[language.code]} is of {language} too; run them one by one")
        found[language.code] = folder
    return found


def _suite(experiment: Experiment, host: Host) -> Suite | None:
    """The suite that was named; else the demo's where no other task was named; else none."""
    if experiment.suite:
        return host.suites.get(experiment.suite)
    installed = {suite.name: suite for suite in host.suites.values()}
    for name in (DEFAULT_SUITE, FULL_SUITE):
        if name in installed and set(experiment.tasks) <= set(installed[name].tasks):
            return installed[name]
    if not experiment.tasks:
        raise UserError(f"name a --suite or --task: the suite {DEFAULT_SUITE!r} is not installed or is blocked")
    return None
