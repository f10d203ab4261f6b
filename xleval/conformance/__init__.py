"""Whether a plugin keeps to the contract: what ``xleval plugins check`` and ``xleval.testing`` run.

Every check gives one :class:`Check`, which says what to do where it failed. A plugin that cannot be found or
loaded is not checked further.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    from xleval.conformance.target import Target
    from xleval.host import Host
    from xleval.registry import PluginInfo, Provided, Registry


@dataclass(frozen=True)
class Check:
    """One thing that was checked. ``fault`` says what is wrong and what to do; it is empty where all is well."""

    what: str
    of: str
    fault: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the plugin does as it should."""
        return not self.fault


@dataclass(frozen=True)
class Subject:
    """What is checked: the host's entries of one plugin, and the strategies that were chosen, if any were.

    ``modules`` are the plugin's and others that the host loads.
    """

    host: Host
    infos: list[PluginInfo]
    modules: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()

    def own(self, registry: Registry[Any]) -> list[Provided[Any]]:
        """What the plugin adds to a registry."""
        return [item for item in registry.items if item.plugin in self.infos]


def check_plugin(
    plugin: str | Path | ModuleType,
    *,
    run: bool = True,
    strategies: Iterable[str] = (),
    modules: Iterable[str] = (),
    block: Iterable[str] = (),
    each: Callable[[Check], object] | None = None,
) -> list[Check]:
    """All checks of a plugin: an installed package, an importable module, a file or a folder.

    ``run=False`` leaves out the small run on the demo, which takes longer than all the rest. ``strategies``
    are checked in place of the plugin's own as they are by default, e.g. ``["mine:first=2"]``. ``modules`` and
    ``block`` are the host's: other plugins to load, or not to. ``each`` gets every check as it is done.

    Raises:
        UserError: there is no such package, module, path or strategy.
    """
    from xleval.conformance.target import find_target

    target = find_target(plugin)
    with target.importable(), _faults_kept():
        found = []
        for check in _checks(target, run, tuple(strategies), tuple(modules), tuple(block)):
            found.append(check)
            if each is not None:
                each(check)
        return found


def _checks(
    target: Target, run: bool, strategies: tuple[str, ...], modules: tuple[str, ...], block: tuple[str, ...]
) -> Iterator[Check]:
    from xleval.conformance import declarations, loading, provision, recipes, small_run
    from xleval.conformance.target import not_installed
    from xleval.host import Host

    if target.fault:
        yield Check("entry point", target.title, target.fault)
        return
    modules = (*modules, *target.modules)
    host = Host(not_installed(modules), block)
    subject = Subject(host, target.among(host.plugins), modules, strategies)
    yield from loading.checks(subject)
    if all(info.module is not None for info in subject.infos):
        yield from declarations.checks(subject)
        yield from recipes.checks(subject)
        yield from provision.checks(subject)
        if run:
            yield from small_run.checks(subject)


@contextmanager
def _faults_kept() -> Iterator[None]:
    """A broken plugin is what the checks speak of: within this it is neither warned of nor fatal."""
    from xleval.host import PluginWarning

    strict = os.environ.get("XLEVAL_STRICT_PLUGINS")
    os.environ["XLEVAL_STRICT_PLUGINS"] = "0"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluginWarning)
            yield
    finally:
        if strict is None:
            del os.environ["XLEVAL_STRICT_PLUGINS"]
        else:
            os.environ["XLEVAL_STRICT_PLUGINS"] = strict


__all__ = ["Check", "Subject", "check_plugin"]
