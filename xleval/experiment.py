"""What is asked for: an experiment, as command-line options or as a YAML file, and the suites it may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from xleval.errors import UserError, nearest
from xleval.yaml_file import read_mapping


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Suite(_Strict):
    """Tasks that belong together, with the backbone, seeds and hyperparameters they are run with."""

    kind: Literal["suite"]
    name: str
    summary: str
    tasks: list[str] = Field(min_length=1)
    languages: dict[str, list[str]] = {}
    backbone: str
    seeds: list[int] = [1, 2, 3]
    hyperparameters: dict[str, int | float | str] = {}
    citation: str = ""


class Limit(_Strict):
    """At most ``examples`` of each split, drawn once with ``seed``."""

    examples: int = Field(ge=1)
    seed: int = 0

    @classmethod
    def parse(cls, text: str | int) -> Limit:
        """``N`` or ``N:SEED``."""
        examples, _, seed = str(text).partition(":")
        try:
            return cls(examples=int(examples), seed=int(seed or 0))
        except (ValueError, ValidationError):
            raise UserError(f"--limit {text}: write N or N:SEED, N at least 1") from None


class Experiment(_Strict):
    """All options of ``xleval run``. Everything has a default; paths are as given."""

    strategies: list[str] = ["tlr-all-multi"]
    suite: str | None = None
    tasks: list[str] = []
    languages: list[str] = []
    backbone: str | None = None
    seeds: list[int] = []
    sources: dict[str, str] = {}
    split: Literal["dev", "test"] | None = None
    treebanks: list[str] = []
    language_adapters: dict[str, str] = {}
    limit: Limit | None = None
    data_dir: Path | None = None
    text_dir: Path | None = None
    set: dict[str, int | float | str] = {}
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    executor: str = "local"
    jobs: int = Field(default=0, ge=0)
    store: Path | None = None
    out: Path = Path("xleval-results")
    offline: bool = False
    fresh: bool = False

    @field_validator("limit", mode="before")
    @classmethod
    def _limit(cls, value: Any) -> Any:
        return Limit.parse(value) if isinstance(value, (int, str)) else value

    @field_validator("strategies", "seeds", "tasks", "languages", "treebanks")
    @classmethod
    def _once(cls, value: list[Any]) -> list[Any]:
        return list(dict.fromkeys(value))

    @field_validator("strategies")
    @classmethod
    def _some(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("name at least one strategy")
        return value

    def to_yaml(self) -> str:
        """The experiment as a file that ``-c`` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)


def load_experiment(path: Path) -> dict[str, Any]:
    """The options in a YAML file, checked.

    Raises:
        UserError: naming the file and the line or key.
    """
    values = _read(path)
    _validated(Experiment, values, path)
    return values


def make_experiment(values: dict[str, Any]) -> Experiment:
    """An experiment from option values; raises UserError naming the option."""
    experiment: Experiment = _validated(Experiment, values, None)
    return experiment


def load_suite(path: Path) -> Suite:
    """A suite's YAML file; raises UserError naming the file and the line or key."""
    suite: Suite = _validated(Suite, _read(path), path)
    return suite


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _validated(model: type[Any], values: dict[str, Any], path: Path | None) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"])
            hint = nearest(key, model.model_fields) if fault["type"] == "extra_forbidden" else ""
            faults.append(f"{key}: {fault['msg']}{hint}")
        raise UserError((f"{path}: " if path else "") + "; ".join(faults)) from None
