"""Where a split lies, once found: files here, files to download, rows to generate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest
from xleval.tasks.fields import generated_row
from xleval.tasks.hub import hub_files, raw_file
from xleval.tasks.raw import refuse
from xleval.tasks.readers import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from xleval.tasks.layout import Family, Form, HubFiles, LocalFiles, RawFiles
    from xleval.tasks.raw import RawRow, Tell
    from xleval.tasks.sources import DataProvider

_FETCH = "run `xleval fetch` with the same options where there is a network"
_RETRY = "check the network or HF_ENDPOINT, or give the files with --data-dir"


class Place(Protocol):
    """What all places have in common."""

    @property
    def family(self) -> Family: ...
    @property
    def code(self) -> str:
        """What the data set calls the language."""

    @property
    def form(self) -> Form | None: ...
    @property
    def origin(self) -> str:
        """For messages."""

    @property
    def revision(self) -> str:
        """Commit, or digest of the bytes, or version of the generator."""

    @property
    def pinned(self) -> bool:
        """Whether the bytes are those that the spec's row counts are about."""

    @property
    def tag_lines(self) -> bool:
        """Whether each tag of a row has a line of its own."""

    def identity(self) -> Any:
        """JSON that tells this content from any other; not a path."""

    def files(self) -> list[Path]:
        """Paths on this machine, downloaded if need be."""

    def label_file(self) -> Path | None:
        """The file of labels beside them, if there is one."""

    def read(self, tell: Tell = refuse, *, labelled: bool = True) -> Iterator[tuple[str, Iterable[RawRow]]]:
        """Each file's name in messages, and its rows.

        Faults of single rows go to ``tell``. Without ``labelled`` the labels of multiple choice are left
        aside: of a test set whose labels are withheld, the questions can still be had.
        """


class _Files(ABC):
    """Reading, for places that are files in the end."""

    family: Family
    code: str

    @property
    @abstractmethod
    def form(self) -> Form:
        """How the files are laid out."""

    @property
    def tag_lines(self) -> bool:
        return self.form.format == "conll"

    @abstractmethod
    def files(self) -> list[Path]:
        """Paths on this machine."""

    @abstractmethod
    def label_file(self) -> Path | None:
        """The file of labels beside them, on this machine."""

    def read(self, tell: Tell = refuse, *, labelled: bool = True) -> Iterator[tuple[str, Iterable[RawRow]]]:
        start = 0
        seen: dict[str, tuple[Path, int]] = {}
        columns = {role: column for role, column in self.form.columns.items() if labelled or role != "label"}
        form = self.form.model_copy(update={"columns": columns})

        def numbered_on(path: Path) -> Iterator[RawRow]:
            # Rows without ids of their own are numbered through all files of a split. The last id counts,
            # not the number of rows: dropped rows leave gaps.
            nonlocal start
            first = start
            labels = self.label_file() if labelled else None
            for row in read(path, form, self.family, self.code, labels, tell=tell, seen=seen):
                if "id" not in form.columns:
                    start = first + int(row.id or 0) + 1
                    row = row._replace(id=str(start - 1))
                yield row

        for path in self.files():
            yield str(path), numbered_on(path)


@dataclass(frozen=True)
class LocalPlace(_Files):
    """An upstream file, or a user's own, and the file of its labels, if they are apart."""

    family: Family
    layout: LocalFiles
    path: Path
    code: str
    labels: Path | None = None
    pinned = False

    @property
    def form(self) -> Form:
        return self.layout

    @property
    def origin(self) -> str:
        return str(self.path)

    @property
    def revision(self) -> str:
        identity = self.identity()
        return f"sha256:{(digest(identity) if self.labels else identity[1])[:16]}"

    def identity(self) -> Any:
        try:
            return ["file", *(file_digest(path) for path in (self.path, self.labels) if path)]
        except OSError as error:
            beside = f"; it has the labels of {self.path}" if self.labels and not self.labels.is_file() else ""
            raise UserError(f"{error.filename}: cannot be read: {error.strerror}{beside}") from None

    def files(self) -> list[Path]:
        return [self.path]

    def label_file(self) -> Path | None:
        return self.labels


@dataclass(frozen=True)
class _Pinned(_Files):
    """Files of a remote repository at a commit."""

    site: ClassVar[str]
    pinned: ClassVar[bool] = True
    family: Family
    where: HubFiles | RawFiles
    name: str
    labels: str
    code: str
    offline: bool

    @property
    def form(self) -> Form:
        return self.where

    @property
    def origin(self) -> str:
        return f"{self.site} {self.where.repo}@{self.revision}"

    @property
    def revision(self) -> str:
        return self.where.commit

    @property
    def remedy(self) -> str:
        return _FETCH if self.offline else _RETRY

    def identity(self) -> Any:
        return [self.site, self.where.repo, self.revision, self.name, *([self.labels] if self.labels else [])]


@dataclass(frozen=True)
class HubPlace(_Pinned):
    """Files of a hub data set."""

    site = "hub"
    where: HubFiles

    def files(self) -> list[Path]:
        return hub_files(self.where, self.name, offline=self.offline, remedy=self.remedy)

    def label_file(self) -> Path | None:
        found = hub_files(self.where, self.labels, offline=self.offline, remedy=self.remedy) if self.labels else []
        return found[0] if found else None


@dataclass(frozen=True)
class RawPlace(_Pinned):
    """A file of a git repository."""

    site = "github"
    where: RawFiles

    def files(self) -> list[Path]:
        return [raw_file(self.where, self.name, offline=self.offline, remedy=self.remedy)]

    def label_file(self) -> Path | None:
        if not self.labels:
            return None
        return raw_file(self.where, self.labels, offline=self.offline, remedy=self.remedy)


@dataclass(frozen=True)
class Generator:
    """Rows of a data provider."""

    family: Family
    provider: DataProvider
    dataset: str
    split: str
    code: str
    form: None = None
    pinned = True
    tag_lines = False

    @property
    def origin(self) -> str:
        return f"generated by {self.revision}"

    @property
    def revision(self) -> str:
        return f"{self.provider.name}@{self.provider.version}"

    def identity(self) -> Any:
        return ["generated", self.provider.name, self.provider.version, self.dataset]

    def files(self) -> list[Path]:
        return []

    def label_file(self) -> Path | None:
        return None

    def read(self, tell: Tell = refuse, *, labelled: bool = True) -> Iterator[tuple[str, Iterable[RawRow]]]:
        try:
            rows = self.provider.rows(self.dataset, self.split, self.code)
        except ValueError as error:
            raise UserError(f"{self.origin}: {error}") from None
        found = [
            generated_row(f"{self.origin}: row {number}", self.family, number, row)
            for number, row in enumerate(rows, start=1)
        ]
        if len({row.id for row in found}) < len(found):
            raise UserError(f"{self.origin}: ids of {self.dataset} {self.split} are not unique")
        yield self.origin, found
