"""``xleval reproduce``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options

if TYPE_CHECKING:
    from xleval.experiment import Experiment, Suite, SuiteTable
    from xleval.host import Host
    from xleval.published import PrintedTable, Published
    from xleval.records import Record
    from xleval.report.reproduction_setup import Wanted


@click.command()
@click.argument("table", required=False, default="ls", metavar="[TABLE|ls]")
@experiment_options
@click.option(
    "--from-records",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Run nothing: compare the records of this results folder; repeatable.",
)
@click.option(
    "--format", "form", type=click.Choice(["md", "latex", "csv", "json"]), help="Print for a paper or program."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: standard output]")
@click.pass_context
def reproduce(
    ctx: click.Context,
    /,
    table: str,
    folders: tuple[Path, ...],
    form: str | None,
    as_json: bool,
    output: Path | None,
    **options: Any,
) -> None:
    """Run a published table's part of its suite, and print ours beside theirs.

    For each strategy and language: our mean over seeds, the printed number, and the difference with its 95 %
    interval over our seeds (none with one seed). Then on how many languages each strategy is above the baseline, in
    the paper and here, and a list of where the setup differs. Without TABLE, or with ls: the tables there are.

    All options of `xleval run` hold, and win over the table's own backbone, seeds and hyperparameters. With
    --from-records, those that say what was run choose among the records: --task, --strategy, --language, --seed,
    --backbone, --split and --limit. Records of another task version, split or limit are left out, and it is said.

    \b
    xleval reproduce ls
    xleval reproduce tlr:2a --text-dir TEXT
    xleval reproduce tlr:2c --strategy madx --strategy tlr-all-multi --seeds 3
    xleval reproduce tlr:8a --from-records xleval-results --format latex

    Exit code 1 if a cell failed.
    """
    from xleval.published import load

    as_json = as_json or form == "json"
    host, published = make_host(ctx), load()
    if table.strip().lower() == "ls":
        _list(host, published, as_json)
        return
    from xleval.report import reproduction_text as text
    from xleval.report.reproduction import Reproduction, compare
    from xleval.report.reproduction_setup import differences, select

    printed = published.table(table)
    suite, part = _part(host, printed)
    asked = experiment_from(options)
    experiment = _narrowed(asked, suite, part)
    wanted = _wanted(experiment, asked, suite, part, host)
    if part.languages:
        codes = dict.fromkeys(code for found in wanted.languages.values() for code in found)
        experiment = experiment.model_copy(update={"languages": list(codes)})
    runs, records = _from(folders) if folders else _run(ctx, experiment, host)
    kept, left_out = select(records, runs, wanted)
    blocks = compare(part, printed, kept, runs, wanted.languages)
    differs = differences(suite, part, printed, blocks, kept, runs, wanted, {} if folders else experiment.set)
    found = Reproduction(printed.key, printed.shown, part.title, part.baseline, blocks, (*differs, *left_out))
    forms = {"md": text.markdown, "latex": text.latex, "csv": text.csv_text, "json": text.json_text}
    if form or as_json or output:
        _write(forms["json" if as_json else form or "md"](found), output)
    else:
        from xleval.cli.screen import print_whole

        print_whole(text.terminal(found))
    failed = [f"{r['task']}/{r['language']}: {r['error']['message']}" for r in kept if r["status"] != "ok"]
    for message in dict.fromkeys(failed):
        click.echo(f"failed: {message}", err=True)
    ctx.exit(1 if failed else 0)


def _tables(host: Host) -> dict[str, list[tuple[Suite, SuiteTable]]]:
    """``paper:table`` → the suites that stand for it."""
    found: dict[str, list[tuple[Suite, SuiteTable]]] = {}
    for suite in host.suites.values():
        for key, table in suite.tables.items():
            found.setdefault(f"{table.paper}:{key}", []).append((suite, table))
    return found


def _list(host: Host, published: Published, as_json: bool) -> None:
    """The published tables; a table that no suite stands for can be read, not run."""
    tables = _tables(host)
    rows: list[dict[str, Any]] = []
    for key, printed in published.tables.items():
        suite, part = tables[key][0] if key in tables else (None, None)
        rows.append(
            {
                "table": key,
                "suite": suite.name if suite else None,
                "title": part.title if part else published.papers[printed.rows[0].paper].title,
                "tasks": list(printed.tasks),
                "strategies": list(dict.fromkeys(row.printed_strategy for row in printed.rows)),
                "scores": len(printed.rows),
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table("table", "title", "tasks", "strategies", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.columns[0].no_wrap = True
    for row in rows:
        style = "" if row["suite"] else "dim"
        cells = [row["table"], row["title"], ", ".join(row["tasks"]), ", ".join(row["strategies"])]
        shown.add_row(*(Text(str(cell), style) for cell in cells))
    Console().print(shown)
    without = [str(row["table"]) for row in rows if not row["suite"]]
    if without:
        click.echo(f"printed scores without a suite that runs them: {', '.join(without)}")


def _part(host: Host, printed: PrintedTable) -> tuple[Suite, SuiteTable]:
    from xleval.errors import UserError

    found = _tables(host).get(printed.key, [])
    if not found:
        raise UserError(f"{printed.key}: no suite stands for this table, so there is nothing to run or to compare")
    if len(found) > 1:
        names = ", ".join(suite.name for suite, _ in found)
        raise UserError(
            f"{printed.key}: more than one suite stands for this table ({names}); block one with --no-plugin"
        )
    return found[0]


def _narrowed(experiment: Experiment, suite: Suite, part: SuiteTable) -> Experiment:
    """The experiment, confined to the table; what was asked for wins over the table's own settings."""
    from xleval.errors import UserError, nearest

    if experiment.suite not in (None, suite.name):
        raise UserError(f"--suite {experiment.suite}: the table is of the suite {suite.name}")
    ours = list(dict.fromkeys(part.strategies.values()))
    for option, given, known in (("task", experiment.tasks, part.tasks), ("strategy", experiment.strategies, ours)):
        for name in given:
            if name not in known:
                raise UserError(f"--{option} {name}: not in this table ({', '.join(known)}){nearest(name, known)}")
    return experiment.model_copy(
        update={
            "suite": suite.name,
            "tasks": experiment.tasks or part.tasks,
            "strategies": experiment.strategies or ours,
            "backbone": experiment.backbone or part.backbone or None,
            "seeds": experiment.seeds or part.seeds,
            "set": {**part.hyperparameters, **experiment.set},
        }
    )


def _wanted(experiment: Experiment, given: Experiment, suite: Suite, part: SuiteTable, host: Host) -> Wanted:
    """What to compare; ``given``: as asked for, without what the table adds."""
    from xleval.errors import UserError
    from xleval.report.reproduction_setup import Wanted

    asked = [host.languages.get(code).code for code in experiment.languages]
    tasks = {name: host.tasks.get(name) for name in experiment.tasks}
    languages: dict[str, list[str]] = {}
    for name, spec in tasks.items():
        codes = part.languages.get(name) or suite.languages.get(name) or spec.languages
        codes = [host.languages.get(code).code for code in codes]
        languages[name] = [code for code in codes if not asked or code in asked]
    if not any(languages.values()):
        raise UserError(f"--language {', '.join(asked)}: no task of this table has it")
    return Wanted(
        tasks={name: spec for name, spec in tasks.items() if languages[name]},
        strategies=experiment.strategies,
        languages=languages,
        backbone=_identity(part.backbone or suite.backbone, host),
        asked=_identity(given.backbone, host)["id"] if given.backbone else "",
        seeds=given.seeds,
        split=experiment.split,
        limit=experiment.limit,
    )


def _identity(text: str, host: Host) -> Mapping[str, str]:
    """A backbone as records name it; nothing is looked up on the hub."""
    from xleval.backbones import resolve_backbone

    if text in {name for item in host.backbones.items for name in (item.name, item.qualified)} or Path(text).is_dir():
        return resolve_backbone(text, host, offline=True).identity
    name, _, revision = text.partition("@")
    return {"id": name, "revision": revision}


def _from(folders: Sequence[Path]) -> tuple[dict[str, Record], list[Record]]:
    """``run`` records by id, and the ``eval`` records, of several folders; the last of a cell counts."""
    from xleval.errors import UserError
    from xleval.records import Results

    runs: dict[str, Record] = {}
    cells: dict[Any, Record] = {}
    for folder in folders:
        results = Results(folder)
        if not results.path.is_file():
            raise UserError(f"--from-records {folder}: no records.jsonl there")
        runs |= results.runs()
        cells |= {key: r for key, r in results.cells().items() if r["status"] == "ok" or key not in cells}
    for record in cells.values():
        if record["run_id"] not in runs:
            cell = f"{record['task']}/{record['language']}"
            raise UserError(f"the result of {cell} has no `run` record {record['run_id']}: give its folder too")
    order = {run_id: (run["strategy"]["name"], run["seed"]) for run_id, run in runs.items()}
    return runs, sorted(cells.values(), key=lambda r: (r["task"], order[r["run_id"]], r["language"]))


def _run(ctx: click.Context, experiment: Experiment, host: Host) -> tuple[dict[str, Record], list[Record]]:
    from xleval.cli.progress import Progress
    from xleval.plan import plan
    from xleval.records import Results
    from xleval.run import execute

    progress = Progress()
    host.listen("progress", progress)
    try:
        with progress:
            finished = execute(plan(experiment, host), host)
    except KeyboardInterrupt:
        click.echo(f"interrupted: run the same command again to go on; records are in {experiment.out}", err=True)
        ctx.exit(130)
    return Results(experiment.out).runs(), list(finished.records)


def _write(text: str, output: Path | None) -> None:
    from xleval.store import replace_synced

    if output is None:
        click.echo(text, nl=False)
    else:
        replace_synced(output, text)
