"""``xleval show``."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from typing import Any

import click

from xleval.cli import make_host


def _spec(item: Any) -> dict[str, Any]:
    found: dict[str, Any] = item.value.model_dump(mode="json", exclude_defaults=True)
    return {"plugin": item.plugin.package, **found}


def _strategy(item: Any) -> dict[str, Any]:
    from xleval.recipe import parameters

    strategy = item.value
    return {
        "name": strategy.name,
        "plugin": f"{item.plugin.package} {item.plugin.version}",
        "summary": strategy.summary,
        "parameters": {key: str(value) for key, value in parameters(strategy).items()},
        "description": inspect.getdoc(type(strategy)) or "",
        "recipe": inspect.getdoc(strategy.recipe) or "",
    }


def _backbone(item: Any) -> dict[str, Any]:
    backbone = item.value
    about = {"name": backbone.name, "plugin": item.plugin.package, **backbone.identity, "summary": backbone.summary}
    about["unsupported_scripts"] = list(backbone.unsupported_scripts)
    about["pretraining"] = backbone.seen if isinstance(backbone.seen, str) else sorted(backbone.seen)
    return {**about, "train.head=auto": backbone.head}


_KINDS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "task": lambda host, name: _spec(host.tasks.find(name)),
    "dataset": lambda host, name: _spec(host.sources.find(name)),
    "suite": lambda host, name: _spec(host.suites.find(name)),
    "strategy": lambda host, name: _strategy(host.strategies.find(name)),
    "backbone": lambda host, name: _backbone(host.backbones.find(name)),
    "language": lambda host, name: dataclasses.asdict(host.languages.get(name)),
}


@click.command()
@click.argument("kind", type=click.Choice([*_KINDS, "hyperparameters"]))
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def show(ctx: click.Context, kind: str, name: str | None, as_json: bool) -> None:
    """Show one thing, whole: description, parameters, sources, licence, citation, errata.

    \b
    xleval show task masakhaner
    xleval show strategy tlr-all-multi
    xleval show language swa
    xleval show hyperparameters
    """
    if kind == "hyperparameters":
        from xleval.hyperparameters import KNOWN

        about = {key: dataclasses.asdict(known) for key, known in KNOWN.items()}
        if as_json:
            click.echo(json.dumps(about, indent=1, default=str))
            return
        for key, known in KNOWN.items():
            choices = f" ({' | '.join(known.choices)})" if known.choices else ""
            click.echo(f"{key:<26} {known.default!s:<8} {known.help}{choices}")
        return
    if name is None:
        raise click.UsageError(f"give a name: xleval show {kind} NAME (see `xleval ls`)", ctx)
    found = _KINDS[kind](make_host(ctx), name)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    import yaml

    click.echo(yaml.dump(found, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100), nl=False)


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Text of several lines as a block, so that citations can be copied; lists of names in lines."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    def short(values: Any) -> bool:
        return all(isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 32) for value in values)

    def names(dumper: Any, value: Any) -> Any:
        tag = "tag:yaml.org,2002:seq"
        return dumper.represent_sequence(tag, list(value), flow_style=bool(value) and short(value))

    Dumper.add_representer(str, text)
    Dumper.add_representer(list, names)
    Dumper.add_representer(tuple, names)
    return Dumper
