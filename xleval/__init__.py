"""xleval: evaluation of cross-lingual transfer with adapters.

The public names are imported on first use, so that ``import xleval`` costs nothing::

    import xleval
    table = xleval.run(strategies=["tlr-all-multi"])
    print(table.to_markdown())
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

__version__ = "0.1.0"

#: Marks a function of a plugin as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker("xleval")

if TYPE_CHECKING:
    from xleval.backbones import Backbone as Backbone
    from xleval.comparison.recorded import compare as compare
    from xleval.errors import UserError as UserError
    from xleval.experiment import Experiment as Experiment
    from xleval.languages import Language as Language
    from xleval.plan import plan as plan
    from xleval.recipe import BA as BA
    from xleval.recipe import LA as LA
    from xleval.recipe import MA as MA
    from xleval.recipe import NONE as NONE
    from xleval.recipe import Fusion as Fusion
    from xleval.recipe import LanguageModule as LanguageModule
    from xleval.recipe import Recipe as Recipe
    from xleval.recipe import TaskAdapter as TaskAdapter
    from xleval.recipe import Tuned as Tuned
    from xleval.recipe import World as World
    from xleval.run import run as run

_HOMES = {
    "BA": "xleval.recipe",
    "Backbone": "xleval.backbones",
    "Experiment": "xleval.experiment",
    "Fusion": "xleval.recipe",
    "LA": "xleval.recipe",
    "Language": "xleval.languages",
    "LanguageModule": "xleval.recipe",
    "MA": "xleval.recipe",
    "NONE": "xleval.recipe",
    "Recipe": "xleval.recipe",
    "TaskAdapter": "xleval.recipe",
    "Tuned": "xleval.recipe",
    "UserError": "xleval.errors",
    "World": "xleval.recipe",
    "compare": "xleval.comparison.recorded",
    "plan": "xleval.plan",
    "run": "xleval.run",
}

__all__ = [*_HOMES, "__version__", "hookimpl"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xleval' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


class _Package(ModuleType):
    """Keeps ``xleval.run`` and ``xleval.plan`` functions: importing the modules that define them would put
    those modules in their place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
