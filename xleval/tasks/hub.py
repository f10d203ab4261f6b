"""Files of data sets from the Hugging Face hub and from GitHub, always at a pinned commit.

Both keep what they fetched: the hub's client in its own cache, raw files under xleval's. ``HF_ENDPOINT`` and
``XLEVAL_RAW_ENDPOINT`` name mirrors.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.errors import UserError

if TYPE_CHECKING:
    from xleval.tasks.layout import HubFiles, RawFiles

RAW_ENDPOINT = "https://raw.githubusercontent.com"
_TRIES = 4
#: Worth another try: too many requests, and servers that are busy or restarting.
_PASSING = (429, 500, 502, 503, 504)


def hub_files(hub: HubFiles, name: str, *, offline: bool, remedy: str) -> list[Path]:
    """Local paths of a hub file, or of all that match a glob, in order of name; downloaded when not cached.

    Raises:
        UserError: not in the cache while offline (with ``remedy``), or refused by the hub.
    """
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        if not any(sign in name for sign in "*?["):
            found = hf_hub_download(
                hub.repo, name, repo_type="dataset", revision=hub.revision, local_files_only=offline
            )
            return [Path(found)]
        folder = Path(
            snapshot_download(
                hub.repo,
                repo_type="dataset",
                revision=hub.revision,
                allow_patterns=[name],
                local_files_only=offline,
            )
        )
        files = sorted(folder.glob(name))
        if files:
            return files
        reason = "no such file in the cache" if offline else "no file of the repository matches"
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        reason = "not in the cache" if offline else f"not in the cache, and {_short(error)}"
    except (OSError, ValueError) as error:
        reason = _short(error)
    raise UserError(f"hub {hub.repo}@{hub.revision}: {name}: {reason}; {remedy}")


def raw_file(raw: RawFiles, name: str, *, offline: bool, remedy: str) -> Path:
    """Local path of a file of a GitHub repository; downloaded when not cached.

    Raises:
        UserError: not in the cache while offline (with ``remedy``), no download, or other bytes than pinned.
    """
    path = _cache() / raw.repo / raw.revision / name
    if not path.is_file():
        if offline:
            raise UserError(f"github {raw.repo}@{raw.revision}: {name}: not in the cache ({path}); {remedy}")
        data = _download(raw, name, remedy)
        found = hashlib.sha256(data).hexdigest()
        if found != raw.sha256.get(name, found):
            raise UserError(
                f"github {raw.repo}@{raw.revision}: {name}: SHA-256 {found[:16]}…, expected "
                f"{raw.sha256[name][:16]}…; the download was cut short or changed on its way, try again"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Beside it, then renamed: another process sees all of it or nothing.
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
                stream.write(data)
            Path(stream.name).replace(path)
        except OSError as error:
            said = f"cannot be written ({error.strerror}); set XLEVAL_CACHE to another folder"
            raise UserError(f"{path}: {said}") from None
    return path


def _cache() -> Path:
    import platformdirs

    return Path(os.environ.get("XLEVAL_CACHE") or platformdirs.user_cache_path("xleval")) / "raw"


def _download(raw: RawFiles, name: str, remedy: str) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import quote
    from urllib.request import urlopen

    endpoint = os.environ.get("XLEVAL_RAW_ENDPOINT", RAW_ENDPOINT).rstrip("/")
    url = f"{endpoint}/{raw.repo}/{raw.revision}/{quote(name)}"
    for left in reversed(range(_TRIES)):
        try:
            with urlopen(url, timeout=60) as response:
                data: bytes = response.read()
            return data
        except HTTPError as error:
            if error.code not in _PASSING or not left:
                raise UserError(f"{url}: HTTP {error.code} {error.reason}; {remedy}") from None
            wait = error.headers.get("Retry-After", "")
            time.sleep(min(float(wait) if wait.isdigit() else 2.0 ** (_TRIES - left), 60))
        except (OSError, ValueError, HTTPException) as error:
            # A body cut short is worth another try, a missing network is not.
            if not left or not isinstance(error, HTTPException):
                raise UserError(f"{url}: {_short(error)}; {remedy}") from None
    raise AssertionError("unreachable")


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
