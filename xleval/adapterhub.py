"""Language adapters that others trained and published on the hub: which there are, and which one a run takes.

A backbone plugin lists them in a YAML file beside it (``Backbone.adapters``), read when first asked for.
``xleval/adapter_download.py`` brings one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.yaml_file import read_mapping

#: Values of ``la.published``, and the activations that each takes, the preferred one first.
POLICIES: Mapping[str, tuple[str, ...]] = {"any": ("relu", "gelu"), "relu": ("relu",), "gelu": ("gelu",), "no": ()}

#: What a policy may choose: one bottleneck after the feed-forward block of each layer, with an invertible adapter,
#: as MAD-X, TLR and BAD-X have. Others (``houlsby``: two a layer) load as well, where they are asked for by id.
ARCHITECTURES = ("pfeiffer", "pfeiffer+inv")

_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PublishedAdapter:
    """A language adapter on the hub. Loading it takes ``id`` and ``revision``; the rest is what is said of it.

    ``language`` is xleval's code, ``revision`` a commit (40 hex digits), branch or tag; ``reduction`` the hidden
    size over the bottleneck's; ``steps`` and ``batch`` those of its training; ``version`` the publisher's name.
    """

    language: str
    id: str
    architecture: str = ""
    non_linearity: str = ""
    reduction: int | None = None
    steps: int | None = None
    batch: int | None = None
    version: str = ""
    revision: str = "main"

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return self.id if self.revision == "main" else f"{self.id}@{self.revision}"


@dataclass(frozen=True)
class AdapterTable:
    """Published adapters of one backbone, in the file's order, and where they come from."""

    adapters: tuple[PublishedAdapter, ...] = ()
    homepage: str = ""
    citation: str = ""


def choose(adapters: Iterable[PublishedAdapter], language: str, policy: str) -> PublishedAdapter | None:
    """The published adapter that ``la.published=policy`` takes for a language (xleval's code), or None.

    ``relu`` and ``gelu`` take an adapter with that activation, ``any`` one with ReLU (what MAD-X and TLR train)
    and else GELU (all that AdapterHub has for many languages of mBERT), ``no`` none. Of several, the one with the
    smallest ``reduction``, then the first in order of id. Only :data:`ARCHITECTURES` are considered.

    Raises:
        UserError: no such policy.
    """
    if policy not in POLICIES:
        raise UserError(f"la.published={policy}: choose one of {', '.join(POLICIES)}")
    order = POLICIES[policy]
    found = [
        adapter
        for adapter in adapters
        if adapter.language == language and adapter.architecture in ARCHITECTURES and adapter.non_linearity in order
    ]
    return min(found, key=lambda a: (order.index(a.non_linearity), a.reduction or 0, a.id), default=None)


def parse_adapter(language: str, text: str) -> PublishedAdapter | None:
    """The adapter that ``--la LANG=org/name[@revision]`` names, or None when the text can only be a folder."""
    found = _ID.fullmatch(text)
    if found is None or Path(text).expanduser().exists():
        return None
    return PublishedAdapter(language, found["id"], revision=found["revision"] or "main")


@lru_cache(maxsize=32)
def read_table(path: Path) -> AdapterTable:
    """The table of a YAML file with ``adapters``, a list of mappings, and ``homepage`` and ``citation``.

    Raises:
        UserError: no such file, not YAML, an unknown or missing key, or a value of the wrong type; names the entry.
    """
    try:
        content = read_mapping(path)
    except OSError as error:
        raise UserError(f"{path}: table of published language adapters: {error.strerror}") from None
    if unknown := sorted(set(content) - {"adapters", "homepage", "citation"}):
        raise UserError(f"{path}: unknown key {unknown[0]!r} (it has adapters, homepage and citation)")
    entries = content.get("adapters")
    if not isinstance(entries, list):
        raise UserError(f"{path}: `adapters` is not a list of mappings")
    adapters = tuple(_read(f"{path}: adapter {number}", entry) for number, entry in enumerate(entries, start=1))
    return AdapterTable(adapters, str(content.get("homepage", "")), str(content.get("citation", "")))


def _read(where: str, entry: Any) -> PublishedAdapter:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: not a mapping such as {{language: swa, id: org/name, architecture: pfeiffer, …}}")
    known = {field.name for field in fields(PublishedAdapter)}
    if unknown := sorted(set(map(str, entry)) - known):
        raise UserError(f"{where}: unknown key {unknown[0]!r} (known: {', '.join(sorted(known))})")
    for key, value in entry.items():
        if key in ("reduction", "steps", "batch"):
            if type(value) is not int or value < 1:
                raise UserError(f"{where}: {key} {value!r} is not a whole number of at least 1")
        elif not isinstance(value, str):
            raise UserError(f"{where}: {key} {value!r} is not text; put it in quotes")
    for key in ("language", "id", "architecture", "non_linearity"):
        if not entry.get(key):
            raise UserError(f"{where}: it has no {key!r}")
    if not _ID.fullmatch(entry["id"]) or "@" in entry["id"]:
        raise UserError(f"{where}: id {entry['id']!r} is not an id of the hub such as org/name")
    return PublishedAdapter(**entry)
