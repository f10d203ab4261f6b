"""Finds the plugin that is to be checked: an installed package, a module, a file, or a folder with a project."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from xleval.errors import UserError, nearest

if TYPE_CHECKING:
    from xleval.registry import PluginInfo

_NO_POINT = (
    "no entry point in the group xleval: add [project.entry-points.xleval] to pyproject.toml, "
    'and in it a line NAME = "MODULE"'
)


@dataclass(frozen=True)
class Target:
    """Modules of one plugin. ``path`` goes in front of ``sys.path`` where they are not installed."""

    title: str
    modules: tuple[str, ...] = ()
    path: Path | None = None
    fault: str = ""

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Within it, the modules can be imported."""
        if self.path is None:
            yield
            return
        sys.path.insert(0, str(self.path))
        invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(self.path))

    def among(self, plugins: Iterable[PluginInfo]) -> list[PluginInfo]:
        """The host's entries for this plugin."""
        points = {(point.dist.name if point.dist else "", point.name): point.module
                  for point in entry_points(group="xleval")}  # fmt: skip
        return [info for info in plugins if points.get((info.package, info.name), info.name) in self.modules]


def not_installed(modules: Iterable[str]) -> list[str]:
    """Those that no entry point names: the host must be told of them, the others it finds by itself."""
    installed = {point.module for point in entry_points(group="xleval")}
    return [module for module in modules if module not in installed]


def find_target(plugin: str | Path | ModuleType) -> Target:
    """What a name, a path or a module stands for: an installed package, then a module, then a path.

    Raises:
        UserError: none of these.
    """
    if isinstance(plugin, ModuleType):
        home = Path(plugin.__file__).parent if plugin.__file__ else None
        inside = "." in plugin.__name__ or hasattr(plugin, "__path__")
        return Target(plugin.__name__, (plugin.__name__,), None if inside else home)
    text = os.fspath(plugin)
    if isinstance(plugin, Path) or os.sep in text or text.endswith(".py") or text.startswith("."):
        return _at(Path(text))
    points = [point for point in entry_points(group="xleval") if point.dist is not None]
    mine = [p for p in points if p.dist and _same(p.dist.name, text)] or [p for p in points if p.name == text]
    if mine:
        return Target(text, tuple(dict.fromkeys(point.module for point in mine)))
    if _is_installed(text):
        return Target(text, fault=_NO_POINT)
    if _is_module(text):
        return Target(text, (text,), Path.cwd())
    if Path(text).exists():
        return _at(Path(text))
    known = {name for point in points if point.dist for name in (point.name, point.dist.name)}
    raise UserError(f"{text!r}: no installed package, no module and no file or folder{nearest(text, known)}")


def _at(path: Path) -> Target:
    if path.is_file() and path.suffix == ".py":
        return Target(str(path), (path.stem,), path.parent.resolve())
    project = path / "pyproject.toml"
    if project.is_file():
        home = path / "src" if (path / "src").is_dir() else path
        modules = tuple(dict.fromkeys(_declared(project)))
        return Target(str(path), modules, home.resolve(), "" if modules else _NO_POINT)
    if (path / "__init__.py").is_file():
        return Target(str(path), (path.resolve().name,), path.resolve().parent)
    what = "no such file or folder" if not path.exists() else "neither a .py file nor a folder with a pyproject.toml"
    raise UserError(f"{path}: {what}")


def _declared(project: Path) -> list[str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        points = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]["xleval"]
        return [str(value).partition(":")[0].strip() for value in points.values()]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{project}: {error}") from None
    except (KeyError, TypeError, AttributeError):
        return []


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()


def _is_module(name: str) -> bool:
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    finally:
        sys.path.pop(0)
    return spec is not None and spec.origin is not None


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):
        return False
    return True
