"""A user's own facts of languages: a CSV file with a column of languages and a column for each predictor."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from xleval.analysis.predictors import Predictor
from xleval.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from xleval.languages import LanguageRegistry


def read_predictors(path: Path, languages: LanguageRegistry) -> list[Predictor]:
    """Predictors of a file whose header is ``language,NAME,NAME,…``; languages by code, alias or name.

    An empty field is unknown. A column of nothing but 0 and 1 is a grade (no, yes), any other a number.

    Raises:
        UserError: naming the line and column that is not as it must be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--predictors {path}: {getattr(error, 'strerror', None) or error}") from None
    header = [name.strip() for name in lines[0]] if lines else []
    if header[:1] != ["language"] or len(header) < 2 or not all(header) or len(set(header)) < len(header):
        raise UserError(f"{path}:1: the header is `language,NAME,NAME,…`, each name once")
    columns: dict[str, dict[str, float]] = {name: {} for name in header[1:]}
    for number, line in enumerate(lines[1:], start=2):
        if not any(field.strip() for field in line):
            continue
        if len(line) != len(header):
            raise UserError(f"{path}:{number}: {len(line)} fields, and {len(header)} in the header")
        try:
            code = languages.get(line[0].strip()).code
        except UserError as error:
            raise UserError(f"{path}:{number}: {error}") from None
        if code in columns[header[1]]:
            raise UserError(f"{path}:{number}: {code} stands there twice")
        for name, text in zip(header[1:], line[1:], strict=True):
            columns[name][code] = _number(text.strip(), f"{path}:{number}: {name}")
    return [_predictor(name, values) for name, values in columns.items()]


def _number(text: str, where: str) -> float:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise UserError(f"{where}: {text!r} is no number; leave the field empty where it is unknown")
    return value


def _predictor(name: str, values: dict[str, float]) -> Predictor:
    known = {value for value in values.values() if not math.isnan(value)}
    return Predictor(name, "grade", values, ("no", "yes")) if known <= {0, 1} else Predictor(name, "number", values)
