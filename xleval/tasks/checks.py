"""Reads splits whole and says what is wrong with them, for ``xleval validate --data-dir``.

Reading for a run ends at the first fault. Here a fault is noted and the reading goes on, so that all of them
can be mended at once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from xleval.errors import UserError
from xleval.tasks.places import Generator, LocalPlace
from xleval.tasks.raw import UnlabelledError
from xleval.tasks.rows import numbered
from xleval.tasks.sources import locate
from xleval.tasks.spec import SourceSpec, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xleval.tasks.layout import Split
    from xleval.tasks.located import DataOptions, DataProvider, Located
    from xleval.tasks.raw import RawRow

State = Literal["ok", "warning", "unlabelled", "fault", "absent"]

#: Faults of one split after which its reading ends: more of them have one cause.
MOST = 10
#: Rows from which on one label everywhere can hardly be meant.
_MANY = 20


@dataclass(frozen=True)
class Checked:
    """One split of one language. ``expected`` is the number of rows of the pinned release.

    ``unlabelled``: its release withholds the gold labels, as ``remarks`` say. ``absent``: not on this machine.
    """

    dataset: str
    kind: Literal["task", "source"]
    split: Split
    language: str
    state: State
    rows: int = 0
    expected: int | None = None
    origin: str = ""
    """A path, or a repository at a commit, or a generator."""
    files: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """Faults with file, line and remedy; else warnings."""


class Checker:
    """Checks what is under ``options.data_dir``; without it, what the caches have. Downloads nothing.

    Labels of source data are compared with those of the ``tasks`` that learn from them.
    """

    def __init__(
        self,
        tasks: Iterable[TaskSpec],
        sources: Mapping[str, SourceSpec],
        options: DataOptions,
        providers: Mapping[str, DataProvider],
    ) -> None:
        self.tasks, self.sources, self.options, self.providers = list(tasks), sources, options, providers

    def check(self, spec: TaskSpec | SourceSpec) -> Iterator[Checked]:
        """Every split of every language that the spec knows files for; of generated data those that are used."""
        splits: tuple[Split, ...] = ("train", "dev", "test")
        known = {split for _, form in spec.data.forms() for split in form.files}
        if spec.data.generated:
            known |= {spec.split} if isinstance(spec, TaskSpec) else {"train", "dev"}
        for split in splits:
            if split in known:
                for language in spec.languages if isinstance(spec, TaskSpec) else (spec.language,):
                    yield self._split(spec, split, language)

    def _split(self, spec: TaskSpec | SourceSpec, split: Split, language: str) -> Checked:
        def checked(state: State, *remarks: str, rows: int = 0) -> Checked:
            expected = spec.data.expected_rows(split, language)
            return Checked(spec.name, spec.kind, split, language, state, rows, expected, origin, files, remarks)

        origin = ""
        files: tuple[str, ...] = ()
        try:
            located = locate(spec, language, split, self.options, self.providers)
        except UserError as error:
            # What is wrong with a file begins with its path.
            return checked("absent" if str(error).startswith(f"{spec.name}: ") else "fault", str(error))
        place, origin = located.place, located.origin
        if self.options.data_dir and not isinstance(place, (LocalPlace, Generator)):
            return checked("absent")
        if not isinstance(place, Generator):
            try:
                labels = place.label_file()
                files = tuple(map(str, (*place.files(), *([labels] if labels else []))))
            except UserError as error:
                return checked("absent", str(error))
        reading = _Reading(located, self._labelled_for(spec))
        reading.read(labelled=not (isinstance(spec, SourceSpec) and split == "test"))
        if reading.withheld:
            return checked("unlabelled", reading.withheld)
        if not reading.faults:
            reading.compare()
        if not reading.faults and isinstance(spec, TaskSpec) and spec.question_from in self.sources:
            reading.compare_questions(self._rows_of(self.sources[spec.question_from], split), spec.question_from)
        remarks = tuple(dict.fromkeys(map(str, reading.faults))) or tuple(reading.notes)
        state: State = "fault" if reading.faults else "warning" if remarks else "ok"
        return checked(state, *remarks, rows=reading.rows)

    def _rows_of(self, source: SourceSpec, split: str) -> int | UserError:
        """How many questions there are, or why that can't be said."""
        try:
            located = locate(source, source.language, split, self.options, self.providers)
            return sum(1 for _, rows in located.place.read(labelled=False) for _ in rows)
        except UserError as error:
            return error

    def _labelled_for(self, spec: TaskSpec | SourceSpec) -> list[TaskSpec]:
        """The tasks whose labels the rows must have."""
        if isinstance(spec, TaskSpec):
            return [spec]
        return [task for task in self.tasks if spec.name in task.source.split("+") and task.family == spec.family]


class _EnoughError(Exception):
    """So many faults that the rest of the file would say nothing new."""


class _Reading:
    def __init__(self, located: Located, tasks: Sequence[TaskSpec]) -> None:
        self.located, self.tasks = located, tasks
        self.rows = 0
        self.faults: list[UserError] = []
        self.notes: list[str] = []
        self.withheld = ""
        self._labels: set[str] = set()

    def read(self, *, labelled: bool) -> None:
        """Reads everything; of the test set of source data only the questions are ever used, not the labels."""
        try:
            for name, rows in self.located.place.read(self._tell, labelled=labelled):
                for row in rows:
                    self.rows += 1
                    self._check_labels(name, row)
        except _EnoughError:
            self.faults.append(UserError(f"{self.located.origin}: {MOST} faults, not read any further"))
        except UserError as error:
            form = self.located.place.form
            if isinstance(error, UnlabelledError) and not (self.rows or self.faults) and form and form.unlabelled:
                self.withheld = str(error)
            else:
                self.faults.append(error)

    def _tell(self, error: UserError) -> None:
        if isinstance(error, UnlabelledError) and not (self.rows or self.faults):
            raise error  # no label in the first row: none in any
        self.faults.append(error)
        if len(self.faults) >= MOST:
            raise _EnoughError

    def _check_labels(self, name: str, row: RawRow) -> None:
        """Each label where it first stands."""
        by_line = row.lines or [row.line + i * self.located.place.tag_lines for i in range(len(row.tags))]
        found: Any = zip(row.tags, by_line, strict=True) if row.tags else [(row.label, row.line)]
        for label, line in found:
            if label in self._labels:
                continue
            self._labels.add(label)
            one = row._replace(line=line, label=label, tags=(label,) if row.tags else (), lines=())
            for task in (task for task in self.tasks if task.labels):
                maps = (self.located.label_map, task.label_map)
                try:
                    list(numbered([one], task.family, task.labels, maps, name))
                except UserError as error:
                    if str(error) not in map(str, self.faults):
                        self._tell(error)

    def compare(self) -> None:
        """Compares what was read as a whole with what is known of the data set."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.located.check_count(self.rows)
            except UserError as error:
                self.faults.append(error)
        self.notes += [str(warning.message) for warning in caught]
        if self.rows >= _MANY and len(self._labels) == 1 and "" not in self._labels:
            (label,) = self._labels
            everywhere = f"{self.located.origin}: every row has the label {label!r}"
            self.notes.append(f"{everywhere}; releases without gold labels write such dummies, look for another")

    def compare_questions(self, count: int | UserError, source: str) -> None:
        """The questions of a task may be those of another data set, by row."""
        if isinstance(count, UserError):
            what = f"{self.located.dataset}, {self.located.split}: not usable without the questions of {source}"
            self.notes.append(f"{what}: {count}".replace("\n  ", " "))
        elif count != self.rows:
            fault = f"{self.located.origin}: {self.rows} rows, and {source} has {count}, which are their questions"
            self.faults.append(UserError(fault))
