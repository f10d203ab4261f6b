"""Checks of what a plugin declares: names, summaries, parameters, revisions, and the YAML files."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.conformance import Check
from xleval.conformance.target import not_installed
from xleval.errors import UserError
from xleval.recipe import Strategy, configure, parameters

if TYPE_CHECKING:
    from xleval.backbones import Backbone
    from xleval.conformance import Subject
    from xleval.host import Host
    from xleval.registry import Provided, Registry

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REVISION = re.compile(r"[0-9a-f]{40}")
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")


def checks(subject: Subject) -> Iterator[Check]:
    """Of every declaration, after a check that the hooks answer at all."""
    host = subject.host
    registries: list[Registry[Any]] = []
    clashes: list[Check] = []
    for name in ("strategies", "backbones", "executors", "tasks", "sources", "suites", "languages", "providers"):
        try:
            registry = getattr(host, name)
            registries += [registry] if hasattr(registry, "conflicts") else []
        except UserError as error:  # a data provider's name claimed twice
            clashes.append(Check("name", name, str(error)))
    for info in subject.infos:
        declared = ", ".join(f"{kind}: {len(names)}" for kind, names in info.provides.items())
        yield Check("declarations", info.name, info.error, note=declared)
    yield from clashes
    for registry in registries:
        for item in subject.own(registry):
            yield Check("name", f"{registry.kind} {item.name}", _name_fault(item, registry))
    for item in subject.own(host.strategies):
        yield from _strategy(item)
    for item in subject.own(host.backbones):
        yield from _backbone(item, host)
    for item in subject.own(host.executors):
        yield Check("summary", f"executor {item.name}", _summary_fault(item.value))
    yield from _files(subject)


def _name_fault(item: Provided[Any], registry: Registry[Any]) -> str:
    if not _NAME.fullmatch(item.name):
        return f"{item.name!r}: write lower case, digits and single dashes"
    if others := registry.conflicts(item):
        return f"also claimed by {', '.join(other.qualified for other in others)}: choose another"
    return ""


def _summary_fault(value: Any) -> str:
    text = getattr(value, "summary", None)
    if not isinstance(text, str) or not text.strip():
        return "add a summary of one line, which `xleval ls` prints"
    return f"write one line, not {len(text.strip().splitlines())}" if len(text.strip().splitlines()) > 1 else ""


def _strategy(item: Provided[Strategy]) -> Iterator[Check]:
    strategy, of = item.value, f"strategy {item.name}"
    assert strategy is not None
    yield Check("summary", of, _summary_fault(strategy))
    # A dataclass without a docstring gets its signature for one.
    text = type(strategy).__doc__ or ""
    written = text.strip() and not (is_dataclass(strategy) and text.startswith(f"{type(strategy).__name__}("))
    fault = "" if written else "say in the class's docstring what it does; `xleval show` prints it"
    yield Check("docstring", of, fault)
    recipe = getattr(strategy, "recipe", None)
    given = list(inspect.signature(recipe).parameters) if callable(recipe) else []
    fault = "" if given == ["task", "target", "world"] else "write def recipe(self, task, target, world)"
    yield Check("signature", of, fault)
    faults = [fault for key, value in parameters(strategy).items() if (fault := _parameter_fault(strategy, key, value))]
    known = ", ".join(f"{key}={value}" for key, value in parameters(strategy).items())
    yield Check("parameters", of, "; ".join(faults), note=known)


def _parameter_fault(strategy: Strategy, key: str, value: Any) -> str:
    """Whether a default is of its field's type, and can be given as text as on the command line."""
    if value is None or value == ():
        return ""  # nothing, which is what leaving it out gives
    text = "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
    try:
        got = parameters(configure(strategy, {key: text}))[key]
    except UserError as error:
        return f"its default does not fit its type: {error}"
    except Exception as error:  # a type that cannot be resolved or has no schema
        return f"{key}: give it a type such as int, float, bool, str or a Literal ({type(error).__name__}: {error})"
    return "" if got == value else f"{key}: {key}={text} gives {got!r}, not its default {value!r}"


def _backbone(item: Provided[Backbone], host: Host) -> Iterator[Check]:
    backbone, of = item.value, f"backbone {item.name}"
    assert backbone is not None
    yield Check("summary", of, _summary_fault(backbone))
    yield Check("source", of, _source_fault(backbone, host))
    seen = ""
    if isinstance(backbone.seen, str):
        if backbone.seen not in ("mbert", "xlmr"):
            seen = f'seen is {backbone.seen!r}: write "mbert", "xlmr" or a frozenset of language codes'
    elif unknown := sorted(code for code in backbone.seen if code not in host.languages):
        seen = f"seen has unknown languages: {', '.join(unknown)}"
    elif other := sorted(code for code in backbone.seen if host.languages.get(code).code != code):
        seen = f"seen has {other[0]!r}: write {host.languages.get(other[0]).code!r}, the code of the registry"
    yield Check("languages seen", of, seen)
    scripts = [script for script in backbone.unsupported_scripts if not _SCRIPT.fullmatch(script)]
    fault = f"unsupported_scripts has {scripts[0]!r}: write an ISO 15924 code such as Ethi" if scripts else ""
    yield Check("scripts", of, fault)
    if backbone.adapter_table is not None:
        yield Check("table of adapters", of, _table_fault(backbone.adapter_table))


def _table_fault(path: Path) -> str:
    from xleval.adapterhub import read_table

    try:
        read_table(path)
    except UserError as error:
        return str(error)
    return ""


def _source_fault(backbone: Backbone, host: Host) -> str:
    from xleval.backbones import resolve_backbone

    if backbone.folder is not None:
        try:
            resolve_backbone(str(backbone.folder), host, offline=True)
        except UserError as error:
            return str(error)
        return ""
    if backbone.source.count("/") != 1 or backbone.source.startswith(("/", ".", "~")):
        return f"{backbone.source!r} is neither a folder that is there nor a hub id (org/name)"
    if not _REVISION.fullmatch(backbone.revision or ""):
        return f"revision is {backbone.revision!r}: pin a commit of {backbone.source}, 40 hex digits"
    return ""


def _files(subject: Subject) -> Iterator[Check]:
    """The YAML files of tasks, source data sets and suites, as ``xleval validate`` checks them."""
    for info in subject.infos:
        for hook in ("xleval_tasks", "xleval_suites"):
            if hook not in info.hooks or info.error:
                continue
            paths = [Path(path) for path in getattr(info.module, hook)()]
            gone = [path for path in paths if not path.exists()]
            if gone:
                checked, faults = 0, [f"{gone[0]}: no such file or folder (is it part of the package?)"]
            else:
                checked, faults = _validated(paths, subject)
            yield Check("files validate", f"{info.name} {hook}", "; ".join(faults), note=f"{checked} files")


def _validated(paths: list[Path], subject: Subject) -> tuple[int, list[str]]:
    """How many files were checked, and their faults."""
    if not paths:
        return 0, ["it gives no path"]
    # The command itself, so that there is one judge of files.
    options = [part for name in not_installed(subject.modules) for part in ("--plugin-module", name)]
    done = subprocess.run(
        [sys.executable, "-m", "xleval", *options, "validate", "--json", *map(str, paths)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        return 0, [done.stderr.strip() or f"xleval validate: exit code {done.returncode}"]
    found = json.loads(done.stdout)
    return found["checked"], found["faults"]
