"""What the statistics say of the rows of one backbone, as integers that pages and script share.

Scores, differences and half widths are in millionths, p-values in ten-thousandths, rounded up. What is missing is -1
where numbers are never negative, else None. Kept in the cache, for it takes most of the time of a build.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from xleval.comparison.measured import MeasuredTable, Read, measure
from xleval.comparison.standing import difference, standings
from xleval.errors import UserError
from xleval.fingerprint import digest, files_digest
from xleval.report.table import Row, TaskTable
from xleval.stats.multiple import benjamini_hochberg, holm

#: A score or a difference of 1 is so many.
UNIT = 1_000_000
P_UNIT = 10_000


class Inference(NamedTuple):
    """Of R rows, L languages and some sets of languages; lists, so that it is JSON as it stands."""

    half: list[list[int]]
    """(R, L) half widths of 95 % intervals."""
    tied: list[list[int]]
    """(R, L): 1 tied with the best, 0 not, -1 not known."""
    sets: dict[str, list[list[Any]]]
    """Name of a set of languages → for each row half width, tied, and why there is none."""
    pairs: dict[str, list[int | None]]
    """``estimate``, ``half`` and ``p`` of rows i < j; ``corrected`` of all ordered pairs, by baseline, then strategy.
    Each (L + 1): languages, and the average over those that both have."""
    note: str
    """Why nothing could be measured."""


def infer(table: TaskTable, read: Read, sets: Mapping[str, Sequence[str]], cache_folder: Path | None) -> Inference:
    """All of it for one task under one backbone; ``sets``: name → languages that averages have intervals for.

    Items that contradict each other are no error here: the note says what is wrong, and nothing is tested.
    """
    key = digest([_code(), _content(table), {name: list(codes) for name, codes in sets.items()}])
    kept = cache_folder / f"{key}.json" if cache_folder else None
    if kept and (found := _kept(kept)):
        return found
    found = _infer(table, read, sets)
    if kept:
        _keep(kept, found)
    return found


def _infer(table: TaskTable, read: Read, sets: Mapping[str, Sequence[str]]) -> Inference:
    note = ""
    try:
        measured = measure(table, read)
    except UserError as error:
        note = str(error)
        measured = _unmeasured(table, note)
    columns: dict[str, Sequence[str]] = {f"language {code}": [code] for code in table.languages}
    made = standings(measured, columns={**columns, **sets})
    means = {(row.strategy, code): entry.mean for row in table.rows for code, entry in row.entries.items()}
    half: list[list[int]] = []
    tied: list[list[int]] = []
    for row in table.rows:
        of_row = [made[row.strategy, name] for name in columns]
        half.append(
            [_half(one.interval, means[row.strategy, c]) for one, c in zip(of_row, table.languages, strict=True)]
        )
        tied.append([-1 if one.tied is None else int(one.tied) for one in of_row])
    of_sets = {
        name: [
            [_half(one.interval, _average(row, codes)), -1 if one.tied is None else int(one.tied), one.reason]
            for row in table.rows
            for one in (made[row.strategy, name],)
        ]
        for name, codes in sets.items()
    }
    return Inference(half, tied, of_sets, _pairs(measured), note)


def _unmeasured(table: TaskTable, note: str) -> MeasuredTable:
    from xleval.scoring.metrics import Metric

    reasons = {(row.strategy, code): note for row in table.rows for code in table.languages}
    return MeasuredTable(table, Metric("", (), "", {}, {}, ()), reasons=reasons)


def _average(row: Row, codes: Sequence[str]) -> float | None:
    """As tables have it: the mean over the seeds that have all of the languages."""
    seeds = set.intersection(*(set(row.entries[code].scores) for code in codes))
    values = [math.fsum(row.entries[code].scores[seed] for code in codes) / len(codes) for seed in seeds]
    return math.fsum(values) / len(values) if values else None


def _half(interval: tuple[float, float] | None, mean: float | None) -> int:
    """The longer side: an interval ends at 0 and 1 at the latest."""
    return -1 if interval is None or mean is None else round(max(mean - interval[0], interval[1] - mean) * UNIT)


def _pairs(found: MeasuredTable) -> dict[str, list[int | None]]:
    rows = [row.strategy for row in found.table.rows]
    columns = len(found.table.languages) + 1
    made: dict[str, list[int | None]] = {"estimate": [], "half": [], "p": []}
    p: dict[tuple[int, int], list[float | None]] = {}
    for i, first in enumerate(rows):
        for j in range(i + 1, len(rows)):
            each = _pair(found, first, rows[j])
            made["estimate"] += [None if estimate is None else round(estimate * UNIT) for estimate, _, _ in each]
            made["half"] += [None if half is None else round(half * UNIT) for _, half, _ in each]
            p[i, j] = p[j, i] = [one for _, _, one in each]
            made["p"] += [_up(one) for one in p[i, j]]
    adjusted: dict[tuple[int, int], list[float | None]] = {}
    for b in range(len(rows)):  # against b: Holm over averages, Benjamini–Hochberg over all languages of all strategies
        others = [a for a in range(len(rows)) if a != b]
        averages = _adjusted([p[a, b][-1] for a in others], holm)
        languages = _adjusted([one for a in others for one in p[a, b][:-1]], benjamini_hochberg)
        for number, a in enumerate(others):
            start = number * (columns - 1)
            adjusted[a, b] = [*languages[start : start + columns - 1], averages[number]]
    made["corrected"] = [
        _up(one) for b in range(len(rows)) for a in range(len(rows)) if a != b for one in adjusted[a, b]
    ]
    return made


def _pair(found: MeasuredTable, first: str, second: str) -> list[tuple[float | None, float | None, float | None]]:
    """Difference, half width and p of each language, and of the average over those that both have."""
    ours, theirs = found.row(first), found.row(second)
    shared = [code for code in found.table.languages if ours.entries[code].scores and theirs.entries[code].scores]
    each: list[tuple[float | None, float | None, float | None]] = []
    for codes in (*([code] for code in found.table.languages), shared):
        if not codes or not set(codes) <= set(shared):
            each.append((None, None, None))
        elif found.reason(first, codes, second) or found.reason(second, codes, first):
            means = [_average(row, codes) for row in (ours, theirs)]
            each.append((None if None in means else means[0] - means[1], None, None))  # type: ignore[operator]
        else:
            one = difference(found, first, second, codes)
            low, high = one.interval()
            each.append((one.estimate, (high - low) / 2, one.p))
    return each


def _adjusted(p: Sequence[float | None], method: Any) -> list[float | None]:
    known = [one for one in p if one is not None]
    adjusted = iter(method(known) if known else ())
    return [None if one is None else float(next(adjusted)) for one in p]


def _up(p: float | None) -> int | None:
    # 1e-9: a p that is .05 but for the last bit stays .05
    return None if p is None else math.ceil(p * P_UNIT - 1e-9)


def corrected(
    pairs: Mapping[str, list[int | None]], rows: int, languages: int, row: int, baseline: int
) -> list[int | None]:
    """(L + 1) corrected p-values of a row against another, by their places among those that were measured."""
    start = (baseline * (rows - 1) + row - (row > baseline)) * (languages + 1)
    return pairs["corrected"][start : start + languages + 1]


@cache
def _code() -> str:
    """The code that made a result is part of what it is kept under."""
    package = Path(__file__).resolve().parent.parent
    names = [
        str(path.relative_to(package))
        for part in ("stats", "comparison", "scoring", "site")
        for path in package.joinpath(part).glob("*.py")
    ]
    return files_digest(package, names)


def _content(table: TaskTable) -> list[Any]:
    return [
        [table.task, table.version, table.metric, table.data, list(table.languages)],
        [
            [
                row.strategy, code, seed, record["run_id"], table.runs[record["run_id"]]["train_run_id"],
                record.get("per_example"), record.get("parallel"), record.get("item_ids_sha256"), entry.scores[seed],
                record.get("dataset"), record["split"], record["dataset_revision"], entry.twice,
            ]
            for row in table.rows for code, entry in row.entries.items() for seed, record in entry.records.items()
        ],
    ]  # fmt: skip


def _kept(path: Path) -> Inference | None:
    try:
        return Inference(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep(path: Path, found: Inference) -> None:
    from xleval.store import replace_synced

    try:
        replace_synced(path, json.dumps(found._asdict()))
    except OSError:  # a cache that cannot be written to costs time, no more
        return
