"""JSON as its standard has it, and the line on which a value stands.

The standard library takes NaN for a number, keeps the last of two equal keys, and forgets where values stood.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


class JsonError(ValueError):
    """Text that is not JSON; ``line`` and ``column`` (0 where it is not known) count from 1."""

    def __init__(self, said: str, line: int = 1, column: int = 0) -> None:
        super().__init__(said)
        self.line, self.column = line, column


class _TwiceError(Exception):
    pass


class _ConstantError(Exception):
    pass


def parsed(text: str) -> Any:
    """The value that a text says.

    Raises:
        JsonError: it is not JSON, nests too deeply, has NaN or infinity, or a key twice in one object.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except _TwiceError as error:
        raise JsonError(f"key {str(error)!r:.60} stands twice in one object", _line_of_second(text)) from None
    except _ConstantError as error:
        raise JsonError(f"{error} is no number in JSON") from None
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except ValueError:
        raise JsonError("a number with more digits than can be read") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


def _refuse_constant(name: str) -> Any:
    raise _ConstantError(name)


def line_of(text: str, path: Path) -> int:
    """The line, from 1, on which the value at ``path`` begins in a text that was parsed."""
    start = next((start for found, start in _places(text) if found == path), 0)
    return text.count("\n", 0, start) + 1


def _line_of_second(text: str) -> int:
    seen: set[Path] = set()
    for path, start in _places(text):
        if path in seen:
            return text.count("\n", 0, start) + 1
        seen.add(path)
    return 1


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """Every value's path with its offset, in order."""
    path: list[str | int] = []
    is_key = False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "]}":
            path.pop()
            is_key = False
        elif sign == ",":
            last = path[-1]
            is_key = isinstance(last, str)
            if isinstance(last, int):
                path[-1] = last + 1
        elif sign == ":":
            is_key = False
        elif is_key:
            path[-1] = json.loads(sign)
        else:
            yield tuple(path), token.start()
            if sign in "[{":
                path.append(0 if sign == "[" else "")
                is_key = sign == "{"
