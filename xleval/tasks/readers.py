"""Files to rows. What a line says is yielded or refused; none is skipped because it is not understood.

Labels are still text here; ``rows`` numbers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.tasks.conll import read_conll
from xleval.tasks.raw import RawRow, kind_of
from xleval.tasks.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from xleval.tasks.layout import Family, Form


def read(path: Path, form: Form, family: Family, code: str) -> Iterator[RawRow]:
    """Rows of one language (the data set's own ``code``), labels dropped by ``form`` left out.

    A row without an id of its own is numbered from "0" among the rows of the language, so parallel files
    give equal ids.

    Raises:
        UserError: naming file, line and remedy.
    """
    rows = read_conll(path, form, code) if form.format == "conll" else _from_records(path, form, family, code)
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row.id is not None:
            if row.id in seen:
                first = seen[row.id]
                raise UserError(f"{path}:{row.line}: id {row.id!r} stands on line {first} already; remove one")
            seen[row.id] = row.line
        if row.label not in form.drop_labels or family == "token-classification":
            yield row if row.id is not None else row._replace(id=str(index))


def _from_records(path: Path, form: Form, family: Family, code: str) -> Iterator[RawRow]:
    roles = list(form.columns)
    conditions = {column: value.replace("{lang}", code) for column, value in form.where.items()}
    wanted = [*form.columns.values(), *conditions]
    others: set[str] = set()
    empty = True
    for line, values in records(path, form, wanted):
        rejected = [
            str(value) for value, asked in zip(values[len(roles) :], conditions.values(), strict=True) if value != asked
        ]
        if rejected:
            others.update(rejected)
            continue
        empty = False
        yield _row(path, form, family, line, dict(zip(roles, values, strict=False)))
    if empty:
        asked = " and ".join(f"{column} = {value!r}" for column, value in conditions.items())
        found = f"; it has {', '.join(sorted(others)[:20])}" if others else ""
        raise UserError(f"{path}: no row{f' with {asked}' if asked else ''}{found}")


def _row(path: Path, form: Form, family: Family, line: int, values: Mapping[str, Any]) -> RawRow:
    where = f"{path}:{line}"
    given = values.get("id")
    item = str(given) if isinstance(given, (str, int)) else None
    if "id" in form.columns and item is None:
        raise UserError(f"{where}: column {form.columns['id']!r} (the id) is {kind_of(given)}, not text")
    if family == "token-classification":
        tokens, tags = values["tokens"], values["tags"]
        for column, found in ((form.columns["tokens"], tokens), (form.columns["tags"], tags)):
            if not isinstance(found, list):
                raise UserError(f"{where}: column {column!r} is {kind_of(found)}, not a list")
        if len(tokens) != len(tags):
            raise UserError(f"{where}: {len(tokens)} tokens but {len(tags)} tags; they must be as many")
        if not all(isinstance(token, str) for token in tokens):
            raise UserError(f"{where}: a token is no text")
        names = tuple(_label(where, form, tag) for tag in tags)
        return RawRow(line, item, tokens=tuple(tokens), tags=names)
    texts: list[str | None] = []
    for role in ("text_a", "text_b"):
        text = values.get(role)
        if not isinstance(text, str) and (role == "text_a" or role in values):
            raise UserError(f"{where}: column {form.columns[role]!r} is {kind_of(text)}, not text")
        texts.append(text)
    return RawRow(line, item, texts[0] or "", texts[1], _label(where, form, values["label"]))


def _label(where: str, form: Form, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        # -1 is how hub data sets write "no gold label"; it stays text, to be dropped or refused by name.
        return form.label_names[value] if 0 <= value < len(form.label_names) else str(value)
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: no gold label; every row needs one")
    return value
