"""The main job: plan, make what is missing, score and record each cell as it finishes, show one table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.adapter_download import bring
from xleval.comparison.summary import summarised
from xleval.errors import UserError
from xleval.events import Emit, Notice, RunFinished, RunStarted
from xleval.executors import Setting, Work
from xleval.experiment import make_experiment
from xleval.hyperparameters import group
from xleval.jobs import Cell, Foundation, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob, in_order
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
        graph.check_text()
        results.check_writable()
        graph.store.check_writable()
        work = missing_work(graph, pending, host.emit)
        check_data(pending)
        host.emit(RunStarted(to_make(work, graph), len(pending), results.folder))
        recorder = Recorder(graph, results, pending, host.emit)
        recorder.record_finished({job.fingerprint for jobs in work.predictions.values() for job in jobs})
        for outcome in executor.execute(work, setting(graph), jobs=experiment.jobs, address=address, emit=host.emit):
            recorder.record(outcome)
    finished = _finished(graph, results)
    host.emit(RunFinished(len(finished.records) - finished.failed, finished.failed, results.folder))
    return finished


def to_make(work: Work, graph: Plan) -> dict[str, int]:
    """Kind → number of artifacts to make."""
    return {
        **Counter(job.kind for job in work.foundations),
        "task_adapter": sum(not graph.present(job) for cohort in work.cohorts for job in cohort),
        "prediction": sum(map(len, work.predictions.values())),
    }


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
    return Finished(summarised(tabulate(records, results.runs()), results.folder), records, failed)


def setting(graph: Plan) -> Setting:
    """What the executor needs besides the jobs."""
    experiment, scope = graph.experiment, graph.scope
    return Setting(
        backbone=scope.backbone,
        device=experiment.device,
        precision=scope.precision,
        store=graph.store.root,
        engine=group(scope.hyperparameters(None), "engine"),
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
    """What has to be made for some cells; damaged artifacts count as missing and are moved aside.

    Raises:
        UserError: a language without adapter and text; a published adapter that is not to be had, or is of another
            backbone; text that is not in the cache while offline.
    """
    graph.check_text()
    missing = _missing_in(graph, emit)
    predictions: dict[str, list[PredictionJob]] = defaultdict(list)
    wanted: dict[Job, None] = {}
    for job in dict.fromkeys(cell.prediction for cell in cells):
        if missing(job):
            predictions[job.task_adapter.fingerprint].append(job)
            wanted[job.task_adapter] = None  # with predictions to make, though it may be in the store
            wanted |= dict.fromkeys(_missing_under(job, missing))
    foundations = [job for job in in_order(wanted) if job in wanted and isinstance(job, Foundation)]
    return Work(
        _to_train(foundations, graph, emit),
        cohorts_of(job for job in in_order(wanted) if job in wanted and isinstance(job, TaskAdapterJob)),
        {fingerprint: tuple(found) for fingerprint, found in predictions.items()},
    )


def missing_modules(graph: Plan, emit: Emit) -> Work:
    """What has to be made for a graph without cells; raises as :func:`missing_work`."""
    graph.check_text()
    missing = _missing_in(graph, emit)
    foundations = [job for job in graph.jobs.values() if isinstance(job, Foundation) and missing(job)]
    return Work(_to_train(foundations, graph, emit))


def _to_train(jobs: Sequence[Foundation], graph: Plan, emit: Emit) -> tuple[Foundation, ...]:
    """Those that are trained; published ones are brought, for what cannot be had should not end a run in its middle."""
    trained: list[Foundation] = []
    for job in jobs:
        if isinstance(job, LanguageAdapterJob) and job.published is not None:
            emit(Notice(f"{job.label}: taking {job.published} from the hub"))
            given = graph.scope.language_adapters.get(job.language)
            where = f"--la {job.language}={given}" if given else ""
            bring(job.published, graph.scope.backbone, graph.store, offline=graph.experiment.offline, where=where)
        else:
            trained.append(job)
    for text in dict.fromkeys(text for job in trained for text in job.texts):
        text.check()
    return tuple(trained)


def _missing_in(graph: Plan, emit: Emit) -> Callable[[Job], bool]:
    intact: dict[str, bool] = {}

    def missing(job: Job) -> bool:
        if isinstance(job, LanguageAdapterJob) and job.folder is not None:
            return False
        if job.fingerprint not in intact:
            there = graph.store.has(*job.stored)
            intact[job.fingerprint] = graph.store.intact(*job.stored)
            if there and not intact[job.fingerprint]:
                emit(
                    Notice(
                        f"{job.kind.replace('_', ' ')} {job.fingerprint[:12]} in the store is damaged: making it again"
                    )
                )
        return not intact[job.fingerprint]

    return missing


def _missing_under(job: Job, missing: Callable[[Job], bool]) -> Iterator[Job]:
    """What has to be made for a job, and for that in turn."""
    for needed in job.needs:
        if missing(needed):
            yield needed
            yield from _missing_under(needed, missing)


def cohorts_of(jobs: Iterable[TaskAdapterJob]) -> tuple[tuple[TaskAdapterJob, ...], ...]:
    """Task adapters by their source data: those of one cohort may be trained side by side."""
    cohorts: dict[str, list[TaskAdapterJob]] = defaultdict(list)
    for job in jobs:
        cohorts[job.train.fingerprint + job.dev.fingerprint].append(job)
    return tuple(tuple(cohort) for cohort in cohorts.values())
