"""What a result was made with: versions, device, commit. Reads metadata; imports nothing heavy."""

from __future__ import annotations

import platform
import subprocess
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from xleval import __version__
from xleval.device import resolve_device

_PACKAGES = ("torch", "transformers", "adapters", "datasets", "tokenizers", "numpy", "seqeval", "icu4py")


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def environment(device: str, precision: str) -> dict[str, str | None]:
    """Versions of xleval, Python and what computes, with device and precision as resolved."""
    return {
        "xleval": __version__,
        "python": platform.python_version(),
        **{package: installed(package) for package in _PACKAGES},
        "device": device_name(resolve_device(device)),
        "precision": precision,
    }


def timestamp() -> str:
    """The present moment in UTC, as records and manifests write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def device_name(device: str) -> str:
    """``cpu`` with its architecture, or the name of the GPU."""
    if device == "cpu":
        return f"cpu ({platform.machine()})"
    import torch

    return str(torch.cuda.get_device_name(device))


@lru_cache(maxsize=1)
def git_state() -> dict[str, str | bool | None]:
    """Commit of the checkout that xleval runs from, and whether it has changes; None for an installed wheel."""
    top = Path(__file__).resolve().parent.parent
    if not (top / ".git").exists():
        return {"git_commit": None, "git_dirty": None}
    try:
        commit = _git(top, "rev-parse", "HEAD").strip()
        return {"git_commit": commit, "git_dirty": bool(_git(top, "status", "--porcelain", "-uno").strip())}
    except (OSError, subprocess.SubprocessError):
        return {"git_commit": None, "git_dirty": None}


def _git(top: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(top), *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout
