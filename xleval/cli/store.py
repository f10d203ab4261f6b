"""``xleval store``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

_OPTION = click.option(
    "--store", "root", type=click.Path(path_type=Path), help="Folder.  [default: $XLEVAL_STORE, or the user's cache]"
)


@click.group()
def store() -> None:
    """The store: adapters and predictions by fingerprint, shared by all runs."""


@store.command()
@_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print manifests as JSON.")
def ls(root: Path | None, as_json: bool) -> None:
    """List artifacts with kind, content and size."""
    from xleval.store import Store, default_store

    stored = list(Store(root or default_store()))
    if as_json:
        click.echo(json.dumps([dict(s.manifest) for s in stored], indent=1))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "fingerprint", "content", "created", "KiB", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in stored:
        manifest = one.manifest
        seed = f"seed {manifest['seed']}" if "seed" in manifest else None
        hub = manifest.get("hub", {}).get("id")
        adapter = manifest.get("adapter") if manifest.get("adapter") != "bottleneck" else None
        parts = [manifest.get("task"), adapter, manifest.get("module") or manifest.get("language"), hub, seed]
        content = " ".join(str(part) for part in parts if part)
        table.add_row(one.kind, one.fingerprint[:12], content, manifest["created"], f"{one.bytes / 1024:.0f}")
    Console().print(table)
    total = sum(one.bytes for one in stored)
    click.echo(f"{len(stored)} artifacts, {total / 2**20:.1f} MiB in {root or default_store()}")


@store.command()
@_OPTION
@click.pass_context
def verify(ctx: click.Context, root: Path | None) -> None:
    """Check every file against its SHA-256; non-zero exit if one is damaged. A run makes those again."""
    from xleval.store import CorruptArtifactError, Store, default_store

    opened, faults, whole = Store(root or default_store()), 0, 0
    for kind, fingerprint in opened.addresses():
        try:
            opened.open(kind, fingerprint)
            whole += 1
        except CorruptArtifactError as error:
            faults += 1
            click.echo(f"damaged: {error}", err=True)
    click.echo(f"{whole} artifacts whole, {faults} damaged")
    ctx.exit(1 if faults else 0)


@store.command()
@_OPTION
@click.option("--days", default=7.0, show_default=True, help="Keep checkpoints younger than this.")
@click.option(
    "--unused-by",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RESULTS",
    help="Also remove artifacts that no record of these results folders names.",
)
@click.option("--yes", is_flag=True, help="Remove; without it, only list.")
def gc(root: Path | None, days: float, unused_by: tuple[Path, ...], yes: bool) -> None:  # fmt: skip
    """Remove leftovers of killed runs, damaged artifacts and old checkpoints; list them without --yes."""
    from xleval.store import Store, default_store

    opened = Store(root or default_store())
    garbage = opened.garbage(days)
    if unused_by:
        used = _used(unused_by)
        garbage += [one.path for one in opened if one.fingerprint[:32] not in used]
    for path in garbage:
        click.echo(f"{'removed' if yes else 'would remove'} {path}")
        if yes:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    click.echo(f"{len(garbage)} removed" if yes else f"{len(garbage)} to remove; pass --yes to do it")


@store.command()
@_OPTION
@click.argument("fingerprint", required=False)
def path(root: Path | None, fingerprint: str | None) -> None:
    """Print the store's folder, or the folder of the artifact whose fingerprint starts with FINGERPRINT.

    An adapter's folder loads with plain adapters: model.load_adapter(path, use_safetensors=True).
    """
    from xleval.errors import UserError
    from xleval.store import Store, default_store

    opened = Store(root or default_store())
    if fingerprint is None:
        click.echo(opened.root)
        return
    prefix = fingerprint.removeprefix("sha256:")
    found = [one for one in opened if one.fingerprint.startswith(prefix)]
    if len(found) != 1:
        raise UserError(f"{len(found)} artifacts start with {prefix!r} (see `xleval store ls`)")
    click.echo(found[0].path)


def _used(folders: tuple[Path, ...]) -> set[str]:
    from xleval.errors import UserError
    from xleval.records import Results

    used: set[str] = set()
    for folder in folders:
        results = Results(folder)
        if not results.path.is_file():
            raise UserError(f"--unused-by {folder}: no records.jsonl there")
        for record in results.read():
            adapters = [*record.get("adapters", []), record.get("infer_on") or {}]
            used |= {str(adapter.get("id", "")).removeprefix("sha256:")[:32] for adapter in adapters}
            # The per-item file of a cell is named by its prediction.
            used.add(Path((record.get("per_example") or {}).get("path", "")).stem)
    return used
