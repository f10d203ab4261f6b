"""`xleval leaderboard validate`: each fault is found and named, and nothing that is sent costs much or gets out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from entries import changed, contributed, failed

from xleval import item_pack
from xleval.errors import UserError
from xleval.item_pack import pack_members, read_packed
from xleval.leaderboard import bounds, checks
from xleval.leaderboard.adding import add_entry
from xleval.leaderboard.checks import check_entries, check_entry
from xleval.records import Record, Results

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A sound entry: runs on lines 1 to 4, its cells on 5 to 12."""
    return add_entry([contributed(tmp_path / "run")], tmp_path / "results", "mine").path


def faults(folder: Path) -> list[str]:
    (checked,) = check_entries([folder])
    return [f"{line}: {cell}: {message}" for line, cell, message in checked.faults]


def put(place: str, value: Any, at: int = 4) -> Callable[[list[Record]], None]:
    """Puts a value into a record, by default the first cell's; ``...`` takes what is there away."""

    def change(records: list[Record]) -> None:
        *steps, last = (int(step) if step.isdigit() else step for step in place.split("."))
        inside: Any = records[at]
        for step in steps:
            inside = inside[step]
        if value is ...:
            del inside[last]
        else:
            inside[last] = value

    return change


def repacked(entry: Path, members: dict[str, bytes] | None = None, **more: Any) -> None:
    """Writes the pack anew, with these members beside its own."""
    path = entry / "items.zip"
    with zipfile.ZipFile(path) as pack:
        kept = {name: pack.read(name) for name in pack.namelist()}
    with zipfile.ZipFile(path, "w", **more) as pack:
        for name, data in (kept | (members or {})).items():
            pack.writestr(name, data)


def test_a_sound_entry_has_no_fault(entry: Path) -> None:
    told: list[tuple[Path, int, int]] = []
    (checked,) = check_entries([entry.parent], lambda *said: told.append(said))
    assert (checked.runs, checked.cells, checked.failed, checked.faults) == (4, 8, 0, [])
    assert told == [(entry, i, 8) for i in range(1, 9)]
    assert check_entries([entry, entry.parent]) == [checked]  # named twice, it is one


RUN = [
    "train_run_id",
    "xleval",
    "strategy",
    "backbone",
    "adapters",
    "source_lang",
    "source",
    "hyperparameters",
    "seed",
    "env",
    "train_seconds",
    "created",
    "checkpoint_selection",
    "target_scope",
    "train_on",
    "drop_last",
    "strategy.name",
    "strategy.plugin",
    "strategy.version",
    "strategy.config_sha256",
    "backbone.id",
    "backbone.revision",
    "adapters.0.sha256",
    "env.python",
    "env.torch",
    "env.transformers",
    "env.adapters",
    "env.device",
    "env.precision",
]


@pytest.mark.parametrize("field", RUN)
def test_a_field_that_a_run_lacks_is_named(entry: Path, field: str) -> None:
    found = faults(changed(entry, put(field, ..., at=0)))
    assert any(fault.startswith(f"1: : {field}: missing; ") for fault in found)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("provenance", ..., "provenance: missing; a file says `self-reported`"),
        ("provenance", "validated", "provenance: 'validated': input should be 'self-reported'"),
        ("limit", {"examples": 9, "seed": 1}, "only whole test sets are on the board: run without --limit"),
        ("language", "sw", "language: 'sw': string should match pattern"),
        ("language", "swh", "language: 'swh' is Swahili (swa) here; write 'swa'"),
        ("language", "x" * 400, "language: 'xxx"),
        ("task", "", "task: '': string should have at least 1 character"),
        ("metrics", {}, "metrics: {}: dictionary should have at least 1 item"),
        ("n_examples", 0, "n_examples: 0: input should be greater than or equal to 1"),
        ("per_example", ..., "per_example: missing"),
        ("per_example.rows", 2_000_000, "per_example.rows: 2000000: input should be less than or equal to 1000000"),
        ("per_example.path", "../../../etc/passwd", "per_example.path '../../../etc/passwd' leads out of"),
        ("per_example.path", "items/none.jsonl", "items.zip has no member 'items/none.jsonl'"),
        ("metrics.accuracy.value", 0.9876, "metrics.accuracy.value: recorded 0.9876, the items give 0."),
        ("metrics.accuracy.value", float("nan"), "metrics.accuracy.value is not a finite number"),
        ("eval_seconds", float("inf"), "eval_seconds is not a finite number"),
        ("note", "a\x1b[2Jb", "note has the control character U+001B: remove it"),
        ("note", "a\u202eb", "note has the control character U+202E: remove it"),
        ("note", "\ud800", "note has the control character U+D800: remove it"),
        ("note", {"a\nb": 1}, "a key of note has the control character U+000A"),
        ("note", "x" * 10_001, "note has 10,001 characters; the limit is 10,000"),
        ("language", "x" * (1 << 20), "the limit of a line is 1,048,576"),
        ("metrics", {f"m{i}": {"value": 0.5} for i in range(21)}, "21 metrics; the limit is 20"),
        ("schema", "xleval/2.0", "schema xleval/2.0 is newer than this xleval reads (xleval/1.0): upgrade"),
        ("run_id", "sha256:" + "0" * 64, "there is no run record sha256:000"),
    ],
)  # fmt: skip
def test_what_a_cell_says_wrongly_is_named(entry: Path, field: str, value: Any, said: str) -> None:
    found = faults(changed(entry, put(field, value)))
    assert any(fault.startswith("5: ") and said in fault for fault in found), found
    assert all(len(fault) < 1000 and fault.isprintable() for fault in found)


def test_scores_agree_to_within_a_millionth(entry: Path) -> None:
    value = Results(entry).read()[4]["metrics"]["accuracy"]["value"]
    assert faults(changed(entry, put("metrics.accuracy.value", value + 9e-7))) == []
    (fault,) = faults(changed(entry, put("metrics.accuracy.value", value + 1.1e-6)))
    assert "metrics.accuracy.value: recorded" in fault


def test_a_failed_cell_is_present_and_may_have_lines(entry: Path) -> None:
    def fail(records: list[Record]) -> None:
        failed(records[4])

    (fault,) = faults(changed(entry, fail))
    assert "no record names member" in fault  # its items are still in the pack
    add_entry([changed(contributed(entry.parent.parent / "f", xleval="0.2"), lambda records: failed(records[1]))],
              entry.parent.parent / "other")  # fmt: skip
    (checked,) = check_entries([entry.parent.parent / "other"])
    assert (checked.cells, checked.failed, checked.faults) == (7, 1, [])


def test_a_run_that_failed_has_no_adapter(tmp_path: Path) -> None:
    def fail(records: list[Record]) -> None:
        records[0]["adapters"][0]["sha256"] = None
        failed(records[1])
        failed(records[2])

    entry = add_entry([changed(contributed(tmp_path / "run"), fail)], tmp_path / "results").path
    assert faults(entry) == []
    (fault,) = faults(changed(entry, put("adapters.0.sha256", None, at=2)))
    assert fault == "3: : adapters.0.sha256: missing, though the run has scores; run again"


def test_nothing_is_missing(entry: Path) -> None:
    gone = Results(entry).read()[4]
    run = Results(entry).runs()[gone["run_id"]]
    own, other = sorted(["madx", "tlr-all-multi"], key=lambda name: name != run["strategy"]["name"])
    unused, found = faults(changed(entry, lambda records: records.pop(4)))
    assert "no record names member" in unused
    assert f": nli ({own}): lacks quy (test, seed {run['seed']}), which {other} has; run it, or make an entry" in found


def test_no_cell_stands_there_twice(entry: Path, tmp_path: Path) -> None:
    again = entry.parent / "again"
    shutil.copytree(entry, again)
    first, second = check_entries([entry.parent])
    assert first.path.parent == again and not first.faults
    assert str(second.faults[0]).count(f"this cell and 7 more are in {again} already; remove one of the two") == 1
    assert len(second.faults) == 1
    found = faults(changed(again, lambda records: records.append(records[4])))
    assert found == ["13: nli/quy: this cell stands on line 5 already; keep one of the two"]


def test_an_entry_has_two_files_and_a_name(entry: Path, tmp_path: Path) -> None:
    (entry / "analysis").mkdir()
    (fault,) = faults(entry)
    assert "'analysis' is no part of an entry; leave records.jsonl and items.zip alone" in fault
    (entry / "analysis").rmdir()
    bad = entry.rename(entry.with_name("Mine"))
    assert "the entry's name 'Mine' is not lower-case" in faults(bad)[0]
    (bad / "items.zip").unlink()
    assert any("there is no items.zip" in fault for fault in faults(bad))
    (empty := tmp_path / "results2" / "a").mkdir(parents=True)
    assert len(faults(empty.parent)) == 2
    with pytest.raises(UserError, match="no folder"):
        check_entries([tmp_path / "nowhere"])


def test_links_are_not_followed(entry: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    for name in ("records.jsonl", "items.zip"):
        kept = (entry / name).rename(tmp_path / name)
        (entry / name).symlink_to(secret)
        (fault,) = faults(entry.parent)
        assert f"{name} is a link or no file" in fault and "a secret" not in fault
        (entry / name).unlink()
        kept.rename(entry / name)
    moved = entry.rename(tmp_path / "moved")
    entry.symlink_to(moved)
    (fault,) = faults(entry.parent)
    assert fault == "0: : the entry is a link; put the folder itself there"


# The pack


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "items/../../x", "a\\b", "c:x", "items//x", "./x", "x/", "a\x01"]
)
def test_members_lead_nowhere_else(entry: Path, name: str) -> None:
    repacked(entry, {name: b"x"})
    (fault,) = faults(entry)
    assert "has a name that leads elsewhere" in fault and fault.isprintable()


def test_a_member_that_no_record_names_is_refused(entry: Path) -> None:
    repacked(entry, {"items/x.jsonl": b"x", "payload.exe": b"x"})
    (fault,) = faults(entry)
    assert fault == "0: : no record names member 'items/x.jsonl' and 1 more of items.zip; remove it"


def test_a_pack_that_is_cut_short_or_changed_is_told_once(entry: Path) -> None:
    path = entry / "items.zip"
    data = path.read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        (fault,) = faults(entry)
        assert fault.startswith(f"0: : {path}: is no whole zip file")
    path.write_bytes(data[:60] + bytes([data[60] ^ 255]) * 60 + data[120:])
    assert any("cannot be recomputed" in fault and "items.zip" in fault for fault in faults(entry))


def test_a_changed_item_is_found(entry: Path) -> None:
    name = Results(entry).read()[4]["per_example"]["path"]
    repacked(entry, {name: read_packed(entry / "items.zip", name).replace(b'"correct": 0', b'"correct": 1', 1)})
    (fault,) = faults(entry)
    assert fault.startswith("5: nli/quy (") and ": cannot be recomputed: " in fault and "its SHA-256 is" in fault


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(entry: Path, kind: int) -> None:
    repacked(entry, compression=kind)
    assert "is encrypted, or compressed otherwise than by deflate" in faults(entry)[0]


def test_encryption_comments_and_doubles_are_refused(entry: Path) -> None:
    path = entry / "items.zip"
    data = bytearray(sound := path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in faults(entry)[0]
    path.write_bytes(sound)
    with zipfile.ZipFile(path, "a") as pack:
        pack.comment = b"x"
    assert "one with a comment" in faults(entry)[0]
    path.write_bytes(sound)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as pack:
        pack.writestr(pack.namelist()[0], b"x")
    assert "stands there twice" in faults(entry)[0]


def bomb(entry: Path, size: int) -> str:
    """Puts a member of so many zeros into the pack, and into the first cell's record."""
    zeros = bytes(size)
    sha = hashlib.sha256(zeros).hexdigest()
    repacked(entry, {"items/bomb.jsonl": zeros}, compression=zipfile.ZIP_DEFLATED)
    changed(entry, lambda records: records[4]["per_example"].update(path="items/bomb.jsonl", sha256=sha))
    return "items/bomb.jsonl"


def test_a_bomb_is_refused_by_what_it_announces(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(entry, item_pack.MEMBER + 1)
    tracemalloc.start()
    (fault,) = faults(entry)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "has 67,108,865 bytes; the limit is 67,108,864" in fault and peak < 8 << 20
    monkeypatch.setattr(item_pack, "MEMBER", item_pack.MEMBER + 1)
    monkeypatch.setattr(item_pack, "UNPACKED", item_pack.MEMBER)
    item_pack._open.cache_clear()
    assert "bytes unpacked; the limit is" in faults(entry)[0]


def test_a_bomb_that_announces_less_is_not_unpacked(entry: Path) -> None:
    name = bomb(entry, 60 << 20)
    path = entry / "items.zip"
    data = bytearray(path.read_bytes())
    size = struct.pack("<L", 60 << 20)
    for start in (data.rindex(size), data.index(size)):
        data[start : start + 4] = struct.pack("<L", 100)
    path.write_bytes(data)
    assert pack_members(path)[name] == 100
    tracemalloc.start()
    found = faults(entry)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any("'items/bomb.jsonl' cannot be read" in fault for fault in found) and peak < 8 << 20


def test_cells_that_share_a_large_file_are_bounded(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "READ", 4000)
    (fault,) = faults(entry)
    assert "bytes of items for all cells; the limit is 4,000" in fault


def test_too_many_members_are_refused_before_they_are_read(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_pack, "MEMBERS", 7)
    item_pack._open.cache_clear()
    assert "has 8 members or more; the limit is 7" in faults(entry)[0]
    path = entry / "items.zip"
    path.write_bytes(path.read_bytes()[:-22] + b"PK\x06\x07" + bytes(16) + path.read_bytes()[-22:])
    assert "members or more" in faults(entry)[0]  # the form for more than 65,535


# Hostile records


def everywhere(value: Any) -> Any:
    """Every string, but for those that make it a record."""
    if isinstance(value, dict):
        kept = ("type", "schema", "status")
        return {key: part if key in kept else everywhere(part) for key, part in value.items()}
    if isinstance(value, list):
        return [everywhere(part) for part in value]
    return HOSTILE if isinstance(value, str) else value


def test_markup_in_every_string_is_refused(entry: Path) -> None:
    def spoil(records: list[Record]) -> None:
        records[:] = [everywhere(record) for record in records]

    found = faults(changed(entry, spoil))
    assert any(f"language: {HOSTILE!r}: string should match pattern" in fault for fault in found)
    assert any(fault.startswith("1: : run_id: ") for fault in found)
    assert all(fault.isprintable() for fault in found)


def test_markup_in_a_name_is_a_name(tmp_path: Path) -> None:
    """It is for pages to escape it: a strategy's parameters may hold any letter."""
    entry = add_entry([contributed(tmp_path / "run", [HOSTILE])], tmp_path / "results").path
    assert faults(entry) == []
    assert Results(entry).read()[0]["strategy"]["name"] == HOSTILE


@pytest.mark.parametrize(
    "line",
    [b"[" * 500_000, b'{"a":' * 200_000, b'{"a":' * 60 + b"1" + b"}" * 60, b"9" * 500_000, b"\xff\xfe", b"null", b"{}"],
    ids=range(7),
)
def test_lines_that_are_no_records(entry: Path, line: bytes) -> None:
    with (entry / "records.jsonl").open("ab") as stream:
        stream.write(line + b"\n")
    found = faults(entry)
    assert found and all(fault.startswith("13: ") for fault in found)


def test_the_number_of_faults_is_bounded(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = entry / "records.jsonl"
    sound = path.read_bytes()
    path.write_bytes(sound + (b'{"a":[' + b"NaN," * 100_000 + b"NaN]}\n") * 3)
    assert len(faults(entry)) == 30
    path.write_bytes(b"x\n" * 1_000_000)
    (fault,) = faults(entry)
    assert "the limit is 100,000 lines" in fault
    monkeypatch.setattr(bounds, "FILE", 1000)
    (fault,) = faults(entry)
    assert "the file has 2,000,000 bytes; the limit is 1,000" in fault


def test_a_million_items_are_counted(entry: Path) -> None:
    rows = b"".join(b'{"id":"%d","correct":1,"total":1}\n' % i for i in range(1_000_000))
    sha = hashlib.sha256(rows).hexdigest()
    repacked(entry, {"items/million.jsonl": rows}, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    about = {"path": "items/million.jsonl", "sha256": sha, "rows": 1_000_000}
    changed(entry, lambda records: records[4]["per_example"].update(about))
    found = faults(entry)
    assert any("n_examples: recorded 20, the items give 1000000" in fault for fault in found)


def test_a_file_that_cannot_be_read_is_no_fault_of_the_entry(entry: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (entry / "records.jsonl").chmod(0)
    with pytest.raises(UserError, match="cannot be read"):
        check_entry(entry)


# The command


def test_the_command(cli: Cli) -> None:
    results = cli.folder / "leaderboard" / "results"
    assert "no folder leaderboard/results" in cli("leaderboard", "validate", code=2).stderr
    results.mkdir(parents=True)
    assert cli("leaderboard", "validate").stdout == "no entries\n"
    entry = add_entry([contributed(cli.folder / "run", ["madx"])], results, "mine").path
    changed(entry, put("n_examples", 21, at=2))
    changed(entry, put("strategy.name", "a\nb", at=0))
    done = cli("leaderboard", "validate", code=1)
    assert done.stderr == (
        "leaderboard/results/mine/records.jsonl:1: strategy.name has the control character U+000A: remove it\n"
    )
    changed(entry, put("strategy.name", "madx", at=0))
    done = cli("leaderboard", "validate", code=1)
    assert done.stderr == (
        "leaderboard/results/mine/records.jsonl:3: nli/quy (madx, seed 1): n_examples: recorded 21, the items give 20\n"
    )
    assert done.stdout == "4 cells of 2 runs in leaderboard/results/mine/records.jsonl: 1 fault\n"
    (found,) = json.loads(cli("leaderboard", "validate", entry, "--json", code=1).stdout)
    assert found["faults"][0]["line"] == 3 and found["cells"] == 4
