"""Facts about languages that only analyses need: the dominant word order, read from ``typology.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

#: What ``order`` may be; ``none`` is a language without a dominant order.
ORDERS = ("SOV", "SVO", "VSO", "VOS", "OVS", "OSV", "none")


@cache
def word_orders() -> dict[str, str]:
    """Language code → dominant order of subject, object and verb (WALS feature 81A), one of :data:`ORDERS`.

    Languages that WALS says nothing about are not in it. Source: Dryer 2013, see the file.
    """
    import yaml

    path = Path(__file__).with_name("typology.yaml")
    entries: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {code: entry["order"] for code, entry in entries.items()}


def same_order(language: str, source: str) -> bool | None:
    """Whether two languages have one dominant word order; None where either's is unknown, or the source has none."""
    orders = word_orders()
    if language not in orders or orders.get(source, "none") == "none":
        return None
    return orders[language] == orders[source]
