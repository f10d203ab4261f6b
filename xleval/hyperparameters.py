"""Every hyperparameter with its default and where that comes from: what ``--set KEY=VALUE`` may name.

Precedence, weakest first: the defaults here, the task's YAML (``train.*`` only), the suite's YAML, ``--set``.
Groups: ``la`` language adapters, and where they differ from it ``ba`` bilingual and ``ma`` multilingual adapters,
``fusion`` fusion layers, ``tune`` tuned backbones; ``train`` task adapters, and where it differs ``full`` fine-tuned
backbones; ``eval`` decisions at evaluation (nothing is trained again when they change), ``engine`` how fast, not what.
TLR is Parović et al. 2023, "Cross-Lingual Transfer with Target Language-Ready Task Adapters"; BAD-X is Parović et al.
2022, "BAD-X: Bilingual Adapters Improve Zero-Shot Cross-Lingual Transfer".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xleval.errors import UserError, nearest


@dataclass(frozen=True)
class Hyperparameter:
    """``default`` also gives the type; ``choices`` limits text values; ``least`` is the smallest number.

    ``families``: the task families that it means something for; none named: all. ``adapters``: the same for kinds
    of task adapters.
    """

    default: int | float | str
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0
    below: float = float("inf")
    families: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()


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
    "la.published": Hyperparameter(
        "any",
        "use a published LA for the backbone where neither --la nor --text-dir has the language: the one with this "
        "activation, or relu before gelu, or none",
        ("any", "relu", "gelu", "no"),
    ),
    "la.text_limit": Hyperparameter(
        100_000_000, "characters of a language's Wikipedia to train on, its first articles; 0: all"
    ),
    "ba.steps": Hyperparameter(50_000, "optimiser steps of a bilingual adapter (BAD-X)", least=1),
    "ba.batch": Hyperparameter(64, "chunks an optimiser step (BAD-X)", least=1),
    "ba.lr": Hyperparameter(1e-4, "peak learning rate (BAD-X)"),
    "ba.eval_every": Hyperparameter(500, "steps between evaluations on held-out target text (BAD-X)", least=1),
    "ba.invertible": Hyperparameter(0, "reduction of the invertible adapter; 0: none (BAD-X)"),
    "ma.steps": Hyperparameter(50_000, "optimiser steps of a multilingual adapter (BAD-X)", least=1),
    "ma.batch": Hyperparameter(64, "chunks an optimiser step, all of one language", least=1),
    "ma.lr": Hyperparameter(1e-4, "peak learning rate"),
    "ma.eval_every": Hyperparameter(500, "steps between evaluations on held-out text of all its languages", least=1),
    "ma.invertible": Hyperparameter(0, "reduction of the invertible adapter; 0: none"),
    "fusion.steps": Hyperparameter(10_000, "optimiser steps of a trained fusion layer (no paper has one)", least=1),
    "fusion.batch": Hyperparameter(8, "chunks an optimiser step, all of one language", least=1),
    "fusion.lr": Hyperparameter(5e-5, "peak learning rate (as AdapterFusion, Pfeiffer et al. 2021)"),
    "fusion.eval_every": Hyperparameter(500, "steps between evaluations on held-out text", least=1),
    "tune.batch": Hyperparameter(8, "chunks an optimiser step (Faisal & Anastasopoulos 2024)", least=1),
    "tune.lr": Hyperparameter(5e-5, "peak learning rate of the whole backbone"),
    "tune.chunk": Hyperparameter(512, "sub-words a chunk (Faisal & Anastasopoulos 2024)", least=8),
    "tune.lines": Hyperparameter(10_000, "lines of text to tune on (Faisal & Anastasopoulos 2024); 0: all"),
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
    "train.reduction": Hyperparameter(
        16, "bottleneck reduction of the task adapter", least=1, adapters=("bottleneck", "parallel")
    ),
    "train.non_linearity": Hyperparameter(
        "relu", "activation of the bottleneck", ("relu", "gelu", "swish", "tanh"), adapters=("bottleneck", "parallel")
    ),
    "train.lora_rank": Hyperparameter(8, "rank of LoRA's matrices (Hu et al. 2022)", least=1, adapters=("lora",)),
    "train.lora_alpha": Hyperparameter(8, "LoRA's scale, over the rank", least=1, adapters=("lora",)),
    "train.prefix_length": Hyperparameter(
        30, "vectors that prefix tuning puts before keys and values (Li & Liang 2021)", least=1, adapters=("prefix",)
    ),
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
    "train.dev_switch": Hyperparameter(
        "source",
        "LA under source dev data: the source's, or by batch of train.dev_batch the one that training cycles through "
        "(TLR's released code, whose choice of checkpoint then depends on the batch size)",
        ("source", "cycle"),
    ),
    "train.dev_batch": Hyperparameter(8, "examples a dev batch, for train.dev_switch=cycle", least=1),
    "full.lr": Hyperparameter(2e-5, "peak learning rate of full fine-tuning (XTREME, Hu et al. 2020)"),
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
    "engine.cuda_graphs": Hyperparameter(
        "off", "on: training passes as CUDA graphs, one a shape, on a GPU", choices=("off", "on")
    ),
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


def group(values: Mapping[str, Any], prefix: str, family: str = "", adapter: str = "") -> dict[str, Any]:
    """The hyperparameters of one group (``la``, ``train``, …) without the prefix.

    ``family`` and ``adapter`` leave out those of other task families and of other kinds of task adapters.
    """
    return {
        key.partition(".")[2]: value
        for key, value in values.items()
        if key.startswith(prefix + ".")
        and (not family or family in (KNOWN[key].families or (family,)))
        and (not adapter or adapter in (KNOWN[key].adapters or (adapter,)))
    }


#: Where an adapter comes from, not how it is trained.
_ORIGIN = ("published", "text_limit")


def of_module(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Hyperparameters of MLM training: group ``la``, and over it that of ``ba``, ``ma``, ``fusion`` or ``tune``."""
    found = {**group(values, "la"), **(group(values, kind) if kind != "la" else {})}
    return {key: value for key, value in found.items() if key not in _ORIGIN}


def of_task_adapter(values: Mapping[str, Any], family: str, adapter: str) -> dict[str, Any]:
    """Hyperparameters of a task adapter's training: group ``train``, and over it ``full`` where that is meant."""
    found = {**group(values, "train", family, adapter), **(group(values, "full") if adapter == "full" else {})}
    if found["dev_switch"] == "source":
        del found["dev_batch"]  # decides nothing then
    return found


#: What decides during training, whatever ``eval`` says: checkpoints do not depend on it.
DEV_OPTIONS: Mapping[str, Any] = {"decode": "greedy", "answer_length": 30}
