"""``xleval doctor``."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import click

from xleval.cli import make_host

_PACKAGES = ("xleval", "torch", "transformers", "adapters", "datasets", "huggingface_hub", "tokenizers", "safetensors",
             "numpy", "scipy", "seqeval", "pluggy", "click", "rich", "pydantic")  # fmt: skip


@click.command()
@click.option("--offline", is_flag=True, help="Do not try to reach the hub.")
@click.pass_context
def doctor(ctx: click.Context, offline: bool) -> None:
    """Print versions, device, caches, plugins and hub reachability: what to paste into a bug report."""
    from xleval.device import resolve_device, resolve_precision
    from xleval.environment import device_name, installed
    from xleval.store import default_store

    click.echo(f"python      {sys.version.split()[0]} on {platform.platform()}")
    for package in _PACKAGES:
        click.echo(f"{package:<11} {installed(package) or 'MISSING: reinstall xleval'}")
    device = resolve_device("auto")
    precision = resolve_precision("auto", "auto")
    click.echo(f"device      {device_name(device)}, precision {precision}, {os.cpu_count()} CPUs")
    store = default_store()
    there = next(path for path in (store, *store.parents) if path.exists())
    writable = "writable" if os.access(there, os.W_OK) else "NOT writable: set XLEVAL_STORE"
    click.echo(f"store       {store} ({writable}, {shutil.disk_usage(there).free / 2**30:.1f} GiB free)")
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = os.environ.get("HF_HUB_CACHE") or home / "hub"
    click.echo(f"hub cache   {cache} ({'present' if Path(cache).is_dir() else 'empty'})")
    if not offline:
        click.echo(f"hub         {_hub()}")
    for info in make_host(ctx).plugins:
        click.echo(f"plugin      {info.name} ({info.package} {info.version}): {info.status} {info.error}".rstrip())


def _hub() -> str:
    import urllib.request

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(f"{endpoint}/api/models?limit=1", timeout=5) as answer:
            return f"{endpoint} answers {answer.status}"
    except (OSError, ValueError) as error:
        return f"{endpoint} not reached ({error}); --data-dir, local folders and --offline work without it"
