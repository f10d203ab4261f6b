"""A loaded backbone with what stands on it and under it: what training and prediction share.

All weights of adapters and heads go in and out through the adapters library.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from xleval.backbones import Backbone
from xleval.device import resolve_device
from xleval.engine.bank import Bank, Standing, adapter_places
from xleval.engine.encoder import Encoder
from xleval.engine.stacked import Layout, Stacked, is_plain
from xleval.engine.tokenised import kept_features
from xleval.engine.weights import ENCODER, FULL, adapter_config, quiet, save_encoder, without_copies
from xleval.errors import UserError
from xleval.tasks.family import family_of
from xleval.tasks.features import Arrays, Features
from xleval.tasks.recent import blocks_of, kept_rows, rows_of

if TYPE_CHECKING:
    from xleval.tasks.sources import Located
    from xleval.tasks.spec import TaskSpec

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on CUDA

#: Name of the task adapter and its head inside the model, and in the files that it is saved to.
TASK = "task"

#: Bytes of stacked language modules kept on the device, as a cycle's turns come again.
_STACKS = 2**30

#: Bytes that training keeps a sub-word, layer and dimension, in bf16.
_BYTES = 64

#: Sub-words of tokenised splits kept in memory: at some ten bytes each, a task's train, dev and targets.
_KEPT = 2**25


def invert_before_vocabulary(model: Any) -> None:
    """Lets a masked language model undo its invertible adapter before the vocabulary (MAD-X, Pfeiffer et al. 2020).

    The adapters library does so in heads of its own, but not in a head that a model of transformers brings along.
    """
    decoder, base = model.get_output_embeddings(), model.base_model
    if not decoder._forward_pre_hooks:
        decoder.register_forward_pre_hook(
            lambda module, given: (base.invertible_adapters_forward(given[0], rev=True), *given[1:])
        )


class Session:
    """One backbone on one device. ``model`` is an ``AutoAdapterModel``; heads and adapters come and go."""

    def __init__(self, backbone: Backbone, device: str, precision: str, *, offline: bool = False) -> None:
        from transformers import AutoTokenizer
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        # It warns where no adapter is active, which here is what a recipe says.
        logging.getLogger("adapters").setLevel(logging.ERROR)
        # Deterministic kernels where there is a choice; operations without one only warn.
        torch.use_deterministic_algorithms(precision == "fp32", warn_only=True)
        # Costs time, and nothing here reads memory before it is written.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        self.backbone, self.precision = backbone, precision
        self.device = torch.device(resolve_device(device))
        if self.device.type == "cpu" and backbone.is_small:
            torch.set_num_threads(1)  # threads cost more than they bring, and much more on a busy machine
        self.path = backbone.path(offline=offline)
        self.tokenizer = AutoTokenizer.from_pretrained(self.path, use_fast=True, trust_remote_code=False)
        if not self.tokenizer.is_fast:
            raise UserError(f"backbone {backbone.name}: its tokenizer has no fast version, which word alignment needs")
        self._model: Any = None
        self._names: tuple[str, ...] = ()
        self._own: dict[str, Tensor] | None = None
        self._encoder: Path | None = None
        self._active: list[Any] = []
        self._computed: Encoder | None = None
        self._under: dict[tuple[Any, ...], Stacked] = {}
        self._encoded: OrderedDict[tuple[Any, ...], Features] = OrderedDict()

    def encoded(self, task: TaskSpec, data: Located, hyper: Mapping[str, Any]) -> tuple[Sequence[Any], Features]:
        """Rows of a split and their features, all at once; those of the last splits are kept, for seeds share them."""
        settings = tuple(hyper.get(key) for key in ("max_length", "stride", "question", "root"))
        label_map = tuple(sorted(task.label_map.items()))
        key = (task.family, tuple(task.labels), label_map, data.fingerprint, settings)
        rows = rows_of(task, data)
        if key not in self._encoded:
            inputs = {"backbone": self.backbone.fingerprint, "split": [*map(str, key)]}
            family = family_of(task.family)
            self._encoded[key] = kept_features(inputs, family.kind, lambda: self._features(task, rows, hyper))
            while sum(len(kept.ids) for kept in self._encoded.values()) > _KEPT and len(self._encoded) > 2:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(key)
        return rows, self._encoded[key]

    def blocks(
        self, task: TaskSpec, data: Located, hyper: Mapping[str, Any]
    ) -> Iterator[tuple[Sequence[Any], Features]]:
        """The same a block of rows at a time; of a split of several blocks nothing is kept."""
        for rows in blocks_of(task, data):
            whole = len(kept_rows(task, data)) == len(rows)
            yield self.encoded(task, data, hyper) if whole else (rows, self._features(task, rows, hyper))

    def _features(self, task: TaskSpec, rows: Sequence[Any], hyper: Mapping[str, Any]) -> Features:
        return family_of(task.family).features(rows, self.tokenizer, hyper)

    # The model

    @property
    def model(self) -> Any:
        """The encoder with flexible heads, loaded on first use, everything frozen."""
        if self._model is None:
            from adapters import AutoAdapterModel

            self._model = self._load(AutoAdapterModel)
            self._model.requires_grad_(False)
            self._names = tuple(name for name, _ in self._model.base_model.named_parameters())
        return self._model

    @cached_property
    def stacks(self) -> bool:
        """Whether the encoder is one that adapters can stand on side by side."""
        from transformers import AutoConfig

        return Encoder.computes(AutoConfig.from_pretrained(self.path, trust_remote_code=False))

    @property
    def encoder(self) -> Encoder:
        """The encoder as it is now, to compute several adapters side by side."""
        if self._computed is None:
            dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
            with torch.inference_mode(False):  # training differentiates through what prediction made
                self._computed = Encoder(self.model.base_model, dtype)
        return self._computed

    @cached_property
    def bank(self) -> Bank:
        """Language modules on the device, and the slots that they are put into."""
        return Bank(self.model, self.device)

    def masked_lm(self) -> Any:
        """A fresh encoder with its pretrained MLM head and room for adapters, everything frozen."""
        import adapters
        from transformers import AutoModelForMaskedLM

        model = self._load(AutoModelForMaskedLM)
        adapters.init(model)
        model.requires_grad_(False)
        invert_before_vocabulary(model)
        return model

    def _load(self, auto: Any) -> Any:
        # Weights that the checkpoint lacks (a pooler) are drawn: always the same ones.
        torch.manual_seed(0)
        with quiet():
            model = auto.from_pretrained(self.path, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
        return model.to(self.device)

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.num_hidden_layers)

    @property
    def positions(self) -> int:
        """Sub-words that the encoder has positions for, special ones included."""
        config = self.model.config
        # RoBERTa counts its positions from behind the padding id.
        reserved = config.pad_token_id + 1 if "roberta" in config.model_type else 0
        return int(config.max_position_embeddings) - reserved

    @property
    def token_budget(self) -> int:
        """Sub-words, padding included, that one forward pass takes unless told otherwise."""
        return 2048 if self.device.type == "cpu" else 32768  # what a core's cache holds; what fills a GPU

    @property
    def room(self) -> int:
        """Sub-words, padding included, that go through side by side, of whatever number of task adapters."""
        if self.device.type != "cuda":
            return self.token_budget
        free, _ = torch.cuda.mem_get_info(self.device)
        config = self.model.config
        per_token = config.num_hidden_layers * config.hidden_size * _BYTES * (1 if self.precision == "bf16" else 2)
        return max(int(free * 0.6 / per_token), self.token_budget)

    @property
    def pad_multiple(self) -> int:
        """Widths are rounded up to this: tensor cores like multiples of 8, CPUs do not care."""
        return 8 if self.device.type == "cuda" else 1

    def on_device(self, arrays: Arrays) -> dict[str, Tensor]:
        """Arrays as tensors on the session's device."""
        return {key: torch.as_tensor(value).to(self.device, non_blocking=True) for key, value in arrays.items()}

    def autocast(self) -> torch.autocast:
        """bf16 where the session computes in it; weights, gradients and optimiser stay fp32."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def encode_with(self, folder: Path | None) -> None:
        """Puts a tuned encoder's weights (a stored folder) in place of the backbone's own; None: its own again."""
        if folder == self._encoder:
            return
        self._computed = None
        self.keep_own_encoder()
        assert self._own is not None
        weights = load_file(folder / ENCODER, device=str(self.device)) if folder else self._own
        with torch.no_grad():
            for name, parameter in self.encoder_parameters().items():
                parameter.copy_(weights.get(name, self._own[name]))
        self._encoder = folder

    def encoder_parameters(self) -> dict[str, nn.Parameter]:
        """The encoder's own parameters, by their names in it, without those of adapters."""
        base = dict(self.model.base_model.named_parameters())
        return {name: base[name] for name in self._names}

    def keep_own_encoder(self) -> None:
        """Keeps a copy of the backbone's weights, before they are changed for the first time."""
        if self._own is None:
            self._own = {name: p.detach().clone() for name, p in self.encoder_parameters().items()}

    # Language modules

    def stand_on(self, standing: Standing | None, drop_last: bool) -> None:
        """Puts a language module (None: none) under the task adapter, if there is one."""
        from adapters.composition import Stack

        setup: list[Any] = []
        if standing is not None:
            setup.append(self.bank.put(standing, drop_last))
        if TASK in self.model.adapters_config.adapters:
            setup.append(TASK)
        if setup != self._active:
            self.model.set_active_adapters(Stack(*setup) if setup else None)
            self._active = setup

    def under(self, standings: Sequence[Standing | None], drop_last: bool) -> Stacked | None:
        """Language modules for several slots, stacked; one for all where they are the same. None: none for all.

        They are plain bottleneck adapters of one layout (:meth:`layout_of`), or none.
        """
        different = set(standings)
        if different == {None}:
            return None
        chosen = tuple(standings[:1] if len(different) == 1 else standings)
        key = (chosen, drop_last)
        if key not in self._under:
            weights = [self.bank.weights(standing, drop_last) for standing in chosen if standing is not None]
            layout = weights[0][0]
            assert layout is not None and len(weights) == len(chosen)
            with torch.inference_mode(False):
                tensors = layout.stack([own for _, own in weights])
                self._under[key] = Stacked(layout, tensors, self.encoder.dtype)
            while len(self._under) > 1 and sum(one.nbytes for one in self._under.values()) > _STACKS:
                del self._under[next(iter(self._under))]
        return self._under[key]

    def layout_of(self, standing: Standing | None, drop_last: bool) -> Layout | None:
        """The layout of a language module's weights; None where it is none, or no plain bottleneck adapter."""
        return None if standing is None else self.bank.weights(standing, drop_last)[0]

    # Task adapters

    def new_task_adapter(self, hyper: Mapping[str, Any], kind: str, drop_last: bool, seed: int) -> None:
        """A task adapter with fresh weights drawn from ``seed``, in place of the last one; for ``full`` none."""
        self.drop_task_adapter()
        torch.manual_seed(seed)
        if kind != FULL:
            self.model.add_adapter(TASK, config=adapter_config(kind, hyper, [self.layers - 1] if drop_last else []))

    def load_task_adapter(self, path: Path) -> None:
        """A stored task adapter, or fine-tuned encoder, with its head, in place of the last one."""
        self.drop_task_adapter()
        with quiet():
            if (path / ENCODER).is_file():
                self.encode_with(path)
                self.model.load_head(str(path), load_as=TASK, use_safetensors=True)
            else:
                self.model.load_adapter(str(path), load_as=TASK, use_safetensors=True, with_head=True)
        self.model.active_head = TASK
        self.model.to(self.device)
        self.model.requires_grad_(False)
        self.model.eval()

    def save_task_adapter(self, path: Path) -> None:
        """Writes the task adapter and its head in the adapters library's format (safetensors).

        Of a fine-tuned backbone it is the encoder's weights, and the head in that format.
        """
        if TASK in self.model.adapters_config.adapters:
            with without_copies(self.model):
                self.model.save_adapter(str(path), TASK, with_head=True, use_safetensors=True)
        else:
            save_encoder(self.encoder_parameters(), path)
            self.model.save_head(str(path), TASK, use_safetensors=True)

    def drop_task_adapter(self) -> None:
        """Removes the task adapter and its head."""
        self.model.set_active_adapters(None)
        self._active = []
        if TASK in self.model.adapters_config.adapters:
            self.model.delete_adapter(TASK)
        if TASK in self.model.heads:
            self.model.delete_head(TASK)

    def task_adapter(self) -> dict[str, nn.Parameter]:
        """The task adapter's parameters by their names in the model, without its head's."""
        place = adapter_places([TASK])
        return {n: p for n, p in self.model.named_parameters() if any(part in f".{n}" for part in place)}

    @property
    def task_head(self) -> Any:
        """The task adapter's head, a module of the adapters library."""
        return self.model.heads[TASK]

    def task_layout(self) -> Layout | None:
        """The layout of the task adapter's weights; None where it is no plain bottleneck adapter."""
        if TASK not in self.model.adapters_config.adapters:
            return None
        config = self.model.adapters_config.get(TASK)
        return Layout.of(self.task_adapter(), config["non_linearity"]) if is_plain(config) else None

    def trainable(self) -> dict[str, nn.Parameter]:
        """The task adapter's and its head's parameters by name, made trainable; all others are frozen.

        Without a task adapter it is the encoder's own and the head's.
        """
        self.model.to(self.device)
        self.model.requires_grad_(False)
        found = {name: p for name, p in self.model.named_parameters() if f".{TASK}." in name}
        if TASK not in self.model.adapters_config.adapters:
            self.keep_own_encoder()
            self._computed = None
            self._encoder = Path()  # whoever comes next gets the weights that it asks for
            found |= {f"encoder.{name}": p for name, p in self.encoder_parameters().items()}
        for parameter in found.values():
            parameter.requires_grad_(True)
        return found

    def check_frozen(self, trained: Iterable[nn.Parameter]) -> None:
        """Asserts that nothing trains but ``trained``: an adapter that is loaded late is born trainable.

        Raises:
            AssertionError: naming what would train.
        """
        wanted = {id(parameter) for parameter in trained}
        loose = [name for name, p in self.model.named_parameters() if p.requires_grad and id(p) not in wanted]
        if loose:
            raise AssertionError(f"not frozen: {', '.join(loose[:3])}{', …' if len(loose) > 3 else ''}")

    def check_pooler(self) -> None:
        """Refuses a head on a pooler that the checkpoint does not have.

        Raises:
            UserError: naming the option to change.
        """
        if self.backbone.folder is not None and self.backbone.head != "pooler":
            raise UserError(f"backbone {self.backbone.name} has no pooler weights: use --set train.head=two-layer")
