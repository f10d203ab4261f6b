"""Cross-entropy over a large vocabulary without keeping its logits.

A multilingual vocabulary has 120,000 to 250,000 pieces: logits of a few hundred masked positions, their
softmax and their gradient would each take hundreds of megabytes, written and read again. Here the
loss and its gradients are computed together, a few rows at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Logits at a time, in elements: small enough to stay in a heap that is used again and again.
_ELEMENTS = 2**23


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, gold: Tensor) -> Tensor:
        wanted = any(ctx.needs_input_grad[:3])
        matrix = weight.to(hidden.dtype)
        gradient = torch.empty_like(hidden) if wanted else None
        of_bias = torch.zeros_like(bias) if wanted else None
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), device=hidden.device)
        rows = max(_ELEMENTS // len(weight), 1)
        for start in range(0, len(hidden), rows):
            part, labels = hidden[start : start + rows], gold[start : start + rows]
            logits = (part @ matrix.T).float().add_(bias)
            norm = logits.logsumexp(dim=1, keepdim=True)
            total += (norm.squeeze(1) - logits.gather(1, labels[:, None]).squeeze(1)).sum()
            if gradient is not None and of_bias is not None:
                excess = logits.sub_(norm).exp_()  # softmax minus one-hot is the gradient of the logits
                excess[torch.arange(len(labels), device=labels.device), labels] -= 1
                of_bias += excess.sum(dim=0)
                excess = excess.to(hidden.dtype)
                gradient[start : start + rows] = excess @ matrix
                if of_weight is not None:
                    of_weight += excess.T @ part
        ctx.save_for_backward(gradient, of_bias, of_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradient, of_bias, of_weight = ctx.saved_tensors
        scale = upstream[0]
        by_weight = None if of_weight is None else of_weight * scale
        return gradient * scale.to(gradient.dtype), by_weight, of_bias * scale, None


def vocabulary_loss(hidden: Tensor, weight: Tensor, bias: Tensor, gold: Tensor) -> Tensor:
    """Sum of the cross-entropies of ``hidden @ weight.T + bias`` against ``gold``.

    Shapes: hidden (n, d), weight (v, d), bias (v,), gold (n,) of piece ids; the result is a scalar in fp32.
    Differentiable by ``hidden``, ``bias`` and, where the embedding matrix is trained, ``weight``.
    """
    loss: Tensor = _Loss.apply(hidden, weight, bias, gold)  # type: ignore[no-untyped-call]
    return loss
