"""What is out of bounds is found the same with and without the look at the bytes that spares most lines the search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xleval.leaderboard import bounds

TEXT = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["a" * bounds.STRING, "a" * (bounds.STRING + 1), "\u202e", "\x7f", "\n", "\\", "ŋ", '"', "NaN"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
DEEP = '{"a":' * (bounds.DEPTH + 1) + "1" + "}" * (bounds.DEPTH + 1)
RAW = [
    "1e999",
    "-1e999",
    '{"a":NaN}',
    "9" * 400 + ".0",
    "9" * 400,
    "[" * 30 + "]" * 30,
    DEEP,
    '{"a":"\x01"}',
    '"\\u202e"',
]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_plain", lambda line, record: False)


def unfit(line: str) -> list[str]:
    return list(bounds._unfit(line.encode("utf-8", "surrogatepass")))


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_any_value(value: object, ascii_only: bool) -> None:
    line = json.dumps({"x": value}, ensure_ascii=ascii_only)
    spared = unfit(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_plain", lambda line, record: False)
        assert unfit(line) == spared


@pytest.mark.parametrize("line", RAW, ids=range(len(RAW)))
def test_lines_as_they_may_lie_in_a_file(line: str, slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = unfit(line)
    monkeypatch.undo()
    assert unfit(line) == searched


def test_most_lines_are_spared_the_search(tmp_path: Path) -> None:
    from entries import contributed

    lines = (contributed(tmp_path) / "records.jsonl").read_bytes().splitlines()
    assert sum(bounds._plain(line, json.loads(line)) for line in lines) > len(lines) / 2
