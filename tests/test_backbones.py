"""Backbones: what a name, a hub id or a folder stands for, and what is said of one that cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from xleval.backbones import Backbone, resolve_backbone
from xleval.errors import UserError
from xleval.host import Host
from xleval.languages import builtin

DEMO = Host().backbones.get("demo")


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a hub that nobody answers at."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    for name, value in {"HF_HUB_CACHE": str(cache), "ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": True}.items():
        monkeypatch.setattr(constants, name, value)
    return cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mine"
    assert DEMO.folder is not None
    shutil.copytree(DEMO.folder, copy)
    return copy


# Names


def test_every_registered_backbone_is_pinned_or_a_folder(host: Host) -> None:
    for backbone in host.backbones.values():
        if backbone.folder is None:
            assert backbone.revision is not None and len(backbone.revision) == 40
            assert backbone.identity == {"id": backbone.source, "revision": backbone.revision}
        assert backbone.summary


def test_a_name_or_package_and_name(host: Host) -> None:
    assert resolve_backbone("mbert", host) == resolve_backbone("xleval/mbert", host) == host.backbones.get("mbert")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mbret", "unknown backbone 'mbret'; did you mean 'mbert'"),
        ("./nowhere", "backbone './nowhere': no such folder"),
        ("/no/where", "backbone '/no/where': no such folder"),
        ("~/no-such-folder", "no such folder"),
        ("a/b/c", "backbone 'a/b/c': no such folder"),
    ],
)
def test_what_is_neither_is_refused(host: Host, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_backbone(text, host)


def test_knows_by_published_list_or_by_codes(host: Host) -> None:
    languages = builtin()
    mbert = host.backbones.get("mbert")
    assert mbert.knows(languages.get("swa")) and not mbert.knows(languages.get("wol"))
    assert host.backbones.get("xlmr").knows(languages.get("amh"))
    assert Backbone("x", "x/y", seen=frozenset({"wol"})).knows(languages.get("wol"))
    assert not Backbone("x", "x/y").knows(languages.get("eng"))
    assert DEMO.knows(host.languages.get("qaa"))


# Folders


def test_a_folder_is_a_backbone_named_after_it(host: Host, folder: Path) -> None:
    backbone = resolve_backbone(str(folder), host)
    assert (backbone.name, backbone.folder, backbone.path(offline=True)) == ("mine", folder, folder)
    assert backbone.identity["id"] == "mine"


def test_the_same_files_are_the_same_backbone_wherever_they_lie(host: Host, folder: Path, tmp_path: Path) -> None:
    backbone = resolve_backbone(str(folder), host)
    assert backbone.fingerprint == DEMO.fingerprint
    other = folder.rename(tmp_path / "other")
    assert resolve_backbone(str(other), host).fingerprint == DEMO.fingerprint
    (other / "README.md").write_text("not loaded, so not part of it")
    (other / "pytorch_model.bin").write_bytes(b"neither")
    assert resolve_backbone(str(other), host).fingerprint == DEMO.fingerprint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"])
def test_what_is_loaded_is_part_of_its_identity(host: Host, folder: Path, name: str) -> None:
    with (folder / name).open("ab") as stream:
        stream.write(b"\n")
    assert Backbone("mine", str(folder)).fingerprint != DEMO.fingerprint


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (["config.json"], "no config.json .is it a transformers checkpoint"),
        (["model.safetensors"], r"no model.safetensors \(pickled weights are not loaded\)"),
        (["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"], "no tokenizer files"),
    ],
)
def test_a_folder_that_lacks_something_says_what(host: Host, folder: Path, remove: list[str], message: str) -> None:
    for name in remove:
        (folder / name).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UserError, match=message):
        resolve_backbone(str(folder), host)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_a_config_that_is_no_json_is_named(host: Host, folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"mine/config\.json: not JSON"):
        resolve_backbone(str(folder), host)


def test_the_head_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    def write(*names: str) -> Backbone:
        header = json.dumps({name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for name in names}).encode()
        (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        return Backbone("x", str(tmp_path))

    assert write("bert.pooler.dense.weight", "bert.x").head == "pooler"
    assert write("roberta.x").head == "two-layer"
    assert Backbone("x", "a/b", has_pooler=True).head == "pooler"
    assert Backbone("x", "a/b").head == "two-layer"


@pytest.mark.parametrize("content", [b"", b"\x10", b"\x10\0\0\0\0\0\0\0{", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0\xff\xff"])
def test_weights_that_are_no_safetensors_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors: not a safetensors file"):
        _ = Backbone("x", str(tmp_path)).head


# The hub


def test_offline_and_not_cached_says_what_to_do(host: Host, no_hub: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)not in the local cache.*xleval fetch.*--backbone FOLDER.*backbone make"):
        host.backbones.get("mbert").path(offline=True)


def test_the_hub_does_not_answer(host: Host, no_hub: Path) -> None:
    with pytest.raises(UserError, match="google-bert/bert-base-multilingual-cased"):
        host.backbones.get("mbert").path()


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("name", ["org/encoder", "org/encoder name", "org/--"])
def test_a_hub_id_that_is_not_reached_is_named(host: Host, no_hub: Path, name: str, offline: bool) -> None:
    with pytest.raises(UserError, match=f"backbone '{name}' is neither a known name, a folder, nor reachable"):
        resolve_backbone(name, host, offline=offline)


def test_a_revision_is_taken_as_given(host: Host, no_hub: Path) -> None:
    backbone = resolve_backbone("org/encoder@abc", host, offline=True)
    assert backbone.identity == {"id": "org/encoder", "revision": "abc"}


def cached(cache: Path, files: dict[str, bytes]) -> Path:
    """What a download leaves."""
    home = cache / "models--org--encoder"
    snapshot = home / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c" * 40)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)
    return snapshot


def test_a_cached_backbone_is_used_offline_under_its_revision(host: Host, no_hub: Path) -> None:
    snapshot = cached(no_hub, {"config.json": b"{}", "model.safetensors": b"x"})
    backbone = resolve_backbone("org/encoder", host, offline=True)
    assert backbone.revision == "c" * 40
    assert backbone.path(offline=True) == snapshot


def test_pickled_weights_are_never_used(host: Host, no_hub: Path) -> None:
    cached(no_hub, {"config.json": b"{}", "pytorch_model.bin": b"x"})
    with pytest.raises(UserError, match="no safetensors weights at this revision; pickles are not loaded"):
        resolve_backbone("org/encoder", host, offline=True).path(offline=True)
