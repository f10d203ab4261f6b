"""The loss over the vocabulary against torch's own, value and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from xleval.engine import vocabulary
from xleval.engine.vocabulary import vocabulary_loss


@pytest.mark.parametrize("elements", [50, 500, 10**6])
def test_value_and_gradients_are_torchs(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_ELEMENTS", elements)
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(97, 16, generator=draw)
    gold = torch.randint(0, 97, (23,), generator=draw)
    found = []
    for loss in (vocabulary_loss, lambda h, w, b, g: functional.cross_entropy(h @ w.T + b, g, reduction="sum")):
        hidden = torch.randn(23, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
        bias = torch.randn(97, generator=torch.Generator().manual_seed(2), requires_grad=True)
        value = loss(hidden, weight, bias, gold) / 7
        value.backward()
        found.append((value.detach(), hidden.grad, bias.grad))
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_no_positions_and_no_gradient() -> None:
    weight, bias = torch.randn(9, 4), torch.zeros(9)
    assert float(vocabulary_loss(torch.zeros(0, 4), weight, bias, torch.zeros(0, dtype=torch.long))) == 0.0
    with torch.inference_mode():
        assert float(vocabulary_loss(torch.zeros(2, 4), weight, bias, torch.tensor([1, 2]))) > 0


def test_bf16_stays_close() -> None:
    draw = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(40, 32, generator=draw), torch.randn(500, 32, generator=draw) / 6
    gold, bias = torch.randint(0, 500, (40,), generator=draw), torch.zeros(500)
    exact = float(vocabulary_loss(hidden, weight, bias, gold))
    assert float(vocabulary_loss(hidden.bfloat16(), weight, bias, gold)) == pytest.approx(exact, rel=0.01)


def test_gradients_of_a_trained_embedding_matrix() -> None:
    generator = torch.Generator().manual_seed(3)
    hidden, weight, bias = (torch.randn(*s, generator=generator) for s in ((7, 5), (11, 5), (11,)))
    gold = torch.randint(0, 11, (7,), generator=generator)
    ours, plain = ([t.clone().requires_grad_() for t in (hidden, weight, bias)] for _ in range(2))
    (3 * vocabulary_loss(*ours, gold)).backward()
    (3 * torch.nn.functional.cross_entropy(plain[0] @ plain[1].T + plain[2], gold, reduction="sum")).backward()
    for mine, theirs in zip(ours, plain, strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-4)
