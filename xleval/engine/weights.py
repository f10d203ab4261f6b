"""Kinds of task adapters, and weights in files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

#: File with the weights of an encoder that is not the backbone's own.
ENCODER = "encoder.safetensors"

#: The kind of task adapter that is none: the backbone is fine-tuned.
FULL = "full"


def adapter_config(kind: str, hyper: Mapping[str, Any], leave_out: list[int]) -> Any:
    """The adapters library's configuration of a kind of task adapter; ``leave_out``: layers without one."""
    import adapters

    if kind in ("bottleneck", "parallel"):
        maker = adapters.SeqBnConfig if kind == "bottleneck" else adapters.ParBnConfig
        return maker(reduction_factor=hyper["reduction"], non_linearity=hyper["non_linearity"], leave_out=leave_out)
    if kind == "lora":
        return adapters.LoRAConfig(r=hyper["lora_rank"], alpha=hyper["lora_alpha"], leave_out=leave_out)
    if kind == "prefix":
        return adapters.PrefixTuningConfig(prefix_length=hyper["prefix_length"], leave_out=leave_out)
    assert kind == "ia3", kind
    return adapters.IA3Config(leave_out=leave_out)


def save_encoder(parameters: Mapping[str, nn.Parameter], folder: Path) -> None:
    """Writes an encoder's own weights, by their names in it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: p.detach().cpu().contiguous() for name, p in parameters.items()}, folder / ENCODER)


@contextmanager
def without_copies(model: nn.Module) -> Iterator[None]:
    """Within, ``state_dict`` names a tensor that several modules share once: safetensors refuses it twice.

    The adapters library gives every layer a reference to the one pool of prefixes.
    """

    def drop(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        seen: set[tuple[int, tuple[int, ...]]] = set()
        for name in sorted(state, key=lambda name: ".prefix_tuning.pool." in name):
            key = (state[name].data_ptr(), tuple(state[name].shape))
            if ".prefix_tuning.pool." in name and key in seen:
                del state[name]
            seen.add(key)

    handle = model.register_state_dict_post_hook(drop)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the libraries' warnings about what is meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
