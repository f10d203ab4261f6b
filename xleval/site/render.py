"""Pages as HTML: the templates of ``leaderboard/templates``, with every string escaped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xleval.site.numbers import DASH, interval, points, signed

#: Everything from the site itself. Works on file:// as well; inline styles and scripts are refused.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Site:
    """What all pages have in common."""

    title: str
    url: str
    """With a slash at its end; empty where it is not known."""
    commit: str
    version: str
    updated: str
    """Latest time in any record."""


def environment(templates: Path, site: Site) -> Environment:
    """Templates with the site and the ways to print numbers."""
    made = Environment(
        loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.globals |= {"site": site, "policy": POLICY, "dash": DASH}
    made.globals |= {"points": points, "signed": signed, "interval": interval}
    return made


def render(templates: Environment, name: str, path: str, values: Mapping[str, Any]) -> str:
    """One page that will lie at ``path``; it links to others by way of ``root``."""
    root = "../" * path.count("/")
    return templates.get_template(name).render(path=path, root=root, **values)
