"""What is asked for: an experiment, as command-line options or as a YAML file, and the suites it may name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from xleval.errors import UserError, nearest
from xleval.yaml_file import read_mapping


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Hyperparameters = dict[str, int | float | str]


class SuiteTable(_Strict):
    """A published table that a suite stands for; what it leaves out is the suite's."""

    paper: str
    """Key of the paper among the reference rows."""
    title: str
    tasks: list[str] = Field(min_length=1)
    strategies: dict[str, str] = Field(min_length=1)
    """Name in the paper → strategy of the suite."""
    metrics: dict[str, str] = Field(min_length=1)
    """Metric in the paper → ours that counts the same; the first is the one that "Better" counts."""
    baseline: str = ""
    """The strategy, by its name in the paper, that "Better" compares with."""
    languages: dict[str, list[str]] = {}
    backbone: str = ""
    seeds: list[int] = []
    hyperparameters: Hyperparameters = {}
    notes: list[str] = []
    """What of the paper's setup differs in any run of xleval."""


class Suite(_Strict):
    """Tasks that belong together, with the backbone, seeds and hyperparameters they are run with."""

    kind: Literal["suite"]
    name: str
    summary: str
    tasks: list[str] = Field(min_length=1)
    languages: dict[str, list[str]] = {}
    backbone: str
    seeds: list[int] = [1, 2, 3]
    hyperparameters: Hyperparameters = {}
    strategies: list[str] = []
    """What is run unless ``--strategy`` says otherwise."""
    only: dict[str, list[str]] = {}
    """Strategy → the tasks it is run on; one that is not here is run on all."""
    task_hyperparameters: dict[str, Hyperparameters] = {}
    """Task → what differs from ``hyperparameters``."""
    sources: dict[str, str] = {}
    """Task → source data set in place of the task's own."""
    tables: dict[str, SuiteTable] = {}
    """Key (``2a`` for Table 2(a)) → the published table that this part of the suite stands for."""
    citation: str = ""

    def faults(self) -> Iterator[str]:
        """Names that refer to nothing within the suite, each with its key."""
        for key, names in (("tasks", self.tasks), ("strategies", self.strategies)):
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"{key}: {name!r} stands there twice"
        for key in ("task_hyperparameters", "sources"):
            yield from _strangers(key, getattr(self, key), self.tasks, "tasks")
        yield from _strangers("only", self.only, self.strategies, "strategies")
        for strategy, tasks in self.only.items():
            yield from _strangers(f"only.{strategy}", tasks, self.tasks, "tasks")
            if not tasks:
                yield f"only.{strategy}: name at least one task"
        for name, table in self.tables.items():
            yield from self._table_faults(f"tables.{name}", table)

    def _table_faults(self, key: str, table: SuiteTable) -> Iterator[str]:
        yield from _strangers(f"{key}.tasks", table.tasks, self.tasks, "tasks")
        yield from _strangers(f"{key}.languages", table.languages, table.tasks, f"{key}.tasks")
        for task, languages in table.languages.items():
            if self.languages.get(task):
                yield from _strangers(f"{key}.languages.{task}", languages, self.languages[task], f"languages.{task}")
        if table.baseline:
            yield from _strangers(f"{key}.baseline", [table.baseline], table.strategies, f"{key}.strategies")
        for printed, strategy in table.strategies.items():
            yield from _strangers(f"{key}.strategies.{printed}", [strategy], self.strategies, "strategies")
            if strategy in self.only and not set(self.only[strategy]) & set(table.tasks):
                yield (
                    f"{key}.strategies.{printed}: `only` runs {strategy} on {', '.join(self.only[strategy])}, "
                    "no task of this table"
                )


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

    strategies: list[str] = []
    suite: str | None = None
    tasks: list[str] = []
    languages: list[str] = []
    backbone: str | None = None
    seeds: list[int] = []
    sources: dict[str, str] = {}
    source_languages: list[str] = []
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

    @field_validator("strategies", "seeds", "tasks", "languages", "treebanks", "source_languages")
    @classmethod
    def _once(cls, value: list[Any]) -> list[Any]:
        return list(dict.fromkeys(value))

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
    faults = list(suite.faults())
    if faults:
        raise UserError(f"{path}: " + "; ".join(faults))
    return suite


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _strangers(key: str, names: Iterable[str], known: Iterable[str], where: str) -> Iterator[str]:
    known = list(known)
    for name in names:
        if name not in known:
            have = f"`{where}` has {', '.join(known)}" if known else f"`{where}` is empty"
            yield f"{key}: {name!r} is not there ({have}){nearest(name, known)}"


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
