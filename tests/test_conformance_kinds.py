"""``xleval plugins check`` of what is no strategy: backbones, files, languages, data providers, executors, trackers."""

from __future__ import annotations

from textwrap import dedent

import pytest
from conftest import MakePlugin

from xleval.conformance import Check
from xleval.testing import check_plugin


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


BACKBONE = """
from pathlib import Path
from xleval import Backbone, hookimpl

@hookimpl
def xleval_backbones():
    return [Backbone({})]
"""


@pytest.mark.parametrize(
    ("arguments", "what", "message"),
    [
        ('"b", "org/name", "main", "s"', "source", "revision is 'main': pin a commit of org/name, 40 hex digits"),
        ('"b", "org/name", None, "s"', "source", "revision is None: pin a commit"),
        (
            '"b", "/nowhere", None, "s"',
            "source",
            "'/nowhere' is neither a folder that is there nor a hub id",
        ),
        ('"b", ".", None, "s"', "source", "no config.json"),
        ('"b", "org/name", "0" * 40', "summary", "add a summary"),
        ('"b", "org/name", "0" * 40, "s", "bert"', "languages seen", 'seen is \'bert\': write "mbert", "xlmr" or'),
        (
            '"b", "org/name", "0" * 40, "s", frozenset({"eng", "xx"})',
            "languages seen",
            "has unknown languages: xx",
        ),
        ('"b", "org/name", "0" * 40, "s", frozenset({"sw"})', "languages seen", "seen has 'sw': write 'swa'"),
        ('"b", "org/name", "0" * 40, "s", "mbert", ("ethi",)', "scripts", "unsupported_scripts has 'ethi'"),
        ('"B", "org/name", "0" * 40, "s"', "name", "'B': write lower case"),
        ('"b", "org/name", "0" * 40, adapter_table=Path("no.yaml"), summary="s"', "table of adapters", "no.yaml: "),
        ('"b", "org/name", "0" * 40, "s", "mbert", ("Ethi",)', "", ""),
    ],
)
def test_faults_of_backbones(faults_of, arguments: str, what: str, message: str) -> None:
    found = faults_of(BACKBONE.format(arguments))
    assert set(found) == ({what} if what else set())
    assert message in found.get(what, "")


def test_faults_of_languages_and_hooks(faults_of) -> None:
    source = """
    from xleval import Language, hookimpl

    @hookimpl
    def xleval_languages():
        return [Language("swa", "Other", "Family", "Latn", "Africa", "low")]

    @hookimpl
    def xleval_event():
        pass
    """
    found = faults_of(source)
    assert "'swa' is claimed by" in found.pop("declarations")
    assert found == {"hooks": "write def xleval_event(event), not ()"}


def test_a_module_without_hooks(faults_of) -> None:
    assert "no hook: mark a function such as xleval_strategies with @xleval.hookimpl" in faults_of("x = 1")["hooks"]


def test_faults_of_files(temporary_plugin: MakePlugin) -> None:
    source = """
    from pathlib import Path
    from xleval import hookimpl

    @hookimpl
    def xleval_tasks():
        return [Path(__file__).parent / "specs"]
    """
    folder = temporary_plugin("xl_checked", source) / "specs"
    gone = failed(check_plugin("xl_checked", run=False))["files validate"]
    assert "specs: no such file or folder (is it part of the package?)" in gone
    folder.mkdir()
    (folder / "task.yaml").write_text("kind: task\nname: mine\n")
    found = failed(check_plugin("xl_checked", run=False))["files validate"]
    assert "task.yaml" in found and "languages" in found


PROVIDER = """
import random
from xleval import hookimpl

class Made:
    name = "made"
    version = "1"
    languages = ("swa",)

    def rows(self, dataset, split, language):
        return [{"id": "1", "premise": "a", "label": "x"}]

    def text(self, language):
        return ["a b", "c d"]

@hookimpl
def xleval_data_providers():
    return [Made()]
"""


@pytest.mark.parametrize(
    ("old", "new", "what", "message"),
    [
        ('version = "1"', "", "protocol", "give it a version"),
        ("def text", "def texts", "protocol", "it needs the methods rows(dataset, split, language) and text(language)"),
        ('("swa",)', '("xx",)', "protocol", "languages has 'xx', which is unknown: add it with xleval_languages"),
        (
            '["a b", "c d"]',
            "[str(random.random())]",
            "same data again",
            "text/swa is other data asked again",
        ),
        (
            '["a b", "c d"]',
            '[*{"a", "b", "c", "d", "e"}]',
            "same data again",
            "other data in another process",
        ),
        ('["a b", "c d"]', "1 / 0", "gives its data", "text/swa: ZeroDivisionError"),
        ('name = "made"', 'name = "demo"', "name", "data provider 'demo' is claimed more than once"),
    ],
)
def test_faults_of_data_providers(faults_of, old: str, new: str, what: str, message: str) -> None:
    found = faults_of(PROVIDER.replace(old, new))
    assert message in found[what]
    assert set(found) == {what}


def test_a_good_data_provider(faults_of) -> None:
    assert faults_of(PROVIDER) == {}


@pytest.mark.parametrize(
    ("body", "what", "message"),
    [
        ('name = "mine"', "protocol", "it needs name, summary and execute"),
        (
            'name = "mine"\n    summary = "s"\n    def execute(self, work, setting): pass',
            "protocol",
            "write def execute(self, work",
        ),
        (
            'name = "local"\n    summary = "s"\n    def execute(self, *a, **k): pass',
            "name",
            "also claimed by xleval/local",
        ),
    ],
)
def test_faults_of_executors(faults_of, body: str, what: str, message: str) -> None:
    hook = "@hookimpl\ndef xleval_executors():\n    return [Mine()]"
    found = faults_of(f"from xleval import hookimpl\n\nclass Mine:\n    {body}\n\n{hook}\n")
    assert message in found[what]


RUNS = """
from xleval import LA, NONE, Recipe, hookimpl
from xleval.executors.local import LocalExecutor

class Good:
    '''Runs.'''
    name = "good"
    summary = "runs"

    def recipe(self, task, target, world):
        return Recipe([LA(world.source)], LA(target))

class NoText(Good):
    '''Names a language that the demo has no text of.'''
    name = "no-text"

    def recipe(self, task, target, world):
        return Recipe([LA("shp")], NONE)

class Quiet:
    name = "quiet"
    summary = "on this machine"

    def execute(self, work, setting, *, jobs=1, address="", emit=None):
        yield from LocalExecutor().execute(work, setting)

class Lost(Quiet):
    name = "lost"

    def execute(self, work, setting, *, jobs=1, address="", emit=None):
        return iter(())

@hookimpl
def xleval_strategies():
    return [Good(), NoText()]

@hookimpl
def xleval_executors():
    return [Quiet(), Lost()]

@hookimpl
def xleval_event(event):
    if type(event).__name__ not in ("RunStarted", "CellFinished"):
        raise LookupError(type(event).__name__)
"""


@pytest.mark.slow
def test_what_runs_is_run(temporary_plugin: MakePlugin) -> None:
    temporary_plugin("xl_checked", dedent(RUNS))
    checks = {(check.what, check.of): check for check in check_plugin("xl_checked")}
    assert checks["runs on the demo", "strategy good"].ok
    assert checks["runs on the demo", "executor quiet"].ok
    no_text = checks["runs on the demo", "strategy no-text"].fault
    assert "shp" in no_text and "--text-dir" in no_text
    assert checks["runs on the demo", "executor lost"].fault == "no cell was recorded"
    assert "LookupError: Work" in checks["gets the events of a run", "xl-checked"].fault
    assert sum(not check.ok for check in checks.values()) == 3
