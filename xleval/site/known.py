"""What the registries know of the names in records, which may be anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval.errors import UserError

if TYPE_CHECKING:
    from xleval.backbones import Backbone
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.tasks.spec import TaskSpec

#: What languages can be filtered by; each is a field of :class:`Column`.
FACETS = ("family", "script", "macroarea", "resource")

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Column:
    """A language of a table."""

    code: str
    name: str
    family: str
    script: str
    macroarea: str
    resource: str


@dataclass(frozen=True)
class Encoder:
    """A backbone of a table."""

    key: str
    """Id and the start of its revision."""
    name: str
    seen: tuple[int, ...]
    """(L,): 1 where it was pretrained on the language, 0 where it was not, -1 where that is not known."""


class Known:
    """Languages, backbones and tasks by the names that records have."""

    def __init__(self, host: Host) -> None:
        self._languages = host.languages
        self._tasks = host.tasks
        self._backbones: dict[str, Backbone] = {}
        for item in host.backbones.items:
            if item.value is not None:
                self._backbones[item.value.identity["id"]] = item.value

    def language(self, code: str) -> Language | None:
        """The language, if it is known."""
        with suppress(UserError):
            return self._languages.get(code)
        return None

    def column(self, code: str) -> Column:
        """A column under the code of the records."""
        found = self.language(code)
        if found is None:
            return Column(code, code, *[_UNKNOWN] * len(FACETS))
        return Column(code, found.name, found.family, found.script, found.macroarea, found.resource)

    def encoder(self, key: str, codes: Sequence[str]) -> Encoder:
        """A backbone by ``id`` or ``id@revision``."""
        name = key.partition("@")[0]
        backbone = self._backbones.get(name)
        languages = [self.language(code) for code in codes]
        seen = tuple(-1 if backbone is None or one is None else int(backbone.knows(one)) for one in languages)
        return Encoder(key, name, seen)

    def task(self, name: str) -> TaskSpec | None:
        """The spec of a task, if it is known."""
        with suppress(UserError):
            return self._tasks.get(name)
        return None

    def metric(self, task: str, default: str) -> str:
        """A task's own metric."""
        spec = self.task(task)
        return spec.metric if spec else default
