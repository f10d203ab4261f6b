"""Files to rows. What a line says is yielded or refused; none is skipped because it is not understood.

Labels are still text here; ``rows`` numbers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.tasks.conll import read_conll
from xleval.tasks.conllu_files import read_conllu
from xleval.tasks.fields import row_of
from xleval.tasks.layout import fill
from xleval.tasks.raw import lines_of, listed, refuse
from xleval.tasks.squad_files import read_squad
from xleval.tasks.tables import matches, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.fields import Values
    from xleval.tasks.layout import Family, Form
    from xleval.tasks.raw import RawRow, Tell


def read(
    path: Path,
    form: Form,
    family: Family,
    code: str,
    labels: Path | None = None,
    *,
    tell: Tell = refuse,
    seen: dict[str, tuple[Path, int]] | None = None,
) -> Iterator[RawRow]:
    """Rows of one language (the data set's own ``code``), labels dropped by ``form`` left out.

    A row without an id of its own is numbered from "0" among the rows of the language, so parallel files
    give equal ids. ``labels`` is a file with one label a line for rows that have none. ``seen`` has the ids
    of other files of the split, with their places.

    Raises:
        UserError: naming file, line and remedy. A fault of one row goes to ``tell`` instead.
    """
    rows: Iterable[RawRow]
    if form.format == "conll":
        rows = read_conll(path, form, code, tell)
    elif form.format == "conllu":
        rows = read_conllu(path, form, family, tell)
    elif form.format == "squad":
        rows = read_squad(path, form, code, tell)
    else:
        rows = _from_records(path, form, family, code, labels, tell)
    seen = {} if seen is None else seen
    unit = {"squad": "in question", "parquet": "in row"}.get(form.format, "on line")
    for index, row in enumerate(rows):
        if row.id is not None:
            file, first = seen.setdefault(row.id, (path, row.line))
            if (file, first) != (path, row.line):
                here = f"{path}: question {row.line}" if form.format == "squad" else f"{path}:{row.line}"
                there = f"{unit} {first}" + (f" of {file}" if file != path else "")
                tell(UserError(f"{here}: id {row.id!r:.60} stands {there} already; remove one"))
        if row.label not in form.drop_labels or not row.label:
            yield row if row.id is not None else row._replace(id=str(index))


def _from_records(
    path: Path, form: Form, family: Family, code: str, labels: Path | None, tell: Tell
) -> Iterator[RawRow]:
    roles: list[tuple[str, str | int]] = []
    for role, given in form.columns.items():
        roles += [(role, column) for column in (given if isinstance(given, tuple) else (given,))]
    if family == "multiple-choice" and "choices" not in dict(roles):
        raise UserError(f"{path}: no columns with choices; name them choice1, choice2 and so on")
    whose = _Whose(form, code)
    wanted = [*(column for _, column in roles), *whose.asked]
    beside = _labels(labels) if labels else None
    empty = True
    for line, values in records(path, form, wanted, tell):
        label_at, label = next(beside, ("", None)) if beside else ("", None)
        if beside and label is None:
            raise UserError(f"{path}:{line}: {labels} has no label for this row; both must have as many lines")
        try:
            if values and not whose.accepts(f"{path}:{line}", values[len(roles) :]):
                continue
            empty = False
            if not values:
                continue
            named: Values = {} if label is None else {"label": label}
            for (name, _), value in zip(roles, values, strict=False):
                named[name] = (*named.get(name, ()), value) if name == "choices" else value
            row = row_of(f"{path}:{line}", form, family, line, named, label_at)
        except UserError as error:
            tell(error)
            continue
        yield row
    if beside and next(beside, None) is not None:
        raise UserError(f"{labels}: more labels than {path} has rows; both must have as many lines")
    if empty:
        raise UserError(f"{path}: no row{whose}")


class _Whose:
    """Tells the rows of one language from those of others in the same file; in messages, what was looked for."""

    def __init__(self, form: Form, code: str) -> None:
        self.asked = {column: fill(value, code) for column, value in form.where.items()}
        self._others: dict[str, None] = {}

    def accepts(self, where: str, values: Sequence[Any]) -> bool:
        """Raises UserError for a row that is nobody's: left out, it would be missed by none."""
        for (column, asked), value in zip(self.asked.items(), values, strict=True):
            if value is None or value == "":
                raise UserError(f"{where}: column {column!r}, which says whose row it is, is empty; fill it in")
            if not matches(value, asked):
                if len(self._others) < 20:
                    self._others[str(value)] = None
                return False
        return True

    def __str__(self) -> str:
        if not self.asked:
            return ""
        asked = " and ".join(f"{column} = {value!r}" for column, value in self.asked.items())
        return f" with {asked}; it has {listed(sorted(self._others))}" if self._others else f" with {asked}"


def _labels(path: Path) -> Iterator[tuple[str, str]]:
    """Each label with its place."""
    for line, text in lines_of(path):
        if not text.strip():
            raise UserError(f"{path}:{line}: empty; one label a line")
        yield f"{path}:{line}", text.strip()
