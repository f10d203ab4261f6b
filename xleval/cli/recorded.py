"""The recorded results that a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xleval.report.table import Table


def recorded(
    folder: Path, tasks: Sequence[str] = (), strategies: Sequence[str] = (), metric: str = ""
) -> tuple[Table, list[str]]:
    """The tables of a results folder, and a message for each failed cell.

    Raises:
        UserError: no records, or none of a task, strategy or metric, with the nearest name.
    """
    from xleval.errors import UserError, nearest
    from xleval.records import Results
    from xleval.report.table import tabulate

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
