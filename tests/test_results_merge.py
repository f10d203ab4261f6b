"""Joining results folders: whatever their order the same folder, nothing lost, no contradiction taken in."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from test_results_validate import FAMILIES, evaluated, made, put, rewritten

from xleval import results_merge
from xleval.errors import UserError
from xleval.records import Results
from xleval.results_check import check_results
from xleval.results_merge import merge_results


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Three sound folders, the second of which has a part of the first."""
    one = made(tmp_path / "one", tasks=["nli", "ner"])
    made(tmp_path / "two", tasks=["nli"])
    made(tmp_path / "two", seed=2, tasks=["ner"])
    made(tmp_path / "three", strategy="bilingual", tasks=["qa"])
    return [one.folder, tmp_path / "two", tmp_path / "three"]


def test_any_order_gives_the_same_folder(parts: list[Path], tmp_path: Path) -> None:
    found = []
    for index, order in enumerate(itertools.permutations(parts)):
        merged = merge_results(order, tmp_path / f"all{index}")
        assert (merged.runs, merged.cells, merged.failed) == (3, 8, 0)
        found.append(snapshot(tmp_path / f"all{index}"))
    assert all(one == found[0] for one in found)
    checked = check_results(tmp_path / "all0")
    assert (checked.runs, checked.cells, checked.faults) == (3, 8, [])
    records = Results(tmp_path / "all0").read()
    assert [r["type"] for r in records] == ["run"] * 3 + ["eval"] * 8
    assert [(r["strategy"]["name"], r["seed"]) for r in records[:3]] == [("bilingual", 1), ("madx", 1), ("madx", 2)]
    assert [r["task"] for r in records[3:]] == ["ner"] * 4 + ["nli"] * 2 + ["qa"] * 2
    before = {json.dumps(record) for part in parts for record in Results(part).read()}
    assert {json.dumps(record) for record in records} == before


def test_again_and_into_itself_changes_nothing(parts: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    merge_results(parts, out)
    before = snapshot(out)
    merge_results([*parts, out, out / "records.jsonl"], out)
    merge_results([parts[1]], out)
    assert snapshot(out) == before
    assert all(snapshot(part) for part in parts)


def test_what_the_target_has_is_kept(parts: list[Path]) -> None:
    old = Results(parts[0]).read()
    merge_results(parts[1:], parts[0])
    new = Results(parts[0]).read()
    assert len(new) == 11 and all(record in new for record in old)
    assert check_results(parts[0]).faults == []


def failed(record: dict[str, Any], created: str) -> dict[str, Any]:
    kept = {k: v for k, v in record.items() if k not in ("metrics", "per_example", "counts", "item_ids_sha256")}
    return {**kept, "status": "failed", "error": {"type": "E", "message": created}, "created": created}


def test_a_success_stands_before_a_failure_and_the_last_failure_counts(tmp_path: Path) -> None:
    sound = made(tmp_path / "one", tasks=["nli"])
    _, first, second = sound.read()
    broken = Results(tmp_path / "two")
    broken.append(sound.read()[0])
    for record in (failed(first, "2027"), failed(second, "2027")):
        broken.append(record)
    older = rewritten(
        made(tmp_path / "three", tasks=["nli"]), lambda r: r.__setitem__(slice(1, 3), [failed(r[2], "2025")])
    )
    for order in ([broken, older], [older, broken]):
        merged = merge_results([results.folder for results in order], tmp_path / "failures")
        assert (merged.cells, merged.failed) == (2, 2)
        cells = Results(tmp_path / "failures").cells().values()
        assert {cell["error"]["message"] for cell in cells} == {"2027"}
    assert merge_results([broken.folder, sound.folder, older.folder], tmp_path / "all").failed == 0


def test_two_different_successes_are_refused_naming_both(parts: list[Path], tmp_path: Path) -> None:
    rewritten(Results(parts[1]), put("counts.correct", 7))
    with pytest.raises(UserError) as caught:
        merge_results(parts, tmp_path / "all")
    message = str(caught.value)
    assert (
        f"{parts[0]}/records.jsonl and {parts[1]}/records.jsonl have different results of nli/swa (madx, seed 1)"
        in message
    )
    assert "counts {'correct': " in message and "leave one of the folders out" in message
    assert not (tmp_path / "all" / "records.jsonl").exists()


def swapped(folder: Path) -> Results:
    """nli/swa with the counts of two items swapped: the same sums, another result."""
    results = made(folder, tasks=["nli"])
    run, old, _ = results.read()
    rows = [json.loads(line) for line in (folder / old["per_example"]["path"]).read_text().splitlines()]
    counts = [[row[stat] for stat in ("correct", "total")] for row in rows]
    one, two = counts.index([0, 1]), counts.index([1, 1])
    counts[one], counts[two] = counts[two], counts[one]
    import numpy as np

    new = evaluated(results, run["run_id"], "nli", "swa", FAMILIES["nli"], np.array(counts))
    return rewritten(results, lambda records: records.__setitem__(1, {**new, "created": old["created"]}))


def test_equal_sums_of_other_items_are_another_result(parts: list[Path], tmp_path: Path) -> None:
    other = swapped(tmp_path / "swapped")
    assert check_results(other.folder).faults == []
    with pytest.raises(UserError, match=r"different results of nli/swa .*: the counts of single items"):
        merge_results([parts[0], other.folder], tmp_path / "all")


def test_files_that_differ_where_no_count_does_are_one_result(parts: list[Path], tmp_path: Path) -> None:
    """A newer version adds a field to the items: the newer record counts, with its own file."""
    import hashlib

    newer = made(tmp_path / "newer", tasks=["nli"])
    about = newer.read()[1]["per_example"]
    text = (newer.folder / about["path"]).read_text().replace('"x"', '"x", "remark": "g"')
    (newer.folder / about["path"]).write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    newer = rewritten(rewritten(newer, put("per_example.sha256", digest)), put("created", "2027"))
    for index, order in enumerate(([parts[0], newer.folder], [newer.folder, parts[0]])):
        merge_results(order, tmp_path / f"all{index}")
        assert check_results(tmp_path / f"all{index}").faults == []
        (cell,) = (c for c in Results(tmp_path / f"all{index}").cells().values() if c["created"] == "2027")
        assert cell["per_example"]["sha256"] == digest
    # In a target that has the older file the newer lies beside it.
    merge_results([newer.folder], parts[0])
    (cell,) = (c for c in Results(parts[0]).cells().values() if c["created"] == "2027")
    assert cell["per_example"]["path"] == f"items/{digest[:16]}/{Path(about['path']).name}"
    assert (parts[0] / about["path"]).is_file() and check_results(parts[0]).faults == []


def test_a_run_that_went_on_on_another_machine_keeps_both_records(parts: list[Path], tmp_path: Path) -> None:
    def elsewhere(records: list[Any]) -> None:
        records[0] = {**records[0], "env": {"device": "cuda"}, "created": "2027"}

    rewritten(Results(parts[1]), elsewhere)
    for order in (parts[:2], parts[1::-1]):
        merge_results(order, tmp_path / "all")
        records = Results(tmp_path / "all").read()
        assert [r["created"][:4] for r in records if r["run_id"] == "sha256:madx-1" and r["type"] == "run"] == [
            "2026",
            "2027",
        ]
    assert check_results(tmp_path / "all").faults == []


def test_records_of_an_unknown_type_are_kept_once(parts: list[Path], tmp_path: Path) -> None:
    remark = {"type": "remark", "schema": "xleval/1.9", "text": "ẹ̀"}
    for part in parts:
        Results(part).append(remark)
    merge_results(parts, tmp_path / "all")
    assert Results(tmp_path / "all").read()[-1] == remark and len(Results(tmp_path / "all").read()) == 12


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("schema", "xleval/2.0", r"records.jsonl:2: schema xleval/2.0 is newer than this xleval reads"),
        ("per_example.path", "../two/records.jsonl", "leads out of"),
        ("per_example.path", "items/none.jsonl", "per-item file of nli/swa .* cannot be read: .*none.jsonl.*: No such"),
        ("per_example.sha256", "0" * 64, "`xleval results validate .*one/records.jsonl` shows all that is wrong"),
        ("eval_seconds", float("nan"), "has a number that is not finite"),
    ],
)
def test_what_cannot_be_trusted_is_not_joined(
    parts: list[Path], tmp_path: Path, place: str, value: Any, said: str
) -> None:
    shutil.rmtree(parts[0])
    made(parts[0], tasks=["nli"])
    rewritten(Results(parts[0]), put(place, value))
    out = tmp_path / "all"
    merge_results(parts[2:], out)
    before = snapshot(out)
    with pytest.raises(UserError, match=said):
        merge_results([parts[0]], out)
    assert snapshot(out)["records.jsonl"] == before["records.jsonl"] and check_results(out).faults == []


def test_a_cell_without_items_is_joined_as_it_is(parts: list[Path], tmp_path: Path) -> None:
    rewritten(Results(parts[1]), put("per_example", ...))
    shutil.rmtree(parts[0])
    merge_results(parts[1:], tmp_path / "all")
    assert check_results(tmp_path / "all").without_items == 1


def test_stopped_at_any_time_the_target_is_whole(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "all"
    merge_results(parts[2:], out)
    before = snapshot(out)
    write = results_merge.replace_synced
    for last in range(9):  # eight per-item files, then the records
        done = 0

        def stop(path: Path, text: Any, last: int = last) -> None:
            nonlocal done
            if done == last:
                raise KeyboardInterrupt
            done += 1
            write(path, text)

        monkeypatch.setattr(results_merge, "replace_synced", stop)
        shutil.rmtree(out)
        shutil.copytree(parts[2], out)
        (out / "records.jsonl").write_bytes(before["records.jsonl"])
        try:
            merge_results(parts[:2], out)
        except KeyboardInterrupt:
            assert snapshot(out).items() >= before.items()
        assert check_results(out).faults == []
    monkeypatch.setattr(results_merge, "replace_synced", write)
    merge_results(parts[:2], out)
    assert check_results(out).cells == 8


def test_the_command(cli: Cli, parts: list[Path]) -> None:
    done = cli("results", "merge", *parts, "--out", "all")
    assert done.stdout == "8 cells of 3 runs → all/records.jsonl\n"
    assert cli("results", "validate", "all").stdout.endswith("all agree\n")
    rewritten(Results(parts[1]), put("counts.correct", 7))
    assert "have different results of nli/swa" in cli("results", "merge", *parts, "--out", "b", code=2).stderr
    assert "Missing option '--out'" in cli("results", "merge", *parts, code=2).stderr
