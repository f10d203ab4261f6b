"""Checks of a plugin as a module: that it loads, what that costs, and what its hooks are called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xleval import hookspecs
from xleval.conformance import Check, probe
from xleval.errors import nearest

if TYPE_CHECKING:
    from xleval.conformance import Subject
    from xleval.registry import PluginInfo

#: CPU seconds that importing a plugin, and calling its declaring hooks, may each take beyond xleval itself.
SECONDS = 0.3

_HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "xleval_spec")}


def checks(subject: Subject) -> Iterator[Check]:
    """Of every module; those of one that does not load end with the reason."""
    for info in subject.infos:
        blocked = "blocked by --no-plugin or XLEVAL_PLUGINS: let it load" if info.status == "blocked" else ""
        where = f"{info.package} {info.version}".strip() if info.origin == "entry point" else "not installed"
        yield Check("entry point", info.name, blocked, note=where)
        if blocked:
            continue
        yield Check("loads", info.name, info.error)
        if info.module is None:
            continue
        yield from _cost(info)
        declared = getattr(info.module, "XLEVAL_API", None)
        note = "" if declared else f"counts as current: write XLEVAL_API = {hookspecs.API_VERSION} in the module"
        yield Check("API version", info.name, note=note)
        yield Check("hooks", info.name, "; ".join(_hook_faults(info)), note=", ".join(info.hooks))


def _cost(info: PluginInfo) -> Iterator[Check]:
    name = getattr(info.module, "__name__", type(info.module).__module__)
    try:
        found = probe.ask("cost", (name,))
    except RuntimeError as error:
        yield Check("light import", info.name, f"fails in a fresh interpreter: {error}")
        return
    faults = [
        f"imports {package}{f' at {where}' if where else ''}: move the import into the function that needs it"
        for package, where in found["heavy"].items()
    ]
    for what, seconds in (("importing it", found["import"]), ("its declaring hooks", found["hooks"])):
        if seconds > SECONDS and not faults:
            faults.append(f"{what} took {seconds:.2f} s of CPU time, more than {SECONDS} s: do the work on first use")
    yield Check("light import", info.name, "; ".join(faults), note=f"{found['import'] + found['hooks']:.2f} s")


def _hook_faults(info: PluginInfo) -> Iterator[str]:
    if not info.hooks:
        yield "no hook: mark a function such as xleval_strategies with @xleval.hookimpl"
    for name, value in inspect.getmembers(info.module):
        if name.startswith("xleval_") and inspect.isfunction(value) and name not in _HOOKS:
            yield f"{name} is no hook{nearest(name, _HOOKS)} (see docs/hooks.md)"
    for name in info.hooks:
        hook = getattr(info.module, name, None)  # under another name with hookimpl(specname=…)
        has, wants = _arguments(hook), _arguments(_HOOKS[name])
        if hook is not None and has != wants:
            yield f"write def {name}({', '.join(wants)}), not ({', '.join(has)})"


def _arguments(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters) if function is not None else []
