"""A plan as a table and as data: present, missing, shared between strategies, estimated cost."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from xleval.jobs import BackboneJob, FusionJob, Job, LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.plan import Plan
from xleval.records import Results
from xleval.report.cost import cost
from xleval.run import pending_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from xleval.engine.estimate import Rate
    from xleval.executors.trial import Trial


def as_dict(graph: Plan, trial: Trial | None = None) -> dict[str, Any]:
    """``{"artifacts": […], "counts": {kind: {"total", "missing"}}, "cost": {…}, "cells": {…}, …}``.

    ``without_text``: language that has neither adapter nor text → who needs it. ``measured`` and ``not_measured``:
    of a trial, if there was one.
    """
    artifacts = [_backbone(graph), *(_artifact(graph, job) for job in graph.jobs.values())]
    counts: dict[str, dict[str, int]] = {}
    for artifact in artifacts:
        count = counts.setdefault(artifact["kind"], {"total": 0, "missing": 0})
        count["total"] += 1
        count["missing"] += not artifact["present"]
    pending = len(pending_cells(graph, Results(graph.experiment.out)))
    return {
        "artifacts": artifacts,
        "counts": counts,
        "cost": cost(graph, trial),
        "cells": {"total": len(graph.cells), "missing": pending},
        "without_text": dict(graph.without_text),
        **({} if trial is None else _measured(trial)),
    }


def _measured(trial: Trial) -> dict[str, Any]:
    return {"measured": [rate._asdict() for rate in trial.rates], "not_measured": dict(trial.not_measured)}


def terminal(graph: Plan, trial: Trial | None = None) -> list[RenderableType]:
    """Tables for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("artifact", "trained on / predicts", "seed", "used by", "state"):
        table.add_column(name, overflow="fold")
    predictions: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for job in graph.jobs.values():
        if isinstance(job, PredictionJob):
            names = ", ".join(graph.used_by.get(job.fingerprint, ()))
            predictions[job.task.name, names].append(graph.present(job))
            continue
        state = Text("present", "green") if graph.present(job) else Text("missing", "yellow")
        names = ", ".join(graph.used_by.get(job.fingerprint, ()))
        seed = str(job.seed) if isinstance(job, TaskAdapterJob) else ""
        table.add_row(Text(_name(job)), Text(_detail(job)), seed, Text(names), state)
    for (task, names), present in predictions.items():
        state = Text(f"{sum(present)} of {len(present)} present", "green" if all(present) else "yellow")
        table.add_row(Text(f"predictions {task}"), "", "", Text(names), state)
    data = as_dict(graph, trial)
    lines = [
        f"{kind.replace('_', ' ')}s: {count['total']}, {count['missing']} missing"
        for kind, count in data["counts"].items()
    ]
    lines += _cost_lines(data["cost"], trial)
    lines.append(f"cells: {data['cells']['total']}, {data['cells']['missing']} without a record")
    if graph.without_text:
        missing = "; ".join(f"{code}, needed by {who}" for code, who in graph.without_text.items())
        lines.append(f"no adapter and no text to train one (--text-dir, --la): {missing}")
    lines += [f"note: {text}" for text in graph.scope.notices]
    return [table, Text("\n".join(lines))]


def _cost_lines(found: Mapping[str, Any], trial: Trial | None) -> list[str]:
    steps, unknown = found["steps"], found["unknown_steps"]
    rest = f", plus {unknown} trainings of unknown length" if unknown else ""
    mlm = sum(steps.values()) - steps["task_adapter"]
    lines = [f"to train: {mlm} MLM steps, {steps['task_adapter']} task-adapter steps{rest}"]
    if found["seconds"]:
        several = f" with {found['processes']} processes" if found["processes"] > 1 else ""
        source = "measured just now" if trial and trial.rates else "that the store has of this backbone"
        lines.append(f"time: about {_duration(found['seconds'])}{several}, at the rates {source}")
    if trial is not None:
        lines += [f"measured: {_rate_line(rate)}" for rate in trial.rates]
        lines += [f"not measured: {what} ({why})" for what, why in trial.not_measured.items()]
    return lines


def _rate_line(rate: Rate) -> str:
    what = " ".join(filter(None, (rate.kind.replace("_", " "), rate.of)))
    unit = "row" if rate.kind == "prediction" else "step"
    together = f"{rate.cohort} side by side" if rate.cohort > 1 else "one by one"
    return f"{what}, {together}: {1000 * rate.seconds:.3g} ms a {unit}"


def _backbone(graph: Plan) -> dict[str, Any]:
    backbone = graph.scope.backbone
    present = backbone.folder is not None
    if not present:
        from huggingface_hub import try_to_load_from_cache

        present = isinstance(
            try_to_load_from_cache(backbone.source, "model.safetensors", revision=backbone.revision), str
        )
    return {
        "kind": "backbone",
        "fingerprint": backbone.fingerprint,
        "present": present,
        "used_by": [chosen.label for chosen in graph.scope.strategies],
        "seed": None,
        "languages": [],
        "source": f"{backbone.identity['id']}@{backbone.identity['revision']}",
    }


def _artifact(graph: Plan, job: Job) -> dict[str, Any]:
    data: dict[str, Any] = {
        "kind": job.kind,
        "fingerprint": job.fingerprint,
        "present": graph.present(job),
        "used_by": list(graph.used_by.get(job.fingerprint, ())),
        "seed": None,
        "languages": [],
        "source": None,
    }
    if isinstance(job, LanguageAdapterJob | FusionJob):
        data |= {"languages": list(job.module.languages), "module": str(job.module), "source": _origin(job)}
    elif isinstance(job, BackboneJob):
        data |= {"languages": [job.tuned.language], "module": str(job.tuned), "source": _origin(job)}
    elif isinstance(job, TaskAdapterJob):
        languages = [module.language if module else None for module in job.cycle]
        data |= {
            "adapter": job.adapter,
            "seed": job.seed,
            "languages": languages,
            "source": job.train.origin,
            "task": job.task.name,
        }
    elif isinstance(job, PredictionJob):
        data |= {"seed": job.task_adapter.seed, "languages": [job.data.language], "source": job.data.origin}
        data["task"] = job.task.name
    return data


def _name(job: Job) -> str:
    if not isinstance(job, TaskAdapterJob):
        return job.label
    if job.adapter == "full":
        return f"backbone fine-tuned on {job.task.name}"
    return f"TA {job.task.name}" + (f" ({job.adapter})" if job.adapter != "bottleneck" else "")


def _detail(job: Job) -> str:
    if not isinstance(job, TaskAdapterJob):
        return _origin(job)
    cycle = " ".join((m.language if m.module.kind == "la" else str(m.module)) if m else "none" for m in job.cycle)
    return f"{job.train.dataset} on {cycle}" + (", last layer dropped" if job.drop_last else "")


def _origin(job: Job) -> str:
    if isinstance(job, LanguageAdapterJob) and (job.folder or job.published):
        return str(job.folder or f"hub {job.published}")
    return ", ".join(dict.fromkeys(text.origin for text in job.texts))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
