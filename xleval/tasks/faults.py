"""Faults of a YAML in the words of its author: line, key, what is wrong, what to write instead."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from xleval.errors import nearest

if typing.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: pydantic's kind of error → the remedy, where its own message does not hold one.
_REMEDIES = {
    "missing": "missing; add it",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True)
class Fault:
    """One fault at a line, counted from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {self.text}"


def describe(error: Mapping[str, Any], model: type[BaseModel], node: Any) -> Fault:
    """One error of pydantic's list, found in the YAML's nodes."""
    # Alternatives of a union add parts that name no key of the file.
    path = tuple(part for part in error["loc"] if isinstance(part, int) or not _is_alternative(str(part)))
    key = ".".join(str(part) for part in path) or "the file"
    kind = str(error["type"])
    if kind == "extra_forbidden":
        hint = nearest(str(path[-1]), _known_keys(model, path[:-1]))
        text = f"unknown key {key!r}{hint}"
    elif kind == "value_error":
        # Our own checks say which key below the model they are about, if any.
        inner, text = _leading_key(str(error["msg"]).removeprefix("Value error, "))
        path = (*path, *inner)
        text = f"{'.'.join(map(str, path))}: {text}" if path else text
    else:
        said = _REMEDIES.get(kind) or str(error["msg"])
        given = "" if kind == "missing" else f" (found {error['input']!r:.60})"
        text = f"{key}: {said}{given}"
    return Fault(place_of(node, path), text)


def place_of(node: Any, path: Sequence[str | int]) -> int:
    """The line of a key, or of the innermost mapping on the way to it."""
    line = 1
    for part in path:
        children = getattr(node, "value", None)
        if not isinstance(children, list):
            break
        if isinstance(part, int):
            if part >= len(children) or isinstance(children[part], tuple):
                break
            node = children[part]
            line = node.start_mark.line + 1
            continue
        found = [pair for pair in children if isinstance(pair, tuple) and pair[0].value == part]
        if not found:
            break
        line = found[0][0].start_mark.line + 1
        node = found[0][1]
    return line


def _is_alternative(part: str) -> bool:
    return part in ("str", "int", "float", "[key]") or part.startswith(("dict[", "constrained-", "function-"))


def _leading_key(text: str) -> tuple[tuple[str | int, ...], str]:
    head, colon, rest = text.partition(": ")
    if not colon or " " in head:
        return (), text
    return tuple(int(part) if part.isdigit() else part for part in head.split(".")), rest


def _known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = next(iter(_models_in(field.annotation)), None) if field is not None else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _models_in(part)]
