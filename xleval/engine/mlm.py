"""Language adapters: a bottleneck with an invertible adapter, trained by masked language modelling.

Setup of MAD-X (Pfeiffer et al. 2020) as Parović et al. 2023 use it: running text cut into chunks, 15 % of
the sub-words masked (80/10/10), perplexity on the held-out start of the text selects the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from xleval.engine.batching import epoch_batches
from xleval.engine.loop import Trained, Training, fit
from xleval.engine.session import Session
from xleval.engine.vocabulary import vocabulary_loss
from xleval.errors import UserError
from xleval.events import Emit, silent
from xleval.jobs import LanguageAdapterJob

Chunks = npt.NDArray[np.int64]

#: TLR: 100 epochs, but at least 30,000 and at most 100,000 steps.
_AUTO_STEPS = (30_000, 100_000)


@dataclass(frozen=True)
class TrainedLanguageAdapter:
    """How it went, with the pseudo-perplexity of held-out text before and after."""

    trained: Trained
    perplexity: float
    perplexity_before: float
    chunks: int


def train_language_adapter(
    job: LanguageAdapterJob, session: Session, folder: Path, out: Path, engine: dict[str, Any], emit: Emit = silent
) -> TrainedLanguageAdapter:
    """Trains one language adapter and writes it to ``out`` in the adapters library's format.

    ``folder`` holds checkpoints; ``engine`` the ``engine.*`` settings.

    Raises:
        UserError: text too short to cut into chunks and hold some out.
        TrainingFailedError: loss not finite, or out of memory.
    """
    from adapters import SeqBnConfig, SeqBnInvConfig

    assert job.text is not None
    hyper = job.hyper
    chunks = cut(job.text.lines(), session.tokenizer, hyper["chunk"])
    held = math.ceil(len(chunks) * hyper["held_out"])
    if held < 1 or len(chunks) - held < 1:
        raise UserError(
            f"text of {job.language!r} ({job.text.origin}) makes {len(chunks)} chunks of {hyper['chunk']} "
            "sub-words; at least 2 are needed: give more text or lower la.chunk"
        )
    model = session.masked_lm()
    _open_decoder(model)
    kind, extra = (
        (SeqBnInvConfig, {"inv_adapter_reduction_factor": hyper["invertible"]})
        if hyper["invertible"]
        else (
            SeqBnConfig,
            {},
        )
    )
    torch.manual_seed(hyper["seed"])
    model.add_adapter(
        job.language, config=kind(reduction_factor=hyper["reduction"], non_linearity=hyper["non_linearity"], **extra)
    )
    model.train_adapter(job.language)
    if hyper["head"] == "trained":
        # As the reference script does; the decoder is the embedding matrix and stays frozen with it.
        tied = model.get_input_embeddings().weight
        for parameter in _head(model).parameters():
            parameter.requires_grad_(parameter is not tied)
    model.to(session.device)
    train, dev = chunks[held:], chunks[:held]
    batch, seed = hyper["batch"], hyper["seed"]
    an_epoch = -(-len(train) // batch)
    steps = hyper["steps"] or min(max(100 * an_epoch, _AUTO_STEPS[0]), _AUTO_STEPS[1])
    lengths = np.full(len(train), chunks.shape[1])
    order: dict[int, list[Chunks]] = {}

    def losses(step: int, budget: int) -> Iterator[Tensor]:
        epoch = step // an_epoch
        if epoch not in order:
            order.clear()
            order[epoch] = epoch_batches(lengths, batch, seed, epoch)
        inputs, labels = mask(
            train[order[epoch][step % an_epoch]], session.tokenizer, hyper["mlm_probability"], (seed, step)
        )
        total = max(int((labels != -100).sum()), 1)
        rows = max(budget // chunks.shape[1], 1)
        for start in range(0, len(inputs), rows):
            loss, _ = _loss(model, session, inputs[start : start + rows], labels[start : start + rows])
            yield loss / total

    def evaluate() -> float:
        total, count = 0.0, 0
        rows = max(session.token_budget // chunks.shape[1], 1)
        # The same masks at every evaluation: scores of checkpoints differ by the weights only.
        inputs, labels = mask(dev, session.tokenizer, hyper["mlm_probability"], (seed, 2**62))
        with torch.inference_mode():
            for start in range(0, len(inputs), rows):
                loss, n = _loss(model, session, inputs[start : start + rows], labels[start : start + rows])
                total, count = total + float(loss), count + n
        return -total / max(count, 1)

    training = Training(
        key=job.fingerprint,
        label=f"LA {job.language}",
        parameters={name: p for name, p in model.named_parameters() if p.requires_grad},
        steps=steps,
        lr=hyper["lr"],
        losses=losses,
        evaluate=evaluate,
        eval_every=hyper["eval_every"],
        mode=model.train,
        device=session.device,
        token_budget=engine["token_budget"] or session.token_budget,
        checkpoint_seconds=engine["checkpoint_seconds"],
        where=lambda step: f"step {step} of {steps} on language {job.language}",
    )
    model.eval()
    before = evaluate()
    trained = fit(training, folder, seed, emit)
    model.save_adapter(str(out), job.language, with_head=False, use_safetensors=True)
    return TrainedLanguageAdapter(trained, math.exp(-trained.best_score), math.exp(-before), len(chunks))


def cut(lines: list[str], tokenizer: Any, size: int) -> Chunks:
    """Lines, each with its special tokens, joined and cut into chunks of ``size`` sub-words: (n, size).

    The rest that fills no chunk is dropped, as in the released training script; a text shorter than two
    chunks is cut into halves.
    """
    encoded = tokenizer(lines, add_special_tokens=True, truncation=False, return_attention_mask=False)["input_ids"]
    flat = np.fromiter((i for ids in encoded for i in ids), dtype=np.int64)
    if len(flat) < 2 * size:
        size = len(flat) // 2
    if size < 4:
        return np.zeros((0, 4), dtype=np.int64)
    count = len(flat) // size
    return flat[: count * size].reshape(count, size)


def mask(chunks: Chunks, tokenizer: Any, probability: float, seed: tuple[int, int]) -> tuple[Chunks, Chunks]:
    """(inputs, labels), both (n, size): labels are -100 but at sub-words to predict.

    Of those, 80 % become the mask token, 10 % a random sub-word, 10 % stay (Devlin et al. 2019). Drawn
    from ``seed`` alone.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    special = np.isin(chunks, tokenizer.all_special_ids)
    chosen = (random.random(chunks.shape) < probability) & ~special
    fate = random.random(chunks.shape)
    inputs = np.where(chosen & (fate < 0.8), tokenizer.mask_token_id, chunks)
    drawn = random.integers(0, len(tokenizer), chunks.shape)
    inputs = np.where(chosen & (fate >= 0.9), drawn, inputs)
    return inputs, np.where(chosen, chunks, -100)


def _loss(model: Any, session: Session, inputs: Chunks, labels: Chunks) -> tuple[Tensor, int]:
    """Sum of the masked sub-words' losses, and their number. Only those positions go through the head."""
    ids = torch.as_tensor(inputs, device=session.device)
    gold = torch.as_tensor(labels, device=session.device)
    chosen = gold != -100
    with session.autocast():
        hidden = model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
        # One sequence of all masked positions: the invertible adapter in the head takes (batch, length, hidden).
        hidden = _head(model)(hidden[chosen].unsqueeze(0)).squeeze(0)
    if session.precision == "bf16":
        hidden = hidden.bfloat16()  # layer norms give fp32; the product with the vocabulary need not
    decoder, gold = model.get_output_embeddings(), gold[chosen]
    return vocabulary_loss(hidden, decoder.weight, decoder.bias, gold), len(gold)


def _open_decoder(model: Any) -> None:
    """Makes the MLM head end before its decoder, whose product with the vocabulary is part of the loss."""
    model.get_output_embeddings().forward = lambda hidden: hidden


def _head(model: Any) -> Any:
    return model.cls if hasattr(model, "cls") else model.lm_head
