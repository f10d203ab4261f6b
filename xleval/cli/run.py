"""``xleval run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options


@click.command()
@experiment_options
@click.option("--print-config", is_flag=True, help="Write the experiment as YAML for -c, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.pass_context
def run(ctx: click.Context, /, print_config: bool, as_json: bool, **options: Any) -> None:
    """Train what is missing, evaluate every target language over all seeds, record, print the table.

    Language adapters are trained by masked language modelling on unlabelled text, task adapters on
    source-language (English) data; each is made once and kept in the store, so a second run is free.
    Every finished cell is on disk before the next begins: after Ctrl-C or a crash, run the same again.

    \b
    xleval run                                    the demo suite, offline, on a CPU
    xleval run --strategy madx --strategy tlr-all-multi --seeds 5
    xleval run --task masakhaner --backbone mbert --data-dir DATA --text-dir TEXT
    """
    experiment = experiment_from(options)
    if print_config:
        click.echo(experiment.to_yaml(), nl=False)
        return
    from xleval.cli.progress import Progress
    from xleval.plan import plan
    from xleval.run import execute

    host = make_host(ctx)
    progress = Progress()
    host.listen("progress", progress)
    try:
        with progress:
            finished = execute(plan(experiment, host), host)
    except KeyboardInterrupt:
        done = progress.cells_done
        click.echo(
            f"interrupted: {done} cell{'s' * (done != 1)} recorded in {experiment.out} in this run, and all "
            "finished adapters kept; run the same command again to go on from here",
            err=True,
        )
        ctx.exit(130)
    if as_json:
        click.echo(finished.table.to_json(), nl=False)
    else:
        from xleval.cli.screen import print_whole
        from xleval.report.render import terminal

        print_whole(terminal(finished.table))
        click.echo(f"records: {Path(experiment.out) / 'records.jsonl'}   (xleval results show --out {experiment.out})")
    if finished.failed:
        for message in dict.fromkeys(
            f"{record['task']}/{record['language']}: {record['error']['message']}"
            for record in finished.records
            if record["status"] != "ok"
        ):
            click.echo(f"failed: {message}", err=True)
        ctx.exit(1)
