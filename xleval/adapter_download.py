"""Brings a published language adapter from the hub into the store.

Pickles of the hub are read by PyTorch's restricted unpickler, which makes tensors only and runs nothing, and are
written again as safetensors.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.adapter_files import CONFIG, PICKLE, WEIGHTS, check_adapter, read_config
from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest
from xleval.hub import HubError, HubRepository, hub_commit

if TYPE_CHECKING:
    from xleval.adapterhub import PublishedAdapter
    from xleval.backbones import Backbone
    from xleval.store import Store

#: Kind of the store's artifacts that are made here.
KIND = "published_adapter"


def bring(adapter: PublishedAdapter, backbone: Backbone, store: Store, *, offline: bool, where: str = "") -> Path:
    """Folder in the store with an adapter of the hub, downloaded and converted unless it is there, and checked.

    The artifact's ``manifest.json`` says hub id, revision, commit, and the SHA-256 of the weights as downloaded and
    of the files as written; files are verified against it on reuse. ``where`` begins messages.

    Raises:
        UserError: not on the hub, gated, not in the store while offline, a pickle of more than tensors, weights
            that are no finite numbers, or an adapter of another backbone.
    """
    where = where or f"published language adapter of {adapter.language!r}, {adapter}"
    key = fingerprint(adapter)
    with store.lock(key):
        if not store.intact(KIND, key):
            about: dict[str, Any] = {"language": adapter.language}
            with store.create(KIND, key, about) as folder:
                about["hub"] = download(adapter, folder, offline=offline, where=where)
        folder = store.open(KIND, key)
    check_adapter(folder, backbone, where)
    return folder


def fingerprint(adapter: PublishedAdapter) -> str:
    """Under which :func:`bring` keeps an adapter in the store: known without asking the hub."""
    return digest({"kind": KIND, "id": adapter.id, "revision": adapter.revision})


def download(adapter: PublishedAdapter, folder: Path, *, offline: bool, where: str) -> dict[str, str]:
    """Writes an adapter of the hub into a folder, converted; returns hub id, revision, commit, file and its SHA-256.

    Raises as :func:`bring`, which checks it against a backbone besides.
    """
    from huggingface_hub import constants

    try:
        commit = hub_commit(adapter.id, adapter.revision, offline=offline)
        repository = HubRepository(adapter.id, commit)
        found = repository.snapshot([CONFIG, WEIGHTS], offline=offline)
        name = WEIGHTS if (found / WEIGHTS).is_file() else PICKLE
        file = found / name
        if name == PICKLE:
            file = repository.snapshot([PICKLE], offline=offline) / PICKLE
    except HubError as fault:
        fetch = "run `xleval fetch` with the same options where there is a network"
        remedy = fetch if offline or constants.HF_HUB_OFFLINE else "check the id"
        folder_too = "" if adapter.architecture else " (nor is there a folder of that name)"  # it was named on --la
        raise UserError(
            f"{where}: {fault}{folder_too}; {remedy}, give a folder with --la {adapter.language}=FOLDER, "
            "or train one on text (--set la.published=no)"
        ) from None
    config = _normal(read_config(found, where, weights=False), where)
    _convert(file, folder / WEIGHTS, f"{where}: {name}")
    (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    return {"id": adapter.id, "revision": adapter.revision, "commit": commit, "file": name,
            "sha256": file_digest(file)}  # fmt: skip


def _convert(file: Path, out: Path, where: str) -> None:
    """Tensors of a file of the hub, checked one by one and written as safetensors."""
    import torch
    from safetensors.torch import load_file, save_file

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of pickles that it then refuses
            # weights_only: an unpickler that knows tensors and nothing that could run.
            held = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except Exception as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        said = f"its pickle asks for {asked[1]}, which no weights need" if asked else "cut short, damaged or no weights"
        raise UserError(f"{where}: {said}; nothing of it was run or kept; use another adapter") from None
    if not isinstance(held, dict) or not held:
        raise UserError(f"{where}: it holds {type(held).__name__}, not tensors by name; use another adapter")
    tensors = {}
    for key, value in held.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise UserError(f"{where}: {key!r} is {type(value).__name__}, not a dense tensor; use another adapter")
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise UserError(f"{where}: {key} has values that are no finite numbers; use another adapter")
        tensors[key] = value.detach().clone().contiguous()
    save_file(tensors, out)


def _normal(config: dict[str, Any], where: str) -> dict[str, Any]:
    """The configuration with its architecture written out, also where version 1 of AdapterHub named or nested it."""
    from adapters import ADAPTER_CONFIG_MAP, AdapterConfig

    given = config["config"]
    if isinstance(given, str) and given not in ADAPTER_CONFIG_MAP:
        raise UserError(f"{where}: {CONFIG}: unknown architecture {given!r}; use another adapter")
    try:
        return {**config, "config": AdapterConfig.load(given).to_dict()}
    except (TypeError, ValueError, LookupError) as error:
        raise UserError(f"{where}: {CONFIG}: no architecture that the adapters library knows ({error})") from None
