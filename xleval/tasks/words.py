"""Words cut into sub-words, and long sentences into windows: for families that predict something a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xleval.tasks.features import flatten, offsets_of


@dataclass
class Windows:
    """Sequences of whole words. ``words``: the word of the row that each sub-word is of, -1 for special ones."""

    ids: list[list[int]] = field(default_factory=list)
    words: list[list[int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def arrays(self, tokenizer: Any) -> dict[str, Any]:
        """ids, offsets and segments as features have them."""
        ids = flatten(self.ids, np.int32)
        has_segments = "token_type_ids" in tokenizer.model_input_names
        segments = np.zeros(len(ids), dtype=np.int8) if has_segments else None
        return {"ids": ids, "offsets": offsets_of(self.ids), "segments": segments}


def windows_of(sentences: Sequence[Sequence[str]], tokenizer: Any, max_length: int) -> Windows:
    """Sentences as windows of at most ``max_length`` sub-words that begin with a word's first.

    A word without any sub-word (a lone control character) is in no window.
    """
    encoded = tokenizer(
        [list(tokens) for tokens in sentences],
        is_split_into_words=True,
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    room = max_length - tokenizer.num_special_tokens_to_add()
    probe = tokenizer.unk_token_id
    lead = tokenizer.build_inputs_with_special_tokens([probe]).index(probe)
    found = Windows()
    for index in range(len(sentences)):
        pieces, word_ids = encoded["input_ids"][index], encoded.word_ids(index)
        for start, end in cut(word_ids, room):
            window = tokenizer.build_inputs_with_special_tokens(pieces[start:end])
            found.ids.append(window)
            found.words.append([-1] * lead + word_ids[start:end] + [-1] * (len(window) - lead - (end - start)))
            found.rows.append(index)
    return found


def cut(word_ids: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Spans of at most ``room`` sub-words that end where a word begins, if any word fits."""
    start = 0
    while len(word_ids) - start > room:
        end = start + room
        while end > start + 1 and word_ids[end] == word_ids[end - 1]:
            end -= 1
        if word_ids[end] == word_ids[end - 1]:  # one word fills the window and more
            end = start + room
        yield start, end
        start = end
    if start < len(word_ids):
        yield start, len(word_ids)
