"""Training and evaluating task adapters beside the adapters library's own trainer, side by side on the same rows.

Both train the same bottleneck adapter and head over the same frozen random encoder, while they cycle over the same
language adapters, with the optimiser, rate and batch of the task's paper. The peer is ``AdapterTrainer`` with a
callback that sets ``Stack`` at each step, as a user writes it: *shipped* pads to the task's maximum, as the library's
examples do; *dynamic* pads to the longest of a batch. Rows are tokenised before the clock starts. xleval is measured
for one training (*alone*), and for a training of a cohort of ``--seeds``. Each repetition takes them in turn; ratios
are medians over repetitions of the peer's time for an example over xleval's.

Evaluation: all languages of XNLI with one task adapter, each on its own language adapter, from rows to predictions.

Data: MultiNLI, XNLI, SQuAD, WikiANN and UD English-EWT in their own layouts in folders below ``--data``.

Run: python benchmarks/training.py
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import adapters
import numpy as np
import torch
import transformers
from adapters import AdapterTrainer, AutoAdapterModel, SeqBnConfig
from adapters.composition import Stack
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from xleval.backbones import Backbone
from xleval.engine.make import make_predictions, make_task_adapters
from xleval.engine.session import Session
from xleval.hyperparameters import group, merged, of_task_adapter
from xleval.jobs import LanguageAdapterJob, PredictionJob, TaskAdapterJob
from xleval.recipe import LA
from xleval.resources import resource
from xleval.store import Store
from xleval.tasks.family import family_of
from xleval.tasks.features import Features
from xleval.tasks.located import DataOptions, Located
from xleval.tasks.sources import locate
from xleval.tasks.spec import TaskSpec, load_spec
from xleval.testing import make_backbone

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LANGUAGES = ("eng", "swa", "hin", "tha")
SHIPPED, DYNAMIC = "shipped", "dynamic"


@dataclass(frozen=True)
class Case:
    """A task: its spec and source, training rows to take, and the limits of issue or paper to hold."""

    name: str
    task: str
    source: str
    rows: int
    shipped: float
    dynamic: float


CASES = (
    Case("NLI", "xnli", "mnli", 640, 3.0, 1.5),
    Case("QA", "xquad", "squad", 96, 2.5, 1.5),
    Case("parsing", "ud-parsing", "ud-english-ewt", 320, 20.0, 1.5),
    Case("NER", "panx", "wikiann-en", 640, 2.0, 1.5),
)


@dataclass(frozen=True)
class Rows:
    """A split in memory."""

    fingerprint: str
    items: tuple[Any, ...]
    language: str = "eng"
    origin: str = "benchmark"
    dataset: str = "benchmark"

    def rows(self, labels: Any, label_map: Any) -> list[Any]:
        return list(self.items)

    def stream(self, labels: Any, label_map: Any) -> Iterator[Any]:
        return iter(self.items)


class Setting:
    """An encoder, language adapters for it, and a session."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given = folder, given
        self.tokenizer = given.data / "tokenizers" / "bert-base-multilingual-cased"
        path = make_backbone(self.tokenizer, folder / "model", hidden=given.hidden, layers=given.layers)
        self.backbone = Backbone("small", str(path))
        self.session = Session(self.backbone, given.device, given.precision)
        self.modules = [self._module(code) for code in LANGUAGES]

    def _module(self, code: str) -> LanguageAdapterJob:
        model = AutoAdapterModel.from_pretrained(self.backbone.path())
        model.add_adapter(code, config="seq_bn_inv")
        model.save_adapter(str(self.folder / code), code, with_head=False, use_safetensors=True)
        return LanguageAdapterJob(code * 20, LA(code), {}, (), self.folder / code)

    def job(self, case: Case) -> TaskAdapterJob:
        """One epoch of a case's rows."""
        specs = resource("task_specs")
        task = load_spec(specs / f"{case.task}.yaml")
        source = load_spec(specs / "sources" / f"{case.source}.yaml")
        assert isinstance(task, TaskSpec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sample in place of the whole
            found = locate(source, "eng", "train", DataOptions(self.given.data, offline=True), {})
            rows = self._drawn(found, task, case.rows * self.given.times)
        values = of_task_adapter(merged(task.hyperparameters), task.family, "bottleneck")
        hyper = {**values, "epochs": 1, "eval_every": 10**9, "select": "last"}
        if hyper.get("head") == "auto":
            hyper["head"] = "pooler"
        train, dev = Rows(f"{case.name}-train", tuple(rows[: case.rows])), Rows(f"{case.name}-dev", tuple(rows[:4]))
        return TaskAdapterJob(
            fingerprint="0" * 64, task=task, train=train, dev=dev, hyper=hyper, seed=1,  # type: ignore[arg-type]
            cycle=tuple(self.modules), dev_module=self.modules[0], drop_last=False, source_language="eng",
        )  # fmt: skip

    def _drawn(self, found: Located, task: TaskSpec, count: int) -> list[Any]:
        rows = found.rows(task.labels, task.label_map)
        order = np.random.default_rng(0).permutation(len(rows))[:count]
        return [rows[i] for i in order]


def ours(setting: Setting, job: TaskAdapterJob, seeds: int, repetition: int) -> float:
    """Seconds that the loop takes for an epoch of several seeds in one cohort, divided by their number."""
    jobs = [replace(job, seed=seed, fingerprint=f"{repetition:02}{seed:02}" * 16) for seed in range(seeds)]
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name))
        made = list(make_task_adapters(jobs, setting.session, store, group(merged(), "engine")))
        assert all(error is None for _, error in made)
        # Of the loop alone: making and storing adapters is not in the peer's time either.
        return sum(store.manifest(one.kind, one.fingerprint)["seconds"] for one in jobs) / seeds


class Switch(TrainerCallback):
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
        hyper, setting = self.job.hyper, self.setting
        model = AutoAdapterModel.from_pretrained(setting.backbone.path())
        for module in setting.modules:
            model.load_adapter(str(module.folder), load_as=module.language, use_safetensors=True, with_head=False)
        torch.manual_seed(1)
        config = SeqBnConfig(reduction_factor=hyper["reduction"], non_linearity=hyper["non_linearity"])
        model.add_adapter("task", config=config)
        self.family.add_head(model, "task", self.job.task.labels, hyper)
        model.train_adapter("task")
        if self.job.task.family == "dependency-parsing":
            model.config.pad_token_id = -1  # as the library's example has it: 0 is the root
        with tempfile.TemporaryDirectory() as name:
            arguments = TrainingArguments(
                name, per_device_train_batch_size=hyper["batch"], num_train_epochs=1, learning_rate=hyper["lr"],
                logging_strategy="no", save_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False,
                use_cpu=setting.given.device == "cpu", bf16=setting.given.precision == "bf16", dataloader_num_workers=0,
            )  # fmt: skip
            trainer = AdapterTrainer(
                model, arguments, train_dataset=list(range(len(self.features))), data_collator=self.collator(how),
                callbacks=[Switch(model)],
            )  # fmt: skip
            trainer.remove_callback(PrinterCallback)
            start = time.perf_counter()
            trainer.train()
            return time.perf_counter() - start

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


def whole_sentences(job: TaskAdapterJob, setting: Setting) -> TaskAdapterJob:
    """Without sentences that the library's parsing head cannot take: several windows, or words without sub-words."""
    rows = job.train.rows((), {})
    features: Any = family_of(job.task.family).features(rows, setting.session.tokenizer, job.hyper)
    assert features.firsts is not None
    kept = []
    for index, row in enumerate(features.rows):
        flat = slice(features.starts[index], features.starts[index + 1])
        if features.firsts[index + 1] - features.firsts[index] == 1 and (features.heads[flat] >= 0).all():
            kept.append(rows[row])
    return replace(job, train=replace(job.train, items=tuple(kept)))  # type: ignore[type-var]


def evaluation(setting: Setting, job: TaskAdapterJob, times: int) -> dict[str, list[float]]:
    """Seconds to predict all languages of XNLI, from rows: xleval in large batches, the peer by eights."""
    spec = load_spec(resource("task_specs") / "xnli.yaml")
    assert isinstance(spec, TaskSpec)
    splits = []
    for code in ("eng", "ara", "hin", "swa", "tha", "urd", "zho"):
        found = locate(spec, code, "test", DataOptions(setting.given.data, offline=True), {})
        rows = setting._drawn(found, spec, setting.given.test_rows)
        splits.append(Rows(f"test-{code}", tuple(rows), code))
    with tempfile.TemporaryDirectory() as name:
        store, engine = Store(Path(name)), group(merged(), "engine")
        list(make_task_adapters([job], setting.session, store, engine))
        peer = EvaluatedPeer(setting, store.open(job.kind, job.fingerprint))
        seconds: dict[str, list[float]] = {"ours": [], SHIPPED: [], DYNAMIC: []}
        for repetition in range(times):
            fresh = [replace(split, fingerprint=f"{split.fingerprint}-{repetition}") for split in splits]
            jobs = [
                PredictionJob(f"{repetition:02}{i:02}" * 16, job.task, job, setting.modules[i % 4], split)  # type: ignore[arg-type]
                for i, split in enumerate(fresh)
            ]
            start = time.perf_counter()
            assert all(error is None for _, error in make_predictions(jobs, setting.session, store, engine))
            seconds["ours"].append(time.perf_counter() - start)
            for how in (SHIPPED, DYNAMIC):
                start = time.perf_counter()
                for i, split in enumerate(splits):
                    peer.predict(split.items, LANGUAGES[i % 4], how, job.hyper["max_length"])
                seconds[how].append(time.perf_counter() - start)
    return seconds


class EvaluatedPeer:
    """The library's model with a trained task adapter, and its trainer's prediction loop."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting = setting
        self.model = AutoAdapterModel.from_pretrained(setting.backbone.path())
        for module in setting.modules:
            self.model.load_adapter(str(module.folder), load_as=module.language, use_safetensors=True, with_head=False)
        self.model.load_adapter(str(folder), load_as="task", use_safetensors=True)

    def predict(self, rows: Sequence[Any], language: str, how: str, width: int) -> Any:
        """Logits of a split."""
        self.model.set_active_adapters(Stack(language, "task"))
        self.model.active_head = "task"
        tokenizer, texts = self.setting.session.tokenizer, ([row.text_a for row in rows], [row.text_b for row in rows])
        padding = {"padding": "max_length"} if how == SHIPPED else {}
        encoded = tokenizer(*texts, truncation=True, max_length=width, **padding)
        items = [{name: values[i] for name, values in encoded.items()} for i in range(len(rows))]
        collator = transformers.DataCollatorWithPadding(tokenizer)
        with tempfile.TemporaryDirectory() as name:
            arguments = TrainingArguments(
                name, per_device_eval_batch_size=8, report_to=[], disable_tqdm=True,
                use_cpu=self.setting.given.device == "cpu", bf16_full_eval=self.setting.given.precision == "bf16",
            )  # fmt: skip
            return AdapterTrainer(self.model, arguments, data_collator=collator).predict(items).predictions


def ceiling(device: str, precision: str) -> float:
    """FLOP a second of a large matrix product: what a machine can do at most."""
    dtype, size = (torch.bfloat16, 8192) if precision == "bf16" and device != "cpu" else (torch.float32, 1024)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = math.inf
    for _ in range(10):
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        a @ b
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def operations(setting: Setting, features: Features) -> float:
    """Floating-point operations of a training step's two passes, an example: 4 × weights × sub-words, no padding."""
    size, layers = setting.given.hidden, setting.given.layers
    attention = 2 * float(np.mean(features.lengths.astype(float) ** 2)) / float(features.lengths.mean()) * size
    weights = layers * (12 * size**2 + 2 * size * (size // 2 + size // 16) + attention)
    return 4 * weights * float(features.lengths.mean())


def ratios(peer: Sequence[float], mine: Sequence[float]) -> tuple[float, str]:
    """Median of the ratios within repetitions, and in words with their range."""
    found = [a / b for a, b in zip(peer, mine, strict=True)]
    return statistics.median(found), f"{statistics.median(found):.1f} ({min(found):.1f} to {max(found):.1f})"


def main() -> None:
    """Prints Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the data sets and tokenizers/")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=5, help="task adapters in the cohort")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rows", type=float, default=1.0, help="times the rows that each case has")
    parser.add_argument("--test-rows", type=int, default=200, help="a language, in the evaluation")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="these alone")
    given = parser.parse_args()
    if given.device == "cpu":
        torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    top = ceiling(given.device, given.precision)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}, "
        f"adapters {adapters.__version__}, {given.device}, {given.precision}, {torch.get_num_threads()} thread(s); "
        f"load {os.getloadavg()[0]:.1f}. Encoder of {given.layers} layers × {given.hidden}; matrix products reach "
        f"{top / 1e9:.0f} GFLOP/s. Medians of {given.times} repetitions in turn (range).\n"
    )
    with tempfile.TemporaryDirectory() as name:
        setting = Setting(Path(name), given)
        cases = [replace(case, rows=int(case.rows * given.rows)) for case in CASES]
        _train_table(setting, [case for case in cases if not given.case or case.name in given.case], top)
        if not given.case or "NLI" in given.case:
            _evaluation_table(setting, evaluation(setting, setting.job(cases[0]), given.times))


def _train_table(setting: Setting, cases: Sequence[Case], top: float) -> None:
    seeds = setting.given.seeds
    print(
        f"| training | sub-words | xleval alone: examples/s | sub-words/s | of the ceiling | peer, shipped ÷ alone | "
        f"peer, dynamic ÷ alone | a training of {seeds}: examples/s | shipped ÷ of {seeds} | dynamic ÷ of {seeds} |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for case in cases:
        job = setting.job(case)
        if job.task.family == "dependency-parsing":
            job = whole_sentences(job, setting)
        peer, times = Peer(setting, job), _Times()
        for repetition in range(setting.given.times + 1):
            times.note("alone", ours(setting, job, 1, repetition))
            times.note("cohort", ours(setting, job, seeds, repetition))
            for how in (SHIPPED, DYNAMIC):
                times.note(how, peer.train(how))
        times.drop_first()
        count, length = len(peer.features), float(peer.features.lengths.mean())
        alone, cohort = (count / statistics.median(times[who]) for who in ("alone", "cohort"))
        share = alone * operations(setting, peer.features) / top
        limits = {SHIPPED: case.shipped, DYNAMIC: case.dynamic}
        cells = [_judged(times, how, "alone", limit) for how, limit in limits.items()]
        more = [ratios(times[how], times["cohort"])[1] for how in (SHIPPED, DYNAMIC)]
        print(
            f"| {case.name}, batch {job.hyper['batch']} | {length:.0f} | {alone:.0f} | {alone * length:.0f} | "
            f"{share:.0%} | {cells[0]} | {cells[1]} | {cohort:.0f} | {more[0]} | {more[1]} |",
            flush=True,
        )


class _Times(dict[str, list[float]]):
    def note(self, who: str, seconds: float) -> None:
        self.setdefault(who, []).append(seconds)

    def drop_first(self) -> None:
        for some in self.values():
            del some[0]  # it warms up


def _judged(times: Mapping[str, list[float]], peer: str, mine: str, limit: float) -> str:
    median, said = ratios(times[peer], times[mine])
    return said if median >= limit else f"{said} **below {limit:g}**"


def _evaluation_table(setting: Setting, seconds: dict[str, list[float]]) -> None:
    print(f"\n| evaluation, 7 languages × {setting.given.test_rows} rows | s | ÷ xleval |\n|---|--:|--:|")
    print(f"| xleval | {statistics.median(seconds['ours']):.2f} | — |")
    for how in (SHIPPED, DYNAMIC):
        print(f"| peer, {how} | {statistics.median(seconds[how]):.2f} | {ratios(seconds[how], seconds['ours'])[1]} |")


if __name__ == "__main__":
    main()
