"""Checks of data providers, executors and trackers: that they are what the harness takes them for."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xleval.conformance import Check, probe
from xleval.errors import UserError
from xleval.executors import Executor
from xleval.fingerprint import digest
from xleval.tasks.spec import SourceSpec, TaskSpec

if TYPE_CHECKING:
    from xleval.conformance import Subject
    from xleval.host import Host
    from xleval.tasks.sources import DataProvider


def checks(subject: Subject) -> Iterator[Check]:
    """Of the plugin's data providers and executors."""
    host = subject.host
    names = [name for info in subject.infos for name in info.provides.get("data provider", [])]
    try:
        providers = {name: host.providers[name] for name in names}
    except UserError:  # a name claimed twice, which a check has said
        providers = {}
    for name, provider in providers.items():
        yield from _provider(name, provider, subject)
    for item in subject.own(host.executors):
        yield Check("protocol", f"executor {item.name}", _executor_fault(item.value))


def printed(provider: DataProvider, host: Host) -> dict[str, str]:
    """Digests of what a provider gives: rows of splits that specs name, and its text."""
    found = {}
    for dataset, split, language in _parts(provider, host):
        found[f"{dataset}/{split}/{language}"] = _digest(lambda d=dataset, s=split, g=language: provider.rows(d, s, g))
    for language in sorted(provider.languages):
        found[f"text/{language}"] = _digest(lambda g=language: provider.text(g))
    return found


def _parts(provider: DataProvider, host: Host) -> Iterator[tuple[str, str, str]]:
    """Data set, split and language: of source data sets the dev split, of tasks that of the last language."""
    for spec in itertools.chain(host.sources.values(), host.tasks.values()):
        generated = spec.data.generated
        if generated is None or generated.provider != provider.name:
            continue
        dataset = generated.dataset or spec.name
        if isinstance(spec, SourceSpec):
            yield dataset, "dev", spec.data.code(spec.language)
        elif isinstance(spec, TaskSpec):
            yield dataset, spec.split, spec.data.code(spec.languages[-1])


def _digest(get: Any) -> str:
    try:
        return digest(get())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _provider(name: str, provider: DataProvider, subject: Subject) -> Iterator[Check]:
    of = f"data provider {name}"
    fault = ""
    if not isinstance(getattr(provider, "version", None), str) or not provider.version:
        fault = "give it a version, as text, and raise it when what it generates changes"
    elif not all(callable(getattr(provider, method, None)) for method in ("rows", "text")):
        fault = "it needs the methods rows(dataset, split, language) and text(language)"
    elif unknown := [code for code in provider.languages if code not in subject.host.languages]:
        fault = f"languages has {unknown[0]!r}, which is unknown: add it with xleval_languages"
    yield Check("protocol", of, fault)
    if fault:
        return
    here, again = printed(provider, subject.host), printed(provider, subject.host)
    wrong = [f"{part}: {value}" for part, value in here.items() if ": " in value]
    yield Check("gives its data", of, wrong[0] if wrong else "", note=f"{len(here)} parts")
    fault = _changed(here, again, "asked again")
    if not fault:
        try:
            other = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
            there = probe.ask("answers", (*subject.modules, f"--provider={name}"), hash_seed=other)[name]
            fault = _changed(here, there, "in another process")
        except RuntimeError as error:
            fault = f"fails in a fresh interpreter: {error}"
    yield Check("same data again", of, fault)


def _changed(one: dict[str, str], other: dict[str, str], how: str) -> str:
    for part, value in one.items():
        if other.get(part) != value:
            return f"{part} is other data {how}: draw from random.Random(SEED), sort what comes out of a set"
    return ""


def _executor_fault(executor: Any) -> str:
    if not isinstance(executor, Executor):
        return "it needs name, summary and execute(work, setting, *, jobs, address, emit)"
    try:
        inspect.signature(executor.execute).bind(None, None, jobs=1, address="", emit=None)
    except TypeError as error:
        return f"write def execute(self, work, setting, *, jobs=0, address='', emit=silent): {error}"
    return ""
