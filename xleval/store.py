"""The store: finished artifacts by fingerprint, shared by any number of processes.

``ROOT/<kind>/<first two hex>/<fingerprint>/`` holds an artifact's files and ``manifest.json`` with their
SHA-256. An artifact is written aside under ``ROOT/tmp``, its manifest last, and then renamed into place, so
a reader sees all of it or nothing. A lock per artifact lets one process make it while others wait and then
reuse it. ``ROOT/partial/<fingerprint>`` holds the checkpoints of a training that is under way.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xleval.environment import timestamp
from xleval.errors import UserError
from xleval.fingerprint import file_digest

MANIFEST = "manifest.json"
_SERVICE = ("tmp", "partial", "locks", "corrupt")


class CorruptArtifactError(Exception):
    """A stored file is missing or differs from its manifest; the message names it."""


@dataclass(frozen=True)
class Stored:
    """One artifact in the store; ``bytes`` is the size of its files."""

    kind: str
    fingerprint: str
    path: Path
    manifest: Mapping[str, Any]

    @property
    def bytes(self) -> int:
        """Size on disk by the manifest."""
        return sum(int(entry["bytes"]) for entry in self.manifest["files"].values())


def default_store() -> Path:
    """``$XLEVAL_STORE``, or ``store`` in the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("XLEVAL_STORE") or platformdirs.user_cache_path("xleval") / "store")


class Store:
    """A folder of artifacts. Nothing is created until the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._verified: set[tuple[str, str]] = set()

    def path(self, kind: str, fingerprint: str) -> Path:
        """Where an artifact lies, or will lie."""
        return self.root / kind / fingerprint[:2] / fingerprint

    def partial(self, fingerprint: str) -> Path:
        """Folder of the checkpoints of an artifact in the making."""
        return self.root / "partial" / fingerprint

    def has(self, kind: str, fingerprint: str) -> bool:
        """Whether the artifact is there (not whether it is intact: :meth:`open` checks that)."""
        return (self.path(kind, fingerprint) / MANIFEST).is_file()

    def manifest(self, kind: str, fingerprint: str) -> dict[str, Any]:
        """The manifest of an artifact.

        Raises:
            CorruptArtifactError: when it cannot be read.
        """
        path = self.path(kind, fingerprint) / MANIFEST
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            manifest["files"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptArtifactError(f"{path}: {error}") from None
        return manifest

    def open(self, kind: str, fingerprint: str) -> Path:
        """The artifact's folder, its files verified against the manifest (once a process).

        Raises:
            CorruptArtifactError: naming the file that is missing, truncated or changed.
        """
        path = self.path(kind, fingerprint)
        if (kind, fingerprint) not in self._verified:
            for name, entry in self.manifest(kind, fingerprint)["files"].items():
                file = path / name
                if not file.is_file():
                    raise CorruptArtifactError(f"{file} is missing")
                if file.stat().st_size != entry["bytes"]:
                    raise CorruptArtifactError(f"{file} has {file.stat().st_size} bytes in place of {entry['bytes']}")
                if file_digest(file) != entry["sha256"]:
                    raise CorruptArtifactError(f"{file} differs from its SHA-256")
            self._verified.add((kind, fingerprint))
        return path

    def intact(self, kind: str, fingerprint: str) -> bool:
        """Whether the artifact is there and whole. A damaged one is moved to ``corrupt/``, to be remade."""
        if not self.has(kind, fingerprint):
            return False
        try:
            self.open(kind, fingerprint)
        except CorruptArtifactError:
            self.discard(kind, fingerprint)
            return False
        return True

    def discard(self, kind: str, fingerprint: str) -> None:
        """Moves an artifact out of the way, into ``corrupt/``."""
        aside = self.root / "corrupt" / f"{kind}-{fingerprint}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        self._verified.discard((kind, fingerprint))
        with suppress(FileNotFoundError):  # another process was faster
            self.path(kind, fingerprint).rename(aside)

    @contextmanager
    def lock(self, fingerprint: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Holds the artifact's lock; while another process has it, calls ``waiting`` once and waits.

        The system frees the lock when its holder ends, however it ends.
        """
        from filelock import FileLock, Timeout

        path = self.root / "locks" / f"{fingerprint}.lock"
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=1)
            except Timeout:
                waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def create(self, kind: str, fingerprint: str, about: Mapping[str, Any]) -> Iterator[Path]:
        """A folder to write an artifact's files into; it becomes the artifact when the block ends.

        ``about`` joins the manifest: inputs, seconds, scores. An exception leaves no trace.

        Raises:
            UserError: the disk is full or read-only.
        """
        aside = self.root / "tmp" / f"{fingerprint}-{uuid.uuid4().hex[:8]}"
        final = self.path(kind, fingerprint)
        try:
            with _explained(aside, self.root):
                aside.mkdir(parents=True)
                yield aside
                files = {
                    str(file.relative_to(aside)): {"sha256": file_digest(file), "bytes": file.stat().st_size}
                    for file in sorted(aside.rglob("*"))
                    if file.is_file()
                }
                manifest = {"kind": kind, "fingerprint": fingerprint, "files": files, "created": timestamp(), **about}
                write_synced(aside / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False))
                for name in files:
                    sync(aside / name)
                final.parent.mkdir(parents=True, exist_ok=True)
                if final.exists():  # a reader saw damage and another maker was faster
                    shutil.rmtree(final)
                aside.rename(final)
                sync(final.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(self.partial(fingerprint), ignore_errors=True)

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Kind and fingerprint of all artifacts, damaged ones too, in order."""
        if not self.root.is_dir():
            return
        for kind in sorted(p for p in self.root.iterdir() if p.is_dir() and p.name not in _SERVICE):
            yield from ((kind.name, path.name) for path in sorted(kind.glob("??/*")) if path.is_dir())

    def __iter__(self) -> Iterator[Stored]:
        """All artifacts, by kind and fingerprint; those without a readable manifest are left out."""
        for kind, fingerprint in self.addresses():
            with suppress(CorruptArtifactError):
                yield Stored(kind, fingerprint, self.path(kind, fingerprint), self.manifest(kind, fingerprint))

    def check_writable(self) -> None:
        """Fails early, and clearly, on a read-only or full disk."""
        probe = self.root / "tmp" / f"probe-{uuid.uuid4().hex[:8]}"
        with _explained(self.root):
            probe.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_synced(probe, "x")
            finally:
                probe.unlink(missing_ok=True)

    def garbage(self, days: float) -> list[Path]:
        """What ``gc`` removes: leftovers of killed processes, damaged artifacts, checkpoints older than ``days``.

        What a live process is making, whose lock it holds, is no garbage.
        """
        horizon = time.time() - days * 86400
        found = sorted((self.root / "corrupt").glob("*"))
        found += [p for p in sorted((self.root / "tmp").glob("*")) if not self._held(p.name.partition("-")[0])]
        found += [
            p
            for p in sorted((self.root / "partial").glob("*"))
            if p.stat().st_mtime < horizon and not self._held(p.name)
        ]
        found += [
            self.path(kind, fingerprint) for kind, fingerprint in self.addresses() if not self.has(kind, fingerprint)
        ]
        return found

    def _held(self, fingerprint: str) -> bool:
        from filelock import FileLock, Timeout

        path = self.root / "locks" / f"{fingerprint}.lock"
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True


def write_synced(path: Path, text: str | Iterable[str]) -> None:
    """Writes a file, whole or piece by piece, and waits until the disk has it."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines([text] if isinstance(text, str) else text)
        stream.flush()
        os.fsync(stream.fileno())


def replace_synced(path: Path, text: str | Iterable[str]) -> None:
    """Writes a file aside and renames it into place: readers see the old one or the new one, whole."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with _explained(path, path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_synced(aside, text)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path, home: Path | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # A block that writes also reads: a file elsewhere that cannot be opened is another fault.
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
        elsewhere = named is not None and not (named.is_relative_to(home or path) or path.is_relative_to(named))
        if error.errno is None or isinstance(error, (TimeoutError, ConnectionError)) or elsewhere:
            raise
        raise UserError(
            f"cannot write {path}: {error.strerror}; free space there or choose another folder "
            "(--store, --out). Everything finished so far is kept."
        ) from error


def sync(path: Path) -> None:
    """Waits until the disk has a file or folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
