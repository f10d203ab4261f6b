"""SQuAD v1.1 JSON: articles → paragraphs → questions, answers as character offsets into the paragraph.

Read so: SQuAD, XQuAD, TyDiQA-GoldP. The format nests, so the file is read whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.tasks.raw import RawRow, decoded, kind_of, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Form


def read_squad(path: Path, form: Form) -> Iterator[RawRow]:
    """Questions in order, each with its paragraph; ``line`` is the question's number, from 1.

    Raises:
        UserError: not JSON (with its line), a part that is missing or of another kind (with its place in the
            file and the line), an answer that does not stand where it is said to, no answers.
    """
    text = decoded(path)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "1"
        said = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
        raise UserError(f"{path}:{line}: not JSON: {said}; fetch the file again") from None
    reader = _Reader(path, form, text)
    number = 0
    for a, article in enumerate(reader.part(whole, "data", list, "the file")):
        at = f"data[{a}]"
        for p, paragraph in enumerate(reader.part(article, "paragraphs", list, at)):
            at = f"data[{a}].paragraphs[{p}]"
            context = reader.part(paragraph, "context", str, at)
            for q, question in enumerate(reader.part(paragraph, "qas", list, at)):
                number += 1
                yield reader.row(number, context, question, f"{at}.qas[{q}]")
    if not number:
        raise UserError(f"{path}: no question; fetch the file again")


class _Reader:
    def __init__(self, path: Path, form: Form, text: str) -> None:
        self.path, self.form, self.text = path, form, text

    def row(self, number: int, context: str, question: Any, at: str) -> RawRow:
        asked = self.part(question, "question", str, at)
        item = question.get("id")
        given = self.form.columns.get("id")
        if given is not None:
            item = self.part(question, str(given), (str, int), at)
        where = f"{self._file(item)}: {at}" + (f" (id {item!r})" if item is not None else "")
        answers = []
        for i, answer in enumerate(self.part(question, "answers", list, at)):
            start = self.part(answer, "answer_start", int, f"{at}.answers[{i}]")
            answers.append((start, self.part(answer, "text", str, f"{at}.answers[{i}]")))
        check_answers(where, context, answers, self.form)
        own = None if given is None else str(item)
        return RawRow(number, own, context, asked, answers=tuple(answers))

    def part(self, value: Any, key: str, kind: type | tuple[type, ...], at: str) -> Any:
        """``value[key]``, refused when it is missing or of another kind."""
        if not isinstance(value, dict):
            raise UserError(f"{self._file()}: {at} is {kind_of(value)}, not an object")
        found = value.get(key)
        if not isinstance(found, kind) or isinstance(found, bool):
            if key == "answers" and found is None:
                raise refuse_unlabelled(f"{self._file(value.get('id'))}: {at}", "no key 'answers'", self.form)
            raise UserError(f"{self._file(value.get('id'))}: {at}: {key!r} is {kind_of(found)}; see the SQuAD format")
        if isinstance(found, str) and any("\ud800" <= sign <= "\udfff" for sign in found):
            raise UserError(f"{self._file()}: {at}: {key!r} has half of a surrogate pair; write the character")
        return found

    def _file(self, item: Any = None) -> str:
        # The parser keeps no lines; an id leads back to one.
        start = self.text.find(json.dumps(item, ensure_ascii=False)) if item is not None else -1
        return f"{self.path}:{self.text.count(chr(10), 0, max(start, 0)) + 1}"


def check_answers(where: str, context: str, answers: Sequence[tuple[int, str]], form: Form) -> None:
    """Refuses a question without gold answers, or with one that its context does not have at that place.

    Raises:
        UserError: beginning with ``where``.
    """
    if not any(text for _, text in answers):
        raise refuse_unlabelled(where, "its answers are empty", form)
    for start, text in answers:
        there = context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or there != text:
            raise UserError(
                f"{where}: answer {text!r:.60} is not at character {start} of its context (there: {there!r:.60}); "
                "correct answer_start, counted in characters from 0"
            )
