"""SHA-256 over canonical JSON and over files: what makes an artifact the same artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces, no NaN: equal data give equal text.

    Raises:
        ValueError: for NaN or infinity, which JSON does not have.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """64 hex digits of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """64 hex digits of a file's bytes; read once a process while its size and time stay the same."""
    stat = path.stat()
    return _file_digest(str(path), stat.st_size, stat.st_mtime_ns)


def files_digest(root: Path, names: Iterable[str]) -> str:
    """One digest over named files of a folder: names and bytes."""
    return digest({name: file_digest(root / name) for name in sorted(names)})


@lru_cache(maxsize=4096)
def _file_digest(path: str, size: int, time_ns: int) -> str:
    sha = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
