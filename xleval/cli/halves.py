"""``xleval predict`` and ``xleval score``: the two halves of ``run``'s evaluation."""

from __future__ import annotations

from typing import Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options


@click.command()
@experiment_options
@click.pass_context
def predict(ctx: click.Context, /, **options: Any) -> None:
    """Train what is missing and write predictions into the store; record nothing.

    Takes the options of `xleval run`; `xleval score` with the same options then scores them.
    """
    from xleval.cli.progress import Progress
    from xleval.events import RunStarted
    from xleval.executors import Outcome
    from xleval.plan import plan
    from xleval.run import check_data, missing_work, setting, to_make

    host, progress = make_host(ctx), Progress()
    host.listen("progress", progress)
    graph = plan(experiment_from(options), host)
    executor, address = host.choose_executor(graph.experiment.executor)
    graph.store.check_writable()
    work = missing_work(graph, graph.cells, host.emit)
    check_data(graph.cells)
    host.emit(RunStarted(to_make(work, graph), 0, graph.store.root))
    failures: list[Outcome] = []
    with progress:
        for outcome in executor.execute(
            work, setting(graph), jobs=graph.experiment.jobs, address=address, emit=host.emit
        ):
            failures += [outcome] if outcome.error else []
    made = sum(map(len, work.predictions.values()))
    click.echo(
        f"{made - sum(f.job.kind == 'prediction' for f in failures)} predictions made; store: {graph.store.root}"
    )
    if failures:
        for message in dict.fromkeys(failure.error[1] for failure in failures if failure.error):
            click.echo(f"failed: {message}", err=True)
        ctx.exit(1)


@click.command()
@experiment_options
@click.pass_context
def score(ctx: click.Context, /, **options: Any) -> None:
    """Score the predictions that the store has for a run, and record them. Loads no model.

    Takes the options of `xleval run`. Cells without a prediction are left out and counted.
    """
    from xleval.cli.screen import print_whole
    from xleval.plan import plan
    from xleval.report.render import terminal
    from xleval.run import score_stored

    host = make_host(ctx)
    graph = plan(experiment_from(options), host)
    finished, without = score_stored(graph, host)
    print_whole(terminal(finished.table))
    if without:
        click.echo(f"{without} cells have no prediction yet: run `xleval predict` with the same options", err=True)
        ctx.exit(1)
