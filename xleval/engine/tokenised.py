"""Tokenised data kept on the disk and mapped into memory: a process that needs them again need not make or hold them.

They lie in the cache, named by a digest of all that they depend on, as one ``.npy`` file an array. The folder may be
removed at any time.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xleval.fingerprint import digest
from xleval.hub import cache_folder
from xleval.tasks.features import Features

F = TypeVar("F", bound=Features)
Named = Mapping[str, npt.NDArray[Any]]

#: Raised when the same text is tokenised to something else.
_VERSION = 1

#: Bytes from which on keeping is worth while.
_LEAST = 2**20


def kept_features(inputs: Mapping[str, Any], kind: type[F], make: Callable[[], F]) -> F:
    """Features of a split: mapped if they are kept, else made, and kept if they are large.

    ``inputs`` determine them; ``kind`` is the class, all of whose fields are arrays or None.
    """

    def arrays() -> Named:
        made = make()
        found = {field.name: getattr(made, field.name) for field in fields(made)}
        return {name: value for name, value in found.items() if value is not None}

    found = kept_arrays(inputs, arrays)
    values: dict[str, Any] = {field.name: found.get(field.name) for field in fields(kind)}
    return kind(**values)


def kept_arrays(inputs: Mapping[str, Any], make: Callable[[], Named]) -> Named:
    """Arrays by name, mapped read-only if they are kept, else made, and kept if they are large."""
    place = cache_folder() / "tokenised" / digest({**inputs, "by": version("tokenizers"), "version": _VERSION})
    if found := _mapped(place):
        return found
    made = make()
    if sum(array.nbytes for array in made.values()) < _LEAST:
        return made
    with suppress(OSError):  # a full or read-only disk: then they are held in memory
        _write(place, made)
        return _mapped(place) or made
    return made


def _mapped(place: Path) -> Named:
    try:
        return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in place.glob("*.npy")}
    except (OSError, ValueError, EOFError):  # damaged: made again
        shutil.rmtree(place, ignore_errors=True)
        return {}


def _write(place: Path, arrays: Named) -> None:
    aside = place.with_name(f".{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(aside / name, array, allow_pickle=False)
        with suppress(OSError):  # another process was faster
            aside.replace(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
