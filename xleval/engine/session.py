"""A loaded backbone, its LA slot and task adapter: what training and prediction share.

Switching the language adapter (LA) of a step copies its weights into a *slot* from a bank kept on the
device, so the module graph never changes shape. All weights go in and out through the adapters library.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from xleval.backbones import Backbone
from xleval.device import resolve_device
from xleval.errors import UserError
from xleval.tasks.family import family_of
from xleval.tasks.features import Features
from xleval.tasks.recent import blocks_of, kept_rows, rows_of

if TYPE_CHECKING:
    from xleval.tasks.sources import Located
    from xleval.tasks.spec import TaskSpec

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on CUDA

#: Name of the task adapter and its head inside the model, and in the files that it is saved to.
TASK = "task"

#: Sub-words of tokenised splits kept in memory: at some ten bytes each, a task's train, dev and targets.
_KEPT = 2**25


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
        self._bank: dict[tuple[str, bool], tuple[str, list[Tensor]]] = {}
        self._slots: dict[tuple[Any, ...], str] = {}
        self._standing: tuple[str, Path] | None = None
        self._active: list[str] = []
        self._encoded: OrderedDict[tuple[Any, ...], Features] = OrderedDict()

    def encoded(self, task: TaskSpec, data: Located, hyper: Mapping[str, Any]) -> tuple[Sequence[Any], Features]:
        """Rows of a split and their features, all at once; those of the last splits are kept, for seeds share them."""
        settings = tuple(hyper.get(key) for key in ("max_length", "stride", "question", "root"))
        label_map = tuple(sorted(task.label_map.items()))
        key = (task.family, tuple(task.labels), label_map, data.fingerprint, settings)
        rows = rows_of(task, data)
        if key not in self._encoded:
            self._encoded[key] = self._features(task, rows, hyper)
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
        return self._model

    def masked_lm(self) -> Any:
        """A fresh encoder with its pretrained MLM head and room for adapters, everything frozen."""
        import adapters
        from transformers import AutoModelForMaskedLM

        model = self._load(AutoModelForMaskedLM)
        adapters.init(model)
        model.requires_grad_(False)
        return model

    def _load(self, auto: Any) -> Any:
        # Weights that the checkpoint lacks (a pooler) are drawn: always the same ones.
        torch.manual_seed(0)
        with _quiet():
            model = auto.from_pretrained(self.path, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
        return model.to(self.device)

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.num_hidden_layers)

    @property
    def token_budget(self) -> int:
        """Sub-words, padding included, that one forward pass takes unless told otherwise."""
        return 4096 if self.device.type == "cpu" else 32768

    def autocast(self) -> torch.autocast:
        """bf16 where the session computes in it; weights, gradients and optimiser stay fp32."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    # Language adapters

    def stand_on(self, adapter: Path | None, drop_last: bool) -> None:
        """Puts a language adapter (a stored folder; None: none) under the task adapter, if there is one."""
        from adapters.composition import Stack

        names: list[str] = []
        if adapter is not None:
            slot, weights = self._banked(adapter, drop_last)
            if (slot, adapter) != self._standing:
                with torch.no_grad():
                    torch._foreach_copy_(_tensors(self.model, slot), weights)
                self._standing = (slot, adapter)
            names.append(slot)
        if TASK in self.model.adapters_config.adapters:
            names.append(TASK)
        if names != self._active:
            self.model.set_active_adapters(Stack(*names) if names else None)
            self._active = names

    def _banked(self, adapter: Path, drop_last: bool) -> tuple[str, list[Tensor]]:
        key = (str(adapter), drop_last)
        if key not in self._bank:
            leave_out = [self.layers - 1] if drop_last else []
            with _quiet():
                name = self.model.load_adapter(
                    str(adapter), load_as="incoming", leave_out=leave_out, use_safetensors=True, with_head=False
                )
            config = self.model.adapters_config.get(name)
            self.model.to(self.device)
            weights = [p.detach().clone() for p in _tensors(self.model, name)]
            shape = (str(sorted(config.to_dict().items(), key=str)), drop_last)
            self.model.delete_adapter(name)
            if shape not in self._slots:
                self._slots[shape] = f"la{len(self._slots)}"
                self.model.add_adapter(self._slots[shape], config=config)
                self.model.to(self.device)
                for parameter in _tensors(self.model, self._slots[shape]):
                    parameter.requires_grad_(False)
            self._bank[key] = (self._slots[shape], weights)
        return self._bank[key]

    # Task adapters

    def new_task_adapter(self, hyper: Mapping[str, Any], drop_last: bool, seed: int) -> None:
        """A task adapter with fresh weights drawn from ``seed``, in place of the last one."""
        from adapters import SeqBnConfig

        self.drop_task_adapter()
        config = SeqBnConfig(
            reduction_factor=hyper["reduction"],
            non_linearity=hyper["non_linearity"],
            leave_out=[self.layers - 1] if drop_last else [],
        )
        torch.manual_seed(seed)
        self.model.add_adapter(TASK, config=config)

    def load_task_adapter(self, path: Path) -> None:
        """A stored task adapter with its head, in place of the last one."""
        self.drop_task_adapter()
        with _quiet():
            self.model.load_adapter(str(path), load_as=TASK, use_safetensors=True, with_head=True)
        self.model.active_head = TASK
        self.model.to(self.device)
        self.model.requires_grad_(False)
        self.model.eval()

    def save_task_adapter(self, path: Path) -> None:
        """Writes the task adapter and its head in the adapters library's format (safetensors)."""
        self.model.save_adapter(str(path), TASK, with_head=True, use_safetensors=True)

    def drop_task_adapter(self) -> None:
        """Removes the task adapter and its head."""
        self.model.set_active_adapters(None)
        self._active = []
        if TASK in self.model.adapters_config.adapters:
            self.model.delete_adapter(TASK)
        if TASK in self.model.heads:
            self.model.delete_head(TASK)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The task adapter's and its head's parameters by name, made trainable; all others are frozen."""
        self.model.to(self.device)
        self.model.requires_grad_(False)
        found = {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if f".{TASK}." in name and (".adapters." in name or name.startswith(f"heads.{TASK}."))
        }
        for parameter in found.values():
            parameter.requires_grad_(True)
        return found

    def check_pooler(self) -> None:
        """Refuses a head on a pooler that the checkpoint does not have.

        Raises:
            UserError: naming the option to change.
        """
        if self.backbone.folder is not None and self.backbone.head != "pooler":
            raise UserError(f"backbone {self.backbone.name} has no pooler weights: use --set train.head=two-layer")


def _tensors(model: Any, adapter: str) -> list[Tensor]:
    # Order of definition, which is the same for adapters of one configuration.
    places = (f".adapters.{adapter}.", f"invertible_adapters.{adapter}.")
    return [p for name, p in model.named_parameters() if any(place in f".{name}" for place in places)]


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
