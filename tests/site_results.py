"""Entries for tests of the site, placed as contributors place theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from entries import contributed

from xleval.host import Host
from xleval.leaderboard.adding import add_entry
from xleval.site.board import Page, pages_of
from xleval.site.build import Built, build
from xleval.site.contributions import entries_of, read_contribution
from xleval.site.known import Known


def placed(results: Path, name: str, *arguments: Any, **more: Any) -> Path:
    """An entry ``name`` of `contributed(…)` in a folder of entries."""
    source = contributed(results.parent / f"sources-{results.name}" / name, *arguments, **more)
    return add_entry([source], results, name).path


def pages(results: Path) -> dict[str, Page]:
    """Pages of measured scores by name."""
    contributions = [read_contribution(folder) for folder in entries_of(results)]
    return {page.slug: page for page in pages_of(contributions, Known(Host()))}


def built(results: Path, out: Path, **more: Any) -> Built:
    """The site of these entries."""
    return build(results, out, host=Host(), **more)


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a site."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


STRATEGIES: Sequence[str] = (
    "madx",
    "tlr-all-multi",
    "la-none-tr",
    "transfer:lang=swa,steps=50",
    "transfer:lang=quy,steps=50",
)
