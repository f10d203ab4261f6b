"""`xleval leaderboard add`: one entry, packed, the same each time, there whole or not at all."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from entries import changed, contributed, failed

from xleval.comparison.recorded import recorded
from xleval.errors import UserError
from xleval.leaderboard import adding
from xleval.leaderboard.adding import Added, RefusedError, _version, add_entry
from xleval.leaderboard.checks import check_entries
from xleval.records import Record, Results
from xleval.results_check import check_results
from xleval.results_merge import merge_results


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "leaderboard" / "results"


def refused(*paths: Path, to: Path, name: str = "") -> list[str]:
    before = snapshot(to)
    with pytest.raises(RefusedError) as caught:
        add_entry(paths, to, name)
    assert snapshot(to) == before
    of_lines = [f"{c.path}:{f.line}: {f.cell}: {f.message}" for c in caught.value.found for f in c.faults]
    return [*of_lines, *caught.value.reasons]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_entry_is_the_results_packed(tmp_path: Path, to: Path) -> None:
    source = contributed(tmp_path / "run")
    added = add_entry([source], to)
    assert added == Added(added.path, 4, 8, 0, sum(map(len, snapshot(to).values())))
    assert added.path.parent == to and added.path.name.startswith("madx-tlr-all-multi-")
    assert sorted(path.name for path in added.path.iterdir()) == ["items.zip", "records.jsonl"]
    assert [path.name for path in to.iterdir()] == [added.path.name]  # nothing of the work is left
    before, after = Results(source), Results(added.path)
    assert after.runs() == before.runs()
    for key, record in after.cells().items():
        old = before.cells()[key]
        place = f"items/{old['per_example']['sha256']}.jsonl"
        assert record == {**old, "per_example": {**old["per_example"], "path": place}}
        with zipfile.ZipFile(added.path / "items.zip") as pack:
            assert pack.read(place) == (source / old["per_example"]["path"]).read_bytes()
    assert check_entries([to])[0].faults == []


def test_what_reads_results_reads_an_entry(tmp_path: Path, to: Path) -> None:
    source = contributed(tmp_path / "run")
    entry = add_entry([source], to).path
    assert check_results(entry).faults == []
    assert recorded(entry)[0].to_json() == recorded(source)[0].to_json()
    merged = merge_results([entry], tmp_path / "unpacked")
    assert check_results(merged.path).faults == [] and (tmp_path / "unpacked" / "items").is_dir()
    again = add_entry([entry], tmp_path / "again").path
    assert snapshot(again) == snapshot(entry) and again.name == entry.name


def test_equal_results_give_equal_bytes_in_whatever_parts_and_order(tmp_path: Path, to: Path) -> None:
    whole = contributed(tmp_path / "whole")
    one, two = (contributed(tmp_path / name, [name]) for name in ("madx", "tlr-all-multi"))
    entry = add_entry([whole], to).path
    for index, paths in enumerate(([one, two], [two, one, two / "records.jsonl"], [whole, one])):
        other = add_entry(paths, tmp_path / str(index)).path
        assert other.name == entry.name and snapshot(other) == snapshot(entry)


def test_failures_are_kept_and_what_was_retried_is_not(tmp_path: Path, to: Path) -> None:
    def fail(records: list[Record]) -> None:
        early = json.loads(json.dumps(records[1]))
        failed(early)
        failed(records[2])
        records.insert(1, early)  # it went well later

    source = changed(contributed(tmp_path / "run", ["madx"]), fail)
    added = add_entry([source], to, "mine")
    assert (added.path, added.cells, added.failed) == (to / "mine", 4, 1)
    assert check_entries([to])[0].failed == 1
    records = Results(added.path).read()
    assert [record["status"] for record in records if record["type"] == "eval"].count("failed") == 1


def test_runs_without_a_cell_stay_out(tmp_path: Path, to: Path) -> None:
    source = changed(contributed(tmp_path / "run"), lambda records: records.append({**records[0], "run_id": "x"}))
    assert add_entry([source], to).runs == 4


def test_many_strategies_have_a_short_name(tmp_path: Path, to: Path) -> None:
    source = contributed(tmp_path / "run", ["badx(ratio=2:1)", "ä", "madx", "zz"], ["swa"], [1])
    assert add_entry([source], to).path.name.startswith("badx-ratio-2-1-and-3-more-")
    source = contributed(tmp_path / "hostile", ["</script><img src=x onerror=alert(1)>"], ["swa"], [1])
    assert add_entry([source], to).path.name.startswith("script-img-src-x-onerror-alert-1-")
    source = contributed(tmp_path / "none", ["ö"], ["swa"], [1])
    assert len(add_entry([source], to).path.name) == 8


@pytest.mark.parametrize("name", ["../x", "a/b", ".a", "a..b", "A", "a b", "-a", "a\n", "a" * 65, "ä"])
def test_a_name_is_no_path(tmp_path: Path, to: Path, name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        add_entry([contributed(tmp_path / "run")], to, name)
    assert not to.exists()


# Refused


def test_every_fault_is_named(tmp_path: Path, to: Path) -> None:
    sound = contributed(tmp_path / "sound", ["fusion"])
    spoilt = changed(contributed(tmp_path / "spoilt"), lambda records: (
        records[0]["env"].pop("torch"), records[1]["metrics"]["accuracy"].update(value=0.9876)
    ))  # fmt: skip
    path = spoilt / "records.jsonl"
    first, second = refused(sound, spoilt, to=to)
    assert first.startswith(f"{path}:1: : env.torch: missing; ")
    assert second.startswith(f"{path}:2: nli/quy (madx, seed 1): metrics.accuracy.value: recorded 0.9876, the items")
    assert not to.exists()


def test_what_is_there_already_is_refused_by_the_entry_s_name(tmp_path: Path, to: Path) -> None:
    source = contributed(tmp_path / "run")
    add_entry([source], to, "first")
    (reason,) = refused(source, to=to, name="second")
    assert reason.startswith(f"8 cells, the first nli/quy, are in entry {to / 'first'} already; ")
    one = contributed(tmp_path / "more", ["madx"], ["swa"], [1])
    (reason,) = refused(one, to=to)
    assert reason.startswith(f"nli/swa is in entry {to / 'first'} already; ")
    other = contributed(tmp_path / "other", ["fusion"])
    (reason,) = refused(other, to=to, name="first")
    assert reason.startswith(f"there is an entry {to / 'first'} already; choose another --name")
    assert add_entry([other], to).path != to / "first"


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("xleval", {"xleval": "0.10.0"}, {"xleval": "0.9.1"}),
        ("xleval", {"xleval": "0.2.0"}, {"xleval": "0.2.0rc1"}),
        ("task_version", {"task_version": "2", "xleval": "0.1.0"}, {"xleval": "0.1.1"}),
    ],
)
def test_an_older_version_does_not_follow_a_newer_one(
    tmp_path: Path, to: Path, field: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    add_entry([contributed(tmp_path / "old", **old)], to, "old")
    (reason,) = refused(contributed(tmp_path / "new", **new), to=to)
    assert reason.startswith("8 cells, the first nli/quy, are of ") and f"{field} " in reason
    assert f"in entry {to / 'old'} of " in reason
    add_entry([contributed(tmp_path / "other", ["fusion"], **new)], to)  # another strategy has no such entry


def test_an_older_schema_does_not_follow_a_newer_one(tmp_path: Path, to: Path) -> None:
    def newer(records: list[Record]) -> None:
        for record in records:
            record["schema"] = "xleval/1.3"

    add_entry([changed(contributed(tmp_path / "old"), newer)], to, "old")
    (reason,) = refused(contributed(tmp_path / "new", xleval="0.2.0"), to=to)
    assert "of schema xleval/1.0, and in entry" in reason and "of xleval/1.3" in reason


def test_versions_are_in_order() -> None:
    versions = ["0.1.0rc1", "0.1.0rc2", "0.1.0", "0.1.1", "0.2", "0.2.0", "0.10.0", "1"]
    keys = [_version(version) for version in versions]
    assert all(one < other for one, other in pairwise(keys))


def test_strategies_of_parts_that_do_not_match_are_refused(tmp_path: Path, to: Path) -> None:
    one, two = contributed(tmp_path / "a", ["madx"]), contributed(tmp_path / "b", ["fusion"], ["quy"])
    (reason,) = refused(one, two, to=to)
    assert reason.startswith("nli (fusion): lacks swa (test, seed 1) and 1 more, which madx has; ")


def test_two_results_of_a_cell_that_differ_are_refused(tmp_path: Path, to: Path) -> None:
    one, two = contributed(tmp_path / "a"), contributed(tmp_path / "b", items=21)
    with pytest.raises(UserError, match="have different results of nli/quy"):
        add_entry([one, two], to)
    assert not to.exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("at", ["write_pack", "write_synced", "check_entry", "sync"])
def test_stopped_at_any_step_nothing_is_there(
    tmp_path: Path, to: Path, monkeypatch: pytest.MonkeyPatch, stop: Any, at: str
) -> None:
    def stopped(*arguments: Any, **more: Any) -> None:
        raise stop

    source = contributed(tmp_path / "run")
    monkeypatch.setattr(adding, at, stopped)
    with pytest.raises((KeyboardInterrupt, UserError)):
        add_entry([source], to)
    assert list(to.iterdir()) == []


# The command


def test_the_command(cli: Cli) -> None:
    contributed(cli.folder / "xleval-results")
    done = cli("leaderboard", "add", "xleval-results", "--name", "mine")
    assert done.stdout.startswith("8 cells of 4 runs → leaderboard/results/mine (0.0 MB)")
    assert cli("leaderboard", "validate").stdout.endswith("mine/records.jsonl: all agree\n")
    done = cli("leaderboard", "add", "xleval-results", code=1)
    assert done.stderr == (
        "8 cells, the first nli/quy, are in entry leaderboard/results/mine already; leave them out, or remove that "
        "entry first if this one replaces it\nnot added: 1 fault\n"
    )
    assert "no file or folder nowhere" in cli("leaderboard", "add", "nowhere", code=2).stderr
    assert "--name '../x'" in cli("leaderboard", "add", "xleval-results", "--name", "../x", code=2).stderr
