"""Passes over the frozen encoder captured as CUDA graphs, one a shape.

A training step launches more than a thousand small kernels, and on a GPU launching them takes longer than computing
them. A graph launches them all at once. Shapes of batches are few (:mod:`xleval.engine.batching`), so that each comes
again and again.

What a graph computes is compared with the encoder itself, hidden states and gradients, before it is used: one that
fails to be captured or that computes something else is reported, and the encoder goes on without graphs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xleval.engine.dropout import Field
from xleval.engine.encoder import Encoder, Inputs
from xleval.engine.stacked import Stacked
from xleval.events import Emit, Notice

if TYPE_CHECKING:
    from xleval.engine.session import Session

#: Times that a shape is seen before it is captured, which costs some ten steps.
_SEEN = 3

#: Shapes that are captured at most; each keeps its inputs and outputs on the device.
_MOST = 96

#: Largest relative difference between a graph and the encoder, as a share of the norm.
_NEAR = {torch.float32: 1e-4, torch.bfloat16: 3e-2}

#: (function of tensors, tensors that stay in place) → the function on other tensors of these shapes.
Capture = Callable[[Callable[..., Tensor], tuple[Tensor, ...]], Callable[..., Tensor]]


def graphs_of(session: Session, encoder: Encoder, engine: dict[str, Any], emit: Emit) -> Graphs | None:
    """What captures an encoder's training passes, where it was asked for and there is a GPU."""
    return Graphs(encoder, emit) if engine["cuda_graphs"] == "on" and session.device.type == "cuda" else None


class Graphs:
    """Computes what an encoder computes, called in the same way; outputs are valid until the next call.

    Only training passes are captured, with or without dropout; all else goes to the encoder. A pass's backward has to
    be run before the next pass, as all graphs share their memory.
    """

    def __init__(self, encoder: Encoder, emit: Emit, capture: Capture | None = None) -> None:
        self.encoder, self.emit = encoder, emit
        self._capture = capture or _in_one_pool()
        self._seen: Counter[Any] = Counter()
        self._captured: dict[Any, Callable[..., Tensor]] = {}
        self._static: dict[Any, Tensor] = {}
        self.on = True

    def __call__(
        self, inputs: Inputs, adapters: Sequence[Stacked], field: Field | None = None, *, first_only: bool = False
    ) -> Tensor:
        """As :meth:`xleval.engine.encoder.Encoder.__call__`."""
        if not self.on or not torch.is_grad_enabled():
            return self.encoder(inputs, adapters, field, first_only=first_only)
        given = {"ids": inputs.ids, "mask": inputs.mask, "segments": inputs.segments}
        given["drawn"] = None if field is None else field.drawn
        given |= {f"{number}.{name}": t for number, one in enumerate(adapters) for name, t in one.tensors.items()}
        tensors = {name: tensor for name, tensor in given.items() if tensor is not None}
        key = (first_only, *((name, tuple(t.shape), t.dtype, t.requires_grad) for name, t in tensors.items()))
        self._seen[key] += 1
        if key not in self._captured:
            if self._seen[key] < _SEEN or len(self._captured) >= _MOST:
                return self.encoder(inputs, adapters, field, first_only=first_only)
            try:
                self._captured[key] = self._checked(tensors, [one.layout for one in adapters], first_only)
            except (RuntimeError, ValueError) as error:  # out of memory is a RuntimeError as well
                self._give_up(str(error).partition("\n")[0])
                return self.encoder(inputs, adapters, field, first_only=first_only)
        return self._captured[key](*map(_apart, tensors.values()))

    def _checked(self, tensors: dict[str, Tensor], layouts: Sequence[Any], first_only: bool) -> Callable[..., Tensor]:
        """The graph for tensors of these shapes, once it has computed what the encoder computes."""
        names = list(tensors)

        def compute(*arguments: Tensor) -> Tensor:
            given = dict(zip(names, arguments, strict=True))
            stacked = []
            for number, layout in enumerate(layouts):
                own = {name.partition(".")[2]: t for name, t in given.items() if name.startswith(f"{number}.")}
                stacked.append(Stacked(layout, own, self.encoder.dtype))
            drawn = given.get("drawn")
            field = None if drawn is None else Field(drawn)
            inputs = Inputs(given["ids"], given.get("mask"), given.get("segments"))
            return self.encoder(inputs, stacked, field, first_only=first_only)

        graph = self._capture(compute, tuple(self._place(name, tensor) for name, tensor in tensors.items()))
        own = [tensor for tensor in tensors.values() if tensor.requires_grad]
        expected = compute(*tensors.values())
        gradient = torch.randn_like(expected)
        wanted = expected.detach(), _flat(torch.autograd.grad(expected, own, gradient))
        found = graph(*map(_apart, tensors.values()))
        got = found.detach().clone(), _flat(torch.autograd.grad(found, own, gradient))
        for what, one, other in zip(("hidden states", "gradients"), wanted, got, strict=True):
            distance = float((one - other).float().norm() / one.float().norm())
            if not distance <= _NEAR[self.encoder.dtype]:
                raise ValueError(f"{what} of a graph differ from the encoder's by {distance:.1e} of their norm")
        return graph

    def _place(self, name: str, tensor: Tensor) -> Tensor:
        """Where graphs read an input: the same place in all of them."""
        if name == "drawn":  # by far the largest, and of another shape in each graph
            held = self._static.get(name)
            if held is None or held.numel() < tensor.numel():
                held = self._static[name] = torch.empty_like(tensor).flatten()
            return held[: tensor.numel()].view_as(tensor).copy_(tensor)
        key = (name, tuple(tensor.shape), tensor.dtype, tensor.requires_grad)
        if key not in self._static:
            # A parameter is read where it is; all else is copied to a place that is the graphs' own.
            stays = tensor.requires_grad and tensor.is_leaf
            held = tensor.detach() if stays else tensor.detach().clone()
            self._static[key] = held.requires_grad_(tensor.requires_grad)
        return self._static[key]

    def _give_up(self, why: str) -> None:
        self.on = False
        self._captured, self._static = {}, {}
        self.emit(Notice(f"CUDA graphs are off: {why}"))


def _apart(tensor: Tensor) -> Tensor:
    """The tensor with a copy of the gradient that comes back, whose place the next pass overwrites."""
    if not tensor.requires_grad:
        return tensor
    alias = tensor.view_as(tensor)
    alias.register_hook(torch.clone)  # type: ignore[no-untyped-call]
    return alias


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def _in_one_pool() -> Capture:
    pool = torch.cuda.graph_pool_handle()

    def capture(compute: Callable[..., Tensor], places: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        made: Any = torch.cuda.make_graphed_callables(compute, places, pool=pool)
        return made  # type: ignore[no-any-return]

    return capture
