"""The frozen encoder, computed for several adapters side by side.

Trainings that share a backbone (seeds, targets, strategies, languages) differ in their adapters alone. Each has a
*slot*: the encoder's own matrices multiply the sub-words of all slots at once, and those of the adapters are stacked
and multiply each slot's own. One slot is the same code. It computes what the adapters library computes for
bottleneck adapters one over the other in BERT, XLM-R and RoBERTa (Pfeiffer et al. 2020, MAD-X: layer norm and residual
of the original layer around each), without its dispatch for every layer and composition.

Shapes: S slots; n sequences a slot, padded to w sub-words; d dimensions. Where something is the same for all slots its
first dimension is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from xleval.engine.dropout import Field
from xleval.engine.stacked import Stacked

#: Architectures that are computed here: layer norm after each residual, learned positions.
ARCHITECTURES = ("bert", "roberta", "xlm-roberta")


#: Shares of attention that stay in a core's cache, in elements.
_IN_CACHE = 2**18


class _Linear(NamedTuple):
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class _Norm(NamedTuple):
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class _Layer(NamedTuple):
    queries_keys_values: _Linear
    attended: _Linear
    attended_norm: _Norm
    wide: _Linear
    narrow: _Linear
    norm: _Norm


@dataclass(frozen=True)
class Inputs:
    """ids (S or 1, n, w); ``mask`` (S or 1, n, w) is true at sub-words, None where nothing is padded; ``segments``."""

    ids: Tensor
    mask: Tensor | None = None
    segments: Tensor | None = None


class Encoder:
    """The weights of a transformers encoder in the precision that it is computed in; nothing of it is trained."""

    def __init__(self, base: Any, dtype: torch.dtype) -> None:
        config = base.config
        self.dtype, self.heads, self.base = dtype, int(config.num_attention_heads), base
        self.activation = base.encoder.layer[0].intermediate.intermediate_act_fn
        self.hidden_dropout = float(config.hidden_dropout_prob)
        self.attention_dropout = float(config.attention_probs_dropout_prob)
        table = base.embeddings
        # RoBERTa counts its positions from behind the padding id.
        first = config.pad_token_id + 1 if "roberta" in config.model_type else 0
        self.words, self.kinds = self._of(table.word_embeddings.weight), self._of(table.token_type_embeddings.weight)
        self.places = self._of(table.position_embeddings.weight)[first:]
        self.norm = self._norm(table.LayerNorm)
        self.layers = [self._layer(layer) for layer in base.encoder.layer]

    @staticmethod
    def computes(config: Any) -> bool:
        """Whether a model of this configuration is one that is computed here."""
        return (
            config.model_type in ARCHITECTURES
            and getattr(config, "position_embedding_type", "absolute") == "absolute"
            and not getattr(config, "is_decoder", False)
        )

    def __call__(
        self, inputs: Inputs, adapters: Sequence[Stacked], field: Field | None = None, *, first_only: bool = False
    ) -> Tensor:
        """The last layer, (S or 1, n, w, d); ``first_only``: of each first sub-word alone, (S or 1, n, 1, d).

        ``adapters`` stand one over the other, the first at the bottom; only its invertible part is used. ``field``
        draws the dropout of a training; None: no dropout.
        """
        slots, n, width = inputs.ids.shape
        x = self.words[inputs.ids] + self.places[:width]
        x = self.norm(x + (self.kinds[0] if inputs.segments is None else self.kinds[inputs.segments]))
        x = _dropped(x.view(slots, n * width, -1), self.hidden_dropout, field)
        if adapters and adapters[0].coupling is not None:
            x = adapters[0].coupling.forward(x)
        bias = self._bias(inputs.mask)
        for index, layer in enumerate(self.layers):
            last = first_only and index == len(self.layers) - 1
            found = self._attend(layer, x.view(x.shape[0], n, width, -1), bias, field, first_only=last)
            if last:
                x = x.view(x.shape[0], n, width, -1)[:, :, 0]
            x = layer.attended_norm(_dropped(layer.attended(found), self.hidden_dropout, field) + x)
            wide = layer.narrow(self.activation(layer.wide(x)))
            y = _dropped(wide, self.hidden_dropout, field)
            for adapter in adapters:
                if index in adapter.layers:
                    y = adapter.over(index, layer.norm(y + x), y)
            x = layer.norm(y + x)
        return x.view(x.shape[0], n, -1, x.shape[-1])

    def pooled(self, hidden: Tensor) -> Tensor | None:
        """The pretrained pooler's output (…, d) of (…, w, d), if the encoder has one."""
        pooler = self.base.pooler
        if pooler is None:
            return None
        dense = pooler.dense
        return torch.tanh(functional.linear(hidden[..., 0, :], self._of(dense.weight), self._of(dense.bias)))

    def draws(self, n: int, width: int, *, first_only: bool) -> int:
        """Random numbers that dropout takes for a slot of this shape, in all layers."""
        size, count = self.words.shape[1], len(self.layers)
        hidden = n * width * size * (1 + 2 * count)
        attention = n * self.heads * width * width * count
        if first_only:
            hidden -= 2 * n * (width - 1) * size
            attention -= n * self.heads * width * (width - 1)
        return (hidden if self.hidden_dropout else 0) + (attention if self.attention_dropout else 0)

    def _attend(
        self, layer: _Layer, x: Tensor, bias: Tensor | None, field: Field | None, *, first_only: bool
    ) -> Tensor:
        # (S, n, w, d) → (S, n · w, d), or (S, n, d) for the first sub-words alone
        slots, n, width, size = x.shape
        if bias is not None and len(bias) < slots * n:  # inputs that all slots share
            bias = bias.repeat(slots, 1, 1, 1)
        if first_only:
            weight, offset = layer.queries_keys_values
            query = functional.linear(x[:, :, :1], weight[:size], offset[:size]).view(slots * n, 1, self.heads, -1)
            both = functional.linear(x, weight[size:], offset[size:]).view(slots * n, width, 2, self.heads, -1)
            key, value = both.unbind(2)
        else:
            query, key, value = layer.queries_keys_values(x).view(slots * n, width, 3, self.heads, -1).unbind(2)
        query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        if field is None or not self.attention_dropout:
            found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        else:
            found = self._attend_with_dropout(query, key, value, bias, field, slots)
        return found.transpose(1, 2).reshape(slots, -1, size)

    def _attend_with_dropout(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, field: Field, slots: int
    ) -> Tensor:
        # (S · n, heads, ·, d / heads) → the same shape as ``query``. A few sequences at a time: on a CPU what is passed
        # over several times stays in its cache. Draws are used up in the order of sequences, however many that are.
        heads, width, places = key.shape[1], key.shape[2], query.shape[2]
        given = [query / math.sqrt(query.shape[-1]), key, value, *([] if bias is None else [bias])]
        parts = [torch.unflatten(one, 0, (slots, -1)) for one in given]
        at_once = parts[0].shape[1]
        if query.device.type == "cpu":
            at_once = max(_IN_CACHE // (slots * heads * places * width), 1)
        found = []
        for q, k, v, *added in zip(*(torch.split(one, at_once, dim=1) for one in parts), strict=True):
            scores = q @ k.transpose(-1, -2)
            shares = functional.softmax(scores.add_(added[0]) if added else scores, dim=-1)
            found.append(field.drop(shares.flatten(1), self.attention_dropout).view_as(shares) @ v)
        return torch.cat(found, dim=1).flatten(0, 1)

    def _bias(self, mask: Tensor | None) -> Tensor | None:
        # Added to the scores of attention: (S · n, 1, 1, w)
        if mask is None:
            return None
        lowest = torch.finfo(self.dtype).min
        return torch.zeros_like(mask, dtype=self.dtype).masked_fill_(~mask, lowest).flatten(0, 1)[:, None, None]

    def _layer(self, layer: Any) -> _Layer:
        own = layer.attention.self
        three = [own.query, own.key, own.value]
        return _Layer(
            _Linear(*(torch.cat([self._of(getattr(one, name)) for one in three]) for name in ("weight", "bias"))),
            self._linear(layer.attention.output.dense),
            self._norm(layer.attention.output.LayerNorm),
            self._linear(layer.intermediate.dense),
            self._linear(layer.output.dense),
            self._norm(layer.output.LayerNorm),
        )

    def _linear(self, module: Any) -> _Linear:
        return _Linear(self._of(module.weight), self._of(module.bias))

    def _norm(self, module: Any) -> _Norm:
        return _Norm(self._of(module.weight), self._of(module.bias), float(module.eps))

    def _of(self, weight: Tensor) -> Tensor:
        return weight.detach().to(self.dtype)


def _dropped(x: Tensor, probability: float, field: Field | None) -> Tensor:
    return x if field is None or not probability else field.drop(x, probability)
