"""Records → scores by strategy, language and seed, one group for all that may be compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xleval.errors import UserError, nearest
from xleval.fingerprint import digest
from xleval.records import Record

Scores = Mapping[int, float]


@dataclass
class Measured:
    """Scores of one task, version, split, backbone, data limit and source language, in [0, 1].

    ``scores``: strategy → language → seed → score; ``trainings``: the same down to the ``train_run_id`` of the task
    adapter; ``standing``: strategy → language → the record of the language adapter at inference, or None;
    ``settings``: strategy → digests of what its task adapters were trained with.
    """

    task: str
    version: str
    split: str
    source: str
    backbone: str
    revision: str
    limit: tuple[int, int] | None
    metric: str = ""
    scores: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    trainings: dict[str, dict[str, dict[int, str]]] = field(default_factory=dict)
    standing: dict[str, dict[str, Record | None]] = field(default_factory=dict)
    settings: dict[str, set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @property
    def about(self) -> str:
        """What was measured, in one line."""
        limit = f", limited to {self.limit[0]} examples a split (seed {self.limit[1]})" if self.limit else ""
        return f"{self.task} (version {self.version}, {self.split}), {self.metric}, {self.backbone}{limit}"

    @property
    def languages(self) -> list[str]:
        """Every language with a score, in order of code."""
        return sorted({code for by_language in self.scores.values() for code in by_language})

    def of(self, strategy: str) -> Mapping[str, Scores]:
        """Scores of one strategy by language and seed.

        Raises:
            UserError: no such strategy, with those there are.
        """
        if strategy not in self.scores:
            have = ", ".join(sorted(self.scores)) or "none"
            raise UserError(
                f"{self.task}: no results of strategy {strategy!r}{nearest(strategy, self.scores)}; recorded are "
                f"{have} (run it first: xleval run --task {self.task} --strategy {strategy})"
            )
        return self.scores[strategy]

    def as_dict(self) -> dict[str, Any]:
        """What was measured, for JSON."""
        names = ("task", "version", "split", "source", "backbone", "revision", "metric")
        limit = {"examples": self.limit[0], "seed": self.limit[1]} if self.limit else None
        return {**{name: getattr(self, name) for name in names}, "limit": limit}


def measured(records: Iterable[Record], runs: Mapping[str, Record], metric: str = "") -> list[Measured]:
    """Groups of ``eval`` records that may be compared, by ``metric``, or by each task's own; ``runs`` by run_id.

    A failed cell is named in ``failed`` and has no score. Tasks without the metric are left out.

    Raises:
        UserError: two results of one strategy, language and seed: which of them is meant is not for us to say.
    """
    groups: dict[tuple[Any, ...], Measured] = {}
    runs_of: dict[tuple[Any, ...], str] = {}
    for record in records:
        run = runs.get(record["run_id"])
        if run is None:
            continue
        limit = record.get("limit")
        revision = str(record["dataset_revision"])
        about = (
            record["task"],
            record["task_version"],
            record.get("split", ""),
            run.get("source_lang", ""),
            run["backbone"]["id"],
            run["backbone"]["revision"],
            (limit["examples"], limit["seed"]) if limit else None,
        )
        # Local files have a revision for each language.
        group = groups.setdefault((*about, "" if revision.startswith("sha256:") else revision), Measured(*about))
        strategy, language, seed = run["strategy"]["name"], record["language"], run["seed"]
        if record["status"] != "ok":
            group.failed.append(f"{strategy}/{language}, seed {seed}")
            continue
        name = metric or next(iter(record["metrics"]))
        if name not in record["metrics"]:
            continue
        key = (*about, revision, strategy, language, seed)
        if runs_of.setdefault(key, record["run_id"]) != record["run_id"]:
            raise UserError(
                f"{record['task']}: two results of {strategy} on {language}, seed {seed}, of two ways of training "
                f"(runs {runs_of[key][:19]} and {record['run_id'][:19]}): keep them in results folders of "
                "their own (--out)"
            )
        group.metric = name
        group.scores.setdefault(strategy, {}).setdefault(language, {})[seed] = record["metrics"][name]["value"]
        training = str(run.get("train_run_id", ""))
        group.trainings.setdefault(strategy, {}).setdefault(language, {})[seed] = training
        group.standing.setdefault(strategy, {})[language] = record.get("infer_on")
        settings = digest([run.get("hyperparameters"), run.get("source")])
        group.settings.setdefault(strategy, set()).add(settings)
    return [group for group in groups.values() if group.scores]


def chosen(groups: Sequence[Measured], tasks: Sequence[str]) -> list[Measured]:
    """The groups of some tasks, or all of them.

    Raises:
        UserError: a task without results, with the nearest name.
    """
    known = {group.task for group in groups}
    for task in tasks:
        if task not in known:
            raise UserError(f"no results of task {task!r}{nearest(task, known)} (recorded: {', '.join(sorted(known))})")
    return [group for group in groups if not tasks or group.task in tasks]


def same_training(group: Measured, one: str, other: str, language: str, seeds: Iterable[int]) -> bool:
    """Whether two strategies scored a language with the same task adapters, seed by seed."""
    first, second = (group.trainings[strategy].get(language, {}) for strategy in (one, other))
    return all(first.get(seed) == second.get(seed) for seed in seeds)
