"""``xleval analyse``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xleval.cli import make_host
from xleval.cli.analysis_output import OUTPUT, deliver, options
from xleval.cli.options import experiment_from, experiment_options

if TYPE_CHECKING:
    from xleval.analysis.measured import Measured

_RESULTS = [
    click.option("--out", "folder", type=click.Path(path_type=Path), default=Path("xleval-results"), show_default=True,
                 help="Results folder of the run."),
    click.option("--task", multiple=True, metavar="T", help="Only this task; repeatable."),
    click.option("--metric", default="", metavar="M", help="Another recorded metric.  [default: the task's]"),
]  # fmt: skip
_EXAMPLES = [
    click.option("--examples", metavar="N", type=click.IntRange(min=2), default=500, show_default=True,
                 help="Examples of each language."),
    click.option("--draw", metavar="SEED", type=click.IntRange(min=0), default=0, show_default=True,
                 help="Seed that they are drawn with."),
    click.option("--source-split", type=click.Choice(["dev", "train"]), default="dev", show_default=True,
                 help="Which of the task's source data."),
    click.option("--no-train", is_flag=True, help="Refuse to make adapters that the store lacks."),
]  # fmt: skip
_PREDICTORS = [
    click.option("--gain", nargs=2, metavar="A B", default=("la-target", "la-none"), show_default=True,
                 help="Two strategies: the gain is A's score minus B's."),
    click.option("--predictors", "own", metavar="FILE.csv", type=click.Path(path_type=Path),
                 help="More predictors: a column `language`, and a column of numbers for each (docs/analyses.md)."),
    click.option("--backbone", metavar="B", help="Name or folder.  [default: the registered one of the records' id]"),
    click.option("--data-dir", metavar="DIR", type=click.Path(path_type=Path),
                 help="Upstream data files, for pieces a word."),
    click.option("--text-dir", metavar="DIR", type=click.Path(path_type=Path),
                 help="Text of the language adapters, for its size, where the store has no adapters."),
    click.option("--store", metavar="DIR", type=click.Path(path_type=Path), help="Store of the run."),
    click.option("--offline", is_flag=True, help="Use only local files and caches."),
]  # fmt: skip


@click.group()
def analyse() -> None:
    """The papers' analyses, as tables, JSON and SVG figures (docs/analyses.md).

    `alignment` needs adapters and a device; the others read the records of a results folder.
    """


@analyse.command(short_help="Cosines of source and target examples by layer (TLR).")
@experiment_options
@options(_EXAMPLES, OUTPUT)
@click.pass_context
def alignment(
    ctx: click.Context, /, examples: int, draw: int, source_split: str, no_train: bool, as_json: bool,
    form: str | None, figure: Path | None, **asked: Any,
) -> None:  # fmt: skip
    """Layer by layer, how near target examples come to source ones (TLR Figure 3).

    Cosines between [CLS] vectors of source examples on the source's language adapter and of target examples (dev data,
    if there are any) on the target's, under the task adapters of two or more strategies, by default madx and
    tlr-all-multi; the mean over seeds. What the store lacks is trained first, as `xleval run` does.

    \b
    xleval analyse alignment --task demo-nli
    xleval analyse alignment --task xnli --backbone mbert --strategy madx --strategy tlr-target --language sw,ur
    """
    from xleval.analysis.alignment import measure
    from xleval.cli.progress import Progress
    from xleval.plan import plan

    experiment = experiment_from(asked)
    if not experiment.strategies:
        experiment = experiment.model_copy(update={"strategies": ["madx", "tlr-all-multi"]})
    host, progress = make_host(ctx), Progress()
    host.listen("progress", progress)
    with progress:
        found = measure(
            plan(experiment, host), host, examples=examples, draw=draw, source_split=source_split, train=not no_train
        )
    deliver("alignment", found, experiment.out, as_json, form, figure)


@analyse.command(short_help="What MLM steps on one language do to others (FA).")
@options(_RESULTS)
@click.option(
    "--steps",
    metavar="N",
    type=click.IntRange(min=1),
    help="MLM steps on the transfer language.  [default: those recorded, if it is one number]",
)
@options(OUTPUT)
@click.pass_context
def transfer(
    ctx: click.Context, folder: Path, task: tuple[str, ...], metric: str, steps: int | None, as_json: bool,
    form: str | None, figure: Path | None,
) -> None:  # fmt: skip
    """What a few MLM steps on one language do to all targets (Faisal & Anastasopoulos 2024).

    (after − before) / before for each transfer language and target: strategies transfer:lang=L,steps=N against
    la-none-tr, which has the same task adapters; mean over seeds, targets split into seen and unseen in pretraining.
    """
    from xleval.analysis.transfer import transfer as analysed

    host = make_host(ctx)
    found: list[Any] = []
    for group in _groups(folder, task, metric, "transfer"):
        backbone = _registered(host, group)
        known = {} if backbone is None else {code: backbone.knows(host.languages.get(code)) for code in group.languages}
        found.append(analysed(group, steps, known.get, _canonical(host)))
    deliver("transfer", found, folder, as_json, form, figure)


@analyse.command(short_help="Fused language adapters against single ones (FA).")
@options(_RESULTS, OUTPUT)
@click.pass_context
def interference(
    ctx: click.Context, folder: Path, task: tuple[str, ...], metric: str, as_json: bool, form: str | None,
    figure: Path | None,
) -> None:  # fmt: skip
    """What fusing language adapters gives over each alone (Faisal & Anastasopoulos 2024).

    The score of fusion:langs=a+b minus the mean of fusion:langs=a and fusion:langs=b, by pair and target, mean over
    seeds. Below zero the languages interfere.
    """
    from xleval.analysis.interference import interference as analysed

    host = make_host(ctx)
    found = [analysed(group, _canonical(host)) for group in _groups(folder, task, metric, "fusion")]
    deliver("interference", found, folder, as_json, form, figure)


@analyse.command(short_help="Where the target's adapter helps (KH).")
@options(_RESULTS, _PREDICTORS, OUTPUT)
@click.pass_context
def correlates(
    ctx: click.Context, /, folder: Path, task: tuple[str, ...], metric: str, gain: tuple[str, str],
    own: Path | None, as_json: bool, form: str | None, figure: Path | None, **where: Any,
) -> None:  # fmt: skip
    """Where the target's language adapter helps (the open question of Kunz & Holmström 2024).

    The gain of each target, by default la-target over la-none, against what is known of the language: seen in
    pretraining and how much, resource class, family, script and word order like the source's, pieces a word, unknown
    pieces, text of its adapter. Rank correlations with bootstrap intervals over languages; q-values over predictors.
    """
    from xleval.analysis.correlates import correlates as analysed
    from xleval.analysis.correlates import gains_of
    from xleval.analysis.own_predictors import read_predictors
    from xleval.analysis.predictors import gathered

    host = make_host(ctx)
    more = read_predictors(own, host.languages) if own else []
    found: list[Any] = []
    for group in _groups(folder, task, metric, gain[0]):
        targets = [host.languages.get(code) for code in gains_of(group, *gain)[0]]
        backbone = where["backbone"] or getattr(_registered(host, group), "name", None)
        predictors, notes = gathered(group, targets, host, {**where, "backbone": backbone})
        found.append(analysed(group, *gain, [*predictors, *more], notes))
    deliver("correlates", found, folder, as_json, form, figure)


def _groups(folder: Path, tasks: tuple[str, ...], metric: str, wanted: str) -> list[Measured]:
    """Groups of results that have a strategy of the wanted name; all of them where none has, so that it is missed."""
    from xleval.analysis.measured import chosen, measured
    from xleval.analysis.strategies import parts_of
    from xleval.errors import UserError
    from xleval.records import Results

    results = Results(folder)
    if not results.path.is_file():
        raise UserError(f"no records.jsonl in {folder}: run `xleval run --out {folder}` first, or name another --out")
    groups = chosen(measured(results.cells().values(), results.runs(), metric), tasks)
    if not groups:
        raise UserError(f"{folder} has no scores" + (f" by --metric {metric}" if metric else ""))
    for group in groups:
        for failure in group.failed:
            click.echo(f"failed, left out: {group.task}, {failure}", err=True)
    name = parts_of(wanted)[0]
    return [group for group in groups if any(parts_of(label)[0] == name for label in group.scores)] or groups


def _canonical(host: Any) -> Callable[[str], str]:
    return lambda code: host.languages.get(code).code if code in host.languages else code


def _registered(host: Any, group: Measured) -> Any:
    """The backbone that the records name, as a plugin registers it; None for a folder of somebody's own."""
    return next((one for one in host.backbones.values() if group.backbone in (one.source, one.name)), None)
