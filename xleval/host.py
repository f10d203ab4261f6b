"""Finds plugins, loads them one by one, and answers who provides what.

A broken plugin is named with its package, version and reason, and the others go on; with
``XLEVAL_STRICT_PLUGINS=1`` it is fatal. ``XLEVAL_PLUGINS`` lists the third-party plugins to load (empty:
none; a name that is no entry point is imported as a module); blocking happens before the import.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from xleval import hookspecs
from xleval.errors import UserError, nearest
from xleval.events import Notice
from xleval.registry import PluginInfo, Provided, Registry

if TYPE_CHECKING:
    from xleval.backbones import Backbone
    from xleval.events import Event
    from xleval.executors import Executor
    from xleval.experiment import Suite
    from xleval.languages import Language, LanguageRegistry
    from xleval.recipe import ChosenStrategy, Strategy
    from xleval.tasks.sources import DataProvider
    from xleval.tasks.spec import SourceSpec, TaskSpec


class PluginWarning(UserWarning):
    """A plugin, named with its package and version, did not load or one of its hooks failed."""


class Host:
    """The loaded plugins. Making one imports plugin modules; registries are filled on first look."""

    def __init__(self, modules: Iterable[str] = (), block: Iterable[str] = ()) -> None:
        self._manager = pluggy.PluginManager("xleval")
        self._manager.add_hookspecs(hookspecs)
        self._strict = os.environ.get("XLEVAL_STRICT_PLUGINS", "") not in ("", "0")
        self.plugins: list[PluginInfo] = []
        self._listeners: list[PluginInfo] = []
        blocked = set(block)
        for info, load in _discover(modules):
            self.plugins.append(info)
            if {info.name, info.package} & blocked:
                info.status = "blocked"
            elif info.status != "blocked":
                self._load(info, load)
            blocked.discard(info.name)
            blocked.discard(info.package)
        if blocked:
            known = [info.name for info in self.plugins]
            name = sorted(blocked)[0]
            raise UserError(f"--no-plugin {name}: no such plugin{nearest(name, known)} (see `xleval plugins ls`)")

    # Registries

    @cached_property
    def languages(self) -> LanguageRegistry:
        """The built-in registry with the languages of plugins."""
        from xleval import languages

        registry = languages.builtin()
        by_plugin: dict[int, list[Provided[Language]]] = {}
        for item in self._collect("language", "xleval_languages", lambda language: language.code):
            by_plugin.setdefault(id(item.plugin), []).append(item)
        for items in by_plugin.values():
            try:
                registry = registry.with_languages([item.value for item in items if item.value is not None])
            except UserError as error:
                items[0].plugin.provides.pop("language")
                self._break(items[0].plugin, error)
        return registry

    @cached_property
    def backbones(self) -> Registry[Backbone]:
        """Backbones by name."""
        return Registry("backbone", self._collect("backbone", "xleval_backbones"))

    @cached_property
    def strategies(self) -> Registry[Strategy]:
        """Strategies by name."""
        return Registry("strategy", self._collect("strategy", "xleval_strategies"))

    @cached_property
    def executors(self) -> Registry[Executor]:
        """Executors by name."""
        return Registry("executor", self._collect("executor", "xleval_executors"))

    @cached_property
    def providers(self) -> Mapping[str, DataProvider]:
        """Data providers by name.

        Raises:
            UserError: when two plugins claim a name, which would leave unsaid whose data a task is made of.
        """
        registry = Registry("data provider", self._collect("data provider", "xleval_data_providers"))
        return {item.name: registry.get(item.name) for item in registry.items}

    @cached_property
    def tasks(self) -> Registry[TaskSpec]:
        """Tasks by name; a spec that does not load is listed with its error."""
        return Registry("task", [p for p in self._specs if getattr(p.value, "kind", "task") == "task"])

    @cached_property
    def sources(self) -> Registry[SourceSpec]:
        """Source-language data sets by name."""
        return Registry("source data set", [p for p in self._specs if getattr(p.value, "kind", "") == "source"])

    @cached_property
    def suites(self) -> Registry[Suite]:
        """Suites by name."""
        from xleval.experiment import load_suite

        return Registry("suite", self._files("suite", "xleval_suites", load_suite))

    @cached_property
    def _specs(self) -> list[Provided[Any]]:
        from xleval.tasks.spec import load_spec

        return self._files("task", "xleval_tasks", load_spec)

    def choose_executor(self, text: str) -> tuple[Executor, str]:
        """The executor that ``NAME[:address]`` names, and the address; raises UserError for an unknown name."""
        name, _, address = text.partition(":")
        return self.executors.get(name), address

    def choose_strategy(self, text: str) -> ChosenStrategy:
        """The strategy that ``NAME[:key=value,…]`` names, configured.

        Raises:
            UserError: unknown or ambiguous name, unknown parameter, bad value.
        """
        from xleval.recipe import ChosenStrategy, configure, split_choice

        name, given = split_choice(text)
        found = self.strategies.find(name)
        assert found.value is not None
        strategy = configure(found.value, given)
        label = name + (":" + ",".join(f"{k}={v}" for k, v in given.items()) if given else "")
        return ChosenStrategy(label, found.plugin.package, found.plugin.version, strategy, tuple(given.items()))

    # Events

    def listen(self, name: str, module: Any) -> None:
        """Registers an object with hook implementations for this process, such as a progress bar."""
        self._register(PluginInfo(name, "xleval", "", "in process"), module)

    def emit(self, event: Event) -> None:
        """Calls every ``xleval_event``; a tracker that raises is reported once and switched off."""
        for info in list(self._listeners):
            try:
                self._call("xleval_event", info, event=event)
            except Exception as error:
                self._listeners.remove(info)
                message = self._blame(info, error) + "; it gets no more events"
                if self._listeners:
                    self.emit(Notice(message))
                else:
                    warnings.warn(message, PluginWarning, stacklevel=2)

    # Loading

    def _load(self, info: PluginInfo, load: Callable[[], Any]) -> None:
        start = time.perf_counter()
        try:
            module = load()
            version = getattr(module, "XLEVAL_API", hookspecs.API_VERSION)
            if version != hookspecs.API_VERSION:
                raise UserError(
                    f"written for plugin API {version}, this xleval has {hookspecs.API_VERSION}: "
                    + ("upgrade xleval" if version > hookspecs.API_VERSION else "upgrade the plugin")
                )
            self._register(info, module)
        except (Exception, SystemExit) as error:
            info.module = None
            self._break(info, error)
        info.load_ms = (time.perf_counter() - start) * 1000

    def _register(self, info: PluginInfo, module: Any) -> None:
        unmarked = [
            name
            for name in vars(hookspecs)
            if name.startswith("xleval_")
            and inspect.isfunction(function := getattr(module, name, None))
            and not hasattr(function, "xleval_impl")
        ]
        if unmarked:
            raise UserError(f"{', '.join(unmarked)}: not marked as a hook (put @xleval.hookimpl above it)")
        try:
            self._manager.register(module, name=f"{info.package}/{info.name}")
            self._manager.check_pending()
        except Exception:
            # What is half registered would fail the check of every plugin after it.
            if self._manager.get_name(module) == f"{info.package}/{info.name}":
                self._manager.unregister(module)
            raise
        info.module = module
        info.hooks = tuple(sorted(c.name for c in self._manager.get_hookcallers(module) or ()))
        if "xleval_event" in info.hooks:
            self._listeners.append(info)

    def _break(self, info: PluginInfo, error: BaseException) -> None:
        """Names a broken plugin. What its other hooks provide stays, whichever is asked first."""
        warnings.warn(self._blame(info, error), PluginWarning, stacklevel=2)

    def _blame(self, info: PluginInfo, error: BaseException) -> str:
        info.status, info.error = "broken", _reason(error)
        package = f"{info.package} {info.version}".rstrip()
        message = f"plugin {info.name} ({package}) is broken: {info.error}"
        if self._strict:
            raise UserError(message) from error
        return message

    def _call(self, hook: str, info: PluginInfo, **kwargs: Any) -> list[Any]:
        # One plugin at a time, so that one that raises takes no other with it.
        others = [p for p in self._manager.get_plugins() if p is not info.module]
        result: list[Any] = self._manager.subset_hook_caller(hook, remove_plugins=others)(**kwargs)
        return result

    def _collect(
        self, kind: str, hook: str, name_of: Callable[[Any], str] = lambda value: str(value.name)
    ) -> list[Provided[Any]]:
        found: list[Provided[Any]] = []
        for info in self.plugins:
            if info.module is None or hook not in info.hooks:
                continue
            try:
                answers = self._call(hook, info)
                if not answers or isinstance(answers[0], str):
                    raise UserError(f"{hook} returned {'text' if answers else 'None'} in place of a list")
                mine = [Provided(name_of(v), info, _declared(hook, v)) for values in answers for v in values]
            except Exception as error:
                self._break(info, error)
                continue
            info.provides[kind] = [item.name for item in mine]
            found += mine
        return found

    def _files(self, kind: str, hook: str, load: Callable[[Path], Any]) -> list[Provided[Any]]:
        found: list[Provided[Any]] = []
        for item in self._collect(kind, hook, str):
            path = Path(item.name)
            for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
                try:
                    value = load(file)
                    found.append(Provided(value.name, item.plugin, value))
                except UserError as error:
                    found.append(Provided(file.stem, item.plugin, None, str(error)))
                except OSError as error:
                    found.append(Provided(file.stem, item.plugin, None, f"{file}: {error.strerror}"))
        for info in self.plugins:
            if kind in info.provides:
                info.provides[kind] = [item.name for item in found if item.plugin is info]
        return found


def _discover(modules: Iterable[str]) -> Iterable[tuple[PluginInfo, Callable[[], Any]]]:
    wanted = os.environ.get("XLEVAL_PLUGINS")
    allowed = None if wanted is None else [name.strip() for name in wanted.split(",") if name.strip()]
    extra = list(modules)
    names: set[str] = set()
    # Built-ins first, then by name: the order decides nothing but the listing.
    points = sorted(entry_points(group="xleval"), key=lambda p: (_package(p) != "xleval", _package(p), p.name))
    for point in points:
        info = PluginInfo(point.name, _package(point), point.dist.version if point.dist else "", "entry point")
        names |= {info.name, info.package}
        if allowed is not None and info.package != "xleval" and not {info.name, info.package} & set(allowed):
            info.status = "blocked"
        yield info, point.load
    for name in dict.fromkeys([*extra, *(n for n in allowed or () if n not in names)]):
        origin = "--plugin-module" if name in extra else "XLEVAL_PLUGINS"
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # a module in the folder where one works, as `python -m` sees it
        yield PluginInfo(name, name.partition(".")[0], "", origin), lambda name=name: import_module(name)  # type: ignore[misc]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value.partition(".")[0]


def _declared(hook: str, value: Any) -> Any:
    # A class has the attributes of its instances, so the slip would show much later.
    if inspect.isclass(value):
        raise UserError(f"{hook} gave the class {value.__name__} in place of an instance, {value.__name__}()")
    return value


def _reason(error: BaseException) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, pluggy.PluginValidationError):
        return " ".join(str(error).split())
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})" if frame is not None else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
