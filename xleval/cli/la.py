"""``xleval la``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options

if TYPE_CHECKING:
    from rich.table import Table

    from xleval.inventory import KnownAdapter

F = TypeVar("F", bound=Callable[..., Any])

#: The options of ``run`` that say how a language adapter is made.
_TAKEN = ("suite", "backbone", "text_dir", "settings", "device", "precision", "executor", "jobs", "store",
          "offline", "config")  # fmt: skip


def _no_use(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value not in (None, (), False):
        raise click.UsageError(f"{param.opts[-1]} means nothing to `{ctx.command_path}`; leave it out", ctx)
    return value


def _options(*own: str) -> Callable[[F], F]:
    """The options of ``run`` beside a command's ``own``; those that no adapter depends on are hidden and refused."""

    def decorate(command: F) -> F:
        command = experiment_options(command)
        for param in command.__click_params__:  # type: ignore[attr-defined]
            if isinstance(param, click.Option) and param.name not in (*_TAKEN, *own):
                param.hidden, param.callback = True, _no_use
        return command

    return decorate


@click.group()
def la() -> None:
    """Language adapters: list, train, and measure them.

    A run trains those that it lacks by itself; these commands make and look at them alone.
    """


@la.command()
@click.option("--backbone", metavar="B", help="Only of this backbone: name, hub id or folder.  [default: all]")
@click.option("--language", multiple=True, metavar="L,…", help="Only of these languages, by code, alias or name.")
@click.option(
    "--published",
    "policy",
    metavar="P",
    default="any",
    show_default=True,
    help="What la.published is: any, relu, gelu or no. Marks what it chooses.",
)
@click.option("--all", "everything", is_flag=True, help="Published ones that would not be chosen, too.")
@click.option(
    "--store", "root", type=click.Path(path_type=Path), help="Folder.  [default: $XLEVAL_STORE, or the user's cache]"
)
@click.option("--offline", is_flag=True, help="Use only local files and caches.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def ls(
    ctx: click.Context, backbone: str | None, language: tuple[str, ...], policy: str, everything: bool,
    root: Path | None, offline: bool, as_json: bool,
) -> None:  # fmt: skip
    """List trained and published language adapters.

    Trained ones are in the store, published ones on the hub. A run takes what --la gives, else trains on --text-dir,
    else takes a published one (marked `chosen`), else trains on Wikipedia. `xleval store path FINGERPRINT` prints the
    folder of a trained one. Without --backbone, published ones are only counted.
    """
    from xleval.backbones import resolve_backbone
    from xleval.inventory import published_adapters, trained_adapters
    from xleval.store import Store, default_store

    host, store = make_host(ctx), Store(root or default_store())
    only = resolve_backbone(backbone, host, offline=offline) if backbone else None
    wanted = {host.languages.get(code.strip()).code for text in language for code in text.split(",") if code.strip()}

    def asked(rows: list[KnownAdapter]) -> list[KnownAdapter]:
        return [row for row in rows if not wanted or wanted & set(row.languages)]

    rows = trained = asked(trained_adapters([only] if only else host.backbones.values(), store, others=only is None))
    published = {
        one.name: [row for row in asked(published_adapters(one, store, policy)) if everything or row.chosen]
        for one in ([only] if only else host.backbones.values())
    }
    if only is not None:
        rows = sorted(rows + published[only.name], key=lambda row: (row.languages, row.source != "store"))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
        return
    from xleval.cli.screen import print_whole

    if rows:
        print_whole([_table(rows)])
    counts = ", ".join(f"{len(found)} for {name}" for name, found in published.items() if found)
    click.echo(f"{len(trained)} trained in {store.root}; published: {counts or 'none'}")
    if only is None and counts:
        click.echo("`xleval la ls --backbone B` lists the published ones of a backbone")


@la.command()
@click.argument("languages", nargs=-1, required=True, metavar="LANG…")
@click.option("--bilingual", metavar="SOURCE", help="A bilingual adapter of SOURCE and each LANG (BAD-X).")
@click.option(
    "--ratio",
    metavar="N:M",
    default="1:1",
    show_default=True,
    help="Of --bilingual: N batches of SOURCE, then M of LANG.",
)
@click.option("--multilingual", is_flag=True, help="One adapter of all LANG.")
@click.option("--json", "as_json", is_flag=True, help="Print what there is then as JSON.")
@_options()
@click.pass_context
def train(
    ctx: click.Context, /, languages: tuple[str, ...], bilingual: str | None, ratio: str, multilingual: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Train language adapters into the store.

    They are those that a run with the same options would train; one that is there is not trained again.

    \b
    xleval la train swa yor --backbone mbert --text-dir TEXT
    xleval la train qab --set la.steps=200            languages of the demo, on its backbone
    xleval la train swa --bilingual eng --ratio 5:1   a bilingual adapter
    xleval la train swa yor hau --multilingual        one for three
    """
    from xleval import BA, LA, MA
    from xleval.cli.progress import Progress
    from xleval.events import RunStarted
    from xleval.plan import plan_modules
    from xleval.run import missing_modules, setting, to_make

    if bilingual and multilingual:
        raise click.UsageError("give --bilingual or --multilingual, not both", ctx)
    if ratio != "1:1" and not bilingual:
        raise click.UsageError("--ratio goes with --bilingual", ctx)
    host = make_host(ctx)
    codes = [host.languages.get(name).code for name in languages]
    if bilingual:
        modules = [BA(host.languages.get(bilingual), code, ratio) for code in codes]
    else:
        modules = [MA(codes)] if multilingual else [LA(code) for code in codes]
    # A published adapter would be there already: who asks for training means training.
    options["settings"] = ("la.published=no", *options["settings"])
    graph = plan_modules(experiment_from(options), modules, host)
    progress, failures = Progress(), list[str]()
    host.listen("progress", progress)
    executor, address = host.choose_executor(graph.experiment.executor)
    work = missing_modules(graph, host.emit)
    if work.foundations:
        graph.store.check_writable()
        host.emit(RunStarted(to_make(work, graph), 0, graph.store.root))
    try:
        with progress:
            for outcome in executor.execute(
                work, setting(graph), jobs=graph.experiment.jobs, address=address, emit=host.emit
            ):
                failures += [f"{outcome.job.label}: {outcome.error[1]}"] if outcome.error else []
    except KeyboardInterrupt:
        click.echo("interrupted: finished adapters are kept; run the same command again to go on from here", err=True)
        ctx.exit(130)
    from xleval.inventory import trained_adapters

    made = [row for row in trained_adapters([graph.scope.backbone], graph.store) if row.id in graph.jobs]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in made], indent=1, ensure_ascii=False))
    elif made:
        from xleval.cli.screen import print_whole

        print_whole([_table(made)])
        click.echo(f"in {graph.store.root}: `xleval store path FINGERPRINT` prints the folder of one")
    for message in dict.fromkeys(failures):
        click.echo(f"failed: {message}", err=True)
    ctx.exit(1 if failures else 0)


@la.command()
@click.argument("languages", nargs=-1, required=True, metavar="LANG…")
@click.option(
    "--text",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="UTF-8 text of LANG to measure on.  [default: what training holds out]",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_options("la")
@click.pass_context
def perplexity(
    ctx: click.Context, /, languages: tuple[str, ...], text: Path | None, as_json: bool, **options: Any
) -> None:
    """Measure text under an adapter and without it.

    Prints pseudo-perplexity: lower is better. Takes the adapter that a run with the same options would use.
    Sub-words are masked as in training; numbers of different backbones do not compare, for their vocabularies differ.

    \b
    xleval la perplexity swa --backbone mbert --text-dir TEXT        on what training held out
    xleval la perplexity swa --la swa=FOLDER --text news.txt         on other text
    """
    from xleval import LA
    from xleval.perplexity import perplexities
    from xleval.plan import plan_modules

    if text is not None and len(languages) > 1:
        raise click.UsageError("--text FILE is text of one language; name one LANG", ctx)
    host = make_host(ctx)
    modules = [LA(host.languages.get(name)) for name in languages]
    found = list(perplexities(plan_modules(experiment_from(options), modules, host), text))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table

    from xleval.cli.screen import print_whole

    table = Table("language", "without", "under", "chunks", "text", "adapter", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in found:
        short = one.adapter if "/" in one.adapter else one.adapter[:12]
        table.add_row(one.language, f"{one.without:.2f}", f"{one.under:.2f}", str(one.chunks), one.text, short)
    print_whole([table])


def _table(rows: list[KnownAdapter]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = ("backbone", "adapter", "source", "steps", "perplexity", "text", "kind", "id", "")
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        before, after = row.perplexity_before, row.perplexity
        change = f"{before:.1f} → {after:.1f}" if before is not None and after is not None else ""
        notes = [word for word, true in (("chosen", row.chosen), ("not here yet", not row.here)) if true]
        table.add_row(
            row.backbone, row.module, row.source, str(row.steps or ""), change, Text(row.text), row.architecture,
            Text(row.id.partition("@")[0] if row.source == "published" else row.id[:12]), ", ".join(notes),
        )  # fmt: skip
    return table
