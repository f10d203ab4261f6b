"""Files to rows: TSV, CSV, JSON Lines, Parquet, and CoNLL columns (in ``conll``).

A reader yields what the file says or raises; it never skips a line that it does not understand. Labels are
still text here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xleval.errors import UserError, nearest
from xleval.tasks.layout import Family, Form


class RawRow(NamedTuple):
    """One item as its file writes it. ``line`` counts lines (of Parquet: rows) from 1.

    Sequence rows have ``text_a``, ``text_b`` (or None) and ``label``; token rows ``tokens`` and ``tags``.
    """

    line: int
    id: str | None
    text_a: str = ""
    text_b: str | None = None
    label: str = ""
    tokens: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def read(path: Path, form: Form, family: Family, code: str) -> Iterator[RawRow]:
    """Rows of one language (the data set's own ``code``), labels dropped by ``form`` left out.

    A row without an id of its own is numbered from "0" among the rows of the language, so parallel files
    give equal ids.

    Raises:
        UserError: naming file, line and remedy.
    """
    if form.format == "conll":
        from xleval.tasks.conll import read_conll

        rows = read_conll(path, form, code)
    else:
        rows = _from_records(path, form, family, code)
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row.id is not None:
            if row.id in seen:
                raise UserError(
                    f"{path}:{row.line}: id {row.id!r} stands on line {seen[row.id]} already; ids must be unique"
                )
            seen[row.id] = row.line
        if row.label not in form.drop_labels or family == "token-classification":
            yield row if row.id is not None else row._replace(id=str(index))


def decoded(path: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        UserError: it is missing, empty, or not UTF-8 (with line and byte).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the mark.
        start = error.start + (len(data) - len(error.object))
        line = data.count(b"\n", 0, start) + 1
        column = start - data.rfind(b"\n", 0, start)
        raise UserError(
            f"{path}:{line}: not UTF-8: byte 0x{data[start]:02x} at position {column} of the line; convert the file"
        ) from None
    if not text.strip():
        raise UserError(f"{path}: empty; fetch the file again")
    return text


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Lines with numbers from 1, split at line feeds only: other separators occur within sentences."""
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        yield number, line.removesuffix("\r")


def refuse_unlabelled(where: str, found: str, form: Form) -> UserError:
    """The error for a file without gold labels; ``found`` says what it has in their place."""
    advice = form.unlabelled or "Predictions can't be scored without them: use a release that has them."
    return UserError(f"{where}: no gold labels ({found}). {advice}")


def _from_records(path: Path, form: Form, family: Family, code: str) -> Iterator[RawRow]:
    roles = list(form.columns)
    conditions = {column: value.replace("{lang}", code) for column, value in form.where.items()}
    wanted = [*form.columns.values(), *conditions]
    records = {"tsv": _delimited, "csv": _delimited, "jsonl": _json_lines, "parquet": _parquet}[form.format]
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
        raise UserError(f"{where}: column {form.columns['id']!r} (the id) is {_kind(given)}, not text")
    if family == "token-classification":
        tokens, tags = values["tokens"], values["tags"]
        for column, found in ((form.columns["tokens"], tokens), (form.columns["tags"], tags)):
            if not isinstance(found, list):
                raise UserError(f"{where}: column {column!r} is {_kind(found)}, not a list")
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
            raise UserError(f"{where}: column {form.columns[role]!r} is {_kind(text)}, not text")  # type: ignore[index]
        texts.append(text)
    return RawRow(line, item, texts[0] or "", texts[1], _label(where, form, values["label"]))


def _label(where: str, form: Form, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        # -1 is how hub data sets write "no gold label"; it stays text, to be dropped or refused by name.
        return form.label_names[value] if 0 <= value < len(form.label_names) else str(value)
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: no gold label; every row needs one")
    return value


def _delimited(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[str]]]:
    text = decoded(path)
    delimiter = "\t" if form.format == "tsv" else ","
    rows = _quoted(path, text, delimiter) if form.quoting == "minimal" else _plain(text, delimiter)
    places: list[int] = []
    width = 0
    for line, fields in rows:
        if not width:
            width = len(fields)
            places = _places(path, form, wanted, fields)
            if form.header:
                continue
        if len(fields) != width:
            raise UserError(
                f"{path}:{line}: expected {width} columns, found {len(fields)} "
                f"(separated by {'tabs' if delimiter == chr(9) else 'commas'})"
            )
        yield line, [fields[place] for place in places]


def _plain(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    return ((line, fields.split(delimiter)) for line, fields in lines_of(text))


def _quoted(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for fields in rows:
            yield start, fields
            start = rows.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{start}: not CSV: {error}; a quote may be open") from None


def _places(path: Path, form: Form, wanted: Sequence[str | int], first: Sequence[str]) -> list[int]:
    labels = form.columns.get("label", form.columns.get("tags"))
    if form.header:
        missing = [str(column) for column in wanted if column not in first]
        found = ", ".join(first)
        if missing == [str(labels)]:
            raise refuse_unlabelled(str(path), f"no column {labels!r} among {found}", form)
        if missing:
            raise UserError(f"{path}:1: no column {missing[0]!r}{nearest(missing[0], first)} (columns: {found})")
        return [list(first).index(str(column)) for column in wanted]
    places = [column for column in wanted if isinstance(column, int)]
    if len(first) == labels and max(places) == labels:
        raise refuse_unlabelled(str(path), f"{len(first)} columns, where labels would be column {labels + 1}", form)
    if len(first) <= max(places):
        raise UserError(f"{path}:1: expected {max(places) + 1} columns, found {len(first)}")
    return places


def _json_lines(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[Any]]]:
    labels = form.columns.get("label", form.columns.get("tags"))
    for line, text in lines_of(decoded(path)):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            raise UserError(f"{path}:{line}: not JSON: {said}; each line must be one object") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}:{line}: {_kind(record)}, not an object")
        for column in wanted:
            if column not in record:
                found = ", ".join(map(str, record))
                if column == labels:
                    raise refuse_unlabelled(f"{path}:{line}", f"no key {column!r} among {found}", form)
                raise UserError(f"{path}:{line}: no key {column!r}{nearest(str(column), record)} (keys: {found})")
        yield line, [record[str(column)] for column in wanted]


def _parquet(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[Any]]]:
    import pyarrow
    from pyarrow import parquet

    names = [str(column) for column in wanted]
    try:
        with parquet.ParquetFile(path) as file:
            found = file.schema_arrow.names
            for column in names:
                if column not in found:
                    listed = ", ".join(found)
                    raise UserError(f"{path}: no column {column!r}{nearest(column, found)} (columns: {listed})")
            line = 0
            for batch in file.iter_batches(batch_size=8192, columns=list(dict.fromkeys(names))):
                columns = batch.to_pydict()
                for values in zip(*(columns[name] for name in names), strict=True):
                    line += 1
                    yield line, list(values)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not readable as Parquet ({str(error).splitlines()[0]}); delete it and fetch again") from None


def _kind(value: Any) -> str:
    names = {type(None): "missing", bool: "true or false", dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), "a number")
