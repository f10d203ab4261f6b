"""Answers of extractive question answering, by the definition of SQuAD v1.1, and over words where none are spaced."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.scoring.metrics import ANSWER_F1, EXACT_MATCH, PARTS, SEGMENTED_F1, Metric

if TYPE_CHECKING:
    from xleval.tasks.rows import QuestionRow

#: Languages written without spaces between words → locale of ICU's dictionary.
UNSPACED = {"jpn": "ja", "tha": "th", "zho": "zh"}

_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class AnswerScorer:
    """Question answering; a prediction is ``[start, end]`` in characters of the context, the end excluded.

    Counts of a question: its F1 and its F1 over segmented words, in units of 10⁻¹²; 1 if an answer matches
    exactly; 1. Each is the best over the gold answers (Rajpurkar et al. 2016). Positions count code points.
    """

    primary: Metric = ANSWER_F1
    """F1 or exact match."""
    stats: tuple[str, ...] = field(default=ANSWER_F1.stats, init=False)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The primary one first."""
        second = EXACT_MATCH if self.primary is ANSWER_F1 else ANSWER_F1
        return self.primary, second, SEGMENTED_F1

    def item(self, row: QuestionRow, labels: Sequence[str], predicted: Any, language: str) -> tuple[int, ...]:
        """The four counts of one question; raises as ``Scorer.item``."""
        found = normalized(row.context[slice(*_span(predicted, len(row.context)))])
        gold = [normalized(text) for _, text in row.answers]
        if not gold:
            raise UserError("no gold answer to compare with")
        f1 = max(_f1(found.split(), answer.split()) for answer in gold)
        by_word = f1
        if locale := UNSPACED.get(language):
            words = segmented(found, locale)
            by_word = max(_f1(words, segmented(answer, locale)) for answer in gold)
        return f1, by_word, int(found in gold), 1


def normalized(answer: str) -> str:
    """In lower case, without ASCII punctuation and English articles, one space between words: SQuAD's rules.

    They are applied to every language, as published scores are; full-width and other marks stay.
    """
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def segmented(text: str, locale: str) -> list[str]:
    """Words by ICU's break iterator (Unicode Standard Annex 29, with dictionaries for Chinese, Japanese and Thai).

    Spaces and segments of nothing but punctuation are no words. The dictionaries change with ICU's version, and
    with them where a word ends.
    """
    from icu4py.breakers import WordBreaker

    return [word for word in map(str, WordBreaker(text, locale)) if not _is_separator(word)]


def _is_separator(segment: str) -> bool:
    return all(unicodedata.category(character)[0] in "PZC" for character in segment)


def _f1(found: list[str], gold: list[str]) -> int:
    """2 · common / (found + gold), words counted as often as they occur, in units of 10⁻¹²; 0 where none is common.

    So an empty answer has F1 0 even where gold is empty too: SQuAD v1.1 has it so.
    """
    common = sum((Counter(found) & Counter(gold)).values())
    return round(2 * common * PARTS / (len(found) + len(gold))) if common else 0


def _span(predicted: Any, length: int) -> tuple[int, int]:
    whole = isinstance(predicted, list) and len(predicted) == 2 and all(type(place) is int for place in predicted)
    if not whole or not 0 <= predicted[0] <= predicted[1] <= length:
        raise UserError(f"predicted answer {predicted!r} is no [start, end] within the context's {length} characters")
    return predicted[0], predicted[1]
