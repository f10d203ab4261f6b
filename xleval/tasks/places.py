"""Where a split lies, once found: files here, files to download, rows to generate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xleval.errors import UserError
from xleval.fingerprint import file_digest
from xleval.tasks.hub import hub_files, raw_file
from xleval.tasks.raw import RawRow
from xleval.tasks.readers import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from xleval.tasks.layout import Family, Form, HubFiles, LocalFiles, RawFiles
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

    def read(self) -> Iterator[tuple[str, Iterable[RawRow]]]:
        """Each file's name in messages, and its rows."""


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

    def read(self) -> Iterator[tuple[str, Iterable[RawRow]]]:
        start = 0
        for path in self.files():
            rows = list(read(path, self.form, self.family, self.code))
            # Rows without ids of their own are numbered through all files of a split.
            if start and "id" not in self.form.columns:
                rows = [row._replace(id=str(start + int(row.id or 0))) for row in rows]
            # The last id, not the number of rows: dropped rows leave gaps.
            start = int(rows[-1].id or 0) + 1 if rows and "id" not in self.form.columns else 0
            yield str(path), rows


@dataclass(frozen=True)
class LocalPlace(_Files):
    """An upstream file, or a user's own."""

    family: Family
    layout: LocalFiles
    path: Path
    code: str
    pinned = False

    @property
    def form(self) -> Form:
        return self.layout

    @property
    def origin(self) -> str:
        return str(self.path)

    @property
    def revision(self) -> str:
        return f"sha256:{file_digest(self.path)[:16]}"

    def identity(self) -> Any:
        return ["file", file_digest(self.path)]

    def files(self) -> list[Path]:
        return [self.path]


@dataclass(frozen=True)
class HubPlace(_Files):
    """Files of a hub data set."""

    family: Family
    hub: HubFiles
    name: str
    code: str
    offline: bool
    pinned = True

    @property
    def form(self) -> Form:
        return self.hub

    @property
    def origin(self) -> str:
        return f"hub {self.hub.repo}@{self.hub.revision}"

    @property
    def revision(self) -> str:
        return self.hub.revision

    def identity(self) -> Any:
        return ["hub", self.hub.repo, self.hub.revision, self.name]

    def files(self) -> list[Path]:
        remedy = _FETCH if self.offline else _RETRY
        return hub_files(self.hub, self.name, offline=self.offline, remedy=remedy)


@dataclass(frozen=True)
class RawPlace(_Files):
    """A file of a git repository."""

    family: Family
    raw: RawFiles
    name: str
    code: str
    offline: bool
    pinned = True

    @property
    def form(self) -> Form:
        return self.raw

    @property
    def origin(self) -> str:
        return f"github {self.raw.repo}@{self.raw.revision}"

    @property
    def revision(self) -> str:
        return self.raw.revision

    def identity(self) -> Any:
        return ["raw", self.raw.repo, self.raw.revision, self.name]

    def files(self) -> list[Path]:
        remedy = _FETCH if self.offline else _RETRY
        return [raw_file(self.raw, self.name, offline=self.offline, remedy=remedy)]


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

    def read(self) -> Iterator[tuple[str, Iterable[RawRow]]]:
        try:
            rows = self.provider.rows(self.dataset, self.split, self.code)
        except ValueError as error:
            raise UserError(f"{self.origin}: {error}") from None
        found = [self._row(number, row) for number, row in enumerate(rows, start=1)]
        if len({row.id for row in found}) < len(found):
            raise UserError(f"{self.origin}: ids of {self.dataset} {self.split} are not unique")
        yield self.origin, found

    def _row(self, number: int, row: dict[str, Any]) -> RawRow:
        try:
            if self.family == "token-classification":
                return RawRow(number, row["id"], tokens=tuple(row["tokens"]), tags=tuple(row["tags"]))
            return RawRow(number, row["id"], row["premise"], row.get("hypothesis"), row["label"])
        except KeyError as error:
            raise UserError(f"{self.origin}: row {number} has no {error}") from None
