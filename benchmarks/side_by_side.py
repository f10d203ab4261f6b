"""What the comparisons with the adapters library share: encoder, data, the arithmetic of times, the arguments.

``training.py`` and ``evaluation.py`` put xleval and the peer side by side on the same rows; ``curves.py`` has xleval
alone in the same setting. The peer is ``AdapterTrainer`` as a user writes it. *Shipped* pads to the maximum of the
task, as the examples of the library do; *dynamic* pads to the longest of a batch.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from adapters import AutoAdapterModel, SeqBnInvConfig

from xleval.backbones import Backbone
from xleval.engine.session import Session
from xleval.hyperparameters import group, merged, of_task_adapter
from xleval.jobs import LanguageAdapterJob, TaskAdapterJob
from xleval.recipe import LA
from xleval.resources import resource as data_folder
from xleval.tasks.located import DataOptions
from xleval.tasks.sources import locate
from xleval.tasks.spec import TaskSpec, load_spec
from xleval.testing import make_backbone

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LANGUAGES = ("eng", "swa", "hin", "tha")
SHIPPED, DYNAMIC = "shipped", "dynamic"


@dataclass(frozen=True)
class Case:
    """A task: its spec and source, training rows to take, and the ratios of training time that are to be reached."""

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


@dataclass(frozen=True)
class Shape:
    """What is computed on, and with what encoder."""

    data: Path = DATA
    layers: int = 4
    hidden: int = 128
    device: str = "cpu"
    precision: str = "fp32"
    cuda_graphs: str = "off"

    @classmethod
    def of(cls, given: argparse.Namespace) -> Shape:
        """As the arguments say."""
        return cls(given.data, given.layers, given.hidden, given.device, given.precision, given.cuda_graphs)


class Setting:
    """A random encoder with mBERT's vocabulary, language adapters for it, and a session."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        self.folder, self.shape = folder, shape
        tokenizer = shape.data / "tokenizers" / "bert-base-multilingual-cased"
        path = make_backbone(tokenizer, folder / "model", hidden=shape.hidden, layers=shape.layers)
        self.backbone = Backbone("small", str(path))
        self.session = Session(self.backbone, shape.device, shape.precision)
        self.modules = [self.module(code) for code in LANGUAGES]
        self.engine = group(merged({"engine.cuda_graphs": shape.cuda_graphs}), "engine")

    def module(self, code: str) -> LanguageAdapterJob:
        """A random language adapter as MAD-X has it."""
        model = AutoAdapterModel.from_pretrained(self.backbone.path())
        model.add_adapter(code, config=SeqBnInvConfig(reduction_factor=2))
        model.save_adapter(str(self.folder / code), code, with_head=False, use_safetensors=True)
        return LanguageAdapterJob(code * 20, LA(code), {}, (), self.folder / code)

    def drawn(self, spec: Any, language: str, split: str, task: TaskSpec, count: int) -> tuple[Any, ...]:
        """Rows of a data set, the same ones each time."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sample in place of the whole
            found = locate(spec, language, split, DataOptions(self.shape.data, offline=True), {})
            rows = found.rows(task.labels, task.label_map)
        return tuple(rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:count])

    def job(self, case: Case) -> TaskAdapterJob:
        """One epoch of a case's rows, over all language adapters in turn."""
        task, source = task_spec(case.task), load_spec(data_folder("task_specs") / "sources" / f"{case.source}.yaml")
        rows = self.drawn(source, "eng", "train", task, max(case.rows, 4))
        values = of_task_adapter(merged(task.hyperparameters), task.family, "bottleneck")
        hyper = {**values, "epochs": 1, "eval_every": 10**9, "select": "last"}
        if hyper.get("head") == "auto":
            hyper["head"] = "pooler"
        train, dev = Rows(f"{case.name}-train-{case.rows}", rows[: case.rows]), Rows(f"{case.name}-dev", rows[:4])
        return TaskAdapterJob(
            fingerprint="0" * 64, task=task, train=train, dev=dev, hyper=hyper, seed=1,  # type: ignore[arg-type]
            cycle=tuple(self.modules), dev_module=self.modules[0], drop_last=False, source_language="eng",
        )  # fmt: skip

    def library_model(self) -> Any:
        """The encoder as the library loads it, with the language adapters."""
        model = AutoAdapterModel.from_pretrained(self.backbone.path())
        for module in self.modules:
            model.load_adapter(str(module.folder), load_as=module.language, use_safetensors=True, with_head=False)
        return model


def task_spec(name: str) -> TaskSpec:
    """A task as it is declared."""
    spec = load_spec(data_folder("task_specs") / f"{name}.yaml")
    assert isinstance(spec, TaskSpec)
    return spec


class Seconds(dict[str, list[float]]):
    """Who was measured → seconds, one value a repetition; all of a repetition are taken in turn."""

    def note(self, who: str, seconds: float) -> None:
        """Of one repetition."""
        self.setdefault(who, []).append(seconds)

    def drop_first(self) -> None:
        """Leaves the repetition out that warmed up."""
        for some in self.values():
            del some[0]

    def median(self, who: str) -> float:
        """Of the repetitions."""
        return statistics.median(self[who])

    def ratio(self, who: str, mine: str, limit: float = 0.0) -> str:
        """The median of the ratios within repetitions, with their range; says so if it is below ``limit``."""
        found = [a / b for a, b in zip(self[who], self[mine], strict=True)]
        median = statistics.median(found)
        said = f"{median:.1f} ({min(found):.1f} to {max(found):.1f})"
        return said if median >= limit else f"{said} **below {limit:g}**"


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Those that all comparisons have."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the data sets and tokenizers/")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--cuda-graphs", default="off", choices=("on", "off"), help="in trainings by xleval")
    return parser


def prepare(device: str) -> None:
    """One thread on a CPU, and nothing said by the libraries."""
    if device == "cpu":
        torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")


def about(given: argparse.Namespace) -> str:
    """What a table's figures are of, in a sentence or two."""
    graphs = ", CUDA graphs" if given.cuda_graphs == "on" else ""
    return (
        f"Encoder of {given.layers} layers × {given.hidden} with mBERT's vocabulary, {given.device}, "
        f"{given.precision}{graphs}, {torch.get_num_threads()} thread(s), load {os.getloadavg()[0]:.1f}. "
        f"Medians of {given.times} repetitions in turn (range), after one that warms up."
    )


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


def peak() -> float:
    """MiB that this process had at most, since :func:`forget_peak` where the system can forget."""
    try:
        # Not ru_maxrss, which starts with the size of the parent process.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 2**10
    except (OSError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak() -> None:
    """Lets :func:`peak` start anew from what the process has now (Linux; elsewhere nothing happens)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def measured_apart(script: str, arguments: Sequence[str]) -> Any:
    """What a script prints as JSON in its last line, in a process of its own."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])
