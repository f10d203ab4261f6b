"""``xleval plugins``."""

from __future__ import annotations

import json
from contextlib import suppress

import click

from xleval.cli import make_host
from xleval.errors import UserError


@click.group()
def plugins() -> None:
    """Plugins: packages that add strategies, tasks, backbones, trackers."""


@plugins.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def ls(ctx: click.Context, as_json: bool) -> None:
    """List plugins: version, hooks, what each provides, status, error, load time."""
    host = make_host(ctx)
    # Looking at the registries makes plugins declare what they provide, and shows which fail to.
    for registry in ("languages", "backbones", "strategies", "executors", "providers", "tasks", "suites"):
        with suppress(UserError):  # two claims of one name: each is listed
            getattr(host, registry)
    if as_json:
        fields = ("name", "package", "version", "origin", "status", "error", "load_ms", "hooks", "provides")
        click.echo(json.dumps([{f: getattr(info, f) for f in fields} for info in host.plugins], indent=1))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("plugin", "package", "version", "status", "provides", "ms", box=box.SIMPLE_HEAD, pad_edge=False)
    colours = {"loaded": "green", "blocked": "yellow", "broken": "red"}
    for info in host.plugins:
        provides = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in info.provides.items() if names)
        table.add_row(
            Text(info.name), Text(info.package), info.version, Text(info.status, colours[info.status]),
            Text(info.error or provides), f"{info.load_ms:.0f}",
        )  # fmt: skip
    Console().print(table)
