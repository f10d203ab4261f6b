"""The plugin host: what is found, what is blocked before it is imported, what is said of a broken plugin."""

from __future__ import annotations

import json
import re
import sys
import warnings
from typing import Any

import pytest
from conftest import Cli, MakePlugin

from xleval.errors import UserError
from xleval.host import Host, PluginWarning
from xleval.registry import PluginInfo, Provided, Registry

STRATEGY = """
    from xleval import NONE, Recipe, hookimpl

    class Mine:
        name = "{name}"
        summary = "one of mine"
        def recipe(self, task, target, world):
            return Recipe([NONE], NONE)

    @hookimpl
    def xleval_strategies():
        return [Mine()]
"""

FINE = STRATEGY.format(name="fine")


def info_of(host: Host, name: str) -> PluginInfo:
    return next(info for info in host.plugins if info.name == name)


def quiet_host(**options: Any) -> Host:
    """A host whose warnings are not of interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        return Host(**options)


# Finding


def test_builtins_are_plugins_found_through_entry_points() -> None:
    host = Host()
    assert {"backbones", "strategies", "tasks", "demo"} <= {info.name for info in host.plugins}
    assert all(info.package == "xleval" and info.status == "loaded" for info in host.plugins if info.version)
    assert "tlr-all-multi" in {item.name for item in host.strategies.items}


def test_an_installed_plugin_is_found_with_package_version_and_hooks(temporary_plugin: MakePlugin) -> None:
    temporary_plugin("xl_fine", FINE, package="XL-Fine", version="4.5", name="fine-one")
    host = Host()
    info = info_of(host, "fine-one")
    assert (info.package, info.version, info.origin, info.status) == ("XL-Fine", "4.5", "entry point", "loaded")
    assert info.hooks == ("xleval_strategies",)
    assert host.choose_strategy("fine").plugin == "XL-Fine"
    assert info.provides == {"strategy": ["fine"]}


def test_builtins_come_first_and_then_packages_by_name(temporary_plugin: MakePlugin) -> None:
    for module in ("zz_plugin", "aa_plugin"):
        temporary_plugin(module, FINE)
    packages = [info.package for info in Host().plugins]
    assert packages[-2:] == ["aa-plugin", "zz-plugin"]
    assert set(packages[:-2]) == {"xleval"}


def test_plugin_module_is_imported_by_name(temporary_plugin: MakePlugin) -> None:
    site = temporary_plugin("xl_fine", FINE)
    (site / "loose.py").write_text((site / "xl_fine.py").read_text().replace('"fine"', '"loose"'))
    host = Host(modules=["loose"])
    assert info_of(host, "loose").origin == "--plugin-module"
    assert host.strategies.find("loose").qualified == "loose/loose"


def test_a_name_in_xleval_plugins_that_is_no_entry_point_is_a_module(
    temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = temporary_plugin("xl_fine", FINE)
    (site / "loose.py").write_text((site / "xl_fine.py").read_text())
    monkeypatch.setenv("XLEVAL_PLUGINS", "loose")
    host = Host()
    assert info_of(host, "loose").origin == "XLEVAL_PLUGINS"
    assert info_of(host, "xl-fine").status == "blocked"
    assert host.choose_strategy("fine").plugin == "loose"


# Blocking


@pytest.mark.parametrize("name", ["xl-fatal", "the-package"])
def test_a_blocked_plugin_is_never_imported(temporary_plugin: MakePlugin, name: str) -> None:
    temporary_plugin("xl_fatal", "raise SystemExit('imported')", package="the-package")
    host = Host(block=[name])
    assert info_of(host, "xl-fatal").status == "blocked"
    assert "xl_fatal" not in sys.modules


def test_an_empty_xleval_plugins_loads_the_builtins_alone(
    temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary_plugin("xl_fatal", "raise SystemExit('imported')")
    monkeypatch.setenv("XLEVAL_PLUGINS", "")
    host = Host()
    assert info_of(host, "xl-fatal").status == "blocked"
    assert "xl_fatal" not in sys.modules
    assert {info.status for info in host.plugins if info.package == "xleval"} == {"loaded"}


@pytest.mark.parametrize("wanted", ["xl-fine", "nice-package", " xl-fine , other_module"])
def test_xleval_plugins_lists_what_to_load(
    temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    site = temporary_plugin("xl_fine", FINE, package="nice-package")
    temporary_plugin("xl_fatal", "raise SystemExit('imported')")
    (site / "other_module.py").write_text("")
    monkeypatch.setenv("XLEVAL_PLUGINS", wanted)
    host = Host()
    assert info_of(host, "xl-fine").status == "loaded"
    assert info_of(host, "xl-fatal").status == "blocked"


def test_a_builtin_can_be_blocked() -> None:
    host = Host(block=["demo"])
    with pytest.raises(UserError, match="unknown backbone 'demo'"):
        host.backbones.find("demo")


def test_blocking_a_name_that_no_plugin_has_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"--no-plugin strategis: no such plugin; did you mean 'strategies'\?"):
        Host(block=["strategis"])


# Broken plugins

BROKEN = {
    "raises": ("raise RuntimeError('no licence found')", r"RuntimeError: no licence found \(.*xl_broken.py:1\)"),
    "does not parse": ("def f(:\n", "SyntaxError"),
    "lacks a dependency": ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "older contract": ("XLEVAL_API = 0", "written for plugin API 0, this xleval has 1: upgrade the plugin"),
    "newer contract": ("XLEVAL_API = 2", "written for plugin API 2, this xleval has 1: upgrade xleval"),
    "unknown hook": (
        "from xleval import hookimpl\n@hookimpl\ndef xleval_strategie():\n    return []",
        "unknown hook 'xleval_strategie'",
    ),
    "unknown argument": (
        "from xleval import hookimpl\n@hookimpl\ndef xleval_event(evnt):\n    return",
        "evnt",
    ),
    "unmarked hook": ("def xleval_strategies():\n    return []", "xleval_strategies: not marked as a hook"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_is_named_with_its_reason_and_the_rest_go_on(temporary_plugin: MakePlugin, fault: str) -> None:
    source, reason = BROKEN[fault]
    temporary_plugin("xl_broken", source, package="broken-package", version="0.9")
    temporary_plugin("yy_fine", FINE)
    with pytest.warns(PluginWarning, match=rf"plugin xl-broken \(broken-package 0.9\) is broken: .*{reason}"):
        host = Host()
    info = info_of(host, "xl-broken")
    assert info.status == "broken"
    assert re.search(reason, info.error), info.error
    # One that comes after it in the order of loading, and the built-ins.
    assert info_of(host, "yy-fine").status == "loaded"
    assert {"fine", "madx"} <= {item.name for item in host.strategies.items}


@pytest.mark.parametrize("fault", BROKEN)
def test_strict_plugins_make_a_broken_one_fatal(
    temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    temporary_plugin("xl_broken", BROKEN[fault][0], package="broken-package", version="0.9")
    monkeypatch.setenv("XLEVAL_STRICT_PLUGINS", "1")
    with pytest.raises(UserError, match=r"plugin xl-broken \(broken-package 0.9\)"):
        Host()


def test_strict_zero_is_not_strict(temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary_plugin("xl_broken", "1 / 0")
    monkeypatch.setenv("XLEVAL_STRICT_PLUGINS", "0")
    assert info_of(quiet_host(), "xl-broken").status == "broken"


def test_a_plugin_module_that_is_not_there_is_named() -> None:
    with pytest.warns(PluginWarning, match="plugin no_such_module .*is broken: ModuleNotFoundError"):
        Host(modules=["no_such_module"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise KeyError('lost')", "KeyError: 'lost'"),
        ("return None", "xleval_strategies returned None in place of a list"),
        ("return 'abc'", "xleval_strategies returned text in place of a list"),
        ("return Mine()", "TypeError"),
        ("return [Mine]", "gave the class Mine in place of an instance"),
        ("return [object()]", "AttributeError"),
    ],
)
def test_a_hook_that_fails_takes_nothing_else_with_it(temporary_plugin: MakePlugin, body: str, reason: str) -> None:
    suites = '\n    @hookimpl\n    def xleval_suites():\n        return ["/no/such/suite.yaml"]\n'
    temporary_plugin("xl_broken", FINE.replace("return [Mine()]", body) + suites)
    temporary_plugin("yy_fine", FINE)
    host = Host()
    assert info_of(host, "xl-broken").status == "loaded"
    with pytest.warns(PluginWarning, match="plugin xl-broken"):
        strategies = host.strategies
    assert strategies.find("fine").plugin.name == "yy-fine"
    assert info_of(host, "xl-broken").status == "broken"
    assert reason in info_of(host, "xl-broken").error
    # What its other hooks give does not depend on which was asked first.
    assert "suite" in {item.name for item in host.suites.items}


# Names


def test_a_name_claimed_twice_is_an_error_with_both_claimants(temporary_plugin: MakePlugin) -> None:
    temporary_plugin("xl_one", STRATEGY.format(name="madx"), version="1.0")
    temporary_plugin("xl_two", STRATEGY.format(name="fine"))
    host = Host()
    with pytest.raises(UserError, match="'madx' is claimed more than once") as caught:
        host.choose_strategy("madx")
    assert "xleval/madx (plugin strategies " in str(caught.value)
    assert "xl-one/madx (plugin xl-one 1.0)" in str(caught.value)
    assert host.choose_strategy("xl-one/madx").plugin == "xl-one"
    assert host.choose_strategy("xleval/madx").plugin == "xleval"
    assert host.choose_strategy("fine").plugin == "xl-two"
    assert Host(block=["xl-one"]).choose_strategy("madx").plugin == "xleval"


def test_an_unknown_name_hints_at_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"unknown strategy 'mad-x'; did you mean 'madx' .*\? \(see `xleval ls strategies`\)"
    ):
        Host().strategies.find("mad-x")


def test_every_registry_names_its_listing() -> None:
    host = Host()
    for registry in (host.tasks, host.sources, host.backbones, host.suites, host.strategies):
        with pytest.raises(UserError, match=r"see `xleval ls [a-z]+`"):
            registry.find("?")


def test_two_data_providers_of_one_name_are_an_error(temporary_plugin: MakePlugin) -> None:
    temporary_plugin(
        "xl_data",
        """
        from types import SimpleNamespace
        from xleval import hookimpl

        @hookimpl
        def xleval_data_providers():
            return [SimpleNamespace(name="demo", version="1", languages={})]
        """,
    )
    with pytest.raises(UserError, match=r"'demo' is claimed more than once: xleval/demo .*xl-data/demo"):
        _ = Host().providers


def test_a_language_code_claimed_twice_is_reported_with_both(temporary_plugin: MakePlugin) -> None:
    temporary_plugin(
        "xl_lang",
        """
        from xleval import Language, hookimpl

        @hookimpl
        def xleval_languages():
            return [
                Language("qtz", "Tz", "Constructed", "Latn", "None", "low"),
                Language("qty", "Ty", "Constructed", "Latn", "None", "low", aliases=("sw",)),
            ]
        """,
    )
    host = Host()
    with pytest.warns(PluginWarning, match=r"'sw' is claimed by .*Swahili \(swa\)"):
        languages = host.languages
    assert languages.get("sw").code == "swa"
    assert "qtz" not in languages  # all of a plugin's languages or none


def test_a_registry_lists_broken_declarations_and_refuses_them() -> None:
    info = PluginInfo("p", "package", "1", "entry point")
    registry: Registry[str] = Registry("task", [Provided("good", info, "value"), Provided("bad", info, None, "line 3")])
    assert registry.get("good") == registry.get("package/good") == "value"
    assert registry.values() == ["value"]
    with pytest.raises(UserError, match="task 'bad' is broken: line 3"):
        registry.get("bad")


def test_a_file_that_does_not_load_is_listed_as_broken(temporary_plugin: MakePlugin, cli: Cli) -> None:
    site = temporary_plugin(
        "xl_tasks",
        """
        from pathlib import Path
        from xleval import hookimpl

        @hookimpl
        def xleval_tasks():
            return [Path(__file__).with_name("tasks")]

        @hookimpl
        def xleval_suites():
            return [Path(__file__).with_name("missing.yaml")]
        """,
    )
    (site / "tasks").mkdir()
    (site / "tasks" / "half.yaml").write_text("kind: task\nname: half\n")
    host = Host()
    with pytest.raises(UserError, match=r"task 'half' is broken: .*half\.yaml"):
        host.tasks.find("half")
    with pytest.raises(UserError, match=r"suite 'missing' is broken: .*No such file"):
        host.suites.find("missing")
    assert host.tasks.find("demo-nli").value is not None
    listed = {row["name"]: row for row in json.loads(cli("ls", "tasks", "--json").stdout)}
    assert listed["half"]["status"] == "BROKEN"
    assert "half.yaml" in listed["half"]["error"]
    assert "BROKEN" in cli("ls", "tasks").stdout
    assert "half.yaml" in cli("validate", code=1).stderr


# The command line


def test_plugins_ls_shows_status_errors_and_what_each_provides(temporary_plugin: MakePlugin, cli: Cli) -> None:
    temporary_plugin("xl_broken", "1 / 0", version="7")
    temporary_plugin("xl_fine", FINE)
    temporary_plugin("xl_off", "raise SystemExit(9)")
    done = cli("--no-plugin", "xl-off", "plugins", "ls", "--json")
    found = {info["name"]: info for info in json.loads(done.stdout)}
    assert found["xl-broken"]["status"] == "broken"
    assert "ZeroDivisionError" in found["xl-broken"]["error"]
    assert found["xl-broken"]["version"] == "7"
    assert found["xl-off"]["status"] == "blocked"
    assert found["xl-fine"]["provides"] == {"strategy": ["fine"]}
    assert found["xl-fine"]["hooks"] == ["xleval_strategies"]
    assert found["xl-fine"]["load_ms"] >= 0
    assert "demo-nli" in found["tasks"]["provides"]["task"]
    assert "warning: plugin xl-broken (xl-broken 7) is broken" in done.stderr
    table = cli("--no-plugin", "xl-off", "plugins", "ls").stdout
    assert "ZeroDivisionError" in table and "blocked" in table


def test_a_broken_plugin_does_not_kill_help_or_a_listing(temporary_plugin: MakePlugin, cli: Cli) -> None:
    temporary_plugin("xl_broken", "raise SystemExit(9)")
    assert "Usage" in cli("--help").stdout
    assert "madx" in cli("ls", "strategies").stdout
    strict = cli("ls", "strategies", code=2, XLEVAL_STRICT_PLUGINS="1")
    assert strict.stderr.startswith("error: plugin xl-broken (xl-broken 1.2.3)")


def test_a_hook_that_fails_is_said_where_its_strategies_are_missed(temporary_plugin: MakePlugin, cli: Cli) -> None:
    temporary_plugin("xl_broken", FINE.replace("return [Mine()]", "raise KeyError('lost')"))
    done = cli("plan", "--strategy", "fine", code=2)
    assert "warning: plugin xl-broken (xl-broken 1.2.3) is broken: KeyError: 'lost'" in done.stderr
    assert "unknown strategy 'fine'" in done.stderr
