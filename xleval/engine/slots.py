"""Task adapters side by side on one encoder, each with its own head: scores, losses and predictions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from xleval.engine.bank import Standing
from xleval.engine.batching import passes
from xleval.engine.checkpoint import Piece
from xleval.engine.dropout import Field, mixed
from xleval.engine.encoder import Inputs
from xleval.engine.graphs import Graphs
from xleval.engine.loop import is_out_of_memory
from xleval.engine.stacked import Layout, Stacked
from xleval.events import Emit, Notice
from xleval.tasks.family import Family
from xleval.tasks.features import Arrays, Features, Ints

if TYPE_CHECKING:
    from xleval.engine.session import Session

#: What makes a step's draws for heads others than those for the encoder.
_OF_HEADS = 1


class Slots:
    """Task adapters of one configuration with their heads, taken out of a session one by one.

    ``tensors`` are the stacked weights, (slots, layers, …), by name; ``heads`` the library's, one a slot.
    """

    def __init__(self, session: Session, family: Family, drop_last: bool, graphs: Graphs | None = None) -> None:
        self.session, self.family, self.drop_last, self.graphs = session, family, drop_last, graphs
        self.heads: list[Any] = []
        self.tensors: dict[str, nn.Parameter] = {}
        self.layout: Layout | None = None
        self._taken: list[list[Tensor]] = []

    def take(self) -> None:
        """A copy of the task adapter and head that the session has now, as the next slot."""
        self.layout = self.session.task_layout()
        self._taken.append([p.detach().clone() for p in self.session.task_adapter().values()])
        self.heads.append(deepcopy(self.session.task_head))

    def stack(self, *, trainable: bool) -> None:
        """What was taken, as stacked parameters."""
        assert self.layout is not None
        stacked = self.layout.stack(self._taken)
        self._taken = []
        self.tensors = {name: nn.Parameter(tensor, requires_grad=trainable) for name, tensor in stacked.items()}
        for head in self.heads:
            head.requires_grad_(trainable)

    def give(self, slot: int) -> None:
        """Writes a slot's weights into the task adapter and head that the session has."""
        assert self.layout is not None
        with torch.no_grad():
            views = list(self.layout.views(self.tensors, slot))
            torch._foreach_copy_(list(self.session.task_adapter().values()), views)
            self.session.task_head.load_state_dict(self.heads[slot].state_dict())

    def pieces(self, slot: int) -> dict[str, Piece]:
        """What a slot trains, by name."""
        own = {f"head.{name}": Piece(p) for name, p in self.heads[slot].named_parameters()}
        return {name: Piece(p, slot) for name, p in self.tensors.items()} | own

    def train(self, on: bool) -> None:
        """Whether heads drop out."""
        for head in self.heads:
            head.train(on)

    def losses(
        self, features: Features, batches: Sequence[Ints], under: Sequence[Standing | None], seeds: Sequence[int],
        step: int, one: int, all_slots: int,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Terms of each slot's mean loss over its own batch, (slots,) each.

        ``one`` and ``all_slots``: the token budgets of one slot's pass and of what goes through together. How a batch
        is cut depends on the first alone, and with it the dropout: slots do not depend on each other.
        """
        totals = [self.family.targets(features, indices) for indices in batches]
        cut = [list(passes(indices, features.costs, min(one, all_slots))) for indices in batches]
        for number, parts in enumerate(zip(*cut, strict=True)):
            together = max(all_slots // max(int(features.costs[part].max()) * len(part) for part in parts), 1)
            for first in range(0, len(parts), together):
                chosen = range(first, min(first + together, len(parts)))
                losses = self._losses(features, parts, under, seeds, chosen, (step, number))
                share = [loss / totals[slot] for loss, slot in zip(losses, chosen, strict=True)]
                yield nn.functional.pad(torch.stack(share), (first, len(parts) - first - len(share)))

    def _losses(
        self, features: Features, parts: Sequence[Ints], under: Sequence[Standing | None], seeds: Sequence[int],
        chosen: Sequence[int], number: tuple[int, int],
    ) -> Iterator[Tensor]:  # fmt: skip
        parts, under, seeds = ([of[slot] for slot in chosen] for of in (parts, under, seeds))  # type: ignore[assignment]
        inputs, width = self._inputs(features, parts)
        encoder, first_only = self.session.encoder, self.family.first_only
        draws = encoder.draws(inputs.ids.shape[1], width, first_only=first_only)
        field = Field.of(seeds, number, draws, self.session.device) if draws else None
        hidden, pooled = self._encoded(inputs, under, chosen, field)
        for index, (slot, part, seed) in enumerate(zip(chosen, parts, seeds, strict=True)):
            torch.manual_seed(mixed(seed, *number, _OF_HEADS))
            gold = self._on(self.family.gold(features, part, width))
            with self.session.autocast():
                scores = self.family.scores(self.heads[slot], hidden[index], pooled[index], gold)
            yield self.family.loss_sum(scores, gold)

    def decisions(
        self, features: Features, under: Sequence[Standing | None], options: Mapping[str, Any], budget: int, emit: Emit,
        slots: Sequence[int] | None = None, group: Ints | None = None,
    ) -> list[list[Any]]:  # fmt: skip
        """What each slot decides about each example (of ``group``; None: all), batches by length under the budget.

        What lies below the first task adapter is computed once for all slots that stand on one module.
        """
        indices = np.arange(len(features)) if group is None else group
        slots = range(len(self.heads)) if slots is None else slots
        heads = [self.heads[slot] for slot in slots]
        chosen: list[list[Any]] = [[None] * len(features) for _ in heads]
        waiting = deque(passes(indices, features.costs, max(budget // len(heads), 1)))
        while waiting:
            part = waiting.popleft()
            try:
                with torch.inference_mode():
                    inputs, width = self._inputs(features, [part])
                    hidden, pooled = self._encoded(inputs, under, slots, None)
                    gold = self._on(self.family.gold(features, part, width))
                    for index, head in enumerate(heads):
                        with self.session.autocast():
                            scores = self.family.scores(head, hidden[index], pooled[index], gold)
                        for i, choice in zip(part, self.family.choose(scores, gold, options), strict=True):
                            chosen[index][i] = choice
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or budget <= 16:
                    raise
                budget //= 2
                emit(Notice(f"out of memory while predicting; token budget halved to {budget}"))
                left = np.concatenate([part, *waiting])
                waiting = deque(passes(left, features.costs, max(budget // len(heads), 1)))
        return chosen

    def _encoded(
        self, inputs: Inputs, under: Sequence[Standing | None], slots: Sequence[int], field: Field | None
    ) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
        assert self.layout is not None
        encoder, compute = self.session.encoder, self.graphs or self.session.encoder
        below = self.session.under(under, self.drop_last)
        whole = list(slots) == list(range(len(self.heads)))
        own = {name: p if whole else p[list(slots)] for name, p in self.tensors.items()}
        above = Stacked(self.layout, own, encoder.dtype)
        adapters = [*([below] if below else []), above]
        hidden = compute(inputs, adapters, field, first_only=self.family.first_only)
        pooled = encoder.pooled(hidden) if self.heads[0].config.get("use_pooler") else None
        return hidden.unbind(), [None] * len(slots) if pooled is None else pooled.unbind()

    def _inputs(self, features: Features, parts: Sequence[Ints]) -> tuple[Inputs, int]:
        """Inputs of the slots side by side, (slots, sequences, width); one part: the same for all."""
        session = self.session
        pad = session.tokenizer.pad_token_id
        found = [features.inputs(part, pad, session.pad_multiple, session.positions) for part in parts]
        fills = {"input_ids": pad, "attention_mask": 0, "token_type_ids": 0}
        arrays = {name: _side_by_side([one[name] for one in found], fills[name]) for name in found[0]}
        on, full = self._on(arrays), bool(arrays["attention_mask"].all())
        mask = None if full else on["attention_mask"].bool()
        return Inputs(on["input_ids"], mask, on.get("token_type_ids")), arrays["input_ids"].shape[2]

    def _on(self, arrays: Arrays) -> dict[str, Tensor]:
        return self.session.on_device(arrays)


def _side_by_side(arrays: Sequence[Ints], fill: int) -> Ints:
    # Equal shapes but where examples are cut into more windows in one slot than in another.
    shape = np.max([array.shape for array in arrays], axis=0)
    if all(array.shape == tuple(shape) for array in arrays):
        return np.stack(arrays)
    missing = [[(0, int(m)) for m in shape - array.shape] for array in arrays]
    return np.stack([np.pad(a, m, constant_values=fill) for a, m in zip(arrays, missing, strict=True)])
