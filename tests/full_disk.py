"""A disk that is full: a small tmpfs where the system allows mounting one, else a write that fails as on one."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kib: int = 64) -> Iterator[Path]:
    """A file system of its own at ``folder``; skips where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes all the space that is left; delete what it returns to free it."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as stream, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        stream.writelines(itertools.repeat(b"x" * 4096))
    return path


def fail_sync(monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC) -> None:
    """Makes every sync to disk fail, as it does where the space was promised and is not there."""

    def fsync(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that cannot be written to, for the superuser neither where mounting is allowed."""
    folder.chmod(0o555)
    mounted = False
    if os.geteuid() == 0:
        try:
            subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True, capture_output=True)
            mounted = True
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            if mounted:
                subprocess.run(["umount", "-l", str(folder)], check=True)
            pytest.skip("the superuser may write everywhere, and may not mount here")
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.chmod(0o755)
