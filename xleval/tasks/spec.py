"""A task or a source data set as its YAML describes it, checked key by key.

``load_spec`` is all that ``xleval ls tasks`` needs: it reads text, never data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError, model_validator

from xleval.errors import UserError
from xleval.tasks.faults import describe, place_of
from xleval.tasks.layout import NEEDED, SELF_DESCRIBING, DataSpec, Family, Model, Role, Split, Text
from xleval.yaml_file import read_node

if TYPE_CHECKING:
    from pathlib import Path


_WITHOUT_LABELS: tuple[Family, ...] = ("multiple-choice", "question-answering")

#: The metrics that a task of a family may be judged by.
METRICS_OF: dict[Family, tuple[str, ...]] = {
    "sequence-classification": ("accuracy",),
    "multiple-choice": ("accuracy",),
    "token-classification": ("f1", "accuracy"),
    "dependency-parsing": ("las", "uas"),
    "question-answering": ("f1", "em"),
}


class _Spec(Model):
    """What tasks and source data sets have in common."""

    name: Text
    version: Text
    """Raised when rows, labels or scoring change: scores of two versions are not compared."""
    family: Family
    summary: Text
    licence: Text
    citation: Text
    """BibTeX."""
    homepage: str = ""
    """Where the data set is to be had; needless only for generated data."""
    errata: tuple[Text, ...] = ()
    notes: str = ""
    label_map: dict[Text, Text] = {}
    """Label in the files → label in use."""
    data: DataSpec

    @model_validator(mode="after")
    def _whole(self) -> _Spec:
        if "\n" in self.summary.strip():
            raise ValueError("summary: write one line")
        if not self.homepage and not self.data.generated:
            raise ValueError("homepage: missing; say where the data set is to be had")
        for place, form in self.data.forms():
            if form.format in SELF_DESCRIBING:
                if self.family not in SELF_DESCRIBING[form.format]:
                    meant = " and ".join(SELF_DESCRIBING[form.format])
                    raise ValueError(f"data.{place}.format: {form.format} is for {meant}")
                continue
            needed: tuple[Role, ...] = NEEDED[self.family]
            missing = [role for role in needed if role not in form.columns and not (role == "label" and form.labels)]
            if missing:
                needs = f"{self.family} needs {', '.join(missing)}"
                raise ValueError(f"data.{place}.columns: {needs} (write `{missing[0]}: COLUMN`)")
        return self


class TaskSpec(_Spec):
    """A task: an evaluation split in many languages, and labelled data in one language to learn from."""

    kind: Literal["task"]
    languages: tuple[Text, ...]
    """Codes of the language registry."""
    labels: tuple[Text, ...] = ()
    """In the order of the head's outputs; of dependency parsing the relations. Multiple choice and question
    answering have none."""
    source: Text
    """The source data set that a task adapter learns from unless ``--source`` names another; ``a+b``: from one
    after the other."""
    source_language: Text = "eng"
    """The language of a user's own folder of training data."""
    parallel: bool = False
    """Whether items with the same id say the same thing in every language."""
    parallel_except: tuple[Text, ...] = ()
    """Languages of a parallel task in which they do not."""
    question_from: str = ""
    """The source data set whose questions, by row, replace those of a multiple-choice task."""
    metric: Literal["accuracy", "f1", "em", "las", "uas"]
    """What checkpoints are selected by and tables show; ``docs/metrics.md`` has those recorded beside it."""
    split: Split = "test"
    hyperparameters: dict[str, int | float | str] = {}
    hyperparameters_source: str = ""

    def is_parallel(self, language: str) -> bool:
        """Whether its items say the same as those with the same ids in other such languages."""
        return self.parallel and language not in self.parallel_except

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        if (self.family in _WITHOUT_LABELS) == bool(self.labels):
            fault = "leave them out" if self.labels else "name at least one"
            raise ValueError(f"labels: {fault} ({self.family})")
        if self.metric not in METRICS_OF[self.family]:
            known = " or ".join(METRICS_OF[self.family])
            raise ValueError(f"metric: {self.metric!r} is not for {self.family}; write {known}")
        if self.question_from and self.family != "multiple-choice":
            raise ValueError("question_from: only multiple-choice tasks have questions to replace")
        if not self.languages:
            raise ValueError("languages: name at least one")
        if strange := set(self.parallel_except) - set(self.languages):
            raise ValueError(f"parallel_except: {', '.join(sorted(strange))} not among the languages")
        for key, values in (("languages", self.languages), ("labels", self.labels)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key}: {twice[0]!r} stands there twice")
        for label, target in self.label_map.items():
            if target not in self.labels:
                raise ValueError(f"label_map: {label} → {target!r} is none of the labels ({', '.join(self.labels)})")
        if self.family == "token-classification" and self.metric == "f1" and "O" not in self.labels:
            raise ValueError("labels: tags need 'O', the tag of words outside of entities")
        _check_hyperparameters(self.hyperparameters)
        return self


class SourceSpec(_Spec):
    """Labelled data with splits train and dev in one language."""

    kind: Literal["source"]
    language: Text

    @model_validator(mode="after")
    def _trainable(self) -> SourceSpec:
        data = self.data
        for place in (*data.upstream, data.hub, data.raw):
            missing = [split for split in ("train", "dev") if place is not None and split not in place.files]
            if missing:
                lacks = " and ".join(missing)
                raise ValueError(f"data: a source needs train and dev, a place lacks files for {lacks}")
        return self


def load_spec(path: Path) -> TaskSpec | SourceSpec:
    """The spec in a YAML file.

    Raises:
        UserError: every fault of the file, each with line, key and remedy.
        OSError: the file cannot be read.
    """
    node, value = read_node(path)
    kind = value.get("kind")
    models: dict[Any, type[TaskSpec] | type[SourceSpec]] = {"task": TaskSpec, "source": SourceSpec}
    model = models.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise UserError(f"{path}:{place_of(node, ('kind',))}: kind is {kind!r}; write `kind: task` or `kind: source`")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [describe(fault, model, node) for fault in error.errors(include_url=False)]
        raise UserError("\n".join(f"{path}:{fault}" for fault in faults)) from None


def _check_hyperparameters(given: dict[str, int | float | str]) -> None:
    from xleval.hyperparameters import parsed

    for key, value in given.items():
        if not key.startswith("train."):
            raise ValueError(f"hyperparameters: {key!r} is not of the group `train.`, the only one a task may set")
        try:
            parsed(key, value)
        except UserError as error:
            raise ValueError(f"hyperparameters: {error}") from None
