"""Masked language modelling: language, bilingual and multilingual adapters, fusion layers, tuned backbones.

Language adapters follow MAD-X (Pfeiffer et al. 2020) as Parović et al. 2023 use it: running text cut into chunks,
15 % of the sub-words masked (80/10/10), perplexity on the held-out start of the text selects the checkpoint.
Bilingual and multilingual ones follow BAD-X (Parović et al. 2022): a batch is of one language, languages take
turns, and of a bilingual one the target's perplexity selects. A tuned backbone (Faisal & Anastasopoulos 2024) is
the whole encoder after some steps; its last weights are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xleval.engine.bank import Standing
from xleval.engine.checkpoint import Piece
from xleval.engine.loop import Member, Trained, Training, TrainingFailedError, fit
from xleval.engine.session import Session
from xleval.engine.text import Chunks, Turns, mask, stream
from xleval.engine.vocabulary import vocabulary_loss
from xleval.engine.weights import save_encoder
from xleval.errors import UserError
from xleval.events import Emit, silent
from xleval.jobs import BackboneJob, FusionJob, Job, LanguageAdapterJob
from xleval.recipe import LA, LanguageModule
from xleval.tasks.features import Ints

#: TLR: 100 epochs, but at least 30,000 and at most 100,000 steps.
_AUTO_STEPS = (30_000, 100_000)


@dataclass(frozen=True)
class TrainedModule:
    """How it went, with the pseudo-perplexity of held-out text before and after."""

    trained: Trained
    perplexity: float
    perplexity_before: float
    chunks: int


def train_language_adapter(
    job: LanguageAdapterJob, session: Session, folder: Path, out: Path, engine: dict[str, Any], emit: Emit = silent
) -> TrainedModule:
    """Trains a language, bilingual or multilingual adapter and writes it to ``out`` in the adapters library's format.

    ``folder`` holds checkpoints; ``engine`` the ``engine.*`` settings.

    Raises:
        UserError: text too short to cut into chunks and hold some out.
        TrainingFailedError: loss not finite, or out of memory.
    """
    hyper, name = job.hyper, job.language
    turns = turns_of(job.module, job.texts, session, hyper)
    model = masked_lm(session)
    add_language_adapter(model, name, hyper)
    model.train_adapter(name)
    _free_head(model, hyper)
    result = _train(job, model, session, turns, select_on(job, turns), hyper, folder, engine, emit)
    model.save_adapter(str(out), name, with_head=False, use_safetensors=True)
    return result


def train_fusion(
    job: FusionJob, parts: Sequence[Path], session: Session, folder: Path, out: Path, engine: dict[str, Any],
    emit: Emit = silent,
) -> TrainedModule | None:  # fmt: skip
    """Makes a fusion layer over the adapters in the folders ``parts`` and writes it in the library's format.

    Untrained it is as initialised, drawn from the seed, and nothing is returned. Trained by MLM with the library's
    regularisation of the value matrices (AdapterFusion, Pfeiffer et al. 2021); raises as
    :func:`train_language_adapter`.
    """
    from adapters.composition import Fuse

    hyper = job.hyper
    model = masked_lm(session)
    names = [part.language for part in job.parts]
    for name, part in zip(names, parts, strict=True):
        model.load_adapter(str(part), load_as=name, use_safetensors=True, with_head=False)
    torch.manual_seed(hyper["seed"])
    model.add_adapter_fusion(Fuse(*names))
    model.to(session.device)
    result = None
    if job.module.trained:
        model.train_adapter_fusion(Fuse(*names))
        _free_head(model, hyper)
        turns = turns_of(job.module, job.texts, session, hyper)
        held = [stream.held for stream in turns.streams]
        extra = model.base_model.get_fusion_regularization_loss
        result = _train(job, model, session, turns, held, hyper, folder, engine, emit, extra=extra)
    model.save_adapter_fusion(str(out), ",".join(names), use_safetensors=True)
    return result


def tune_backbone(
    job: BackboneJob, session: Session, folder: Path, out: Path, engine: dict[str, Any], emit: Emit = silent
) -> TrainedModule:
    """Trains all weights of the backbone by MLM and writes the encoder's; raises as :func:`train_language_adapter`."""
    assert job.text is not None
    hyper = {**job.hyper, "eval_every": job.tuned.steps}
    model = masked_lm(session)
    model.requires_grad_(True)
    turns = turns_of(LA(job.tuned.language), [job.text], session, hyper)
    held = [stream.held for stream in turns.streams]
    result = _train(job, model, session, turns, held, hyper, folder, engine, emit, select="last")
    save_encoder(dict(model.base_model.named_parameters()), out)
    return result


def perplexity(
    session: Session, held: Sequence[Chunks], standing: Standing | None, probability: float, seed: int
) -> float:
    """Pseudo-perplexity of chunks under a language adapter (None: the backbone alone), with its pretrained MLM head."""
    model = masked_lm(session)
    if standing is not None:
        (folder,) = standing.adapters
        name = model.load_adapter(str(folder), load_as="measured", use_safetensors=True, with_head=False)
        model.set_active_adapters(name)
    model.to(session.device).eval()
    return math.exp(_mean_loss(model, session, held, probability, seed))


def add_language_adapter(model: Any, name: str, hyper: Mapping[str, Any]) -> None:
    """A fresh adapter of that name, drawn from the seed."""
    from adapters import SeqBnConfig, SeqBnInvConfig

    extra = {"inv_adapter_reduction_factor": hyper["invertible"]} if hyper["invertible"] else {}
    kind = SeqBnInvConfig if hyper["invertible"] else SeqBnConfig
    torch.manual_seed(hyper["seed"])
    model.add_adapter(
        name, config=kind(reduction_factor=hyper["reduction"], non_linearity=hyper["non_linearity"], **extra)
    )


def select_on(job: LanguageAdapterJob, turns: Turns) -> list[Chunks]:
    """Held-out text that selects the checkpoint: in BAD-X of the target, which is the last of the two languages."""
    return [stream.held for stream in (turns.streams[-1:] if job.module.kind == "ba" else turns.streams)]


def steps_of(hyper: Mapping[str, Any], turns: Turns) -> int:
    """Optimiser steps of a training."""
    return int(hyper["steps"]) or auto_steps(turns.an_epoch)


def auto_steps(an_epoch: int) -> int:
    """Steps where none are set, by the batches of an epoch."""
    least, most = _AUTO_STEPS
    return min(max(100 * an_epoch, least), most)


def turns_of(module: LanguageModule, texts: Sequence[Any], session: Session, hyper: Mapping[str, Any]) -> Turns:
    """The texts of a module's languages in chunks, and whose turn it is when."""
    if hyper["chunk"] > session.positions:
        key = "tune.chunk" if "lines" in hyper else "la.chunk"
        raise UserError(
            f"{key}={hyper['chunk']}: {session.backbone.name} has {session.positions} positions; give --set "
            f"{key}={session.positions} or less"
        )
    streams = [stream(text, session.tokenizer, session.backbone.fingerprint, hyper) for text in texts]
    shares = module.ratio if module.kind == "ba" else (1,) * len(streams)
    return Turns(streams, [index for index, share in enumerate(shares) for _ in range(share)])


def masked_lm(session: Session) -> Any:
    """A fresh encoder with its pretrained MLM head, which ends before its decoder: that is part of the loss."""
    model = session.masked_lm()
    model.get_output_embeddings().forward = lambda hidden: hidden
    return model


def _free_head(model: Any, hyper: Mapping[str, Any]) -> None:
    # As the reference script does; the decoder is the embedding matrix and stays frozen with it.
    if hyper["head"] == "trained":
        tied = model.get_input_embeddings().weight
        for parameter in head_of(model).parameters():
            parameter.requires_grad_(parameter is not tied)


def _train(
    job: Job, model: Any, session: Session, turns: Turns, held: Sequence[Chunks], hyper: Mapping[str, Any],
    folder: Path, engine: dict[str, Any], emit: Emit, select: str = "best",
    extra: Callable[[], Tensor] | None = None,
) -> TrainedModule:  # fmt: skip
    """Trains what is trainable in ``model``; ``extra`` is a further term of the loss."""
    model.to(session.device)
    seed, probability = hyper["seed"], hyper["mlm_probability"]
    parameters: dict[str, nn.Parameter] = {name: p for name, p in model.named_parameters() if p.requires_grad}
    steps = steps_of(hyper, turns)

    def losses(step: int, budget: int) -> Iterator[Tensor]:
        batch = turns.at(step)
        inputs, labels = mask(batch, session.tokenizer, probability, (seed, step))
        total = max(int((labels != -100).sum()), 1)
        rows = max(budget // batch.shape[1], 1)
        for start in range(0, len(inputs), rows):
            loss, _ = _loss(model, session, inputs[start : start + rows], labels[start : start + rows])
            yield (loss / total)[None]
        if extra is not None:
            yield extra()[None]

    def evaluate() -> list[float]:
        return [-_mean_loss(model, session, held, probability, seed)]

    member = Member(
        job.fingerprint,
        job.label,
        {name: Piece(p) for name, p in parameters.items()},
        folder,
        lambda step: f"step {step} of {steps} of {job.label}",
    )
    training = Training(
        members=[member],
        steps=steps,
        lr=hyper["lr"],
        losses=losses,
        evaluate=evaluate,
        eval_every=hyper["eval_every"],
        mode=model.train,
        device=session.device,
        token_budget=engine["token_budget"] or session.token_budget,
        select=select,
        checkpoint_seconds=engine["checkpoint_seconds"],
    )
    model.eval()
    (before,) = evaluate()
    (trained,) = fit(training, seed, emit)
    if isinstance(trained, TrainingFailedError):
        raise trained
    chunks = sum(len(stream.train) + len(stream.held) for stream in turns.streams)
    return TrainedModule(trained, math.exp(-trained.best_score), math.exp(-before), chunks)


def _mean_loss(model: Any, session: Session, held: Sequence[Chunks], probability: float, seed: int) -> float:
    total, count = 0.0, 0
    with torch.inference_mode():
        for chunks in held:
            rows = max(session.token_budget // chunks.shape[1], 1)
            # The same masks at every evaluation: scores of checkpoints differ by the weights only.
            inputs, labels = mask(chunks, session.tokenizer, probability, (seed, 2**62))
            for start in range(0, len(inputs), rows):
                loss, n = _loss(model, session, inputs[start : start + rows], labels[start : start + rows])
                total, count = total + float(loss), count + n
    return total / max(count, 1)


def _loss(model: Any, session: Session, inputs: Ints, labels: Ints) -> tuple[Tensor, int]:
    """Sum of the masked sub-words' losses, and their number. Only those positions go through the head."""
    ids = torch.as_tensor(inputs, device=session.device)
    gold = torch.as_tensor(labels, device=session.device)
    chosen = gold != -100
    with session.autocast():
        hidden = model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
        # One sequence of all masked positions: the invertible adapter in the head takes (batch, length, hidden).
        hidden = head_of(model)(hidden[chosen].unsqueeze(0)).squeeze(0)
    if session.precision == "bf16":
        hidden = hidden.bfloat16()  # layer norms give fp32; the product with the vocabulary need not
    decoder, gold = model.get_output_embeddings(), gold[chosen]
    return vocabulary_loss(hidden, decoder.weight, decoder.bias, gold), len(gold)


def head_of(model: Any) -> Any:
    """The MLM head of a model of transformers."""
    return model.cls if hasattr(model, "cls") else model.lm_head
