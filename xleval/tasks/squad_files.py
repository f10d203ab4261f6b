"""SQuAD v1.1 JSON: articles → paragraphs → questions, answers as character offsets into the paragraph.

Read so: SQuAD, XQuAD, TyDiQA-GoldP. The format nests, so the file is read whole.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval.errors import UserError
from xleval.tasks.json_text import JsonError, line_of, parsed
from xleval.tasks.layout import fill
from xleval.tasks.raw import RawRow, decoded, has_half_character, kind_of, refuse, refuse_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xleval.tasks.layout import Form
    from xleval.tasks.raw import Tell


def read_squad(path: Path, form: Form, code: str, tell: Tell = refuse) -> Iterator[RawRow]:
    """Questions in order, each with its paragraph; ``line`` is the question's number, from 1. Those whose id is
    not the one that ``form.where`` asks for are another language's.

    Raises:
        UserError: not JSON (with its line), a part that is missing or of another kind (with its place in the
            file and the line), an answer that does not stand where it is said to, no answers.
    """
    text = decoded(path)
    try:
        whole = parsed(text)
    except JsonError as error:
        at = f"{error.line}:{error.column}" if error.column else str(error.line)
        raise UserError(f"{path}:{at}: not JSON: {error}; fetch the file again") from None
    root = _Place(path, text, ())
    number = kept = 0
    wanted = fill(form.where["id"], code) if form.where else "*"
    for article in root.parts(whole, "data"):
        for paragraph in article[0].parts(article[1], "paragraphs"):
            context = paragraph[0].part(paragraph[1], "context", str)
            for place, question in paragraph[0].parts(paragraph[1], "qas"):
                number += 1
                if isinstance(question, dict) and not fnmatchcase(str(question.get("id")), wanted):
                    continue
                kept += 1
                try:
                    row = _question(place, question, number, context, form)
                except UserError as error:
                    tell(error)
                    continue
                yield row
    if not kept:
        which = f" with an id like {wanted!r}, of {number}" if number else ""
        raise UserError(f"{path}: no question{which}; fetch the file again")


class _Place(NamedTuple):
    """Where a value stands in a file. Written into a message it finds its line, which takes a while."""

    file: Path
    text: str
    path: tuple[str | int, ...]
    item: Any = None
    """The question's id."""

    def __str__(self) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).lstrip(".")
        named = f" (id {self.item!r:.60})" if self.item is not None else ""
        return f"{self.file}:{line_of(self.text, self.path)}: {steps or 'the file'}{named}"

    def part(self, value: Any, key: str, kind: type | tuple[type, ...]) -> Any:
        """``value[key]``, refused when it is missing or of another kind."""
        if not isinstance(value, dict):
            raise UserError(f"{self} is {kind_of(value)}, not an object; see the SQuAD format")
        found = value.get(key)
        if not isinstance(found, kind) or isinstance(found, bool):
            raise UserError(f"{self}: {key!r} is {kind_of(found)}; see the SQuAD format")
        if isinstance(found, str) and has_half_character(found):
            raise UserError(f"{self}: {key!r} has half of a surrogate pair; write the character")
        return found

    def parts(self, value: Any, key: str) -> Iterator[tuple[_Place, Any]]:
        """Each member of the list ``value[key]``, with its place."""
        for index, member in enumerate(self.part(value, key, list)):
            yield self._replace(path=(*self.path, key, index)), member


def _question(place: _Place, question: Any, number: int, context: str, form: Form) -> RawRow:
    asked = place.part(question, "question", str)
    given = form.columns.get("id")
    own = None if given is None else str(place.part(question, str(given), (str, int)))
    place = place._replace(item=question.get("id"))
    if question.get("answers") is None:
        raise refuse_unlabelled(str(place), "no key 'answers'", form)
    if question.get("is_impossible") is True:
        raise UserError(f"{place}: has no answer by design (SQuAD 2.0); only v1.1 is read, leave such questions out")
    answers = tuple(
        (at.part(answer, "answer_start", int), at.part(answer, "text", str))
        for at, answer in place.parts(question, "answers")
    )
    return RawRow(number, own, context, asked, answers=checked_answers(place, context, answers, form))


def checked_answers(
    where: object, context: str, answers: Sequence[tuple[int, str]], form: Form
) -> tuple[tuple[int, str], ...]:
    """The answers; refuses a question without gold answers, or with one that its context does not have there.

    With ``offsets: nearest`` such an answer is put where the context has it, nearest to where it was said to be.

    Raises:
        UserError: beginning with ``where``, which is made text only then.
    """
    if not any(text for _, text in answers):
        raise refuse_unlabelled(str(where), "its answers are empty", form)
    found = []
    for start, text in answers:
        if not text:
            raise UserError(f"{where}: an empty answer beside others; remove it")
        if form.offsets == "nearest":
            start = min(_places_of(text, context), key=lambda place: abs(place - start), default=start)
        found.append((start, text))
        there = context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or there != text:
            raise UserError(
                f"{where}: answer {text!r:.60} is not at character {start} of its context (there: {there!r:.60}); "
                f"{_remedy(context, start, text)}"
            )
    return tuple(found)


def _remedy(context: str, start: int, text: str) -> str:
    """What is probably wrong with an answer's offset."""
    for counted, encoding, width in (("bytes of UTF-8", "utf-8", 1), ("units of UTF-16", "utf-16-le", 2)):
        whole, part = (words.encode(encoding, "surrogatepass") for words in (context, text))
        if start > 0 and whole[start * width :].startswith(part):
            right = len(whole[: start * width].decode(encoding, "replace"))
            return f"it stands at {right}: answer_start counts {counted}, and should count characters from 0"
    nearest = min(_places_of(text, context), key=lambda place: abs(place - start), default=None)
    if nearest is None:
        return "its context does not have it at all; correct the text or remove the answer"
    return f"it stands at {nearest}; correct answer_start, counted in characters from 0"


def _places_of(text: str, context: str) -> Iterator[int]:
    at = context.find(text)
    while at >= 0:
        yield at
        at = context.find(text, at + 1)
