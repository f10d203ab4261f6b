"""Extractive question answering: XQuAD, TyDiQA-GoldP. An answer is a span of the context.

A context longer than the encoder takes is read in overlapping windows, each an example; windows without the
answer learn to point at the first special sub-word, and never answer with it (SQuAD v1.1 has no unanswerable
questions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xleval.tasks.family import Hyper, through
from xleval.tasks.features import Arrays, Features, Ints, flatten, offsets_of
from xleval.tasks.rows import QuestionRow

if TYPE_CHECKING:
    from torch import Tensor

#: Longer questions are cut: XTREME's limit.
_QUESTION = 64


@dataclass(frozen=True, kw_only=True)
class SpanFeatures(Features):
    """An example is a window of a context with its question.

    begins, ends: (total,) int32 the characters of the context that a sub-word covers, end exclusive; -1 for
                  special sub-words and the question's
    first, last:  (n,) int32 the gold answer's first and last sub-word in the sequence; 0, 0 where it is not there
    """

    begins: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]


class Spans(NamedTuple):
    """The k best spans of each of n sequences: score, first and last sub-word, (n, k) each, best first."""

    score: Tensor
    first: Tensor
    last: Tensor


class QuestionAnswering:
    """The first and the last sub-word of an answer."""

    first_only = False
    kind: type[Features] = SpanFeatures

    def features(self, rows: Sequence[QuestionRow], tokenizer: Any, hyper: Hyper) -> SpanFeatures:
        """Windows that share ``stride`` sub-words of context with the next, question first."""
        build, segments_of = (
            tokenizer.build_inputs_with_special_tokens,
            tokenizer.create_token_type_ids_from_sequences,
        )
        probe = build([tokenizer.unk_token_id], [tokenizer.mask_token_id])
        between = probe.index(tokenizer.mask_token_id) - 1  # special sub-words before the context
        special = tokenizer.num_special_tokens_to_add(pair=True)
        contexts = _encoded({row.context for row in rows}, tokenizer)
        questions = _encoded({row.question for row in rows}, tokenizer)
        ids: list[list[int]] = []
        segments: list[list[int]] = []
        places: list[list[tuple[int, int]]] = []
        spans: list[tuple[int, int]] = []
        origin: list[int] = []
        for index, row in enumerate(rows):
            asked = questions[row.question][0][: min(_QUESTION, hyper["max_length"] // 2)]
            pieces, offsets = contexts[row.context]
            lead = between + len(asked)
            answer = _gold_span(offsets, row.answers[0])
            for start, end in windows(len(pieces), hyper["max_length"] - special - len(asked), hyper["stride"]):
                window = pieces[start:end]
                ids.append(build(asked, window))
                segments.append(segments_of(asked, window))
                behind = len(ids[-1]) - lead - len(window)
                places.append([(-1, -1)] * lead + offsets[start:end] + [(-1, -1)] * behind)
                inside = answer is not None and start <= answer[0] and answer[1] < end
                spans.append((answer[0] - start + lead, answer[1] - start + lead) if answer and inside else (0, 0))
                origin.append(index)
        flat = np.array([place for window in places for place in window], dtype=np.int32).reshape(-1, 2)
        gold = np.array(spans, dtype=np.int32).reshape(-1, 2)
        return SpanFeatures(
            ids=flatten(ids, np.int32),
            offsets=offsets_of(ids),
            segments=flatten(segments, np.int8) if "token_type_ids" in tokenizer.model_input_names else None,
            rows=np.array(origin, dtype=np.int64),
            begins=flat[:, 0],
            ends=flat[:, 1],
            first=gold[:, 0],
            last=gold[:, 1],
        )

    def add_head(self, model: Any, name: str, labels: Sequence[str], hyper: Hyper) -> None:
        """One linear layer with two outputs a sub-word."""
        model.add_qa_head(name, num_labels=2, layers=1)

    def gold(self, features: SpanFeatures, indices: Ints, width: int) -> Arrays:
        """first, last (n,); context (n, w): the sub-words that an answer may have; length (n,)."""
        return {
            "length": features.lengths[indices],
            "first": features.first[indices].astype(np.int64),
            "last": features.last[indices].astype(np.int64),
            "context": features.padded(features.begins, indices, width, -1) >= 0,
        }

    def scores(self, head: Any, hidden: Tensor, pooled: Tensor | None, gold: Mapping[str, Tensor]) -> Tensor:
        """Logits (n, w, 2) of being an answer's first and last sub-word, -inf on padding."""
        import torch

        logits = through(head, hidden)
        places = torch.arange(logits.shape[1], device=logits.device)
        return logits.masked_fill((places >= gold["length"][:, None])[:, :, None], -torch.inf)

    def loss_sum(self, scores: Tensor, gold: Mapping[str, Tensor]) -> Tensor:
        """Mean of the cross-entropies of first and last, summed over windows."""
        from torch.nn import functional

        first, last = scores.float().unbind(-1)
        return (
            functional.cross_entropy(first, gold["first"], reduction="sum")
            + functional.cross_entropy(last, gold["last"], reduction="sum")
        ) / 2

    def targets(self, features: SpanFeatures, indices: Ints) -> int:
        """One a window."""
        return len(indices)

    def choose(self, scores: Tensor, gold: Mapping[str, Tensor], options: Hyper) -> list[tuple[float, int, int]]:
        """The best span of each window, with its score."""
        best = best_spans(scores.float(), gold["context"], options["answer_length"])
        return list(zip(*(column[:, 0].tolist() for column in best), strict=True))

    def assemble(
        self,
        chosen: Sequence[tuple[float, int, int]],
        features: SpanFeatures,
        rows: Sequence[QuestionRow],
        labels: Sequence[str],
    ) -> list[list[int]]:
        """``[start, end]`` in characters of the context, the best of a question's windows; ``[0, 0]``: none."""
        found = [[0, 0] for _ in rows]
        if not chosen:
            return found
        score, first, last = (np.array(column) for column in zip(*chosen, strict=True))
        # Of each question's windows the first of those with the highest score.
        order = np.lexsort((np.arange(len(score)), -score, features.rows))
        best = order[np.unique(features.rows[order], return_index=True)[1]]
        best = best[np.isfinite(score[best])]
        begins = features.begins[features.offsets[best] + first[best]]
        ends = features.ends[features.offsets[best] + last[best]]
        for row, begin, end in zip(features.rows[best], begins.tolist(), ends.tolist(), strict=True):
            found[row] = [begin, end]
        return found


def best_spans(scores: Tensor, context: Tensor, longest: int, k: int = 1) -> Spans:
    """The k best spans of at most ``longest`` sub-words whose ends lie in the context.

    scores (n, w, 2) logits of first and last; context (n, w) mask. One top-k over all valid pairs: the pairs
    of a first sub-word with the ``longest`` that may be last stand side by side, (n, w, longest). A span that
    there is no room for has the score -inf.
    """
    import torch
    from torch.nn import functional

    first, last = scores.masked_fill(~context[:, :, None], -torch.inf).unbind(-1)
    reach = functional.pad(last, (0, longest - 1), value=-torch.inf).unfold(1, longest, 1)
    pairs = (first[:, :, None] + reach).flatten(1)
    if pairs.shape[1] < k:
        pairs = functional.pad(pairs, (0, k - pairs.shape[1]), value=-torch.inf)
    score, place = pairs.topk(k, dim=1)
    start = place.div(longest, rounding_mode="floor")
    return Spans(score, start, start + place % longest)


def windows(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """Spans of at most ``room`` of ``length`` sub-words, each sharing ``stride`` with the one before."""
    step = max(room - min(stride, room - 1), 1)
    starts = range(0, max(length - min(stride, room - 1), 1), step)
    return [(start, min(start + room, length)) for start in starts]


def _encoded(texts: set[str], tokenizer: Any) -> dict[str, tuple[list[int], list[tuple[int, int]]]]:
    """Sub-words of each text with the characters they cover: once, however many questions share a paragraph."""
    ordered = sorted(texts)
    if not ordered:
        return {}
    encoded = tokenizer(
        ordered, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False, verbose=False
    )
    pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return dict(zip(ordered, ((list(ids), list(offsets)) for ids, offsets in pairs), strict=True))


def _gold_span(offsets: Sequence[tuple[int, int]], answer: tuple[int, str]) -> tuple[int, int] | None:
    """First and last sub-word that an answer touches; None where it has none (it is blank)."""
    start, end = answer[0], answer[0] + len(answer[1])
    touched = [i for i, (begin, stop) in enumerate(offsets) if begin < end and stop > start]
    return (touched[0], touched[-1]) if touched else None


FAMILY = QuestionAnswering()
