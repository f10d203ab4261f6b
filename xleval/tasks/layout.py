"""Where the rows of a data set lie and how its files write them: the ``data`` part of a YAML.

A place is a folder under ``--data-dir`` (``upstream``), a hub repository at a commit (``hub``), files of a
git repository at a commit (``raw``), or a plugin's generator (``generated``). The first three share
:class:`Form`, which says everything that determines rows once the bytes are known.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Family = Literal["sequence-classification", "token-classification"]
Format = Literal["tsv", "csv", "jsonl", "conll", "parquet"]
Split = Literal["train", "dev", "test"]
Role = Literal["id", "text_a", "text_b", "label", "tokens", "tags"]

#: A branch or tag moves; a commit does not.
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
RepoName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]

#: The columns that rows of a family cannot do without.
NEEDED: dict[Family, tuple[Role, ...]] = {
    "sequence-classification": ("text_a", "label"),
    "token-classification": ("tokens", "tags"),
}


class Model(BaseModel):
    """A part of a YAML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Form(Model):
    """How a file writes rows. All of it stands in fingerprints."""

    format: Format
    columns: dict[Role, str | int] = {}
    """Role → name of a column or key, or its position from 0 where the file has no header; for ``conll``
    the positions of tokens and tags (default 0 and -1, the last)."""
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
    """Column → the value that rows of a language have in it; may contain {lang}."""
    drop_labels: tuple[str, ...] = ()
    """Rows with these labels are left out: MultiNLI's ``-`` marks pairs without a majority."""
    label_names: tuple[str, ...] = ()
    """Names of labels stored as integers, from 0."""
    unlabelled: str = ""
    """Why files of this place may lack gold labels, and where to get some."""

    @model_validator(mode="after")
    def _addressable(self) -> Form:
        by_place = self.format == "conll" or (self.format in ("tsv", "csv") and not self.header)
        for role, column in self.columns.items():
            if isinstance(column, int) != by_place:
                asked = "its position, from 0" if by_place else "its name"
                raise ValueError(f"columns: {role}: {column!r}; a column of this {self.format} is given by {asked}")
        if self.where and by_place:
            raise ValueError(f"where: needs names of columns, and this {self.format} has none")
        return self


class LocalFiles(Form):
    """A layout under ``--data-dir``: files per split, tried in each of the folders in turn."""

    name: Text
    folders: tuple[Text, ...] = (".",)
    files: dict[Split, Text]
    """Split → path within the folder; it and the folders may contain {lang}."""


class HubFiles(Form):
    """Files of a data set on the Hugging Face hub, at a commit; names may contain {lang} and globs."""

    repo: RepoName
    revision: Revision
    files: dict[Split, Text]


class RawFiles(Form):
    """Files of a GitHub repository, at a commit; names may contain {lang}."""

    repo: RepoName
    revision: Revision
    files: dict[Split, Text]
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
    """Name of the upstream layout of a user's own folder (``--source TASK=FOLDER``); empty: the first."""
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

    def expected_rows(self, split: str, language: str) -> int | None:
        """Rows that the pinned revision has, or None where the spec does not say."""
        found: Any = self.rows.get(split)  # type: ignore[call-overload]
        return found.get(language) if isinstance(found, dict) else found

    def folder_layout(self) -> LocalFiles | None:
        """The layout of a user's own train and dev files."""
        found = [layout for layout in self.upstream if self.folder in ("", layout.name)]
        return found[0] if found else None

    def forms(self) -> list[tuple[str, Form]]:
        """Every place with files, by its path in the YAML."""
        found: list[tuple[str, Form]] = [(f"upstream.{i}", layout) for i, layout in enumerate(self.upstream)]
        found += [("hub", self.hub)] if self.hub else []
        found += [("raw", self.raw)] if self.raw else []
        return found


def form_of(place: Form) -> dict[str, Any]:
    """The part of a place that determines rows: no names, no folders."""
    return place.model_dump(include=set(Form.model_fields) - {"unlabelled"}, mode="json")
