"""``xleval validate``."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import click

from xleval.cli import make_host


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--data-dir",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Check the data files in DIR, as `xleval run --data-dir DIR` would read them.",
)
@click.option(
    "--task",
    multiple=True,
    metavar="T",
    help="Check the data of this task and of its sources only, in DIR or else in the caches; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def validate(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    data_dir: Path | None,
    task: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check task specs, suites and experiment files, or the data files of tasks.

    Without options, the YAML files in PATHS (a folder means those in it, which may name one another) or all
    that are installed: schema, keys, labels, languages, revisions.

    With --data-dir or --task, data: every split that is found is read whole. Checked are the text (UTF-8), the
    columns, labels, ids, trees, the places of answers, and the numbers of rows. All faults are shown, each with
    file, line and remedy; splits whose release withholds the labels are skipped and named. PATHS then are task
    specs whose data are to be checked.

    \b
    xleval validate my-task.yaml
    xleval validate --data-dir DIR
    xleval validate --data-dir DIR --task masakhaner
    xleval validate --task xquad                       what `xleval fetch` brought

    Exit code 1 on any fault.
    """
    host = make_host(ctx)
    files, whole, faults = _load_all(paths, host)
    if data_dir is not None or task:
        from xleval.cli.data_report import report

        ctx.exit(report(host, [spec for _, spec in whole] if paths else None, task, data_dir, faults, as_json))
    given = {(getattr(spec, "kind", ""), getattr(spec, "name", "")) for _, spec in whole}
    for where, spec in whole:
        faults += [f"{where}: {fault}" for fault in _faults(spec, host, given)]
    if as_json:
        click.echo(json.dumps({"checked": files, "faults": faults}, indent=1, ensure_ascii=False))
    else:
        for fault in faults:
            click.echo(f"fault: {fault}", err=True)
        click.echo(f"{files} files checked, {len(faults)} faults")
    ctx.exit(1 if faults else 0)


def _load_all(paths: tuple[Path, ...], host: Any) -> tuple[int, list[tuple[str, Any]], list[str]]:
    """How many files there are, what they hold by name, and the faults of those that do not load."""
    from xleval.errors import UserError

    faults: list[str] = []
    whole: list[tuple[str, Any]] = []
    if not paths:
        for registry in (host.tasks, host.sources, host.suites):
            for item in registry.items:
                if item.value is None:
                    faults.append(f"{item.plugin.package}: {item.error}")
                else:
                    whole.append((item.qualified, item.value))
        return len(whole), whole, faults
    files = list(_files(paths))
    if not files:
        raise UserError(f"no YAML files in {', '.join(map(str, paths))}")
    for path in files:
        try:
            whole.append((str(path), _load(path)))
        except UserError as error:
            faults.append(str(error))
    return len(files), whole, faults


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.yaml")) if path.is_dir() else [path]


def _load(path: Path) -> object:
    from xleval.experiment import load_experiment, load_suite
    from xleval.tasks.spec import load_spec
    from xleval.yaml_file import read_mapping

    kind = read_mapping(path).get("kind")
    if kind == "suite":
        return load_suite(path)
    if kind in ("task", "source"):
        return load_spec(path)
    return load_experiment(path)


def _faults(spec: Any, host: Any, given: Collection[tuple[str, str]]) -> Iterator[str]:
    """Names in a file that refer to nothing (``given``: those of its neighbours), unknown hyperparameters."""
    from xleval.errors import UserError
    from xleval.experiment import Suite
    from xleval.hyperparameters import parsed
    from xleval.published import load

    checks: list[tuple[Callable[[str], object], str]] = []
    values: Collection[tuple[str, Any]] = ()

    def check(kind: str, find: Callable[[str], object], names: Collection[str]) -> None:
        checks.extend((find, name) for name in names if (kind, name) not in given)

    if isinstance(spec, dict):  # an experiment
        check("strategy", host.choose_strategy, spec.get("strategies", ()))
        check("suite", host.suites.find, [spec["suite"]] if spec.get("suite") else ())
        check("task", host.tasks.find, spec.get("tasks", ()))
        check("language", host.languages.get, spec.get("languages", ()))
        values = spec.get("set", {}).items()
    elif isinstance(spec, Suite):
        check("task", host.tasks.find, dict.fromkeys((*spec.tasks, *spec.languages)))
        check("language", host.languages.get, [code for codes in spec.languages.values() for code in codes])
        tables = spec.tables.values()
        codes = [code for table in tables for codes in table.languages.values() for code in codes]
        check("language", host.languages.get, dict.fromkeys(codes))
        check("strategy", host.choose_strategy, spec.strategies)
        names = [name for text in spec.sources.values() if "/" not in text for name in text.split("+")]
        given_sources = [name.partition("[")[0].strip() for name in names]
        check("source", host.sources.find, dict.fromkeys(given_sources))
        backbones = dict.fromkeys((spec.backbone, *(table.backbone for table in tables if table.backbone)))
        check("backbone", host.backbones.find, [name for name in backbones if "/" not in name])
        check("published table", load().table, [f"{table.paper}:{key}" for key, table in spec.tables.items()])
        layers = (spec.hyperparameters, *spec.task_hyperparameters.values(), *(t.hyperparameters for t in tables))
        values = [item for layer in layers for item in layer.items()]
    elif spec.kind == "task":
        check("language", host.languages.get, [*spec.languages, spec.source_language])
        check(
            "source",
            host.sources.find,
            [*spec.source.split("+"), *([spec.question_from] if spec.question_from else [])],
        )
    else:
        check("language", host.languages.get, [spec.language])
    for find, name in checks:
        try:
            find(name)
        except UserError as error:
            yield str(error)
    for key, value in values:
        try:
            parsed(key, value)
        except UserError as error:
            yield str(error)
