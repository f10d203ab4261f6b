"""Fingerprints: equal data give equal digests, in any order and any process; anything else differs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xleval.fingerprint import canonical, digest, file_digest, files_digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_text_reads_back_as_the_same_data(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert digest(json.loads(canonical(value))) == digest(value)


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_the_order_of_keys_does_not_count(value: dict[str, Any]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


@given(JSON, JSON)
def test_different_text_has_a_different_digest(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


def test_known_value() -> None:
    # Stores outlive versions: a change of these bytes would make every artifact anew.
    assert canonical({"b": [1, 2.5, None, True], "a": "ẹ̀kọ́"}) == '{"a":"ẹ̀kọ́","b":[1,2.5,null,true]}'
    assert digest({"b": 1, "a": "x"}) == hashlib.sha256(b'{"a":"x","b":1}').hexdigest()


def test_numbers_of_different_types_differ() -> None:
    assert len({digest(1), digest(1.0), digest("1"), digest(True)}) == 4
    assert digest((1, 2)) == digest([1, 2])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), {"lr": float("nan")}])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


def test_the_same_in_another_process_with_other_hash_seeds() -> None:
    value = "{'languages': sorted({'swa', 'yor'}), 'lr': 5e-5, 'x': {'b': 1, 'a': 2}}"
    found = {
        subprocess.run(
            [sys.executable, "-c", f"from xleval.fingerprint import digest; print(digest({value}))"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert found == {digest(eval(value))}


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    content = os.urandom(3_000_000)  # several blocks
    one.write_bytes(content)
    other.write_bytes(content)
    assert file_digest(one) == file_digest(other) == hashlib.sha256(content).hexdigest()
    other.write_bytes(content[:-1])
    assert file_digest(other) == hashlib.sha256(content[:-1]).hexdigest()


def test_a_file_rewritten_at_the_same_size_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("aaaa")
    before = file_digest(path)
    path.write_text("bbbb")
    os.utime(path, ns=(1, 1))
    assert file_digest(path) != before


def test_files_count_by_name_and_bytes(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    whole = files_digest(tmp_path, ["a", "b"])
    assert files_digest(tmp_path, ["b", "a"]) == whole
    assert files_digest(tmp_path, ["a", "b", "c"]) != whole
    (tmp_path / "a").rename(tmp_path / "d")
    assert files_digest(tmp_path, ["d", "b"]) != whole


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "nothing")
