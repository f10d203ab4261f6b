"""For tests of xleval and of plugins: the checks of a plugin, and a small random backbone with a real tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from xleval.conformance import Check, check_plugin
from xleval.errors import UserError

__all__ = ["Check", "assert_conforms", "check_plugin", "make_backbone", "read_jsonl"]

_VOCABULARY = {"bert": "vocab.txt", "xlm-roberta": "sentencepiece.bpe.model"}


def assert_conforms(plugin: str | Path | ModuleType, *, run: bool = True, strategies: Iterable[str] = ()) -> None:
    """Runs all checks of a plugin, as ``xleval plugins check`` does; arguments as :func:`check_plugin`'s.

    Raises:
        AssertionError: naming every check that failed, with what to do.
        UserError: there is no such plugin.
    """
    failed = [check for check in check_plugin(plugin, run=run, strategies=strategies) if not check.ok]
    if failed:
        raise AssertionError("".join(f"\n{check.of}, {check.what}: {check.fault}" for check in failed))


def make_backbone(
    tokenizer_dir: Path | str,
    out: Path | str,
    hidden: int = 128,
    layers: int = 4,
    kind: Literal["bert", "xlm-roberta"] = "bert",
    seed: int = 0,
) -> Path:
    """Writes a small randomly initialised encoder as a transformers folder; returns ``out``.

    ``tokenizer_dir`` holds a tokenizer saved by transformers (``tokenizer.json``), or the vocabulary that
    the published model has: ``vocab.txt`` (mBERT, cased) or ``sentencepiece.bpe.model`` (XLM-R).
    ``hidden`` is a multiple of 32, one attention head each 32. Equal arguments give equal bytes.

    Raises:
        UserError: no tokenizer there, or impossible sizes.
    """
    if kind not in _VOCABULARY:
        raise UserError(f"--kind {kind}: choose bert or xlm-roberta")
    if hidden < 32 or hidden % 32:
        raise UserError(f"--hidden {hidden}: needs a multiple of 32")
    if layers < 1:
        raise UserError(f"--layers {layers}: needs at least 1")
    tokenizer = _tokenizer(Path(tokenizer_dir), kind)
    import torch
    import transformers

    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 32,
        "intermediate_size": 4 * hidden,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    model: Any
    if kind == "bert":
        model = transformers.BertForPreTraining(transformers.BertConfig(**sizes))
    else:
        sizes |= {"max_position_embeddings": 514, "type_vocab_size": 1}
        sizes |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        model = transformers.XLMRobertaForMaskedLM(transformers.XLMRobertaConfig(**sizes))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    tokenizer.save_pretrained(out)
    return out


def _tokenizer(folder: Path, kind: str) -> Any:
    import transformers

    if (folder / "tokenizer.json").is_file():
        return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    vocabulary = folder / _VOCABULARY[kind]
    if not vocabulary.is_file():
        raise UserError(f"{folder}: no tokenizer.json and no {vocabulary.name} (which {kind} needs)")
    if kind == "bert":
        return transformers.BertTokenizerFast(str(vocabulary), do_lower_case=False, model_max_length=512)
    return transformers.XLMRobertaTokenizerFast(str(vocabulary), model_max_length=512)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON Lines file, such as ``records.jsonl`` or a per-item file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
