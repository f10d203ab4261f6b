"""Pretrains the shipped encoder on the text of the seen languages: `python -m xleval_demo.pretrain OUT`.

Plain masked language modelling with torch and transformers. What determines the bytes: the generator (data
version), the constants below, the versions of torch, transformers and tokenizers, and the processor's
arithmetic (one thread, deterministic algorithms, MKL and ATen held to AVX2, no oneDNN); SHA256SUMS is written
beside the files.

The text holds, besides paragraphs in one language, some in which the second sentence is in another seen
language: a continuation, or the translation of the first. That is how these languages get a common space; the
unseen languages have only their cognates and borrowed names.
"""

from __future__ import annotations

import os

# Read by MKL when torch loads it, so before anything below imports torch.
os.environ.setdefault("MKL_CBWR", "AVX2")
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval_demo.chance import Chance
from xleval_demo.concepts import CONNECTIVES
from xleval_demo.grammar import sentence
from xleval_demo.languages import LANGUAGES
from xleval_demo.lexicon import lexicon
from xleval_demo.meaning import draw_event, draw_news
from xleval_demo.pieces import SPECIAL, save_tokenizer
from xleval_demo.text import draw_paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

SEED = 1


@dataclass(frozen=True)
class Pretraining:
    """What the recipe can vary; the defaults are what the shipped encoder was made with."""

    steps: int = 2500
    batch: int = 48
    rate: float = 2e-3
    warmup: int = 150
    layers: int = 4
    hidden: int = 128
    heads: int = 4
    intermediate: int = 512
    spread: float = 0.05
    """Standard deviation of the first weights: BERT's 0.02 scaled from 768 dimensions to 128."""
    masked: float = 0.2
    opening_masked: float = 0.5
    """Share of connectives that are masked: they say how two sentences relate, and are few."""
    mixed: float = 0.2
    """Share of paragraphs whose second sentence continues in another seen language."""
    translated: float = 0.1
    """Share of paragraphs that are a sentence and its translation."""
    max_length: int = 64


def paragraph(index: int, recipe: Pretraining) -> tuple[str, str]:
    """The two sentences of one pretraining paragraph; languages weighted by the square root of their text."""
    chance = Chance("pretrain", SEED, index)
    seen = [language for language in LANGUAGES if language.seen]
    weighted = [lang.code for lang in seen for _ in range(round(lang.lines**0.5))]
    code = other = chance.pick(weighted)
    kind = chance.unit()
    if kind < recipe.mixed + recipe.translated:
        while other == code:
            other = chance.pick(weighted)
    if recipe.mixed <= kind < recipe.mixed + recipe.translated:
        meaning = draw_event(chance) if chance.happens(0.7) else draw_news(chance)
        return sentence(meaning, code), sentence(meaning, other)
    first, second = draw_paragraph(chance)
    return sentence(first, code), sentence(second, other)


def main(out: Path, recipe: Pretraining | None = None) -> None:
    """Writes the encoder's folder: config, weights in half precision, tokenizer, SHA256SUMS."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    recipe = recipe or Pretraining()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment,unused-ignore]
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)

    pairs = [paragraph(i, recipe) for i in range(min(30_000, recipe.steps * recipe.batch))]
    size = save_tokenizer((line for pair in pairs for line in pair), out)
    tokenizer = BertTokenizerFast.from_pretrained(out)
    config = BertConfig(
        vocab_size=size,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.intermediate,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=recipe.spread,
    )
    model = BertForMaskedLM(config)
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda s: min(1.0, (s + 1) / recipe.warmup) * max(0.0, 1 - s / recipe.steps),
    )
    start = time.monotonic()
    for step, batch in enumerate(_batches(tokenizer, recipe)):
        loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 100 == 0:
            print(f"step {step}  loss {loss.item():.3f}  {time.monotonic() - start:.0f} s", file=sys.stderr)
    _save(model, out)


def _batches(tokenizer: Any, recipe: Pretraining) -> Iterator[dict[str, torch.Tensor]]:
    """Paragraphs as sentence pairs with segments, as running text, and (every fourth batch) two in a row."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    openings = torch.tensor(_opening_ids(tokenizer))
    for sides in _grouped(recipe):
        rows = tokenizer(*sides, truncation=True, max_length=recipe.max_length)
        batch = tokenizer.pad(rows, return_tensors="pt")
        ids = batch["input_ids"]
        share = torch.where(torch.isin(ids, openings), recipe.opening_masked, recipe.masked)
        chosen = (torch.rand(ids.shape, generator=generator) < share) & (ids >= len(SPECIAL))
        how = torch.rand(ids.shape, generator=generator)
        random_ids = torch.randint(len(SPECIAL), len(tokenizer), ids.shape, generator=generator)
        batch["labels"] = torch.where(chosen, ids, -100)
        ids = torch.where(chosen & (how < 0.8), tokenizer.mask_token_id, ids)
        batch["input_ids"] = torch.where(chosen & (how >= 0.9), random_ids, ids)
        yield dict(batch)


def _grouped(recipe: Pretraining) -> Iterator[list[list[str]]]:
    """One step's sentences: [texts], or [first sentences, second sentences].

    Eight batches are drawn at a time and dealt out by length, which saves a fifth of the padding.
    """
    size = recipe.batch
    for block in range(0, recipe.steps, 8):
        pairs = [paragraph(block * size + i, recipe) for i in range(8 * size)]
        pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        order = Chance("pretrain", "order", SEED, block).shuffled(range(8))
        for step, place in enumerate(order[: recipe.steps - block]):
            chosen = pairs[place * size : (place + 1) * size]
            if step % 4 == 1:
                yield [[" ".join(pair) for pair in chosen]]
            elif step % 4 == 3:
                yield [[" ".join(chosen[i] + chosen[i + 1]) for i in range(0, size - 1, 2)]]
            else:
                yield [list(side) for side in zip(*chosen, strict=True)]


def _opening_ids(tokenizer: Any) -> list[int]:
    """Ids of the connectives that are one piece, in the seen languages."""
    forms = [lexicon(lang.code).roots[word] for lang in LANGUAGES if lang.seen for word in CONNECTIVES]
    vocab = tokenizer.get_vocab()
    return sorted({vocab[form] for form in forms if form in vocab})


def _loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy at the masked positions; the vocabulary's matrix is applied to these alone."""
    import torch

    labels = batch.pop("labels")
    hidden = model.bert(**batch).last_hidden_state
    at = labels >= 0
    return torch.nn.functional.cross_entropy(model.cls(hidden[at]), labels[at])


def _save(model: Any, out: Path) -> None:
    import torch

    model.to(torch.float16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    sums = []
    for path in sorted(out.iterdir()):
        if path.is_file() and path.name != "SHA256SUMS":
            sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m xleval_demo.pretrain OUT")
    main(Path(sys.argv[1]))
