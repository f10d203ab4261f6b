"""Backbones: frozen multilingual encoders, by name, hub id or folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.adapterhub import AdapterTable, PublishedAdapter, read_table
from xleval.errors import UserError
from xleval.fingerprint import digest, files_digest
from xleval.hub import HubError, HubRepository, hub_commit
from xleval.safetensors_header import read_header

if TYPE_CHECKING:
    from xleval.host import Host
    from xleval.languages import Language

#: What a backbone folder is made of; anything else in it is neither loaded nor part of its identity.
_FILES = ("config.json", "model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_PIECES = ("sentencepiece.bpe.model", "added_tokens.json", "vocab.json", "merges.txt")
PATTERNS = (*_FILES, *_TOKENIZER, *_PIECES)
_CHECK = "check the id, the network and HF_ENDPOINT"


@dataclass(frozen=True)
class Backbone:
    """An encoder and what is known of it without loading it.

    ``source`` is a hub id (with ``revision``, 40 hex digits) or a folder. ``seen`` says whose pretraining
    languages it shares: ``"mbert"``, ``"xlmr"``, or the codes themselves. ``unsupported_scripts`` (ISO
    15924) have no pieces in its vocabulary: languages written in them are left out unless asked for.
    ``adapter_table`` is a YAML file of language adapters published for it (``xleval/adapterhub.py``).
    """

    name: str
    source: str
    revision: str | None = None
    summary: str = ""
    seen: str | frozenset[str] = frozenset()
    unsupported_scripts: tuple[str, ...] = ()
    has_pooler: bool | None = None
    adapter_table: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The folder, when it is one and not a hub id."""
        path = Path(self.source).expanduser()
        return path if path.is_dir() else None

    @property
    def identity(self) -> dict[str, str]:
        """``{"id": …, "revision": …}`` as records carry it; a folder's revision is a digest of its files."""
        if self.folder is None:
            return {"id": self.source, "revision": self.revision or "main"}
        return {"id": self.name, "revision": "sha256:" + files_digest(self.folder, _present(self.folder))}

    @property
    def fingerprint(self) -> str:
        """Digest of what determines the weights and the tokenizer."""
        identity = self.identity
        return digest(identity if self.folder is None else {"revision": identity["revision"]})

    @property
    def head(self) -> str:
        """The head that ``train.head=auto`` means: ``pooler`` where the checkpoint has one, else ``two-layer``."""
        pooler = self.has_pooler if self.folder is None else _has_pooler(self.folder)
        return "pooler" if pooler else "two-layer"

    @property
    def is_small(self) -> bool:
        """Whether its weights take less than 32 MiB: one CPU core computes it as fast as several do."""
        folder = self.folder
        return folder is not None and sum(f.stat().st_size for f in folder.glob("model*.safetensors")) < 2**25

    @property
    def published(self) -> AdapterTable:
        """Language adapters that others published for it, with homepage and citation; read on first use."""
        return read_table(self.adapter_table) if self.adapter_table else AdapterTable()

    @property
    def language_adapters(self) -> tuple[PublishedAdapter, ...]:
        """Language adapters that others published for it, in order of language."""
        return self.published.adapters

    def knows(self, language: Language) -> bool:
        """Whether the encoder saw the language in pretraining."""
        if isinstance(self.seen, frozenset):
            return language.code in self.seen
        return bool(getattr(language, self.seen))

    def path(self, *, offline: bool = False) -> Path:
        """Folder with the files, downloaded from the hub on first use.

        Raises:
            UserError: not on the hub or not cached while offline; no safetensors weights.
        """
        if self.folder is not None:
            return self.folder
        where = f"backbone {self.source}@{self.revision or 'main'}"
        try:
            commit = hub_commit(self.source, self.revision or "main", offline=offline)
            path = HubRepository(self.source, commit).snapshot(PATTERNS, offline=offline)
        except HubError as fault:
            remedy = "run `xleval fetch` with the same options where there is a network" if offline else _CHECK
            other = "give a folder with --backbone FOLDER, or make a small random one with `xleval backbone make`"
            raise UserError(f"{where}: {fault}; {remedy}, {other}") from None
        if not any(path.glob("model*.safetensors")):
            raise UserError(f"{where}: no safetensors weights at this revision; pickles are not loaded")
        return path


def resolve_backbone(text: str, host: Host, *, offline: bool = False) -> Backbone:
    """A registered name, a folder, or a hub id (``org/name`` or ``org/name@revision``).

    Raises:
        UserError: none of these, or a folder without the needed files.
    """
    registered = {name for item in host.backbones.items for name in (item.name, item.qualified)}
    if text in registered:
        return host.backbones.get(text)
    folder = Path(text).expanduser()
    if folder.is_dir():
        _check_folder(folder)
        return Backbone(folder.resolve().name, str(folder.resolve()), summary="local folder")
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        if "/" in text:
            raise UserError(f"backbone {text!r}: no such folder")
        host.backbones.get(text)  # raises, with the nearest names
    name, _, revision = text.partition("@")
    try:
        return Backbone(name, name, hub_commit(name, revision or "main", offline=offline))
    except HubError as fault:
        if revision and offline:
            return Backbone(name, name, revision)  # can be planned with
        raise UserError(
            f"backbone {text!r} is neither a known name, a folder, nor reachable on the hub ({fault}); {_CHECK}"
        ) from None


def _check_folder(folder: Path) -> None:
    config = folder / "config.json"
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"backbone folder {folder}: no config.json (is it a transformers checkpoint?)") from None
    except ValueError as error:
        raise UserError(f"{config}: not JSON: {error}") from None
    if not any(folder.glob("model*.safetensors")):
        raise UserError(f"backbone folder {folder}: no model.safetensors (pickled weights are not loaded)")
    if not any((folder / name).is_file() for name in (*_TOKENIZER, *_PIECES)):
        raise UserError(f"backbone folder {folder}: no tokenizer files")


def _present(folder: Path) -> list[str]:
    return sorted({file.name for pattern in PATTERNS for file in folder.glob(pattern)})


def _has_pooler(folder: Path) -> bool:
    names = (name for file in folder.glob("model*.safetensors") for name in read_header(file)[0])
    return any("pooler.dense.weight" in name for name in names)
