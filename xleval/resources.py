"""Where the files beside the code are: in a checkout at its top, in a wheel under ``xleval/_data``."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Folder ``task_specs`` or ``leaderboard``.

    Raises:
        FileNotFoundError: when the installation is damaged.
    """
    for home in (_PACKAGE / "_data", _PACKAGE.parent):
        if (home / name).is_dir():
            return home / name
    raise FileNotFoundError(f"xleval's folder {name!r} is missing: reinstall xleval")
