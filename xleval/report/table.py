"""Records → tables: strategies × languages, mean over seeds ± standard deviation, coverage."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xleval.fingerprint import digest
from xleval.records import Record

#: In the place of a language: the average over all of the table.
AVERAGE = ""


@dataclass(frozen=True)
class Entry:
    """Scores of one strategy on one language, a value a seed, in [0, 1]; ``failed`` counts failed seeds."""

    scores: Mapping[int, float] = field(default_factory=dict)
    failed: int = 0
    records: Mapping[int, Record] = field(default_factory=dict)
    """The ``eval`` record of each score."""
    twice: int | None = None
    """A seed that was trained in two ways, of which the last counts here; None where there is none."""

    @property
    def mean(self) -> float | None:
        """Mean over seeds, None without any."""
        return statistics.fmean(self.scores.values()) if self.scores else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds (n − 1), None with fewer than two."""
        return statistics.stdev(self.scores.values()) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Standing:
    """How sure a mean is, and whether its strategy may be the best of the column; ``comparison/standing.py``."""

    interval: tuple[float, float] | None
    """95 %, over new seeds and new items."""
    tied: bool | None
    """Whether it is tied with the best; None where nothing can be said."""
    reason: str = ""
    """Why there is no inference."""


@dataclass(frozen=True)
class Row:
    """One strategy. ``average`` has the mean over all languages of the table for each seed that has all."""

    strategy: str
    entries: Mapping[str, Entry]
    average: Entry
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By language, and :data:`AVERAGE`; empty where items were not looked at."""
    name: str = ""
    """The strategy as records have it; ``strategy`` tells configurations apart."""
    configuration: str = ""
    """:func:`configuration` of its runs."""

    @property
    def coverage(self) -> tuple[int, int]:
        """Languages with a score, and languages of the table."""
        return sum(bool(entry.scores) for entry in self.entries.values()), len(self.entries)


@dataclass(frozen=True)
class TaskTable:
    """One task under one backbone, data limit, version and origin of the data: never mixed with another."""

    task: str
    version: str
    metric: str
    backbone: str
    limit: str
    data: str
    languages: tuple[str, ...]
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    runs: Mapping[str, Record] = field(default_factory=dict, repr=False)
    """The ``run`` records, by run_id."""
    note: str = ""
    """Why the items could not be looked at."""
    words: tuple[str, ...] = ()
    """A line for each strategy: whether it differs from the baseline, and how sure that is."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why some averages have no interval."""
        whys = [s.reason for row in self.rows if (s := row.standings.get(AVERAGE))]
        return tuple(dict.fromkeys(why for why in (*whys, self.note) if why))

    @property
    def tested(self) -> bool:
        """Whether it is known which strategies are tied with the best."""
        return any(s.tied is not None for row in self.rows for s in row.standings.values())

    @property
    def caption(self) -> str:
        """What the table shows, in one line."""
        limit = f", limited to {self.limit} examples a split" if self.limit else ""
        return (
            f"{self.task} (version {self.version}, {self.data}), {self.metric} × 100, {self.backbone}{limit}: "
            f"mean ± SD over {len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"
        )


@dataclass(frozen=True)
class Table:
    """All tables of some records; renders itself for terminals, papers and programs."""

    tables: tuple[TaskTable, ...]

    def __str__(self) -> str:
        return self.to_markdown()

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown."""
        from xleval.report.render import markdown

        return markdown(self)

    def to_latex(self) -> str:
        """LaTeX with booktabs rules."""
        from xleval.report.render import latex

        return latex(self)

    def to_csv(self) -> str:
        """One line a (task, strategy, language, seed); scores in [0, 1]."""
        from xleval.report.render import csv_text

        return csv_text(self)

    def to_json(self) -> str:
        """Everything, nested by task, strategy and language; scores in [0, 1]."""
        from xleval.report.render import json_text

        return json_text(self)


def tabulate(records: Iterable[Record], runs: Mapping[str, Record], metric: str = "") -> Table:
    """Tables of ``eval`` records by ``metric``, or by each task's own; ``runs`` are the ``run`` records they refer to.

    Scores of tasks that do not have the metric are left out.
    """
    groups: dict[tuple[str, ...], dict[tuple[str, str], dict[str, list[Record]]]] = {}
    metrics: dict[tuple[str, ...], str] = {}
    configurations: dict[str, str] = {}
    for record in records:
        run = runs.get(record["run_id"])
        if run is None:
            continue
        limit = record.get("limit")
        backbone = run["backbone"]
        group = (
            record["task"],
            record["task_version"],
            f"{backbone['id']}@{backbone['revision'][:14]}",
            f"{limit['examples']} (seed {limit['seed']})" if limit else "",
            _data(record["dataset_revision"]),
        )
        if record["run_id"] not in configurations:
            configurations[record["run_id"]] = configuration(run)
        row = (run["strategy"]["name"], configurations[record["run_id"]])
        if record["status"] == "ok":
            name = metric or next(iter(record["metrics"]))
            if name not in record["metrics"]:
                continue
            metrics[group] = name
        groups.setdefault(group, {}).setdefault(row, defaultdict(list))[record["language"]].append(record)
    return Table(tuple(_table(group, rows, metrics.get(group, "score"), runs) for group, rows in groups.items()))


def _table(
    group: tuple[str, ...], rows: Mapping[tuple[str, str], Any], metric: str, runs: Mapping[str, Record]
) -> TaskTable:
    languages = tuple(dict.fromkeys(lang for by_language in rows.values() for lang in by_language))
    names = [name for name, _ in rows]
    made = []
    for (name, configuration), by_language in rows.items():
        label = name if names.count(name) == 1 else f"{name} [{configuration[:6]}]"
        entries = {lang: _entry(by_language.get(lang, []), metric, runs) for lang in languages}
        whole = set.intersection(*(set(entry.scores) for entry in entries.values()))
        average = {seed: statistics.fmean(entry.scores[seed] for entry in entries.values()) for seed in sorted(whole)}
        made.append(Row(label, entries, Entry(average), name=name, configuration=configuration))
    found = [record for by_language in rows.values() for records in by_language.values() for record in records]
    seeds = sorted({runs[record["run_id"]]["seed"] for record in found})
    task, version, backbone, limit, data = group
    return TaskTable(task, version, metric, backbone, limit, data, languages, tuple(made), tuple(seeds), runs)


def _entry(found: list[Record], metric: str, runs: Mapping[str, Record]) -> Entry:
    scored = [(runs[record["run_id"]]["seed"], record) for record in found if record["status"] == "ok"]
    records = dict(sorted(scored, key=lambda pair: pair[0]))  # the last of a seed
    scores = {seed: record["metrics"][metric]["value"] for seed, record in records.items()}
    twice = next((seed for seed, record in scored if record["run_id"] != records[seed]["run_id"]), None)
    return Entry(scores, sum(record["status"] != "ok" for record in found), records, twice)


def _data(revision: str) -> str:
    """Where test data came from; local files have a revision for each language."""
    return "local files" if revision.startswith("sha256:") else f"data {revision[:12]}"


def configuration(run: Record) -> str:
    """A digest of what makes a row: runs that differ in more than seed and target are rows of their own."""
    training = (run["train_on"], run["drop_last"]) if run["target_scope"] == "shared" else None
    return digest([run["hyperparameters"], run["source"], run["env"]["precision"], training])
