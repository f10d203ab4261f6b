"""TSV, CSV, JSON Lines and Parquet: files whose rows have the same columns.

Each reader yields the line (of Parquet: the row) from 1 and the values of the wanted columns, in order; of a
row whose fault was told, no values, so that whoever counts rows goes on counting.
"""

from __future__ import annotations

import csv
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError, nearest
from xleval.tasks.json_text import JsonError, parsed
from xleval.tasks.raw import has_half_character, kind_of, lines_of, listed, raw_lines, refuse, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Form
    from xleval.tasks.raw import Tell


def records(
    path: Path, form: Form, wanted: Sequence[str | int], tell: Tell = refuse
) -> Iterator[tuple[int, list[Any]]]:
    """The wanted columns of every row.

    Raises:
        UserError: a line with other columns, a missing column (with those found), no gold labels.
    """
    readers = {"tsv": _delimited, "csv": _delimited, "jsonl": _json_lines, "parquet": _parquet}
    return readers[form.format](path, form, wanted, tell)


def matches(value: Any, asked: str) -> bool:
    """Whether a value is the one that a form's ``where`` asks for: a shell glob."""
    return fnmatchcase(str(value), asked)


def _delimited(path: Path, form: Form, wanted: Sequence[str | int], tell: Tell) -> Iterator[tuple[int, list[str]]]:
    delimiter = "\t" if form.format == "tsv" else ","
    rows = _quoted(path, delimiter) if form.quoting == "minimal" else _plain(path, delimiter)
    places: list[int] = []
    width = 0
    for line, fields in rows:
        if not width:
            width = len(fields)
            places = _places(path, form, wanted, fields)
            if form.header:
                continue
        if len(fields) == width:
            yield line, [fields[place] for place in places]
            continue
        tell(
            UserError(
                f"{path}:{line}: expected {width} columns, found {len(fields)} "
                f"(separated by {'tabs' if delimiter == chr(9) else 'commas'}); correct the line"
            )
        )
        yield line, []


def _plain(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    return ((line, fields.split(delimiter)) for line, fields in lines_of(path))


def _quoted(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the lines on which they begin; blank lines at the end are left out, as everywhere."""
    rows = csv.reader(raw_lines(path), delimiter=delimiter, strict=True)
    start = 1
    blank: list[int] = []
    try:
        for fields in rows:
            if fields:
                yield from ((line, [""]) for line in blank)
                blank.clear()
                yield start, fields
            else:
                blank.append(start)
            start = rows.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{start}: not CSV: {error}; a quote may be open") from None


def _places(path: Path, form: Form, wanted: Sequence[str | int], first: Sequence[str]) -> list[int]:
    labels = _labels(form)
    if form.header:
        missing = [str(column) for column in wanted if column not in first]
        if missing == [str(labels)]:
            raise refuse_unlabelled(
                str(path), f"no column {labels!r} among {listed(first)}{nearest(str(labels), first)}", form
            )
        if missing:
            hint = nearest(missing[0], first)
            raise UserError(f"{path}:1: no column {missing[0]!r}{hint} (columns: {listed(first)})")
        _refuse_twice(f"{path}:1", wanted, first)
        return [list(first).index(str(column)) for column in wanted]
    places = [column for column in wanted if isinstance(column, int)]
    if len(first) == labels and max(places) == labels:
        raise refuse_unlabelled(str(path), f"{len(first)} columns, labels would be column {labels + 1}", form)
    if len(first) <= max(places):
        raise UserError(f"{path}:1: expected {max(places) + 1} columns, found {len(first)}")
    return places


def _refuse_twice(where: str, wanted: Sequence[str | int], found: Sequence[str]) -> None:
    twice = next((column for column in wanted if list(found).count(str(column)) > 1), None)
    if twice is not None:
        raise UserError(f"{where}: two columns are named {twice!r}; rename the one that is not meant")


def _labels(form: Form) -> Any:
    """The column without which a file is unlabelled."""
    return next((form.columns[role] for role in ("label", "tags", "answers") if role in form.columns), None)


def _json_lines(path: Path, form: Form, wanted: Sequence[str | int], tell: Tell) -> Iterator[tuple[int, list[Any]]]:
    for line, text in lines_of(path):
        try:
            values = _of_object(f"{path}:{line}", text, form, wanted)
        except UserError as error:
            tell(error)
            values = []
        yield line, values


def _of_object(where: str, text: str, form: Form, wanted: Sequence[str | int]) -> list[Any]:
    try:
        record = parsed(text)
    except JsonError as error:
        raise UserError(f"{where}: not JSON: {error}; each line must be one object") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: {kind_of(record)}, not an object")
    for column in wanted:
        if column not in record:
            hint = nearest(str(column), record)
            if column == _labels(form):
                raise refuse_unlabelled(where, f"no key {column!r} among {listed(record)}{hint}", form)
            raise UserError(f"{where}: no key {column!r}{hint} (keys: {listed(record)})")
    values = [record[str(column)] for column in wanted]
    if "\\ud" in text.lower() and has_half_character(json.dumps(values, ensure_ascii=False)):
        raise UserError(f"{where}: half of a surrogate pair (\\ud800 to \\udfff); write the character")
    return values


def _parquet(path: Path, form: Form, wanted: Sequence[str | int], tell: Tell) -> Iterator[tuple[int, list[Any]]]:
    import pyarrow
    from pyarrow import parquet

    names = [str(column) for column in wanted]
    line = 0
    try:
        with parquet.ParquetFile(path) as file:
            found = file.schema_arrow.names
            missing = [column for column in names if column not in found]
            hint = nearest(missing[0], found) if missing else ""
            if missing == [str(_labels(form))]:
                raise refuse_unlabelled(str(path), f"no column {missing[0]!r} among {listed(found)}{hint}", form)
            if missing:
                raise UserError(f"{path}: no column {missing[0]!r}{hint} (columns: {listed(found)})")
            _refuse_twice(str(path), names, found)
            for batch in file.iter_batches(batch_size=8192, columns=list(dict.fromkeys(names))):
                columns = batch.to_pydict()
                for values in zip(*(columns[name] for name in names), strict=True):
                    line += 1
                    yield line, list(values)
    except UnicodeDecodeError:
        raise UserError(f"{path}: text after row {line} is not UTF-8; fetch the file again") from None
    except (pyarrow.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not readable as Parquet ({said}); delete it and fetch again") from None
