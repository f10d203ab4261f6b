"""The sections of RESULTS.md: what makes each, what it needs, and what its figures mean."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Command:
    """A script of this folder with its arguments; ``quick`` are further ones that make it as small as it can be."""

    script: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    takes_peer: bool = False
    """Whether it needs ``--peer``, which is passed on to it."""


@dataclass(frozen=True)
class Need:
    """What a machine may lack; ``lacking`` says what that is."""

    there: Callable[[], bool]
    lacking: str


@dataclass(frozen=True)
class Section:
    """A part of the file. One without commands is written by hand and kept as it is."""

    name: str
    title: str
    commands: tuple[Command, ...] = ()
    needs: tuple[Need, ...] = ()
    remark: str = ""
    """What the figures mean, without figures."""


def _has_cuda() -> bool:
    tool = shutil.which("nvidia-smi")
    return tool is not None and subprocess.run([tool, "--list-gpus"], capture_output=True).returncode == 0


def _installed(package: str) -> Need:
    return Need(lambda: importlib.util.find_spec(package) is not None, f"{package} is not installed (extra bench)")


SHARED_DATA = Need(DATA.is_dir, "no shared/data beside the repository")
CUDA = Need(_has_cuda, "no CUDA device")
CHROMIUM = Need(lambda: shutil.which("chromium") is not None, "no chromium on the path")
ACCELERATE, PLAYWRIGHT = _installed("accelerate"), _installed("playwright")

_SMALL = ("--times", "1")

SECTIONS = (
    Section(
        "startup",
        "Start-up",
        (Command("startup.py", quick=_SMALL),),
        remark="Beyond the interpreter. Help and lists import neither torch nor numpy.",
    ),
    Section(
        "demo",
        "The demo",
        (Command("demo.py", quick=("--seeds=1", "--limit=20", "--set=la.steps=2", "--set=train.steps=2")),),
        remark="Run again, everything is in the store: what is left is planning and the table. With more strategies, "
        "language adapters and what was trained before are shared.",
    ),
    Section(
        "training",
        "Training beside the adapters library's trainer",
        (Command("training.py", quick=(*_SMALL, "--rows=0.1", "--seeds=2", "--case=NLI")),),
        (SHARED_DATA, ACCELERATE),
        remark="*Shipped* pads to the task's maximum, *dynamic* to the longest of a batch. Of the ceiling: the "
        "operations of a training's two passes over sub-words that are no padding, beside a large matrix product. "
        "Where batches are small and texts short, a cohort gains most.",
    ),
    Section(
        "evaluation",
        "Evaluation beside the adapters library's trainer",
        (
            Command("evaluation.py", quick=(*_SMALL, "--test-rows=16")),
            Command("evaluation.py", ("--test-rows=200", "--times=3"), quick=(*_SMALL, "--test-rows=8")),
        ),
        (SHARED_DATA, ACCELERATE),
        remark="From rows to predictions, the peer in one process that has its model loaded. Its padding to the "
        "task's maximum is most of the shipped ratio. Short splits are below the limit: their batches of like "
        "length are few and padded more, and what is done once a split weighs more. XNLI has 5,010 rows a language.",
    ),
    Section(
        "curves",
        "How time and memory grow",
        (Command("curves.py", quick=("--quick",)),),
        (SHARED_DATA,),
        remark="What one more costs is the slope of a straight line through the points; R² says how straight they lie.",
    ),
    Section(
        "estimates",
        "The planner's estimates",
        (Command("estimates.py", quick=("--limit=20", "--set=la.steps=20", "--set=train.steps=20")),),
        remark="An estimate is of the machine as it was while it was measured: where other work begins or ends after, "
        "it is off by as much.",
    ),
    Section(
        "bank",
        "Language adapters on the device",
        (Command("bank.py", quick=("--layers=2", "--hidden=64", "--languages=3")),),
        (SHARED_DATA,),
        remark="By tensors, which is the same on a GPU but for what its allocator and libraries take.",
    ),
    Section(
        "precision",
        "bf16 beside fp32",
        (Command("precision.py", quick=("--seeds=2",)),),
        remark="The spread of seeds is what a difference is to be seen beside.",
    ),
    Section("public-files", "Public files, small random encoder"),
    Section(
        "planning",
        "Planning",
        (Command("planning.py", quick=("--plan=demo", "--seeds=1", "--times=1")),),
        remark="Nothing is in the store, and nothing is trained or downloaded. The number of steps needs the number "
        "of training examples, so that data files are read.",
    ),
    Section(
        "scoring",
        "Scoring",
        (Command("scoring.py", quick=(*_SMALL, "--rows=100")),),
        remark="From files, reading costs most. Counts of every item are what significance tests and per-item files "
        "are made of; the peers give one number.",
    ),
    Section(
        "parsing",
        "Dependency parsing",
        (
            Command("parsing.py", quick=(*_SMALL, "--sentences=16", "--layers=1")),
            Command(
                "parsing.py",
                ("--layers=12", "--hidden=768", "--sentences=16"),
                quick=(*_SMALL, "--layers=1", "--hidden=64"),
            ),
        ),
        (SHARED_DATA,),
        remark="Padding is most of the difference, so that it shrinks where the encoder is large and the sentences "
        "are few: then xleval decodes one batch, as wide as the longest.",
    ),
    Section(
        "question-answering",
        "Answers of questions",
        (Command("question_answering.py", quick=(*_SMALL, "--windows=100"), takes_peer=True),),
        (SHARED_DATA,),
        remark="The peer is `postprocess_qa_predictions` of the transformers examples; windows are an Arrow table, as "
        "the examples have them, or a list of what it reads. xleval's span has the highest score of all valid ones in "
        "every question, checked by looking at all of them.",
    ),
    Section(
        "memory",
        "Memory",
        (
            Command("memory.py", quick=("--rows=20", "--kinds", "choices")),
            Command("memory.py", ("--rows=30000", "--kinds", "sequences"), quick=("--rows=20", "--kinds", "sequences")),
        ),
        remark="Reading remembers ids, to notice one that stands twice, and scoring keeps ids and counts: that is what "
        "grows. Predicting varies a little from run to run. A file in SQuAD's JSON, which nests, is parsed whole.",
    ),
    Section(
        "statistics",
        "Statistics",
        (Command("significance.py", quick=(*_SMALL, "--resamples=20")),),
        remark="From counts to all p-values and intervals against the first strategy, on each language and on the "
        'average. Half of the strategies have runs that serve all languages. "All pairs" is what a table needs to say '
        "who is tied with the best. MiB are of the whole process. Error rates of the default test and of others: "
        "[docs/error-rates.md](../docs/error-rates.md).",
    ),
    Section(
        "site",
        "The leaderboard's site",
        (Command("site_build.py", quick=("--records=2000", "--measured=500")),),
        (CHROMIUM, PLAYWRIGHT),
        remark="Scores without per-item files are shown as self-reported, those with are validated and tested. Sorting "
        "and filtering are timed until the rows in sight stand there; those below follow in the next frame.",
    ),
    Section(
        "gpu",
        "Training and evaluation on a GPU",
        (Command("gpu.sh", ("--tables",), quick=_SMALL),),
        (CUDA, SHARED_DATA, ACCELERATE),
        remark="The shape of mBERT-base, in bf16 and in fp32, without and with CUDA graphs, and larger cohorts.",
    ),
)
