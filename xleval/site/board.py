"""Pages of scores: one for each task, version, data and metric, with the rows of all entries on it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xleval.fingerprint import digest
from xleval.item_files import Items, items_of
from xleval.records import Key, Record, cell_key
from xleval.report.table import Entry, Row, TaskTable, tabulate
from xleval.site.contributions import Contribution, Tell
from xleval.site.inference import Inference, infer
from xleval.site.known import FACETS, Column, Encoder, Known
from xleval.site.numbers import Mean, mean, millionths

#: From no evidence to the most; the index is what pages and script compare.
BADGES = ("published", "self-reported", "validated", "reproduced")
PUBLISHED, SELF_REPORTED, VALIDATED, REPRODUCED = range(4)


@dataclass
class Line:
    """A measured row: one strategy and configuration of one entry, under one backbone."""

    id: str
    """Part of permalinks."""
    label: str
    entry: str
    system: str
    """Name of its page within the entry's: one for a label and backbone, on all of its tasks."""
    strategy: str
    configuration: str
    backbone: int
    badge: int
    row: Row
    seeds: tuple[int, ...]
    cells: list[list[int]]
    """(L, S) scores in millionths, -1 where there is none."""
    half: list[int]
    tied: list[int]
    """(L,), as in :class:`~xleval.site.inference.Inference`."""
    reason: str = ""
    """Why there is no inference."""

    @property
    def failed(self) -> list[int]:
        """(L,) failed seeds."""
        return [entry.failed for entry in self.row.entries.values()]

    @property
    def run_ids(self) -> list[str]:
        """Of all its scores, each once."""
        return list(dict.fromkeys(r["run_id"] for e in self.row.entries.values() for r in e.records.values()))

    @property
    def href(self) -> str:
        """Of its page, from the top of the site."""
        return f"entry/{self.entry}/{self.system}.html"

    def mean(self, language: int) -> Mean | None:
        """Over seeds."""
        return mean(self.cells[language])

    def averages(self, languages: Sequence[int]) -> dict[int, Mean]:
        """Seed → over these languages, of the seeds that have all of them."""
        columns = {seed: [self.cells[each][s] for each in languages] for s, seed in enumerate(self.seeds)}
        return {seed: Mean(sum(c), len(c)) for seed, c in columns.items() if c and min(c) >= 0}

    def average(self, languages: Sequence[int]) -> Mean | None:
        """Over these languages and the seeds that have all of them."""
        found = self.averages(languages).values()
        return Mean(sum(one.sum for one in found), sum(one.n for one in found)) if found else None

    @property
    def coverage(self) -> int:
        """Languages with a score."""
        return sum(max(seeds, default=-1) >= 0 for seeds in self.cells)


@dataclass(frozen=True)
class PrintedLine:
    """A row of a table in a paper."""

    label: str
    strategy: str | None
    backbone: int
    where: str
    url: str
    cells: list[int]
    """(L,) in millionths, -1 where nothing is printed."""
    average: int
    """As printed, else -1."""
    n_seeds: int | None
    note: str

    @property
    def coverage(self) -> int:
        """Languages with a score."""
        return sum(cell >= 0 for cell in self.cells)


@dataclass(frozen=True)
class LanguageSet:
    """Languages whose average has intervals."""

    languages: tuple[int, ...]
    half: list[int]
    """(R,)"""
    tied: list[int]
    reason: list[str]


@dataclass
class Page:
    """One page of scores."""

    slug: str
    task: str
    version: str
    data: str
    metric: str
    plain: bool
    """Whether it is the last version of the task."""
    primary: bool
    """Whether the metric is the task's own."""
    languages: tuple[Column, ...]
    backbones: tuple[Encoder, ...]
    lines: list[Line]
    """The best average first."""
    sets: list[LanguageSet]
    """The first is all languages, if there are lines."""
    pairs: dict[int, tuple[list[int], dict[str, Any]]]
    """Backbone → rows that were measured, and their :attr:`~xleval.site.inference.Inference.pairs`."""
    notes: list[str]
    printed: list[PrintedLine]

    @property
    def everything(self) -> range:
        """Indices of all languages."""
        return range(len(self.languages))

    def standing(self, line: Line) -> tuple[int, int, str]:
        """Half width, tied and reason of a row's average over all languages."""
        if not self.sets:
            return -1, -1, line.reason
        number, whole = self.lines.index(line), self.sets[0]
        return whole.half[number], whole.tied[number], whole.reason[number]


def pages_of(
    contributions: Sequence[Contribution],
    known: Known,
    cache_folder: Path | None = None,
    tell: Tell = lambda *_: None,
) -> list[Page]:
    """The pages of all entries, by task, then metric; ``cache_folder`` keeps what takes long to compute."""
    groups: dict[tuple[str, ...], list[tuple[Contribution, _Table]]] = defaultdict(list)
    for contribution in contributions:
        for table in _tables(contribution):
            groups[table.task, table.version, table.data, table.metric].append((contribution, table))
    folders = {key: one.folder for one in contributions for key in one.cells}
    read = partial(_read, folders)
    plain = _plain(groups)
    made = []
    for number, key in enumerate(sorted(groups)):
        task, version, data, metric = key
        tell(f"{task}, {metric}", number, len(groups))
        last = plain[task] == (version, data)
        primary = metric == known.metric(task, groups[key][0][1].primary)
        parts = [
            address(task),
            "" if primary else address(metric),
            "" if last else f"v{address(version)}-{digest(data)[:6]}",
        ]
        made.append(_page("-".join(filter(None, parts)), key, last, primary, groups[key], known, read, cache_folder))
    return made


def address(name: str) -> str:
    """A name as a part of addresses: what does not fit is told apart by a digest."""
    safe = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return safe if safe == name else f"{safe}-{digest(name)[:6]}".lstrip("-")


@dataclass(frozen=True)
class _Table(TaskTable):
    primary: str = ""
    """The first metric of the task's records."""


def _tables(contribution: Contribution) -> Iterator[_Table]:
    by_task: dict[str, list[Record]] = defaultdict(list)
    metrics: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in contribution.cells.values():
        by_task[cell["task"]].append(cell)
        metrics[cell["task"]].update(dict.fromkeys(cell.get("metrics", ())))
    for task, names in metrics.items():
        for metric in names:
            for table in tabulate(by_task[task], contribution.runs, metric).tables:
                if table.metric == metric:  # else all of these cells failed
                    yield _Table(**vars(table), primary=next(iter(names)))


def _plain(groups: Iterable[tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """Task → the version and data whose pages are named by the task alone: the last version."""
    plain: dict[str, tuple[str, str]] = {}
    for task, version, data, _ in sorted(groups, key=lambda key: (_natural(key[1]), key[2])):
        plain[task] = version, data
    return plain


def _natural(version: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"[.\-]", version)]


def _read(folders: Mapping[Key, Path], record: Record) -> tuple[tuple[str, ...], Items]:
    return items_of(folders[cell_key(record)], record)


def _page(
    slug: str,
    key: tuple[str, ...],
    last: bool,
    primary: bool,
    found: Sequence[tuple[Contribution, TaskTable]],
    known: Known,
    read: Any,
    cache_folder: Path | None,
) -> Page:
    task, version, data, metric = key
    codes = sorted({code for _, table in found for code in table.languages})
    encoders = sorted({table.backbone for _, table in found})
    backbones = tuple(known.encoder(each, codes) for each in encoders)
    columns = tuple(known.column(code) for code in codes)
    lines = [
        _line(contribution, table, row, encoders.index(table.backbone), codes)
        for contribution, table in found
        for row in table.rows
    ]
    everything = range(len(codes))
    lines.sort(
        key=lambda one: (-(a.value if (a := one.average(everything)) else -1), one.label, one.entry, one.backbone)
    )
    page = Page(slug, task, version, data, metric, last, primary, columns, backbones, lines, [], {}, [], [])
    sets = _sets(page)
    unknown = [-1] * len(lines)
    page.sets = [LanguageSet(each, [*unknown], [*unknown], [""] * len(lines)) for each in sets]
    for number in range(len(backbones)):
        _measure(page, number, [table for _, table in found], read, cache_folder)
    _reproduced(page)
    return page


def _line(contribution: Contribution, table: TaskTable, row: Row, backbone: int, codes: Sequence[str]) -> Line:
    entries = {code: row.entries.get(code, Entry()) for code in codes}
    seeds = tuple(sorted({seed for entry in entries.values() for seed in entry.scores}))
    cells = [[millionths(e.scores[s]) if s in e.scores else -1 for s in seeds] for e in entries.values()]
    unknown = [-1] * len(codes)
    return Line(
        id=f"{contribution.name}/{table.backbone.partition('@')[0]}/{row.strategy}",
        label=row.strategy,
        entry=contribution.name,
        system=f"{address(row.name)[:48].rstrip('-')}-{digest([row.strategy, table.backbone])[:8]}",
        strategy=row.name,
        configuration=row.configuration,
        backbone=backbone,
        badge=VALIDATED if contribution.validated else SELF_REPORTED,
        row=replace(row, entries=entries),
        seeds=seeds,
        cells=cells,
        half=list(unknown),
        tied=list(unknown),
        reason="" if contribution.validated else "self-reported: its scores were not computed again",
    )


def _sets(page: Page) -> list[tuple[int, ...]]:
    """All languages, those of each value of a facet, and those that a backbone has seen and has not."""
    found: dict[tuple[int, ...], None] = {tuple(page.everything): None}
    for facet in FACETS:
        values = [getattr(column, facet) for column in page.languages]
        for value in sorted(set(values)):
            found[tuple(i for i in page.everything if values[i] == value)] = None
    for backbone in page.backbones:
        for seen in (1, 0):
            found[tuple(i for i in page.everything if backbone.seen[i] == seen)] = None
    return [each for each in found if len(each) > 1 or len(page.languages) == len(each) == 1]


def _measure(page: Page, backbone: int, tables: Sequence[TaskTable], read: Any, cache_folder: Path | None) -> None:
    """Intervals, ties and differences of the rows of one backbone that can be measured together."""
    rows = [number for number, line in enumerate(page.lines) if line.backbone == backbone]
    _set_apart([page.lines[number] for number in rows])
    able = [number for number in rows if not page.lines[number].reason]
    for number in rows:
        for each in page.sets:
            each.reason[number] = page.lines[number].reason
    if not able:
        return
    names = _names([page.lines[number] for number in able])
    runs: dict[str, Record] = {}
    for table in tables:
        runs.update(table.runs)
    sub = TaskTable(
        page.task, page.version, page.metric, page.backbones[backbone].key, "", page.data,
        tuple(column.code for column in page.languages),
        tuple(replace(page.lines[number].row, strategy=name) for number, name in zip(able, names, strict=True)),
        tuple(sorted({seed for number in able for seed in page.lines[number].seeds})), runs,
    )  # fmt: skip
    sets = {str(i): [page.languages[each].code for each in one.languages] for i, one in enumerate(page.sets)}
    inferred = infer(sub, read, sets, cache_folder)
    _take(page, able, inferred)
    if len(able) > 1 and not inferred.note:
        page.pairs[backbone] = able, inferred.pairs
    if inferred.note:
        page.notes.append(f"{page.backbones[backbone].name}: {inferred.note}")


def _take(page: Page, rows: Sequence[int], inferred: Inference) -> None:
    for at, number in enumerate(rows):
        page.lines[number].half = inferred.half[at]
        page.lines[number].tied = inferred.tied[at]
        for i, one in enumerate(page.sets):
            one.half[number], one.tied[number], one.reason[number] = inferred.sets[str(i)][at]


def _names(lines: Sequence[Line]) -> list[str]:
    """Different names; reasons that a reader sees may have them."""
    labels = Counter(line.label for line in lines)
    return [line.label if labels[line.label] == 1 else f"{line.label} ({line.entry})" for line in lines]


def _set_apart(lines: Sequence[Line]) -> None:
    """Rows that cannot be measured with most others get a reason: one odd row must not take it from all."""
    for line in lines:
        if not line.reason and any(entry.twice is not None for entry in line.row.entries.values()):
            line.reason = "one seed was trained in two ways"
    items: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    own: dict[int, set[tuple[str, tuple[Any, ...]]]] = {}
    for number, line in enumerate(lines):
        if line.reason:
            continue
        own[number] = {
            (code, tuple(cell.get(key) for key in ("dataset", "split", "dataset_revision", "item_ids_sha256")))
            for code, entry in line.row.entries.items()
            for cell in entry.records.values()
        }
        for code, what in own[number]:
            items[code][what] += 1
    most = {code: max(sorted(counts, key=repr), key=counts.__getitem__) for code, counts in items.items()}
    for number, found in own.items():
        if odd := sorted(code for code, what in found if what != most[code]):
            lines[number].reason = f"its test items of {odd[0]} are others than those of most rows"


def _reproduced(page: Page) -> None:
    """Rows whose average another entry's agrees with, on the same languages, from other runs."""
    everything = tuple(page.everything)
    for rows, pairs in page.pairs.values():
        at = -1
        for i, first in enumerate(rows):
            for second in rows[i + 1 :]:
                at += len(everything) + 1
                one, other = page.lines[first], page.lines[second]
                if (
                    one.entry != other.entry
                    and (one.strategy, one.configuration) == (other.strategy, other.configuration)
                    and [max(c, default=-1) < 0 for c in one.cells] == [max(c, default=-1) < 0 for c in other.cells]
                    and not {*one.run_ids} & {*other.run_ids}
                    and pairs["half"][at] is not None
                    and abs(pairs["estimate"][at]) <= pairs["half"][at]
                ):
                    one.badge = other.badge = REPRODUCED
