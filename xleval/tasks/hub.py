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
from xleval.hub import PASSING, TRIES, HubError, HubRepository, cache_folder, pause, short

if TYPE_CHECKING:
    from xleval.tasks.layout import HubFiles, RawFiles

RAW_ENDPOINT = "https://raw.githubusercontent.com"


def hub_files(hub: HubFiles, name: str, *, offline: bool, remedy: str) -> list[Path]:
    """Local paths of a hub file, or of all that match a glob, in order of name; downloaded when not cached.

    Raises:
        UserError: not in the cache while offline (with ``remedy``), or refused by the hub.
    """
    repository = HubRepository(hub.repo, hub.commit, "dataset")
    try:
        if not any(sign in name for sign in "*?["):
            return [repository.file(name, offline=offline)]
        files = sorted(repository.snapshot([name], offline=offline).glob(name))
        if files:
            return files
        reason = "no such file in the cache" if offline else "no file of the repository matches"
    except HubError as fault:
        reason = str(fault)
    raise UserError(f"hub {hub.repo}@{hub.commit}: {name}: {reason}; {remedy}")


def raw_file(raw: RawFiles, name: str, *, offline: bool, remedy: str) -> Path:
    """Local path of a file of a GitHub repository; downloaded when not cached.

    Raises:
        UserError: not in the cache while offline (with ``remedy``), no download, or other bytes than pinned.
    """
    path = cache_folder() / "raw" / raw.repo / raw.commit / name
    if not path.is_file():
        if offline:
            raise UserError(f"github {raw.repo}@{raw.commit}: {name}: not in the cache ({path}); {remedy}")
        data = _download(raw, name, remedy)
        found = hashlib.sha256(data).hexdigest()
        if found != raw.sha256.get(name, found):
            raise UserError(
                f"github {raw.repo}@{raw.commit}: {name}: SHA-256 {found[:16]}…, expected "
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


def _download(raw: RawFiles, name: str, remedy: str) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import quote
    from urllib.request import urlopen

    endpoint = os.environ.get("XLEVAL_RAW_ENDPOINT", RAW_ENDPOINT).rstrip("/")
    url = f"{endpoint}/{raw.repo}/{raw.commit}/{quote(name)}"
    for left in reversed(range(TRIES)):
        try:
            with urlopen(url, timeout=60) as response:
                data: bytes = response.read()
            return data
        except HTTPError as error:
            if error.code not in PASSING or not left:
                raise UserError(f"{url}: HTTP {error.code} {error.reason}; {remedy}") from None
            time.sleep(pause(error.headers, TRIES - left))
        except (OSError, ValueError, HTTPException) as error:
            # A body cut short is worth another try, a missing network is not.
            if not left or not isinstance(error, HTTPException):
                raise UserError(f"{url}: {short(error)}; {remedy}") from None
    raise AssertionError("unreachable")
