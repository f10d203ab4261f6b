"""Pretrains the shipped encoder on text of the seen languages: `python -m xleval_demo.pretrain OUT`.

Masked language modelling with torch and transformers and, as BERT has its next-sentence objective, a
sentence-pair objective on [CLS]: which connective was taken out between the two sentences (`corpus`). What
determines the bytes: the generator (data version), the constants below, the versions of torch, transformers and
tokenizers, and the processor's arithmetic (one thread, deterministic algorithms, MKL and ATen held to AVX2, no
oneDNN). SHA256SUMS is written beside the files.
"""

from __future__ import annotations

import os

# Read when torch is loaded, so before anything below imports it.
os.environ.setdefault("MKL_CBWR", "AVX2")
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval_demo.concepts import CONNECTIVES
from xleval_demo.corpus import RELATIONS, SEED, UNKNOWN, Batch, Mixture, batches, paragraphs
from xleval_demo.languages import LANGUAGES
from xleval_demo.lexicon import lexicon
from xleval_demo.pieces import SPECIAL, save_tokenizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Pretraining:
    """What the recipe can vary; the defaults are what the shipped encoder was made with."""

    steps: int = 7000
    batch: int = 32
    rate: float = 2e-3
    warmup: int = 400
    layers: int = 4
    hidden: int = 128
    heads: int = 4
    intermediate: int = 256
    spread: float = 0.05
    """Standard deviation of the first weights: BERT's 0.02 scaled from 768 dimensions to 128."""
    masked: float = 0.2
    opening_masked: float = 0.5
    """Share of connectives that are masked: they say how two sentences relate, and are few."""
    max_length: int = 64


def main(out: Path, recipe: Pretraining | None = None, mixture: Mixture | None = None) -> None:
    """Writes the encoder's folder: config, weights in half precision, tokenizer, SHA256SUMS."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    recipe = recipe or Pretraining()
    mixture = mixture or Mixture()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment,unused-ignore]
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)

    sample = paragraphs(0, 30_000, mixture)
    size = save_tokenizer((line for pair in sample for line in (pair.first, pair.second)), out)
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
    relation = torch.nn.Linear(recipe.hidden, len(RELATIONS))  # thrown away in the end
    parameters = [*model.parameters(), *relation.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda s: min(1.0, (s + 1) / recipe.warmup) * max(0.0, 1 - s / recipe.steps),
    )
    masking = _Masking(tokenizer, recipe)
    start, total = time.monotonic(), [0.0, 0.0]
    for step, batch in enumerate(batches(recipe.steps, recipe.batch, mixture)):
        losses = _losses(model, relation, masking(batch))
        sum(losses).backward()  # type: ignore[union-attr,no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        total = [t + loss.item() for t, loss in zip(total, losses, strict=True)]
        if step % 100 == 99:
            words, pairs = (t / 100 for t in total)
            seconds = time.monotonic() - start
            print(f"step {step + 1}  words {words:.3f}  pairs {pairs:.3f}  {seconds:.0f} s", file=sys.stderr)
            total = [0.0, 0.0]
    _save(model, out)


class _Masking:
    """Turns text into masked tensors, as BERT does (80 % mask, 10 % random, 10 % kept)."""

    def __init__(self, tokenizer: Any, recipe: Pretraining) -> None:
        import torch

        self.tokenizer, self.recipe = tokenizer, recipe
        self.generator = torch.Generator().manual_seed(SEED)
        forms = [lexicon(lang.code).roots[word] for lang in LANGUAGES if lang.seen for word in CONNECTIVES]
        vocab = tokenizer.get_vocab()
        self.openings = torch.tensor(sorted({vocab[form] for form in forms if form in vocab}))

    def __call__(self, batch: Batch) -> dict[str, torch.Tensor]:
        import torch

        rows = self.tokenizer(batch.first, batch.second, truncation=True, max_length=self.recipe.max_length)
        out = dict(self.tokenizer.pad(rows, return_tensors="pt"))
        ids = out["input_ids"]
        share = torch.where(torch.isin(ids, self.openings), self.recipe.opening_masked, self.recipe.masked)
        chosen = (torch.rand(ids.shape, generator=self.generator) < share) & (ids >= len(SPECIAL))
        how = torch.rand(ids.shape, generator=self.generator)
        random_ids = torch.randint(len(SPECIAL), len(self.tokenizer), ids.shape, generator=self.generator)
        out["labels"] = torch.where(chosen, ids, UNKNOWN)
        ids = torch.where(chosen & (how < 0.8), self.tokenizer.mask_token_id, ids)
        out["input_ids"] = torch.where(chosen & (how >= 0.9), random_ids, ids)
        out["relation"] = torch.tensor(batch.relation)
        return out


def _losses(model: Any, relation: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the masked pieces (the vocabulary's matrix meets these alone) and of the connectives."""
    import torch

    labels, relations = batch.pop("labels"), batch.pop("relation")
    hidden = model.bert(**batch).last_hidden_state
    at, asked = labels >= 0, relations >= 0
    words = torch.nn.functional.cross_entropy(model.cls(hidden[at]), labels[at])
    pairs = torch.nn.functional.cross_entropy(relation(hidden[:, 0]), relations, reduction="sum")
    return words, pairs / max(8, int(asked.sum()))


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
