"""Fixtures for all tests: plugins made on the spot, the command line in a process of its own, public data."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest
from forked import Forks, fixed

ROOT = Path(__file__).resolve().parents[1]

#: The caller's variables: what is set later is by libraries that tests import, and by a test for a plugin.
GIVEN = {*os.environ, "PYTHONPATH"}

MakePlugin = Callable[..., Path]


def pytest_configure(config: pytest.Config) -> None:
    # Ignored in what a shell starts in the background, which tests of Ctrl-C and their processes would inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Several processes take files in the order of collection, not those of many tests first: see below.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, for one that begins last is what all other processes wait for."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
    """Runs ``python -m xleval`` in a folder of its own, with its own store and no hub.

    A command that takes more than ``seconds`` is killed (SIGKILL), which raises ``subprocess.TimeoutExpired``.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    forks: Forks | None = None

    def __call__(
        self, *arguments: str | Path, code: int | None = 0, seconds: float = 600, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given, environment = [str(part) for part in arguments], {**self.environment, **environment}
        if self.forks and fixed(environment) == self.forks.fixed:
            done = self.forks.run(given, self.folder, environment, seconds)
        else:
            command = [sys.executable, "-m", "xleval", *given]
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=seconds
            )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def alone(place: Path) -> dict[str, str]:
    """The environment of a command: a store and a hub's folder below ``place``, and none of the caller's."""
    not_kept = ("XLEVAL_", "_XLEVAL_", "HF_")
    return {
        **{key: value for key, value in os.environ.items() if key in GIVEN and not key.startswith(not_kept)},
        "XLEVAL_STORE": str(place / "store"),
        "HF_HOME": str(place / "hub"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "COLUMNS": "200",
    }


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks | None]:
    """What ``cli`` forks its processes off; elsewhere than on Linux libraries that hold threads do not bear it."""
    if sys.platform != "linux":
        yield None
        return
    forks = Forks(alone(tmp_path_factory.mktemp("forks")))
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def shared_cli(tmp_path_factory: pytest.TempPathFactory, forks: Forks | None) -> Cli:
    """As ``cli``, with one store and folder for a file of tests."""
    place = tmp_path_factory.mktemp("shared")
    (place / "work").mkdir()
    return Cli(place / "work", alone(place), forks)


@pytest.fixture
def cli(tmp_path: Path, forks: Forks | None) -> Cli:
    """``cli("ls", "tasks", code=0)``: the completed process, its exit code checked."""
    (tmp_path / "work").mkdir()
    return Cli(tmp_path / "work", alone(tmp_path), forks)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Public data sets beside the checkout."""
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"no public data at {data}")
    return data
