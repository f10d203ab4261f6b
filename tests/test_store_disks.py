"""The store on disks that are full, read-only, or in the way: named, and nothing finished is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from full_disk import fail_sync, fill, read_only, small_disk
from test_store import KIND, PRINT, files_below, make

from xleval.errors import UserError
from xleval.fingerprint import digest
from xleval.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = Store(disk / "store")
        make(store)
        filler = fill(disk)
        with pytest.raises(UserError, match=rf"cannot write {disk}.*No space left on device.*--store"):
            make(store, digest("another"), text="w" * 9999)
        with pytest.raises(UserError, match="No space left on device"):
            store.check_writable()
        filler.unlink()
        assert Store(disk / "store").intact(KIND, PRINT)
        assert not store.has(KIND, digest("another"))
        assert files_below(store.root / "tmp") == set()
        store.check_writable()
        make(store, digest("another"), text="w" * 9999)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_write_that_does_not_reach_the_disk_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with monkeypatch.context() as patch:
        fail_sync(patch, code)
        with pytest.raises(UserError, match=rf"cannot write .*{os.strerror(code)}"):
            make(store)
        with pytest.raises(UserError, match="cannot write"):
            store.check_writable()
    assert not store.has(KIND, PRINT) and list(store) == []


def test_a_read_only_store_is_named_and_can_be_read(store: Store) -> None:
    make(store)
    with read_only(store.root):
        with pytest.raises(UserError, match=f"cannot write {store.root}"):
            store.check_writable()
        with pytest.raises(UserError, match="cannot write"):
            make(store, digest("another"))
        assert Store(store.root).intact(KIND, PRINT)


def test_a_store_where_a_file_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=f"cannot write {tmp_path / 'file'}"):
        Store(tmp_path / "file").check_writable()
    with pytest.raises(UserError, match="cannot write"), Store(tmp_path / "file" / "store").lock(PRINT):
        pass


def test_a_file_elsewhere_that_cannot_be_read_is_not_blamed_on_the_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"data\.tsv"), store.create(KIND, PRINT, {}):
        (tmp_path / "data.tsv").read_text()
