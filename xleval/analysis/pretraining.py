"""How much text of each language a backbone saw in pretraining, read from ``pretraining.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xleval.backbones import Backbone


@dataclass(frozen=True)
class Sizes:
    """``sizes``: code of each language that was seen → size of its text in ``corpus``, in ``unit``."""

    corpus: str
    unit: str
    sizes: Mapping[str, float]


@cache
def tables() -> dict[str, Sizes]:
    """What :attr:`xleval.backbones.Backbone.seen` calls it → its table.

    ``xlmr``: CC-100 (Conneau et al. 2020, table 6). ``mbert``: dumps of Wikipedia of 1 March 2019. Sources and what
    was decided about single languages: see the file.
    """
    import yaml

    path = Path(__file__).with_name("pretraining.yaml")
    entries: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: Sizes(**entry) for name, entry in entries.items()}


def table_of(backbone: Backbone) -> Sizes | None:
    """The table of what a backbone saw; None where it only names languages, or none."""
    return tables().get(backbone.seen) if isinstance(backbone.seen, str) else None
