"""Whole runs on the demo: determinism, kills, two processes, damage, failures. What is on disk is what counts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
from conftest import Cli

from xleval.records import Results, content

SMALL = [
    "--language", "qab,qai", "--limit", "40",
    "--set", "la.steps=8", "--set", "la.eval_every=4", "--set", "la.chunk=32", "--set", "la.lr=1e-3",
    "--set", "train.steps=20", "--set", "train.eval_every=8", "--set", "train.max_length=48", "--set", "train.lr=1e-3",
]  # fmt: skip


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def arguments(folder: Path, *more: str) -> list[str]:
    task = [] if "--task" in more else ["--task", "demo-ner"]
    place = ["--store", str(folder / "store"), "--out", str(folder / "out")]
    return [*task, *SMALL, *place, *more]


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "xleval", "run", *arguments(folder, *more)]


class Xleval(Protocol):
    def __call__(
        self, folder: Path, *more: str, command: str = "run", code: int | None = 0, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="module")
def xleval(shared_cli: Cli) -> Xleval:
    """A run, or a half of one, in one process: for what does not depend on how many there are."""

    def call(folder: Path, *more: str, command: str = "run", code: int | None = 0, seconds: float = 300) -> Any:
        return shared_cli(command, *arguments(folder, *more, "--jobs", "1"), code=code, seconds=seconds)

    return call


def contents(folder: Path) -> list[str]:
    """Records without clock fields, as sorted JSON; and every per-item file is what its record says."""
    results = Results(folder / "out")
    for record in results.read():
        if record.get("per_example"):
            import hashlib

            data = (folder / "out" / record["per_example"]["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == record["per_example"]["sha256"]
    return sorted(json.dumps(content(record), sort_keys=True) for record in results.read())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, xleval: Xleval) -> Path:
    """An uninterrupted run of two strategies and two seeds, in one process."""
    folder = tmp_path_factory.mktemp("whole")
    xleval(folder, *STRATEGIES)
    return folder


STRATEGIES = ("--strategy", "tlr-all-multi", "--strategy", "la-none", "--seeds", "2")


def test_a_run_leaves_a_record_for_every_cell(whole: Path) -> None:
    results = Results(whole / "out")
    cells = list(results.cells().values())
    assert len(cells) == 2 * 2 * 2
    assert {r["status"] for r in cells} == {"ok"}
    runs = results.runs()
    for record in cells:
        run = runs[record["run_id"]]
        assert run["train_run_id"].startswith("sha256:")
        assert run["env"]["precision"] == "fp32"
        assert record["n_examples"] == 40
        assert record["limit"] == {"examples": 40, "seed": 0}
        assert set(record["counts"]) == {"tp", "pred", "gold"}
    multi = next(r for r in runs.values() if r["strategy"]["name"] == "tlr-all-multi")
    assert multi["train_on"] == [f"LA(qa{letter})" for letter in "abcdefghi"]  # the suite's world, source first
    assert multi["drop_last"] is True
    assert multi["target_scope"] == "shared"
    assert [a["role"] for a in multi["adapters"]] == ["language"] * 9 + ["task"]
    assert all(a["sha256"] for a in multi["adapters"])


def test_recorded_f1_is_seqevals_over_the_written_predictions(whole: Path) -> None:
    from seqeval.metrics import f1_score

    from xleval_demo.data import DemoData

    gold = {row["id"]: row["tags"] for lang in ("qab", "qai") for row in DemoData().rows("demo-ner", "test", lang)}
    for record in Results(whole / "out").cells().values():
        language = {row["id"]: row["tags"] for row in DemoData().rows("demo-ner", "test", record["language"])}
        items = [json.loads(s) for s in (whole / "out" / record["per_example"]["path"]).read_text().splitlines()]
        assert len(items) == record["per_example"]["rows"] == 40
        expected = f1_score([language[i["id"]] for i in items], [i["prediction"] for i in items])
        assert record["metrics"]["f1"]["value"] == pytest.approx(expected, abs=1e-12)
        assert set(items[0]) == {"id", "prediction", "tp", "pred", "gold"}
    assert gold


def items(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out" / "items").iterdir()}


def test_two_runs_give_the_same_records_bit_for_bit(whole: Path, tmp_path: Path, xleval: Xleval) -> None:
    xleval(tmp_path, *STRATEGIES)
    assert contents(tmp_path) == contents(whole)
    assert items(tmp_path) == items(whole)


def test_a_second_run_trains_nothing_and_imports_no_torch(whole: Path) -> None:
    before = contents(whole)
    probe = (
        "import sys; from xleval.cli import cli; cli.main(sys.argv[1:], standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *command(whole, *STRATEGIES)[3:]],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=whole,
        timeout=60,
    )
    assert done.stdout.strip().endswith("False"), done.stderr
    assert contents(whole) == before


def test_another_results_folder_reuses_the_predictions(whole: Path, tmp_path: Path, xleval: Xleval) -> None:
    done = xleval(whole, *STRATEGIES, "--out", str(tmp_path / "out"))
    assert "scoring only" in done.stderr
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
def test_ten_kills_and_a_resume_lose_and_repeat_nothing(whole: Path, tmp_path: Path, xleval: Xleval) -> None:
    draw = random.Random(int(os.environ.get("XLEVAL_KILL_SEED", "1")))
    always = (*STRATEGIES, "--set", "engine.checkpoint_seconds=0")
    finished: set[str] = set()
    for number in range(10):
        if number % 5:
            with suppress(subprocess.TimeoutExpired):
                xleval(tmp_path, *always, code=None, seconds=draw.uniform(0.5, 7.0))
        else:  # workers survive the process that started them, for a while
            process = subprocess.Popen(
                command(tmp_path, *always),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                cwd=tmp_path,
            )
            time.sleep(draw.uniform(4.0, 14.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
        now = {r["run_id"] + r["language"] for r in Results(tmp_path / "out").cells().values()}
        assert finished <= now  # what was finished before is there still
        finished = now
    xleval(tmp_path, *STRATEGIES)
    assert contents(tmp_path) == contents(whole)


def test_two_processes_share_a_store_and_a_results_folder(whole: Path, tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            command(tmp_path, *STRATEGIES),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    assert contents(tmp_path) == contents(whole)


def test_one_process_gives_the_same_records_as_several(whole: Path, tmp_path: Path) -> None:
    """Nor do the seeds of hashes matter: each of these is an interpreter from nothing."""
    several = command(tmp_path, *STRATEGIES, "--jobs", "2")
    done = subprocess.run(several, capture_output=True, text=True, env=environment(), cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == contents(whole)
    assert items(tmp_path) == items(whole)


def test_a_worker_that_is_killed_leaves_failed_records_that_a_retry_replaces(tmp_path: Path, xleval: Xleval) -> None:
    asked = command(tmp_path, *STRATEGIES, "--jobs", "2")
    process = subprocess.Popen(
        asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("LA "):
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [c for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]
    os.kill(int(workers[0]), signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode == 1
    failed = [r for r in Results(tmp_path / "out").cells().values() if r["status"] == "failed"]
    assert {r["error"]["type"] for r in failed} == {"ProcessDied"}
    xleval(tmp_path, *STRATEGIES)
    assert {r["status"] for r in Results(tmp_path / "out").cells().values()} == {"ok"}


def test_a_truncated_adapter_is_noticed_and_made_again(whole: Path, tmp_path: Path, xleval: Xleval) -> None:
    import shutil

    shutil.copytree(whole / "store", tmp_path / "store")
    weights = sorted((tmp_path / "store" / "language_adapter").rglob("adapter.safetensors"))
    for file in weights:
        file.write_bytes(file.read_bytes()[:-100])
    shutil.rmtree(tmp_path / "store" / "prediction")
    done = xleval(tmp_path, *STRATEGIES)
    assert done.stderr.count("in the store is damaged: making it again") == 2  # those that predictions stand on
    assert contents(tmp_path) == contents(whole)


def test_a_failing_cell_is_a_record_and_the_rest_goes_on(tmp_path: Path, xleval: Xleval) -> None:
    done = xleval(
        tmp_path, "--strategy", "la-none-tr", "--seeds", "1", "--task", "demo-ner", "--task", "demo-nli",
        "--set", "train.lr=1e30", code=1,
    )  # fmt: skip
    failed = [r for r in Results(tmp_path / "out").cells().values() if r["status"] == "failed"]
    assert len(failed) == 4
    assert all("step" in r["error"]["message"] for r in failed)
    assert "failed" in done.stdout
    # A retry that succeeds supersedes the failure.
    xleval(tmp_path, "--strategy", "la-none-tr", "--seeds", "1", "--set", "train.lr=1e-3")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_says_what_is_done_and_how_to_go_on(jobs: str, tmp_path: Path) -> None:
    asked = command(tmp_path, *STRATEGIES, "--set", "train.steps=2000", "--jobs", jobs)
    process = subprocess.Popen(
        asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    )
    assert process.stderr is not None
    for line in process.stderr:  # until the first task adapter is under way
        if line.startswith("TA demo-ner") and "step" in line.split(":")[1] and "2000 steps" not in line:
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "run the same command again" in rest
    assert "Traceback" not in rest
    assert list((tmp_path / "store" / "partial").glob("*/current.json"))  # the training goes on from here


def test_score_needs_no_model_and_predict_records_nothing(whole: Path, tmp_path: Path, xleval: Xleval) -> None:
    early = xleval(tmp_path, *STRATEGIES, command="score", code=1)
    assert "8 cells have no prediction yet" in early.stderr
    xleval(tmp_path, *STRATEGIES, command="predict")
    assert not (tmp_path / "out" / "records.jsonl").exists()
    xleval(tmp_path, *STRATEGIES, command="score")
    assert contents(tmp_path) == contents(whole)


def test_python_api_gives_the_same_table(whole: Path) -> None:
    import xleval as package

    table = package.run(
        strategies=["tlr-all-multi", "la-none"], tasks=["demo-ner"], languages=["qab", "qai"],
        seeds=[1, 2], limit=40, store=whole / "store", out=whole / "out",
        set={"la.steps": 8, "la.eval_every": 4, "la.chunk": 32, "la.lr": 1e-3, "train.steps": 20,
             "train.eval_every": 8, "train.max_length": 48, "train.lr": 1e-3},
    )  # fmt: skip
    (task,) = table.tables
    assert [row.strategy for row in task.rows] == ["tlr-all-multi", "la-none"]
    assert task.rows[0].coverage == (2, 2)
    assert "| tlr-all-multi |" in table.to_markdown()
