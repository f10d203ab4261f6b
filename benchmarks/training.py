"""Training task adapters beside the adapters library's own trainer, side by side on the same rows.

Both train the same bottleneck adapter and head over the same frozen random encoder, while they cycle over the same
language adapters, with the optimiser, rate and batch of the task's paper. The peer is ``AdapterTrainer`` with a
callback that sets ``Stack`` at each step, as a user writes it: *shipped* pads to the task's maximum, as the library's
examples do; *dynamic* pads to the longest of a batch. Rows are tokenised before the clock starts. xleval is measured
for one training (*alone*), and for a training of a cohort of ``--seeds``. Each repetition takes them in turn; ratios
are medians over repetitions of the peer's time for an example over xleval's.

Then the peak memory of each, once, in a process of its own, after a training of two rows that loads what is loaded
late: on a CPU resident memory above what the process had when models and rows were loaded; on CUDA all that torch
allocated at most.

Data: MultiNLI, SQuAD, WikiANN and UD English-EWT in their own layouts in folders below ``--data``.

Run: python benchmarks/training.py
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from adapters import AdapterTrainer, SeqBnConfig
from adapters.composition import Stack
from side_by_side import (
    CASES,
    DYNAMIC,
    LANGUAGES,
    SHIPPED,
    Case,
    Rows,
    Seconds,
    Setting,
    Shape,
    about,
    arguments,
    ceiling,
    forget_peak,
    measured_apart,
    peak,
    prepare,
)
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from xleval.engine.make import make_task_adapters
from xleval.jobs import TaskAdapterJob
from xleval.store import Store
from xleval.tasks.family import family_of
from xleval.tasks.features import Features

ALONE, COHORT = "xleval alone", "cohort"


def ours(setting: Setting, job: TaskAdapterJob, seeds: int, repetition: int) -> float:
    """Seconds that the loop takes for an epoch of several seeds in one cohort, divided by their number."""
    jobs = [replace(job, seed=seed, fingerprint=f"{repetition:02}{seed:02}" * 16) for seed in range(seeds)]
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name))
        made = list(make_task_adapters(jobs, setting.session, store, setting.engine))
        assert all(error is None for _, error in made)
        # Of the loop alone: making and storing adapters is not in the peer's time either.
        return float(sum(store.manifest(one.kind, one.fingerprint)["seconds"] for one in jobs)) / seeds


class Switch(TrainerCallback):  # type: ignore[misc]
    """Sets the language adapter of a step, as a user of the library writes it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def on_step_begin(self, arguments: Any, state: Any, control: Any, **more: Any) -> None:
        self.model.set_active_adapters(Stack(LANGUAGES[state.global_step % len(LANGUAGES)], "task"))


class Peer:
    """The library's model and trainer on the same rows."""

    def __init__(self, setting: Setting, job: TaskAdapterJob) -> None:
        self.setting, self.job, self.family = setting, job, family_of(job.task.family)
        self.features = self.family.features(job.train.rows((), {}), setting.session.tokenizer, job.hyper)
        self.pad = setting.session.tokenizer.pad_token_id

    def train(self, how: str) -> float:
        """Seconds of an epoch."""
        with tempfile.TemporaryDirectory() as name:
            trainer = self.trainer(how, name)
            start = time.perf_counter()
            trainer.train()
            return time.perf_counter() - start

    def trainer(self, how: str, folder: str) -> Any:
        """Its trainer with a new task adapter, all loaded."""
        hyper, shape = self.job.hyper, self.setting.shape
        model = self.setting.library_model()
        torch.manual_seed(1)
        config = SeqBnConfig(reduction_factor=hyper["reduction"], non_linearity=hyper["non_linearity"])
        model.add_adapter("task", config=config)
        self.family.add_head(model, "task", self.job.task.labels, hyper)
        model.train_adapter("task")
        if self.job.task.family == "dependency-parsing":
            model.config.pad_token_id = -1  # as the library's example has it: 0 is the root
        options = TrainingArguments(
            folder, per_device_train_batch_size=hyper["batch"], num_train_epochs=1, learning_rate=hyper["lr"],
            logging_strategy="no", save_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False,
            use_cpu=shape.device == "cpu", bf16=shape.precision == "bf16", dataloader_num_workers=0,
        )  # fmt: skip
        trainer = AdapterTrainer(
            model, options, train_dataset=list(range(len(self.features))), data_collator=self.collator(how),
            callbacks=[Switch(model)],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        return trainer

    def collator(self, how: str) -> Callable[[Sequence[int]], dict[str, torch.Tensor]]:
        """Batches from arrays that are padded already (shipped), or padded when they are put together."""
        most = self.job.hyper["max_length"]
        if how == SHIPPED:
            whole = batch_of(self.job, self.features, np.arange(len(self.features)), self.pad, most)
            return lambda indices: {name: value[list(indices)] for name, value in whole.items()}

        def dynamic(indices: Sequence[int]) -> dict[str, torch.Tensor]:
            chosen = np.array(indices)
            return batch_of(self.job, self.features, chosen, self.pad, int(self.features.lengths[chosen].max()))

        return dynamic


def batch_of(job: TaskAdapterJob, features: Any, indices: Any, pad: int, width: int) -> dict[str, torch.Tensor]:
    """What the library's heads take, padded to ``width`` sub-words."""
    lengths = features.lengths[indices]
    found = {
        "input_ids": features.padded(features.ids, indices, width, pad),
        "attention_mask": (np.arange(width) < lengths[:, None]).astype(np.int64),
        "token_type_ids": features.padded(features.segments, indices, width, 0),
    }
    family = job.task.family
    if family == "sequence-classification":
        found["labels"] = features.labels[indices].astype(np.int64)
    elif family == "token-classification":
        found["labels"] = features.padded(features.tags, indices, width, -100)
    elif family == "question-answering":
        found |= {"start_positions": features.first[indices].astype(np.int64)}
        found |= {"end_positions": features.last[indices].astype(np.int64)}
    else:
        found |= trees_of(features, indices, width)
    return {name: torch.as_tensor(value) for name, value in found.items()}


def trees_of(features: Any, indices: Any, width: int) -> dict[str, Any]:
    """What the library's biaffine head takes: where words start, heads and relations, -1 behind the last."""
    starts, arcs, relations = (np.full((len(indices), width + add), -1) for add in (1, 0, 0))
    for row, index in enumerate(indices):
        words = features.words[features.offsets[index] : features.offsets[index + 1]]
        inside = words[words >= 0]
        places = np.cumsum([1, *np.bincount(inside)])
        flat = slice(features.starts[index], features.starts[index + 1])
        starts[row, : len(places)] = places
        arcs[row, : len(places) - 1] = features.heads[flat]
        relations[row, : len(places) - 1] = features.relations[flat]
    return {"word_starts": starts, "labels_arcs": arcs, "labels_rels": relations}


def readable(job: TaskAdapterJob, setting: Setting) -> TaskAdapterJob:
    """Without sentences that the library's parsing head cannot take: several windows, or words without sub-words."""
    if job.task.family != "dependency-parsing":
        return job
    rows = job.train.rows((), {})
    features: Any = family_of(job.task.family).features(rows, setting.session.tokenizer, job.hyper)
    assert features.firsts is not None
    kept = []
    for index, row in enumerate(features.rows):
        flat = slice(features.starts[index], features.starts[index + 1])
        if features.firsts[index + 1] - features.firsts[index] == 1 and (features.heads[flat] >= 0).all():
            kept.append(rows[row])
    train: Any = Rows(f"{job.train.fingerprint}-readable", tuple(kept))
    return replace(job, train=train)


def memory(setting: Setting, case: Case, who: str, seeds: int) -> float:
    """MiB that one training of an epoch takes at most."""
    job = readable(setting.job(case), setting)
    train = warmed(setting, replace(job, train=first_two(job)), who, seeds)
    train()
    train = warmed(setting, job, who, seeds)
    gc.collect()  # the trainer of the two rows, which refers to itself
    forget_peak()
    before = peak()
    if setting.shape.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    train()
    return peak() - before if setting.shape.device == "cpu" else torch.cuda.max_memory_allocated() / 2**20


def first_two(job: TaskAdapterJob) -> Any:
    """Two rows, which take next to no memory."""
    return Rows(f"{job.train.fingerprint}-two", tuple(job.train.rows((), {})[:2]))


def warmed(setting: Setting, job: TaskAdapterJob, who: str, seeds: int) -> Callable[[], Any]:
    """A training of which only the loop is left to do."""
    if who in (SHIPPED, DYNAMIC):
        setting.session.model.to("cpu")  # xleval's encoder is no part of what the peer takes
        folder = tempfile.mkdtemp(dir=setting.folder)
        trainer = Peer(setting, job).trainer(who, folder)
        return lambda: trainer.train()
    setting.session.encoded(job.task, job.train, job.hyper)
    return lambda: ours(setting, job, seeds if who == COHORT else 1, 0)


def operations(setting: Setting, features: Features) -> float:
    """Floating-point operations of a training step's two passes, an example: 4 × weights × sub-words, no padding."""
    size, layers = setting.shape.hidden, setting.shape.layers
    attention = 2 * float(np.mean(features.lengths.astype(float) ** 2)) / float(features.lengths.mean()) * size
    weights = layers * (12 * size**2 + 2 * size * (size // 2 + size // 16) + attention)
    return float(4 * weights * float(features.lengths.mean()))


def main() -> None:
    """Prints Markdown tables."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="task adapters in the cohort")
    parser.add_argument("--rows", type=float, default=1.0, help="times the rows that each case has")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="these alone")
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "WHO"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    prepare(given.device)
    cases = {case.name: replace(case, rows=int(case.rows * given.rows)) for case in CASES}
    with tempfile.TemporaryDirectory() as name:
        if given.memory:
            case, who = given.memory
            print(json.dumps(memory(Setting(Path(name), Shape.of(given)), cases[case], who, given.seeds)))
            return
        chosen = [case for case in cases.values() if not given.case or case.name in given.case]
        _time_table(Setting(Path(name), Shape.of(given)), chosen, given)
    _memory_table(chosen, given)


def _time_table(setting: Setting, cases: Sequence[Case], given: argparse.Namespace) -> None:
    top, seeds = ceiling(given.device, given.precision), given.seeds
    print(f"{about(given)} Matrix products reach {top / 1e9:.0f} GFLOP/s.\n")
    print(
        f"| training | sub-words | xleval alone: examples/s | sub-words/s | of the ceiling | peer, shipped ÷ alone | "
        f"peer, dynamic ÷ alone | a training of {seeds}: examples/s | shipped ÷ of {seeds} | dynamic ÷ of {seeds} |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for case in cases:
        job = readable(setting.job(case), setting)
        peer, seconds = Peer(setting, job), Seconds()
        for repetition in range(given.times + 1):
            seconds.note(ALONE, ours(setting, job, 1, repetition))
            seconds.note(COHORT, ours(setting, job, seeds, repetition))
            for how in (SHIPPED, DYNAMIC):
                seconds.note(how, peer.train(how))
        seconds.drop_first()
        count, length = len(peer.features), float(peer.features.lengths.mean())
        alone, cohort = (count / seconds.median(who) for who in (ALONE, COHORT))
        share = alone * operations(setting, peer.features) / top
        shipped, dynamic = seconds.ratio(SHIPPED, ALONE, case.shipped), seconds.ratio(DYNAMIC, ALONE, case.dynamic)
        of_cohort = " | ".join(seconds.ratio(how, COHORT) for how in (SHIPPED, DYNAMIC))
        print(
            f"| {case.name}, batch {job.hyper['batch']} | {length:.0f} | {alone:.0f} | {alone * length:.0f} | "
            f"{share:.0%} | {shipped} | {dynamic} | {cohort:.0f} | {of_cohort} |",
            flush=True,
        )


def _memory_table(cases: Sequence[Case], given: argparse.Namespace) -> None:
    kind = "above what was loaded" if given.device == "cpu" else "allocated"
    print(f"\n| peak memory {kind}, MiB | xleval alone | a training of {given.seeds} | peer, shipped | peer, dynamic |")
    print("|---|--:|--:|--:|--:|")
    for case in cases:
        found = [
            measured_apart(__file__, [*sys.argv[1:], "--memory", case.name, who])
            for who in (ALONE, COHORT, SHIPPED, DYNAMIC)
        ]
        print(f"| {case.name} | {' | '.join(f'{mib:.0f}' for mib in found)} |", flush=True)


if __name__ == "__main__":
    main()
