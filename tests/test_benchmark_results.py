"""The command that writes benchmarks/RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``results`` and ``sections``, which scripts of that folder import by these names."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("results", "sections"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sections, results = importlib.import_module("sections"), importlib.import_module("results")
    monkeypatch.setattr(results, "machine", lambda: "A machine.")
    return argparse.Namespace(results=results, sections=sections)


def section(modules: Any, script: Path) -> Any:
    return modules.sections.Section("made", "Start-up", (modules.sections.Command(str(script)),), remark="A remark.")


def test_the_file_has_known_sections_and_is_read_as_it_is_written(modules: Any, tmp_path: Path) -> None:
    text = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
    (copy := tmp_path / "RESULTS.md").write_text(text, encoding="utf-8")
    document = modules.results.Document(copy)
    by_title = {one.title: one for one in modules.sections.SECTIONS}
    assert document.texts.keys() <= by_title.keys()
    first = next(iter(document.texts))
    document.replace(by_title[first], document.texts[first])
    assert copy.read_text(encoding="utf-8") == text


def test_every_script_is_there(modules: Any) -> None:
    scripts = {command.script for one in modules.sections.SECTIONS for command in one.commands}
    assert scripts and all((BENCHMARKS / script).is_file() for script in scripts)


@pytest.mark.parametrize(
    ("code", "failed", "shown"),
    [
        ("print('| a |')", False, "| a |"),
        ("print('| **missed** |'); raise SystemExit(1)", True, "**missed**"),
        ("print('| a |'); raise SystemExit(1)", True, "as it was"),
    ],
)
def test_a_section_is_replaced_unless_it_fails(
    code: str, failed: bool, shown: str, modules: Any, tmp_path: Path
) -> None:
    (script := tmp_path / "made.py").write_text(code)
    out = tmp_path / "RESULTS.md"
    out.write_text("# Measured\n\n## Start-up\n\nas it was\n\n## By hand\n\nkept\n")
    given = argparse.Namespace(out=out, quick=False, peer=None)
    assert bool(modules.results.run([section(modules, script)], given)) is failed
    text = out.read_text(encoding="utf-8")
    assert shown in text and text.endswith("## By hand\n\nkept\n")
    assert ("A remark." in text) is (shown != "as it was")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_machine_lacks_is_not_measured(modules: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "RESULTS.md"
    out.write_text("# Measured\n\n## Start-up\n\nas it was\n")
    need = modules.sections.Need(lambda: False, "no such device")
    lacking = modules.sections.Section("made", "Start-up", needs=(need,))
    assert modules.results.run([lacking], argparse.Namespace(out=out, quick=False, peer=None)) == []
    assert "no such device" in capsys.readouterr().err
    assert "as it was" in out.read_text(encoding="utf-8")
