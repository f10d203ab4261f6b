"""``xleval validate --data-dir``: every fault of every file, what is withheld, what is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from toy_specs import COMMIT, LAYOUT, toy

from xleval.tasks.checks import MOST, Checker
from xleval.tasks.located import DataOptions
from xleval.tasks.spec import SourceSpec

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cli


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


HEADER = "text\tlabel"


def check(spec: Any, options: DataOptions, sources: Any = (), tasks: Any = ()) -> dict[tuple[str, str], Any]:
    checker = Checker(tasks, {source.name: source for source in sources}, options, {})
    return {(one.split, one.language): one for one in checker.check(spec)}


# What is said of a split


def test_counts_and_absence(data: Path) -> None:
    task = toy({"upstream": [LAYOUT], "rows": {"test": {"swa": 2, "yor": 3}}})
    write(data / "sw.tsv", HEADER, "a\tyes", "b\tno")
    found = check(task, DataOptions(data, offline=True))
    assert list(found) == [("test", "swa"), ("test", "yor")]
    whole = found["test", "swa"]
    assert (whole.state, whole.rows, whole.expected, whole.remarks) == ("ok", 2, 2, ())
    assert whole.files == (whole.origin,) == (str(data / "sw.tsv"),)
    assert found["test", "yor"].state == "absent"
    write(data / "yor.tsv", HEADER, "a\tyes")
    other = check(task, DataOptions(data, offline=True))["test", "yor"]
    assert (other.state, other.rows, other.expected) == ("warning", 1, 3)
    assert "expected 3 rows, found 1" in other.remarks[0]


def test_all_faults_of_a_file_and_each_wrong_label_once(data: Path) -> None:
    path = write(data / "sw.tsv", HEADER, "a\tmaybe", "b", "c\tyes", "d\tmaybe", "e\tperhaps", "f\t")
    (one, _) = check(toy({"upstream": [LAYOUT]}), DataOptions(data)).values()
    assert one.state == "fault"
    assert [remark.removeprefix(f"{path}:")[:22] for remark in one.remarks] == [
        "2: unknown label 'mayb", "3: expected 2 columns,", "6: unknown label 'perh", "7: no gold label; ever",
    ]  # fmt: skip


def test_faults_without_end_are_cut_short(data: Path) -> None:
    path = write(data / "sw.tsv", HEADER, *(f"a\t{number}" for number in range(99)))
    (one, _) = check(toy({"upstream": [LAYOUT]}), DataOptions(data)).values()
    assert len(one.remarks) == MOST + 1
    assert one.remarks[-1] == f"{path}: {MOST} faults, not read any further"


@pytest.mark.parametrize("reason", ["", "They are withheld."])
def test_no_labels_at_all_is_a_fault_only_where_no_release_withholds_them(data: Path, reason: str) -> None:
    task = toy({"upstream": [{**LAYOUT, "unlabelled": reason}]})
    write(data / "sw.tsv", HEADER, "a\t", "b\t")
    write(data / "yor.tsv", HEADER, "a\tyes", "b\t")
    swahili, yoruba = check(task, DataOptions(data)).values()
    assert swahili.state == ("unlabelled" if reason else "fault")
    assert len(swahili.remarks) == 1
    # One label that is missing among others was not withheld.
    assert yoruba.state == "fault" and ":3: no gold label" in yoruba.remarks[0]


def test_dummies_in_place_of_labels(data: Path) -> None:
    write(data / "sw.tsv", HEADER, *["a\tyes"] * 20)
    write(data / "yor.tsv", HEADER, *["a\tyes"] * 20, "a\tno")
    swahili, yoruba = check(toy({"upstream": [LAYOUT]}), DataOptions(data)).values()
    assert "every row has the label 'yes'; releases without gold labels" in swahili.remarks[0]
    assert (swahili.state, yoruba.state) == ("warning", "ok")


def source(name: str = "toy-en", **fields: Any) -> SourceSpec:
    plain = toy({"upstream": [{**LAYOUT, "files": {s: f"{s}.tsv" for s in ("train", "dev", "test")}}]}).model_dump()
    kept = {key: plain[key] for key in ("version", "family", "summary", "licence", "citation", "homepage", "data")}
    return SourceSpec.model_validate({**kept, "kind": "source", "name": name, "language": "eng", **fields})


def test_source_data_have_the_labels_of_the_tasks_that_learn_from_them(data: Path) -> None:
    task = toy({"upstream": [LAYOUT]}, label_map={"aye": "yes"})
    write(data / "train.tsv", HEADER, "a\tyes", "b\taye", "c\tnay", "d\tmaybe")
    write(data / "dev.tsv", HEADER, "a\tno")
    mapped = source(label_map={"nay": "no"})
    found = check(mapped, DataOptions(data), tasks=[task])
    assert {split: one.state for (split, _), one in found.items()} == {"train": "fault", "dev": "ok", "test": "absent"}
    (fault,) = found["train", "eng"].remarks
    assert ":5: unknown label 'maybe'" in fault
    # Nobody says which labels are right.
    assert check(mapped, DataOptions(data))["train", "eng"].state == "ok"


CHOICES = {"format": "jsonl", "columns": {"context": "c", "question": "q", "choices": ["x", "y"], "label": "label"}}


def choices(path: Path, count: int, **more: Any) -> None:
    write(path, *(json.dumps({"c": "c", "q": "q", "x": "a", "y": "b", **more}) for _ in range(count)))


def test_questions_of_another_data_set(data: Path) -> None:
    fields: dict[str, Any] = {"family": "multiple-choice", "labels": (), "question_from": "asks", "label_map": {}}
    task = toy({"upstream": [{"name": "x", "files": {"test": "{lang}.jsonl"}, **CHOICES}]}, **fields)
    files = {split: f"{split}.jsonl" for split in ("train", "dev", "test")}
    asks = source("asks", family="multiple-choice", data={"upstream": [{"name": "y", "files": files, **CHOICES}]})
    choices(data / "sw.jsonl", 2, label=1)
    found = check(task, DataOptions(data), [asks])["test", "swa"]
    assert found.state == "warning" and "not usable without the questions of asks: asks: no test" in found.remarks[0]
    # Their labels may be withheld: nobody asks for them.
    choices(data / "test.jsonl", 2, label=-1)
    assert check(task, DataOptions(data), [asks])["test", "swa"].state == "ok"
    assert check(asks, DataOptions(data), tasks=[task])["test", "eng"].state == "ok"
    choices(data / "test.jsonl", 3)
    fault = check(task, DataOptions(data), [asks])["test", "swa"]
    assert fault.state == "fault" and "2 rows, and asks has 3" in fault.remarks[0]


def test_caches_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = {k: v for k, v in LAYOUT.items() if k not in ("name", "folders")}
    task = toy({"raw": {**raw, "repo": "o/n", "revision": COMMIT}, "rows": {"test": 2}})
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path))
    swahili, yoruba = check(task, DataOptions(offline=True)).values()
    assert swahili.state == yoruba.state == "absent"
    write(tmp_path / "raw" / "o/n" / COMMIT / "sw.tsv", HEADER, "a\tyes", "b\tno")
    write(tmp_path / "raw" / "o/n" / COMMIT / "yor.tsv", HEADER, "a\tyes")
    swahili, yoruba = check(task, DataOptions(offline=True)).values()
    assert (swahili.state, swahili.origin) == ("ok", f"github o/n@{COMMIT}")
    # The bytes are pinned, so the rows must be as many.
    assert yoruba.state == "fault" and "delete the damaged download" in yoruba.remarks[0]


# The command


AMERICAS = "language\tpremise\thypothesis\tlabel"


def test_one_file_of_many_languages_is_reported_once(cli: Cli, data: Path) -> None:
    path = write(data / "test.tsv", AMERICAS, "aym\ta\tb\tneutral", "gn\ta\tb", "quy\tc\td\tneutral")
    done = cli("validate", "--data-dir", data, code=1)
    faults = [line for line in done.stderr.splitlines() if line.startswith("fault: ")]
    assert f"fault: {path}:3: expected 4 columns, found 3 (separated by tabs); correct the line" in faults
    assert len([line for line in faults if ":3:" in line]) == 1
    assert "americasnli" in done.stdout and "FAULT" in done.stdout


def test_faults_of_all_files(cli: Cli, data: Path) -> None:
    one = write(data / "xnli" / "dev-sw.tsv", "a\tb\tneutral", "a\tb\tMAYBE")
    other = write(data / "masakhaner" / "data" / "hau" / "test.txt", "a B-LOC", "b")
    lost = data / "xquad" / "xquad.zh.json"
    lost.parent.mkdir()
    lost.write_bytes(b'{"data": "\xff"}')
    done = cli("validate", "--data-dir", data, code=1)
    for said in (f"{one}:2: unknown label 'MAYBE'", f"{other}:2: expected 2 columns", f"{lost}:1: not UTF-8"):
        assert f"fault: {said}" in done.stderr
    assert "3 with faults (3 in all)" in done.stdout


def test_what_a_release_withholds_is_skipped_and_said(cli: Cli, data: Path) -> None:
    for code in ("sw", "ar"):
        write(data / "xnli" / f"test-{code}.tsv", "a\tb")
    done = cli("validate", "--data-dir", data)
    assert "1 splits checked" not in done.stdout and "2 without gold labels (skipped)" in done.stdout
    assert "skipped: xnli, test of ara, swa: no gold labels, so nothing can be scored here. XTREME" in done.stderr
    assert "not under" in done.stderr and "masakhaner" in done.stderr.split("not under")[1]
    # Whoever names a task means to run it.
    named = cli("validate", "--data-dir", data, "--task", "xnli")
    assert "warning: xnli, test of ara, swa: no gold labels" in named.stderr
    assert f"not under {data}: xnli, dev of ara, bul" in named.stderr
    assert f"not under {data}: mnli (source), train of eng" in named.stderr
    assert "masakhaner" not in named.stdout + named.stderr


def test_as_json(cli: Cli, data: Path) -> None:
    write(data / "xnli" / "dev-sw.tsv", "a\tb\tneutral")
    found = json.loads(cli("validate", "--data-dir", data, "--task", "xnli", "--json").stdout)
    assert found["faults"] == []
    (here,) = (one for one in found["splits"] if one["state"] != "absent")
    assert (here["dataset"], here["kind"], here["split"], here["language"]) == ("xnli", "task", "dev", "swa")
    assert (here["state"], here["rows"], here["expected"]) == ("warning", 1, 2490)
    assert json.loads(cli("validate", "--json").stdout)["faults"] == []


def test_generated_data_and_what_is_on_no_disk(cli: Cli) -> None:
    done = cli("validate", "--task", "demo-ner", "--task", "xquad")
    assert "generated by demo@" in done.stdout
    assert "not on this machine: xquad, test of ara, deu" in done.stderr
    assert "unknown task 'xqad'; did you mean 'xquad'?" in cli("validate", "--task", "xqad", code=2).stderr


def test_data_of_ones_own_task(cli: Cli, data: Path) -> None:
    spec = toy({"upstream": [LAYOUT]}).model_dump(mode="json", exclude_defaults=True)
    (cli.folder / "toy.yaml").write_text(yaml.safe_dump({"kind": "task", **spec}))
    path = write(data / "toy" / "sw.tsv", HEADER, "a\tno", "b\tnot")
    done = cli("validate", "toy.yaml", "--data-dir", data, code=1)
    assert f"fault: {path}:3: unknown label 'not' (known: yes, no)" in done.stderr
    assert "not under" in done.stderr and "xnli" not in done.stderr
    write(path, HEADER, "a\tno")
    assert "1 as expected" in cli("validate", "toy.yaml", "--data-dir", data).stdout
    (cli.folder / "plan.yaml").write_text("tasks: [xnli]\n")
    assert "only those have data" in cli("validate", "plan.yaml", "--data-dir", data, code=2).stderr


def test_folder_that_is_not_there(cli: Cli) -> None:
    assert "nowhere" in cli("validate", "--data-dir", "nowhere", code=2).stderr


# Public data


@pytest.mark.realdata
def test_public_files_have_no_fault(realdata: Path, cli: Cli) -> None:
    tasks = [part for name in ("americasnli", "xcopa", "tydiqa-goldp", "xnli") for part in ("--task", name)]
    found = json.loads(cli("validate", "--data-dir", realdata, *tasks, "--json").stdout)
    assert found["faults"] == []
    states = {(one["dataset"], one["split"], one["language"]): one["state"] for one in found["splits"]}
    assert states["americasnli", "test", "oto"] == states["xcopa", "test", "tha"] == "ok"
    assert states["squad", "train", "eng"] == "warning"
    assert states["tydiqa-goldp", "dev", "tel"] == "unlabelled"
    assert states["xnli", "dev", "fra"] == "absent"
