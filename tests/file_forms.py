"""Short ways to read a file in a form, for the tests of readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from xleval.errors import UserError
from xleval.tasks.layout import Form
from xleval.tasks.readers import read

if TYPE_CHECKING:
    from pathlib import Path

    from xleval.tasks.raw import RawRow

PAIR = {"text_a": "premise", "text_b": "hypothesis", "label": "label"}
PLACES = {"text_a": 0, "text_b": 1, "label": 2}


def form(kind: str, **fields: Any) -> Form:
    return Form.model_validate({"format": kind, **fields})


def pairs(path: Path, kind: Form, code: str = "sw") -> list[RawRow]:
    return list(read(path, kind, "sequence-classification", code))


def sentences(path: Path, kind: Form, code: str = "en") -> list[RawRow]:
    return list(read(path, kind, "token-classification", code))


def refused(path: Path, kind: Form, family: Any = "sequence-classification") -> str:
    with pytest.raises(UserError) as caught:
        list(read(path, kind, family, "sw"))
    return str(caught.value)
