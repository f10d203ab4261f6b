"""Published language adapters: the tables of backbones, the policy that chooses, and what `--la` may name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from xleval.adapterhub import ARCHITECTURES, POLICIES, PublishedAdapter, choose, parse_adapter, read_table
from xleval.backbones import Backbone
from xleval.errors import UserError
from xleval.host import Host
from xleval.languages import builtin


@pytest.fixture(scope="module")
def backbones() -> dict[str, Backbone]:
    return {backbone.name: backbone for backbone in Host().backbones.values()}


def test_the_tables_have_what_adapterhub_has(backbones: dict[str, Backbone]) -> None:
    counts = {
        name: {
            (architecture, activation): sum(
                a.architecture == architecture and a.non_linearity == activation
                for a in backbones[name].language_adapters
            )
            for architecture, activation in (("pfeiffer", "relu"), ("pfeiffer", "gelu"), ("houlsby", "gelu"))
        }
        for name in ("mbert", "xlmr", "xlmr-large")
    }
    assert counts == {
        "mbert": {("pfeiffer", "relu"): 18, ("pfeiffer", "gelu"): 45, ("houlsby", "gelu"): 26},
        "xlmr": {("pfeiffer", "relu"): 29, ("pfeiffer", "gelu"): 0, ("houlsby", "gelu"): 0},
        "xlmr-large": {("pfeiffer", "relu"): 16, ("pfeiffer", "gelu"): 0, ("houlsby", "gelu"): 0},
    }


def test_the_tables_name_languages_of_the_registry_and_models_of_the_backbone(backbones: dict[str, Backbone]) -> None:
    seen: set[str] = set()
    for backbone in backbones.values():
        model = backbone.source.split("/")[-1]
        for adapter in backbone.language_adapters:
            assert builtin().get(adapter.language).code == adapter.language
            assert adapter.id.startswith(f"AdapterHub/{model}") and adapter.id not in seen
            assert adapter.pinned or adapter.revision == "main"
            seen.add(adapter.id)
        assert not backbone.language_adapters or ("Pfeiffer" in backbone.published.citation)
    assert len(seen) == 134


def test_the_tables_are_those_of_the_list(realdata: Path, backbones: dict[str, Backbone]) -> None:
    listed = realdata.parent / "published" / "adapterhub_language_adapters.jsonl"
    rows = {row["hf"]: row for row in map(json.loads, listed.read_text(encoding="utf-8").splitlines())}
    for backbone in backbones.values():
        for adapter in backbone.language_adapters:
            row = rows.pop(adapter.id)
            assert builtin().get(row["lang"]).code == adapter.language
            assert (row["arch"], row["non_linearity"]) == (adapter.architecture, adapter.non_linearity)
            assert int(row["reduction_factor"]) == adapter.reduction
            assert row["default_version"].strip("'") == adapter.version
            assert (row["steps"] or "").replace("k", "000") == str(adapter.steps or "")
    assert not rows


def test_listing_backbones_reads_no_table() -> None:
    code = (
        "from xleval import adapterhub; from xleval.host import Host;"
        "adapterhub.read_mapping = None;"
        "print([b.identity for b in Host().backbones.values()])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "xlm-roberta-large" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("policy", "ids"),
    [
        ("any", {"swa": "sw-wiki_pfeiffer_relu", "ell": "el-wiki_pfeiffer", "amh": "am_wiki_pfeiffer", "tha": None}),
        ("relu", {"swa": "sw-wiki_pfeiffer_relu", "ell": None, "amh": "am_wiki_pfeiffer", "tha": None}),
        ("gelu", {"swa": "sw-wiki_pfeiffer", "ell": "el-wiki_pfeiffer", "amh": None, "tha": None}),
        ("no", {"swa": None, "ell": None, "amh": None, "tha": None}),
    ],
)
def test_the_policy_on_mbert(backbones: dict[str, Backbone], policy: str, ids: dict[str, str | None]) -> None:
    for language, ending in ids.items():
        found = choose(backbones["mbert"].language_adapters, language, policy)
        assert (found and found.id.removeprefix("AdapterHub/bert-base-multilingual-cased")[1:]) == ending


def test_the_policy_does_not_depend_on_order() -> None:
    def one(id: str, activation: str = "relu", architecture: str = "pfeiffer", reduction: int = 2) -> PublishedAdapter:
        return PublishedAdapter("swa", f"org/{id}", architecture, activation, reduction)

    adapters = [one("gelu", "gelu"), one("b"), one("a"), one("wide", reduction=16), one("h", architecture="houlsby")]
    for order in (adapters, adapters[::-1]):
        assert choose(order, "swa", "any") == one("a")
        assert choose(order, "swa", "gelu") == one("gelu", "gelu")
        assert choose(order, "deu", "any") is None
    assert choose([one("h", architecture="houlsby")], "swa", "any") is None and "houlsby" not in ARCHITECTURES
    assert set(POLICIES) == {"any", "relu", "gelu", "no"}
    with pytest.raises(UserError, match=r"la\.published=yes: choose one of any, relu, gelu, no"):
        choose(adapters, "swa", "yes")


ENTRY = "language: swa, id: me/la, architecture: pfeiffer, non_linearity: relu"


def test_a_plugins_own_table(tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text(
        "homepage: h\nadapters:\n- {language: swa, id: me/la, architecture: pfeiffer, non_linearity: relu}\n"
    )
    backbone = Backbone("mine", "me/encoder", adapter_table=table)
    assert backbone.language_adapters == (PublishedAdapter("swa", "me/la", "pfeiffer", "relu"),)
    assert backbone.published.homepage == "h" and hash(backbone)
    assert Backbone("other", "me/encoder").language_adapters == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty or no mapping"),
        ("adapters: 3", "`adapters` is not a list"),
        ("adapter: []", "unknown key 'adapter'"),
        ("adapters: [x]", "adapter 1: not a mapping"),
        ("adapters:\n- {" + ENTRY + "}\n- {" + ENTRY + ", colour: red}", "adapter 2: unknown key 'colour'"),
        ("adapters: [{" + ENTRY.replace("me/la", "la") + "}]", "adapter 1: id 'la' is not an id of the hub"),
        ("adapters: [{" + ENTRY.replace("swa", "no") + "}]", "adapter 1: language False is not text"),
        ("adapters: [{" + ENTRY + ", steps: 250k}]", "steps '250k' is not a whole number of at least 1"),
        ("adapters: [{" + ENTRY + ", reduction: 0}]", "reduction 0 is not a whole number of at least 1"),
        ("adapters: [{language: swa, id: me/la}]", "adapter 1: it has no 'architecture'"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (file := tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_table(file)
    assert str(file) in str(caught.value) and message in str(caught.value)


def test_a_table_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: table of published language adapters: No such file"):
        Backbone("mine", "me/encoder", adapter_table=tmp_path / "none.yaml").language_adapters  # noqa: B018


def test_what_la_may_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_adapter("swa", "org/name") == PublishedAdapter("swa", "org/name")
    assert parse_adapter("swa", "org/name@v1") == PublishedAdapter("swa", "org/name", revision="v1")
    for text in ("name", "./org/name", "/org/name", "~/name", "a/b/c", "org/"):
        assert parse_adapter("swa", text) is None
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert parse_adapter("swa", "org/name") is None  # a folder there is meant
