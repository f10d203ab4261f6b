"""Published language adapters: what comes from the hub, and which adapter fits a backbone."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hub_server
import pytest
import torch
from hub_server import Fault, Hub
from safetensors.torch import load_file, save_file

from xleval.adapter_download import KIND, bring, fingerprint
from xleval.adapter_files import check_adapter
from xleval.adapterhub import PublishedAdapter, parse_adapter
from xleval.backbones import Backbone
from xleval.errors import UserError
from xleval.host import Host
from xleval.store import Store
from xleval.testing import make_backbone

hub = hub_server.hub  # the fixture

NAME = "sw"  # what AdapterHub calls Swahili, and its adapters inside
PUBLISHED = PublishedAdapter("swa", "org/tiny-sw-wiki_pfeiffer", "pfeiffer", "gelu")
DEMO = Host().backbones.get("demo").folder


# A tiny encoder and its adapters


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """An encoder of two layers and hidden size 32."""
    assert DEMO is not None
    return Backbone("tiny", str(make_backbone(DEMO, tmp_path_factory.mktemp("tiny"), hidden=32, layers=2)))


@pytest.fixture(scope="module")
def saved(tiny: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language adapter with weights that are not their initial ones, as the adapters library saves it."""
    from adapters import AutoAdapterModel, SeqBnInvConfig

    model = AutoAdapterModel.from_pretrained(tiny.source)
    model.add_adapter(NAME, config=SeqBnInvConfig(reduction_factor=2, non_linearity="gelu"))
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if f".{NAME}." in name:
            torch.nn.init.normal_(parameter, std=0.2)
    folder = tmp_path_factory.mktemp("saved")
    model.save_adapter(str(folder), NAME, with_head=False, use_safetensors=True)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(saved, tmp_path / "adapter")
    return tmp_path / "adapter"


def hidden_of(backbone: Backbone, folder: Path) -> torch.Tensor:
    """What the encoder says of some sub-words under the adapter."""
    from adapters import AutoAdapterModel

    model = AutoAdapterModel.from_pretrained(backbone.source)
    model.load_adapter(str(folder), load_as="la", set_active=True, use_safetensors=True)
    model.eval()
    with torch.inference_mode():
        hidden: torch.Tensor = model(input_ids=torch.tensor([[5, 6, 7, 8]])).last_hidden_state
    return hidden


def pickled(tensors: dict[str, Any], *, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(tensors, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def edited(folder: Path, **changes: Any) -> bytes:
    return json.dumps({**json.loads((folder / "adapter_config.json").read_text()), **changes}).encode()


def publish(hub: Hub, folder: Path, **files: bytes) -> str:
    """A commit as AdapterHub's repositories are: a configuration and a pickle of tensors."""
    content = {
        "README.md": b"x",
        "adapter_config.json": (folder / "adapter_config.json").read_bytes(),
        "pytorch_adapter.bin": pickled(load_file(folder / "adapter.safetensors")),
    }
    changed = {name.replace("__", "."): data for name, data in files.items()}
    return hub.commit(PUBLISHED.id, {**content, **changed}, kind="model")


def refused(backbone: Backbone, store: Store, *, offline: bool = False, adapter: PublishedAdapter = PUBLISHED) -> str:
    with pytest.raises(UserError) as caught:
        bring(adapter, backbone, store, offline=offline)
    assert "\n" not in str(caught.value) and not list(store) and not list((store.root / "tmp").glob("*"))
    return str(caught.value)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


# From the hub


def test_it_is_brought_once_converted_and_written_down(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    commit = publish(hub, saved)
    found = bring(PUBLISHED, tiny, store, offline=False)
    assert sorted(path.name for path in found.iterdir()) == [
        "adapter.safetensors",
        "adapter_config.json",
        "manifest.json",
    ]
    assert torch.equal(hidden_of(tiny, found), hidden_of(tiny, saved))
    manifest = store.manifest(KIND, fingerprint(PUBLISHED))
    assert manifest["language"] == "swa" and manifest["hub"] == {
        "id": PUBLISHED.id, "revision": "main", "commit": commit, "file": "pytorch_adapter.bin",
        "sha256": manifest["hub"]["sha256"],
    }  # fmt: skip
    (kept,) = [path for path in Path(str(store.root.parent)).rglob("pytorch_adapter.bin") if "snapshots" in path.parts]
    assert kept.resolve().name == manifest["hub"]["sha256"]
    asked = len(hub.log)
    assert bring(PUBLISHED, tiny, store, offline=False) == found == bring(PUBLISHED, tiny, store, offline=True)
    assert len(hub.log) == asked


def test_safetensors_are_preferred(hub: Hub, tiny: Backbone, saved: Path, store: Store, tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    publish(hub, saved, pytorch_adapter__bin=bomb, adapter__safetensors=(saved / "adapter.safetensors").read_bytes())
    found = bring(PUBLISHED, tiny, store, offline=False)
    assert torch.equal(hidden_of(tiny, found), hidden_of(tiny, saved))
    assert store.manifest(KIND, fingerprint(PUBLISHED))["hub"]["file"] == "adapter.safetensors"
    assert not hub.asked("pytorch_adapter.bin") and not (tmp_path / "exploded").exists()


def test_a_pinned_commit_and_a_tag(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    first = publish(hub, saved)
    hub.repositories[("models", PUBLISHED.id)].refs["v1"] = first
    publish(hub, saved, adapter_config__json=b"{}")  # main has moved on to something that does not load
    for revision in (first, "v1"):
        adapter = replace(PUBLISHED, revision=revision)
        bring(adapter, tiny, store, offline=False)
        assert store.manifest(KIND, fingerprint(adapter))["hub"]["commit"] == first
    assert "no `name`" in refused_beside(tiny, store, PUBLISHED)


def refused_beside(backbone: Backbone, store: Store, adapter: PublishedAdapter) -> str:
    with pytest.raises(UserError) as caught:
        bring(adapter, backbone, store, offline=False)
    assert not store.has(KIND, fingerprint(adapter))
    return str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_configurations_and_weights_of_version_1(
    hub: Hub, tiny: Backbone, saved: Path, store: Store, zipped: bool
) -> None:
    """Nested invertible adapter, `gelu` meaning its approximation, other names of weights, the older file format."""
    tensors = {
        key.replace(".output.adapters.", ".output.layer_text_lang_adapters.").replace(
            "invertible_adapters", "invertible_lang_adapters"
        ): value
        for key, value in load_file(saved / "adapter.safetensors").items()
    }
    config = {
        "config": {
            "LayerNorm": None, "adapter_residual_before_ln": False, "attention_type": "sent-lvl-dynamic",
            "invertible_adapter": {"block_type": "nice", "non_linearity": "gelu", "reduction_factor": 2},
            "leave_out": [], "ln_after": False, "ln_before": False, "mh_adapter": False, "new_attention_norm": False,
            "non_linearity": "gelu", "original_ln_after": True, "original_ln_before": True, "output_adapter": True,
            "reduction_factor": 2, "residual_before_ln": True,
        },
        "hidden_size": 32, "model": "bert-base-multilingual-cased", "model_type": "bert", "name": NAME,
        "type": "text_lang",
    }  # fmt: skip
    data = pickled(tensors, zipped=zipped)
    publish(hub, saved, adapter_config__json=json.dumps(config).encode(), pytorch_adapter__bin=data)
    found = bring(PUBLISHED, tiny, store, offline=False)
    written = json.loads((found / "adapter_config.json").read_text())
    assert (written["config"]["inv_adapter"], written["config"]["inv_adapter_reduction_factor"]) == ("nice", 2)
    # The same weights; the two GELUs differ in the third decimal.
    assert torch.allclose(hidden_of(tiny, found), hidden_of(tiny, saved), atol=5e-3)
    without = hidden_of(tiny, saved) - hidden_of_plain(tiny)
    assert without.abs().max() > 0.05


def hidden_of_plain(backbone: Backbone) -> torch.Tensor:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(backbone.source)
    with torch.inference_mode():
        hidden: torch.Tensor = model.eval()(input_ids=torch.tensor([[5, 6, 7, 8]])).last_hidden_state
    return hidden


def test_an_architecture_by_name_is_written_out(hub: Hub, tiny: Backbone, store: Store, tmp_path: Path) -> None:
    from adapters import AutoAdapterModel

    model = AutoAdapterModel.from_pretrained(tiny.source)
    model.add_adapter(NAME, config="pfeiffer+inv")
    model.save_adapter(str(tmp_path / "named"), NAME, with_head=False, use_safetensors=True)
    publish(hub, tmp_path / "named", adapter_config__json=edited(tmp_path / "named", config="pfeiffer+inv"))
    found = bring(PUBLISHED, tiny, store, offline=False)
    assert json.loads((found / "adapter_config.json").read_text())["config"]["reduction_factor"] == 16
    model.load_adapter(str(found), load_as="short", leave_out=[1], use_safetensors=True)
    assert model.adapters_config.get("short")["leave_out"] == [1]


def test_houlsby_loads_where_it_is_asked_for(hub: Hub, tiny: Backbone, store: Store, tmp_path: Path) -> None:
    from adapters import AutoAdapterModel

    model = AutoAdapterModel.from_pretrained(tiny.source)
    model.add_adapter(NAME, config="houlsby+inv")
    model.save_adapter(str(tmp_path / "two"), NAME, with_head=False, use_safetensors=True)
    publish(hub, tmp_path / "two")
    found = bring(PUBLISHED, tiny, store, offline=False)
    assert torch.equal(hidden_of(tiny, found), hidden_of(tiny, tmp_path / "two"))


# What the hub may give instead


class Bomb:
    """What a pickle can do when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("how", ["bare", "zipped", "legacy", "inside"])
def test_a_pickle_that_does_something_is_refused_and_not_run(
    hub: Hub, tiny: Backbone, saved: Path, store: Store, tmp_path: Path, how: str
) -> None:
    mark = tmp_path / "exploded"
    made: dict[str, Any] = {"bare": Bomb(mark), "zipped": {"a": Bomb(mark)}, "legacy": {"a": Bomb(mark)}}
    data = (
        pickle.dumps(made["bare"])
        if how == "bare"
        else pickled({**load_file(saved / "adapter.safetensors"), "x": Bomb(mark)})
        if how == "inside"
        else pickled(made[how], zipped=how == "zipped")
    )
    publish(hub, saved, pytorch_adapter__bin=data)
    said = refused(tiny, store)
    assert PUBLISHED.id in said and "pytorch_adapter.bin" in said and "nothing of it was run" in said
    assert "weights_only" not in said and not mark.exists()
    torch.load(io.BytesIO(data), weights_only=False) if how != "bare" else pickle.loads(data)
    assert mark.exists()  # the charge was live


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([1, 2], "it holds list, not tensors by name"),
        ({}, "it holds dict, not tensors by name"),
        ({"a": 3}, "'a' is int, not a dense tensor"),
        ({"a": {"b": torch.zeros(2)}}, "'a' is dict, not a dense tensor"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "not a dense tensor"),
        ({"a": torch.zeros(2, dtype=torch.int64)}, "a has values that are no finite numbers"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a has values that are no finite numbers"),
        ({"a": torch.tensor([1.0, float("inf")])}, "a has values that are no finite numbers"),
    ],
)
def test_what_are_no_weights(hub: Hub, tiny: Backbone, saved: Path, store: Store, made: Any, said: str) -> None:
    publish(hub, saved, pytorch_adapter__bin=pickled(made))
    assert said in refused(tiny, store)


def test_half_a_pickle(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    whole = pickled(load_file(saved / "adapter.safetensors"))
    for data in (whole[: len(whole) // 2], b"", b"version https://git-lfs.github.com/spec/v1\n"):
        publish(hub, saved, pytorch_adapter__bin=data)
        assert "cut short, damaged or no weights" in refused(tiny, store)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"{", "adapter_config.json is not JSON"),
        (b"[]", "adapter_config.json is not JSON, or no mapping"),
        (b'{"config": "pfeiffer"}', "no `name`"),
        (b'{"config": "no-such", "name": "sw"}', "unknown architecture 'no-such'"),
        (b'{"config": {"architecture": "new"}, "name": "sw"}', "no architecture that the adapters library knows"),
        (b'{"config": {"mh_adapter": true}, "name": "sw"}', "no architecture that the adapters library knows"),
        (b'{"config": null, "name": "sw"}', "no `name`, or no mapping `config`"),
    ],
)
def test_a_configuration_that_is_none(
    hub: Hub, tiny: Backbone, saved: Path, store: Store, config: bytes, said: str
) -> None:
    publish(hub, saved, adapter_config__json=config)
    assert said in refused(tiny, store)


def test_no_such_repository_revision_or_file(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    said = refused(tiny, store)
    assert "no such repository" in said and "folder of that name" not in said
    named = parse_adapter("swa", PUBLISHED.id)
    assert named is not None and "(nor is there a folder of that name)" in refused(tiny, store, adapter=named)
    commit = publish(hub, saved)
    assert "no such revision" in refused(tiny, store, adapter=replace(PUBLISHED, revision="v9"))
    files = hub.repositories[("models", PUBLISHED.id)].commits[commit]
    del files["pytorch_adapter.bin"]
    said = refused(tiny, store)
    assert "no file of the repository matches" in said and "--la swa=FOLDER" in said and "la.published=no" in said


def test_gated(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    publish(hub, saved)
    hub.repositories[("models", PUBLISHED.id)].gated = True
    assert "gated: accept its terms" in refused(tiny, store)


def test_a_body_cut_short_once_and_always(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    publish(hub, saved)
    hub.script("/storage/", *[Fault(cut=100)] * 40, method="GET")
    assert PUBLISHED.id in refused(tiny, store)
    hub._faults.clear()
    hub.script("/storage/", Fault(cut=100), method="GET")
    found = bring(PUBLISHED, tiny, store, offline=False)
    assert torch.equal(hidden_of(tiny, found), hidden_of(tiny, saved))


def test_offline(hub: Hub, tiny: Backbone, saved: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub, saved)
    said = refused(tiny, store, offline=True)
    assert "not in the local cache" in said and "xleval fetch" in said and not hub.log
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = refused(tiny, store)
    assert "HF_HUB_OFFLINE is set" in said and "xleval fetch" in said and not hub.log


def test_damage_in_the_store_is_mended(hub: Hub, tiny: Backbone, saved: Path, store: Store) -> None:
    publish(hub, saved)
    found = bring(PUBLISHED, tiny, store, offline=False)
    weights = bytearray((found / "adapter.safetensors").read_bytes())
    weights[-1] ^= 1
    (found / "adapter.safetensors").write_bytes(weights)
    again = bring(PUBLISHED, tiny, Store(store.root), offline=False)
    assert again == found and torch.equal(hidden_of(tiny, again), hidden_of(tiny, saved))


def test_one_for_another_backbone(hub: Hub, tiny: Backbone, saved: Path, store: Store, tmp_path: Path) -> None:
    assert DEMO is not None
    wide = Backbone("wide", str(make_backbone(DEMO, tmp_path / "wide", hidden=64, layers=2)))
    publish(hub, saved)
    with pytest.raises(UserError, match=r"its hidden_size is 32, that of wide is 64; give an adapter of wide, or the"):
        bring(PUBLISHED, wide, store, offline=False)
    assert bring(PUBLISHED, tiny, store, offline=True)  # it is in the store, for its own backbone


# Which adapter fits which backbone


def fault(folder: Path, backbone: Backbone) -> str:
    with pytest.raises(UserError) as caught:
        check_adapter(folder, backbone, f"--la swa={folder}")
    assert str(caught.value).startswith(f"--la swa={folder}: ")
    return str(caught.value)


def test_its_own(folder: Path, tiny: Backbone) -> None:
    check_adapter(folder, tiny, "--la")


def test_checking_imports_no_torch(folder: Path, tiny: Backbone) -> None:
    code = (
        "import sys; from pathlib import Path; from xleval.adapter_files import check_adapter;"
        "from xleval.backbones import Backbone;"
        f"check_adapter(Path({str(folder)!r}), Backbone('tiny', {tiny.source!r}), 'x');"
        "print(sorted({'torch', 'adapters', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "xlm-roberta"}, "its model_type is xlm-roberta, that of tiny is bert; give an adapter of tiny"),
        ({"hidden_size": 768}, "its hidden_size is 768, that of tiny is 32"),
        ({"type": "text_task"}, "this is a task adapter"),
        ({"name": "deu"}, "no weights of the adapter 'deu' that adapter_config.json names"),
        ({"config": "pfeiffer"}, "no mapping `config`"),
        ({"name": None}, "has no `name`"),
    ],
)
def test_a_configuration_of_another(folder: Path, tiny: Backbone, changes: dict[str, Any], said: str) -> None:
    (folder / "adapter_config.json").write_bytes(edited(folder, **changes))
    assert said in fault(folder, tiny)


def test_files_that_are_missing_or_damaged(folder: Path, tiny: Backbone, tmp_path: Path) -> None:
    whole = (folder / "adapter.safetensors").read_bytes()
    for data in (b"", whole[:5], whole[:200], whole[:-1], whole + b"x", b"\xff" * 64, whole[:8] + b"[" * 200):
        (folder / "adapter.safetensors").write_bytes(data)
        assert "adapter.safetensors is not a safetensors file, or cut short; copy it again" in fault(folder, tiny)
    (folder / "adapter.safetensors").rename(folder / "pytorch_adapter.bin")
    said = fault(folder, tiny)
    assert "no adapter.safetensors there, only pytorch_adapter.bin, a pickle" in said and "use_safetensors=True" in said
    (folder / "adapter_config.json").write_text("{")
    (folder / "adapter.safetensors").write_bytes(whole)
    assert "adapter_config.json is not JSON" in fault(folder, tiny)
    (folder / "adapter_config.json").unlink()
    assert "no adapter_config.json there" in fault(folder, tiny)
    assert "no such folder" in fault(tmp_path / "nowhere", tiny)


def test_layers_and_sizes_of_the_weights(folder: Path, tiny: Backbone, tmp_path: Path) -> None:
    assert DEMO is not None
    deep = Backbone("deep", str(make_backbone(DEMO, tmp_path / "deep", hidden=32, layers=3)))
    flat = Backbone("flat", str(make_backbone(DEMO, tmp_path / "flat", hidden=32, layers=1)))
    assert "lacks layers [2], the layers of deep are 0 to 2" in fault(folder, deep)
    assert "has layers up to 1, the layers of flat are 0 to 0" in fault(folder, flat)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_bytes(edited(folder, config={**config["config"], "leave_out": [2]}))
    check_adapter(folder, deep, "--la")
    tensors = load_file(folder / "adapter.safetensors")
    key = next(key for key in tensors if key.endswith("adapter_up.weight"))
    save_file({**tensors, key: tensors[key][:-1].clone()}, folder / "adapter.safetensors")
    (folder / "adapter_config.json").write_bytes(edited(folder, config=config["config"], hidden_size=None))
    assert f"{key} is for hidden size 31, that of tiny is 32" in fault(folder, tiny)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers(folder: Path, tiny: Backbone, dtype: torch.dtype, value: float) -> None:
    tensors = {key: tensor.to(dtype) for key, tensor in load_file(folder / "adapter.safetensors").items()}
    key = sorted(tensors)[1]
    tensors[key].view(-1)[3] = torch.finfo(dtype).max
    save_file(tensors, folder / "adapter.safetensors")
    check_adapter(folder, tiny, "--la")  # the largest number is one
    tensors[key].view(-1)[3] = value
    save_file(tensors, folder / "adapter.safetensors")
    assert f"{key} has values that are no finite numbers" in fault(folder, tiny)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("bert-base-multilingual-cased", True),
        ("google-bert/bert-base-multilingual-cased", True),
        ("/home/x/.cache/hub/models--google-bert--bert-base-multilingual-cased/snapshots/3f07", True),
        ("/home/x/my-copy", True),  # a folder may have any name
        ("./bert", True),
        (None, True),
        ("xlm-roberta-base", False),
        ("someone/bert-base-multilingual-uncased", False),
        ("/x/models--FacebookAI--xlm-roberta-base/snapshots/e736", False),
    ],
)
def test_by_the_models_name_where_the_backbone_is_not_local(hub: Hub, folder: Path, name: str, fits: bool) -> None:
    (folder / "adapter_config.json").write_bytes(edited(folder, model_name=name, hidden_size=32))
    remote = Backbone("mbert", "google-bert/bert-base-multilingual-cased", "0" * 40)
    if fits:
        check_adapter(folder, remote, "--la")
    else:
        said = fault(folder, remote)
        assert "trained on model_name" in said and "this run has 'google-bert/bert-base-multilingual-cased'" in said
    assert not hub.log  # nothing was asked


def test_by_the_cached_configuration_of_a_hub_backbone(hub: Hub, folder: Path, tiny: Backbone) -> None:
    (folder / "adapter_config.json").write_bytes(edited(folder, model_name="small", hidden_size=64))
    commit = hub.commit_folder("org/small", Path(tiny.source))
    remote = Backbone("small", "org/small", commit)
    (folder / "adapter_config.json").write_bytes(edited(folder, hidden_size=64))
    remote.path()
    assert "its hidden_size is 64, that of small is 32" in fault(folder, remote)


def test_by_the_identity_that_the_store_wrote(folder: Path, tiny: Backbone) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"kind": "language_adapter", "backbone": {**tiny.identity, "id": "renamed"}}))
    check_adapter(folder, tiny, "--la")
    manifest.write_text(json.dumps({"kind": "language_adapter", "backbone": {"id": "tiny", "revision": "sha256:0"}}))
    said = fault(folder, tiny)
    assert "trained on the backbone tiny@sha256:0, this run has tiny@" + tiny.identity["revision"] in said
    manifest.write_text(json.dumps({"kind": "task_adapter"}))
    assert "this is a task adapter" in fault(folder, tiny)
