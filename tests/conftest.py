"""Fixtures for all tests: plugins made on the spot, the command line in a process of its own, public data."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[1]

MakePlugin = Callable[..., Path]


@pytest.fixture
def temporary_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePlugin]:
    """``temporary_plugin(module, source)`` installs a distribution for this test and gives its folder.

    What lies on ``sys.path`` as a module beside a ``*.dist-info`` folder is what an installer leaves.
    """
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))

    def make(module: str, source: str, *, package: str = "", version: str = "1.2.3", name: str = "") -> Path:
        package, name = package or module.replace("_", "-"), name or module.replace("_", "-")
        (site / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = site / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        with (info / "entry_points.txt").open("a") as points:
            points.write(f"[xleval]\n{name} = {module}\n")
        importlib.invalidate_caches()
        return site

    yield make
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(site)):
            del sys.modules[name]


@dataclass
class Cli:
    """Runs ``python -m xleval`` in a folder of its own, with its own store and no hub."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str | Path, code: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "xleval", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """``cli("ls", "tasks", code=0)``: the completed process, its exit code checked."""
    (tmp_path / "work").mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XLEVAL_", "_XLEVAL_", "HF_"))}
    alone = {
        "XLEVAL_STORE": str(tmp_path / "store"),
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "COLUMNS": "200",
    }
    return Cli(tmp_path / "work", {**kept, **alone})


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Public data sets beside the checkout."""
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"no public data at {data}")
    return data
