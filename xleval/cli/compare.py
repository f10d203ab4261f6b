"""``xleval compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xleval.cli import make_host
from xleval.cli.analysis_output import OUTPUT, deliver, deliver_tables, options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xleval.comparison.versus import Comparison
    from xleval.report.grid import Grid

_RESULTS = [
    click.argument("strategies", nargs=-1, metavar="[A B...]"),
    click.option("--baseline", metavar="A", default="",
                 help="What the others are compared with.  [default: the first, or madx]"),
    click.option("--task", multiple=True, metavar="T", help="Only this task; repeatable."),
    click.option("--metric", default="", metavar="M", help="Another recorded metric.  [default: the task's]"),
    click.option("--out", "folder", type=click.Path(path_type=Path), default=Path("xleval-results"), show_default=True,
                 help="Results folder of the runs; `xleval results merge` joins several."),
    click.option("--correction", type=click.Choice(["bh", "by"]), default="bh", show_default=True,
                 help="Over languages: Benjamini-Hochberg, or Benjamini-Yekutieli, which holds under any dependence."),
    click.option("--resamples", metavar="R", type=click.IntRange(min=100),
                 help="Also the paired bootstrap over seeds and items, with R resamples, and ranks."),
    click.option("--checkpoints", metavar="SEED", type=int,
                 help="McNemar's exact test of the single checkpoints of one seed instead: accuracy only, and nothing "
                 "about new seeds."),
    click.option("--compat", type=click.Choice(["tlr"]), help="In the terms of a paper: tlr has Student's t over "
                 "seeds, an asterisk on gains that are not significant, and Better."),
    click.option("--reference", metavar="KEY", help="With --compat: a published table, such as tlr:2a."),
]  # fmt: skip


class _Shown:
    """A comparison as ``deliver`` takes it."""

    def __init__(self, found: Comparison, families: dict[str, str], resampled: Any) -> None:
        self.found, self.families, self.resampled = found, families, resampled

    @property
    def title(self) -> str:
        return f"{self.found.table.task}: strategies against {self.found.baseline}"

    def as_dict(self) -> dict[str, Any]:
        from xleval.report.comparison import as_dict

        return {**as_dict(self.found), **({"bootstrap": self.resampled.as_dict()} if self.resampled else {})}

    def grids(self) -> list[Grid]:
        from xleval.report.comparison import grids

        return grids(self.found) + ([self.resampled.grid()] if self.resampled else [])

    def figures(self) -> dict[str, Figure]:
        from xleval.report.comparison import figures

        return figures(self.found, self.families)


@click.command()
@options(_RESULTS, OUTPUT)
@click.pass_context
def compare(
    ctx: click.Context, strategies: tuple[str, ...], baseline: str, task: tuple[str, ...], metric: str, folder: Path,
    correction: str, resamples: int | None, checkpoints: int | None, compat: str | None, reference: str | None,
    as_json: bool, form: str | None, figure: Path | None,
) -> None:  # fmt: skip
    """Say which strategies differ, by how much, and how sure that is over new seeds and new test items.

    Prints for each task the difference to the baseline with its 95 % interval, p-values corrected for the number of
    comparisons, the strategies that are tied with the best, the smallest difference that could have been found, and a
    line in plain words. Draws a forest plot of the languages for each strategy, and the strategies with intervals.
    Without names all recorded strategies are compared. docs/statistics.md explains the method.

    \b
    xleval compare tlr-all-multi madx
    xleval compare madx tlr-target tlr-all-multi --baseline madx --task masakhaner
    xleval compare --compat tlr
    xleval compare ALL-MULTI --compat tlr --reference tlr:2a

    Results on different data revisions, task versions, limits, metrics or backbones are not compared: the message
    says what differs. With one seed, or without counts per item, nothing is tested, and the table says why.
    """
    from xleval.errors import UserError

    if reference and not compat:
        raise UserError("--reference needs --compat tlr: published tables have no counts per item to test")
    if compat:
        from xleval.cli.compatible import printed_terms, recorded_terms

        if reference:
            terms = printed_terms(strategies, baseline, task, metric, reference, make_host(ctx))
        else:
            terms = recorded_terms(strategies, baseline, task, metric, folder)
        deliver_tables(terms, as_json, form)
        return
    from xleval.comparison.bootstrapped import resample
    from xleval.comparison.recorded import compare_to_first, measured, recorded

    table, failed = recorded(folder, task, metric=metric)
    if checkpoints is not None:
        from xleval.comparison.checkpoints import compare_checkpoints
        from xleval.comparison.choosing import choose

        _, tables = choose(table, strategies, baseline)
        deliver_tables([compare_checkpoints(one, checkpoints, folder) for one in tables], as_json, form)
        return
    found = measured(table, folder, strategies, baseline)
    languages = make_host(ctx).languages
    families = {code: languages.get(code).family for one in found for code in one.table.languages if code in languages}
    shown = [
        _Shown(compare_to_first(one, families, correction), families, resample(one, resamples) if resamples else None)
        for one in found
    ]
    deliver("compare", shown, folder, as_json, form, figure)
    if not as_json and not form:
        for each in shown:
            click.echo(f"\n{each.found.table.task}:")
            for line in each.found.words:
                click.echo(f"  {line}")
    for message in failed:
        click.echo(f"failed, and left out: {message}", err=True)
