"""Printing tables: wide enough that no number is ever cut off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_whole(renderables: Iterable[RenderableType]) -> None:
    """Prints at the width that the content needs, even where the terminal is narrower and wraps lines."""
    from rich.console import Console
    from rich.measure import Measurement

    for renderable in renderables:
        console = Console()
        needed = Measurement.get(console, console.options.update(max_width=10_000), renderable).maximum
        Console(width=max(console.width, needed)).print(renderable)
