"""Backbones, other clients and whole commands against a hub on loopback: offline again, and nothing unpickled."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hub_toys
import pytest
from hub_server import Fault, Hub
from hub_toys import COLUMNS, NOWHERE, TEXTS, files_of, texts_of
from toy_specs import rows_of, toy

from xleval.backbones import Backbone, resolve_backbone
from xleval.errors import UserError
from xleval.host import Host
from xleval.hub import TRIES
from xleval.records import Results, content
from xleval.tasks.sources import DataOptions
from xleval.testing import make_backbone

if TYPE_CHECKING:
    from conftest import Cli

hub, place = hub_toys.hub, hub_toys.place  # the fixtures


# Backbones


class Bomb:
    """What a pickle can do when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder as a folder."""
    folder = Host().backbones.get("demo").folder
    assert folder is not None
    return make_backbone(folder, tmp_path_factory.mktemp("tiny"), hidden=32, layers=1)


@pytest.fixture
def commit(hub: Hub, tiny: Path, tmp_path: Path) -> str:
    """The encoder's commit, main; a pickle that must not be loaded lies beside its weights."""
    files = {path.name: path.read_bytes() for path in tiny.iterdir()}
    return hub.commit(
        "org/tiny", {**files, "pytorch_model.bin": pickle.dumps(Bomb(tmp_path / "exploded"))}, kind="model"
    )


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def test_a_backbone_is_downloaded_once_at_its_commit(hub: Hub, commit: str, tiny: Path) -> None:
    hub.commit("org/tiny", {"config.json": b"{}", "model.safetensors": b"moved"}, kind="model")
    path = Backbone("tiny", "org/tiny", commit).path()
    assert {file.name: file.read_bytes() for file in path.iterdir()} == {
        file.name: file.read_bytes() for file in tiny.iterdir()
    }
    assert not hub.asked(".bin")
    assert all(commit in request.path for request in hub.log)
    asked = len(hub.log)
    assert (
        Backbone("tiny", "org/tiny", commit).path() == Backbone("tiny", "org/tiny", commit).path(offline=True) == path
    )
    assert len(hub.log) == asked


@pytest.mark.parametrize("text", ["org/tiny", "org/tiny@main", "org/tiny@v1"])
def test_a_branch_is_resolved_to_a_commit_that_offline_finds_again(
    text: str, hub: Hub, commit: str, host: Host
) -> None:
    repository = hub.repositories["models", "org/tiny"]
    repository.refs["v1"] = commit
    backbone = resolve_backbone(text, host)
    assert backbone.identity == {"id": "org/tiny", "revision": commit}
    path = backbone.path()
    # The branch moves on and another plan is made, but nothing is downloaded: offline is what was.
    newer = hub.commit("org/tiny", {"config.json": b"{}"}, kind="model", ref=text.partition("@")[2] or "main")
    assert resolve_backbone(text, host).revision == newer
    again = resolve_backbone(text, host, offline=True)
    assert (again, again.path(offline=True)) == (backbone, path)
    hub.script("/api/", *[Fault(503)] * TRIES)
    with pytest.warns(UserWarning, match=f"HTTP 503 .*the cached {commit} is used"):
        assert resolve_backbone(text, host) == backbone


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("org/none", "the hub has no such repository, or it is private"),
        ("org/tiny@none", "the repository has no such revision"),
        (f"org/tiny@{NOWHERE}", "the repository has no such revision"),
        (f"org/none@{NOWHERE}", "the hub has no such repository, or it is private"),
    ],
)
def test_a_backbone_that_is_not_there_is_named(text: str, reason: str, hub: Hub, commit: str, host: Host) -> None:
    with pytest.raises(UserError) as caught:
        resolve_backbone(text, host).path()
    said = str(caught.value)
    assert text in said and reason in said and "check the id, the network and HF_ENDPOINT" in said
    assert "\n" not in said and not hub.waits


def test_a_backbone_of_pickles_is_refused_and_they_are_not_even_downloaded(hub: Hub, tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    sha = hub.commit("org/old", {"config.json": b"{}", "pytorch_model.bin": bomb}, kind="model")
    with pytest.raises(UserError, match="no safetensors weights at this revision; pickles are not loaded"):
        Backbone("old", "org/old", sha).path()
    assert not hub.asked(".bin")


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_a_part_of_a_backbone_is_not_taken_for_all(name: str, hub: Hub, commit: str) -> None:
    backbone = Backbone("tiny", "org/tiny", commit)
    hub.script(name, *[Fault(cut=10)] * TRIES, method="GET")
    with pytest.raises(UserError, match=f"backbone org/tiny@{commit}: the hub is not reached or breaks off"):
        backbone.path()
    with pytest.raises(
        UserError, match=r"not in the local cache, or not all of it \(\d of 6 files\); run `xleval fetch`"
    ):
        backbone.path(offline=True)
    assert (backbone.path() / name).is_file()  # the hub is itself again


# Other clients, whole commands


def environment(hub: Hub, folder: Path, **more: str) -> dict[str, str]:
    """Variables that point a process of its own to the hub, with caches under a folder."""
    caches = {"HF_HOME": str(folder / "hf"), "XLEVAL_CACHE": str(folder / "xleval")}
    return {**caches, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1", **more}


CLIENTS = """
import json, sys
import adapters, datasets, torch
from transformers import AutoModel, AutoTokenizer
commit, adapter, data = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained("org/tiny", revision=commit)
model = AutoModel.from_pretrained("org/tiny", revision=commit, use_safetensors=True)
adapters.init(model)
model.load_adapter("org/adapter", source="hf", version=adapter, load_as="mine", use_safetensors=True, set_active=True)
rows = datasets.load_dataset("org/toy", revision=data, data_files={"test": "data/sw/test-*.parquet"}, split="test")
weights = {name: value.detach() for name, value in model.named_parameters() if ".mine." in name}
print(json.dumps({
    "tokens": tokenizer.tokenize("a word"), "embedding": model.get_input_embeddings().weight.sum().item(),
    "adapter": [float(value.abs().sum()) for _, value in sorted(weights.items())], "rows": list(rows),
}))
"""


def test_other_clients_read_what_xleval_reads(
    hub: Hub, place: dict[str, Any], commit: str, tiny: Path, tmp_path: Path
) -> None:
    import adapters
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(tiny)
    adapters.init(model)
    model.add_adapter("made", config="seq_bn")
    model.save_adapter(str(tmp_path / "adapter"), "made", use_safetensors=True)
    weights = {name: value.detach() for name, value in model.named_parameters() if ".made." in name}
    (tmp_path / "adapter" / "pytorch_adapter.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    adapter = hub.commit_folder("org/adapter", tmp_path / "adapter")
    hub.commit("org/adapter", {"adapter_config.json": b"{}"}, kind="model")

    done = subprocess.run(
        [sys.executable, "-c", CLIENTS, commit, adapter, place["revision"]],
        env={**os.environ, **environment(hub, tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tokens"] == AutoTokenizer.from_pretrained(tiny).tokenize("a word")
    assert found["embedding"] == pytest.approx(model.get_input_embeddings().weight.sum().item())
    assert found["adapter"] == pytest.approx([float(value.abs().sum()) for _, value in sorted(weights.items())])
    assert len(found["adapter"]) == 4
    assert [row["text"] for row in found["rows"]] == texts_of(place) == TEXTS
    names = toy({"hub": place}).labels, place["label_names"]
    assert [names[1][row["label"]] for row in found["rows"]] == [
        names[0][row.label] for row in rows_of(toy({"hub": place}), DataOptions())
    ]
    assert not (tmp_path / "exploded").exists()


@pytest.fixture
def toys(hub: Hub, place: dict[str, Any], commit: str, cli: Cli, tmp_path: Path) -> list[str]:
    """Options of a run whose task, source and backbone all lie on the hub, declared by a plugin in the folder."""
    train = hub.commit("org/english", {f"{split}.jsonl": files_of(TEXTS)["sw.jsonl"] for split in ("train", "dev")})
    about = {"family": "sequence-classification", "version": "1", "summary": "A toy.", "licence": "CC0",
             "citation": "@misc{toy}", "homepage": "https://example.org"}  # fmt: skip
    files = {split: f"{split}.jsonl" for split in ("train", "dev")}
    english = {"repo": "org/english", "revision": train, "format": "jsonl", "columns": COLUMNS, "files": files}
    specs = {
        "toy": {"kind": "task", "languages": ["swa"], "labels": ["yes", "no"], "source": "toy-en", "metric": "accuracy",
                "data": {"codes": {"swa": "sw"}, "hub": place}},
        "toy-en": {"kind": "source", "language": "eng", "data": {"hub": english}},
    }  # fmt: skip
    for name, spec in specs.items():
        (cli.folder / f"{name}.yaml").write_text(json.dumps({"name": name, **about, **spec}))
    (cli.folder / "toys.py").write_text(
        "from pathlib import Path\nfrom xleval import hookimpl\n\n@hookimpl\ndef xleval_tasks():\n"
        "    return sorted(Path(__file__).parent.glob('*.yaml'))\n"
    )
    cli.environment |= environment(hub, tmp_path, XLEVAL_PLUGINS="toys")
    small = ("steps=2", "eval_every=1", "batch=4", "max_length=16")
    settings = [part for value in small for part in ("--set", f"train.{value}")]
    return ["--task", "toy", "--backbone", "org/tiny", "--strategy", "la-none-tr", "--seeds", "1", *settings]


def records(out: Path) -> list[str]:
    return sorted(json.dumps(content(record), sort_keys=True) for record in Results(out).read())


def test_a_run_from_the_hub_and_again_without_it(
    toys: list[str], hub: Hub, place: dict[str, Any], commit: str, cli: Cli, tmp_path: Path
) -> None:
    early = cli("fetch", *toys, "--offline", code=2).stderr
    assert "backbone 'org/tiny'" in early and "Traceback" not in early
    assert not hub.log
    hub.script("", *[Fault(429, {"Retry-After": "0"})] * 3)
    cli("fetch", *toys)
    asked = len(hub.log)
    cli("run", *toys, "--out", "online")
    later = {request.path for request in hub.log[asked:]}
    assert later == {"/api/models/org/tiny/revision/main"}  # what main is now, and nothing else
    hub.stop()
    cli("run", *toys, "--out", "offline", "--offline", XLEVAL_STORE=str(tmp_path / "another"))
    made = records(cli.folder / "online")
    assert made == records(cli.folder / "offline")
    assert any(commit in record for record in made) and any(place["revision"] in record for record in made)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repo": "org/none"}, "the hub has no such repository"),
        ({"revision": NOWHERE}, "the repository has no such revision"),
        ({"files": {"test": "none.parquet"}}, "the repository has no such file at this revision"),
    ],
)
def test_what_is_not_there_is_one_message_and_exit_code_2(
    change: dict[str, Any], said: str, toys: list[str], place: dict[str, Any], cli: Cli
) -> None:
    spec = json.loads((cli.folder / "toy.yaml").read_text())
    spec["data"]["hub"] |= change
    (cli.folder / "toy.yaml").write_text(json.dumps(spec))
    done = cli("fetch", *toys, code=2)
    last = done.stderr.splitlines()[-1]
    wanted = {**place, **change}
    assert last.startswith(f"error: hub {wanted['repo']}@{wanted['revision']}: ") and said in last
    assert "Traceback" not in done.stderr


def test_an_unknown_backbone_is_one_message_and_exit_code_2(toys: list[str], cli: Cli) -> None:
    done = cli("fetch", *toys, "--backbone", "org/none", code=2)
    assert done.stderr.startswith("error: backbone 'org/none' is neither a known name, a folder, nor reachable on the")
