"""Result records: one JSON object a line, append-only, written and synced as each cell finishes.

Two types joined by ``run_id``: ``run`` (strategy, backbone, adapters, seed, environment) and ``eval`` (one
task, split and language: scores, counts, the file with counts per item). A failed cell is an ``eval``
record with ``status: "failed"`` and its error. Where a cell has several records the last one counts, so a
retry supersedes a failure. ``docs/records.md`` has the schema.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.item_files import GROUP, ID, PREDICTION
from xleval.store import replace_synced

SCHEMA = "xleval/1.0"
RECORDS = "records.jsonl"
ITEMS = "items"

#: Fields that tell when and how fast, not what: two runs of the same thing differ in these alone.
CLOCK = ("created", "train_seconds", "eval_seconds")

Record = dict[str, Any]
Key = tuple[Any, ...]


def cell_key(record: Mapping[str, Any]) -> Key:
    """What an ``eval`` record is about: a second record with the same key replaces the first."""
    limit = record.get("limit")
    return (
        record["run_id"],
        record["task"],
        record["task_version"],
        record["dataset_revision"],
        record["split"],
        record["language"],
        (limit["examples"], limit["seed"]) if limit else None,
    )


def content(record: Mapping[str, Any]) -> Record:
    """A record without its clock fields: equal for equal runs, bit for bit."""
    return {key: value for key, value in record.items() if key not in CLOCK}


def item_ids_digest(ids: Sequence[str]) -> str:
    """SHA-256 over the ids of the items, in order, one a line."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


class Results:
    """A results folder: ``records.jsonl`` and ``items/*.jsonl``. Any number of processes may append."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / RECORDS
        self._forget()

    @classmethod
    def at(cls, path: Path) -> Results:
        """The results of a folder, or of a file of records that has any name; ``items`` lies beside it.

        Raises:
            UserError: there is no such file, or no records in the folder.
        """
        path = Path(path)
        results = cls(path if path.is_dir() else path.parent)
        results.path = results.path if path.is_dir() else path
        if not results.path.is_file():
            missing = f"no {RECORDS} in {path}" if path.is_dir() else f"no file or folder {path}"
            raise UserError(f"{missing}; name a results folder or a file of records")
        return results

    def _forget(self) -> None:
        self._records: list[Record] = []
        self._runs: dict[str, Record] = {}
        self._cells: dict[Key, Record] = {}
        self._bytes = self._lines = 0
        self._file: int | None = None

    def read(self) -> list[Record]:
        """All records in order of writing; a line cut short by a kill or a full disk is left out.

        Only what other writers added since the last look is read.

        Raises:
            UserError: naming the line that is not a record, or has a newer major version.
        """
        about = self.path.stat() if self.path.is_file() else None
        size, file = (about.st_size, about.st_ino) if about else (0, None)
        if size < self._bytes or file != self._file:  # another file than the one that was read: a merge replaces it
            self._forget()
            self._file = file
        if size > self._bytes:
            with self.path.open("rb") as stream:
                stream.seek(self._bytes)
                new = stream.read()
            # What follows the last newline is a writer's that was stopped in the middle.
            whole = new[: new.rfind(b"\n") + 1]
            for line in whole.splitlines(keepends=True):
                if line.strip():
                    self._take(parsed(line, self.path, self._lines + 1))
                self._lines += 1
                self._bytes += len(line)
        return list(self._records)

    def _take(self, record: Record) -> None:
        self._records.append(record)
        if record["type"] == "run":
            self._runs[record["run_id"]] = record
        elif record["type"] == "eval":
            old = self._cells.get(key := cell_key(record))
            if old is None or record["status"] == "ok" or old["status"] != "ok":
                self._cells[key] = record

    def runs(self) -> dict[str, Record]:
        """``run`` records by run_id, the last of each."""
        self.read()
        return dict(self._runs)

    def cells(self) -> dict[Key, Record]:
        """``eval`` records by :func:`cell_key`, the last of each; a success is never replaced by a failure."""
        self.read()
        return dict(self._cells)

    def append(self, record: Record, *, replace: bool = False) -> bool:
        """Writes one record and waits for the disk; False if another process wrote the same cell before.

        ``replace``: a success may be replaced (``--fresh``).

        Raises:
            UserError: the folder cannot be written to.
        """
        with self.locked():
            if record["type"] == "run" and content(record) == content(self.runs().get(record["run_id"], {})):
                return False
            if record["type"] == "eval" and not replace:
                old = self.cells().get(cell_key(record))
                if old is not None and (old["status"] == "ok" or old.get("error") == record.get("error")):
                    return False
            line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
            self._append_synced(line.encode())
        return True

    def write_items(
        self,
        name: str,
        predictions: Iterable[tuple[str, Any]],
        stats: Sequence[str],
        counts: Iterable[Sequence[int]],
        groups: Sequence[str] | None = None,
    ) -> Record:
        """Per-item file ``items/<name>.jsonl``: id, group, prediction, counts; no text. Returns its description.

        ``xleval.item_files`` reads it.
        """
        sha, rows = hashlib.sha256(), 0

        def lines() -> Iterator[str]:
            nonlocal rows
            for (item, prediction), row in zip(predictions, counts, strict=True):
                group = {} if groups is None else {GROUP: groups[rows]}
                found = {ID: item, **group, PREDICTION: prediction}
                found |= {stat: int(count) for stat, count in zip(stats, row, strict=True)}
                line = json.dumps(found, ensure_ascii=False) + "\n"
                sha.update(line.encode())
                rows += 1
                yield line

        path = self.folder / ITEMS / f"{name}.jsonl"
        replace_synced(path, lines())
        return {"path": f"{ITEMS}/{path.name}", "sha256": sha.hexdigest(), "rows": rows, "stats": list(stats)}

    def check_writable(self) -> None:
        """Fails early, and clearly, where results cannot be written."""
        with self.locked():
            probe = self.folder / ".probe"
            replace_synced(probe, "")
            probe.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other writers out; not to be entered twice."""
        from filelock import FileLock

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock")
            lock.acquire()
        except OSError as error:
            raise UserError(
                f"cannot write results to {self.folder}: {error.strerror}; choose another folder with --out"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _append_synced(self, line: bytes) -> None:
        try:
            with self.path.open("ab+") as stream:
                end = stream.seek(0, os.SEEK_END)
                if end:
                    stream.seek(end - 1)
                    if stream.read(1) != b"\n":  # the line that a killed writer left: its cell is not recorded
                        self._drop_tail(stream, end)
                start = stream.seek(0, os.SEEK_END)
                try:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
                except OSError:
                    os.ftruncate(stream.fileno(), start)
                    raise
        except OSError as error:
            raise UserError(
                f"cannot write {self.path}: {error.strerror}; free space there and run again: everything "
                "recorded so far is kept"
            ) from error

    @staticmethod
    def _drop_tail(stream: Any, end: int) -> None:
        stream.seek(0)
        whole = stream.read()
        os.ftruncate(stream.fileno(), whole.rfind(b"\n") + 1)


def parsed(line: bytes, path: Path, number: int) -> Record:
    """The record on a line of a file.

    Raises:
        UserError: with file and line: it is none, is of a newer major version, or has a score that is not finite.
    """
    try:
        record: Record = json.loads(line)
        schema = str(record["schema"])
        if int(schema.rpartition("/")[2].partition(".")[0]) > 1:
            raise UserError(f"{path}:{number}: schema {schema} is newer than this xleval reads ({SCHEMA}): upgrade")
        if record["type"] == "eval":
            hash(cell_key(record)), record["status"]
            scores = [metric["value"] for metric in (record.get("metrics") or {}).values()]
            if not all(map(math.isfinite, scores)):
                raise UserError(f"{path}:{number}: a score that is not finite")
        elif record["type"] == "run":
            hash(record["run_id"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        lacks = f"lacks {error}" if isinstance(error, KeyError) else "is not a record"
        raise UserError(f"{path}:{number}: {lacks} (remove the line, or restore the file)") from None
    return record
