"""``xleval plugins``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click

from xleval.cli import make_host
from xleval.errors import UserError
from xleval.scaffold import KINDS


@click.group()
def plugins() -> None:
    """Plugins: packages that add strategies, tasks, backbones, trackers."""


@plugins.command(short_help="List plugins with what they provide.")
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


@plugins.command(short_help="Write a new package, ready to be installed.")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder to write: a new or an empty one.  [default: ./NAME]",
)
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="What the package adds.")
@click.pass_context
def new(ctx: click.Context, name: str, folder: Path | None, kind: str) -> None:
    """Write a package that adds a strategy, ready to be installed, run, tested and published.

    NAME is the package's; the strategy in it is called the same, without `xleval-` before it. Nothing is ever
    overwritten.

    \b
    xleval plugins new mine
    pip install ./mine
    xleval run --strategy mine
    """
    from xleval.scaffold import names_of, write

    taken = {item.name: item.qualified for item in make_host(ctx).strategies.items}
    written = write(name, folder, kind, taken)
    names = names_of(name)
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    click.echo(f"written to {written}: {', '.join(map(str, files))}")
    here = "" if written.is_absolute() else "./"  # without it pip looks for a published package of this name
    click.echo(f"\npip install {here}{written}\nxleval run --strategy {names.strategy}\nxleval plugins check {name}")


@plugins.command(short_help="Check that a plugin keeps to the contract.")
@click.argument("plugin", metavar="PACKAGE|MODULE|PATH")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="S[:key=value,…]",
    help="Check this strategy of the plugin in place of all by default; repeatable.",
)
@click.option("--no-run", is_flag=True, help="Leave out the small run on the demo.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def check(ctx: click.Context, plugin: str, strategies: tuple[str, ...], no_run: bool, as_json: bool) -> None:
    """Check that a plugin keeps to the contract, and say what to do where it does not.

    It is an installed package, an importable module, a .py file, or a folder with a pyproject.toml.
    Checked are the import (light, in a fresh interpreter), the hooks, names, summaries, docstrings and
    parameters; that recipes are pure, there for every target of every task, and the same in another process;
    backbones' revisions, YAML files, data providers, executors. At last everything that can runs on the demo.

    \b
    xleval plugins check my-package
    xleval plugins check ./mine.py --no-run
    xleval plugins check my-package --strategy mine:first=2

    Exit code 1 if a check failed. From Python: `xleval.testing.check_plugin` and `assert_conforms`.
    """
    from rich.console import Console

    from xleval.conformance import check_plugin

    with Console(stderr=True).status("checking") as status:  # shown on a terminal only
        found = check_plugin(
            plugin,
            run=not no_run,
            strategies=strategies,
            **ctx.obj,
            each=lambda check: status.update(f"checked: {check.what}, {check.of}"),
        )
    failed = sum(not check.ok for check in found)
    if as_json:
        rows = [{"check": c.what, "of": c.of, "ok": c.ok, "fault": c.fault, "note": c.note} for c in found]
        click.echo(json.dumps({"checks": rows, "failed": failed}, indent=1, ensure_ascii=False))
    else:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("check", "of", ""):
            table.add_column(title, no_wrap=True)
        table.add_column("what to do", overflow="fold")
        for c in found:
            state = Text("ok", "green") if c.ok else Text("failed", "red")
            table.add_row(c.what, Text(c.of), state, Text(c.fault) if c.fault else Text(c.note, "dim"))
        Console().print(table)
        click.echo(f"{len(found)} checks, {failed} failed")
    ctx.exit(1 if failed else 0)
