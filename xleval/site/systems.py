"""Entries and their systems: what was trained, with which configuration on each task, and all of its scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xleval.records import Record
from xleval.site.board import Line, Page
from xleval.site.citations import citations_of
from xleval.site.contributions import Contribution, system_of

_ENVIRONMENT = ("python", "torch", "transformers", "adapters", "device", "precision")


@dataclass
class Setting:
    """The configuration of a system on some tasks."""

    run: Record
    """The first ``run`` record, whole."""
    tasks: list[str] = field(default_factory=list)
    runs: dict[str, Record] = field(default_factory=dict)
    """By run_id, cut down."""

    @property
    def seeds(self) -> list[int]:
        """In ascending order."""
        return sorted({run["seed"] for run in self.runs.values()})

    @property
    def trainings(self) -> int:
        """Runs of training: targets may share one."""
        return len(self._trained())

    @property
    def hours(self) -> float | None:
        """Of training, where each run says how long it took."""
        seconds = list(self._trained().values())
        return sum(seconds) / 3600 if seconds and all(isinstance(s, (int, float)) for s in seconds) else None

    def _trained(self) -> dict[str, Any]:
        return {str(run["train_run_id"]): run["train_seconds"] for run in self.runs.values()}

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a reader needs to run it again, as names and texts."""
        run = self.run
        strategy = run["strategy"]
        facts = [
            ("Strategy", f"{strategy.get('name')} (plugin {strategy.get('plugin')} {strategy.get('version')})"),
            ("Backbone", f"{run['backbone']['id']} @ {run['backbone']['revision']}"),
            ("Trained on", ", ".join(map(str, run.get("train_on") or ())) or "–"),
            ("Source language", str(run.get("source_lang", "–"))),
            ("Task adapter", "one for all targets" if run.get("target_scope") == "shared" else "one for each target"),
            ("Checkpoint", str(run.get("checkpoint_selection", "–"))),
            ("Seeds", ", ".join(map(str, self.seeds))),
            ("Training runs", f"{self.trainings}" + (f", {self.hours:.2f} hours" if self.hours is not None else "")),
            ("xleval", f"{run.get('xleval', '–')}{_commit(run)}"),
        ]
        env = run["env"]
        return [*facts, *((key, str(env[key])) for key in _ENVIRONMENT if env.get(key) is not None)]

    @property
    def hyperparameters(self) -> list[tuple[str, str]]:
        """Names with dots, values as JSON."""
        return list(_flat(self.run.get("hyperparameters") or {}))

    @property
    def adapters(self) -> list[dict[str, str]]:
        """Of the first run: role, language, id and digest."""
        found = self.run.get("adapters")
        rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return [{key: str(one.get(key) or "–") for key in ("role", "lang", "id", "sha256")} for one in rows]


@dataclass
class System:
    """A row of the tables of an entry: a strategy under one backbone, on all of its tasks."""

    entry: str
    name: str
    """Of its page."""
    label: str
    backbone: str
    places: list[tuple[Page, Line]] = field(default_factory=list)
    """Its rows."""
    settings: dict[tuple[str, ...], Setting] = field(default_factory=dict)
    """By :func:`~xleval.site.contributions.system_of`."""

    @property
    def href(self) -> str:
        """Of its page, from the top of the site."""
        return f"entry/{self.entry}/{self.name}.html"

    @property
    def seeds(self) -> list[int]:
        """Of all tasks, in ascending order."""
        return sorted({seed for setting in self.settings.values() for seed in setting.seeds})

    @property
    def citations(self) -> list[str]:
        """BibTeX of the strategy, its kind of adapter and its backbone."""
        return list(dict.fromkeys(one for _, line in self.places for one in citations_of(line.strategy, self.backbone)))


def systems_of(contribution: Contribution, pages: Sequence[Page]) -> list[System]:
    """The systems of an entry, by label, with their rows in the order of the pages."""
    found: dict[str, System] = {}
    for page in pages:
        for line in page.lines:
            if line.entry != contribution.name:
                continue
            name = page.backbones[line.backbone].name
            system = found.setdefault(line.system, System(line.entry, line.system, line.label, name))
            system.places.append((page, line))
            for run_id in line.run_ids:
                run = contribution.runs[run_id]
                key = system_of(run)
                setting = system.settings.setdefault(key, Setting(contribution.examples[key]))
                setting.runs[run_id] = run
                if page.task not in setting.tasks:
                    setting.tasks.append(page.task)
    return sorted(found.values(), key=lambda one: (one.label, one.backbone, one.name))


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, inner in sorted(value.items()):
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{before}{key}.")
        else:
            yield f"{before}{key}", inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)


def _commit(run: Record) -> str:
    commit = run.get("git_commit")
    if not isinstance(commit, str):
        return ""
    return f", commit {commit[:12]}" + (", with changes" if run.get("git_dirty") else "")
