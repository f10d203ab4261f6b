"""``xleval validate``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import click

from xleval.cli import make_host


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.pass_context
def validate(ctx: click.Context, /, paths: tuple[Path, ...]) -> None:
    """Check task specs, suites and experiment files: schema, keys, labels, languages, revisions.

    Without PATHS, everything that is installed. A folder means the YAML files in it, which may name one
    another. Exit code 1 on any fault.
    """
    from xleval.errors import UserError

    host = make_host(ctx)
    faults: list[str] = []
    whole: list[tuple[str, Any]] = []
    if paths:
        files = list(_files(paths))
        if not files:
            raise UserError(f"no YAML files in {', '.join(map(str, paths))}")
        for path in files:
            try:
                whole.append((str(path), _load(path)))
            except UserError as error:
                faults.append(str(error))
    else:
        for registry in (host.tasks, host.sources, host.suites):
            for item in registry.items:
                if item.value is None:
                    faults.append(f"{item.plugin.package}: {item.error}")
                else:
                    whole.append((item.qualified, item.value))
    given = {(getattr(spec, "kind", ""), getattr(spec, "name", "")) for _, spec in whole}
    for where, spec in whole:
        faults += [f"{where}: {fault}" for fault in _faults(spec, host, given)]
    for fault in faults:
        click.echo(f"fault: {fault}", err=True)
    click.echo(f"{len(files) if paths else len(whole)} files checked, {len(faults)} faults")
    ctx.exit(1 if faults else 0)


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

    checks: list[tuple[Callable[[str], object], str]] = []
    values: dict[str, Any] = {}

    def check(kind: str, find: Callable[[str], object], names: Collection[str]) -> None:
        checks.extend((find, name) for name in names if (kind, name) not in given)

    if isinstance(spec, dict):  # an experiment
        check("strategy", host.choose_strategy, spec.get("strategies", ()))
        check("suite", host.suites.find, [spec["suite"]] if spec.get("suite") else ())
        check("task", host.tasks.find, spec.get("tasks", ()))
        check("language", host.languages.get, spec.get("languages", ()))
        values = spec.get("set", {})
    elif isinstance(spec, Suite):
        check("task", host.tasks.find, dict.fromkeys((*spec.tasks, *spec.languages)))
        check("language", host.languages.get, [code for codes in spec.languages.values() for code in codes])
        check("backbone", host.backbones.find, [spec.backbone] if "/" not in spec.backbone else ())
        values = spec.hyperparameters
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
    for key, value in values.items():
        try:
            parsed(key, value)
        except UserError as error:
            yield str(error)
