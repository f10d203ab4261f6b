"""``xleval ls``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from xleval.cli import make_host

Rows = tuple[list[str], list[dict[str, Any]]]


def _tasks(host: Any) -> Rows:
    def row(spec: Any) -> dict[str, Any]:
        return {"version": spec.version, "family": spec.family, "languages": len(spec.languages),
                "source": spec.source, "metric": spec.metric, "summary": spec.summary}  # fmt: skip

    return ["name", "version", "family", "languages", "source", "metric", "summary"], _registry(host.tasks, row)


def _strategies(host: Any) -> Rows:
    from xleval.recipe import parameters

    def row(strategy: Any) -> dict[str, Any]:
        given = ", ".join(f"{key}={value}" for key, value in parameters(strategy).items())
        return {"parameters": given, "summary": strategy.summary}

    return ["name", "plugin", "parameters", "summary"], _registry(host.strategies, row)


def _backbones(host: Any) -> Rows:
    def row(backbone: Any) -> dict[str, Any]:
        identity = backbone.identity
        return {"source": identity["id"], "revision": identity["revision"][:12], "summary": backbone.summary}

    return ["name", "plugin", "source", "revision", "summary"], _registry(host.backbones, row)


def _languages(host: Any) -> Rows:
    columns = ["code", "name", "family", "script", "macroarea", "resource", "mbert", "xlmr", "aliases"]
    rows = [{column: getattr(language, column) for column in columns} for language in host.languages]
    return columns, [{**row, "aliases": list(row["aliases"])} for row in rows]


def _datasets(host: Any) -> Rows:
    def row(spec: Any) -> dict[str, Any]:
        return {"version": spec.version, "family": spec.family, "language": spec.language,
                "licence": spec.licence, "summary": spec.summary}  # fmt: skip

    return ["name", "version", "family", "language", "licence", "summary"], _registry(host.sources, row)


def _suites(host: Any) -> Rows:
    def row(suite: Any) -> dict[str, Any]:
        return {"tasks": ", ".join(suite.tasks), "backbone": suite.backbone, "summary": suite.summary}

    return ["name", "tasks", "backbone", "summary"], _registry(host.suites, row)


def _metrics(host: Any) -> Rows:
    from xleval.scoring.metrics import METRICS

    rows = [
        {
            "name": name,
            "families": [family for metric in metrics for family in metric.families],
            "counts": "; ".join(", ".join(metric.counts) for metric in metrics),
            "summary": " ".join(metric.summary for metric in metrics),
        }
        for name, metrics in METRICS.items()
    ]
    return ["name", "families", "counts", "summary"], rows


def _registry(registry: Any, row: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for item in registry.items:
        about: dict[str, Any] = {"name": item.name, "plugin": item.plugin.package}
        if item.value is None:
            about |= {"status": "BROKEN", "error": item.error}
        else:
            about |= row(item.value)
            if others := registry.conflicts(item):
                claimants = ", ".join(other.qualified for other in others)
                about |= {"name": item.qualified, "status": "CONFLICT", "error": f"also claimed by {claimants}"}
        rows.append(about)
    return rows


_KINDS: dict[str, Callable[[Any], Rows]] = {
    "tasks": _tasks,
    "strategies": _strategies,
    "backbones": _backbones,
    "languages": _languages,
    "datasets": _datasets,
    "suites": _suites,
    "metrics": _metrics,
}


@click.command()
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def ls(ctx: click.Context, kind: str, as_json: bool) -> None:
    """List what can be run: built-in and from plugins. One that does not load is shown as BROKEN."""
    columns, rows = _KINDS[kind](make_host(ctx))
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for row in rows:
        if row.get("status"):
            style = "red" if row["status"] == "BROKEN" else "yellow"
            first, *rest = (_text(row.get(column, "")) for column in columns)
            rest[-1] = f"{row['status']}: {row['error']}"
            table.add_row(Text(first, style), *(Text(text) for text in rest))
        else:
            table.add_row(*(Text(_text(row.get(column, ""))) for column in columns))
    Console().print(table)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "–"
    return ", ".join(value) if isinstance(value, list) else str(value)
