"""``xleval plugins new``: what it writes installs, conforms and runs; bad names are refused, nothing is overwritten."""

from __future__ import annotations

import ast
import json
import os
import resource
import shutil
import site
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from xleval.conformance import check_plugin
from xleval.errors import UserError
from xleval.records import Results
from xleval.scaffold import KINDS, names_of, render, write

EXAMPLE = ROOT / "plugins" / "xleval_example_strategy"
LEFT_BY_TOOLS = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache")


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part in LEFT_BY_TOOLS for part in path.relative_to(folder).parts)
    }


def test_the_example_is_what_the_command_writes(cli: Cli) -> None:
    cli("plugins", "new", "xleval-example-strategy")
    written = files(cli.folder / "xleval-example-strategy")
    assert set(written) == {
        ".github/workflows/test.yml",
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "tests/test_xleval_example_strategy.py",
        "xleval_example_strategy.py",
    }
    assert written == files(EXAMPLE)


@pytest.mark.parametrize(
    ("name", "module", "strategy", "cls"),
    [
        ("mine", "mine", "mine", "Mine"),
        ("xleval-example-strategy", "xleval_example_strategy", "example-strategy", "ExampleStrategy"),
        ("My.Own__Idea", "my_own_idea", "my-own-idea", "MyOwnIdea"),
        ("xleval-3x", "xleval_3x", "3x", "The3x"),
        ("none", "none", "none", "TheNone"),  # the class would be a keyword
        ("world", "world", "world", "TheWorld"),  # the class would hide an import of the module
        ("recipe", "recipe", "recipe", "TheRecipe"),
    ],
)
def test_names(name: str, module: str, strategy: str, cls: str, tmp_path: Path) -> None:
    names = names_of(name)
    assert (names.module, names.strategy, names.cls) == (module, strategy, cls)
    folder = write(name, tmp_path / name)
    source = (folder / f"{module}.py").read_text(encoding="utf-8")
    assert cls in {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-mine", "'-mine' cannot name a package: write letters"),
        ("mine!", "cannot name a package"),
        ("", "cannot name a package"),
        ("größe", "cannot name a package"),
        ("../mine", "cannot name a package"),
        ("3x", "its module would be 3x, and no module begins with a digit"),
        ("class", "its module would be class, which is a keyword of Python; try xleval-class"),
        ("json", "there is a module json already (of Python's standard library)"),
        ("tests", "there is a module tests already (of the package's own tests); try xleval-tests"),
        ("torch", "there is a module torch already"),
        ("xleval", "there is a module xleval already"),
    ],
)
def test_names_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        names_of(name)
    assert message in str(raised.value)


def test_a_strategy_that_there_is(cli: Cli) -> None:
    done = cli("plugins", "new", "madx", code=2)
    assert done.stderr == "error: strategy 'madx' is there already (xleval/madx): choose another name\n"
    assert cli("plugins", "new", "xleval-madx", code=2).stderr == done.stderr
    assert not list(cli.folder.iterdir())


def test_nothing_is_overwritten(cli: Cli) -> None:
    (cli.folder / "mine").mkdir()
    cli("plugins", "new", "mine")
    before = files(cli.folder)
    (cli.folder / "file").write_text("text")
    for arguments in (["mine"], ["other", "--dir", "mine"], ["other", "--dir", "file"]):
        done = cli("plugins", "new", *arguments, code=2)
        assert "is there already and not an empty folder; nothing is overwritten (see --dir)" in done.stderr
    (cli.folder / "file").unlink()
    assert files(cli.folder) == before


def test_a_folder_that_cannot_be_written(cli: Cli) -> None:
    (cli.folder / "file").write_text("text")
    done = cli("plugins", "new", "mine", "--dir", "file/mine", code=2)
    assert "file/mine: Not a directory" in done.stderr


def test_what_it_says_leads_on(cli: Cli) -> None:
    lines = cli("plugins", "new", "xleval-mine", "--dir", "here").stdout.splitlines()
    assert lines[0].startswith("written to here: .github/workflows/test.yml, .gitignore, README.md")
    assert lines[2:] == ["pip install ./here", "xleval run --strategy mine", "xleval plugins check xleval-mine"]
    absolute = cli("plugins", "new", "mine", "--dir", cli.folder / "there").stdout.splitlines()
    assert absolute[2] == f"pip install {cli.folder / 'there'}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["world", "xleval-none", "xleval-3x"])
def test_what_it_writes_conforms(kind: str, name: str, tmp_path: Path) -> None:
    checks = check_plugin(write(name, tmp_path / name, kind), run=False)
    assert len(checks) > 10
    assert [check for check in checks if not check.ok] == []


def test_no_template_is_left_open() -> None:
    for text in render(names_of("mine")).values():
        left = text.replace("${{ matrix.python }}", "")  # the workflow's own
        assert text.endswith("\n") and "{{" not in left and "{%" not in left


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with xleval installed in it; what xleval needs is taken from this one."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for number, path in enumerate(site.getsitepackages()):
        (packages / f"outer{number}.pth").write_text(f"import site; site.addsitedir({path!r})\n")
    install(folder, ROOT)
    return folder


def install(environment: Path, folder: Path | str, cwd: Path | None = None) -> None:
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    command = [environment / "bin" / "python", "-m", "pip", "install", *options, str(folder)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if "Cannot import 'hatchling.build'" in done.stderr:
        pytest.skip("needs the package hatchling")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the folders of an environment are named otherwise")
def test_from_an_empty_folder_to_a_run_in_two_minutes(environment: Path, cli: Cli) -> None:
    """The four commands that docs/write-a-strategy.md begins with."""
    page = (ROOT / "docs" / "write-a-strategy.md").read_text(encoding="utf-8")
    commands = page.split("```sh\n")[1].split("```")[0].splitlines()
    assert [" ".join(command.split()[:2]) for command in commands] == [
        "xleval plugins", "pip install", "xleval ls", "xleval run",
    ]  # fmt: skip
    outputs = []
    started, used = time.monotonic(), cpu_seconds()
    for command in commands:
        program, *arguments = command.split()
        if program == "pip":
            install(environment, arguments[-1], cli.folder)
            continue
        done = subprocess.run(
            [environment / "bin" / program, *arguments],
            cwd=cli.folder,
            env={**cli.environment, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    wall, cpu = time.monotonic() - started, cpu_seconds() - used
    print(f"{wall:.0f} s on the clock, {cpu:.0f} s of CPU time")
    assert " mine " in outputs[1] and "resource=high" in outputs[1]
    records = list(Results(cli.folder / "xleval-results").cells().values())
    assert len(records) == 2 * 8 * 3  # tasks, languages, seeds of the demo
    assert {record["status"] for record in records} == {"ok"}
    runs = Results(cli.folder / "xleval-results").runs().values()
    assert {run["strategy"]["name"] for run in runs} == {"mine"}
    assert {run["strategy"]["plugin"] for run in runs} == {"mine"}
    # CPU time, for other work on the machine stretches the clock: two minutes of two cores.
    assert cpu < 240


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the folders of an environment are named otherwise")
def test_the_tests_of_the_example_pass_where_it_is_installed(environment: Path, cli: Cli) -> None:
    folder = cli.folder / "copy"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(*LEFT_BY_TOOLS))
    install(environment, folder)
    for command in (
        [environment / "bin" / "python", "-m", "pytest", "-q"],
        [environment / "bin" / "xleval", "plugins", "check", "xleval-example-strategy", "--json"],
    ):
        done = subprocess.run(
            command, cwd=folder, env={**cli.environment, "PYTHONPATH": ""}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["checks"][0]["note"] == "xleval-example-strategy 0.1.0"
    assert found["checks"][-1]["check"] == "runs on the demo"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
