"""Strategies as their labels in records spell them: ``transfer:lang=yor,steps=100``."""

from __future__ import annotations

from collections.abc import Mapping

from xleval.errors import UserError
from xleval.recipe import split_choice

Options = Mapping[str, str]


def parts_of(label: str) -> tuple[str, dict[str, str]]:
    """The name, without its package, and the parameters; a label that cannot be parsed is a name of its own."""
    try:
        name, options = split_choice(label)
    except UserError:
        return label, {}
    return name.rpartition("/")[2], options


def rest_of(options: Options, *left_out: str) -> tuple[tuple[str, str], ...]:
    """The other parameters in order of name; the default kind of task adapter is the same named or not."""
    default = ("adapter", "bottleneck")
    return tuple(item for item in sorted(options.items()) if item[0] not in left_out and item != default)


def labelled(name: str, options: tuple[tuple[str, str], ...]) -> str:
    """A label again."""
    return name + (":" + ",".join(f"{key}={value}" for key, value in options) if options else "")
