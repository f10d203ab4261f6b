"""Where the rows of a data set lie and how its files write them: the ``data`` part of a YAML.

A place is a folder under ``--data-dir`` (``upstream``), a hub repository at a commit (``hub``), files of a
git repository at a commit (``raw``), or a plugin's generator (``generated``). The first three share
:class:`Form`, which says everything that determines rows once the bytes are known.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Family = Literal[
    "sequence-classification", "multiple-choice", "token-classification", "dependency-parsing", "question-answering"
]
Format = Literal["tsv", "csv", "jsonl", "parquet", "conll", "conllu", "squad"]
Split = Literal["train", "dev", "test"]
Role = Literal[
    "id", "text_a", "text_b", "label", "tokens", "tags", "heads", "context", "question", "choices", "answers"
]

RepoName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.{}-]+/[A-Za-z0-9_.{}-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]

#: The columns that rows of a family cannot do without, in files that have columns.
NEEDED: dict[Family, tuple[Role, ...]] = {
    "sequence-classification": ("text_a", "label"),
    "multiple-choice": ("context", "question", "choices", "label"),
    "token-classification": ("tokens", "tags"),
    "dependency-parsing": ("tokens", "heads", "tags"),
    "question-answering": ("context", "question", "answers"),
}

#: Formats whose layout says what each part is, and the families they are for.
SELF_DESCRIBING: dict[Format, tuple[Family, ...]] = {
    "conll": ("token-classification",),
    "conllu": ("token-classification", "dependency-parsing"),
    "squad": ("question-answering",),
}


def fill(pattern: str, code: str) -> str:
    """A name with ``{lang}`` replaced by a code; of a code ``a/b`` also ``{folder}`` by a and ``{name}`` by b."""
    folder, slash, name = code.partition("/")
    if slash:
        pattern = pattern.replace("{folder}", folder).replace("{name}", name)
    return pattern.replace("{lang}", code)


class Model(BaseModel):
    """A part of a YAML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Form(Model):
    """How a file writes rows. All of it stands in fingerprints."""

    format: Format
    columns: dict[Role, str | int | tuple[str | int, ...]] = {}
    """Role → name of a column or key, or its position from 0 where the file has no header; for ``choices``
    a list of them (or of one, whose values are lists). For ``conll`` the positions of tokens and tags
    (default 0 and -1, the last). For ``squad`` only ``id``, where the ids in the file are to be used."""
    header: bool = True
    """Whether the first line of a tsv or csv file names the columns."""
    quoting: Literal["none", "minimal"] = "none"
    """``minimal``: fields may stand in double quotes, as CSV has them. ``none``: a quote is a character."""
    separator: Literal["whitespace", "tab"] = "whitespace"
    """What stands between the columns of a ``conll`` file."""
    scheme: Literal["bio", "iob1"] = "bio"
    """``iob1``: tags begin with B- only between two entities of one type (CoNLL-2003); read as BIO."""
    token_prefix: str = ""
    """Cut from every token of a file whose every token has it (WikiANN's ``en:``); may contain {lang}."""
    where: dict[str, str] = {}
    """Column → the value that rows of a language have in it, as a shell glob; may contain {lang}. Of ``squad``
    files the ``id``."""
    drop_labels: tuple[str, ...] = ()
    """Rows with these labels are left out: MultiNLI's ``-`` marks pairs without a majority."""
    label_names: tuple[str, ...] = ()
    """Names of labels stored as integers, from 0. For multiple choice: how the file writes the choices, in
    order (SIQA's 1, 2, 3); integers from 0 where it says nothing."""
    relabel: dict[str, Text] = {}
    """Label in files of this place → label that the others have (XNLI's translated train sets: contradictory)."""
    offsets: Literal["exact", "nearest"] = "exact"
    """``nearest``: an answer that is not where its offset says is taken from the nearest place that has it, for
    copies whose contexts lost their leading spaces. ``exact``: it is refused."""
    unlabelled: str = ""
    """Why files of this place may lack gold labels, and where to get some."""

    @model_validator(mode="after")
    def _addressable(self) -> Form:
        by_place = self.format == "conll" or (self.format in ("tsv", "csv") and not self.header)
        for role, given in self.columns.items():
            if isinstance(given, tuple) != (role == "choices"):
                raise ValueError(f"columns: {role}: {given!r}; `choices` is a list of columns, all others are one")
            if self.format in ("squad", "conllu") and (self.format == "conllu" or role != "id"):
                raise ValueError(f"columns: {role}: a {self.format} file says itself where its parts stand")
            for column in given if isinstance(given, tuple) else (given,):
                if isinstance(column, int) != by_place:
                    asked = "its position, from 0" if by_place else "its name"
                    raise ValueError(f"columns: {role}: {column!r}; a column of this {self.format} is given by {asked}")
        nameless = by_place or self.format == "conllu" or (self.format == "squad" and set(self.where) != {"id"})
        if self.where and nameless:
            raise ValueError(f"where: needs names of columns, and this {self.format} has none")
        return self


class Files(Form):
    """Files per split; names may contain {lang}, and {folder} and {name} where codes have two parts."""

    files: dict[Split, Text]
    labels: dict[Split, Text] = {}
    """Split → a file beside it with one label a line (SIQA), where the rows have no label of their own."""


class LocalFiles(Files):
    """A layout under ``--data-dir``, tried in each of the folders in turn; a glob must match one file."""

    name: Text
    folders: tuple[Text, ...] = (".",)


class _Remote(Files):
    repo: RepoName
    revision: str | dict[str, str]
    """A commit, or one for each language where every language has a repository of its own."""

    @field_validator("revision", mode="before")
    @classmethod
    def _commits(cls, value: Any) -> Any:
        for commit in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}", commit):
                # A branch or tag moves; a commit does not.
                raise ValueError(f"{commit!r} is no commit; write its 40 hexadecimal digits (branches move)")
        return value

    @property
    def commit(self) -> str:
        """The revision, once :meth:`at` has chosen a language's."""
        assert isinstance(self.revision, str)
        return self.revision

    def at(self, language: str, code: str) -> Any:
        """The same with repository and commit of one language filled in; None where it has none."""
        revision = self.revision if isinstance(self.revision, str) else self.revision.get(language)
        return revision and self.model_copy(update={"repo": fill(self.repo, code), "revision": revision})


class HubFiles(_Remote):
    """Files of a data set on the Hugging Face hub, at a commit; names may contain globs."""


class RawFiles(_Remote):
    """Files of a GitHub repository, at a commit."""

    sha256: dict[str, Sha256] = {}
    """Path → digest of its bytes, checked after download."""


class Generated(Model):
    """Rows made by a plugin's data provider."""

    provider: Text
    dataset: str = ""
    """What the provider calls the data set; empty: the name of the spec."""


class DataSpec(Model):
    """Where the rows lie: upstream files win over the hub, the hub over raw files."""

    upstream: tuple[LocalFiles, ...] = ()
    hub: HubFiles | None = None
    raw: RawFiles | None = None
    generated: Generated | None = None
    codes: dict[str, Text] = {}
    """The registry's code of a language → the data set's own, where they differ."""
    folder: str = ""
    """Name of the upstream layout that is tried first for a user's own folder (``--source TASK=FOLDER``)."""
    rows: dict[Split, int | dict[str, int]] = {}
    """Rows of a split at the pinned revision, per language code where they differ."""

    @model_validator(mode="after")
    def _consistent(self) -> DataSpec:
        if not (self.upstream or self.hub or self.raw or self.generated):
            raise ValueError("names no place: give one of upstream, hub, raw, generated")
        names = [layout.name for layout in self.upstream]
        if self.folder and self.folder not in names:
            raise ValueError(f"folder: {self.folder!r} is no upstream layout ({', '.join(names) or 'none'})")
        return self

    def code(self, language: str) -> str:
        """What the data set calls a language."""
        return self.codes.get(language, language)

    @property
    def has_folders(self) -> bool:
        """Whether every language has a folder of its own, as treebanks have."""
        return any("{folder}" in folder for layout in self.upstream for folder in layout.folders)

    def expected_rows(self, split: str, language: str) -> int | None:
        """Rows that the pinned revision has, or None where the spec does not say."""
        found: Any = self.rows.get(split)  # type: ignore[call-overload]
        return found.get(language) if isinstance(found, dict) else found

    def lacks(self, split: str, language: str) -> bool:
        """Whether the pinned revision has no such split: row counts by language do not name this one."""
        found: Any = self.rows.get(split)  # type: ignore[call-overload]
        return isinstance(found, dict) and language not in found

    def folder_layouts(self) -> list[LocalFiles]:
        """The layouts that a user's own train and dev files may have, the one named by ``folder`` first."""
        return sorted(self.upstream, key=lambda layout: layout.name != self.folder)

    def forms(self) -> list[tuple[str, Files]]:
        """Every place with files, by its path in the YAML."""
        found: list[tuple[str, Files]] = [(f"upstream.{i}", layout) for i, layout in enumerate(self.upstream)]
        found += [("hub", self.hub)] if self.hub else []
        found += [("raw", self.raw)] if self.raw else []
        return found


def form_of(place: Form) -> dict[str, Any]:
    """The part of a place that determines rows: no names, no folders, nothing that is as always."""
    wanted = set(Form.model_fields) - {"unlabelled"}
    return place.model_dump(include=wanted, mode="json", exclude_defaults=True)
