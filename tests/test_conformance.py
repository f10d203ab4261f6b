"""``xleval plugins check``: a plugin that keeps to the contract passes, and every fault is named with what to do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from conftest import Cli, MakePlugin

from xleval.conformance import Check
from xleval.errors import UserError
from xleval.testing import assert_conforms, check_plugin

GOOD = '''
from dataclasses import dataclass
from xleval import LA, NONE, BA, MA, Recipe, LanguageModule, Tuned, UserError, hookimpl

XLEVAL_API = 1

@dataclass(frozen=True)
class Some:
    """What it does."""

    first: int = 2
    name = "some"
    summary = "one line"

    def recipe(self, task, target, world):
        return Recipe([LA(world.source), *map(LA, world.target_languages()[: self.first])], LA(target))

@hookimpl
def xleval_strategies():
    return [Some()]
'''

ANSWER = "return Recipe([LA(world.source), *map(LA, world.target_languages()[: self.first])], LA(target))"
SUMMARY = 'summary = "one line"'


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.what: check.fault for check in checks if not check.ok}


@pytest.fixture
def faults_of(temporary_plugin: MakePlugin, request: pytest.FixtureRequest):
    """Installs a module and gives the checks that fail, by name; the run on the demo is left out."""

    def check(source: str, module: str = "xl_checked") -> dict[str, str]:
        temporary_plugin(module, source)
        checks = check_plugin(module, run=False)
        assert len({(check.what, check.of) for check in checks}) == len(checks)
        return failed(checks)

    return check


def test_a_good_plugin_passes_every_check(temporary_plugin: MakePlugin) -> None:
    temporary_plugin("xl_checked", GOOD, package="xl-package", name="point")
    checks = check_plugin("xl-package", run=False)
    assert failed(checks) == {}
    assert [check.what for check in checks] == [
        "entry point", "loads", "light import", "API version", "hooks", "declarations",
        "name", "summary", "docstring", "signature", "parameters",
        "recipe for every target", "recipes are frozen", "languages are known", "changes nothing",
        "same answer again", "same answer elsewhere",
    ]  # fmt: skip
    said = [(check.what, check.of, check.fault) for check in checks]  # notes tell how long an import took
    for name in ("point", "xl_checked"):
        assert [(check.what, check.of, check.fault) for check in check_plugin(name, run=False)] == said
    assert_conforms("XL.Package", run=False)
    assert_conforms(sys.modules["xl_checked"], run=False)


@pytest.mark.parametrize("plugin", ["strategies", "backbones", "tasks", "demo"])
def test_what_is_built_in_conforms(plugin: str) -> None:
    assert failed(check_plugin(plugin, run=False)) == {}


RECIPE, AGAIN, ELSEWHERE = "recipe for every target", "same answer again", "same answer elsewhere"
PARAMETER = "first: int = 2"
LIST = "    return [Some()]"

#: Case → what is replaced in GOOD, by what, the check that fails then, what it says, and others that fail with it.
STRATEGY_FAULTS = {
    "import fails": ("XLEVAL_API = 1", "1 / 0", "loads", "ZeroDivisionError: division by zero ("),
    "other API": ("XLEVAL_API = 1", "XLEVAL_API = 99", "loads", "plugin API 99, this xleval has 1: upgrade xleval"),
    "unmarked": ("@hookimpl\n", "", "loads", "xleval_strategies: not marked as a hook (put @xleval.hookimpl"),
    "unknown": ("def xleval_strategies", "def xleval_strategys", "loads", "unknown hook 'xleval_strategys'"),
    "unknown and unmarked": (
        "@hookimpl",
        "def xleval_backbone(): pass\n\n@hookimpl",
        "hooks",
        "xleval_backbone is no hook; did you mean 'xleval_backbones'",
    ),
    "heavy import": ("XLEVAL_API = 1", "import numpy", "light import", "xl_checked.py:5: move the import into"),
    "heavy hook": (LIST, f"    import numpy\n{LIST}", "light import", "imports numpy at "),
    "slow import": ("XLEVAL_API = 1", "sum(range(50_000_000))", "light import", "s of CPU time, more than 0.3 s"),
    "hook raises": (LIST, f"{LIST}[5]", "declarations", "IndexError: list index out of range ("),
    "a class": ("[Some()]", "[Some]", "declarations", "gave the class Some in place of an instance, Some()"),
    "capitals": ('"some"', '"Some One"', "name", "'Some One': write lower case, digits and single dashes"),
    "taken": ('"some"', '"madx"', "name", "also claimed by xleval/madx: choose another"),
    "no summary": (SUMMARY, "", "summary", "add a summary of one line"),
    "long summary": (SUMMARY, 'summary = "two\\nlines"', "summary", "write one line, not 2"),
    "no docstring": ('    """What it does."""\n', "", "docstring", "say in the class's docstring what it does"),
    "arguments": ("task, target, world)", "task, world, target)", "signature", "write def recipe(self, task", RECIPE),
    "wrong default": (PARAMETER, 'first: int = "two"', "parameters", "its default does not fit its type", RECIPE),
    "unknown type": (PARAMETER, "first: 'Nothing' = 2", "parameters", "first: give it a type such as int"),
    "other type": (PARAMETER, "first: str = 2", "parameters", "first: first=2 gives '2', not its default 2"),
    "no recipe": (ANSWER, "return [LA(target)]", RECIPE, "in place of a Recipe (and"),
    "not for every source": (
        ANSWER,
        "return Recipe([BA(world.source, target)], NONE)",
        RECIPE,
        "UserError: a bilingual adapter needs two languages",
    ),
    "not for every task": (ANSWER, 'return {"xnli": Recipe([NONE], NONE)}[task.name]', RECIPE, "KeyError: "),
    "refuses all": (f"    {PARAMETER}\n", "", RECIPE, "UserError: never (and", "refuses"),
    "unhashable": (ANSWER, 'return Recipe([LanguageModule("la", [target.code])], NONE)', RECIPE, "unhashable type"),
    "unknown kind": (ANSWER, 'return Recipe([LanguageModule("xa")], NONE)', RECIPE, "unknown kind of language module"),
    "language": (ANSWER, 'return Recipe([LA("xx")], NONE)', "languages are known", "unknown language 'xx'"),
    "tuned on": (ANSWER, 'return Recipe([NONE], NONE, tuned=Tuned("xx", 5))', "languages are known", "language 'xx'"),
    "world": (
        ANSWER,
        "world.targets[task.name] = (); return Recipe([NONE], NONE)",
        "changes nothing",
        "its world: let",
    ),
    "itself": (ANSWER, "self.__dict__['n'] = 1; return Recipe([NONE], NONE)", "changes nothing", "the strategy itself"),
    "task": (ANSWER, "task.label_map['a'] = 'b'; return Recipe([NONE], NONE)", "changes nothing", "changes its task"),
    "random": (
        ANSWER,
        "import random; return Recipe([NONE], random.choice([NONE, LA(target)]))",
        AGAIN,
        "asked again, in another order",
        ELSEWHERE,
    ),
    "order of calls": (
        ANSWER,
        "SEEN.append(1); return Recipe([NONE], NONE, drop_last=len(SEEN) % 7 == 0)",
        AGAIN,
        "asked again, in another order",
    ),
    "order of a set": (
        ANSWER,
        "return Recipe([*map(LA, {one.code for one in world.target_languages()}), NONE], NONE)",
        ELSEWHERE,
        "in another process (sort what comes out of a set)",
    ),
}


@pytest.mark.parametrize("case", STRATEGY_FAULTS)
def test_faults_of_strategies(faults_of, case: str) -> None:
    old, new, what, message, *more = STRATEGY_FAULTS[case]
    assert old in GOOD
    source = (
        GOOD.replace(old, new).replace("XLEVAL_API", "SEEN = []\nXLEVAL_API")
        if "SEEN" in new
        else GOOD.replace(old, new)
    )
    if more == ["refuses"]:
        source, more = source.replace(ANSWER, 'raise UserError("never")'), []
    found = faults_of(source)
    assert message in found[what], found
    assert set(found) == {what, *more}


def test_a_strategy_that_needs_parameters_is_checked_with_them(temporary_plugin: MakePlugin) -> None:
    source = GOOD.replace("first: int = 2", "first: int = 0").replace(
        ANSWER, f"if not self.first:\n            raise UserError('give first=')\n        {ANSWER}"
    )
    temporary_plugin("xl_checked", source)
    checks = check_plugin("xl_checked", run=False)
    (note,) = [check.note for check in checks if check.what == "recipe for every target"]
    assert failed(checks) == {}
    assert note == "needs parameters (give first=); check it with --strategy"
    given = check_plugin("xl_checked", run=False, strategies=["some:first=2"])
    assert failed(given) == {}
    assert "strategy some:first=2" in {check.of for check in given}
    assert len(given) > len(checks)
    with pytest.raises(UserError, match="unknown strategy 'nobody'"):
        check_plugin("xl_checked", run=False, strategies=["nobody"])


def test_where_a_plugin_may_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "xl_in_project.py").write_text(GOOD)
    toml = '[project]\nname = "a"\n[project.entry-points.xleval]\na = "xl_in_project"\n'
    (project / "pyproject.toml").write_text(toml)
    (tmp_path / "xl_a_file.py").write_text(GOOD)
    (tmp_path / "xl_a_package").mkdir()
    (tmp_path / "xl_a_package" / "__init__.py").write_text(GOOD)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])  # the host looks in the working folder too
    before = list(sys.path)
    for place in ("project", Path("project"), "./xl_a_file.py", "xl_a_file", project.parent / "xl_a_package"):
        checks = check_plugin(place, run=False)
        assert failed(checks) == {}, place
        assert checks[0].note == "not installed"
    assert sys.path == before
    (project / "pyproject.toml").write_text('[project]\nname = "a"\n')
    assert "add [project.entry-points.xleval]" in failed(check_plugin(project, run=False))["entry point"]
    (project / "pyproject.toml").write_text("[project\n")
    with pytest.raises(UserError, match=r"pyproject.toml: .*line 1"):
        check_plugin(project)


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("strategy", "'strategy': no installed package, no module and no file or folder; did you mean 'strategies'"),
        ("./nothing.py", "nothing.py: no such file or folder"),
        (".", ".: neither a .py file nor a folder with a pyproject.toml"),
    ],
)
def test_what_is_no_plugin(cli: Cli, plugin: str, message: str) -> None:
    done = cli("plugins", "check", plugin, code=2)
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_package_without_entry_point() -> None:
    (check,) = check_plugin("pluggy")
    assert (check.what, check.ok) == ("entry point", False)
    assert "add [project.entry-points.xleval] to pyproject.toml" in check.fault


def test_a_blocked_plugin(temporary_plugin: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary_plugin("xl_checked", GOOD)
    monkeypatch.setenv("XLEVAL_PLUGINS", "")
    assert "blocked by --no-plugin or XLEVAL_PLUGINS" in failed(check_plugin("xl_checked"))["entry point"]


def test_strict_plugins_are_checked_all_the_same(faults_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLEVAL_STRICT_PLUGINS", "1")
    assert "ZeroDivisionError" in faults_of(GOOD.replace("XLEVAL_API = 1", "1 / 0"))["loads"]
    assert os.environ["XLEVAL_STRICT_PLUGINS"] == "1"


def test_assert_conforms_names_every_fault(temporary_plugin: MakePlugin) -> None:
    temporary_plugin("xl_checked", GOOD.replace(SUMMARY, "").replace('"some"', '"Some"'))
    with pytest.raises(AssertionError) as raised:
        assert_conforms("xl_checked", run=False)
    assert str(raised.value).splitlines()[1:] == [
        "strategy Some, name: 'Some': write lower case, digits and single dashes",
        "strategy Some, summary: add a summary of one line, which `xleval ls` prints",
    ]


def test_the_command(cli: Cli) -> None:
    (cli.folder / "good.py").write_text(GOOD)
    done = cli("plugins", "check", "good.py", "--no-run")
    assert done.stdout.splitlines()[-1] == "17 checks, 0 failed"
    (cli.folder / "bad.py").write_text(GOOD.replace(SUMMARY, ""))
    bad = cli("plugins", "check", "./bad.py", "--no-run", code=1)
    assert "17 checks, 1 failed" in bad.stdout and "add a summary of one line" in bad.stdout
    found = json.loads(cli("plugins", "check", "bad.py", "--no-run", "--json", code=1).stdout)
    assert found["failed"] == 1
    (row,) = [row for row in found["checks"] if not row["ok"]]
    assert (row["check"], row["of"], row["note"]) == ("summary", "strategy some", "")
    assert set(row) == {"check", "of", "ok", "fault", "note"}


@pytest.mark.slow
def test_a_strategy_that_needs_parameters_runs_with_them(temporary_plugin: MakePlugin) -> None:
    source = GOOD.replace(PARAMETER, "first: int = 0").replace(
        ANSWER, f"if not self.first:\n            raise UserError('give first=')\n        {ANSWER}"
    )
    temporary_plugin("xl_checked", source)
    without = check_plugin("xl_checked")
    assert failed(without) == {} and "runs on the demo" not in {check.what for check in without}
    given = check_plugin("xl_checked", strategies=["some:first=1"])
    assert failed(given) == {}
    assert given[-1] == Check("runs on the demo", "strategy some:first=1")
