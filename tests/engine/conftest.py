"""A tiny backbone, toy rows and language adapters, made on the spot."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from xleval.backbones import Backbone
from xleval.events import silent
from xleval.hyperparameters import group, merged
from xleval.jobs import LanguageAdapterJob, TaskAdapterJob
from xleval.recipe import LA
from xleval.store import Store
from xleval.tasks.sources import SequenceRow, TokenRow

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LABELS = ("same", "other")
TAGS = ("O", "B-PER", "I-PER")


@dataclass(frozen=True)
class ToyTask:
    """What the engine reads of a task spec."""

    name: str = "toy"
    family: str = "sequence-classification"
    labels: tuple[str, ...] = LABELS
    label_map: dict[str, str] = field(default_factory=dict)
    metric: str = "accuracy"
    split: str = "test"


@dataclass(frozen=True)
class ToyData:
    """Stands for a located split."""

    fingerprint: str
    items: tuple[Any, ...]
    language: str = "eng"
    origin: str = "toy"
    dataset: str = "toy"

    def rows(self, labels: Any, label_map: Any) -> list[Any]:
        return list(self.stream(labels, label_map))

    def stream(self, labels: Any, label_map: Any) -> Iterator[Any]:
        return iter(self.items)


@dataclass(frozen=True)
class ToyText:
    """Stands for a language's text."""

    fingerprint: str
    origin: str
    made: tuple[str, ...]
    language: str = "swa"

    def lines(self) -> list[str]:
        return list(self.made)


def trained(
    jobs: Sequence[TaskAdapterJob], session: Any, folder: Path, settings: dict[str, Any], emit: Any = silent
) -> list[Any]:
    """How each of some task adapters was trained; the adapter of the i-th lies in ``folder / str(i)``.

    Raises:
        TrainingFailedError: of the first that failed.
    """
    from xleval.engine.loop import Trained
    from xleval.engine.train import train

    found = {}
    for done in train(jobs, session, Store(folder / "store"), settings, emit):
        if not isinstance(done.trained, Trained):
            raise done.trained
        found[done.job] = done.trained
        out = folder / str(jobs.index(done.job))
        out.mkdir(parents=True, exist_ok=True)
        session.save_task_adapter(out)
    return [found[job] for job in jobs]


def words(seed: int, count: int, letters: str = LETTERS) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice(letters) for _ in range(draw.randint(1, 6))) for _ in range(count)]


def pairs(seed: int, count: int) -> tuple[SequenceRow, ...]:
    """Pairs that share their first word, or do not."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        left = words(seed * 1000 + i, draw.randint(2, 9))
        label = draw.randint(0, 1)
        right = [left[0] if label == 0 else "zz", *words(seed * 2000 + i, draw.randint(1, 5))]
        rows.append(SequenceRow(f"{i}", " ".join(left), " ".join(right), label))
    return tuple(rows)


def sentences(seed: int, count: int) -> tuple[TokenRow, ...]:
    """Words of which those that begin with x are persons."""
    rows = []
    for i in range(count):
        tokens = [w if k % 4 else f"x{w}" for k, w in enumerate(words(seed * 1000 + i, 3 + i % 12))]
        rows.append(TokenRow(f"{i}", tuple(tokens), tuple(1 if t.startswith("x") else 0 for t in tokens)))
    return tuple(rows)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """BERT of 2 layers × 32 over single letters, with dropout."""
    from xleval.testing import make_backbone

    folder = tmp_path_factory.mktemp("backbone")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return Backbone("tiny", str(make_backbone(folder, folder / "model", hidden=32, layers=2)))


@pytest.fixture(scope="session")
def still_backbone(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """The same without dropout, which draws otherwise than the adapters library does."""
    folder = tmp_path_factory.mktemp("still") / "model"
    shutil.copytree(backbone.path(), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return Backbone("still", str(folder))


@pytest.fixture
def still_session(still_backbone: Backbone) -> Any:
    from xleval.engine.session import Session

    return Session(still_backbone, "cpu", "fp32")


@pytest.fixture
def session(backbone: Backbone) -> Any:
    from xleval.engine.session import Session

    return Session(backbone, "cpu", "fp32")


@pytest.fixture(scope="session")
def language_adapters(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of adapters of two languages, saved by the adapters library; weights drawn, not trained."""
    import torch
    from adapters import AutoAdapterModel

    found = {}
    for seed, code in enumerate(("eng", "swa")):
        model = AutoAdapterModel.from_pretrained(backbone.path())
        torch.manual_seed(100 + seed)
        model.add_adapter(code, config="seq_bn_inv")
        for name, parameter in model.named_parameters():
            if f".{code}." in name:
                torch.nn.init.normal_(parameter, std=0.1)
        found[code] = tmp_path_factory.mktemp("la") / code
        model.save_adapter(str(found[code]), code, with_head=False, use_safetensors=True)
    return found


@pytest.fixture
def settings() -> dict[str, Any]:
    return group(merged(), "engine")


@pytest.fixture
def job(language_adapters: dict[str, Path]) -> TaskAdapterJob:
    """Training on toy pairs while cycling over two language adapters, last layer dropped."""
    adapters = tuple(
        LanguageAdapterJob(code * 20, LA(code), {}, (), folder) for code, folder in language_adapters.items()
    )
    hyper = group(
        merged(
            {"train.epochs": 2, "train.batch": 8, "train.lr": 1e-3, "train.eval_every": 7, "train.head": "two-layer"}
        ),
        "train",
    )
    return TaskAdapterJob(
        fingerprint="0" * 64,
        task=ToyTask(),  # type: ignore[arg-type]
        train=ToyData("train", pairs(1, 61)),  # type: ignore[arg-type]
        dev=ToyData("dev", pairs(2, 20)),  # type: ignore[arg-type]
        hyper=hyper,
        seed=3,
        cycle=adapters,
        dev_module=adapters[0],
        drop_last=True,
        source_language="eng",
    )


@pytest.fixture
def tagging(job: TaskAdapterJob) -> TaskAdapterJob:
    """The same for tags."""
    hyper = {key: value for key, value in job.hyper.items() if key != "head"}
    return replace(
        job,
        fingerprint="1" * 64,
        task=ToyTask("toy-tags", "token-classification", TAGS, metric="f1"),  # type: ignore[arg-type]
        train=ToyData("train-tags", sentences(1, 61)),  # type: ignore[arg-type]
        dev=ToyData("dev-tags", sentences(2, 20)),  # type: ignore[arg-type]
        hyper=hyper,
    )
