"""Where entries lie: ``leaderboard/results/<name>/`` in a checkout, each ``records.jsonl`` beside ``items.zip``."""

from __future__ import annotations

import re
from pathlib import Path

from xleval.errors import UserError
from xleval.records import RECORDS

#: Below the folder that commands run in, by default.
RESULTS = Path("leaderboard", "results")

_PART = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"

#: Of an entry; it is a folder's name, and part of addresses.
NAME = re.compile(rf"(?=.{{1,64}}\Z){_PART}")


def entry_folders(path: Path) -> list[Path]:
    """The entry that ``path`` is, or the entries that it has, by name. What begins with a dot is none.

    Raises:
        UserError: there is no such folder, or it cannot be read.
    """
    if not path.is_dir():
        raise UserError(f"no folder {path}; name an entry, or a folder of entries such as {RESULTS}")
    if (path / RECORDS).is_file():
        return [path]
    try:
        inside = sorted(path.iterdir())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return [folder for folder in inside if (folder.is_dir() or folder.is_symlink()) and folder.name[0] != "."]
