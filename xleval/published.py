"""Reference rows: the scores that papers print, to stand beside ours. They are never tested against.

``leaderboard/reference`` has one ``KEY.jsonl`` a paper and ``papers.yaml`` with citations; its README says
what each field of a row means. Nothing here needs more than the standard library, pydantic and PyYAML.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xleval.errors import UserError, nearest
from xleval.resources import resource
from xleval.yaml_file import read_mapping

#: In the place of a language: the printed average over the languages of the table.
AVERAGE = "avg"

N = TypeVar("N", Decimal, float)

_PAPERS = "papers.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Strict):
    """Where numbers were printed."""

    title: str
    url: str
    citation: str
    """BibTeX."""
    arxiv: str = ""
    code: str = ""
    where: str = ""
    """The document that the numbers were read from, if it is not the paper itself."""


class Printed(_Strict):
    """One printed number."""

    type: Literal["reference"]
    schema_: Literal["xleval/1.0"] = Field(alias="schema")
    paper: str
    """Key in ``papers.yaml``."""
    table: str = Field(pattern=r"^[a-z0-9-]+$")
    """``2a`` is Table 2(a); a word where the document has no numbers."""
    backbone: str | None
    """Hub id; None for people."""
    strategy: str | None
    """xleval's strategy, None where it has none."""
    printed_strategy: str
    """As the paper names it."""
    task: str
    language: str = Field(pattern=r"^([a-z]{3}|avg)$")
    """xleval's code, or :data:`AVERAGE`."""
    metric: str
    percent: Decimal = Field(ge=0, le=100)
    """As printed."""
    n_seeds: int | None = Field(ge=1)
    """Runs that it is the mean of; None where the document does not say."""
    provenance: Literal["published"]
    note: str = ""

    @property
    def key(self) -> str:
        """``paper:table``, what ``xleval reproduce`` takes."""
        return f"{self.paper}:{self.table}"


@dataclass(frozen=True)
class PrintedTable:
    """The rows of one table, in printed order; its averages apart from the scores of languages."""

    key: str
    rows: tuple[Printed, ...]

    @property
    def shown(self) -> str:
        """``tlr:2a`` as ``tlr, Table 2(a)``."""
        paper, _, table = self.key.partition(":")
        return f"{paper}, {shown_table(table)}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of the table, in printed order."""
        return tuple(dict.fromkeys(row.task for row in self.rows))

    @cached_property
    def scores(self) -> Mapping[tuple[str, str, str], Mapping[str, Printed]]:
        """(task, metric, printed strategy) → language → row, without averages; in printed order."""
        return self._grouped(row for row in self.rows if row.language != AVERAGE)

    @cached_property
    def averages(self) -> Mapping[tuple[str, str, str], Printed]:
        """(task, metric, printed strategy) → the printed average."""
        found = self._grouped(row for row in self.rows if row.language == AVERAGE)
        return {group: rows[AVERAGE] for group, rows in found.items()}

    @staticmethod
    def _grouped(rows: Iterable[Printed]) -> dict[tuple[str, str, str], dict[str, Printed]]:
        found: dict[tuple[str, str, str], dict[str, Printed]] = {}
        for row in rows:
            found.setdefault((row.task, row.metric, row.printed_strategy), {})[row.language] = row
        return found


@dataclass(frozen=True)
class Published:
    """All reference rows, and the papers that they are from."""

    papers: Mapping[str, Paper]
    rows: tuple[Printed, ...]

    @cached_property
    def tables(self) -> Mapping[str, PrintedTable]:
        """``paper:table`` → its rows, in the order of the files."""
        grouped: dict[str, list[Printed]] = {}
        for row in self.rows:
            grouped.setdefault(row.key, []).append(row)
        return {key: PrintedTable(key, tuple(rows)) for key, rows in grouped.items()}

    def table(self, key: str) -> PrintedTable:
        """The table ``paper:table``; ``2(a)`` is ``2a``.

        Raises:
            UserError: there is none; the nearest keys are named.
        """
        asked = table_key(key)
        if asked not in self.tables:
            raise UserError(f"no published table {key!r}{nearest(asked, self.tables)} (see `xleval reproduce ls`)")
        return self.tables[asked]


def load(folder: Path | None = None) -> Published:
    """The reference rows in ``folder``, by default those that come with xleval.

    Raises:
        UserError: naming file, line and key of what is no row or no paper, stands there twice, or has no paper.
    """
    folder = folder or resource("leaderboard") / "reference"
    papers = _papers(folder / _PAPERS)
    rows = [row for path in sorted(folder.glob("*.jsonl")) for row in _rows(path, papers)]
    return Published(papers, tuple(rows))


def shown_table(table: str) -> str:
    """A table's key as a reader knows it: ``2a`` → ``Table 2(a)``; a key that is no number stays as it is."""
    number = table.rstrip("abcdefghijklmnopqrstuvwxyz")
    if not number.isdecimal():
        return table
    return f"Table {number}({table[len(number) :]})" if table != number else f"Table {number}"


def table_key(text: str) -> str:
    """``TLR:2(a)`` as ``tlr:2a``."""
    return text.strip().lower().replace("(", "").replace(")", "")


def average(percents: Iterable[Decimal]) -> Decimal:
    """The mean of printed scores, exact to 28 digits. Raises ValueError for none at all."""
    values = list(percents)
    if not values:
        raise ValueError("an average of nothing")
    return sum(values, Decimal(0)) / len(values)


def better(scores: Mapping[str, N], baseline: Mapping[str, N]) -> tuple[int, int]:
    """The column "Better": on how many languages a score is strictly above the baseline's, and of how many."""
    common = [language for language in scores if language in baseline]
    return sum(scores[language] > baseline[language] for language in common), len(common)


def _papers(path: Path) -> dict[str, Paper]:
    try:
        entries = read_mapping(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    papers = {}
    for key, entry in entries.items():
        try:
            papers[str(key)] = Paper.model_validate(entry)
        except ValidationError as error:
            raise UserError(f"{path}: {key}: {_faults(error)}") from None
    return papers


def _rows(path: Path, papers: Mapping[str, Paper]) -> Iterator[Printed]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    seen: Counter[tuple[Any, ...]] = Counter()
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        try:
            # Decimal, so that 33.59 is 33.59 and averages are exact.
            row = Printed.model_validate(json.loads(line, parse_float=Decimal))
        except ValidationError as error:
            raise UserError(f"{where}: {_faults(error)}") from None
        except ValueError as error:
            raise UserError(f"{where}: not JSON: {error}") from None
        if row.paper != path.stem or row.paper not in papers:
            known = f"papers.yaml has no {row.paper!r}" if row.paper == path.stem else f"write {path.stem!r}"
            raise UserError(f"{where}: paper is {row.paper!r}: {known}{nearest(row.paper, papers)}")
        cell = (row.table, row.backbone, row.printed_strategy, row.task, row.language, row.metric)
        seen[cell] += 1
        if seen[cell] > 1:
            raise UserError(f"{where}: {' '.join(map(str, cell))} stands there twice; keep one")
        yield row


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
