"""Language modules on the device, and the slots of the model that they are put into.

Switching the module of a step copies its weights into a *slot* from a bank kept on the device, so the module
graph never changes shape: there is one slot for each configuration of an adapter, and for each number of
adapters that are fused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from xleval.engine.stacked import Layout, is_plain
from xleval.engine.weights import quiet

#: The adapters library's name for a fusion layer's weights in a folder.
FUSION = "model_adapter_fusion.safetensors"


@dataclass(frozen=True)
class Standing:
    """A language module in the store: folders of its adapters and, where they are fused, of the fusion layer."""

    adapters: tuple[Path, ...]
    fusion: Path | None = None


@dataclass(frozen=True)
class _Slot:
    setup: Any
    tensors: list[Tensor]
    layout: Layout | None


class Bank:
    """The modules that have stood under a task adapter of one model, on its device."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model, self.device = model, device
        self._weights: dict[tuple[Standing, bool], tuple[_Slot, list[Tensor]]] = {}
        self._slots: dict[tuple[Any, ...], _Slot] = {}
        self._inside: dict[int, tuple[Standing, bool]] = {}

    def put(self, standing: Standing, drop_last: bool) -> Any:
        """Copies a module into its slot; returns what the adapters library's ``Stack`` takes for it."""
        key = (standing, drop_last)
        self.weights(standing, drop_last)
        slot, weights = self._weights[key]
        if self._inside.get(id(slot)) != key:
            with torch.no_grad():
                torch._foreach_copy_(slot.tensors, weights)
            self._inside[id(slot)] = key
        return slot.setup

    def weights(self, standing: Standing, drop_last: bool) -> tuple[Layout | None, list[Tensor]]:
        """A module's weights and their layout; None where it is not one plain bottleneck adapter."""
        key = (standing, drop_last)
        if key not in self._weights:
            self._weights[key] = self._load(standing, drop_last)
        slot, weights = self._weights[key]
        return slot.layout, weights

    def _load(self, standing: Standing, drop_last: bool) -> tuple[_Slot, list[Tensor]]:
        leave_out = [int(self.model.config.num_hidden_layers) - 1] if drop_last else []
        configs, weights = [], list[Tensor]()
        for folder in standing.adapters:
            with quiet():
                name = self.model.load_adapter(
                    str(folder), load_as="incoming", leave_out=leave_out, use_safetensors=True, with_head=False
                )
            configs.append(self.model.adapters_config.get(name))
            self.model.to(self.device)
            weights += [p.detach().clone() for p in _named(self.model, adapter_places([name])).values()]
            self.model.delete_adapter(name)
        shape = (tuple(str(sorted(config.to_dict().items(), key=str)) for config in configs), drop_last)
        if shape not in self._slots:
            self._slots[shape] = self._make(configs)
        slot = self._slots[shape]
        if standing.fusion is not None:
            weights += self._fusion(standing.fusion, slot.setup)
        return slot, weights

    def _make(self, configs: list[Any]) -> _Slot:
        from adapters.composition import Fuse

        number = len(self._slots)
        names = [f"slot{number}_{index}" for index in range(len(configs))]
        for name, config in zip(names, configs, strict=True):
            self.model.add_adapter(name, config=config)
        setup: Any = names[0]
        named = [_named(self.model, adapter_places([name])) for name in names]
        tensors = [p for of_one in named for p in of_one.values()]
        if len(names) > 1:
            setup = Fuse(*names)
            self.model.add_adapter_fusion(setup)
        self.model.to(self.device)
        if len(names) > 1:
            tensors += _named(self.model, [_layer(setup.name)]).values()
        for parameter in tensors:
            parameter.requires_grad_(False)
        plain = len(names) == 1 and is_plain(configs[0])
        return _Slot(setup, tensors, Layout.of(named[0], configs[0]["non_linearity"]) if plain else None)

    def _fusion(self, folder: Path, setup: Any) -> list[Tensor]:
        # By name and not by order: a fusion trained in all layers may stand under adapters that lack the last.
        stored = load_file(folder / FUSION, device=str(self.device))
        found = {_place(name): tensor for name, tensor in stored.items()}
        return [found[_place(name)] for name in _named(self.model, [_layer(setup.name)])]


def adapter_places(names: Iterable[str]) -> list[str]:
    """What the parameters of some adapters have in their names."""
    return [place for name in names for place in (f".adapters.{name}.", f"invertible_adapters.{name}.")]


def _layer(name: str) -> str:
    return f".adapter_fusion_layer.{name}."


def _place(name: str) -> tuple[str, str]:
    # Module and parameter, without the names of the adapters that are fused.
    module, _, rest = name.partition(".adapter_fusion_layer.")
    return module, rest.partition(".")[2]


def _named(model: Any, places: list[str]) -> dict[str, Any]:
    # Order of definition, which is the same for adapters of one configuration.
    return {name: p for name, p in model.named_parameters() if any(place in f".{name}" for place in places)}
