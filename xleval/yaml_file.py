"""Reads the YAML files that people write: task specs, suites, experiments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xleval.errors import UserError

_LONG = 10_000


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds, unchecked but for repeated keys; raises as :func:`read_node`."""
    return read_node(path)[1]


def read_node(path: Path) -> tuple[Any, dict[str, Any]]:
    """The mapping, and the YAML node it came from, which knows the line of every key.

    Raises:
        UserError: no YAML, no UTF-8, no mapping, or a key that stands there twice; names file and line.
        OSError: the file cannot be read.
    """
    import yaml

    try:
        text = path.read_bytes().decode("utf-8")
        # The fast loader recurses on the C stack: a long file could nest deeper than that holds.
        fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = (fast if len(text) < _LONG else yaml.SafeLoader)(text)
        node = loader.get_single_node()
        for line, key in _repeated_keys(node):
            raise UserError(f"{path}:{line}: key {key!r} stands there twice; keep one")
        value = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: empty or no mapping; expected `key: value` lines")
    return node, value


def _repeated_keys(node: Any) -> Iterator[tuple[int, str]]:
    # YAML forbids equal keys; PyYAML silently keeps the last.
    values = getattr(node, "value", None)
    if not isinstance(values, list):
        return
    seen: set[str] = set()
    for item in values:
        if not isinstance(item, tuple):
            yield from _repeated_keys(item)
            continue
        key, child = item
        if key.value in seen:
            yield key.start_mark.line + 1, key.value
        if isinstance(key.value, str):
            seen.add(key.value)
        yield from _repeated_keys(child)
