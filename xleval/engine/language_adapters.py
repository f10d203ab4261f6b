"""Language adapters of many languages trained in one pass over the frozen encoder, each on its own text.

What :mod:`xleval.engine.mlm` trains one by one: the same steps, masks, selection and weights, whoever goes beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from xleval.engine import checkpoint
from xleval.engine.bank import adapter_places
from xleval.engine.checkpoint import Piece
from xleval.engine.dropout import Field
from xleval.engine.encoder import Encoder, Inputs
from xleval.engine.graphs import graphs_of
from xleval.engine.loop import Member, Training, TrainingFailedError, fit
from xleval.engine.mlm import TrainedModule, add_language_adapter, head_of, masked_lm, select_on, steps_of, turns_of
from xleval.engine.session import Session
from xleval.engine.stacked import Layout, Stacked
from xleval.engine.text import Turns, mask
from xleval.engine.vocabulary import vocabulary_loss
from xleval.errors import UserError
from xleval.events import Emit, silent
from xleval.jobs import LanguageAdapterJob
from xleval.store import Store
from xleval.tasks.features import Ints

#: Name of an adapter in the model while its weights are taken out or put in.
_PLACE = "la"


@dataclass(frozen=True)
class TrainedAdapter:
    """A job's adapter, to be written by ``save(folder)``, or what went wrong with it."""

    job: LanguageAdapterJob
    result: TrainedModule | Exception
    cohort: _Words | None = None
    index: int = 0

    @property
    def company(self) -> int:
        """How many were trained side by side."""
        return len(self.cohort.jobs) if self.cohort else 0

    def save(self, folder: Path) -> None:
        """Writes it in the adapters library's format."""
        assert self.cohort is not None
        self.cohort.save(self.index, folder)


def train_language_adapters(
    jobs: Sequence[LanguageAdapterJob], session: Session, store: Store, engine: dict[str, Any], emit: Emit = silent
) -> Iterator[TrainedAdapter]:
    """Trains language, bilingual and multilingual adapters side by side, in as few cohorts as they can be in.

    Of one cohort are those with the same hyperparameters, steps and chunks, at the same step.

    Raises:
        TrainingFailedError: out of memory with one chunk a pass.
    """
    cohorts: dict[Any, list[tuple[LanguageAdapterJob, Turns]]] = {}
    for number, job in enumerate(jobs):
        try:
            turns = turns_of(job.module, job.texts, session, job.hyper)
        except UserError as error:
            yield TrainedAdapter(job, error)
            continue
        widths = {stream.train.shape[1] for stream in turns.streams}
        step = checkpoint.step_of(store.partial(job.fingerprint))
        shape = widths.pop() if len(widths) == 1 else (number,)
        key = (tuple(sorted(job.hyper.items())), steps_of(job.hyper, turns), shape, step)
        cohorts.setdefault(key, []).append((job, turns))
    for members in cohorts.values():
        words = _Words(members, session, store, engine, emit)
        before = words.evaluate()
        results = fit(words.training, words.hyper["seed"], emit)
        for index, (job, turns) in enumerate(members):
            trained = results[index]
            if isinstance(trained, TrainingFailedError):
                yield TrainedAdapter(job, trained)
                continue
            chunks = sum(len(stream.train) + len(stream.held) for stream in turns.streams)
            perplexities = math.exp(-trained.best_score), math.exp(-before[index])
            yield TrainedAdapter(job, TrainedModule(trained, *perplexities, chunks), words, index)


class _Words:
    """A cohort: adapters in slots over the encoder of a masked language model, each with a head of its own."""

    def __init__(
        self,
        members: Sequence[tuple[LanguageAdapterJob, Turns]],
        session: Session,
        store: Store,
        engine: dict[str, Any],
        emit: Emit,
    ) -> None:
        self.jobs, self.turns = [job for job, _ in members], [turns for _, turns in members]
        self.session, self.hyper = session, self.jobs[0].hyper
        self.model = masked_lm(session).eval()
        dtype = torch.bfloat16 if session.precision == "bf16" else torch.float32
        self.encoder, self.head = Encoder(self.model.base_model, dtype), head_of(self.model)
        self.compute = graphs_of(session, self.encoder, engine, emit) or self.encoder
        decoder = self.model.get_output_embeddings()
        self.name_of_bias = next(name for name, p in self.head.named_parameters() if p is decoder.bias)
        add_language_adapter(self.model, _PLACE, self.hyper)  # drawn from a seed that all members share
        self.model.to(session.device)
        own = self._weights(_PLACE)
        layout = Layout.of(own, self.hyper["non_linearity"])
        assert layout is not None
        self.layout = layout
        stacked = layout.stack([[p.detach() for p in own.values()]] * len(members))
        self.model.delete_adapter(_PLACE)
        self.tensors = {name: nn.Parameter(tensor) for name, tensor in stacked.items()}
        self.heads: list[dict[str, Tensor]] = [self._new_head() for _ in members]
        budget = engine["token_budget"]
        self.one, self.room = budget or session.token_budget, budget or session.room
        self.held = [select_on(job, turns) for job, turns in members]
        self.training = Training(
            members=[self._member(index, store) for index in range(len(members))],
            steps=steps_of(self.hyper, self.turns[0]),
            lr=self.hyper["lr"],
            losses=self._losses,
            evaluate=self.evaluate,
            eval_every=self.hyper["eval_every"],
            mode=lambda on: None,
            device=session.device,
            token_budget=self.room,
            checkpoint_seconds=engine["checkpoint_seconds"],
        )

    def _weights(self, name: str) -> dict[str, nn.Parameter]:
        places = adapter_places([name])
        return {n: p for n, p in self.model.named_parameters() if any(place in f".{n}" for place in places)}

    def _new_head(self) -> dict[str, Tensor]:
        """What trains of the head: all but its decoder, which is the embedding matrix; nothing if it is frozen."""
        tied = self.model.get_input_embeddings().weight
        named = self.head.named_parameters() if self.hyper["head"] == "trained" else ()
        return {name: nn.Parameter(p.detach().clone()) for name, p in named if p is not tied}

    def _member(self, index: int, store: Store) -> Member:
        job, steps = self.jobs[index], steps_of(self.hyper, self.turns[index])
        pieces = {name: Piece(p, index) for name, p in self.tensors.items()}
        pieces |= {f"head.{name}": Piece(p) for name, p in self.heads[index].items() if isinstance(p, nn.Parameter)}
        where = f"of {steps} of {job.label}"
        return Member(job.fingerprint, job.label, pieces, store.partial(job.fingerprint), lambda s: f"step {s} {where}")

    def _losses(self, step: int, budget: int) -> Iterator[Tensor]:
        hyper, tokenizer, count = self.hyper, self.session.tokenizer, len(self.jobs)
        batches = [turns.at(step) for turns in self.turns]
        masked = [mask(batch, tokenizer, hyper["mlm_probability"], (hyper["seed"], step)) for batch in batches]
        totals = [max(int((labels != -100).sum()), 1) for _, labels in masked]
        # Batches of one size but at an epoch's end, where languages have different rests.
        rows = max(min(self.one, budget) // batches[0].shape[1], 1)
        for number, start in enumerate(range(0, max(map(len, batches)), rows)):
            parts = [(inputs[start : start + rows], labels[start : start + rows]) for inputs, labels in masked]
            by_size: dict[int, list[int]] = {}
            for slot, (inputs, _) in enumerate(parts):
                by_size.setdefault(len(inputs), []).append(slot)
            for size, slots in by_size.items():
                together = max(budget // max(size * batches[0].shape[1], 1), 1) if size else len(slots)
                for first in range(0, len(slots) if size else 0, together):
                    chosen = slots[first : first + together]
                    found = self._sums([parts[slot] for slot in chosen], chosen, (step, number))
                    losses = [torch.zeros((), device=self.session.device)] * count
                    for slot, loss in zip(chosen, found, strict=True):
                        losses[slot] = loss / totals[slot]
                    yield torch.stack(losses)

    def evaluate(self) -> list[float]:
        """Minus the mean loss over each member's held-out text, with the same masks at every evaluation."""
        return [-self._held_loss(slot) for slot in range(len(self.jobs))]

    def _held_loss(self, slot: int) -> float:
        hyper, total, count = self.hyper, 0.0, 0
        with torch.inference_mode():
            for chunks in self.held[slot]:
                rows = max(self.room // chunks.shape[1], 1)
                inputs, labels = mask(chunks, self.session.tokenizer, hyper["mlm_probability"], (hyper["seed"], 2**62))
                for start in range(0, len(inputs), rows):
                    part = inputs[start : start + rows], labels[start : start + rows]
                    (loss,) = self._sums([part], [slot], None)
                    total, count = total + float(loss), count + int((part[1] != -100).sum())
        return total / max(count, 1)

    def _sums(
        self, parts: Sequence[tuple[Ints, Ints]], slots: Sequence[int], number: tuple[int, int] | None
    ) -> Iterator[Tensor]:
        """Sums of the masked sub-words' losses, one a slot; only those positions go through the heads."""
        session, encoder = self.session, self.encoder
        ids, labels = (np.stack(of) for of in zip(*parts, strict=True))
        on = session.on_device({"ids": ids, "gold": labels})
        field = None
        if number is not None and (draws := encoder.draws(*on["ids"].shape[1:], first_only=False)):
            field = Field.of([self.hyper["seed"]] * len(slots), number, draws, session.device)
        whole = list(slots) == list(range(len(self.jobs)))
        own = {name: p if whole else p[list(slots)] for name, p in self.tensors.items()}
        adapter = Stacked(self.layout, own, encoder.dtype)
        rows = self.compute(Inputs(on["ids"]), [adapter], field).unbind()
        couplings = adapter.coupling.apart() if adapter.coupling else [None] * len(slots)
        decoder = self.model.get_output_embeddings()
        for index, slot in enumerate(slots):
            gold, own_head = on["gold"][index], self.heads[slot]
            chosen = gold != -100
            with session.autocast():
                found = functional_call(self.head, own_head, (rows[index][chosen],))
            if coupling := couplings[index]:
                found = coupling.inverse(found[None].to(encoder.dtype))[0]
            bias = own_head.get(self.name_of_bias, decoder.bias)
            yield vocabulary_loss(found.to(encoder.dtype), decoder.weight, bias, gold[chosen])

    def save(self, index: int, folder: Path) -> None:
        """Writes a member's adapter under the name of its languages."""
        name = self.jobs[index].language
        add_language_adapter(self.model, name, self.hyper)
        with torch.no_grad():
            for parameter, weight in zip(
                self._weights(name).values(), self.layout.views(self.tensors, index), strict=True
            ):
                parameter.copy_(weight)
        self.model.save_adapter(str(folder), name, with_head=False, use_safetensors=True)
        self.model.delete_adapter(name)
