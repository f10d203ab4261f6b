"""``xleval leaderboard``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xleval.cli import make_host
from xleval.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.results_check import Checked
    from xleval.site.build import Built
    from xleval.site.contributions import Tell

_RESULTS = Path("leaderboard", "results")
_SITE = Path("leaderboard", "_site")
#: Faults that are printed of one file; `--json` has all of them.
_SHOWN = 1000


@click.group()
def leaderboard() -> None:
    """The leaderboard: entries placed in a checkout and checked, and static pages made of them."""


@leaderboard.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...", type=click.Path(path_type=Path))
@click.option("--name", default="", metavar="NAME", help="Of the entry.  [default: its strategies and a digest]")
@click.option(
    "--to", default=_RESULTS, show_default=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Folder of entries.",
)  # fmt: skip
@click.pass_context
def add(ctx: click.Context, paths: tuple[Path, ...], name: str, to: Path) -> None:
    """Place results as an entry, for a pull request.

    Takes results folders, or files of records beside their items, and writes one entry: DIR/NAME with
    records.jsonl and the per-item files packed into items.zip. First everything is checked that `xleval leaderboard
    validate` checks, and every fault is shown. Refused are also cells that another entry has, and cells of a version of
    xleval, of the schema or of the task below that of another entry. The entry is there whole, or not at all.

    \b
    xleval leaderboard add xleval-results
    xleval leaderboard add runs/a runs/b --name tlr-on-masakhaner

    Exit code 1 if it is refused, 2 if a file cannot be read or written.
    """
    from xleval.leaderboard.adding import RefusedError, add_entry

    try:
        with progress_bar("checking results") as tell:
            added = add_entry(paths, to, name, lambda path, done, total: tell(done, total))
    except RefusedError as refused:
        _print_faults(refused.found)
        for reason in refused.reasons:
            click.echo(_line(reason), err=True)
        click.echo(f"not added: {refused}", err=True)
        ctx.exit(1)
    failed = f", {added.failed} of them failed" if added.failed else ""
    click.echo(f"{added.cells} cells of {added.runs} runs{failed} → {added.path} ({added.bytes / 1e6:.1f} MB)")


@leaderboard.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def validate(ctx: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Check entries of the leaderboard, whoever they are from.

    Takes entries and folders of entries; by default leaderboard/results. Checked are sizes and text, the fields that
    every record needs, that the strategies of an entry have the same languages, splits and seeds, that no cell stands
    there twice in one entry or in two, and every score, computed again from its per-item file to within 1e-6.

    \b
    xleval leaderboard validate
    xleval leaderboard validate leaderboard/results/tlr-on-masakhaner
    xleval leaderboard validate --json

    Exit code 1 on any fault, 2 if there is no such folder or it cannot be read.
    """
    from xleval.leaderboard.checks import check_entries

    with progress_bar("checking entries") as tell:
        found = check_entries(paths or (_RESULTS,), lambda folder, done, total: tell(done, total))
    if as_json:
        import json

        click.echo(json.dumps([checked.as_dict() for checked in found], indent=1))
    else:
        _print_faults(found)
        for checked in found:
            click.echo(_line(str(checked)))
        if not found:
            click.echo("no entries")
    ctx.exit(1 if any(checked.faults for checked in found) else 0)


def _site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `build` and `serve` have in common."""
    folder = click.Path(path_type=Path)
    for option in (
        click.option("--title", default="xleval leaderboard", show_default=True, help="Of the site."),
        click.option("--url", default="", metavar="URL", callback=_address, help="Where it will be served."),
        click.option("--out", default=_SITE, show_default=True, metavar="DIR", type=folder, help="Folder of the site."),
        click.option(
            "--results", default=_RESULTS, show_default=True, metavar="DIR", type=folder, help="Folder of entries."
        ),
    ):
        command = option(command)
    return command


def _address(ctx: click.Context, option: click.Parameter, url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise click.BadParameter(f"{url!r} does not begin with https://")
    return url


@leaderboard.command()
@_site_options
@click.pass_context
def build(ctx: click.Context, results: Path, out: Path, url: str, title: str) -> None:
    """Build the site: static pages of all entries and of the scores that papers print.

    Every entry is checked; one with faults is shown as self-reported, one that cannot be shown is named and nothing is
    built. The site is there whole, or what was there stays. It opens from a disk and from any static host, and the same
    entries give the same bytes. --url makes links in the feed and in exports absolute.

    \b
    xleval leaderboard build
    xleval leaderboard build --results my/entries --out public --url https://example.org/board/

    Exit code 2 if an entry cannot be shown or the site cannot be written.
    """
    with progress_bar("building") as tell:
        made = _build(make_host(ctx), results, out, url, title, lambda name, done, total: tell(done, total))
    for name in made.self_reported:
        click.echo(f"{name}: self-reported; `xleval leaderboard validate {results / name}` says why", err=True)
    entries = f"{made.entries} {'entry' if made.entries == 1 else 'entries'}"
    click.echo(f"{entries} → {made.pages} pages, {made.bytes / 1e6:.1f} MB: {out / 'index.html'}")


@leaderboard.command()
@_site_options
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=int, help="0 takes any that is free.")
@click.pass_context
def serve(ctx: click.Context, results: Path, out: Path, url: str, title: str, address: str, port: int) -> None:
    """Preview the site, and build it again when an entry, a template, the script or the style changes.

    \b
    xleval leaderboard serve
    xleval leaderboard serve --results my/entries --port 0

    Ctrl-C ends it. Exit code 2 if the first build fails, or the address cannot be listened on.
    """
    from xleval.site.build import sources
    from xleval.site.serving import serve as serve_site

    host = make_host(ctx)

    def again() -> None:
        _build(host, results, out, url, title)

    serve_site(again, out, [results, *sources()], address, port, click.echo)


def _build(host: Host, results: Path, out: Path, url: str, title: str, tell: Tell = lambda *_: None) -> Built:
    from xleval.hub import cache_folder
    from xleval.site.build import build as build_site

    cache = cache_folder() / "site"
    return build_site(results, out, host=host, url=url, title=title, cache_folder=cache, tell=tell)


def _print_faults(found: Iterable[Checked]) -> None:
    for checked in found:
        for fault in checked.faults[:_SHOWN]:
            place = f"{checked.path}:{fault.line}" if fault.line else f"{checked.path.parent}"
            click.echo(
                _line(f"{place}: {fault.cell}: {fault.message}" if fault.cell else f"{place}: {fault.message}"),
                err=True,
            )
        if (more := len(checked.faults) - _SHOWN) > 0:
            click.echo(_line(f"{checked.path}: {more} more faults; --json prints all"), err=True)


def _line(text: str) -> str:
    """On one line, and nothing in it that a terminal obeys: it may be from anybody."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
