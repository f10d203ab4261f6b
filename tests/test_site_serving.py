"""The preview: what of a folder it gives, what it does not, and that it builds again and ends as it should."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xleval.errors import UserError
from xleval.site import serving
from xleval.site.serving import file_at, site_server

SECRET = "outside of the site"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "entry" / "mine").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "index.html").write_text("<title>Qhichwa ñ</title>", encoding="utf-8")
    (folder / "entry" / "mine" / "index.html").write_text("mine")
    (folder / "entry" / "mine" / "qué ñ.html").write_text("odd name")
    for name in (
        "site.js",
        "site.css",
        "icon.svg",
        "feed.xml",
        "manifest.json",
        "records.jsonl",
        "items.zip",
        "x.weird",
    ):
        (folder / name).write_text(name)
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "site-beside").mkdir()
    (tmp_path / "site-beside" / "index.html").write_text(SECRET)
    (folder / "out").symlink_to(tmp_path / "site-beside")
    (folder / "secret.html").symlink_to(tmp_path / "secret.txt")
    (folder / "empty" / "index.html").symlink_to(tmp_path / "secret.txt")
    (folder / "home.html").symlink_to(folder / "entry" / "mine" / "index.html")
    (folder / "circle").symlink_to(folder / "circle")
    return folder


class Client:
    def __init__(self, port: int, told: list[str]) -> None:
        self.port, self.told = port, told

    def __call__(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """The path goes out as it is written, nothing resolved."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, body


@pytest.fixture
def get(site: Path) -> Iterator[Client]:
    told: list[str] = []
    server = site_server(site, "127.0.0.1", 0, told.append)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Client(server.server_port, told)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/site.js", "text/javascript; charset=utf-8"),
        ("/site.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml; charset=utf-8"),
        ("/feed.xml", "application/xml; charset=utf-8"),
        ("/manifest.json", "application/json; charset=utf-8"),
        ("/records.jsonl", "application/jsonl; charset=utf-8"),
        ("/items.zip", "application/zip"),
        ("/x.weird", "application/octet-stream"),
        ("/entry/mine/qu%C3%A9%20%C3%B1.html?q=1#row", "text/html; charset=utf-8"),
        ("/home.html", "text/html; charset=utf-8"),
    ],
)
def test_files_of_the_site(path: str, kind: str, get: Client, site: Path) -> None:
    status, headers, body = get(path)
    assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, "no-store")
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body) > 0
    if path == "/":
        assert body.decode() == (site / "index.html").read_text(encoding="utf-8")
    assert get(path, "HEAD")[1:] == (headers | {"date": get(path, "HEAD")[1]["date"]}, b"")
    assert get.told == []


def test_a_folder_is_its_index_and_is_never_listed(get: Client) -> None:
    assert get("/entry/mine/")[2] == b"mine"
    status, headers, _ = get("/entry/mine")
    assert (status, headers["location"]) == (302, "/entry/mine/")
    assert get("/entry/")[0] == get("/entry")[0] == 404


@pytest.mark.parametrize("path", ["//entry/mine", "///entry/mine", "/%2Fentry/mine", "//evil.example/../entry/mine"])
def test_it_sends_nobody_to_another_host(path: str, get: Client) -> None:
    status, headers, _ = get(path)
    assert status == 404 or not headers["location"].startswith("//")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/entry/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/entry/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/../site-beside/index.html",
        "/../site-beside/",
        "//etc/passwd",
        "/%2Fetc%2Fpasswd",
        "/out/index.html",
        "/out/",
        "/secret.html",
        "/empty/",
        "/circle",
        "/nul%00.html",
        "/" + "a" * 5000,
        "/none.html",
        "/index.html/none",
    ],
)
def test_nothing_outside_of_the_folder(path: str, get: Client) -> None:
    status, headers, body = get(path)
    assert status == 404
    assert SECRET.encode() not in body and b"root:" not in body
    assert headers["cache-control"] == "no-store"
    assert len(get.told) == 1 and get.told[0].startswith("not found: /")


def test_it_only_reads(get: Client, site: Path) -> None:
    before = sorted(site.rglob("*"))
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert get("/index.html", method)[0] == 501
    assert sorted(site.rglob("*")) == before


def test_what_is_told_of_an_address_is_harmless_in_a_terminal(get: Client) -> None:
    status, _, body = get("/%1b[2J%0a<script>alert(1)</script>%E2%80%AE")
    assert status == 404 and b"<script>" not in body
    assert get.told == [r"not found: /\x1b[2J\n<script>alert(1)</script>\u202e"]


def test_a_folder_that_is_gone_is_not_found(tmp_path: Path) -> None:
    assert file_at(tmp_path / "gone", "/") is None


def test_an_address_that_cannot_be_listened_on_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^port {port} is in use; choose another with --port"):
            serving.serve(lambda: pytest.fail("built before the port was there"), tmp_path, [], port=port)
    with pytest.raises(UserError, match="--port 70000: ports go from 0 to 65535"):
        site_server(tmp_path, "127.0.0.1", 70000, print)
    with pytest.raises(UserError, match=r"192\.0\.2\.1:0 cannot be listened on: .*--host"):
        site_server(tmp_path, "192.0.2.1", 0, print)


def test_a_first_build_that_fails_frees_the_port(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def build() -> None:
        raise UserError("no entries")

    for _ in range(2):
        with pytest.raises(UserError, match="no entries"):
            serving.serve(build, tmp_path, [], port=port)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_EVERY", 0.02)


class Watched:
    """A watching thread over a folder, and what it did."""

    def __init__(self, folder: Path) -> None:
        self.builds, self.fault = 0, None
        self.told: list[str] = []
        self.heard = threading.Condition()
        self.stop = threading.Event()
        stamps = serving._stamps([folder])
        arguments = (self.build, [folder], stamps, self.stop, self.tell)
        self.thread = threading.Thread(target=serving._rebuild, args=arguments)
        self.thread.start()

    def build(self) -> None:
        self.builds += 1
        if self.fault:
            raise self.fault

    def tell(self, text: str) -> None:
        with self.heard:
            self.told.append(text)
            self.heard.notify()

    def wait(self, number: int) -> str:
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.told) >= number, timeout=10)
        return self.told[number - 1]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def put(file: Path, text: str) -> None:
    """At once, so that no look finds it half written."""
    aside = file.parent.parent.parent / "aside"
    aside.write_text(text)
    aside.replace(file)


@pytest.mark.usefixtures("quick")
def test_it_builds_again_for_new_changed_and_removed_files_and_survives_faults(tmp_path: Path) -> None:
    source = tmp_path / "results"
    (source / "mine").mkdir(parents=True)
    file = source / "mine" / "records.jsonl"
    file.write_text("one\n")
    watched = Watched(source)
    try:
        put(file, "one\ntwo\n")
        assert watched.wait(1) == f"built again: {file} changed"
        (source / "theirs").mkdir()
        (source / "theirs" / "a").write_text("")
        assert watched.wait(2) == f"built again: {source / 'theirs' / 'a'} changed"
        watched.fault = UserError("records.jsonl:3: no JSON")
        put(file, "broken")
        assert watched.wait(3) == "not built again, the site stays as it was: records.jsonl:3: no JSON"
        watched.fault = KeyError("name")
        put(file, "broken still")
        assert watched.wait(4) == "not built again, the site stays as it was: KeyError: 'name'"
        watched.fault = None
        file.unlink()
        assert watched.wait(5) == f"built again: {file} changed"
        os.utime(source / "theirs" / "a", (1, 1))
        assert watched.wait(6).startswith("built again")
        assert watched.builds == 6
    finally:
        watched.end()


def test_it_waits_until_nobody_is_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three looks in a row differ, then two agree: one build, not four."""
    looks = iter([{Path("a"): (size, size)} for size in (2, 3, 4, 4, 4)])
    stop, builds = threading.Event(), []
    monkeypatch.setattr(serving, "_EVERY", 0)

    def look(watched: object) -> dict[Path, tuple[int, int]]:
        found = next(looks, None)
        if found is None:
            stop.set()
        return found or {Path("a"): (4, 4)}

    monkeypatch.setattr(serving, "_stamps", look)
    serving._rebuild(lambda: builds.append(1), [], {Path("a"): (1, 1)}, stop, lambda text: None)
    assert builds == [1]


SCRIPT = """
import sys
from pathlib import Path
from xleval.site.serving import serve
folder, source = Path(sys.argv[1]), Path(sys.argv[2])
def build():
    (folder / "index.html").write_text("built from " + source.read_text())
serve(build, folder, [source], port=0, tell=lambda text: print(text, flush=True))
print("ended", flush=True)
"""


def test_from_start_to_ctrl_c(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.txt", tmp_path / "site"
    folder.mkdir()
    source.write_text("one")
    command = [sys.executable, "-c", SCRIPT, str(folder), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stderr
            first = process.stdout.readline()
            assert first.endswith(f"/ shows {folder}; Ctrl-C ends it\n")
            port = int(first.split("/")[2].rpartition(":")[2])
            get = Client(port, [])
            assert get("/")[2] == b"built from one"
            source.write_text("two")
            assert process.stdout.readline() == f"built again: {source} changed\n"
            assert get("/")[2] == b"built from two"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "ended\n"
            assert process.wait(10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
