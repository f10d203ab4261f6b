"""Who provides what: names, claimants, and the errors that name them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from xleval.errors import UserError, nearest

T = TypeVar("T")


@dataclass
class PluginInfo:
    """One plugin as ``xleval plugins ls`` shows it. ``status``: loaded, blocked, or broken."""

    name: str
    package: str
    version: str
    origin: str
    status: str = "loaded"
    error: str = ""
    load_ms: float = 0.0
    hooks: tuple[str, ...] = ()
    provides: dict[str, list[str]] = field(default_factory=dict)
    module: Any = None


@dataclass(frozen=True)
class Provided(Generic[T]):
    """Something a plugin provides under a name; ``error`` in its place when the declaration is broken."""

    name: str
    plugin: PluginInfo
    value: T | None
    error: str = ""

    @property
    def qualified(self) -> str:
        """``package/name``, which always names exactly this one."""
        return f"{self.plugin.package}/{self.name}"


class Registry(Generic[T]):
    """Everything of one kind, by bare name where that is unambiguous and by ``package/name`` always."""

    def __init__(self, kind: str, items: Iterable[Provided[T]]) -> None:
        self.kind = kind
        self.items: list[Provided[T]] = list(items)
        self._by_name: dict[str, list[Provided[T]]] = {}
        for item in self.items:
            for name in (item.name, item.qualified):
                self._by_name.setdefault(name, []).append(item)

    def conflicts(self, item: Provided[T]) -> list[Provided[T]]:
        """Other providers of the same bare name."""
        return [other for other in self._by_name[item.name] if other is not item]

    def find(self, name: str) -> Provided[T]:
        """The provider of ``name``.

        Raises:
            UserError: for an unknown name, one claimed twice, or a broken declaration.
        """
        found = self._by_name.get(name, [])
        if not found:
            hint = nearest(name, (item.name for item in self.items))
            raise UserError(f"unknown {self.kind} {name!r}{hint} (see `xleval ls {_PLURAL[self.kind]}`)")
        if len(found) > 1:
            claims = ", ".join(f"{p.qualified} (plugin {p.plugin.name} {p.plugin.version})" for p in found)
            raise UserError(
                f"{self.kind} {name!r} is claimed more than once: {claims}; write package/name, "
                "or block one with --no-plugin NAME"
            )
        if found[0].value is None:
            raise UserError(f"{self.kind} {name!r} is broken: {found[0].error}")
        return found[0]

    def get(self, name: str) -> T:
        """The value under ``name``; raises as :meth:`find` does."""
        value = self.find(name).value
        assert value is not None
        return value

    def values(self) -> list[T]:
        """All values that are not broken."""
        return [item.value for item in self.items if item.value is not None]


_PLURAL = {
    "strategy": "strategies",
    "task": "tasks",
    "source data set": "datasets",
    "backbone": "backbones",
    "suite": "suites",
    "executor": "executors",
    "data provider": "datasets",
}
