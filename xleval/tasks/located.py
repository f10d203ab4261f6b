"""A split found but not read, and what a plugin needs to generate one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xleval.errors import UserError
from xleval.tasks.rows import SequenceRow, TokenRow, drawn, numbered

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from xleval.tasks.places import Place


class DataWarning(UserWarning):
    """Data that can be used but differ from what the spec says, such as another release's row count."""


class DataProvider(Protocol):
    """A plugin that generates labelled rows and unlabelled text."""

    name: str
    version: str
    """Raised whenever what it generates changes."""

    @property
    def languages(self) -> Collection[str]:
        """Codes of the languages it has text for."""

    def rows(self, dataset: str, split: str, language: str) -> list[dict[str, Any]]:
        """Rows of a split, in order: id (unique), premise, hypothesis, label; or id, tokens, tags.

        Raises:
            ValueError: no such data set, split or language.
        """

    def text(self, language: str) -> list[str]:
        """Unlabelled text, one paragraph a line; ValueError for a language it does not have."""


@dataclass(frozen=True)
class DataOptions:
    """Where data may come from and how much of it is read.

    ``limit`` draws that many rows of every split, the same ones for the same ``limit_seed``.
    """

    data_dir: Path | None = None
    offline: bool = False
    limit: int | None = None
    limit_seed: int = 0


@dataclass(frozen=True)
class Located:
    """A split found but not read."""

    dataset: str
    version: str
    language: str
    split: str
    revision: str
    """Commit of the hub or git repository; ``sha256:`` and 16 digits for local files; else ``demo@1``."""
    origin: str
    """For messages: ``hub org/name@commit`` or paths."""
    fingerprint: str
    """64 hex digits over everything that determines the rows, places on this machine excluded."""
    limit: int | None
    limit_seed: int
    place: Place
    label_map: Mapping[str, str]
    """The source data set's own map, applied before the task's."""
    expected: int | None = None

    def rows(self, labels: Sequence[str], label_map: Mapping[str, str]) -> list[SequenceRow] | list[TokenRow]:
        """All rows, or those that ``limit`` draws, with labels as indices into ``labels``.

        Downloads what the cache lacks. ``label_map`` is the task's: label in the files → one of ``labels``.

        Raises:
            UserError: any fault of the files, naming file, line and remedy; a wrong number of rows.
        """
        maps = (self.label_map, label_map)
        found: list[Any] = []
        for path, raw in self.place.read():
            found += numbered(raw, self.place.family, labels, maps, path, tag_lines=self.place.tag_lines)
        self._check_count(len(found))
        return drawn(found, self.limit, self.limit_seed)

    @property
    def is_remote(self) -> bool:
        """Whether reading may download: the revision is a commit."""
        return len(self.revision) == 40

    def fetch(self) -> list[Path]:
        """Files of the split on this machine, downloaded if need be; none where rows are generated."""
        return self.place.files()

    def _check_count(self, found: int) -> None:
        if self.expected in (None, found):
            return
        what = (
            f"{self.dataset}, {self.language} {self.split}: expected {self.expected} rows, found {found} "
            f"in {self.origin}"
        )
        if self.place.pinned:
            raise UserError(f"{what}; delete the damaged download, or correct `rows` in the YAML")
        note = f"{what}: another release or a sample; scores are those of these rows"
        warnings.warn(note, DataWarning, stacklevel=3)
