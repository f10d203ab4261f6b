"""``xleval plan``."""

from __future__ import annotations

from typing import Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options


@click.command()
@experiment_options
@click.option("--measure", "measured", is_flag=True,
              help="Estimate the time of the run: load the backbone here and time a little of each kind of missing "
                   "work for half a minute or so. Keeps and downloads nothing.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON.")
@click.pass_context
def plan(ctx: click.Context, /, measured: bool, as_json: bool, **options: Any) -> None:
    """Show the graph of a run: what exists, what is missing, what strategies share, what it will cost.

    Takes the options of `xleval run` and trains nothing. Cost is counted in optimiser steps; seconds are
    estimated from what adapters in the store took on the same backbone, where there are any, and with
    --measure from what the same work takes on this machine now.
    """
    from xleval.plan import plan as make_plan
    from xleval.report.graph import as_dict, terminal

    graph = make_plan(experiment_from(options), make_host(ctx))
    trial = None
    if measured:
        from xleval.cli.progress_bar import progress_bar
        from xleval.report.cost import measure

        with progress_bar("measuring") as tell:
            trial = measure(graph, tell)
    if as_json:
        import json

        click.echo(json.dumps(as_dict(graph, trial), indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    for renderable in terminal(graph, trial):
        console.print(renderable)
