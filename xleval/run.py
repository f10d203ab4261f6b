"""The main job: plan, make what is missing, score and record each cell as it finishes, show one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.events import Emit, Notice, RunFinished, RunStarted
from xleval.executors import Setting, Work
from xleval.experiment import make_experiment
from xleval.hyperparameters import group, merged
from xleval.jobs import Cell, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.plan import Plan, plan
from xleval.recording import Recorder, key_of
from xleval.records import Record, Results
from xleval.report.table import Table, tabulate
from xleval.tasks.recent import blocks_of

if TYPE_CHECKING:
    from xleval.host import Host


@dataclass(frozen=True)
class Finished:
    """What a run left: the records of its cells, the table, and how many cells failed."""

    table: Table
    records: tuple[Record, ...]
    failed: int


def run(**options: Any) -> Table:
    """Runs an experiment given as keyword arguments and returns its table.

    The arguments are the fields of :class:`xleval.experiment.Experiment`, e.g.
    ``run(strategies=["madx"], suite="demo", seeds=[1, 2])``.

    Raises:
        UserError: wrong options or input.
    """
    from xleval.host import Host

    return execute(plan(make_experiment(options), host := Host()), host).table


def execute(graph: Plan, host: Host) -> Finished:
    """Makes what a plan lacks and records every cell.

    Raises:
        UserError: input that cannot be read, or folders that cannot be written; nothing is lost.
        KeyboardInterrupt: on Ctrl-C, after the current write; running again goes on from there.
    """
    experiment, results = graph.experiment, Results(graph.experiment.out)
    executor, address = host.choose_executor(experiment.executor)
    pending = pending_cells(graph, results)
    for text in graph.scope.notices:
        host.emit(Notice(text))
    if pending:
        results.check_writable()
        graph.store.check_writable()
        check_data(pending)
        work = missing_work(graph, pending, host.emit)
        counts = {
            "language_adapter": len(work.language_adapters),
            "task_adapter": sum(not graph.present(job) for cohort in work.cohorts for job in cohort),
            "prediction": sum(map(len, work.predictions.values())),
        }
        host.emit(RunStarted(counts, len(pending), results.folder))
        recorder = Recorder(graph, results, pending, host.emit)
        recorder.record_finished({job.fingerprint for jobs in work.predictions.values() for job in jobs})
        for outcome in executor.execute(work, setting(graph), jobs=experiment.jobs, address=address, emit=host.emit):
            recorder.record(outcome)
    finished = _finished(graph, results)
    host.emit(RunFinished(len(finished.records) - finished.failed, finished.failed, results.folder))
    return finished


def score_stored(graph: Plan, host: Host) -> tuple[Finished, int]:
    """Scores and records the cells whose predictions are in the store; also the number of those that are not.

    Raises:
        UserError: as :func:`execute`.
    """
    results = Results(graph.experiment.out)
    pending = pending_cells(graph, results)
    there = {cell.prediction for cell in pending if graph.store.intact("prediction", cell.prediction.fingerprint)}
    ready = [cell for cell in pending if cell.prediction in there]
    if ready:
        results.check_writable()
        Recorder(graph, results, ready, host.emit).record_finished(to_make=set())
    return _finished(graph, results), len(pending) - len(ready)


def _finished(graph: Plan, results: Results) -> Finished:
    records = tuple(recorded(graph, results))
    failed = sum(record["status"] != "ok" for record in records)
    return Finished(tabulate(records, results.runs()), records, failed)


def setting(graph: Plan) -> Setting:
    """What the executor needs besides the jobs."""
    experiment, scope = graph.experiment, graph.scope
    suite = scope.suite.hyperparameters if scope.suite else {}
    return Setting(
        backbone=scope.backbone,
        device=experiment.device,
        precision=scope.precision,
        store=graph.store.root,
        engine=group(merged(suite, experiment.set), "engine"),
        offline=experiment.offline,
    )


def pending_cells(graph: Plan, results: Results) -> list[Cell]:
    """Cells without a successful record; all of them with ``--fresh``."""
    if graph.experiment.fresh:
        return list(graph.cells)
    done = {key for key, record in results.cells().items() if record["status"] == "ok"}
    return [cell for cell in graph.cells if key_of(cell, graph) not in done]


def recorded(graph: Plan, results: Results) -> Iterable[Record]:
    """Records of the plan's cells, in its order."""
    cells = results.cells()
    for cell in graph.cells:
        record = cells.get(key_of(cell, graph))
        if record is not None:
            yield record


def check_data(cells: Sequence[Cell]) -> None:
    """Reads every split once before anything is trained, so that a bad file stops the run at its start."""
    seen: set[str] = set()
    for cell in cells:
        for data in cell.prediction.splits:
            if data.fingerprint not in seen:
                seen.add(data.fingerprint)
                if not sum(map(len, blocks_of(cell.task, data))):
                    raise UserError(f"{data.origin}: split {data.split!r} of {data.dataset} has no examples")


def missing_work(graph: Plan, cells: Sequence[Cell], emit: Emit) -> Work:
    """What has to be made for some cells; damaged artifacts count as missing and are moved aside."""
    intact: dict[str, bool] = {}

    def missing(job: Job | None) -> bool:
        if job is None or (isinstance(job, LanguageAdapterJob) and job.folder is not None):
            return False
        if job.fingerprint not in intact:
            there = graph.store.has(job.kind, job.fingerprint)
            intact[job.fingerprint] = graph.store.intact(job.kind, job.fingerprint)
            if there and not intact[job.fingerprint]:
                emit(
                    Notice(
                        f"{job.kind.replace('_', ' ')} {job.fingerprint[:12]} in the store is damaged: making it again"
                    )
                )
        return not intact[job.fingerprint]

    predictions: dict[str, dict[str, PredictionJob]] = defaultdict(dict)
    task_adapters: dict[str, TaskAdapterJob] = {}
    language_adapters: dict[str, LanguageAdapterJob] = {}
    for cell in cells:
        job, adapter = cell.prediction, cell.prediction.task_adapter
        if not missing(job):
            continue
        predictions[adapter.fingerprint][job.fingerprint] = job
        needed = [job.language_adapter]
        if missing(adapter):
            needed += [*adapter.cycle, adapter.dev_adapter]
            # Earlier parts of a chain come before what goes on from them.
            task_adapters |= {stage.fingerprint: stage for stage in adapter.stages[:-1] if missing(stage)}
        task_adapters[adapter.fingerprint] = adapter
        for language_adapter in needed:
            if language_adapter is not None and missing(language_adapter):
                language_adapters[language_adapter.fingerprint] = language_adapter
    cohorts: dict[str, list[TaskAdapterJob]] = defaultdict(list)
    for adapter in task_adapters.values():
        cohorts[adapter.train.fingerprint + adapter.dev.fingerprint].append(adapter)
    return Work(
        tuple(language_adapters.values()),
        tuple(tuple(cohort) for cohort in cohorts.values()),
        {fingerprint: tuple(found.values()) for fingerprint, found in predictions.items()},
    )
