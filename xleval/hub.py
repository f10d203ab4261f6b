"""Repositories of the Hugging Face hub: what its client leaves to those who call it.

Downloads are by commit, tried again while that may help, checked byte for byte, and whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from xleval.fingerprint import file_digest

if TYPE_CHECKING:
    from email.message import Message

#: Answers worth another try: too many requests, and servers that are busy or restarting.
PASSING = (429, 500, 502, 503, 504)
TRIES = 4
_TIMEOUT = 20.0
#: From here on the hub's short list of a repository's files may leave some out.
_LISTED = 50_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_Result = TypeVar("_Result")


class HubError(Exception):
    """Why files of the hub are not to be had. Whoever asked for them says which they are and what to do."""


@dataclass(frozen=True)
class HubRepository:
    """A repository at a commit, of which one gets all that is asked for, or nothing.

    The client takes whatever part of a snapshot its cache has for the whole, offline and when the hub is busy.
    So the names of a commit's files, which never change, are kept under ``XLEVAL_CACHE``.
    """

    name: str
    commit: str
    kind: Literal["model", "dataset"] = "model"

    def file(self, path: str, *, offline: bool) -> Path:
        """Local path of a file, downloaded when it is not in the cache.

        Raises:
            HubError: not cached while offline, refused by the hub, or damaged on its way every time.
        """
        cached = self.cached(path)
        if cached is not None:
            return cached
        closed = _closed(offline)
        if closed is not None:
            raise HubError(f"no such file in the cache{closed}")
        with suppress(HubError):  # a mirror may have files only
            self._names(tries=1)
        return self._download(path)

    def snapshot(self, patterns: Sequence[str], *, offline: bool) -> Path:
        """A folder with every file whose name matches a pattern, its ``*`` crossing slashes; raises as ``file``."""
        from huggingface_hub import snapshot_download

        closed = _closed(offline)
        names = self._names() if closed is None else _kept(self._notes / self.commit)
        wanted = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
        missing = [name for name in wanted if self.cached(name) is None]
        if not wanted and (names or closed is None):
            raise HubError("no file of the repository matches")
        if missing and closed is not None:
            there = f"{len(wanted) - len(missing)} of {len(wanted)} files"
            raise HubError(f"not in the local cache, or not all of it ({there}){closed}")
        for name in missing:
            self._download(name)
        try:
            found = snapshot_download(self.name, repo_type=self.kind, revision=self.commit, local_files_only=True)
        except (OSError, ValueError):
            raise HubError(f"not in the local cache{closed or ''}") from None
        return Path(found)

    def cached(self, path: str) -> Path | None:
        """Local path of a file that is in the cache."""
        from huggingface_hub import try_to_load_from_cache

        with suppress(ValueError):  # no id that a hub could have
            found = try_to_load_from_cache(self.name, path, revision=self.commit, repo_type=self.kind)
            return Path(found) if isinstance(found, str) else None
        return None

    def _download(self, path: str) -> Path:
        from huggingface_hub import hf_hub_download

        about: dict[str, Any] = {"repo_type": self.kind, "revision": self.commit}

        def once() -> Path:
            try:
                found = Path(hf_hub_download(self.name, path, **about))
                _check_bytes(found)
            except OSError as error:
                about["force_download"] = _is_damaged(error)  # else it would go on from the wrong bytes
                raise
            return found

        return _patiently(once)

    def _names(self, tries: int = TRIES) -> list[str]:
        from huggingface_hub import HfApi

        def ask() -> list[str]:
            about: dict[str, Any] = {"repo_type": self.kind, "revision": self.commit}
            names = [f.rfilename for f in HfApi().repo_info(self.name, timeout=_TIMEOUT, **about).siblings or ()]
            return names if len(names) < _LISTED else HfApi().list_repo_files(self.name, **about)

        names = _kept(self._notes / self.commit)
        if not names:
            names = sorted(_patiently(ask, tries))
            _keep(self._notes / self.commit, names)
        return names

    @property
    def _notes(self) -> Path:
        return cache_folder() / "hub" / f"{self.kind}s--{self.name.replace('/', '--')}"


def hub_commit(name: str, revision: str, *, offline: bool) -> str:
    """The commit that a branch or tag of a model stands for; the last one that is cached when the hub cannot say.

    Raises:
        HubError: no such repository or revision, or no answer and nothing cached.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    # Downloads are by commit, so the client's own notes of branches do not know of them.
    notes = HubRepository(name, revision)._notes / f"refs-{quote(revision, safe='')}"
    closed = _closed(offline)
    reason = f"not in the local cache{closed}"
    if closed is None:
        try:
            commit = _patiently(lambda: str(HfApi().model_info(name, revision=revision, timeout=_TIMEOUT).sha))
            _keep(notes, [*(seen for seen in _kept(notes) if seen != commit), commit])
            return commit
        except HubError as fault:
            reason = str(fault)
    for seen in (*reversed(_kept(notes)), revision):
        cached = HubRepository(name, seen).cached("config.json")
        if cached is not None:
            if closed is None:
                warnings.warn(f"{name}@{revision}: {reason}; the cached {cached.parent.name} is used", stacklevel=2)
            return cached.parent.name
    raise HubError(reason)


def cache_folder() -> Path:
    """Where xleval keeps what it fetched itself."""
    import platformdirs

    return Path(os.environ.get("XLEVAL_CACHE") or platformdirs.user_cache_path("xleval"))


def pause(headers: Mapping[str, str] | Message, attempt: int) -> float:
    """Seconds before the next try: what the server asks for, within a minute."""
    # The hub says it as `RateLimit: "api";r=0;t=55`.
    asked = re.search(r"\bt=(\d+)|^(\d+)$", headers.get("Retry-After") or headers.get("RateLimit") or "")
    return min(float(asked[1] or asked[2]) if asked else 2.0**attempt, 60.0)


def short(error: BaseException) -> str:
    """What an exception says, on one line."""
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__


def _patiently(call: Callable[[], _Result], tries: int = TRIES) -> _Result:
    """The result of a call of the client, made again while that may help."""
    for attempt in range(1, tries + 1):
        try:
            return call()
        except (OSError, ValueError, RuntimeError) as error:
            # The client wraps what happened when it cannot use its cache; RuntimeError is the Xet storage's.
            cause = error.__cause__ if isinstance(error, ValueError) and error.__cause__ else error
            wait = _wait(cause, attempt)
            if wait is None or attempt == tries:
                raise HubError(_reason(cause)) from error
        time.sleep(wait)
    raise AssertionError("unreachable")


def _wait(error: BaseException, attempt: int) -> float | None:
    from huggingface_hub.errors import HfHubHTTPError
    from requests.exceptions import ChunkedEncodingError

    response = getattr(error, "response", None)
    # Of files, the client has tried 5xx several times itself, and then says HTTPError.
    if response is not None and isinstance(error, HfHubHTTPError) and response.status_code in PASSING:
        return pause(response.headers, attempt)
    return 2.0**attempt if isinstance(error, ChunkedEncodingError) or _is_damaged(error) else None


def _reason(error: BaseException) -> str:
    from huggingface_hub import errors
    from requests import RequestException

    known = {
        errors.GatedRepoError: "the repository is gated: accept its terms on the hub, then `hf auth login`",
        errors.RepositoryNotFoundError: "the hub has no such repository, or it is private",
        errors.RevisionNotFoundError: "the repository has no such revision",
        errors.EntryNotFoundError: "the repository has no such file at this revision",
    }
    for kind, text in known.items():
        if isinstance(error, kind):
            return text
    response = getattr(error, "response", None)
    if response is not None:
        again = " every time" if response.status_code in PASSING else ""
        return f"the hub answers HTTP {response.status_code} {response.reason}{again}"
    if isinstance(error, RequestException):
        return f"the hub is not reached or breaks off: {short(error)}"
    if isinstance(error, (ConnectionError, TimeoutError, RuntimeError)):  # what the client of that storage raises
        return f"{short(error)} (HF_HUB_DISABLE_XET=1 does without the hub's Xet storage)"
    return short(error)


class _DamagedError(OSError):
    """A download that has other bytes than the hub announced."""


def _is_damaged(error: BaseException) -> bool:
    # Another size than announced, or a remnant that is longer than the whole (416).
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, _DamagedError) or status == 416 or "Consistency check failed" in str(error)


def _check_bytes(path: Path) -> None:
    """The client checks sizes only. What it keeps is named after the digest that the hub announced."""
    kept = path.resolve()
    digests = {kept.name}
    if re.fullmatch(r"[0-9a-f]{64}", kept.name):
        digests = {file_digest(kept)}
    elif _COMMIT.fullmatch(kept.name):
        # Git's digest of a file, or that of a mirror of another make.
        data = kept.read_bytes()
        digests = {hashlib.sha1(start + data).hexdigest() for start in (b"blob %d\0" % len(data), b"")}
    if kept.name not in digests:
        for file in (path, kept):
            file.unlink(missing_ok=True)
        raise _DamagedError(f"{path.name} has other bytes than announced ({min(digests)[:16]}…, not {kept.name[:16]}…)")


def _closed(offline: bool) -> str | None:
    """None where the hub may be asked, else what to add to a message."""
    from huggingface_hub import constants

    return "" if offline else ", and HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else None


def _kept(path: Path) -> list[str]:
    with suppress(OSError, ValueError):
        lines: list[str] = json.loads(path.read_text(encoding="utf-8"))
        return lines
    return []


def _keep(path: Path, lines: list[str]) -> None:
    with suppress(OSError):  # a cache that only others write is used all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(lines), encoding="utf-8")  # cut short, it is no JSON and not believed
