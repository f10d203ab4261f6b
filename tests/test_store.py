"""The store: all of an artifact or nothing, whatever is killed, cut short or written at the same time."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from full_disk import fail_sync

from xleval.errors import UserError
from xleval.fingerprint import digest
from xleval.store import MANIFEST, CorruptArtifactError, Store, default_store, replace_synced

KIND = "task_adapter"
PRINT = digest("an artifact")
CONTEXT = multiprocessing.get_context("spawn")


def make(store: Store, fingerprint: str = PRINT, text: str = "weights", kind: str = KIND, **about: Any) -> Path:
    with store.create(kind, fingerprint, about) as folder:
        (folder / "adapter.bin").write_text(text)
        (folder / "deep").mkdir()
        (folder / "deep" / "head.bin").write_text("head")
    return store.path(kind, fingerprint)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# Making


def test_nothing_is_created_until_the_first_write(store: Store) -> None:
    assert not store.has(KIND, PRINT)
    assert list(store) == list(store.addresses()) == store.garbage(0) == []
    assert not store.root.exists()


def test_an_artifact_is_its_files_and_a_manifest_that_describes_them(store: Store) -> None:
    path = make(store, seconds=1.5, seed=3)
    assert store.has(KIND, PRINT) and store.intact(KIND, PRINT)
    assert store.open(KIND, PRINT) == path
    assert files_below(path) == {"adapter.bin", "deep/head.bin", MANIFEST}
    manifest = store.manifest(KIND, PRINT)
    assert manifest["files"]["adapter.bin"]["bytes"] == 7
    assert set(manifest["files"]) == {"adapter.bin", "deep/head.bin"}
    assert (manifest["kind"], manifest["fingerprint"]) == (KIND, PRINT)
    assert (manifest["seconds"], manifest["seed"]) == (1.5, 3)
    (stored,) = store
    assert (stored.kind, stored.fingerprint, stored.path, stored.bytes) == (KIND, PRINT, path, 11)


def test_what_becomes_known_while_it_is_made_is_in_the_manifest(store: Store) -> None:
    about: dict[str, Any] = {}
    with store.create(KIND, PRINT, about) as folder:
        (folder / "a").write_text("a")
        about["seconds"] = 2
    assert store.manifest(KIND, PRINT)["seconds"] == 2


def test_it_is_not_there_before_the_block_ends(store: Store) -> None:
    with store.create(KIND, PRINT, {}) as folder:
        (folder / "adapter.bin").write_text("half")
        assert not store.has(KIND, PRINT)
        assert not Store(store.root).has(KIND, PRINT)
        assert list(store) == []
    assert store.has(KIND, PRINT)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(store: Store, error: type[BaseException]) -> None:
    with pytest.raises(error), store.create(KIND, PRINT, {}) as folder:  # noqa: PT012
        (folder / "adapter.bin").write_text("half")
        raise error
    assert not store.has(KIND, PRINT)
    assert files_below(store.root) == set()
    assert make(store).is_dir()


def test_finishing_removes_the_checkpoints_and_failing_keeps_them(store: Store) -> None:
    store.partial(PRINT).mkdir(parents=True)
    (store.partial(PRINT) / "step-10").write_text("x")
    with pytest.raises(RuntimeError), store.create(KIND, PRINT, {}):
        raise RuntimeError
    assert (store.partial(PRINT) / "step-10").exists()
    make(store)
    assert not store.partial(PRINT).exists()


def test_making_it_again_replaces_it_whole(store: Store) -> None:
    make(store, text="old")
    make(store, text="new one")
    assert (store.open(KIND, PRINT) / "adapter.bin").read_text() == "new one"
    assert len(list(store)) == 1


def test_a_manifest_that_is_no_json_is_never_written(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        make(store, score=float("nan"))
    assert not store.has(KIND, PRINT) and files_below(store.root) == set()


def test_it_appears_by_one_rename_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(UserError, match="cannot write"):
            make(store)
    assert not store.path(KIND, PRINT).exists() and files_below(store.root) == set()


# Damage


def damage(path: Path, how: str) -> None:
    file = path / "adapter.bin"
    if how == "changed byte":
        file.write_text("weighTs")
    elif how == "truncated":
        file.write_text("weigh")
    elif how == "emptied":
        file.write_text("")
    elif how == "missing":
        file.unlink()
    elif how == "missing below":
        (path / "deep" / "head.bin").unlink()
    elif how == "manifest cut short":
        (path / MANIFEST).write_text((path / MANIFEST).read_text()[:-20])
    elif how == "manifest of another kind":
        (path / MANIFEST).write_text("[]")


FAULTS = {
    "changed byte": "adapter.bin differs from its SHA-256",
    "truncated": "adapter.bin has 5 bytes in place of 7",
    "emptied": "adapter.bin has 0 bytes in place of 7",
    "missing": "adapter.bin is missing",
    "missing below": "head.bin is missing",
    "manifest cut short": MANIFEST,
    "manifest of another kind": MANIFEST,
}


@pytest.mark.parametrize("how", FAULTS)
def test_damage_is_found_named_and_moved_aside(store: Store, how: str) -> None:
    damage(make(store), how)
    fresh = Store(store.root)
    with pytest.raises(CorruptArtifactError, match=FAULTS[how]):
        fresh.open(KIND, PRINT)
    assert not fresh.intact(KIND, PRINT)
    assert not fresh.has(KIND, PRINT)
    (aside,) = (store.root / "corrupt").iterdir()
    assert aside.name.startswith(f"{KIND}-{PRINT}")
    make(fresh)
    assert fresh.intact(KIND, PRINT)


def test_a_file_beyond_the_manifest_is_no_damage(store: Store) -> None:
    (make(store) / "notes.txt").write_text("mine")
    assert Store(store.root).intact(KIND, PRINT)


def test_discarding_what_another_process_discarded_is_no_error(store: Store) -> None:
    make(store)
    store.discard(KIND, PRINT)
    store.discard(KIND, PRINT)
    assert not store.has(KIND, PRINT)


def test_verify_counts_and_names_damage(store: Store, cli: Cli) -> None:
    for number, how in enumerate(FAULTS):
        damage(make(store, digest(number)), how)
    make(store)
    done = cli("store", "verify", "--store", store.root, code=1)
    assert done.stdout == f"1 artifacts whole, {len(FAULTS)} damaged\n"
    assert done.stderr.count("damaged: ") == len(FAULTS)
    assert cli("store", "ls", "--store", store.root, "--json").stdout.count(PRINT) >= 1


# Locks


def hold(root: Path, fingerprint: str, seconds: float = 600) -> subprocess.Popen[str]:
    """A process that has the lock of an artifact."""
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom xleval.store import Store\n"
        "with Store(Path(sys.argv[1])).lock(sys.argv[2]):\n"
        "    print('held', flush=True)\n    time.sleep(float(sys.argv[3]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root), fingerprint, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_lock_keeps_others_waiting_and_says_so_once(store: Store) -> None:
    holder = hold(store.root, PRINT, 2.5)
    waited: list[bool] = []
    with store.lock(PRINT, lambda: waited.append(holder.poll() is None)):
        pass
    assert waited == [True]
    assert holder.wait(10) == 0


def test_a_lock_of_another_artifact_is_free(store: Store) -> None:
    holder = hold(store.root, PRINT)
    try:
        with store.lock(digest("another"), lambda: pytest.fail("waited")):
            pass
    finally:
        holder.kill()
        holder.wait()


def test_a_killed_holder_frees_its_lock(store: Store) -> None:
    holder = hold(store.root, PRINT)
    os.kill(holder.pid, signal.SIGKILL)
    assert holder.wait(10) == -signal.SIGKILL
    with store.lock(PRINT, lambda: pytest.fail("waited")):
        pass


def test_an_exception_frees_the_lock(store: Store) -> None:
    with pytest.raises(RuntimeError), store.lock(PRINT):
        raise RuntimeError
    with store.lock(PRINT, lambda: pytest.fail("waited")):
        pass


def _make_once(root: str, barrier: Any, made: Any) -> None:
    store = Store(Path(root))
    barrier.wait()
    with store.lock(PRINT):
        if not store.intact(KIND, PRINT):
            with store.create(KIND, PRINT, {"pid": os.getpid()}) as folder:
                time.sleep(0.2)
                (folder / "adapter.bin").write_text(str(os.getpid()))
            with made.get_lock():
                made.value += 1


def test_of_several_processes_one_makes_it_and_the_others_reuse_it(store: Store) -> None:
    barrier, made = CONTEXT.Barrier(3), CONTEXT.Value("i", 0)
    processes = [CONTEXT.Process(target=_make_once, args=(str(store.root), barrier, made)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert made.value == 1
    assert store.manifest(KIND, PRINT)["pid"] == int((store.open(KIND, PRINT) / "adapter.bin").read_text())


def test_a_maker_killed_in_the_middle_leaves_nothing_that_looks_finished(store: Store) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom xleval.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "with store.lock(sys.argv[2]), store.create('task_adapter', sys.argv[2], {}) as folder:\n"
        "    (folder / 'adapter.bin').write_text('half')\n    print('made', flush=True)\n    time.sleep(600)\n"
    )
    maker = subprocess.Popen([sys.executable, "-c", script, str(store.root), PRINT], stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None and maker.stdout.readline() == "made\n"
    # While it lives, what it writes is no garbage.
    assert store.garbage(days=0) == []
    maker.kill()
    maker.wait()
    assert not store.has(KIND, PRINT) and list(store) == []
    (left,) = store.garbage(days=0)
    assert left.parent == store.root / "tmp"
    make(store)
    assert store.intact(KIND, PRINT)


# Garbage


def test_gc_lists_then_removes_leftovers_and_nothing_else(store: Store, cli: Cli) -> None:
    make(store)
    damaged = digest("damaged")
    damage(make(store, damaged), "truncated")
    store.discard(KIND, damaged)
    (store.root / "tmp" / f"{damaged}-12345678").mkdir()
    store.path(KIND, digest("no manifest")).mkdir(parents=True)
    old, young = store.partial(digest("old")), store.partial(digest("young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    listed = cli("store", "gc", "--store", store.root).stdout
    assert listed.count("would remove") == 4
    assert old.exists()
    removed = cli("store", "gc", "--store", store.root, "--yes").stdout
    assert removed.endswith("4 removed\n")
    assert young.exists() and not old.exists()
    assert store.intact(KIND, PRINT)
    assert cli("store", "gc", "--store", store.root).stdout == "0 to remove; pass --yes to do it\n"


def test_gc_unused_by_keeps_what_records_name(store: Store, cli: Cli, tmp_path: Path) -> None:
    names = {"language": "la", "task": "ta", "infer": "la2", "prediction": "p", "unused": "u"}
    prints = {role: digest(name) for role, name in names.items()}
    for role, fingerprint in prints.items():
        make(store, fingerprint, kind="prediction" if role == "prediction" else KIND)
    results = tmp_path / "results"
    results.mkdir()
    run = {"type": "run", "schema": "xleval/1.0", "run_id": "r",
           "adapters": [{"id": f"sha256:{prints['language']}"}, {"id": f"sha256:{prints['task']}"}]}  # fmt: skip
    cell = {"type": "eval", "schema": "xleval/1.0", "run_id": "r", "status": "ok", "task": "t", "task_version": "1",
            "dataset_revision": "x", "split": "test", "language": "swa",
            "infer_on": {"id": f"sha256:{prints['infer']}"},
            "per_example": {"path": f"items/{prints['prediction'][:32]}.jsonl"}}  # fmt: skip
    (results / "records.jsonl").write_text(json.dumps(run) + "\n" + json.dumps(cell) + "\n")
    done = cli("store", "gc", "--store", store.root, "--unused-by", results, "--yes").stdout
    assert done == f"removed {store.path(KIND, prints['unused'])}\n1 removed\n"


# Small writes and the default place


def test_replace_synced_leaves_the_old_text_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.txt"
    replace_synced(path, "old")
    with monkeypatch.context() as patch:
        fail_sync(patch)
        with pytest.raises(UserError, match=rf"cannot write {path}"):
            replace_synced(path, "new")
    assert path.read_text() == "old"
    replace_synced(path, "new")
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.read_text() == "new"


def test_the_default_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XLEVAL_STORE", str(tmp_path / "mine"))
    assert default_store() == tmp_path / "mine"
    monkeypatch.setenv("XLEVAL_STORE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_store().name == "store"
    assert "xleval" in default_store().parts


def test_store_path_finds_an_artifact_by_the_start_of_its_fingerprint(store: Store, cli: Cli) -> None:
    path = make(store)
    assert cli("store", "path", "--store", store.root, PRINT[:8]).stdout.strip() == str(path)
    assert cli("store", "path", "--store", store.root, f"sha256:{PRINT}").stdout.strip() == str(path)
    assert cli("store", "path", "--store", store.root).stdout.strip() == str(store.root)
    assert cli("store", "path").stdout.strip() == cli.environment["XLEVAL_STORE"]
