"""How a tokenizer cuts a language: sub-word fertility and the share of unknown pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from xleval.scoring.answers import UNSPACED, segmented
from xleval.tasks.rows import ChoiceRow, QuestionRow, SequenceRow, TokenRow, TreeRow

#: Languages without spaces between words → locale of ICU's dictionary.
_LOCALES = {**UNSPACED, "khm": "km", "lao": "lo", "mya": "my", "yue": "zh"}
_AT_ONCE = 1000


class Cut(NamedTuple):
    """Counts over a split."""

    words: int
    pieces: int
    unknown: int

    @property
    def fertility(self) -> float:
        """Pieces a word (Ács 2019; Rust et al. 2021); NaN without words."""
        return self.pieces / self.words if self.words else float("nan")

    @property
    def unknown_share(self) -> float:
        """Share of pieces that are the unknown one; NaN without pieces."""
        return self.unknown / self.pieces if self.pieces else float("nan")


def cut(rows: Iterable[Any], tokenizer: Any, language: str) -> Cut:
    """Words, pieces and unknown pieces of all texts of a split, each text once.

    Words are those of the data where it has words; else what stands between spaces; in languages written without
    spaces ICU's words.
    """
    words = pieces = unknown = 0
    for batch in _batches(_sentences(rows, language)):
        encoded = tokenizer(batch, is_split_into_words=True, add_special_tokens=False)["input_ids"]
        words += sum(map(len, batch))
        pieces += sum(map(len, encoded))
        unknown += sum(ids.count(tokenizer.unk_token_id) for ids in encoded)
    return Cut(words, pieces, unknown)


def _sentences(rows: Iterable[Any], language: str) -> Iterator[list[str]]:
    seen: set[Any] = set()
    for row in rows:
        for text in _texts(row):
            if text in seen:
                continue
            seen.add(text)
            if not isinstance(text, str):
                yield list(text)
            elif language in _LOCALES:
                yield segmented(text, _LOCALES[language])
            else:
                yield text.split()


def _texts(row: Any) -> Sequence[str | tuple[str, ...]]:
    if isinstance(row, TokenRow | TreeRow):
        return [row.tokens]
    if isinstance(row, SequenceRow):
        return [row.text_a] if row.text_b is None else [row.text_a, row.text_b]
    if isinstance(row, QuestionRow):
        return [row.context, row.question]
    assert isinstance(row, ChoiceRow)
    return [row.context, *row.choices]


def _batches(sentences: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    batch: list[list[str]] = []
    for sentence in sentences:
        batch.append(sentence)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
