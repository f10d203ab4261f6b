"""``xleval results``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_OUT = click.option(
    "--out", "folder", type=click.Path(path_type=Path), default=Path("xleval-results"), show_default=True,
    help="Results folder of the run.",
)  # fmt: skip
_TASK = click.option("--task", multiple=True, metavar="T", help="Only this task; repeatable.")
_STRATEGY = click.option("--strategy", multiple=True, metavar="S", help="Only this strategy; repeatable.")
_METRIC = click.option(
    "--metric", default="", metavar="M", help="Another recorded metric, such as em or uas.  [default: the task's]"
)


@click.group()
def results() -> None:
    """Recorded results: strategies × languages, mean over seeds ± SD, coverage."""


@results.command()
@_OUT
@_TASK
@_STRATEGY
@_METRIC
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def show(
    ctx: click.Context, folder: Path, task: tuple[str, ...], strategy: tuple[str, ...], metric: str, as_json: bool
) -> None:
    """Print the tables of a results folder. Exit code 1 if a cell failed."""
    from xleval.cli.screen import print_whole
    from xleval.report.render import terminal

    table, failed = _load(folder, task, strategy, metric)
    if as_json:
        click.echo(table.to_json(), nl=False)
    else:
        print_whole(terminal(table))
    for message in failed:
        click.echo(f"failed: {message}", err=True)
    ctx.exit(1 if failed else 0)


@results.command()
@_OUT
@_TASK
@_STRATEGY
@_METRIC
@click.option("--format", "form", type=click.Choice(["md", "latex", "csv", "json"]), default="md", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: standard output]")
def export(
    folder: Path, task: tuple[str, ...], strategy: tuple[str, ...], metric: str, form: str, output: Path | None
) -> None:
    """Write the tables for a paper (md, latex) or for programs (csv has one line a seed, json all of it)."""
    from xleval.store import replace_synced

    table, _ = _load(folder, task, strategy, metric)
    forms = {"md": table.to_markdown, "latex": table.to_latex, "csv": table.to_csv, "json": table.to_json}
    text = forms[form]()
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_synced(output, text)


def _load(folder: Path, tasks: tuple[str, ...], strategies: tuple[str, ...], metric: str) -> tuple[Any, list[str]]:
    from xleval.errors import UserError, nearest
    from xleval.records import Results
    from xleval.report.table import tabulate

    found = Results(folder)
    if not found.path.is_file():
        raise UserError(f"no records.jsonl in {folder}: run `xleval run --out {folder}` first, or name another --out")
    runs, records = found.runs(), list(found.cells().values())
    for record in records:
        if record["run_id"] not in runs:
            cell = f"{record['task']}/{record['language']}"
            raise UserError(f"{found.path}: the result of {cell} has no `run` record {record['run_id']}")
    names = {"task": {r["task"] for r in records}, "strategy": {runs[r["run_id"]]["strategy"]["name"] for r in records}}
    for kind, given in (("task", tasks), ("strategy", strategies)):
        for name in given:
            if name not in names[kind]:
                raise UserError(f"{folder} has no results of {kind} {name!r}{nearest(name, names[kind])}")
    kept = [
        record
        for record in records
        if (not tasks or record["task"] in tasks)
        and (not strategies or runs[record["run_id"]]["strategy"]["name"] in strategies)
    ]
    # Several processes record in the order in which they finish: tables do not depend on it.
    kept.sort(
        key=lambda r: (r["task"], runs[r["run_id"]]["strategy"]["name"], r["language"], runs[r["run_id"]]["seed"])
    )
    failed = [
        f"{r['task']}/{r['language']} ({runs[r['run_id']]['strategy']['name']}, seed {runs[r['run_id']]['seed']}): "
        f"{r['error']['message']}"
        for r in kept
        if r["status"] != "ok"
    ]
    known = {name for record in kept for name in record.get("metrics") or {}}
    if metric and metric not in known:
        raise UserError(f"--metric {metric}: recorded are {', '.join(sorted(known)) or 'none'}{nearest(metric, known)}")
    return tabulate(kept, runs, metric), failed
