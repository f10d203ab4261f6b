"""A small task whose places are given, and the specs that ship, for the tests of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xleval.resources import resource
from xleval.tasks.sources import locate
from xleval.tasks.spec import TaskSpec, load_spec

if TYPE_CHECKING:
    from xleval.tasks.sources import DataOptions

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NLI = ("entailment", "neutral", "contradiction")


def shipped(name: str) -> Any:
    return load_spec(resource("task_specs") / f"{name}.yaml")


def toy(places: dict[str, Any], **fields: Any) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "kind": "task",
            "name": "toy",
            "version": "1",
            "family": "sequence-classification",
            "summary": "A toy.",
            "licence": "CC0",
            "citation": "@misc{toy}",
            "homepage": "https://example.org/toy",
            "languages": ["swa", "yor"],
            "labels": ["yes", "no"],
            "source": "toy-en",
            "metric": "accuracy",
            "data": {"codes": {"swa": "sw"}, **places},
            **fields,
        }
    )


LAYOUT = {
    "name": "toy release",
    "folders": ["toy", "."],
    "files": {"test": "{lang}.tsv"},
    "format": "tsv",
    "columns": {"text_a": "text", "label": "label"},
}


def rows_of(spec: TaskSpec, options: DataOptions, language: str = "swa") -> list[Any]:
    return list(locate(spec, language, "test", options, {}).rows(spec.labels, spec.label_map))
