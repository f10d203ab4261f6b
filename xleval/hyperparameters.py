"""Every hyperparameter with its default and where that comes from: what ``--set KEY=VALUE`` may name.

Precedence, weakest first: the defaults here, the task's YAML (``train.*`` only), the suite's YAML, ``--set``.
Groups: ``la`` language adapters, ``train`` task adapters, ``eval`` decisions at evaluation (nothing is trained
again when they change), ``engine`` how fast, not what.
TLR is Parović et al. 2023, "Cross-Lingual Transfer with Target Language-Ready Task Adapters".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xleval.errors import UserError, nearest


@dataclass(frozen=True)
class Hyperparameter:
    """``default`` also gives the type; ``choices`` limits text values; ``least`` is the smallest number.

    ``families``: the task families that it means something for; none named: all.
    """

    default: int | float | str
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0
    below: float = float("inf")
    families: tuple[str, ...] = ()


#: Language adapters: MLM training. Source: TLR section 4 and its released script, unless said otherwise.
#: Task adapters: NLI's values of TLR Table 5; each task's YAML has its own.
KNOWN: dict[str, Hyperparameter] = {
    "la.steps": Hyperparameter(0, "optimiser steps; 0: clamp(100 epochs, 30000, 100000) as in TLR"),
    "la.batch": Hyperparameter(8, "chunks an optimiser step", least=1),
    "la.chunk": Hyperparameter(256, "sub-words a chunk of running text", least=8),
    "la.lr": Hyperparameter(5e-5, "peak learning rate (AdamW, linear decay, no warm-up)"),
    "la.mlm_probability": Hyperparameter(0.15, "share of sub-words to predict", least=0.01, below=1),
    "la.eval_every": Hyperparameter(1000, "steps between perplexity evaluations on held-out text", least=1),
    "la.held_out": Hyperparameter(0.05, "share of the text, from its start, held out for selection", below=1),
    "la.reduction": Hyperparameter(2, "bottleneck reduction of the language adapter", least=1),
    "la.invertible": Hyperparameter(2, "reduction of the NICE invertible adapter; 0: none"),
    "la.non_linearity": Hyperparameter("relu", "activation of the bottleneck", ("relu", "gelu", "swish", "tanh")),
    "la.head": Hyperparameter("trained", "the MLM head during LA training", ("trained", "frozen")),
    "la.seed": Hyperparameter(42, "seed of LA training; LAs are shared by all seeds of a run"),
    "train.epochs": Hyperparameter(5, "passes over the source-language data", least=1),
    "train.steps": Hyperparameter(0, "optimiser steps in place of epochs; 0: by epochs"),
    "train.batch": Hyperparameter(32, "examples an optimiser step", least=1),
    "train.lr": Hyperparameter(2e-5, "peak learning rate (AdamW, linear decay, no warm-up)"),
    "train.clip": Hyperparameter(1.0, "gradient norm limit", least=1e-9),
    "train.weight_decay": Hyperparameter(0.0, "AdamW weight decay"),
    "train.eval_every": Hyperparameter(625, "steps between evaluations on source-language dev data", least=1),
    "train.patience": Hyperparameter(0, "stop after so many evaluations without a gain; 0: never"),
    "train.select": Hyperparameter("best", "checkpoint: best on source dev, or last", ("best", "last")),
    "train.max_length": Hyperparameter(128, "sub-words an input, special ones included", least=8),
    "train.reduction": Hyperparameter(16, "bottleneck reduction of the task adapter", least=1),
    "train.non_linearity": Hyperparameter("relu", "activation of the bottleneck", ("relu", "gelu", "swish", "tanh")),
    "train.head": Hyperparameter(
        "auto",
        "head on the first sub-word: pooler + linear (BERT's own), or dense + tanh + linear (XLM-R's own); "
        "auto: pooler where the checkpoint has one",
        ("auto", "pooler", "two-layer"),
        families=("sequence-classification", "multiple-choice"),
    ),
    "train.question": Hyperparameter(
        "sentence",
        "COPA's question: a sentence (`What was the cause?`, XTREME), or its one word (Kunz & Holmström 2024)",
        ("sentence", "word"),
        families=("multiple-choice",),
    ),
    "train.stride": Hyperparameter(
        128, "sub-words that neighbouring windows of a context share", families=("question-answering",)
    ),
    "train.root": Hyperparameter(
        "include",
        "words under the root: learned, or left out of the loss (released code of TLR and SFT)",
        ("include", "legacy-exclude"),
        families=("dependency-parsing",),
    ),
    "train.switch": Hyperparameter(
        "step",
        "LA of a step: its number in the whole training, or within the epoch (TLR's released code)",
        ("step", "epoch-step"),
    ),
    "eval.decode": Hyperparameter(
        "mst",
        "heads: maximum spanning tree with one root, or each word's best (dev selection: always the latter)",
        ("mst", "greedy"),
        families=("dependency-parsing",),
    ),
    "eval.answer_length": Hyperparameter(
        30, "most sub-words of an answer (dev selection: always 30)", least=1, families=("question-answering",)
    ),
    "engine.token_budget": Hyperparameter(0, "sub-words a forward pass, padding included; 0: by device"),
    "engine.checkpoint_seconds": Hyperparameter(60, "seconds between checkpoints of a training under way"),
}


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters, the later layers winning.

    Raises:
        UserError: unknown key (nearest named), wrong type, or a value out of range.
    """
    values: dict[str, Any] = {key: known.default for key, known in KNOWN.items()}
    for layer in layers:
        for key, value in layer.items():
            values[key] = parsed(key, value)
    return values


def parsed(key: str, value: Any) -> int | float | str:
    """A value, given as text or number, in the type of the hyperparameter ``key``; raises as :func:`merged`."""
    if key not in KNOWN:
        raise UserError(f"unknown hyperparameter {key!r}{nearest(key, KNOWN)} (all: `xleval show hyperparameters`)")
    known = KNOWN[key]
    if isinstance(known.default, str):
        if value not in known.choices:
            raise UserError(f"{key}={value}: choose one of {', '.join(known.choices)}")
        return str(value)
    try:
        number = float(value)
        if isinstance(known.default, int):
            number = int(number) if number == int(number) else float("nan")
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not known.least <= number < known.below:
        kind = "a whole number" if isinstance(known.default, int) else "a number"
        limit = f" below {known.below:g}" if known.below != float("inf") else ""
        raise UserError(f"{key}={value}: needs {kind} of at least {known.least:g}{limit}")
    return number


def group(values: Mapping[str, Any], prefix: str, family: str = "") -> dict[str, Any]:
    """The hyperparameters of one group (``la``, ``train``, …) without the prefix; with ``family``, its own only."""
    return {
        key.partition(".")[2]: value
        for key, value in values.items()
        if key.startswith(prefix + ".") and (not family or family in (KNOWN[key].families or (family,)))
    }


#: What decides during training, whatever ``eval`` says: checkpoints do not depend on it.
DEV_OPTIONS: Mapping[str, Any] = {"decode": "greedy", "answer_length": 30}
