"""A split found but not read, and what a plugin needs to generate one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from xleval.errors import UserError
from xleval.fingerprint import digest
from xleval.tasks.rows import ChoiceRow, Row, drawn, numbered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
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
        """Rows of a split, in order. Each has a unique ``id`` and what its family needs:

        sequence classification: premise, hypothesis (or none), label
        multiple choice:         context, question, choices, label (the right one's position, from 0)
        token classification:    tokens, tags
        dependency parsing:      tokens, heads (from 1; 0 is the root), relations
        question answering:      context, question, answers ({start, text} each, in characters)

        Raises:
            ValueError: no such data set, split or language.
        """

    def text(self, language: str) -> list[str]:
        """Unlabelled text, one paragraph a line; ValueError for a language it does not have."""


@dataclass(frozen=True)
class DataOptions:
    """Where data may come from and how much of it is read.

    ``limit`` draws that many rows of every split, the same ones for the same ``limit_seed``. ``treebanks``:
    language → name of a treebank's folder that is read in place of the task's own.
    """

    data_dir: Path | None = None
    offline: bool = False
    limit: int | None = None
    limit_seed: int = 0
    treebanks: Mapping[str, str] = field(default_factory=dict)


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
    questions: Located | None = None
    """Where the questions of a multiple-choice split are taken from, if not from itself."""

    def rows(self, labels: Sequence[str], label_map: Mapping[str, str]) -> list[Any]:
        """All rows, or those that ``limit`` draws; see :meth:`stream`."""
        return list(self.stream(labels, label_map))

    def stream(self, labels: Sequence[str], label_map: Mapping[str, str]) -> Iterator[Row]:
        """Rows one after the other, as the files are read, with labels as indices into ``labels``.

        Downloads what the cache lacks. ``label_map`` is the task's: label in the files → one of ``labels``.

        Raises:
            UserError: any fault of the files, naming file, line and remedy; a wrong number of rows.
        """
        return drawn(self._all(labels, label_map), self.limit, self.limit_seed)

    def _all(self, labels: Sequence[str], label_map: Mapping[str, str]) -> Iterator[Row]:
        maps = (self.label_map, label_map)
        rows = (
            row
            for path, raw in self.place.read()
            for row in numbered(raw, self.place.family, labels, maps, path, tag_lines=self.place.tag_lines)
        )
        count = 0
        for row in self._asked(rows) if self.questions else rows:
            count += 1
            yield row
        self.check_count(count)

    def _asked(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Rows with the questions of another data set, by position, in place of their own."""
        assert self.questions is not None
        right = [row.text_b or "" for _, raw in self.questions.place.read(labelled=False) for row in raw]
        count = wrong = 0
        for row in rows:
            assert isinstance(row, ChoiceRow)
            if count >= len(right):
                raise UserError(f"{self.origin}: more rows than the {len(right)} of {self.questions.origin}")
            wrong += row.question != right[count]
            yield row._replace(question=right[count])
            count += 1
        if count != len(right):
            raise UserError(
                f"{self.origin}: {count} rows, and {len(right)} in {self.questions.origin}, which gives their questions"
            )
        if wrong:
            note = (
                f"{self.dataset}, {self.language} {self.split}: `question` is wrong in {wrong} of {count} rows of "
                f"{self.origin}; taken from {self.questions.dataset} by row"
            )
            warnings.warn(note, DataWarning, stacklevel=2)

    @property
    def is_remote(self) -> bool:
        """Whether reading may download: the revision is a commit."""
        return len(self.revision) == 40

    def fetch(self) -> list[Path]:
        """Files of the split on this machine, downloaded if need be; none where rows are generated."""
        label_file = self.place.label_file()
        beside = [label_file] if label_file else []
        return [*self.place.files(), *beside, *(self.questions.fetch() if self.questions else [])]

    def check_count(self, found: int) -> None:
        """Compares a number of rows with that of the spec, which are those of the pinned revision.

        Raises:
            UserError: this is the pinned revision. Of other files a :class:`DataWarning` says so.
        """
        if self.expected in (None, found):
            return
        what = (
            f"{self.dataset}, {self.language} {self.split}: expected {self.expected} rows, found {found} "
            f"in {self.origin}"
        )
        if self.place.pinned:
            raise UserError(f"{what}; delete the damaged download, or correct `rows` in the YAML")
        note = f"{what}: another release or a sample; scores are those of these rows"
        warnings.warn(note, DataWarning, stacklevel=2)


@dataclass(frozen=True)
class Pooled(Located):
    """Splits one after the other, of several languages or of one; ids are put behind language and split."""

    parts: tuple[Located, ...] = ()

    def _all(self, labels: Sequence[str], label_map: Mapping[str, str]) -> Iterator[Row]:
        for part in self.parts:
            for row in part._all(labels, label_map):
                yield row._replace(id=f"{part.language}/{part.split}:{row.id}")

    @property
    def is_remote(self) -> bool:
        return any(part.is_remote for part in self.parts)

    def fetch(self) -> list[Path]:
        return [path for part in self.parts for path in part.fetch()]


def pooled(parts: Sequence[Located]) -> Located:
    """Several splits as one; of one it is that one. ``limit`` is one for the whole."""
    if len(parts) == 1:
        return parts[0]
    known = [part.expected for part in parts]
    values = {key: getattr(parts[0], key) for key in ("dataset", "version", "limit", "limit_seed", "place")}
    return Pooled(
        **values,
        split="+".join(dict.fromkeys(part.split for part in parts)),
        language="+".join(dict.fromkeys(part.language for part in parts)),
        revision="+".join(dict.fromkeys(part.revision for part in parts)),
        origin=", ".join(dict.fromkeys(part.origin for part in parts)),
        fingerprint=digest([part.fingerprint for part in parts]),
        label_map={},
        expected=None if None in known else sum(count or 0 for count in known),
        parts=tuple(parts),
    )
