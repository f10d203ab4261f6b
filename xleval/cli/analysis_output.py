"""What every command of ``xleval analyse`` does with its results: files, tables, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xleval.report.grid import Grid

F = TypeVar("F", bound=Callable[..., Any])


class Tables(Protocol):
    """What a command gives for one task."""

    def as_dict(self) -> dict[str, Any]: ...
    def grids(self) -> list[Grid]: ...


class Analysis(Tables, Protocol):
    """``figures`` by what their file's name ends in."""

    @property
    def title(self) -> str: ...
    def figures(self) -> dict[str, Figure]: ...


OUTPUT = [
    click.option("--json", "as_json", is_flag=True, help="Print as JSON."),
    click.option("--format", "form", type=click.Choice(["md", "latex", "csv"]),
                 help="Print the table for a paper (md, latex) or for programs (csv: one observation a line)."),
    click.option("--figure", metavar="FILE.svg", type=click.Path(path_type=Path),
                 help="Where to draw.  [default: analysis/NAME.svg in the results folder, beside NAME.json]"),
]  # fmt: skip


def options(*groups: Sequence[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Adds groups of options to a command."""

    def add(command: F) -> F:
        for group in reversed(groups):
            for option in reversed(group):
                command = option(command)
        return command

    return add


def deliver(
    name: str, found: Sequence[Analysis], folder: Path, as_json: bool, form: str | None, figure: Path | None
) -> None:
    """Writes JSON and figures, prints the tables, says where the files are.

    Raises:
        UserError: options that exclude each other; a folder that cannot be written to.
    """
    from xleval.errors import UserError
    from xleval.report.figures import svg
    from xleval.store import replace_synced

    if as_json and form:
        raise UserError("give --json or --format, not both")
    if figure is not None and figure.suffix != ".svg":
        raise UserError(f"--figure {figure}: figures are SVG, name a file that ends with .svg")
    home = folder / "analysis"
    files = {home / f"{name}.json": _json(found)}
    for one, suffix in zip(found, _suffixes([one.as_dict()["task"] for one in found]), strict=True):
        for kind, drawn in one.figures().items():
            path = figure or home / f"{name}.svg"
            files[path.with_name("-".join(filter(None, [path.stem, suffix, kind])) + ".svg")] = svg(drawn, one.title)
    for path, content in files.items():
        replace_synced(path, content)
    deliver_tables(found, as_json, form)
    click.echo("written: " + ", ".join(map(str, files)), err=True)


def deliver_tables(found: Sequence[Tables], as_json: bool, form: str | None) -> None:
    """Prints the tables as they were asked for.

    Raises:
        UserError: options that exclude each other.
    """
    from xleval.errors import UserError

    if as_json and form:
        raise UserError("give --json or --format, not both")
    if as_json:
        click.echo(_json(found), nl=False)
    elif form == "csv":
        # One table for programs: the header once.
        grids = [grid for one in found for grid in one.grids() if grid.tidy_headers]
        texts = [grid.csv() for grid in grids]
        same = [number > 0 and grid.tidy_headers == grids[0].tidy_headers for number, grid in enumerate(grids)]
        click.echo("".join(t.partition("\n")[2] if s else t for t, s in zip(texts, same, strict=True)), nl=False)
    elif form:
        grids = [grid for one in found for grid in one.grids()]
        click.echo("\n".join(grid.latex() if form == "latex" else grid.markdown() for grid in grids), nl=False)
    else:
        from xleval.cli.screen import print_whole

        print_whole(part for one in found for grid in one.grids() for part in grid.terminal())


def _json(found: Sequence[Tables]) -> str:
    import json

    return json.dumps([one.as_dict() for one in found], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _suffixes(tasks: Sequence[str]) -> list[str]:
    """What tells the files of several results apart: the task, and a number where a task has several."""
    import re

    if len(tasks) == 1:
        return [""]
    names = [re.sub(r"[^\w.-]", "_", task) for task in tasks]
    return [
        name if names.count(name) == 1 else f"{name}-{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]
