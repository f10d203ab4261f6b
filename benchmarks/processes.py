"""A command in a process of its own: seconds, CPU and memory, with those of all processes that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """A process that has ended well."""

    seconds: float
    cpu: float
    """Seconds of user and system of it and of all that it waited for."""
    mib: float
    """Resident at most: of the largest of these processes. Not less than its parent's, so that has to stay small."""
    said: str
    """On standard output."""


def ended(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Runs a command in a folder; ends this process, with what was said, if it fails."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{said.read()[-5000:]}\n{errors.read()[-5000:]}")
        mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return Ended(seconds, usage.ru_utime + usage.ru_stime, mib, said.read())


def xleval(*arguments: str) -> list[str]:
    """The command of this Python."""
    return [sys.executable, "-m", "xleval", *arguments]


def with_nothing_stored(folder: Path) -> dict[str, str]:
    """The environment, with store and cache in a folder, and without the hub."""
    return {
        **os.environ, "XLEVAL_STORE": str(folder / "store"), "XLEVAL_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
