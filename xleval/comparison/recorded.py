"""Recorded results, and comparisons of them in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from xleval.comparison.choosing import choose
from xleval.comparison.measured import MeasuredTable, measure
from xleval.comparison.versus import Comparison
from xleval.comparison.versus import compare as compare_measured
from xleval.errors import UserError, nearest
from xleval.item_files import items_of
from xleval.languages import builtin
from xleval.records import Results
from xleval.report.table import Table, tabulate


def compare(
    strategies: Sequence[str] = (),
    *,
    baseline: str = "",
    folder: str | Path = "xleval-results",
    tasks: Sequence[str] = (),
    metric: str = "",
    correction: str = "bh",
) -> list[Comparison]:
    """Strategies of a results folder against a baseline, a comparison for each task and backbone: `xleval compare`.

    Without ``strategies`` all are compared; the baseline is the first, or MAD-X. ``metric``: by default each task's
    own. ``correction`` of p-values over languages: ``bh``, or ``by``, which holds under any dependence.

    Raises:
        UserError: unknown names; results that cannot be compared, with what differs; a per-item file that is not
            the one of its record.
    """
    registry = builtin()
    folder = Path(folder)
    found = measured(recorded(folder, tasks, metric=metric)[0], folder, strategies, baseline)
    families = {code: registry.get(code).family for one in found for code in one.table.languages if code in registry}
    return [compare_to_first(one, families, correction) for one in found]


def measured(table: Table, folder: Path, strategies: Sequence[str], baseline: str = "") -> list[MeasuredTable]:
    """The tables in which strategies can be compared, the baseline first, with the counts behind them."""
    return [measure(one, partial(items_of, folder)) for one in choose(table, strategies, baseline)[1]]


def compare_to_first(found: MeasuredTable, families: Mapping[str, str], correction: str = "bh") -> Comparison:
    """The strategies of a table against the one in its first row."""
    return compare_measured(found, found.table.rows[0].strategy, families, correction)


def recorded(
    folder: Path, tasks: Sequence[str] = (), strategies: Sequence[str] = (), metric: str = ""
) -> tuple[Table, list[str]]:
    """The tables of a results folder, and a message for each failed cell.

    Raises:
        UserError: no records, or none of a task, strategy or metric, with the nearest name.
    """
    found = Results(folder)
    if not found.path.is_file():
        raise UserError(f"no records.jsonl in {folder}: run `xleval run --out {folder}` first, or name another --out")
    runs, records = found.runs(), list(found.cells().values())
    for record in records:
        if record["run_id"] not in runs:
            cell = f"{record['task']}/{record['language']}"
            raise UserError(f"{found.path}: the result of {cell} has no `run` record {record['run_id']}")
    names = {"task": {r["task"] for r in records}, "strategy": {runs[r["run_id"]]["strategy"]["name"] for r in records}}
    for kind, given in (("task", tasks), ("strategy", strategies)):
        for name in given:
            if name not in names[kind]:
                raise UserError(f"{folder} has no results of {kind} {name!r}{nearest(name, names[kind])}")
    kept = [
        record
        for record in records
        if (not tasks or record["task"] in tasks)
        and (not strategies or runs[record["run_id"]]["strategy"]["name"] in strategies)
    ]
    # Several processes record in the order in which they finish: tables do not depend on it.
    kept.sort(
        key=lambda r: (r["task"], runs[r["run_id"]]["strategy"]["name"], r["language"], runs[r["run_id"]]["seed"])
    )
    failed = [
        f"{r['task']}/{r['language']} ({runs[r['run_id']]['strategy']['name']}, seed {runs[r['run_id']]['seed']}): "
        f"{r['error']['message']}"
        for r in kept
        if r["status"] != "ok"
    ]
    known = {name for record in kept for name in record.get("metrics") or {}}
    if metric and metric not in known:
        raise UserError(f"--metric {metric}: recorded are {', '.join(sorted(known)) or 'none'}{nearest(metric, known)}")
    return tabulate(kept, runs, metric), failed
