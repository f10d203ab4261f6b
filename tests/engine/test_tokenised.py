"""Tokenised data on the disk: made once, mapped afterwards, made again where a file is damaged or the disk is full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.test_every_family import MADE
from engine.test_mlm import alphabet_text
from xleval.engine import tokenised
from xleval.engine.session import Session
from xleval.engine.text import cut
from xleval.engine.tokenised import kept_arrays, kept_features
from xleval.hyperparameters import group, merged
from xleval.tasks.family import family_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache; all that is made is kept."""
    monkeypatch.setenv("XLEVAL_CACHE", str(tmp_path))
    monkeypatch.setattr(tokenised, "_LEAST", 1)
    return tmp_path / "tokenised"


def never() -> Any:
    raise AssertionError("made again")


@pytest.mark.parametrize("family", MADE)
def test_features_come_back_as_they_were_made(family: str, session: Session) -> None:
    rows, hyper = MADE[family][0](1, 40), {**group(merged(), "train", family), "head": "two-layer"}
    one = family_of(family)
    made = one.features(rows, session.tokenizer, hyper)
    kept_features({"a": 1}, one.kind, lambda: made)
    again = kept_features({"a": 1}, one.kind, never)
    assert type(again) is type(made)
    for name, value in vars(made).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(again, name), value) and isinstance(getattr(again, name), np.memmap), name
        else:
            assert getattr(again, name) is value
    batch = np.array([3, 1, 2])
    mine, theirs = (found.inputs(batch, 0) for found in (again, made))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_what_decides_is_in_the_name(folder: Path) -> None:
    for number in range(3):
        kept_arrays({"n": number}, lambda number=number: {"x": np.full(5, number)})
    assert [kept_arrays({"n": number}, never)["x"][0] for number in range(3)] == [0, 1, 2]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_file_is_made_again(damage: bytes | None, folder: Path) -> None:
    kept_arrays({}, lambda: {"x": np.arange(1000)})
    (file,) = folder.rglob("x.npy")
    file.write_bytes(file.read_bytes()[:500] if damage is None else damage)
    assert kept_arrays({}, lambda: {"x": np.arange(1000)})["x"].sum() == 499_500
    assert kept_arrays({}, never)["x"].sum() == 499_500


def test_a_disk_that_cannot_be_written_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert kept_arrays({}, lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]
    assert not list(folder.rglob("*"))


def test_small_ones_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenised, "_LEAST", 10**6)
    kept_arrays({}, lambda: {"x": np.arange(3)})
    assert not folder.exists()


def test_chunks_too(session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.conftest import ToyText
    from xleval.engine import text as module

    hyper = group(merged({"la.chunk": 16}), "la")
    text: Any = ToyText("t", "toy", alphabet_text(1, 200))
    first = module.stream(text, session.tokenizer, "mine", hyper)
    monkeypatch.setattr(module, "cut", lambda *given: never())
    again = module.stream(text, session.tokenizer, "mine", hyper)
    assert np.array_equal(first.train, again.train) and np.array_equal(first.held, again.held)
    with pytest.raises(AssertionError, match="made again"):
        module.stream(text, session.tokenizer, "another", hyper)
    assert cut(list(text.lines()), session.tokenizer, 16).dtype == np.int32
