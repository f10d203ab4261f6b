"""A preview of the built site in a browser, built again when what it is made of changes.

Meant for its author's own machine: files of one folder, read only, no listing, nothing cached.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from xleval.errors import UserError

Tell = Callable[[str], None]

#: Own, not the system's table: on some machines that gives scripts as plain text, which browsers then refuse.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".jsonl": "application/jsonl; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".png": "image/png",
    ".zip": "application/zip",
}

_INDEX = "index.html"

#: Seconds between two looks at the watched files.
_EVERY = 1.0


def serve(
    build: Callable[[], None],
    folder: Path,
    watched: Sequence[Path],
    host: str = "127.0.0.1",
    port: int = 8000,
    tell: Tell = print,
) -> None:
    """Builds, then serves ``folder`` until Ctrl-C, and builds again when a file in ``watched`` changes.

    ``watched`` are files and folders. A rebuild that fails is told, and what was built before stays. Port 0 takes any
    that is free; ``tell`` hears the address.

    Raises:
        UserError: the address cannot be listened on.
        Exception: what the first build raises.
    """
    server = site_server(folder, host, port, tell)
    with server:
        built = _stamps(watched)
        build()
        stop = threading.Event()
        watcher = threading.Thread(target=_rebuild, args=(build, watched, built, stop, tell), daemon=True)
        watcher.start()
        shown = f"[{host}]" if ":" in host else host
        tell(f"http://{shown}:{server.server_port}/ shows {folder}; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            stop.set()
            watcher.join()  # a build that is under way is finished


def site_server(folder: Path, host: str, port: int, tell: Tell) -> ThreadingHTTPServer:
    """A server of the files in ``folder``, bound and not yet running; ``tell`` hears what was not found.

    Raises:
        UserError: the address cannot be listened on.
    """

    class Handler(_Handler):
        root = folder

        def missed(self, path: str) -> None:
            tell(f"not found: {_printable(path)}")

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a browser may go away in the middle of an answer
                super().handle_error(request, client_address)

    try:
        return Server((host, port), Handler)
    except OverflowError:
        raise UserError(f"--port {port}: ports go from 0 to 65535") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use; choose another with --port (0 takes any that is free)") from None
        raise UserError(f"{host}:{port} cannot be listened on: {error.strerror}; see --host and --port") from None


def file_at(folder: Path, address: str) -> Path | None:
    """The file in ``folder`` that the path of a request names, a folder's ``index.html``; None if there is none.

    Links are followed as long as they end in ``folder``.
    """
    try:
        root = folder.resolve()
        found = root.joinpath(*filter(None, _path(address).split("/"))).resolve(strict=True)
        if found.is_relative_to(root) and found.is_dir():
            found = (found / _INDEX).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # nothing there; no name of a file; links in a circle
        return None
    return found if found.is_relative_to(root) and found.is_file() else None


class _Handler(BaseHTTPRequestHandler):
    root: Path
    server_version = "xleval"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def missed(self, path: str) -> None:
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:
        """What was found is not told."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def _answer(self, body: bool) -> None:
        path, file = _path(self.path), file_at(self.root, self.path)
        if file is None:
            self.missed(path)
            self.send_error(HTTPStatus.NOT_FOUND)
        elif not path.endswith("/") and (self.root / path.strip("/")).is_dir():
            # Links on the page are relative to its folder. One slash in front: two would be another host.
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", "/" + quote(path.strip("/")) + "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            with file.open("rb") as stream:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", _TYPES.get(file.suffix.lower(), "application/octet-stream"))
                self.send_header("Content-Length", str(os.fstat(stream.fileno()).st_size))
                self.end_headers()
                if body:
                    shutil.copyfileobj(stream, self.wfile)


def _path(address: str) -> str:
    return unquote(address.partition("#")[0].partition("?")[0])


def _rebuild(
    build: Callable[[], None],
    watched: Sequence[Path],
    built: Mapping[Path, tuple[int, int]],
    stop: threading.Event,
    tell: Tell,
) -> None:
    last = built
    while not stop.wait(_EVERY):
        now = _stamps(watched)
        if now != built and now == last:  # nothing changed since the last look: nobody is in the middle of writing
            changed = sorted(path for path in {*built, *now} if built.get(path) != now.get(path))
            built = now
            try:
                build()
                tell(f"built again: {_printable(_names(changed))}")
            except Exception as error:  # any is possible while templates are edited; the next change may mend it
                fault = f"{error}" if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
                tell(f"not built again, the site stays as it was: {fault}")
        last = now


def _names(changed: Sequence[Path]) -> str:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{changed[0]} changed{more}"


def _stamps(watched: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Time of change and size of every file; what vanishes while it is looked at is not there."""
    found = {}
    for path in watched:
        files = (Path(place, name) for place, _, names in os.walk(path) for name in names) if path.is_dir() else [path]
        for file in files:
            try:
                status = file.stat()
            except OSError:
                continue
            found[file] = status.st_mtime_ns, status.st_size
    return found


def _printable(text: str) -> str:
    """On one line, and nothing in it that a terminal obeys: an address may be from anybody."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
