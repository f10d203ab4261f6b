"""``xleval compare --compat``: results in the terms of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xleval.comparison.published_terms import PublishedTerms
    from xleval.host import Host


def recorded_terms(
    strategies: Sequence[str], baseline: str, tasks: Sequence[str], metric: str, folder: Path
) -> list[PublishedTerms]:
    """Our own results: a table for each task under each backbone."""
    from xleval.comparison.choosing import choose
    from xleval.comparison.published_terms import from_table
    from xleval.comparison.recorded import recorded

    _, tables = choose(recorded(folder, tasks, metric=metric)[0], strategies, baseline)
    return [from_table(one, [row.strategy for row in one.rows], one.rows[0].strategy) for one in tables]


def printed_terms(
    strategies: Sequence[str], baseline: str, tasks: Sequence[str], metric: str, key: str, host: Host
) -> list[PublishedTerms]:
    """A published table, ``tlr:2a``.

    Raises:
        UserError: no such table, task, metric or strategy in it.
    """
    from xleval.comparison.printed_terms import from_reference
    from xleval.published import load

    printed = load().table(key)
    paper, _, name = printed.key.partition(":")
    suite = next((one for one in host.suites.values() if one.name == paper), None)
    table = suite.tables.get(name) if suite else None
    return [
        found
        for task in tasks or [""]
        for found in from_reference(printed, task, metric, strategies, baseline, suite=table)
    ]
