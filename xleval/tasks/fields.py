"""The values of a row's columns to the row of its family: what kind each must be, and that it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.tasks.conllu_files import check_tree
from xleval.tasks.layout import Form
from xleval.tasks.raw import RawRow, UnlabelledError, kind_of, refuse_unlabelled
from xleval.tasks.squad_files import checked_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xleval.tasks.layout import Family

Values = dict[str, Any]


def row_of(where: str, form: Form, family: Family, line: int, values: Values, labelled_at: str = "") -> RawRow:
    """The row that ``values`` (by role) are; ``labelled_at`` is the place of its label, if that is another.

    Raises:
        UserError: a value of another kind than its role asks for, or that can't be right beside the others.
    """
    item = _id(where, form, values)
    labelled_at = labelled_at or where
    if family == "token-classification":
        tokens, tags = _lists(where, form, values, "tokens", "tags")
        return RawRow(line, item, tokens=_tokens(where, tokens), tags=_tags(where, form, tags))
    if family == "dependency-parsing":
        tokens, heads, tags = _lists(where, form, values, "tokens", "heads", "tags")
        if not all(type(head) is int for head in heads):
            raise UserError(f"{where}: a head is no whole number")
        check_tree(heads, [where] * len(heads))
        relations = tuple(tag.partition(":")[0] for tag in _tags(where, form, tags))
        return RawRow(line, item, tokens=_tokens(where, tokens), tags=relations, heads=tuple(heads))
    if family == "question-answering":
        context, question = _text(where, form, values, "context"), _text(where, form, values, "question")
        answers = checked_answers(where, context, _answers(where, form, values["answers"]), form)
        return RawRow(line, item, context, question, answers=answers)
    if family == "multiple-choice":
        context, question = _text(where, form, values, "context"), _text(where, form, values, "question")
        choices = _choices(where, form, values["choices"])
        # Without a column for it, only the questions are asked for.
        label = str(_choice(labelled_at, form, values["label"], len(choices))) if "label" in values else ""
        return RawRow(line, item, context, question, label, choices=choices)
    second = _text(where, form, values, "text_b") if "text_b" in values else None
    label = _label(labelled_at, form, values["label"])
    return RawRow(line, item, _text(where, form, values, "text_a"), second, label)


def generated_row(where: str, family: Family, number: int, row: dict[str, Any]) -> RawRow:
    """A row that a data provider made, checked as those of files are.

    Raises:
        UserError: a key that is missing, and all that :func:`row_of` refuses.
    """
    values: dict[str, Any] = {}
    for role, key in GENERATED[family].columns.items():
        name = str(key[0] if isinstance(key, tuple) else key)
        if name in row:
            values[role] = (row[name],) if role == "choices" else row[name]
        elif role != "text_b":
            raise UserError(f"{where} has no {name!r}")
    return row_of(where, GENERATED[family], family, number, values)


def _generated(**columns: str | tuple[str, ...]) -> Form:
    return Form.model_validate({"format": "jsonl", "columns": {"id": "id", **columns}})


#: The keys of rows that a provider makes, and of a user's own JSON Lines (``id`` apart).
GENERATED: dict[Family, Form] = {
    "sequence-classification": _generated(text_a="premise", text_b="hypothesis", label="label"),
    "multiple-choice": _generated(context="context", question="question", choices=("choices",), label="label"),
    "token-classification": _generated(tokens="tokens", tags="tags"),
    "dependency-parsing": _generated(tokens="tokens", heads="heads", tags="relations"),
    "question-answering": _generated(context="context", question="question", answers="answers"),
}


def _id(where: str, form: Form, values: Values) -> str | None:
    if "id" not in form.columns:
        return None
    given = values["id"]
    if isinstance(given, (str, int)) and not isinstance(given, bool):
        return str(given)
    raise UserError(f"{where}: column {form.columns['id']!r} (the id) is {kind_of(given)}, not text or a whole number")


def _text(where: str, form: Form, values: Values, role: str) -> str:
    return _as_text(where, form.columns[role], values[role])  # type: ignore[index]


def _as_text(where: str, column: Any, value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where}: column {column!r} is {kind_of(value)}, not text")
    return value


def _lists(where: str, form: Form, values: Values, *roles: str) -> list[Sequence[Any]]:
    for role in roles:
        if not isinstance(values[role], (list, tuple)):
            column = form.columns[role]  # type: ignore[index]
            raise UserError(f"{where}: column {column!r} is {kind_of(values[role])}, not a list")
    sizes = [len(values[role]) for role in roles]
    if len(set(sizes)) > 1:
        counted = " but ".join(f"{size} {role}" for size, role in zip(sizes, roles, strict=True))
        raise UserError(f"{where}: {counted}; they must be as many")
    if not sizes[0]:
        raise UserError(f"{where}: no tokens; remove the row")
    return [values[role] for role in roles]


def _tokens(where: str, tokens: Sequence[Any]) -> tuple[str, ...]:
    for number, token in enumerate(tokens, start=1):
        if not isinstance(token, str) or not token:
            raise UserError(f"{where}: token {number} is {'empty' if token == '' else kind_of(token)}, not text")
    return tuple(tokens)


def _tags(where: str, form: Form, tags: Sequence[Any]) -> tuple[str, ...]:
    return tuple(_label(where, form, tag) for tag in tags)


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


def _choices(where: str, form: Form, values: tuple[Any, ...]) -> tuple[str, ...]:
    columns = form.columns["choices"]
    assert isinstance(columns, tuple)
    # One column may hold them all, as a list.
    together = len(values) == 1 and isinstance(values[0], (list, tuple))
    given = values[0] if together else values
    choices = tuple(
        _as_text(where, columns[0] if together else column, value)
        for column, value in zip(columns * len(given) if together else columns, given, strict=False)
    )
    if len(choices) < 2:
        raise UserError(f"{where}: {len(choices)} choices; a row needs two or more to choose from")
    empty = next((number for number, choice in enumerate(choices, start=1) if not choice.strip()), 0)
    if empty:
        raise UserError(f"{where}: choice {empty} of {len(choices)} is empty; fill it in or remove the row")
    return choices


def _choice(where: str, form: Form, value: Any, choices: int) -> int:
    """The position of the right choice, from 0."""
    written = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    known = [*(form.label_names or map(str, range(choices)))][:choices]
    if written in known:
        return known.index(written)
    if value in (None, "", -1, "-1"):
        raise refuse_unlabelled(where, f"label {value!r}", form)
    raise UserError(f"{where}: label {value!r:.60} names none of the {choices} choices (known: {', '.join(known)})")


def _label(where: str, form: Form, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        # -1 is how hub data sets write "no gold label"; it stays text, to be dropped or refused by name.
        return form.label_names[value] if 0 <= value < len(form.label_names) else str(value)
    if value is None or value == "":
        advice = f". {form.unlabelled}" if form.unlabelled else ""
        raise UnlabelledError(f"{where}: no gold label; every row needs one{advice}")
    if not isinstance(value, str):
        raise UserError(f"{where}: a label is {kind_of(value)}, not text or a whole number")
    return value
