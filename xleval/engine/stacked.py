"""Bottleneck adapters of the adapters library with their weights stacked, one a slot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: A parameter's name: layer and place in the bottleneck; or place in the invertible adapter.
_IN_LAYER = re.compile(r"\.layer\.(\d+)\.output\.adapters\.[^.]+\.adapter_(down\.0|up)\.(weight|bias)$")
_IN_COUPLING = re.compile(r"invertible_adapters\.[^.]+\.([FG])\.([02])\.(weight|bias)$")

#: What the library calls bottleneck adapters as MAD-X has them; reductions, activations and layers are free.
_PLAIN = {
    "mh_adapter": False, "output_adapter": True, "original_ln_before": True, "original_ln_after": True,
    "residual_before_ln": True, "adapter_residual_before_ln": False, "ln_before": False, "ln_after": False,
    "use_gating": False, "scaling": 1.0, "is_parallel": False, "phm_layer": False, "dropout": 0.0,
    "stochastic_depth": 0.0, "cross_adapter": False,
}  # fmt: skip


def is_plain(config: Any) -> bool:
    """Whether an adapter's configuration is one that :class:`Stacked` computes."""
    found = config.to_dict()
    return found.get("inv_adapter") in (None, "nice") and all(found.get(key) == value for key, value in _PLAIN.items())


@dataclass(frozen=True)
class Layout:
    """Where each parameter of an adapter of one configuration goes: ``places[i]`` is that of the i-th.

    A place is a name of the stacked tensors, with the index of the layer among those that have the adapter, or -1.
    ``layers``: the encoder's layers that have it, in order. ``activation``: of the bottleneck.
    """

    places: tuple[tuple[str, int], ...]
    shapes: tuple[tuple[int, ...], ...]
    layers: tuple[int, ...]
    activation: str

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor], activation: str) -> Layout | None:
        """The layout of an adapter with these parameters, by their names in the model; None: it has others as well."""
        found = [_IN_LAYER.search(f".{name}") or _IN_COUPLING.search(name) for name in parameters]
        if not all(found):
            return None
        numbers = [match for match in found if match and match.re is _IN_LAYER]
        layers = tuple(sorted({int(match[1]) for match in numbers}))
        places = tuple(
            (f"{match[2]}.{match[3]}", layers.index(int(match[1])))
            if match.re is _IN_LAYER
            else (f"{match[1]}.{match[2]}.{match[3]}", -1)
            for match in found
            if match
        )
        return cls(places, tuple(tuple(p.shape) for p in parameters.values()), layers, activation)

    def stack(self, slots: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Weights of several adapters, in order of the layout → tensors (S, layers, …), or (S, …) of the coupling."""
        parts: dict[str, dict[int, list[Tensor]]] = {}
        for index, (name, layer) in enumerate(self.places):
            parts.setdefault(name, {})[layer] = [slot[index] for slot in slots]
        return {
            name: torch.stack(of[-1]) if -1 in of else torch.stack([torch.stack(of[i]) for i in sorted(of)], dim=1)
            for name, of in parts.items()
        }

    def views(self, tensors: Mapping[str, Tensor], slot: int) -> Iterator[Tensor]:
        """The weights of one slot, in order of the layout, as views of the stacked ones."""
        for name, layer in self.places:
            found = tensors[name][slot]
            yield found if layer < 0 else found[layer]


class Stacked:
    """Adapters of one layout, one a slot; with one slot they are the same for all.

    Made for each forward pass from the tensors of :meth:`Layout.stack`.
    """

    def __init__(self, layout: Layout, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.layout = layout
        self.tensors = cast = {name: tensor.to(dtype) for name, tensor in tensors.items()}
        self.layers = {layer: index for index, layer in enumerate(layout.layers)}
        # Taken apart at once: the gradient of one layer's part would be as large as the whole.
        self._parts = {name: cast[name].unbind(1) for name in _BOTTLENECK if name in cast}
        self._activation = activation(layout.activation)
        coupled = [cast[name] for name in _COUPLING if name in cast]
        self.coupling = Coupling(coupled, self._activation) if coupled else None

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def over(self, layer: int, normed: Tensor, residual: Tensor) -> Tensor:
        """The adapter of a layer: (S, t, d) after and before the layer's norm → (S, t, d)."""
        down, down_bias, up, up_bias = (self._parts[name][self.layers[layer]] for name in _BOTTLENECK)
        return project(self._activation(project(normed, down, down_bias)), up, up_bias) + residual


_BOTTLENECK = ("down.0.weight", "down.0.bias", "up.weight", "up.bias")
_COUPLING = tuple(f"{net}.{layer}.{kind}" for net in "FG" for layer in (0, 2) for kind in ("weight", "bias"))


class Coupling:
    """The invertible adapter: a NICE coupling block (Dinh et al. 2015) in halves of the dimensions."""

    def __init__(self, weights: Sequence[Tensor], activation: Callable[[Tensor], Tensor]) -> None:
        self.f, self.g, self.activation = weights[:4], weights[4:], activation

    def forward(self, x: Tensor) -> Tensor:
        """Over the embeddings, (S, t, d)."""
        first, second = self._halves(x)
        first = first + self._net(self.f, second)
        return torch.cat([first, second + self._net(self.g, first)], dim=-1)

    def inverse(self, x: Tensor) -> Tensor:
        """Under the vocabulary's matrix, (S, t, d)."""
        first, second = self._halves(x)
        second = second - self._net(self.g, first)
        return torch.cat([first - self._net(self.f, second), second], dim=-1)

    def apart(self) -> list[Coupling]:
        """One for each slot."""
        weights = zip(*(torch.split(weight, 1) for weight in (*self.f, *self.g)), strict=True)
        return [Coupling(own, self.activation) for own in weights]

    @staticmethod
    def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
        half = x.shape[-1] // 2
        return x[..., :half], x[..., half:]

    def _net(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        return project(self.activation(project(x, weights[0], weights[1])), weights[2], weights[3])


def project(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(S or 1, t, i) through (S or 1, o, i) and (S or 1, o) → (S or 1, t, o)."""
    if len(weight) == 1:
        return functional.linear(x, weight[0], bias[0])
    if len(x) == 1:
        x = x.expand(len(weight), -1, -1)
    return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """What the adapters library computes for a name."""
    from adapters.methods.modeling import Activation_Function_Class

    found: Callable[[Tensor], Tensor] = Activation_Function_Class(name)
    return found
