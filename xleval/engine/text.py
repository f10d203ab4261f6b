"""Running text for MLM: cut into chunks, masked, and taken in turn from several languages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xleval.engine.batching import epoch_batches
from xleval.engine.tokenised import kept_arrays
from xleval.errors import UserError
from xleval.tasks.features import Ints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xleval.tasks.texts import Text

Chunks = npt.NDArray[np.int32]

#: Lines tokenised at a time: as Python's numbers, sub-words take several times what they take in an array.
_BLOCK = 10_000


@dataclass
class Stream:
    """The chunks of one language: ``train`` (n, size) in epochs of shuffled batches, and ``held`` (m, size)."""

    train: Chunks
    held: Chunks
    batch: int
    seed: int
    _epoch: tuple[int, list[Any]] = field(default=(-1, []))

    @property
    def an_epoch(self) -> int:
        """Batches an epoch."""
        return -(-len(self.train) // self.batch)

    def at(self, number: int) -> Chunks:
        """The batch of that number, counted from 0 through all epochs."""
        epoch, index = divmod(number, self.an_epoch)
        if self._epoch[0] != epoch:
            lengths = np.full(len(self.train), self.train.shape[1])
            self._epoch = (epoch, epoch_batches(lengths, self.batch, self.seed, epoch))
        return np.asarray(self.train[self._epoch[1][index]])


def stream(text: Text, tokenizer: Any, identity: str, hyper: Mapping[str, Any]) -> Stream:
    """A language's text as chunks, the first share of them held out; ``identity`` says which tokenizer it is.

    Raises:
        UserError: text too short to cut into chunks and hold some out.
    """
    inputs = {"tokenizer": identity, "text": text.fingerprint, "lines": hyper.get("lines"), "chunk": hyper["chunk"]}

    def make() -> dict[str, Chunks]:
        lines = text.lines()
        return {"chunks": cut(lines[: hyper.get("lines") or len(lines)], tokenizer, hyper["chunk"])}

    chunks: Chunks = kept_arrays(inputs, make)["chunks"]
    held = math.ceil(len(chunks) * hyper["held_out"])
    if held < 1 or len(chunks) - held < 1:
        raise UserError(
            f"text of {text.language!r} ({text.origin}) makes {len(chunks)} chunks of {hyper['chunk']} sub-words; at "
            "least 2 are needed: give more text or lower la.chunk"
        )
    return Stream(chunks[held:], chunks[:held], hyper["batch"], hyper["seed"])


@dataclass(frozen=True)
class Turns:
    """Whose batch an optimiser step takes: ``order`` repeats, an index into ``streams`` each step."""

    streams: Sequence[Stream]
    order: Sequence[int]

    @property
    def an_epoch(self) -> int:
        """Batches of one pass over all streams."""
        return sum(stream.an_epoch for stream in self.streams)

    def at(self, step: int) -> Chunks:
        """The batch of a step: the next one of the stream whose turn it is."""
        rounds, index = divmod(step, len(self.order))
        mine = self.order[index]
        number = rounds * self.order.count(mine) + self.order[:index].count(mine)
        return self.streams[mine].at(number)


def cut(lines: list[str], tokenizer: Any, size: int) -> Chunks:
    """Lines, each with its special tokens, joined and cut into chunks of ``size`` sub-words: (n, size).

    The rest that fills no chunk is dropped, as in the released training script; a text shorter than two
    chunks is cut into halves.
    """
    parts = [_ids(lines[start : start + _BLOCK], tokenizer) for start in range(0, len(lines), _BLOCK)]
    flat = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    if len(flat) < 2 * size:
        size = len(flat) // 2
    if size < 4:
        return np.zeros((0, 4), dtype=np.int32)
    count = len(flat) // size
    return flat[: count * size].reshape(count, size)


def _ids(lines: list[str], tokenizer: Any) -> Chunks:
    encoded = tokenizer(lines, add_special_tokens=True, truncation=False, return_attention_mask=False)["input_ids"]
    return np.fromiter((i for ids in encoded for i in ids), dtype=np.int32)


def mask(chunks: Chunks, tokenizer: Any, probability: float, seed: tuple[int, int]) -> tuple[Ints, Ints]:
    """(inputs, labels), both (n, size): labels are -100 but at sub-words to predict.

    Of those, 80 % become the mask token, 10 % a random sub-word, 10 % stay (Devlin et al. 2019). Drawn
    from ``seed`` alone.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    chunks = chunks.astype(np.int64)
    special = np.isin(chunks, tokenizer.all_special_ids)
    chosen = (random.random(chunks.shape) < probability) & ~special
    fate = random.random(chunks.shape)
    inputs = np.where(chosen & (fate < 0.8), tokenizer.mask_token_id, chunks)
    drawn = random.integers(0, len(tokenizer), chunks.shape)
    inputs = np.where(chosen & (fate >= 0.9), drawn, inputs)
    return inputs, np.where(chosen, chunks, -100)
