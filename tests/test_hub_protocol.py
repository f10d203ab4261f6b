"""The real clients against a hub on loopback: pinned, tried again, whole or not at all, offline, nothing unpickled."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hub_toys
import pytest
from hub_server import LONGEST_WAIT, Fault, Hub
from hub_toys import BUSY, FORMS, NOWHERE, SHARDS, TEXTS, downloads, fault_of, files_of, texts_of

from xleval import hub as hub_module
from xleval.hub import TRIES

if TYPE_CHECKING:
    pass

hub, place = hub_toys.hub, hub_toys.place  # the fixtures


# Rows


@pytest.mark.parametrize("form", FORMS)
def test_the_pinned_commit_is_read_once_and_then_from_the_cache(form: str, hub: Hub, place: dict[str, Any]) -> None:
    place |= FORMS[form]
    assert texts_of(place) == TEXTS
    assert hub.log and all(place["revision"] in request.path for request in hub.log)
    asked = len(hub.log)
    assert texts_of(place) == TEXTS
    assert len(hub.log) == asked
    hub.stop()
    assert texts_of(place) == texts_of(place, offline=True) == TEXTS


@pytest.mark.parametrize("name", ["{lang}.tsv", SHARDS])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"repo": "org/none"}, "the hub has no such repository, or it is private"),
        ({"revision": NOWHERE}, "the repository has no such revision"),
        ({"files": {"test": "none.tsv"}}, "the repository has no such file at this revision"),
        ({"files": {"test": "none-*.tsv"}}, "no file of the repository matches"),
    ],
)
def test_what_is_not_there_is_named(
    change: dict[str, Any], reason: str, name: str, hub: Hub, place: dict[str, Any], tmp_path: Path
) -> None:
    place |= {"files": {"test": name}, **change}
    wanted = place["files"]["test"].replace("{lang}", "sw")
    said = fault_of(place)
    assert said.startswith(f"hub {place['repo']}@{place['revision']}: {wanted}: {reason}; ")
    assert said.endswith("or give the files with --data-dir")
    assert not hub.waits  # asking again would not help
    assert not downloads(tmp_path)


def test_a_gated_repository_says_how_to_get_in(hub: Hub, place: dict[str, Any]) -> None:
    hub.repositories["datasets", "org/toy"].gated = True
    assert "is gated: accept its terms on the hub, then `hf auth login`" in fault_of(place)


@pytest.mark.parametrize("part", ["/api/", "/resolve/", "/storage/"])
def test_a_busy_hub_is_asked_again_when_it_said(part: str, hub: Hub, place: dict[str, Any]) -> None:
    hub.script(part, BUSY, Fault(429, {"RateLimit": '"api";r=0;t=9'}), Fault(429, {"Retry-After": "99999"}))
    assert texts_of(place) == TEXTS
    assert hub.waits == [7, 9, 60]


@pytest.mark.parametrize("part", ["/api/", "/resolve/", "/storage/"])
@pytest.mark.parametrize("code", [429, 503])
def test_a_hub_that_stays_busy_is_given_up(code: int, part: str, hub: Hub, place: dict[str, Any]) -> None:
    hub.script(part, *[Fault(code)] * 1000)
    said = fault_of(place)
    assert f"hub org/toy@{place['revision']}: data/sw/test-*.parquet: the hub answers HTTP {code} " in said
    tries = len([request for request in hub.log if part in request.path])
    assert TRIES <= tries <= 6 * TRIES
    assert 0 < sum(hub.waits) < 60


def test_a_server_error_passes(hub: Hub, place: dict[str, Any]) -> None:
    for part in ("/api/", "/resolve/", "/storage/"):
        hub.script(part, Fault(500), Fault(503))
    assert texts_of(place) == TEXTS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_download_cut_short_is_made_again(cut: int, form: str, hub: Hub, place: dict[str, Any]) -> None:
    hub.script("sw", *[Fault(cut=cut)] * 2, method="GET")
    assert texts_of({**place, **FORMS[form]}) == TEXTS
    assert texts_of({**place, **FORMS[form]}, offline=True) == TEXTS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", [Fault(cut=1), Fault(cut=-1), Fault(body=b"x" * 40), Fault(body=b"x" * 5000)])
def test_a_download_that_is_always_damaged_leaves_nothing(
    fault: Fault, form: str, hub: Hub, place: dict[str, Any], tmp_path: Path
) -> None:
    place |= FORMS[form]
    hub.script("sw", *[fault] * TRIES, method="GET")
    assert fault_of(place).startswith(f"hub org/toy@{place['revision']}: ")
    assert not downloads(tmp_path)
    assert "in the cache" in fault_of(place, offline=True) or "local cache" in fault_of(place, offline=True)
    assert texts_of(place) == TEXTS  # and nothing half-written is in the way


@pytest.mark.parametrize("form", FORMS)
def test_other_bytes_of_the_right_length_are_noticed(form: str, hub: Hub, place: dict[str, Any]) -> None:
    place |= FORMS[form]
    name = place["files"]["test"].replace("{lang}", "sw").replace("*", "0")
    right = files_of(TEXTS)[name]
    wrong = Fault(body=right[:8] + bytes([right[8] ^ 1]) + right[9:])
    hub.script(name, wrong, method="GET")
    assert texts_of(place) == TEXTS
    shutil.rmtree(client_cache(place))
    hub.script(name, *[wrong] * TRIES, method="GET")
    assert "has other bytes than announced" in fault_of(place)


def client_cache(place: dict[str, Any]) -> Path:
    """The client's folder of a data set."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"datasets--{place['repo'].replace('/', '--')}"


def test_a_part_of_the_shards_is_not_taken_for_all(hub: Hub, place: dict[str, Any]) -> None:
    one = {**place, "files": {"test": "data/{lang}/test-0.parquet"}}
    assert texts_of(one) == TEXTS[:3]
    assert "not all of it (1 of 2 files); run `xleval fetch`" in fault_of(place, offline=True)
    hub.script("", *[BUSY] * TRIES)
    assert "HTTP 429" in fault_of(place)
    assert texts_of(place) == TEXTS


def test_a_mirror_that_has_files_only_serves_named_files(hub: Hub, place: dict[str, Any]) -> None:
    hub.script("/api/", *[Fault(404)] * 100)
    assert texts_of({**place, **FORMS["tsv"]}) == TEXTS
    assert "HTTP 404" in fault_of(place)


def test_a_hub_that_does_not_answer_is_given_up(
    hub: Hub, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(hub_module, "_TIMEOUT", 0.1)
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(constants, name, 0.1)
    hub.script("", *[Fault(silent=True)] * 100)
    started = time.monotonic()
    assert "the hub is not reached or breaks off: " in fault_of(place)
    assert "the hub is not reached or breaks off: " in fault_of({**place, **FORMS["tsv"]})
    assert time.monotonic() - started < LONGEST_WAIT / 2  # it is the client that gave up


def test_a_fault_of_the_other_storage_says_how_to_do_without(
    hub: Hub, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hf_xet")
    from huggingface_hub import constants

    hub.xet = True
    assert "404 Not Found" in fault_of(place) and "(HF_HUB_DISABLE_XET=1 does without" in fault_of(place)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert texts_of(place) == TEXTS


def test_a_repository_of_many_files_is_listed_to_the_end(
    hub: Hub, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_LISTED", 2)
    assert texts_of(place) == TEXTS
    assert len(hub.asked("/tree/")) > 1
