"""Files to rows. What a line says is yielded or refused; none is skipped because it is not understood.

Labels are still text here; ``rows`` numbers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.tasks.conll import read_conll
from xleval.tasks.conllu_files import check_tree, read_conllu
from xleval.tasks.layout import fill
from xleval.tasks.raw import RawRow, kind_of, lines_of, refuse_unlabelled
from xleval.tasks.squad_files import check_answers, read_squad
from xleval.tasks.tables import matches, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Family, Form

Values = dict[str, Any]


def read(path: Path, form: Form, family: Family, code: str, labels: Path | None = None) -> Iterator[RawRow]:
    """Rows of one language (the data set's own ``code``), labels dropped by ``form`` left out.

    A row without an id of its own is numbered from "0" among the rows of the language, so parallel files
    give equal ids. ``labels`` is a file with one label a line for rows that have none.

    Raises:
        UserError: naming file, line and remedy.
    """
    rows: Iterable[RawRow]
    if form.format == "conll":
        rows = read_conll(path, form, code)
    elif form.format == "conllu":
        rows = read_conllu(path, form, family)
    elif form.format == "squad":
        rows = read_squad(path, form)
    else:
        rows = _from_records(path, form, family, code, labels)
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row.id is not None:
            if row.id in seen:
                first = seen[row.id]
                raise UserError(f"{path}:{row.line}: id {row.id!r} stands on line {first} already; remove one")
            seen[row.id] = row.line
        if row.label not in form.drop_labels or not row.label:
            yield row if row.id is not None else row._replace(id=str(index))


def _from_records(path: Path, form: Form, family: Family, code: str, labels: Path | None) -> Iterator[RawRow]:
    roles: list[tuple[str, str | int]] = []
    for role, given in form.columns.items():
        roles += [(role, column) for column in (given if isinstance(given, tuple) else (given,))]
    conditions = {column: fill(value, code) for column, value in form.where.items()}
    wanted = [*(column for _, column in roles), *conditions]
    beside = iter(_labels(labels)) if labels else None
    others: set[str] = set()
    empty = True
    for line, values in records(path, form, wanted):
        rejected = [
            str(value)
            for value, asked in zip(values[len(roles) :], conditions.values(), strict=True)
            if not matches(value, asked)
        ]
        if rejected:
            others.update(rejected[: 20 - len(others)])
            continue
        empty = False
        named: Values = {}
        for (name, _), value in zip(roles, values, strict=False):
            named[name] = (*named.get(name, ()), value) if name == "choices" else value
        if beside is not None:
            named["label"] = next(beside, None)
            if named["label"] is None:
                raise UserError(f"{path}:{line}: {labels} has no label for this row; both must have as many lines")
        yield _row(path, form, family, line, named)
    if beside is not None and next(beside, None) is not None:
        raise UserError(f"{labels}: more labels than {path} has rows; both must have as many lines")
    if empty:
        asked = " and ".join(f"{column} = {value!r}" for column, value in conditions.items())
        found = f"; it has {', '.join(sorted(others))}" if others else ""
        raise UserError(f"{path}: no row{f' with {asked}' if asked else ''}{found}")


def _labels(path: Path) -> Iterator[str]:
    for line, text in lines_of(path):
        if not text.strip():
            raise UserError(f"{path}:{line}: empty; one label a line")
        yield text.strip()


def _row(path: Path, form: Form, family: Family, line: int, values: Values) -> RawRow:
    where = f"{path}:{line}"
    given = values.get("id")
    item = str(given) if isinstance(given, (str, int)) and not isinstance(given, bool) else None
    if "id" in form.columns and item is None:
        raise UserError(f"{where}: column {form.columns['id']!r} (the id) is {kind_of(given)}, not text")
    if family == "token-classification":
        tokens, tags = _lists(where, form, values, "tokens", "tags")
        return RawRow(line, item, tokens=_texts(where, tokens), tags=tuple(_label(where, form, tag) for tag in tags))
    if family == "dependency-parsing":
        return _tree(where, form, line, item, values)
    if family == "question-answering":
        context, question = (_text(where, form, values, role) for role in ("context", "question"))
        answers = _answers(where, form, values["answers"])
        check_answers(where, context, answers, form)
        return RawRow(line, item, context, question, answers=answers)
    if family == "multiple-choice":
        context, question = (_text(where, form, values, role) for role in ("context", "question"))
        given = values["choices"][0] if isinstance(values["choices"][0], list) else values["choices"]
        choices = tuple(_text(where, form, {"choices": choice}, "choices") for choice in given)
        return RawRow(line, item, context, question, str(_choice(where, form, values["label"], len(choices))),
                      choices=choices)  # fmt: skip
    second = _text(where, form, values, "text_b") if "text_b" in values else None
    return RawRow(line, item, _text(where, form, values, "text_a"), second, _label(where, form, values["label"]))


def _tree(where: str, form: Form, line: int, item: str | None, values: Values) -> RawRow:
    tokens, heads, tags = _lists(where, form, values, "tokens", "heads", "tags")
    if not all(isinstance(head, int) and not isinstance(head, bool) for head in heads):
        raise UserError(f"{where}: a head is no whole number")
    check_tree(heads, [where] * len(heads))
    relations = tuple(_label(where, form, tag).partition(":")[0] for tag in tags)
    return RawRow(line, item, tokens=_texts(where, tokens), tags=relations, heads=tuple(heads))


def _text(where: str, form: Form, values: Values, role: str) -> str:
    text = values.get(role)
    if not isinstance(text, str):
        raise UserError(f"{where}: column {form.columns[role]!r} is {kind_of(text)}, not text")  # type: ignore[index]
    return text


def _lists(where: str, form: Form, values: Values, *roles: str) -> list[list[Any]]:
    for role in roles:
        if not isinstance(values[role], list):
            column = form.columns[role]  # type: ignore[index]
            raise UserError(f"{where}: column {column!r} is {kind_of(values[role])}, not a list")
    sizes = [len(values[role]) for role in roles]
    if len(set(sizes)) > 1:
        counted = " but ".join(f"{size} {role}" for size, role in zip(sizes, roles, strict=True))
        raise UserError(f"{where}: {counted}; they must be as many")
    if not sizes[0]:
        raise UserError(f"{where}: no tokens; remove the row")
    return [values[role] for role in roles]


def _texts(where: str, tokens: Sequence[Any]) -> tuple[str, ...]:
    if not all(isinstance(token, str) for token in tokens):
        raise UserError(f"{where}: a token is no text")
    return tuple(tokens)


def _answers(where: str, form: Form, value: Any) -> tuple[tuple[int, str], ...]:
    """Answers as hub data sets have them (an object of two lists), or as a list of objects."""
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start")
    elif isinstance(value, list) and all(isinstance(answer, dict) for answer in value):
        texts = [answer.get("text") for answer in value]
        starts = [answer.get("answer_start", answer.get("start")) for answer in value]
    else:
        texts = starts = None
    whole = isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)
    if not whole or not all(isinstance(t, str) and type(s) is int for t, s in zip(texts, starts, strict=True)):  # type: ignore[arg-type]
        column = form.columns.get("answers", "answers")
        raise UserError(f"{where}: column {column!r} must hold answers as {{text: [...], answer_start: [...]}}")
    return tuple(zip(starts, texts, strict=True))  # type: ignore[arg-type]


def _choice(where: str, form: Form, value: Any, choices: int) -> int:
    """The position of the right choice, from 0."""
    if form.label_names and str(value) in form.label_names:
        return form.label_names.index(str(value))
    position = int(value) if str(value).isdecimal() and not form.label_names else -1
    if not 0 <= position < choices:
        known = ", ".join(form.label_names or map(str, range(choices)))
        if value in (None, "", -1, "-1"):
            raise refuse_unlabelled(where, f"label {value!r}", form)
        raise UserError(f"{where}: label {value!r} names none of the {choices} choices (known: {known})")
    return position


def _label(where: str, form: Form, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        # -1 is how hub data sets write "no gold label"; it stays text, to be dropped or refused by name.
        return form.label_names[value] if 0 <= value < len(form.label_names) else str(value)
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: no gold label; every row needs one")
    return value
