"""Recipes of all requested strategies → one graph of artifacts, each made once.

An artifact's fingerprint covers what determines it and nothing else, so strategies that train the same
task adapter share it, a second run finds everything present, and a new language adds only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from xleval.errors import UserError
from xleval.experiment import Experiment
from xleval.fingerprint import digest
from xleval.hyperparameters import group, merged
from xleval.jobs import Cell, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.recipe import LanguageModule, Recipe
from xleval.store import Store, default_store
from xleval.world import Scope, resolve_scope

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.recipe import ChosenStrategy, World
    from xleval.tasks.spec import TaskSpec

J = TypeVar("J", bound=Job)

#: Raised when the meaning of a recipe or of training changes: older artifacts are then not reused.
SEMANTICS = 1


@dataclass(frozen=True)
class Plan:
    """The graph. ``jobs`` by fingerprint, in an order in which they can be made; ``cells`` to evaluate."""

    experiment: Experiment
    scope: Scope
    store: Store
    jobs: Mapping[str, Job]
    cells: tuple[Cell, ...]
    used_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Job]:
        """Jobs of one kind, in graph order."""
        return [job for job in self.jobs.values() if job.kind == kind]

    def present(self, job: Job) -> bool:
        """Whether the artifact exists already."""
        if isinstance(job, LanguageAdapterJob) and job.folder is not None:
            return True
        return self.store.has(job.kind, job.fingerprint)


def plan(experiment: Experiment, host: Host | None = None) -> Plan:
    """The graph of an experiment. Reads specs and hashes local data; trains and downloads nothing.

    Raises:
        UserError: unknown names; a language adapter with neither weights nor text; missing data files.
    """
    if host is None:
        from xleval.host import Host

        host = Host()
    scope = resolve_scope(experiment, host)
    return _Planner(experiment, scope, host).plan()


class _Planner:
    def __init__(self, experiment: Experiment, scope: Scope, host: Host) -> None:
        self.experiment, self.scope, self.host = experiment, scope, host
        self.strategies = [host.choose_strategy(text) for text in experiment.strategies]
        self.backbone = scope.backbone.fingerprint
        self.base: dict[str, Any] = {"semantics": SEMANTICS, "backbone": self.backbone, "precision": scope.precision}
        self.jobs: dict[str, Job] = {}
        self.users: dict[str, dict[str, None]] = {}
        self.without_text: dict[str, None] = {}
        self._language_job = lru_cache(maxsize=None)(self._make_language_job)

    def plan(self) -> Plan:
        cells = [
            cell
            for task in self.scope.tasks.values()
            for chosen in self.strategies
            for cell in self._cells(task, chosen)
        ]
        if self.without_text:
            self._refuse_without_text()
        order = {"language_adapter": 0, "task_adapter": 1, "prediction": 2}
        jobs = dict(sorted(self.jobs.items(), key=lambda item: order[item[1].kind]))
        used_by = {fingerprint: tuple(users) for fingerprint, users in self.users.items()}
        store = Store(self.experiment.store or default_store())
        return Plan(self.experiment, self.scope, store, jobs, tuple(cells), used_by)

    def _cells(self, task: TaskSpec, chosen: ChosenStrategy) -> list[Cell]:
        world = self.scope.world(task)
        recipes = {lang: self._recipe(chosen, task, lang, world) for lang in self.scope.languages[task.name]}
        shared = len({(recipe.train_on, recipe.drop_last) for recipe in recipes.values()}) == 1
        cells = []
        for language, recipe in recipes.items():
            located = self.scope.target(task, language)
            for seed in self.scope.seeds:
                adapter = self._task_adapter(task, recipe, seed)
                infer = self._language_adapter(recipe.infer_on)
                options = group(self._hyper(task), "eval", task.family)
                prediction = self._add(
                    PredictionJob(
                        fingerprint=digest(
                            {
                                **self.base,
                                "kind": "prediction",
                                "task_adapter": adapter.fingerprint,
                                "language_adapter": infer.fingerprint if infer else None,
                                "data": located.fingerprint,
                                "label_map": dict(task.label_map),
                                **({"options": options} if options else {}),
                            }
                        ),
                        task=task,
                        task_adapter=adapter,
                        language_adapter=infer,
                        data=located,
                        options=options,
                    )
                )
                for job in (*adapter.stages, prediction, infer, *adapter.cycle, adapter.dev_adapter):
                    if job is not None:
                        self.users.setdefault(job.fingerprint, {})[chosen.label] = None
                scope = "shared" if shared else "per-target"
                cells.append(Cell(chosen, task, language, seed, recipe, prediction, scope))
        return cells

    def _recipe(self, chosen: ChosenStrategy, task: TaskSpec, language: Language, world: World) -> Recipe:
        try:
            recipe = chosen.strategy.recipe(task, language, world)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"strategy {chosen.label!r} (plugin {chosen.plugin}) failed on {task.name}/{language.code}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not isinstance(recipe, Recipe):
            raise UserError(
                f"strategy {chosen.label!r} (plugin {chosen.plugin}) gave {type(recipe).__name__} for "
                f"{task.name}/{language.code} in place of a Recipe"
            )
        return recipe

    def _task_adapter(self, task: TaskSpec, recipe: Recipe, seed: int) -> TaskAdapterJob:
        """The training on the task's source data; where that is a chain, of its last part, which stands on the rest."""
        scope = self.scope
        hyper = group(self._hyper(task), "train", task.family)
        if hyper.get("head") == "auto":
            hyper["head"] = scope.backbone.head
        cycle = tuple(self._language_adapter(module) for module in recipe.train_on)
        dev_adapter = self._language_adapter(recipe.selected_on)
        job: TaskAdapterJob | None = None
        for train, dev in scope.source_data(task):
            inputs = {
                **self.base,
                "kind": "task_adapter",
                "family": task.family,
                "labels": list(task.labels),
                "label_map": dict(task.label_map),
                "train": train.fingerprint,
                "dev": dev.fingerprint,
                "hyperparameters": hyper,
                "seed": seed,
                "cycle": [adapter.fingerprint if adapter else None for adapter in cycle],
                "dev_on": dev_adapter.fingerprint if dev_adapter else None,
                "drop_last": recipe.drop_last,
                **({"start": job.fingerprint} if job else {}),
            }
            job = self._add(
                TaskAdapterJob(
                    fingerprint=digest(inputs),
                    task=task,
                    train=train,
                    dev=dev,
                    hyper=hyper,
                    seed=seed,
                    cycle=cycle,
                    dev_adapter=dev_adapter,
                    drop_last=recipe.drop_last,
                    source_language=scope.source_language(task).code,
                    start=job,
                )
            )
        assert job is not None
        return job

    def _language_adapter(self, module: LanguageModule) -> LanguageAdapterJob | None:
        if module.kind == "none":
            return None
        if module.kind != "la" or len(module.languages) != 1:
            raise UserError(f"this version of xleval trains no module of kind {module.kind!r} ({module})")
        return self._language_job(module.languages[0])

    def _make_language_job(self, code: str) -> LanguageAdapterJob:
        language = self.host.languages.get(code)
        folder = self.scope.language_adapters.get(language.code)
        if folder is not None:
            return self._add(LanguageAdapterJob.from_folder(language.code, folder, self.backbone))
        text = self.scope.text(language)
        if text is None:
            self.without_text[language.code] = None
        hyper = group(self._hyper(None), "la")
        inputs = {
            **self.base,
            "kind": "language_adapter",
            "language": language.code,
            "text": text.fingerprint if text else None,
            "hyperparameters": hyper,
        }
        return self._add(LanguageAdapterJob(digest(inputs), language.code, hyper, text))

    def _hyper(self, task: TaskSpec | None) -> dict[str, Any]:
        suite = self.scope.suite.hyperparameters if self.scope.suite else {}
        own = {k: v for k, v in task.hyperparameters.items() if k.startswith("train.")} if task else {}
        return merged(own, suite, self.experiment.set)

    def _add(self, job: J) -> J:
        return cast(J, self.jobs.setdefault(job.fingerprint, job))

    def _refuse_without_text(self) -> None:
        missing = list(self.without_text)
        where = self.experiment.text_dir or "DIR"
        raise UserError(
            f"no language adapter and no text to train one for: {', '.join(missing)}. Either put unlabelled "
            f"text at {where}/{missing[0]}/*.txt (--text-dir {where}), or give trained adapters with "
            f"--la {missing[0]}=FOLDER (a folder of the adapters library). To leave languages out of the "
            "experiment, name those you want with --language."
        )
