"""Every strategy once more, written straight from its paper with transformers and adapters alone.

No recipe, plan, slot or bank: adapters are loaded by name, ``Stack`` and ``Fuse`` are set at each step. From xleval
come only what no paper is about: tokenised examples, which of them a step takes, and which sub-words are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from adapters import (
    AutoAdapterModel,
    IA3Config,
    LoRAConfig,
    ParBnConfig,
    PrefixTuningConfig,
    SeqBnConfig,
    SeqBnInvConfig,
    init,
)
from adapters.composition import Fuse, Stack
from transformers import AutoModelForMaskedLM, AutoTokenizer, get_linear_schedule_with_warmup

from xleval.engine.batching import bucketed, epoch_batches
from xleval.engine.text import cut, mask

#: A name in the model, or names to fuse.
Under = str | tuple[str, ...] | None


@dataclass
class Plain:
    """What a strategy comes to for one target: what a step stands on, and what stands there at the end."""

    cycle: Sequence[Under]
    infer: Under
    drop_last: bool = True
    config: Callable[..., Any] | None = lambda **more: SeqBnConfig(reduction_factor=16, non_linearity="relu", **more)
    encoder: dict[str, Any] = field(default_factory=dict)


@dataclass
class Setting:
    """The demo in small: LAs by language, text by language, and the values of the hyperparameters that matter."""

    backbone: Path
    adapters: dict[str, Path]
    text: Callable[[str], list[str]]
    source: str
    of_task: Sequence[str]
    of_all: Sequence[str]
    mlm: dict[str, dict[str, Any]]

    def tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(self.backbone)


def plain(label: str, target: str, s: Setting, work: Path) -> Plain:
    """The strategy of that name, for one target language."""
    name, _, given = label.partition(":")
    options = dict(pair.split("=") for pair in given.split(",")) if given else {}
    others = [code for code in s.of_all if code != target]
    foreign = [code for code in s.of_all if code not in s.of_task]
    if name == "madx":
        kinds = {
            "parallel": lambda **more: ParBnConfig(reduction_factor=16, non_linearity="relu", **more),
            "lora": lambda **more: LoRAConfig(r=8, alpha=8, **more),
            "ia3": lambda **more: IA3Config(**more),
            "prefix": lambda **more: PrefixTuningConfig(prefix_length=30, **more),
        }
        found = Plain([s.source], target)
        return Plain([s.source], target, config=kinds[options["adapter"]]) if options else found
    if name in ("madx-v1", "la-target"):
        return Plain([s.source], target, drop_last=False)
    if name == "la-source":
        return Plain([s.source], s.source, drop_last=False)
    if name == "la-none":
        return Plain([s.source], None, drop_last=False)
    if name == "la-none-tr":
        return Plain([None], None, drop_last=False)
    if name == "full-ft":
        return Plain([None], None, drop_last=False, config=None)
    if name == "tlr-target":
        return Plain([target], target)
    if name == "tlr-bilingual":
        return Plain([s.source, target], target)
    if name == "tlr-task-multi":
        return Plain([s.source, *s.of_task], target)
    if name == "tlr-all-multi":
        return Plain([s.source, *s.of_all], target)
    if name == "tlr-leave-out-task":
        return Plain([s.source, *foreign], target)
    if name == "tlr-leave-out-targ":
        return Plain([s.source, *others], target)
    if name == "badx":
        pair = bilingual(s, target, options.get("ratio", "1:1"), work)
        return Plain([pair], pair)
    if name == "multilingual-la":
        many = multilingual(s, [s.source, *s.of_task], work)
        return Plain([many], many)
    if name == "transfer":
        tuned = tuned_encoder(s, options["lang"], int(options["steps"]))
        return Plain([None], None, drop_last=False, encoder=tuned)
    assert name == "fusion"
    names = options["langs"].split("+")
    fused(s, names, options.get("trained") == "true", work)
    return Plain([None], tuple(names), drop_last=False)


def predictions(
    p: Plain, s: Setting, family: Any, labels: Sequence[str], train: Any, test: Any, hyper: dict[str, Any], seed: int,
    work: Path,
) -> list[Any]:  # fmt: skip
    """Trains the task adapter (or everything) on ``train``; the best class of each example of ``test``, or sub-word."""
    model = AutoAdapterModel.from_pretrained(s.backbone)
    last = model.config.num_hidden_layers - 1
    out = {"leave_out": [last]} if p.drop_last else {}
    for name in sorted({n for under in (*p.cycle, p.infer) for n in _names(under)}):
        folder = s.adapters.get(name, work / name.replace(":", "_"))
        model.load_adapter(str(folder), load_as=name, use_safetensors=True, with_head=False, **out)
    if isinstance(p.infer, tuple):
        model.load_adapter_fusion(str(work / "fusion"), use_safetensors=True)
    torch.manual_seed(seed)
    if p.config is not None:
        model.add_adapter("task", config=p.config(**out))
    family.add_head(model, "task", labels, hyper)
    if p.config is not None:
        model.train_adapter("task")
    parameters = [q for q in model.parameters() if q.requires_grad]
    batches = list(epoch_batches(bucketed(train, hyper["batch"]).shapes, hyper["batch"], seed, 0))
    optimiser = torch.optim.AdamW(parameters, lr=hyper["lr"], weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimiser, 0, len(batches))
    model.train()
    torch.manual_seed(seed)
    for step, indices in enumerate(batches):
        _stand(model, p.cycle[step % len(p.cycle)], p.config is not None)
        model(**_batch(family, train, indices), head="task").loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    model.base_model.load_state_dict(p.encoder, strict=False)
    model.eval()
    _stand(model, p.infer, p.config is not None)
    found = []
    for index in range(len(test)):
        with torch.no_grad():
            found.append(model(**_batch(family, test, np.array([index])), head="task").logits.argmax(-1)[0].numpy())
    return found


def bilingual(s: Setting, target: str, ratio: str, work: Path) -> str:
    """BAD-X: N batches of English, then M of the target; the lowest perplexity on target text is kept."""
    n, m = map(int, ratio.split(":"))
    order = [s.source] * n + [target] * m
    return _adapter(s, f"{s.source}+{target}", order, [target], s.mlm["ba"], work)


def multilingual(s: Setting, languages: Sequence[str], work: Path) -> str:
    """BAD-X's MA: one batch of each language in turn."""
    return _adapter(s, "+".join(languages), list(languages), list(languages), s.mlm["ma"], work)


def _adapter(
    s: Setting, name: str, order: list[str], select_on: list[str], hyper: dict[str, Any], work: Path
) -> str:  # fmt: skip
    model = _masked_lm(s)
    kind = SeqBnInvConfig if hyper["invertible"] else SeqBnConfig
    torch.manual_seed(hyper["seed"])
    model.add_adapter(name, config=kind(reduction_factor=2, non_linearity="relu"))
    model.train_adapter(name)
    _train_mlm(s, model, order, select_on, hyper)
    model.save_adapter(str(work / name), name, with_head=False, use_safetensors=True)
    return name


def fused(s: Setting, names: list[str], trained: bool, work: Path) -> None:
    """AdapterFusion over LAs; trained by MLM with the library's regulariser, or as initialised."""
    model, hyper = _masked_lm(s), s.mlm["fusion"]
    for name in names:
        model.load_adapter(str(s.adapters[name]), load_as=name, use_safetensors=True, with_head=False)
    torch.manual_seed(hyper["seed"])
    model.add_adapter_fusion(Fuse(*names))
    if trained:
        model.train_adapter_fusion(Fuse(*names))
        _train_mlm(s, model, names, names, hyper, model.base_model.get_fusion_regularization_loss)
    model.save_adapter_fusion(str(work / "fusion"), ",".join(names), use_safetensors=True)


def tuned_encoder(s: Setting, language: str, steps: int) -> dict[str, Any]:
    """All weights trained by MLM for some steps; the last ones are kept."""
    model = AutoModelForMaskedLM.from_pretrained(s.backbone)
    _train_mlm(s, model, [language], [], {**s.mlm["tune"], "steps": steps}, head=False)
    return {name: tensor.detach() for name, tensor in model.base_model.named_parameters()}


def _masked_lm(s: Setting) -> Any:
    model = AutoModelForMaskedLM.from_pretrained(s.backbone)
    init(model)
    # MAD-X undoes the invertible adapter before the vocabulary: the library does so in heads of its own alone.
    undo = model.base_model.invertible_adapters_forward
    model.cls.predictions.decoder.register_forward_pre_hook(lambda module, given: (undo(given[0], rev=True),))
    return model


def _train_mlm(
    s: Setting, model: Any, order: list[str], select_on: list[str], hyper: dict[str, Any],
    extra: Callable[[], Any] | None = None, *, head: bool = True,
) -> None:  # fmt: skip
    if head:  # its weights besides the vocabulary's matrix are trained along, and thrown away
        tied = model.get_input_embeddings().weight
        for parameter in model.cls.parameters():
            parameter.requires_grad_(parameter is not tied)
    tokenizer, batches, held = s.tokenizer(), {}, []
    for code in dict.fromkeys([*order, *select_on]):
        chunks = cut(s.text(code), tokenizer, hyper["chunk"])
        first = int(np.ceil(len(chunks) * hyper["held_out"]))
        batches[code] = _endless(chunks[first:], hyper)
        held += [chunks[:first]] if code in select_on else []
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=hyper["lr"], weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimiser, 0, hyper["steps"])
    model.train()
    torch.manual_seed(hyper["seed"])
    best: tuple[float, list[Any]] = (float("inf"), [])
    for step in range(hyper["steps"]):
        inputs, labels = mask(next(batches[order[step % len(order)]]), tokenizer, 0.15, (hyper["seed"], step))
        loss = model(input_ids=torch.as_tensor(inputs), labels=torch.as_tensor(labels)).loss
        (loss + extra() if extra else loss).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if held and ((step + 1) % hyper["eval_every"] == 0 or step + 1 == hyper["steps"]):
            model.eval()
            score = _held_out(model, held, tokenizer, hyper["seed"])
            model.train()
            if score < best[0]:
                best = (score, [p.detach().clone() for p in parameters])
    for parameter, kept in zip(parameters, best[1], strict=False):
        parameter.data.copy_(kept)


def _held_out(model: Any, held: list[Any], tokenizer: Any, seed: int) -> float:
    total, count = 0.0, 0
    for chunks in held:
        inputs, labels = mask(chunks, tokenizer, 0.15, (seed, 2**62))
        with torch.no_grad():
            loss = model(input_ids=torch.as_tensor(inputs), labels=torch.as_tensor(labels)).loss
        masked = int((labels != -100).sum())
        total, count = total + float(loss) * masked, count + masked
    return total / count


def _endless(chunks: Any, hyper: dict[str, Any]) -> Iterator[Any]:
    epoch = 0
    while True:
        for indices in epoch_batches(np.full(len(chunks), chunks.shape[1]), hyper["batch"], hyper["seed"], epoch):
            yield chunks[indices]
        epoch += 1


def _batch(family: Any, features: Any, indices: Any) -> dict[str, Any]:
    inputs = features.inputs(indices, 0)
    inputs |= family.gold(features, indices, inputs["input_ids"].shape[1])
    return {key: torch.as_tensor(value) for key, value in inputs.items()}


def _names(under: Under) -> tuple[str, ...]:
    return under if isinstance(under, tuple) else (under,) if under else ()


def _stand(model: Any, under: Under, task: bool) -> None:
    parts: list[Any] = [Fuse(*under) if isinstance(under, tuple) else under] if under else []
    parts += ["task"] if task else []
    model.active_adapters = Stack(*parts) if parts else None
