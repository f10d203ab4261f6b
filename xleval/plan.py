"""Recipes of all requested strategies → one graph of artifacts, each made once.

An artifact's fingerprint covers what determines it and nothing else, so strategies that train the same
task adapter share it, a second run finds everything present, and a new language adds only what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

from xleval.errors import UserError
from xleval.experiment import Experiment
from xleval.fingerprint import digest
from xleval.hyperparameters import group, of_task_adapter
from xleval.jobs import Cell, Job, LanguageAdapterJob, ModuleJob, PredictionJob, TaskAdapterJob, in_order
from xleval.modules import ModulePlanner
from xleval.recipe import LanguageModule, Recipe
from xleval.store import Store, default_store
from xleval.world import Scope, resolve_scope

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.recipe import ChosenStrategy
    from xleval.tasks.spec import TaskSpec

J = TypeVar("J", bound=Job)

#: Order in which the kinds of artifacts are listed; each stands on those before it.
_KINDS = ("language_adapter", "fusion", "backbone", "task_adapter", "prediction")


@dataclass(frozen=True)
class Plan:
    """The graph. ``jobs`` by fingerprint, in an order in which they can be made; ``cells`` to evaluate.

    ``without_text``: code of a language that has neither a trained adapter nor text to train one → who needs it.
    """

    experiment: Experiment
    scope: Scope
    store: Store
    jobs: Mapping[str, Job]
    cells: tuple[Cell, ...]
    used_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without_text: Mapping[str, str] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Job]:
        """Jobs of one kind, in graph order."""
        return [job for job in self.jobs.values() if job.kind == kind]

    def present(self, job: Job) -> bool:
        """Whether the artifact exists already."""
        if isinstance(job, LanguageAdapterJob) and job.folder is not None:
            return True
        return self.store.has(*job.stored)

    def check_text(self) -> None:
        """Refuses a graph that cannot be made.

        Raises:
            UserError: languages without adapter and text, who needs them, and what to do.
        """
        if not self.without_text:
            return
        missing = list(self.without_text)
        where = self.experiment.text_dir or "DIR"
        raise UserError(
            f"no language adapter and no text to train one for: {', '.join(missing)} ({missing[0]} is needed by "
            f"{self.without_text[missing[0]]}). Either put unlabelled text at {where}/{missing[0]}/*.txt "
            f"(--text-dir {where}), or give trained adapters with --la {missing[0]}=FOLDER (a folder of the adapters "
            "library). To leave languages out of the experiment, name those you want with --language."
        )


def plan(experiment: Experiment, host: Host | None = None) -> Plan:
    """The graph of an experiment. Reads specs and hashes local data; trains and downloads nothing.

    Raises:
        UserError: unknown names; what a strategy says cannot be; missing data files.
    """
    host = host or _new_host()
    scope = resolve_scope(experiment, host)
    planner = _Planner(scope, host)
    cells = [
        cell
        for task in scope.tasks.values()
        for chosen in scope.strategies
        if scope.runs(task, chosen)
        for cell in planner.cells(task, chosen)
    ]
    users: dict[str, dict[str, None]] = {}
    needed_by: dict[str, str] = {}
    for cell in cells:
        for job in in_order([cell.prediction]):
            users.setdefault(job.fingerprint, {})[cell.strategy.label] = None
            for code in planner.modules.without_text(job):
                needed_by.setdefault(code, f"{cell.strategy.label} on {cell.task.name}/{cell.language.code}")
    used_by = {fingerprint: tuple(labels) for fingerprint, labels in users.items()}
    return _plan(experiment, scope, in_order(cell.prediction for cell in cells), cells, used_by, needed_by)


def plan_modules(experiment: Experiment, modules: Iterable[LanguageModule], host: Host | None = None) -> Plan:
    """A graph without cells that makes language modules alone; raises as :func:`plan`."""
    host = host or _new_host()
    scope = resolve_scope(experiment, host, needs_tasks=False)
    planner = ModulePlanner(scope, host)
    jobs = in_order(job for job in map(planner.job, modules) if job is not None)
    needed_by = {code: "this command" for job in jobs for code in planner.without_text(job)}
    return _plan(experiment, scope, jobs, [], {}, needed_by)


def _plan(
    experiment: Experiment, scope: Scope, jobs: Iterable[Job], cells: list[Cell],
    used_by: Mapping[str, tuple[str, ...]], needed_by: Mapping[str, str],
) -> Plan:  # fmt: skip
    ordered = {job.fingerprint: job for job in sorted(jobs, key=lambda job: _KINDS.index(job.kind))}
    store = Store(experiment.store or default_store())
    return Plan(experiment, scope, store, ordered, tuple(cells), used_by, needed_by)


def _new_host() -> Host:
    from xleval.host import Host

    return Host()


class _Planner:
    def __init__(self, scope: Scope, host: Host) -> None:
        self.scope, self.host = scope, host
        self.modules = ModulePlanner(scope, host)
        self.jobs: dict[str, Job] = {}
        self._source_data = cache(scope.source_data_of)
        self._target = cache(scope.target_of)

    def cells(self, task: TaskSpec, chosen: ChosenStrategy) -> list[Cell]:
        recipes = {language: self._recipe(chosen, task, language) for language in self.scope.languages[task.name]}
        shared = len({(recipe.train_on, recipe.drop_last) for recipe in recipes.values()}) == 1
        options = group(self.scope.hyperparameters(task), "eval", task.family)
        cells = []
        for language, recipe in recipes.items():
            where = f"strategy {chosen.label!r} (plugin {chosen.plugin}) on {task.name}/{language.code}"
            data = self._target(task.name, language.code)
            try:
                infer = self.modules.job(recipe.infer_on)
                backbone = self.modules.tuned(recipe.tuned) if recipe.tuned else None
                adapters = [self._task_adapter(task, recipe, seed) for seed in self.scope.seeds]
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
            for seed, adapter in zip(self.scope.seeds, adapters, strict=True):
                inputs = {
                    **self.modules.base,
                    "kind": "prediction",
                    "task_adapter": adapter.fingerprint,
                    "language_adapter": infer.fingerprint if infer else None,
                    "data": data.fingerprint,
                    "label_map": dict(task.label_map),
                    **({"options": options} if options else {}),
                    **({"tuned": backbone.fingerprint} if backbone else {}),
                }
                job = PredictionJob(digest(inputs), task, adapter, infer, data, options, backbone)
                scope = "shared" if shared else "per-target"
                cells.append(Cell(chosen, task, language, seed, recipe, self._once(job), scope))
        return cells

    def _recipe(self, chosen: ChosenStrategy, task: TaskSpec, language: Language) -> Recipe:
        """What a strategy says, asked twice: a recipe that changes would train one thing and record another."""
        where = f"strategy {chosen.label!r} (plugin {chosen.plugin}) on {task.name}/{language.code}"
        world = self.scope.world(task)
        try:
            recipe, again = (chosen.strategy.recipe(task, language, world) for _ in range(2))
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        except Exception as error:
            raise UserError(f"{where} failed: {type(error).__name__}: {error}") from error
        if not isinstance(recipe, Recipe):
            raise UserError(f"{where} gave {type(recipe).__name__} in place of a Recipe")
        if recipe != again:
            raise UserError(
                f"{where} gave two different recipes for the same arguments; a recipe must depend on its arguments "
                "alone (no random choice, clock, file or order of a set)"
            )
        try:
            return self.modules.canonical(recipe)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    def _task_adapter(self, task: TaskSpec, recipe: Recipe, seed: int) -> TaskAdapterJob:
        """The training on the task's source data; where that is a chain, of its last part, which stands on the rest."""
        scope = self.scope
        hyper = of_task_adapter(scope.hyperparameters(task), task.family, recipe.adapter)
        if hyper.get("head") == "auto":
            hyper["head"] = scope.backbone.head
        cycle = tuple(map(self.modules.job, recipe.train_on))
        dev_module = self.modules.job(recipe.selected_on)
        job: TaskAdapterJob | None = None
        for train, dev in self._source_data(task.name):
            inputs = {
                **self.modules.base,
                "kind": "task_adapter",
                "family": task.family,
                "labels": list(task.labels),
                "label_map": dict(task.label_map),
                "train": train.fingerprint,
                "dev": dev.fingerprint,
                "hyperparameters": hyper,
                "seed": seed,
                "cycle": [_identity(module) for module in cycle],
                "dev_on": _identity(dev_module),
                "drop_last": recipe.drop_last,
                **({"start": job.fingerprint} if job else {}),
                **({"adapter": recipe.adapter} if recipe.adapter != "bottleneck" else {}),
            }
            job = self._once(
                TaskAdapterJob(
                    fingerprint=digest(inputs),
                    task=task,
                    train=train,
                    dev=dev,
                    hyper=hyper,
                    seed=seed,
                    cycle=cycle,
                    dev_module=dev_module,
                    drop_last=recipe.drop_last,
                    source_language=scope.source_language(task).code,
                    start=job,
                    adapter=recipe.adapter,
                )
            )
        assert job is not None
        return job

    def _once(self, job: J) -> J:
        return cast(J, self.jobs.setdefault(job.fingerprint, job))


def _identity(job: ModuleJob | None) -> str | None:
    return job.fingerprint if job else None
