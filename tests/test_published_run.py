"""Runs that take published adapters: which, when, what the record says, and what stops before anything trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hub_server
import pytest
import torch
from hub_server import Hub

from xleval.errors import UserError
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.plan import Plan, plan
from xleval.report.graph import as_dict
from xleval.run import execute
from xleval.testing import read_jsonl

hub = hub_server.hub  # the fixture

TABLE = """
homepage: https://example.org
citation: none
adapters:
  - {language: qab, id: org/demo-qab-relu, architecture: pfeiffer, non_linearity: relu, reduction: 2}
  - {language: qab, id: org/demo-qab-gelu, architecture: pfeiffer, non_linearity: gelu, reduction: 2}
"""
PLUGIN = """
import dataclasses, pathlib, xleval, xleval_demo

@xleval.hookimpl
def xleval_backbones():
    (demo,) = [b for b in xleval_demo.xleval_backbones() if b.name == "demo"]
    table = pathlib.Path(__file__).with_name("table.yaml")
    return [dataclasses.replace(demo, name="listed", adapter_table=table)]
"""
SMALL = {"la.steps": 2, "la.chunk": 48, "train.epochs": 1, "train.batch": 8}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "table.yaml").write_text(TABLE)
    (tmp_path / "listed_backbone.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Host(modules=["listed_backbone"])


def adapter(folder: Path, activation: str = "relu", hidden: int = 0) -> Path:
    """An adapter as AdapterHub has them: a configuration and a pickle of tensors."""
    from adapters import AutoAdapterModel, BertAdapterModel, SeqBnInvConfig
    from transformers import BertConfig

    if hidden:
        sizes = {"hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
        model: Any = BertAdapterModel(BertConfig(vocab_size=30, **sizes))
    else:
        model = AutoAdapterModel.from_pretrained(Host().backbones.get("demo").path())
    torch.manual_seed(7)
    model.add_adapter("qab", config=SeqBnInvConfig(non_linearity=activation))
    model.save_adapter(str(folder), "qab", with_head=False, use_safetensors=False)
    assert (folder / "pytorch_adapter.bin").is_file()
    return folder


def graph(host: Host, tmp_path: Path, **options: Any) -> Plan:
    asked: dict[str, Any] = {
        "strategies": ["madx"], "tasks": ["demo-nli"], "languages": ["qab"], "backbone": "listed", "seeds": [1],
        "limit": "16", "set": SMALL, "jobs": 1, "store": tmp_path / "store", "out": tmp_path / "out",
    }  # fmt: skip
    return plan(make_experiment({**asked, **options}), host)


def infer_on(tmp_path: Path) -> dict[str, Any]:
    (found,) = [r for r in read_jsonl(tmp_path / "out" / "records.jsonl") if r["type"] == "eval"]
    return dict(found["infer_on"])


def test_a_published_adapter_given_by_id_is_brought_used_and_recorded(hub: Hub, host: Host, tmp_path: Path) -> None:
    commit = hub.commit_folder("org/mine", adapter(tmp_path / "mine"))
    found = graph(host, tmp_path, language_adapters={"qab": "org/mine"})
    adapters = [artifact for artifact in as_dict(found)["artifacts"] if artifact["kind"] == "language_adapter"]
    assert [(a["languages"], a["present"], a["source"]) for a in adapters] == [
        (["qaa"], False, "demo@1"),
        (["qab"], False, "hub org/mine"),
    ]
    assert not execute(found, host).failed
    recorded = infer_on(tmp_path)
    assert recorded["source"]["id"] == "org/mine" and recorded["source"]["commit"] == commit
    assert recorded["source"]["file"] == "pytorch_adapter.bin" and len(recorded["source"]["sha256"]) == 64
    assert "policy" not in recorded["source"]  # it was asked for by name
    asked = len(hub.log)
    again = graph(host, tmp_path, language_adapters={"qab": "org/mine"}, offline=True)
    assert all(again.present(job) for job in again.of_kind("language_adapter"))
    assert not execute(again, host).failed
    assert len(hub.log) == asked


@pytest.mark.parametrize(("policy", "ending"), [("any", "relu"), ("gelu", "gelu")])
def test_the_policy_chooses_where_there_is_no_text_of_the_users_own(
    policy: str, ending: str, hub: Hub, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xleval.world import Scope

    # Made languages have text; one that has none but a Wikipedia's is what the policy is for.
    text = Scope.text
    monkeypatch.setattr(Scope, "text", lambda scope, lang: None if lang.code == "qab" else text(scope, lang))
    for activation in ("relu", "gelu"):
        hub.commit_folder(f"org/demo-qab-{activation}", adapter(tmp_path / activation, activation))
    assert not execute(graph(host, tmp_path, set={**SMALL, "la.published": policy}), host).failed
    recorded = infer_on(tmp_path)
    assert (recorded["source"]["id"], recorded["source"]["policy"]) == (f"org/demo-qab-{ending}", policy)
    refused = graph(host, tmp_path, set={**SMALL, "la.published": "no"})
    assert refused.without_text == {"qab": "madx on demo-nli/qab"}


def test_text_of_the_users_own_wins_over_a_published_adapter(hub: Hub, host: Host, tmp_path: Path) -> None:
    (tmp_path / "text" / "qab").mkdir(parents=True)
    (tmp_path / "text" / "qab" / "a.txt").write_text("a b c d e f g h\n" * 60)
    found = graph(host, tmp_path, text_dir=tmp_path / "text")
    (job,) = [job for job in found.of_kind("language_adapter") if job.label == "LA qab"]
    assert [text.origin for text in job.texts] == [str(tmp_path / "text" / "qab")]


def test_one_of_another_size_stops_the_run_before_anything_trains(hub: Hub, host: Host, tmp_path: Path) -> None:
    hub.commit_folder("org/wide", adapter(tmp_path / "wide", hidden=16))
    found = graph(host, tmp_path, language_adapters={"qab": "org/wide"})
    with pytest.raises(UserError, match=r"--la qab=org/wide: its hidden_size is 16, that of listed is 128"):
        execute(found, host)
    assert not list((tmp_path / "store" / "language_adapter").glob("*/*"))


def test_one_that_is_not_there_stops_the_run_before_anything_trains(hub: Hub, host: Host, tmp_path: Path) -> None:
    found = graph(host, tmp_path, language_adapters={"qab": "org/none"})
    with pytest.raises(UserError, match=r"--la qab=org/none: .*give a folder with --la qab=FOLDER"):
        execute(found, host)
    assert not list((tmp_path / "store" / "language_adapter").glob("*/*"))


def test_a_folder_of_another_size_is_named_with_plugin_and_cell(host: Host, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "narrow", hidden=16)
    weights = torch.load(folder / "pytorch_adapter.bin", weights_only=True)
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "adapter.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["hidden_size"] == 16
    with pytest.raises(
        UserError, match=r"strategy 'madx' \(plugin xleval\) on demo-nli/qab: --la qab=.*hidden_size is 16"
    ):
        graph(host, tmp_path, language_adapters={"qab": str(folder)})
