"""``xleval plan``."""

from __future__ import annotations

from typing import Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options


@click.command()
@experiment_options
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON.")
@click.pass_context
def plan(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Show the graph of a run: what exists, what is missing, what strategies share, what it will cost.

    Takes the options of `xleval run` and trains nothing. Cost is counted in optimiser steps; seconds are
    estimated from what adapters in the store took on the same backbone, where there are any.
    """
    from xleval.plan import plan as make_plan
    from xleval.report.graph import as_dict, terminal

    graph = make_plan(experiment_from(options), make_host(ctx))
    if as_json:
        import json

        click.echo(json.dumps(as_dict(graph), indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    for renderable in terminal(graph):
        console.print(renderable)
