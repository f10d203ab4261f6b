"""TSV, CSV, JSON Lines and Parquet: files whose rows have the same columns.

Each reader yields the line (of Parquet: the row) from 1 and the values of the wanted columns, in order.
"""

from __future__ import annotations

import csv
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError, nearest
from xleval.tasks.raw import kind_of, lines_of, raw_lines, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Form


def records(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[Any]]]:
    """The wanted columns of every row.

    Raises:
        UserError: a line with other columns, a missing column (with those found), no gold labels.
    """
    readers = {"tsv": _delimited, "csv": _delimited, "jsonl": _json_lines, "parquet": _parquet}
    return readers[form.format](path, form, wanted)


def matches(value: Any, asked: str) -> bool:
    """Whether a value is the one that a form's ``where`` asks for: a shell glob."""
    return fnmatchcase(str(value), asked)


def _delimited(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[str]]]:
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
        if len(fields) != width:
            raise UserError(
                f"{path}:{line}: expected {width} columns, found {len(fields)} "
                f"(separated by {'tabs' if delimiter == chr(9) else 'commas'})"
            )
        yield line, [fields[place] for place in places]


def _plain(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    return ((line, fields.split(delimiter)) for line, fields in lines_of(path))


def _quoted(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(raw_lines(path), delimiter=delimiter, strict=True)
    start = 1
    try:
        for fields in rows:
            yield start, fields
            start = rows.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{start}: not CSV: {error}; a quote may be open") from None


def _places(path: Path, form: Form, wanted: Sequence[str | int], first: Sequence[str]) -> list[int]:
    labels = _labels(form)
    if form.header:
        missing = [str(column) for column in wanted if column not in first]
        found = ", ".join(first)
        if missing == [str(labels)]:
            raise refuse_unlabelled(str(path), f"no column {labels!r} among {found}", form)
        if missing:
            hint = nearest(missing[0], first)
            raise UserError(f"{path}:1: no column {missing[0]!r}{hint} (columns: {found})")
        return [list(first).index(str(column)) for column in wanted]
    places = [column for column in wanted if isinstance(column, int)]
    if len(first) == labels and max(places) == labels:
        raise refuse_unlabelled(str(path), f"{len(first)} columns, labels would be column {labels + 1}", form)
    if len(first) <= max(places):
        raise UserError(f"{path}:1: expected {max(places) + 1} columns, found {len(first)}")
    return places


def _labels(form: Form) -> Any:
    """The column without which a file is unlabelled."""
    return next((form.columns[role] for role in ("label", "tags", "answers") if role in form.columns), None)


def _json_lines(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[Any]]]:
    labels = _labels(form)
    for line, text in lines_of(path):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            raise UserError(f"{path}:{line}: not JSON: {said}; each line must be one object") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}:{line}: {kind_of(record)}, not an object")
        for column in wanted:
            if column not in record:
                found = ", ".join(map(str, record))
                if column == labels:
                    raise refuse_unlabelled(f"{path}:{line}", f"no key {column!r} among {found}", form)
                hint = nearest(str(column), record)
                raise UserError(f"{path}:{line}: no key {column!r}{hint} (keys: {found})")
        values = [record[str(column)] for column in wanted]
        if "\\ud" in text.lower():
            _refuse_half_characters(f"{path}:{line}", values)
        yield line, values


def _refuse_half_characters(where: str, values: list[Any]) -> None:
    # JSON can escape one half of a surrogate pair, which is no text and would break tokenizers.
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: half of a surrogate pair (\\ud800 to \\udfff); write the character") from None


def _parquet(path: Path, form: Form, wanted: Sequence[str | int]) -> Iterator[tuple[int, list[Any]]]:
    import pyarrow
    from pyarrow import parquet

    names = [str(column) for column in wanted]
    try:
        with parquet.ParquetFile(path) as file:
            found = file.schema_arrow.names
            for column in names:
                if column not in found:
                    hint, listed = nearest(column, found), ", ".join(found)
                    raise UserError(f"{path}: no column {column!r}{hint} (columns: {listed})")
            line = 0
            for batch in file.iter_batches(batch_size=8192, columns=list(dict.fromkeys(names))):
                columns = batch.to_pydict()
                for values in zip(*(columns[name] for name in names), strict=True):
                    line += 1
                    yield line, list(values)
    except (pyarrow.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not readable as Parquet ({said}); delete it and fetch again") from None
