"""Hyperparameters: every default is one that would be accepted, and nothing else gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xleval.errors import UserError
from xleval.host import Host
from xleval.hyperparameters import DEV_OPTIONS, KNOWN, group, merged, parsed


@pytest.mark.parametrize("key", KNOWN)
def test_every_default_is_a_value_of_its_own_kind(key: str) -> None:
    known = KNOWN[key]
    for given_as in (known.default, str(known.default)):
        value = parsed(key, given_as)
        assert value == known.default
        assert type(value) is type(known.default)
    assert known.help and bool(known.choices) == isinstance(known.default, str)


@pytest.mark.parametrize("key", KNOWN)
@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-1", None, [], {}])
def test_nonsense_is_refused_with_the_key(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{key}="):
        parsed(key, value)


@given(st.integers(1, 10**9))
def test_whole_numbers_as_text_or_number(value: int) -> None:
    assert parsed("train.epochs", str(value)) == parsed("train.epochs", value) == value


def test_a_whole_number_may_be_written_as_a_float() -> None:
    value = parsed("la.steps", "1e3")
    assert value == 1000 and isinstance(value, int)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochs", "2.5", "train.epochs=2.5: needs a whole number of at least 1"),
        ("train.epochs", "0", "needs a whole number of at least 1"),
        ("train.lr", "-0.1", "train.lr=-0.1: needs a number of at least 0"),
        ("la.mlm_probability", "1", "needs a number of at least 0.01 below 1"),
        ("train.select", "first", "train.select=first: choose one of best, last"),
        ("train.epoch", "1", "unknown hyperparameter 'train.epoch'; did you mean 'train.epochs'"),
        ("epochs", "1", "unknown hyperparameter 'epochs'.*xleval show hyperparameters"),
    ],
)
def test_the_message_says_what_would_do(key: str, value: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parsed(key, value)


def test_later_layers_win_and_nothing_is_lost() -> None:
    values = merged({"train.epochs": 2, "train.lr": 1e-3}, {"train.epochs": "3"}, {})
    assert (values["train.epochs"], values["train.lr"]) == (3, 1e-3)
    assert set(values) == set(KNOWN)
    assert values["train.batch"] == KNOWN["train.batch"].default


def test_merging_changes_none_of_its_layers() -> None:
    layer = {"train.epochs": "3"}
    merged(layer)
    assert layer == {"train.epochs": "3"}


def test_groups_part_all_hyperparameters() -> None:
    values = merged()
    prefixes = ("la", "ba", "ma", "fusion", "tune", "train", "full", "eval", "engine")
    groups = {prefix: group(values, prefix) for prefix in prefixes}
    assert sum(map(len, groups.values())) == len(KNOWN)
    assert groups["la"]["lr"] == values["la.lr"] != groups["train"]["lr"]


def test_what_ships_sets_only_known_hyperparameters() -> None:
    host = Host()
    for declared in (*host.tasks.values(), *host.suites.values()):
        assert merged(declared.hyperparameters)


def test_a_family_has_only_what_means_something_for_it() -> None:
    values = merged()
    assert set(group(values, "eval", "dependency-parsing")) == {"decode"}
    assert set(group(values, "eval", "question-answering")) == {"answer_length"}
    assert group(values, "eval", "token-classification") == {}
    assert {"stride", "root", "question", "head"}.isdisjoint(group(values, "train", "token-classification"))
    assert "lr" in group(values, "train", "token-classification")
    assert set(DEV_OPTIONS) == set(group(values, "eval"))
