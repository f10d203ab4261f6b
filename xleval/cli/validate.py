"""``xleval validate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from xleval.cli import make_host


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.pass_context
def validate(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """Check task specs, suites and experiment files: schema, keys, labels, languages, revisions.

    Without PATHS, everything that is installed. A folder means the YAML files in it. Exit code 1 on any fault.
    """
    from xleval.errors import UserError

    host = make_host(ctx)
    if not paths:
        broken = [
            f"{item.plugin.package}: {item.error}"
            for registry in (host.tasks, host.sources, host.suites)
            for item in registry.items
            if item.value is None
        ]
        files = [spec for registry in (host.tasks, host.sources, host.suites) for spec in registry.values()]
        for spec in files:
            broken += [f"{spec.name}: {fault}" for fault in _names(spec, host)]
        for fault in broken:
            click.echo(f"fault: {fault}", err=True)
        click.echo(f"{len(files)} files whole, {len(broken)} faults")
        ctx.exit(1 if broken else 0)
    faults = checked = 0
    for path in _files(paths):
        checked += 1
        try:
            for fault in _names(_load(path), host):
                raise UserError(f"{path}: {fault}")
        except UserError as error:
            faults += 1
            click.echo(f"fault: {error}", err=True)
    if not checked:
        raise UserError(f"no YAML files in {', '.join(map(str, paths))}")
    click.echo(f"{checked} files checked, {faults} with faults")
    ctx.exit(1 if faults else 0)


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.yaml")) if path.is_dir() else [path]


def _load(path: Path) -> object:
    from xleval.experiment import load_experiment, load_suite
    from xleval.tasks.spec import load_spec, read_yaml

    kind = read_yaml(path).get("kind")
    if kind == "suite":
        return load_suite(path)
    if kind in ("task", "source"):
        return load_spec(path)
    return load_experiment(path)


def _names(spec: object, host: object) -> Iterator[str]:
    """Names in a spec that refer to nothing."""
    from xleval.errors import UserError

    languages, tasks, sources = host.languages, host.tasks, host.sources  # type: ignore[attr-defined]
    checks = [(languages.get, code) for code in getattr(spec, "languages", ()) if isinstance(code, str)]
    if isinstance(getattr(spec, "language", None), str):
        checks.append((languages.get, spec.language))  # type: ignore[attr-defined]
    if isinstance(getattr(spec, "source", None), str):
        checks.append((sources.find if spec.source not in {t.name for t in tasks.items} else tasks.find, spec.source))  # type: ignore[attr-defined]
    checks += [(tasks.find, name) for name in getattr(spec, "tasks", ())]
    for find, name in checks:
        try:
            find(name)
        except UserError as error:
            yield str(error)
