"""What is installed is whole: a wheel and an editable install find the same specs, suites and plugins."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Cli

pytestmark = pytest.mark.slow

LISTED = ("tasks", "datasets", "suites", "strategies", "backbones")
PLUGINS = ("xleval_backbones", "xleval_strategies", "xleval_tasks", "xleval_demo")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No module named build" in done.stderr:
        pytest.skip("needs the packages build and hatchling")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked as installers do, without its dependencies."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def run_installed(installed: Path, cli: Cli, code: str, *arguments: str) -> str:
    """Runs Python without site, so that no .pth file of an editable install is read."""
    script = f"import sys; sys.argv = ['xleval', *sys.argv[1:]]\n{code}"
    path = os.pathsep.join([str(installed), *site.getsitepackages()])
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *arguments],
        cwd=cli.folder,
        env={**cli.environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(folder: str, pattern: str) -> set[str]:
    """Files of the checkout below a folder, relative to it."""
    return {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob(pattern) if path.is_file()}


def test_the_wheel_has_every_module_and_every_file_beside_the_code(wheel: Path) -> None:
    found = names(wheel)
    for package in ("xleval", *(f"plugins/{name}" for name in PLUGINS)):
        home = package.rpartition("/")[2]
        assert {f"{home}/{path}" for path in tracked(package, "*.py")} <= found
    specs = tracked("task_specs", "*.yaml")
    assert {"suites/demo.yaml", "sources/mnli.yaml", "xnli.yaml"} <= specs
    assert {f"xleval/_data/task_specs/{path}" for path in specs} <= found
    assert any(name.startswith("xleval/_data/leaderboard/") for name in found)
    assert {f"xleval_demo/encoder/{path}" for path in tracked("plugins/xleval_demo/encoder", "*")} <= found
    assert "xleval/languages.yaml" in found


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"xleval", *PLUGINS}
    unwanted = ("__pycache__", "_site/", ".pyc", "/tests/", "xleval-results")
    assert not [name for name in names(wheel) if any(part in name for part in unwanted)]


def test_the_wheel_names_its_plugins_and_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith("dist-info/entry_points.txt")]
        points = archive.read(path).decode()
    assert "xleval = xleval.cli:main" in points
    assert all(f"= {name}" in points for name in PLUGINS)


def test_the_wheel_is_what_runs_here(installed: Path, cli: Cli) -> None:
    code = "import xleval, xleval_demo; print(xleval.__file__); print(xleval_demo.__file__)"
    for line in run_installed(installed, cli, code).splitlines():
        assert Path(line).is_relative_to(installed)


@pytest.mark.parametrize("kind", LISTED)
def test_wheel_and_checkout_list_the_same(installed: Path, cli: Cli, kind: str) -> None:
    main = "from xleval.cli import main; main()"
    from_wheel = json.loads(run_installed(installed, cli, main, "ls", kind, "--json"))
    from_checkout = json.loads(cli("ls", kind, "--json").stdout)
    for row in (*from_wheel, *from_checkout):
        if kind == "backbones" and row["name"] == "demo":
            row.pop("source", None)
    assert from_wheel == from_checkout
    assert len(from_wheel) >= 1 and not any("error" in row for row in from_wheel)


def test_validate_and_plugins_from_the_wheel(installed: Path, cli: Cli) -> None:
    main = "from xleval.cli import main; main()"
    assert ", 0 faults" in run_installed(installed, cli, main, "validate")
    plugins = json.loads(run_installed(installed, cli, main, "plugins", "ls", "--json"))
    assert {plugin["status"] for plugin in plugins} == {"loaded"}
    assert {plugin["name"] for plugin in plugins} >= {"backbones", "strategies", "tasks", "demo"}


def test_the_demo_is_planned_from_the_wheel(installed: Path, cli: Cli) -> None:
    main = "from xleval.cli import main; main()"
    plan = json.loads(run_installed(installed, cli, main, "plan", "--json"))
    assert plan["cells"]["missing"] == plan["cells"]["total"] > 0


def test_the_resources_of_the_wheel_are_its_own(installed: Path, cli: Cli) -> None:
    code = "from xleval.resources import resource; print(resource('task_specs')); print(resource('leaderboard'))"
    for line in run_installed(installed, cli, code).splitlines():
        assert Path(line).is_relative_to(installed / "xleval" / "_data")


def test_a_damaged_installation_says_so() -> None:
    from xleval.resources import resource

    with pytest.raises(FileNotFoundError, match="'nothing' is missing: reinstall xleval"):
        resource("nothing")


def test_the_version_is_stated_once_and_alike(wheel: Path) -> None:
    from xleval import __version__

    assert wheel.name.split("-")[1] == __version__
