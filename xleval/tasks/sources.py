"""Finds the rows of a split: upstream files under ``--data-dir``, the hub, raw files of a repository, a generator.

:func:`locate` is cheap and downloads nothing: it names what will be read and fingerprints it, so a plan can
be made without data. :meth:`Located.rows` reads, checks and numbers labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest
from xleval.tasks.layout import LocalFiles, Split, form_of
from xleval.tasks.places import Generator, HubPlace, LocalPlace, Place, RawPlace
from xleval.tasks.rows import SequenceRow, TokenRow, drawn, numbered
from xleval.tasks.spec import SourceSpec, TaskSpec

__all__ = [
    "DataOptions",
    "DataProvider",
    "DataWarning",
    "Located",
    "SequenceRow",
    "TokenRow",
    "locate",
    "locate_folder",
]

#: Raised when reading changes in a way that changes rows: older artifacts are then not reused.
_READING = 1


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
    """Commit of the hub or git repository; ``sha256:`` and 16 digits for local files; ``demo@1`` if generated."""
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
            UserError: any fault of the files, naming file, line and remedy; rows missing from a pinned revision.
        """
        maps = (self.label_map, label_map)
        found: list[Any] = []
        for path, raw in self.place.read():
            found += numbered(raw, self.place.family, labels, maps, path, tag_lines=self.place.tag_lines)
        self._check_count(len(found))
        return drawn(found, self.limit, self.limit_seed)

    def fetch(self) -> list[Path]:
        """Files of the split on this machine, downloaded if need be; none where rows are generated."""
        return self.place.files()

    def _check_count(self, found: int) -> None:
        if self.expected in (None, found):
            return
        what = f"{self.dataset}, {self.language} {self.split}: expected {self.expected} rows, found {found} in {self.origin}"
        if self.place.pinned:
            raise UserError(f"{what}; a download is damaged (delete it from the cache), or `rows` in the YAML is wrong")
        warnings.warn(f"{what}: another release or a sample; scores are those of these rows", DataWarning, stacklevel=3)


def locate(
    spec: TaskSpec | SourceSpec, language: str, split: str, options: DataOptions, providers: Mapping[str, DataProvider]
) -> Located:
    """One split of one language. Local files win where ``options.data_dir`` has them, then the hub, then raw files.

    Raises:
        UserError: no such language or split; nothing there, with every path that was looked for.
    """
    data, code = spec.data, spec.data.code(language)
    known = spec.languages if isinstance(spec, TaskSpec) else (spec.language,)
    if language not in known and not (isinstance(spec, TaskSpec) and language == spec.source_language):
        raise UserError(f"{spec.name} has no {language!r}; it has {', '.join(known)}")
    part = _Part(spec, language, _split(spec, split), options)
    looked: list[Path] = []
    if options.data_dir is not None:
        for layout in data.upstream:
            for path in _paths(options.data_dir, layout, part.split, code):
                if path.is_file():
                    return part.local(layout, (path,), code)
                looked.append(path)
    if data.hub is not None and part.split in data.hub.files:
        name = data.hub.files[part.split].replace("{lang}", code)
        return part.at(HubPlace(spec.family, data.hub, name, code, options.offline), data.hub.revision)
    if data.raw is not None and part.split in data.raw.files:
        name = data.raw.files[part.split].replace("{lang}", code)
        return part.at(RawPlace(spec.family, data.raw, name, code, options.offline), data.raw.revision)
    if data.generated is not None:
        provider = providers.get(data.generated.provider)
        if provider is None:
            raise UserError(
                f"{spec.name}: its data are generated by {data.generated.provider!r}, and no loaded plugin provides "
                "that (see `xleval plugins ls`)"
            )
        place = Generator(spec.family, provider, data.generated.dataset or spec.name, part.split, code)
        return part.at(place, f"{provider.name}@{provider.version}")
    raise UserError(_nothing(spec, language, part.split, options.data_dir, looked))


def locate_folder(task_spec: TaskSpec, folder: Path, split: str, options: DataOptions) -> Located:
    """A user's own training data: ``folder`` holds train.* and dev.* in the task's upstream layout, or as JSON Lines.

    Raises:
        UserError: no such folder, no such file, or more than one.
    """
    name = f"--source {task_spec.name}={folder}"
    if not folder.is_dir():
        raise UserError(f"{name}: no such folder; it must hold train.* and dev.*")
    found = sorted(path for path in folder.glob(f"{split}.*") if path.is_file())
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise UserError(f"{name}: expected one file {split}.*, found {there}")
    layout = task_spec.data.folder_layout()
    if found[0].suffix == ".jsonl":
        layout = _JSON_LINES[task_spec.family]
    if layout is None:
        raise UserError(f"{name}: {task_spec.name} has no file layout; write JSON Lines ({split}.jsonl)")
    # One folder is one language, whatever its column says.
    layout = layout.model_copy(update={"where": {}})
    part = _Part(task_spec, task_spec.source_language, _split(task_spec, split), options, dataset=str(folder.name))
    return part.local(layout, (found[0],), task_spec.data.code(task_spec.source_language), counted=False)


_JSON_LINES = {
    "sequence-classification": LocalFiles.model_validate(
        {
            "name": "JSON Lines",
            "format": "jsonl",
            "files": {},
            "columns": {"text_a": "premise", "text_b": "hypothesis", "label": "label"},
        }
    ),
    "token-classification": LocalFiles.model_validate(
        {"name": "JSON Lines", "format": "jsonl", "files": {}, "columns": {"tokens": "tokens", "tags": "tags"}}
    ),
}


@dataclass(frozen=True)
class _Part:
    """What is asked for, whatever place it turns out to lie in."""

    spec: TaskSpec | SourceSpec
    language: str
    split: Split
    options: DataOptions
    dataset: str = ""

    def local(self, layout: LocalFiles, paths: tuple[Path, ...], code: str, *, counted: bool = True) -> Located:
        digests = [file_digest(path) for path in paths]
        short = digests[0] if len(digests) == 1 else digest(digests)
        return self.at(LocalPlace(self.spec.family, layout, paths, code), f"sha256:{short[:16]}", digests, counted=counted)

    def at(self, place: Place, revision: str, content: Any = None, *, counted: bool = True) -> Located:
        spec, options = self.spec, self.options
        # A source's own map is part of its data; a task's map stands in the fingerprints of what uses it.
        label_map = spec.label_map if isinstance(spec, SourceSpec) else {}
        fingerprint = digest(
            {
                "reading": _READING,
                # The name of a user's folder is a place, not content.
                "dataset": spec.name,
                "version": spec.version,
                "family": spec.family,
                "language": self.language,
                "split": self.split,
                "form": form_of(place.form) if place.form is not None else None,
                "code": place.code,
                "content": content or place.identity(),
                "label_map": dict(label_map),
                "limit": None if options.limit is None else [options.limit, options.limit_seed],
            }
        )
        return Located(
            dataset=self.dataset or spec.name,
            version=spec.version,
            language=self.language,
            split=self.split,
            revision=revision,
            origin=place.origin,
            fingerprint=fingerprint,
            limit=options.limit,
            limit_seed=options.limit_seed,
            place=place,
            label_map=dict(label_map),
            expected=spec.data.expected_rows(self.split, self.language) if counted else None,
        )


def _split(spec: TaskSpec | SourceSpec, split: str) -> Split:
    for known in ("train", "dev", "test"):
        if split == known:
            return known  # type: ignore[return-value]
    raise UserError(f"{spec.name}: no split {split!r}; splits are train, dev and test")


def _paths(data_dir: Path, layout: LocalFiles, split: Split, code: str) -> list[Path]:
    name = layout.files.get(split)
    if name is None:
        return []
    return [data_dir / folder.replace("{lang}", code) / name.replace("{lang}", code) for folder in layout.folders]


def _nothing(
    spec: TaskSpec | SourceSpec, language: str, split: str, data_dir: Path | None, looked: Sequence[Path]
) -> str:
    what = f"{spec.name}: no {split} data of {language!r}"
    if looked:
        return "\n".join([f"{what} under --data-dir {data_dir}; looked for", *(f"  {path}" for path in looked)])
    if data_dir is None and any(split in layout.files for layout in spec.data.upstream):
        layouts = ", ".join(f"{layout.files[split]} ({layout.name})" for layout in spec.data.upstream if split in layout.files)  # type: ignore[index]
        return f"{what} without --data-dir; get it from {spec.homepage} and name its folder: files {layouts}"
    return f"{what}: the data set has no such split"
