"""Files of the hub and of git repositories: pinned, cached, counted, retried, refused."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from toy_specs import COMMIT, LAYOUT, rows_of, toy

from xleval.errors import UserError
from xleval.tasks.sources import DataOptions, SequenceRow, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HUB = {
    "repo": "org/toy",
    "revision": COMMIT,
    "files": {"test": "{lang}/test-*.parquet"},
    "format": "parquet",
    "columns": {"text_a": "sentence", "label": "label"},
    "label_names": ["no", "yes"],
}


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the hub's client leaves behind after a download: two shards of one split."""
    pyarrow = pytest.importorskip("pyarrow")
    from huggingface_hub import constants
    from pyarrow import parquet

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "datasets--org--toy" / "snapshots" / COMMIT
    (snapshot / "sw").mkdir(parents=True)
    for shard in range(2):
        table = {"sentence": [f"{shard}-{i}" for i in range(3)], "label": [0, 1, 1]}
        parquet.write_table(pyarrow.table(table), snapshot / "sw" / f"test-{shard}.parquet")
    return snapshot


def test_hub_files_from_the_cache(hub_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "sw.tsv").write_text("text\tlabel\na\tyes\n")
    spec = toy({"upstream": [LAYOUT], "hub": HUB, "rows": {"test": 6}})
    located = locate(spec, "swa", "test", DataOptions(offline=True), {})
    assert located.origin == f"hub org/toy@{COMMIT}"
    assert located.revision == COMMIT
    rows = located.rows(spec.labels, {})
    assert [row.id for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert rows[3] == SequenceRow("3", "1-0", None, 1)
    # Local files win where they are, and only there.
    assert locate(spec, "swa", "test", DataOptions(tmp_path), {}).revision.startswith("sha256:")
    assert locate(spec, "yor", "test", DataOptions(tmp_path), {}).revision == COMMIT


def test_hub_row_counts_are_checked(hub_cache: Path) -> None:
    spec = toy({"hub": HUB, "rows": {"test": {"swa": 7, "yor": 6}}})
    with pytest.raises(UserError, match=r"toy, swa test: expected 7 rows, found 6 in hub org/toy@"):
        rows_of(spec, DataOptions(offline=True))


def test_offline_miss_says_fetch(hub_cache: Path) -> None:
    for files in ({"test": "{lang}/test-*.parquet"}, {"test": "{lang}.parquet"}):
        spec = toy({"hub": {**HUB, "files": files}})
        located = locate(spec, "yor", "test", DataOptions(offline=True), {})  # finding is free
        with pytest.raises(UserError, match=r"not in the cache|no such file in the cache") as caught:
            located.rows(spec.labels, {})
        assert "xleval fetch" in str(caught.value)


def test_unreachable_hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    spec = toy({"hub": {**HUB, "files": {"test": "{lang}.parquet"}}})
    with pytest.raises(UserError, match="--data-dir"):
        rows_of(spec, DataOptions(), "yor")


# Raw files of a git repository, over loopback


class _Raw(BaseHTTPRequestHandler):
    answers: list[tuple[int, bytes, int]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        code, body, length = self.answers.pop(0)
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        if code == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Raw]]:
    handler = type("Handler", (_Raw,), {"answers": [], "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("XLEVAL_RAW_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    yield handler
    server.shutdown()
    server.server_close()


BODY = b"text\tlabel\na\tyes\nb\tno\n"
RAW = {key: LAYOUT[key] for key in ("files", "format", "columns")} | {"repo": "org/toy", "revision": COMMIT}


def test_raw_file_is_fetched_once(raw: type[_Raw]) -> None:
    raw.answers[:] = [(429, b"", 0), (200, BODY[:5], len(BODY)), (200, BODY, len(BODY))]
    spec = toy({"raw": RAW, "rows": {"test": 2}})
    assert [row.label for row in rows_of(spec, DataOptions())] == [0, 1]
    assert raw.asked == [f"/org/toy/{COMMIT}/sw.tsv"] * 3  # busy, cut short, whole
    assert len(rows_of(spec, DataOptions(offline=True))) == 2
    assert len(raw.asked) == 3
    assert locate(spec, "swa", "test", DataOptions(), {}).revision == COMMIT


def test_raw_faults(raw: type[_Raw]) -> None:
    spec = toy({"raw": {**RAW, "sha256": {"sw.tsv": "0" * 64}}})
    with pytest.raises(UserError, match=r"not in the cache .*; run `xleval fetch`"):
        rows_of(spec, DataOptions(offline=True))
    raw.answers[:] = [(404, b"", 0)]
    with pytest.raises(UserError, match="HTTP 404"):
        rows_of(spec, DataOptions())
    raw.answers[:] = [(503, b"", 0)] * 4
    with pytest.raises(UserError, match="HTTP 503"):
        rows_of(spec, DataOptions())
    raw.answers[:] = [(200, BODY, len(BODY))]
    with pytest.raises(UserError, match=r"SHA-256 .*, expected 0000000000000000…; the download was cut short"):
        rows_of(spec, DataOptions())


def test_raw_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path))
    monkeypatch.setenv("XLEVAL_RAW_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(UserError, match=r"Connection refused.*--data-dir"):
        rows_of(toy({"raw": RAW}), DataOptions())


def test_fingerprint_of_pinned_places() -> None:
    def fingerprint(**hub: Any) -> str:
        return locate(toy({"hub": {**HUB, **hub}}), "swa", "test", DataOptions(), {}).fingerprint

    assert fingerprint() != fingerprint(revision=COMMIT[::-1])
    assert fingerprint() != fingerprint(repo="org/other")
    assert fingerprint() != locate(toy({"hub": HUB}), "yor", "test", DataOptions(), {}).fingerprint
