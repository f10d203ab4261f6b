"""Evaluating a task adapter on seven languages of XNLI beside the adapters library's own trainer, on the same rows.

One task adapter, each language on one of four language adapters, from rows to predictions: tokenising and the model's
passes count, loading does not. The peer is ``AdapterTrainer.predict`` by eights in one process that has its model
loaded: *shipped* pads to the task's maximum, as the library's examples do; *dynamic* to the longest of a batch. Each
repetition takes them in turn; ratios are medians over repetitions of the peer's time over xleval's.

Data: MultiNLI and XNLI in their own layouts in folders below ``--data``.

Run: python benchmarks/evaluation.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters import AdapterTrainer
from adapters.composition import Stack
from side_by_side import (
    CASES,
    DYNAMIC,
    LANGUAGES,
    SHIPPED,
    Rows,
    Seconds,
    Setting,
    Shape,
    about,
    arguments,
    prepare,
    task_spec,
)
from transformers import DataCollatorWithPadding, TrainingArguments

from xleval.engine.make import make_predictions, make_task_adapters
from xleval.jobs import PredictionJob, TaskAdapterJob
from xleval.store import Store

EVALUATED = ("eng", "ara", "hin", "swa", "tha", "urd", "zho")
OURS = "xleval"
#: Of the peer's time over xleval's.
LIMIT = 3.0


class Peer:
    """The library's model with a trained task adapter, and its trainer's prediction loop."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting, self.model = setting, setting.library_model()
        self.model.load_adapter(str(folder), load_as="task", use_safetensors=True)

    def predict(self, rows: Sequence[Any], language: str, how: str, width: int) -> Any:
        """Logits of a split."""
        self.model.set_active_adapters(Stack(language, "task"))
        self.model.active_head = "task"
        tokenizer, shape = self.setting.session.tokenizer, self.setting.shape
        padding = {"padding": "max_length"} if how == SHIPPED else {}
        texts = ([row.text_a for row in rows], [row.text_b for row in rows])
        encoded = tokenizer(*texts, truncation=True, max_length=width, **padding)
        items = [{name: values[i] for name, values in encoded.items()} for i in range(len(rows))]
        with tempfile.TemporaryDirectory() as name:
            options = TrainingArguments(
                name, per_device_eval_batch_size=8, report_to=[], disable_tqdm=True,
                use_cpu=shape.device == "cpu", bf16_full_eval=shape.precision == "bf16",
            )  # fmt: skip
            trainer = AdapterTrainer(self.model, options, data_collator=DataCollatorWithPadding(tokenizer))
            return trainer.predict(items).predictions


def measure(setting: Setting, job: TaskAdapterJob, splits: Sequence[Rows], times: int) -> Seconds:
    """To predict all splits."""
    seconds = Seconds()
    with tempfile.TemporaryDirectory() as name:
        store, engine = Store(Path(name)), setting.engine
        assert [error for _, error in make_task_adapters([job], setting.session, store, engine)] == [None]
        peer = Peer(setting, store.open(job.kind, job.fingerprint))
        for repetition in range(times + 1):
            jobs = [_prediction(setting, job, split, repetition, number) for number, split in enumerate(splits)]
            start = time.perf_counter()
            assert all(error is None for _, error in make_predictions(jobs, setting.session, store, engine))
            seconds.note(OURS, time.perf_counter() - start)
            for how in (SHIPPED, DYNAMIC):
                start = time.perf_counter()
                for number, split in enumerate(splits):
                    peer.predict(split.items, LANGUAGES[number % len(LANGUAGES)], how, job.hyper["max_length"])
                seconds.note(how, time.perf_counter() - start)
    seconds.drop_first()
    return seconds


def _prediction(setting: Setting, job: TaskAdapterJob, split: Rows, repetition: int, number: int) -> PredictionJob:
    # Under another name each time: features of a split that was seen are kept.
    fresh: Any = replace(split, fingerprint=f"{split.fingerprint}-{repetition}")
    module = setting.modules[number % len(setting.modules)]
    return PredictionJob(f"{repetition:02}{number:02}" * 16, job.task, job, module, fresh)


def main() -> None:
    """Prints a Markdown table."""
    parser = arguments(__doc__)
    parser.add_argument("--test-rows", type=int, default=1000, help="a language")
    given = parser.parse_args()
    prepare(given.device)
    with tempfile.TemporaryDirectory() as name:
        setting, xnli = Setting(Path(name), Shape.of(given)), task_spec("xnli")
        splits = [
            Rows(f"test-{code}-{given.test_rows}", setting.drawn(xnli, code, "test", xnli, given.test_rows), code)
            for code in EVALUATED
        ]
        seconds = measure(setting, setting.job(CASES[0]), splits, given.times)
    print(f"{about(given)}\n")
    print(f"| evaluation, {len(EVALUATED)} languages × {given.test_rows} rows | s | ÷ xleval |\n|---|--:|--:|")
    print(f"| xleval | {seconds.median(OURS):.2f} | — |")
    for how, limit in ((SHIPPED, LIMIT), (DYNAMIC, 0.0)):
        print(f"| peer, {how} | {seconds.median(how):.2f} | {seconds.ratio(how, OURS, limit)} |")


if __name__ == "__main__":
    main()
