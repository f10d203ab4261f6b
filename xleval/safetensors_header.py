"""What a safetensors file holds, without loading it: its header is JSON behind its length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xleval.errors import UserError

_LONGEST = 100_000_000


def read_header(file: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Tensors by name, each with ``dtype``, ``shape`` and ``data_offsets``, and where in the file offset 0 lies.

    Raises:
        UserError: no safetensors file, or one cut short.
        OSError: the file cannot be read.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(_LONGEST, size - 8):
            raise UserError(f"{file}: not a safetensors file, or cut short")
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            header.pop("__metadata__", None)
            ends = [int(tensor["data_offsets"][1]) for tensor in header.values()]
        except (ValueError, TypeError, LookupError, AttributeError):
            raise UserError(f"{file}: not a safetensors file, or cut short") from None
    if 8 + length + max(ends, default=0) != size:
        raise UserError(f"{file}: cut short ({size} bytes of {8 + length + max(ends, default=0)})")
    return header, 8 + length
