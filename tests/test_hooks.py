"""Every hook: the example of docs/hooks.md, installed as a plugin, has the effect that the page says."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT, MakePlugin

from xleval import hookspecs
from xleval.events import CellFinished, Notice
from xleval.executors import Executor, Setting, Work
from xleval.host import Host
from xleval.languages import builtin
from xleval.recipe import LA, Strategy, World
from xleval.resources import resource

HOOKS = {name: spec for name, spec in vars(hookspecs).items() if hasattr(spec, "xleval_spec")}
PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


def example(hook: str) -> str:
    section = PAGE.split(f"\n### {hook}\n")[1].split("\n### ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    return block


@pytest.fixture
def host_with(temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch):
    """Installs the page's example of a hook and gives the host that found it, and where it lies."""
    monkeypatch.setenv("XLEVAL_STRICT_PLUGINS", "1")

    def make(hook: str) -> tuple[Host, Path]:
        site = temporary_plugin("xl_example", example(hook))
        host = Host()
        assert host.plugins[-1].hooks == (hook,)
        return host, site

    return make


def test_every_hook_has_a_test_and_nothing_else_is_called_a_hook() -> None:
    assert len(HOOKS) >= 8
    assert all(f"test_{hook}" in globals() for hook in HOOKS)
    assert {name for name in vars(hookspecs) if name.startswith("xleval_")} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_has_the_exact_signature(hook: str) -> None:
    # Annotations are text under `from __future__ import annotations`; the page writes them as the source does.
    signature = f"def {hook}{inspect.signature(HOOKS[hook])}".replace("'", "")
    assert f"`{signature}`" in PAGE.split(f"\n### {hook}\n")[1].split("\n### ")[0]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_what_it_is_for(hook: str) -> None:
    assert len(inspect.getdoc(HOOKS[hook]) or "") > 40


def test_the_page_names_no_other_hook_and_the_current_api() -> None:
    assert set(re.findall(r"\bxleval_[a-z_]+", PAGE)) == set(HOOKS)
    assert f"XLEVAL_API = {hookspecs.API_VERSION}" in PAGE


def test_xleval_languages(host_with) -> None:
    host, _ = host_with("xleval_languages")
    assert host.languages.get("Example").code == "qtx"
    assert host.languages.get("swa").name == "Swahili"
    assert "qtx" not in builtin()


def test_xleval_backbones(host_with) -> None:
    host, _ = host_with("xleval_backbones")
    backbone = host.backbones.get("example-encoder")
    assert backbone.identity == {"id": "example/encoder", "revision": "0123456789abcdef0123456789abcdef01234567"}
    assert backbone.knows(host.languages.get("swh"))
    assert not backbone.knows(host.languages.get("yor"))


def test_xleval_strategies(host_with) -> None:
    host, _ = host_with("xleval_strategies")
    chosen = host.choose_strategy("first-targets:first=1")
    assert isinstance(chosen.strategy, Strategy)
    assert (chosen.label, chosen.plugin) == ("first-targets:first=1", "xl-example")
    eng, swa, yor = (host.languages.get(code) for code in ("eng", "swa", "yor"))
    recipe = chosen.strategy.recipe(host.tasks.get("xnli"), yor, World(eng, {"xnli": (yor, swa)}))
    assert (recipe.train_on, recipe.infer_on) == ((LA("eng"), LA("swa")), LA("yor"))


def test_xleval_tasks(host_with) -> None:
    host, site = host_with("xleval_tasks")
    (site / "task_specs").mkdir()
    for name in ("", "sources/"):
        text = (resource("task_specs") / f"{name}demo-nli.yaml").read_text(encoding="utf-8")
        text = text.replace("name: demo-nli", "name: mine").replace("source: demo-nli", "source: mine")
        (site / "task_specs" / f"{'source' if name else 'task'}.yaml").write_text(text, encoding="utf-8")
    assert host.tasks.find("mine").qualified == "xl-example/mine"
    assert host.sources.get("mine").language == "qaa"
    assert host.tasks.get("demo-nli").name == "demo-nli"


def test_xleval_suites(host_with) -> None:
    host, site = host_with("xleval_suites")
    (site / "suites").mkdir()
    (site / "suites" / "a.yaml").write_text(
        "kind: suite\nname: mine\nsummary: One task.\ntasks: [xnli]\nlanguages: {xnli: [swa]}\nbackbone: mbert\n"
    )
    assert host.suites.get("mine").languages == {"xnli": ["swa"]}
    assert host.suites.get("mine").seeds == [1, 2, 3]


def test_xleval_data_providers(host_with) -> None:
    host, _ = host_with("xleval_data_providers")
    assert host.providers["echo"].text("eng") == ["a b", "b a"]
    assert set(host.providers) == {"demo", "echo"}


def test_xleval_executors(host_with, tmp_path: Path) -> None:
    host, _ = host_with("xleval_executors")
    executor = host.executors.get("quiet")
    assert isinstance(executor, Executor)
    setting = Setting(host.backbones.get("demo"), "cpu", "fp32", tmp_path, {})
    assert list(executor.execute(Work(), setting)) == []
    assert host.executors.get("local").name == "local"


def test_xleval_event(host_with) -> None:
    host, _ = host_with("xleval_event")
    record = {"status": "ok", "task": "xnli", "language": "swa", "metrics": {"accuracy": {"value": 0.5}}}
    host.emit(Notice("nothing for it"))
    host.emit(CellFinished(record))
    host.emit(CellFinished({**record, "status": "failed", "language": "yor"}))
    assert sys.modules["xl_example"].scores == {("xnli", "swa"): {"accuracy": {"value": 0.5}}}
