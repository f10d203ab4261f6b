"""Turns outcomes of work into records: scores, counts, and what they were made with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from xleval.environment import environment, git_state, timestamp
from xleval.events import CellFinished, Emit
from xleval.executors import Outcome
from xleval.fingerprint import file_digest
from xleval.interrupt import shielded
from xleval.jobs import BackboneJob, Cell, Foundation, FusionJob, LanguageAdapterJob, ModuleJob, PredictionJob, in_order
from xleval.plan import Plan
from xleval.predictions import PREDICTIONS, read_predictions
from xleval.records import SCHEMA, Key, Record, Results, cell_key, item_ids_digest
from xleval.scoring import score
from xleval.tasks.located import Located
from xleval.tasks.recent import blocks_of
from xleval.tasks.texts import Text


class Recorder:
    """Turns outcomes into records, each written as soon as its prediction is there."""

    def __init__(self, graph: Plan, results: Results, cells: Sequence[Cell], emit: Emit) -> None:
        self.graph, self.results, self.emit = graph, results, emit
        self.waiting: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            self.waiting[cell.prediction.fingerprint].append(cell)
        self.environment = environment(graph.experiment.device, graph.scope.precision)

    def record_finished(self, to_make: set[str]) -> None:
        """Cells whose predictions are in the store already."""
        for fingerprint in [f for f in self.waiting if f not in to_make]:
            self._write(fingerprint, None)

    def record(self, outcome: Outcome) -> None:
        """Cells that waited for a prediction."""
        if isinstance(outcome.job, PredictionJob):
            self._write(outcome.job.fingerprint, outcome.error)

    def _write(self, fingerprint: str, error: tuple[str, str] | None) -> None:
        for cell in self.waiting.pop(fingerprint, []):
            record = self._failure(cell, error) if error else self._success(cell)
            with shielded():
                self.results.append(self._run_record(cell))
                self.results.append(record, replace=self.graph.experiment.fresh)
            self.emit(CellFinished(record))

    def _success(self, cell: Cell) -> Record:
        job, store = cell.prediction, self.graph.store
        folder = store.open(job.kind, job.fingerprint)
        path = folder / PREDICTIONS
        rows = (row for block in blocks_of(cell.task, job.data) for row in block)
        scored = score(cell.task, rows, read_predictions(path), job.data.language)
        sums = scored.counts.sum(axis=0)
        return {
            **about_cell(cell, self.graph),
            "status": "ok",
            "item_ids_sha256": item_ids_digest(scored.ids),
            "metrics": scored.metrics,
            "n_examples": len(scored.ids),
            "counts": {stat: int(total) for stat, total in zip(scored.stats, sums, strict=True)},
            "per_example": self.results.write_items(
                job.fingerprint[:32], read_predictions(path), scored.stats, scored.counts, scored.groups
            ),
            "eval_seconds": store.manifest(job.kind, job.fingerprint)["seconds"],
            "created": timestamp(),
        }

    def _failure(self, cell: Cell, error: tuple[str, str]) -> Record:
        return {
            **about_cell(cell, self.graph),
            "status": "failed",
            "error": {"type": error[0], "message": error[1]},
            "created": timestamp(),
        }

    def _run_record(self, cell: Cell) -> Record:
        adapter, graph = cell.prediction.task_adapter, self.graph
        manifest = graph.store.manifest(adapter.kind, adapter.fingerprint) if graph.present(adapter) else {}
        modules = dict.fromkeys(job for job in (*adapter.cycle, adapter.dev_module) if job)
        trained = [job for job in in_order(cell.prediction.needs) if isinstance(job, Foundation) and job.hyper]
        return {
            "type": "run",
            "schema": SCHEMA,
            "run_id": cell.run_id,
            "train_run_id": cell.train_run_id,
            "xleval": self.environment["xleval"],
            "strategy": {
                "name": cell.strategy.label,
                "plugin": cell.strategy.plugin,
                "version": cell.strategy.version,
                "parameters": dict(cell.strategy.parameters),
                "config_sha256": cell.config_sha256,
            },
            "backbone": graph.scope.backbone.identity,
            "adapters": [
                *(_module(job, graph) for job in modules),
                {
                    "role": "task",
                    "kind": adapter.adapter,
                    "id": f"sha256:{adapter.fingerprint}",
                    "sha256": _weights(manifest),
                },
            ],
            "source_lang": adapter.source_language,
            "source": [
                {split: _source(d) for split, d in (("train", stage.train), ("dev", stage.dev))}
                for stage in adapter.stages
            ],
            "train_on": [str(module) for module in cell.recipe.train_on],
            "drop_last": cell.recipe.drop_last,
            "hyperparameters": dict(adapter.hyper),
            "module_hyperparameters": {
                job.kind if isinstance(job, BackboneJob) else job.module.kind: dict(job.hyper) for job in trained
            },
            "target_scope": cell.target_scope,
            "seed": cell.seed,
            **git_state(),
            "env": {key: value for key, value in self.environment.items() if key != "xleval"},
            "dev": manifest.get("dev"),
            "best_step": manifest.get("best_step"),
            "train_seconds": manifest.get("seconds", 0.0),
            "created": timestamp(),
            "checkpoint_selection": "source-dev" if adapter.hyper["select"] == "best" else "last",
        }


def key_of(cell: Cell, graph: Plan) -> Key:
    """The cell's key in the results folder."""
    return cell_key(about_cell(cell, graph))


def about_cell(cell: Cell, graph: Plan) -> Record:
    """The part of an ``eval`` record that is known before anything runs."""
    data, limit = cell.prediction.data, graph.experiment.limit
    infer, tuned = cell.prediction.module, cell.prediction.backbone
    return {
        "type": "eval",
        "schema": SCHEMA,
        "run_id": cell.run_id,
        "task": cell.task.name,
        "task_version": cell.task.version,
        "dataset": data.dataset,
        "dataset_revision": data.revision,
        "split": data.split,
        "language": cell.language.code,
        "parallel": cell.task.is_parallel(cell.language.code),
        "limit": {"examples": limit.examples, "seed": limit.seed} if limit else None,
        "infer_on": _module(infer, graph) if infer else None,
        **({"tuned_backbone": {"module": str(tuned.tuned), "id": f"sha256:{tuned.fingerprint}"}} if tuned else {}),
        "provenance": "self-reported",
    }


def _source(data: Located) -> str:
    # Several splits are named as `--source` names them.
    parts = f"[{data.split.replace('+', ',')}]" if "+" in data.split else ""
    return f"{data.dataset}{parts}@{data.revision}"


def _module(job: ModuleJob, graph: Plan) -> Record:
    found: Record = {"role": "language", "lang": job.language, "module": str(job.module)}
    found["id"] = f"sha256:{job.fingerprint}"
    if isinstance(job, LanguageAdapterJob) and job.folder is not None:
        # The folder's name alone: records are published, places on a machine are not.
        return {**found, "source": job.folder.name, "sha256": file_digest(job.folder / ADAPTER)}
    manifest = graph.store.manifest(*job.stored) if graph.present(job) else {}
    if "hub" in manifest:
        policy = {} if job.module.languages[0] in graph.scope.language_adapters else {"policy": _policy(graph)}
        return {**found, "source": {**manifest["hub"], **policy}, "sha256": _weights(manifest)}
    found["texts"] = {text.language: _text(text) for text in job.texts}
    found |= {key: manifest.get(key) for key in ("perplexity_before", "perplexity") if job.texts}
    if isinstance(job, FusionJob):
        found["parts"] = [_module(part, graph) for part in job.parts]
    return {**found, "sha256": _weights(manifest)}


def _text(text: Text) -> str:
    return f"sha256:{text.fingerprint[:16]}" if text.files else text.origin


def _policy(graph: Plan) -> str:
    return str(graph.scope.hyperparameters(None)["la.published"])


#: File with an artifact's weights, whichever it has.
ADAPTER = "adapter.safetensors"
_WEIGHTS = (ADAPTER, "model_adapter_fusion.safetensors", "encoder.safetensors")


def _weights(manifest: Any) -> str | None:
    files = manifest.get("files", {})
    return next((files[name]["sha256"] for name in _WEIGHTS if name in files), None)
