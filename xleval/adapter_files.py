"""Language adapters as files: whether the adapter in a folder belongs to a backbone.

The folder holds ``adapter_config.json`` and ``adapter.safetensors``, what ``load_adapter(…, use_safetensors=True)``
of the adapters library reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.hub import HubRepository
from xleval.safetensors_header import read_header
from xleval.store import MANIFEST

if TYPE_CHECKING:
    from xleval.backbones import Backbone

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter.safetensors", "pytorch_adapter.bin"

_LAYER = re.compile(r"\.(?:layer|layers|h|block)\.(\d+)\.")
#: Bits of the exponent, which are all set in infinities and NaN.
_EXPONENT = {"F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F800000), "F64": ("<u8", 0x7FF << 52)}


def check_adapter(folder: Path, backbone: Backbone, where: str) -> None:
    """Refuses a language adapter that is not one of the backbone's; ``where`` names flag and folder in messages.

    Compares model type, hidden size and number of layers with the backbone's ``config.json``, where that is local;
    the identity in the ``manifest.json`` of xleval's store, else the model's name; and looks for weights that are
    no finite numbers. Loads no model and imports no torch.

    Raises:
        UserError: files missing or damaged, or an adapter of another backbone; says both values and what to do.
    """
    config = read_config(folder, where)
    remedy = f"give an adapter of {backbone.name}, or the --backbone that it was trained on"
    manifest = _read_json(folder / MANIFEST) or {}
    if manifest.get("kind") == "task_adapter" or config.get("type") == "text_task":
        raise UserError(f"{where}: this is a task adapter; give a language adapter")
    identity = manifest.get("backbone")
    if isinstance(identity, Mapping):
        if identity.get("revision") != backbone.identity["revision"]:
            theirs, ours = (f"{one.get('id')}@{one.get('revision')}" for one in (identity, backbone.identity))
            raise UserError(f"{where}: trained on the backbone {theirs}, this run has {ours}; {remedy}")
    elif (name := _model_name(config)) and backbone.folder is None and name != backbone.source.split("/")[-1]:
        raise UserError(f"{where}: trained on model_name {name!r}, this run has {backbone.source!r}; {remedy}")
    of_backbone = _backbone_config(backbone)
    for key in ("model_type", "hidden_size"):
        given, needed = config.get(key), of_backbone.get(key)
        if given is not None and needed is not None and given != needed:
            raise UserError(f"{where}: its {key} is {given}, that of {backbone.name} is {needed}; {remedy}")
    _check_tensors(folder / WEIGHTS, config, of_backbone, f"{where}: {WEIGHTS}", f"of {backbone.name}", remedy)


def read_config(folder: Path, where: str, *, weights: bool = True) -> dict[str, Any]:
    """``adapter_config.json`` of a folder, which without ``weights`` may hold that alone, as AdapterHub v1 wrote it.

    Raises:
        UserError: a file is missing, or the configuration is none.
    """
    saved = "what model.save_adapter(…, use_safetensors=True) of the adapters library writes"
    if not folder.is_dir():
        raise UserError(f"{where}: no such folder")
    for name in (CONFIG, WEIGHTS) if weights else (CONFIG,):
        if not (folder / name).is_file():
            only = f", only {PICKLE}, a pickle, which is not loaded" if (folder / PICKLE).is_file() else ""
            raise UserError(f"{where}: no {name} there{only}; it needs {CONFIG} and {WEIGHTS}, {saved}")
    config = _read_json(folder / CONFIG)
    if config is None:
        raise UserError(f"{where}: {CONFIG} is not JSON, or no mapping; it needs {saved}")
    if not isinstance(config.get("name"), str) or not isinstance(
        config.get("config"), dict if weights else (dict, str)
    ):
        raise UserError(f"{where}: {CONFIG} has no `name`, or no mapping `config`; it needs {saved}")
    return config


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _model_name(config: Mapping[str, Any]) -> str:
    """Last part of the model's name on the hub; empty where it was loaded from a folder of any name."""
    name = str(config.get("model_name") or config.get("model") or "")
    if cached := re.search(r"models--[^/\\]+--([^/\\]+)[/\\]snapshots", name):
        return cached[1]
    return "" if re.match(r"[./~\\]|[A-Za-z]:", name) or name.count("/") > 1 else name.split("/")[-1]


def _backbone_config(backbone: Backbone) -> dict[str, Any]:
    if backbone.folder is not None:
        return _read_json(backbone.folder / "config.json") or {}
    cached = HubRepository(backbone.source, backbone.revision or "main").cached("config.json")
    return (_read_json(cached) if cached else None) or {}


def _check_tensors(
    file: Path, config: Mapping[str, Any], of_backbone: Mapping[str, Any], where: str, whose: str, remedy: str
) -> None:
    try:
        tensors, start = read_header(file)
    except UserError:
        raise UserError(f"{where} is not a safetensors file, or cut short; copy it again") from None
    name, hidden = config["name"], of_backbone.get("hidden_size", config.get("hidden_size"))
    if not any(f".{name}." in key for key in tensors):
        raise UserError(f"{where} has no weights of the adapter {name!r} that {CONFIG} names; save the adapter again")
    for key, tensor in tensors.items():
        side = -1 if key.endswith("adapter_down.0.weight") else 0 if key.endswith("adapter_up.weight") else None
        if side is not None and hidden is not None and (size := tensor["shape"][side]) != hidden:
            raise UserError(f"{where}: {key} is for hidden size {size}, that {whose} is {hidden}; {remedy}")
    found = {int(layer[1]) for key in tensors if (layer := _LAYER.search(key))}
    count = int(of_backbone.get("num_hidden_layers") or 0)
    expected = set(range(count)) - set(config["config"].get("leave_out") or ()) if count else found
    if found and found != expected:
        lacks = f"lacks layers {sorted(expected - found)}" if expected - found else f"has layers up to {max(found)}"
        raise UserError(f"{where} {lacks}, the layers {whose} are 0 to {count - 1}; {remedy}")
    _check_finite(file, tensors, start, where)


def _check_finite(file: Path, tensors: Mapping[str, Any], start: int, where: str) -> None:
    import numpy as np

    with file.open("rb") as stream:
        for key, tensor in tensors.items():
            first, end = tensor["data_offsets"]
            stream.seek(start + first)
            kind, bits = _EXPONENT.get(tensor["dtype"], ("u1", 0))
            values = np.frombuffer(stream.read(end - first), dtype=kind)
            if bits and bool(np.any((values & bits) == bits)):
                raise UserError(f"{where}: {key} has values that are no finite numbers; train or download it again")
