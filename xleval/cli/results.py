"""``xleval results``."""

from __future__ import annotations

from pathlib import Path

import click

from xleval.cli.progress_bar import progress_bar

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
    """Recorded results: strategies × languages, mean over seeds ± SD, coverage; checked, and joined."""


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
    from xleval.comparison.recorded import recorded
    from xleval.comparison.summary import summarised
    from xleval.report.render import terminal

    table, failed = recorded(folder, task, strategy, metric)
    table = summarised(table, folder)
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
    from xleval.comparison.recorded import recorded
    from xleval.comparison.summary import summarised
    from xleval.store import replace_synced

    table = summarised(recorded(folder, task, strategy, metric)[0], folder)
    forms = {"md": table.to_markdown, "latex": table.to_latex, "csv": table.to_csv, "json": table.to_json}
    text = forms[form]()
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_synced(output, text)


@results.command()
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def validate(ctx: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Compute every recorded score again from its per-item file, and compare.

    Takes results folders, or files of records beside their items; by default xleval-results. Needs neither data
    nor models. Checked are the digest and rows of each per-item file, the item ids, the counts, and each metric's
    value, standard error and interval to within 1e-9; that all numbers are finite, every cell has its run, and no
    two records contradict each other. All faults are shown, each with file, line, cell and both numbers. A cell
    without a per-item file cannot be recomputed: that is a fault too.

    \b
    xleval results validate
    xleval results validate runs/a runs/b/records.jsonl
    xleval results validate --json runs/a

    Exit code 1 on any fault, 2 if a file cannot be read.
    """
    from xleval.results_check import check_results

    found = []
    for path in paths or (Path("xleval-results"),):
        with progress_bar(f"checking {path}") as tell:
            found.append(check_results(path, tell))
    if as_json:
        import json

        click.echo(json.dumps([checked.as_dict() for checked in found], indent=1, ensure_ascii=False))
    else:
        for checked in found:
            for fault in checked.faults:
                about = f"{fault.cell}: " if fault.cell else ""
                click.echo(f"{checked.path}:{fault.line}: {about}{fault.message}", err=True)
            click.echo(str(checked))
    ctx.exit(1 if any(checked.faults for checked in found) else 0)


@results.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Folder to write.")
def merge(paths: tuple[Path, ...], out: Path) -> None:
    """Join results folders into one, such as those of several machines.

    Takes results folders, or files of records beside their items. What is in DIR already is kept and joined too.
    Equal records are kept once; a success stands before a failure, whenever it was. Two different successes of
    one cell are refused. Records come in an order that does not depend on that of the folders. DIR is whole
    at any time: per-item files are copied first, then its records are replaced in one step.

    \b
    xleval results merge runs/a runs/b --out runs/all
    xleval results merge runs/new/records.jsonl --out xleval-results
    """
    from xleval.results_merge import merge_results

    with progress_bar(f"copying to {out}") as tell:
        merged = merge_results(paths, out, tell)
    failed = f", {merged.failed} of them failed" if merged.failed else ""
    click.echo(f"{merged.cells} cells of {merged.runs} runs{failed} → {merged.path}")
