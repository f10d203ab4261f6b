"""``xleval fetch``."""

from __future__ import annotations

from typing import Any

import click

from xleval.cli import make_host
from xleval.cli.options import experiment_from, experiment_options


@click.command()
@experiment_options
@click.pass_context
def fetch(ctx: click.Context, /, **options: Any) -> None:
    """Bring backbone, data, text and published adapters of a run into the local caches, for use with --offline.

    Takes the options of `xleval run`. Every split is read and checked, so what passes here loads later.
    """
    from xleval.adapter_download import bring
    from xleval.jobs import LanguageAdapterJob
    from xleval.plan import plan
    from xleval.tasks.recent import blocks_of

    graph = plan(experiment_from(options), make_host(ctx))
    backbone = graph.scope.backbone
    click.echo(f"backbone {backbone.name}: {backbone.path(offline=graph.experiment.offline)}")
    seen: set[str] = set()
    for cell in graph.cells:
        for data in cell.prediction.splits:
            if data.fingerprint not in seen:
                seen.add(data.fingerprint)
                count = sum(map(len, blocks_of(cell.task, data)))
                click.echo(f"{data.dataset} {data.language} {data.split}: {count} examples from {data.origin}")
    graph.check_text()
    texts = {text.fingerprint: text for job in graph.jobs.values() for text in job.texts}
    for text in texts.values():
        click.echo(f"text {text.language}: {text.bring()} from {text.origin}")
    for job in graph.of_kind("language_adapter"):
        if isinstance(job, LanguageAdapterJob) and job.published:
            folder = bring(job.published, backbone, graph.store, offline=graph.experiment.offline)
            click.echo(f"{job.label}: {job.published} in {folder}")
