"""A hub on loopback: what ``huggingface_hub`` asks of the real one, over files made by the test.

Repositories have commits and refs; answers can be scripted to fail; every request is written down. A test module has
the fixture by ``hub = hub_server.hub``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Kept in large-file storage, so answered with a redirect and a SHA-256.
LARGE = (".safetensors", ".parquet", ".bin")
#: No test needs as many; a client that never gives up is told to.
MOST_REQUESTS = 3000
#: Nothing waits longer for this server, nor it for a client.
LONGEST_WAIT = 20.0
PAGE = 3  # entries of a tree listing, so that small repositories have several pages

_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")
_RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass(frozen=True)
class Fault:
    """One answer out of turn: an error, the first ``cut`` bytes of the body, other bytes, or silence."""

    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    body: bytes | None = None
    silent: bool = False


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    range: str | None = None


@dataclass
class Repository:
    """Commits, newest last, and what the branches point to."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False


class Hub:
    """The server. ``url`` is its endpoint as long as it runs, ``log`` what it was asked, ``waits`` the client's pauses.

    ``repositories`` may be changed between requests. With ``xet``, large files are said to lie in that storage too,
    where they are not.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.log: list[Request] = []
        self.waits: list[float] = []
        self.xet = False
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._faults: list[tuple[str, str, deque[Fault]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens at ``url`` afterwards; silent answers end."""
        if not self.stopped.is_set():
            self.stopped.set()
            self._server.shutdown()
            self._server.server_close()

    def commit(self, name: str, files: Mapping[str, bytes], *, kind: str = "dataset", ref: str = "main") -> str:
        """A commit of exactly these files, to which the ref moves; returns its hash, which the content determines."""
        repository = self.repositories.setdefault((f"{kind}s", name), Repository())
        content = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
        sha = hashlib.sha1(json.dumps([kind, name, list(repository.commits), content]).encode()).hexdigest()
        repository.commits[sha] = dict(files)
        repository.refs[ref] = sha
        return sha

    def commit_folder(self, name: str, folder: Path, *, kind: str = "model") -> str:
        """A commit of what lies in a folder."""
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        return self.commit(name, files, kind=kind)

    def script(self, part: str, *faults: Fault, method: str = "") -> None:
        """The next requests whose path contains ``part`` get these answers, one each."""
        self._faults.append((part, method, deque(faults)))

    def asked(self, part: str = "", method: str = "") -> list[Request]:
        """Requests whose path contains ``part``."""
        with self._lock:
            return [r for r in self.log if part in r.path and method in ("", r.method)]

    def note(self, request: Request) -> Fault | None:
        """Writes a request down; the fault that is due for it."""
        with self._lock:
            self.log.append(request)
            if len(self.log) > MOST_REQUESTS:
                return Fault(410)
            for part, method, faults in self._faults:
                if faults and part in request.path and method in ("", request.method):
                    return faults.popleft()
        return None


class _RefusedError(Exception):
    """An answer that the real hub gives with a code of its own in ``X-Error-Code``."""

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_WAIT

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(self.path)
        fault = self.hub.note(Request(self.command, path, self.headers.get("Range")))
        if fault is not None and fault.silent:
            self.hub.stopped.wait(LONGEST_WAIT)
            self.close_connection = True
        elif fault is not None and fault.code != 200:
            self._send(fault.code, b"", fault.headers)
        else:
            try:
                self._route(urlsplit(self.path), sent, fault)
            except _RefusedError as refused:
                self._send(refused.status, b"", {"X-Error-Code": refused.code} if refused.code else {})

    def _route(self, url: Any, sent: bytes, fault: Fault | None) -> None:
        # Split before unquoting: a slash within a revision is written %2F.
        if found := _API.match(url.path):
            kind, name, what, revision, folder = found.groups()
            sha, files = self._files(kind, name, unquote(revision or "main"))
            if what in (None, "revision"):
                self._json(_information(name, sha, files))
            elif what == "tree":
                self._tree(url, files, unquote(folder or ""))
            else:
                form = parse_qs(sent.decode())
                self._json([_entry(path, files[path]) for path in form.get("paths", []) if path in files])
        elif found := _RESOLVE.match(url.path):
            prefix, name, revision, path = found.groups()
            sha, files = self._files("datasets" if prefix else "models", name, unquote(revision))
            if (path := unquote(path)) not in files:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            elif path.endswith(LARGE):
                entry = _entry(path, files[path])["lfs"]
                linked = {"X-Linked-Etag": f'"{entry["oid"]}"', "X-Linked-Size": str(entry["size"])}
                storage = f"{self.hub.url}/storage/{quote(url.path[1:], safe='')}"
                if self.hub.xet:
                    linked |= {"X-Xet-Hash": entry["oid"], "X-Xet-Refresh-Route": f"{self.hub.url}/xet"}
                self._send(302, b"", {"Location": storage, "X-Repo-Commit": sha, **linked})
            else:
                etag = f'"{_entry(path, files[path])["oid"]}"'
                self._body(files[path], {"ETag": etag, "X-Repo-Commit": sha}, fault)
        elif url.path.startswith("/storage/") and (found := _RESOLVE.match("/" + unquote(url.path[9:]))):
            prefix, name, revision, path = found.groups()
            _, files = self._files("datasets" if prefix else "models", name, unquote(revision))
            self._body(files[unquote(path)], {}, fault)
        elif url.path == "/xet":
            about = {"Cas-Url": f"{self.hub.url}/nothing", "Access-Token": "x", "Token-Expiration": str(2**33)}
            self._send(200, b"", {f"X-Xet-{key}": value for key, value in about.items()})
        else:
            raise _RefusedError(404, "")

    def _files(self, kind: str, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            raise _RefusedError(401, "RepoNotFound")  # what the hub says of what is private, too
        if repository.gated:
            raise _RefusedError(403, "GatedRepo")
        sha = repository.refs.get(revision, revision)
        if sha not in repository.commits:
            raise _RefusedError(404, "RevisionNotFound")
        return sha, repository.commits[sha]

    def _tree(self, url: Any, files: Mapping[str, bytes], folder: str) -> None:
        query = parse_qs(url.query)
        recursive = query.get("recursive", ["false"])[0].lower() == "true"
        base = f"{folder}/" if folder else ""
        inside = [path for path in sorted(files) if path.startswith(base)]
        if folder and not inside:
            raise _RefusedError(404, "EntryNotFound")
        parents = {base + "/".join(rest[:n]) for p in inside for rest in [p[len(base) :].split("/")]
                   for n in range(1, len(rest))}  # fmt: skip
        entries = [{"type": "directory", "path": path, "size": 0, "oid": _git(path.encode())} for path in parents]
        entries += [_entry(path, files[path]) for path in inside]
        entries = sorted(
            (e for e in entries if recursive or "/" not in e["path"][len(base) :]), key=lambda e: e["path"]
        )
        start = int(query.get("cursor", ["0"])[0])
        more = f"{self.hub.url}{url.path}?recursive={recursive}&cursor={start + PAGE}"
        link = {"Link": f'<{more}>; rel="next"'} if start + PAGE < len(entries) else {}
        self._json(entries[start : start + PAGE], link)

    def _json(self, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _body(self, data: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        data = fault.body if fault is not None and fault.body is not None else data
        status, headers, size = 200, dict(headers), len(data)
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            first, last = int(asked[1]), min(int(asked[2] or size), size - 1)
            if first >= size:
                self._send(416, b"", {"Content-Range": f"bytes */{size}"})
                return
            status, data = 206, data[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._send(status, data, headers, cut=fault.cut if fault is not None else None)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):  # the client may have left
                self.wfile.write(body[:cut])
        # The rest of what was announced never comes.
        self.close_connection = self.close_connection or cut is not None


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": _git(data)}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return entry


def _information(name: str, sha: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "_id": "0", "id": name, "author": name.partition("/")[0], "sha": sha, "private": False, "gated": False,
        "disabled": False, "tags": [], "downloads": 0, "likes": 0, "lastModified": "2024-01-01T00:00:00.000Z",
        "createdAt": "2024-01-01T00:00:00.000Z", "siblings": [{"rfilename": path} for path in sorted(files)],
    }  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub for one test. This process's client is pointed at it, with caches of its own and no real waiting."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import reset_sessions

    server = Hub()
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    cache = {"HF_HUB_CACHE": str(tmp_path / "hub" / "hub"), "HF_HUB_OFFLINE": False}
    for key, value in {"ENDPOINT": server.url, **cache}.items():
        monkeypatch.setattr(constants, key, value)
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path / "xleval-cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("time.sleep", server.waits.append)
    reset_sessions()
    yield server
    server.stop()
    reset_sessions()
