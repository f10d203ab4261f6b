"""Writes a new plugin package from the templates in ``_scaffold``: what ``xleval plugins new`` does."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A folder of templates each.
KINDS = ("strategy",)

#: File of the package → its template.
_FILES = {
    "pyproject.toml": "pyproject.toml.jinja",
    "README.md": "README.md.jinja",
    "{module}.py": "module.py.jinja",
    "tests/test_{module}.py": "test_module.py.jinja",
    ".github/workflows/test.yml": "workflow.yml.jinja",
    ".gitignore": "gitignore.jinja",
}
_TEMPLATES = Path(__file__).resolve().parent / "_scaffold"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)  # the name of a distribution, PEP 508
#: Names that the templates use themselves.
_IN_TEMPLATES = {"Iterable", "Language", "Literal", "Recipe", "Strategy", "TaskSpec", "World"}


@dataclass(frozen=True)
class Names:
    """What follows from a package's name: its module, the class in it, and what the class is called in xleval."""

    name: str
    module: str
    strategy: str
    cls: str


def names_of(name: str) -> Names:
    """The names of a package called ``name``, e.g. ``my-strategy``: ``my_strategy``, ``MyStrategy``.

    The strategy goes by the package's name without ``xleval-`` before it.

    Raises:
        UserError: no package can have this name, or a module of this name is there already.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot name a package: write letters, digits and single dashes, such as my-strategy")
    parts = [part for part in re.split(r"[-_.]+", name.lower()) if part]
    module = "_".join(parts)
    if not module.isidentifier():
        raise UserError(f"{name!r}: its module would be {module}, and no module begins with a digit")
    if keyword.iskeyword(module):
        raise UserError(f"{name!r}: its module would be {module}, which is a keyword of Python; try xleval-{module}")
    if (found := _taken(module)) is not None:
        raise UserError(f"{name!r}: there is a module {module} already ({found}); try xleval-{module}")
    if parts[0] == "xleval" and len(parts) > 1:
        parts = parts[1:]
    cls = "".join(part.capitalize() for part in parts)
    if cls in _IN_TEMPLATES or keyword.iskeyword(cls) or not cls.isidentifier():
        cls = f"The{cls}"
    return Names(name, module, "-".join(parts), cls)


def render(names: Names, kind: str = "strategy") -> dict[str, str]:
    """The package's files: path → text."""
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES / kind)
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    values = vars(names)
    return {path.format(**values): environment.get_template(file).render(values) for path, file in _FILES.items()}


def write(
    name: str, folder: Path | None = None, kind: str = "strategy", taken: Mapping[str, str] | None = None
) -> Path:
    """Writes the package into ``folder``, by default ``./NAME``; returns the folder.

    ``taken``: names of the strategies that there are → who has them. Nothing is ever overwritten.

    Raises:
        UserError: a bad name, one that is taken, a folder with something in it, or one that cannot be written.
    """
    names = names_of(name)
    if taken and names.strategy in taken:
        raise UserError(f"strategy {names.strategy!r} is there already ({taken[names.strategy]}): choose another name")
    folder = folder or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and not an empty folder; nothing is overwritten (see --dir)")
    try:
        for path, text in render(names, kind).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}") from None
    return folder


def _taken(module: str) -> str | None:
    """Where the module of this name lies; None where there is none."""
    if module in sys.stdlib_module_names:
        return "of Python's standard library"
    if module in ("conftest", "tests"):
        return "of the package's own tests"
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    # A folder on the path is importable too, as a namespace; it is in nobody's way.
    return spec.origin if spec is not None else None
