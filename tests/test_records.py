"""Records: what was written and synced stays, whatever happens to the writer, and is never counted twice."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from full_disk import fail_sync, fill, read_only, small_disk

from xleval.errors import UserError
from xleval.records import CLOCK, SCHEMA, Results, cell_key, content, item_ids_digest
from xleval.testing import read_jsonl

CONTEXT = multiprocessing.get_context("spawn")


def run_record(run_id: str = "r1", **fields: Any) -> dict[str, Any]:
    return {"type": "run", "schema": SCHEMA, "run_id": run_id, "strategy": {"name": "madx"}, "seed": 1, **fields}


def cell(language: str = "swa", value: float | None = 0.5, **fields: Any) -> dict[str, Any]:
    """A result; ``value`` None is a failure."""
    if value is None:
        outcome: dict[str, Any] = {"status": "failed", "error": {"type": "RuntimeError", "message": "out of memory"}}
    else:
        outcome = {"status": "ok", "metrics": {"accuracy": {"value": value}}, "n_examples": 2}
    return {
        "type": "eval",
        "schema": SCHEMA,
        "run_id": "r1",
        "task": "xnli",
        "task_version": "1",
        "dataset_revision": "abc",
        "split": "test",
        "language": language,
        "limit": None,
        **outcome,
        **fields,
    }


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def scores(results: Results) -> dict[str, float | None]:
    found = results.cells().values()
    return {r["language"]: r["metrics"]["accuracy"]["value"] if r["status"] == "ok" else None for r in found}


# Writing and reading


def test_a_folder_without_records_is_empty_and_reading_creates_nothing(results: Results) -> None:
    assert (results.read(), results.runs(), results.cells()) == ([], {}, {})
    assert not results.folder.exists()


def test_records_read_back_in_order_one_a_line(results: Results) -> None:
    written = [run_record(), cell("swa", 0.1, note="ẹ̀kọ́\u2028line"), cell("yor", None)]
    assert all(results.append(record) for record in written)
    assert results.read() == written == read_lines(results)
    assert results.path.read_bytes().count(b"\n") == 3


def read_lines(results: Results) -> list[Any]:
    return [json.loads(line) for line in results.path.read_bytes().split(b"\n") if line]


def test_the_reader_for_tests_agrees(results: Results) -> None:
    results.append(cell())
    assert read_jsonl(results.path) == results.read()


def test_every_record_is_synced_before_append_returns(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.check_writable()
    seen: list[bytes] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        seen.append(results.path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    results.append(cell())
    assert json.loads(seen[-1]) == cell()


def test_a_file_that_another_process_put_in_place_is_read_anew(results: Results) -> None:
    """As a merge does, while a run goes on in the same folder."""
    results.append(run_record())
    results.append(cell("swa"))
    other = Results(results.folder.parent / "other")
    for record in (run_record("r0"), run_record(), cell("quy"), cell("swa"), cell("aym")):
        other.append(record)
    other.path.replace(results.path)
    assert [r["language"] for r in results.cells().values()] == ["quy", "swa", "aym"]
    assert not results.append(cell("aym")) and len(results.read()) == 5


def test_a_run_is_recorded_once_unless_it_says_something_new(results: Results) -> None:
    assert results.append(run_record(created="monday", train_seconds=1.0))
    assert not results.append(run_record(created="tuesday", train_seconds=2.0))
    assert results.append(run_record(seed=2))
    assert results.runs()["r1"]["seed"] == 2
    assert len(results.read()) == 2


# Which record of a cell counts


def test_a_second_success_is_not_written(results: Results) -> None:
    assert results.append(cell(value=0.1))
    assert not results.append(cell(value=0.9))
    assert scores(results) == {"swa": 0.1}


def test_a_success_replaces_a_failure_and_never_the_other_way(results: Results) -> None:
    assert results.append(cell(value=None))
    assert results.append(cell(value=0.4))
    assert not results.append(cell(value=None))
    assert scores(results) == {"swa": 0.4}
    # Nor where --fresh writes it, or a file was merged by hand.
    assert results.append(cell(value=None), replace=True)
    assert scores(results) == {"swa": 0.4}


def test_fresh_replaces_a_success(results: Results) -> None:
    results.append(cell(value=0.4))
    assert results.append(cell(value=0.6), replace=True)
    assert scores(results) == {"swa": 0.6}


def test_the_same_failure_is_written_once_and_another_one_again(results: Results) -> None:
    other = {"type": "OSError", "message": "gone"}
    assert results.append(cell(value=None))
    assert not results.append(cell(value=None))
    assert results.append(cell(value=None, error=other))
    (found,) = results.cells().values()
    assert found["error"] == other


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "r2"},
        {"task": "ner"},
        {"task_version": "2"},
        {"dataset_revision": "other"},
        {"split": "dev"},
        {"language": "yor"},
        {"limit": {"examples": 50, "seed": 0}},
    ],
)
def test_cells_that_differ_in_what_they_measure_are_apart(results: Results, change: dict[str, Any]) -> None:
    assert results.append(cell(value=0.1))
    assert results.append(cell(value=0.2) | change)
    assert len(results.cells()) == 2
    assert cell_key(cell()) != cell_key(cell() | change)


def test_limits_of_different_seeds_are_apart() -> None:
    one, other = (cell(limit={"examples": 50, "seed": seed}) for seed in (0, 1))
    assert cell_key(one) != cell_key(other)


def test_content_leaves_the_clock_out_and_nothing_else() -> None:
    record = cell(**dict.fromkeys(CLOCK, 1))
    assert content(record) == cell()


# Writers that are stopped, and several at once


@pytest.mark.parametrize("tail", ['{"type": "eval", "sch', "{", '{"type":"eval","text":"ẹ̀'])
def test_a_line_cut_short_is_left_out_and_repaired_by_the_next(results: Results, tail: str) -> None:
    results.append(cell("swa", 0.1))
    whole = results.path.read_bytes()
    results.path.write_bytes(whole + tail.encode()[:-1])
    assert scores(results) == {"swa": 0.1}
    assert results.append(cell("yor", 0.2))
    assert results.path.read_bytes().startswith(whole)
    assert scores(results) == {"swa": 0.1, "yor": 0.2}
    assert len(read_lines(results)) == 2


def test_a_file_that_is_one_cut_line_starts_anew(results: Results) -> None:
    results.folder.mkdir()
    results.path.write_text('{"type": "ev')
    assert results.read() == []
    results.append(cell())
    assert read_lines(results) == [cell()]


def test_a_whole_record_without_its_newline_is_written_again(results: Results) -> None:
    results.append(cell(value=0.1))
    results.path.write_bytes(results.path.read_bytes()[:-1])
    assert results.read() == []  # its writer was not told that it is recorded
    assert results.append(cell(value=0.1))
    assert scores(results) == {"swa": 0.1}


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_records import cell
from xleval.records import Results
results = Results(Path(sys.argv[1]))
for number in range(100000):
    results.append(cell(f"l{number}", 0.5, text="x" * 2000))
    print(number, flush=True)
"""


def test_what_a_killed_writer_had_recorded_is_there(results: Results) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(results.folder), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = -1
    while told < 30:
        told = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    told = max([told, *(int(line) for line in process.stdout.read().split("\n") if line)])
    found = set(scores(results))
    assert {f"l{number}" for number in range(told + 1)} <= found
    assert len(found) <= told + 2
    assert results.append(cell("after"))
    assert len(read_lines(results)) == len(results.cells())


def _append_many(folder: str, who: int, barrier: Any) -> None:
    results = Results(Path(folder))
    barrier.wait()
    for number in range(200):
        results.append(cell(f"w{who}-{number}", number / 200))
        results.append(cell(f"both-{number}", number / 200))


def test_two_processes_append_without_loss_or_duplicates(results: Results) -> None:
    barrier = CONTEXT.Barrier(2)
    writers = [CONTEXT.Process(target=_append_many, args=(str(results.folder), who, barrier)) for who in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
    assert [writer.exitcode for writer in writers] == [0, 0]
    written = [record["language"] for record in read_lines(results)]
    assert len(written) == len(set(written)) == 600
    for who in (0, 1):
        assert [w for w in written if w.startswith(f"w{who}")] == [f"w{who}-{number}" for number in range(200)]


# What is not a record


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "is not a record"),
        ("[1, 2]", "is not a record"),
        ("17", "is not a record"),
        ('{"type": "eval"}', "lacks 'schema'"),
        ('{"schema": "xleval/1.0"}', "lacks 'type'"),
        ('{"schema": "xleval/one", "type": "run"}', "is not a record"),
        ('{"schema": "xleval/1.0", "type": "run"}', "lacks 'run_id'"),
        (json.dumps({k: v for k, v in cell().items() if k != "task"}), "lacks 'task'"),
        (json.dumps({k: v for k, v in cell().items() if k != "status"}), "lacks 'status'"),
        (json.dumps(cell(metrics={"f1": {}})), "lacks 'value'"),
        (json.dumps(cell(metrics={"f1": {"value": None}})), "is not a record"),
        (json.dumps(cell(value=float("nan"))), "not finite"),
        (json.dumps(cell(value=float("inf"))), "not finite"),
        (json.dumps(run_record(schema="xleval/2.0")), "schema xleval/2.0 is newer than this xleval reads"),
        (json.dumps(run_record(schema="xleval/10.3")), "upgrade"),
    ],
)
def test_a_line_that_is_no_record_is_refused_with_its_number(results: Results, line: str, message: str) -> None:
    results.append(cell())
    with results.path.open("a") as stream:
        stream.write("\n" + line + "\n")
    with pytest.raises(UserError, match=rf"records\.jsonl:3: .*{message}"):
        results.read()


def test_a_newer_minor_schema_and_unknown_types_are_read(results: Results) -> None:
    newer = [run_record(schema="xleval/1.7", extra=1), {"type": "comparison", "schema": "xleval/1.7"}]
    for record in newer:
        results.append(record)
    assert results.read() == newer
    assert results.cells() == {}


def test_nan_is_never_written(results: Results) -> None:
    results.append(cell("yor"))
    with pytest.raises(ValueError, match="JSON"):
        results.append(cell(value=float("nan")))
    assert scores(results) == {"yor": 0.5}


# Items


def test_items_hold_ids_predictions_and_counts_and_no_text(results: Results) -> None:
    import numpy as np

    about = results.write_items("name", [("1", "yes"), ("2", "ná")], ["correct", "total"], np.array([[1, 1], [0, 1]]))
    path = results.folder / about["path"]
    assert read_jsonl(path) == [
        {"id": "1", "prediction": "yes", "correct": 1, "total": 1},
        {"id": "2", "prediction": "ná", "correct": 0, "total": 1},
    ]
    assert (about["rows"], about["stats"]) == (2, ["correct", "total"])
    import hashlib

    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert results.write_items("name", [("1", "yes"), ("2", "ná")], ["correct", "total"], [[1, 1], [0, 1]]) == about


def test_items_have_their_groups_where_there_are_any(results: Results) -> None:
    about = results.write_items("name", [("1", "a"), ("2", "b")], ["em"], [[1], [0]], ["1", "1"])
    assert read_jsonl(results.folder / about["path"]) == [
        {"id": "1", "group": "1", "prediction": "a", "em": 1},
        {"id": "2", "group": "1", "prediction": "b", "em": 0},
    ]


def test_items_that_do_not_match_are_refused(results: Results) -> None:
    with pytest.raises(ValueError, match="zip"):
        results.write_items("name", [("1", "yes"), ("2", "no")], ["correct"], [[1]])
    assert not (results.folder / "items" / "name.jsonl").exists()


def test_the_digest_of_ids_keeps_their_order() -> None:
    assert item_ids_digest(["a", "b"]) != item_ids_digest(["b", "a"]) != item_ids_digest(["b", "a", ""])


# Disks


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        results = Results(disk / "results")
        results.append(cell("swa", 0.1))
        filler = fill(disk)
        with pytest.raises(UserError, match=rf"cannot write {results.path}: No space left on device"):
            results.append(cell("yor", 0.2, text="x" * 9999))
        assert scores(results) == {"swa": 0.1}
        assert results.path.read_bytes().endswith(b"\n")
        filler.unlink()
        assert results.append(cell("yor", 0.2, text="x" * 9999))
        assert scores(results) == {"swa": 0.1, "yor": 0.2}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_record_that_does_not_reach_the_disk_is_taken_back(
    results: Results, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    results.append(cell("swa", 0.1))
    before = results.path.read_bytes()
    with monkeypatch.context() as patch:
        fail_sync(patch, code)
        with pytest.raises(UserError, match=rf"cannot write {results.path}: .*everything\s+recorded so far is kept"):
            results.append(cell("yor", 0.2))
    assert results.path.read_bytes() == before
    assert results.append(cell("yor", 0.2))


def test_a_read_only_folder_is_named_and_can_be_read(results: Results) -> None:
    results.append(cell())
    with read_only(results.folder):
        for attempt in (results.check_writable, lambda: results.append(cell("yor"))):
            with pytest.raises(UserError, match=rf"cannot write .*{results.folder}"):
                attempt()
        assert results.read() == [cell()]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=f"cannot write results to {tmp_path / 'file'}.*--out"):
        Results(tmp_path / "file").check_writable()


def test_checking_leaves_nothing_that_looks_like_a_result(results: Results) -> None:
    results.check_writable()
    assert {path.name for path in results.folder.iterdir()} <= {".lock"}
