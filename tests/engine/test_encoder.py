"""The encoder against the adapters library: hidden states and gradients, in every architecture and stack; dropout."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xleval.engine.bank import adapter_places
from xleval.engine.dropout import Field, mixed
from xleval.engine.encoder import Encoder, Inputs
from xleval.engine.stacked import Coupling, Layout, Stacked, activation, is_plain

N, WIDTH = 5, 12


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An encoder with two language adapters and two task adapters, weights drawn large enough to matter."""
    import transformers
    from adapters import AutoAdapterModel, SeqBnConfig, SeqBnInvConfig

    sizes = {
        "vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
        "max_position_embeddings": 40, "pad_token_id": 1 if request.param == "xlm-roberta" else 0,
    }  # fmt: skip
    kind = transformers.BertConfig if request.param == "bert" else transformers.XLMRobertaConfig
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    transformers.AutoModel.from_config(kind(**sizes)).save_pretrained(folder)
    made = AutoAdapterModel.from_pretrained(folder)
    for name in ("la0", "la1"):
        made.add_adapter(name, config=SeqBnInvConfig(reduction_factor=2, non_linearity="gelu", leave_out=[2]))
    for name in ("ta0", "ta1"):
        made.add_adapter(name, config=SeqBnConfig(reduction_factor=4, non_linearity="relu", leave_out=[2]))
    for name, parameter in made.named_parameters():
        if any(place in f".{name}" for place in adapter_places(["la0", "la1", "ta0", "ta1"])):
            torch.nn.init.normal_(parameter, std=0.2)
    made.train_adapter(["ta0", "ta1"])
    return made.eval()


def weights(model: Any, name: str) -> dict[str, torch.nn.Parameter]:
    places = adapter_places([name])
    return {n: p for n, p in model.named_parameters() if any(place in f".{n}" for place in places)}


def stacked(model: Any, *names: str) -> tuple[Stacked, dict[str, torch.Tensor], Layout]:
    own = [weights(model, name) for name in names]
    layout = Layout.of(own[0], model.adapters_config.get(names[0])["non_linearity"])
    assert layout is not None
    tensors = {name: t.detach().requires_grad_() for name, t in layout.stack([list(o.values()) for o in own]).items()}
    return Stacked(layout, tensors, torch.float32), tensors, layout


def batch(model: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of sequences of 12 sub-words to 8."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.arange(WIDTH) < torch.tensor([12, 12, 10, 9, 8])[:, None]
    ids = torch.randint(5, 90, (N, WIDTH), generator=draw)
    return ids.masked_fill(~mask, model.config.pad_token_id), mask


def by_library(model: Any, setup: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    model.set_active_adapters(setup)
    found: torch.Tensor = model.base_model(input_ids=ids, attention_mask=mask.long())[0]
    return found


@pytest.mark.parametrize("names", [(), ("la0",), ("ta1",), ("la1", "ta0")], ids=str)
@pytest.mark.parametrize("padded", [True, False])
def test_hidden_states_are_the_librarys(names: tuple[str, ...], padded: bool, model: Any) -> None:
    from adapters.composition import Stack

    ids, mask = batch(model, 1)
    if not padded:
        ids, mask = ids[:2], mask[:2]
    adapters = [stacked(model, name)[0] for name in names]
    encoder = Encoder(model.base_model, torch.float32)
    inputs = Inputs(ids[None], mask[None] if padded else None)
    with torch.no_grad():
        theirs = by_library(model, Stack(*names) if names else None, ids, mask)
        mine = encoder(inputs, adapters)[0]
        first = encoder(inputs, adapters, first_only=True)[0]
    assert torch.allclose(mine[mask], theirs[mask], atol=1e-5)
    assert first.shape == (len(ids), 1, 32)
    assert torch.allclose(first[:, 0], theirs[:, 0], atol=1e-5)
    if names:
        plain = by_library(model, None, ids, mask)
        assert not torch.allclose(theirs[mask], plain[mask], atol=0.1)


def test_slots_are_those_of_each_alone_and_so_are_gradients(model: Any) -> None:
    from adapters.composition import Stack

    below, _, _ = stacked(model, "la0", "la1")
    above, tensors, layout = stacked(model, "ta1", "ta0")
    batches = [batch(model, seed) for seed in (2, 3)]
    ids, mask = (torch.stack(of) for of in zip(*batches, strict=True))
    aim = torch.randn(2, N, WIDTH, 32, generator=torch.Generator().manual_seed(4)) * mask[..., None]
    mine = Encoder(model.base_model, torch.float32)(Inputs(ids, mask), [below, above])
    (mine * aim).sum().backward()
    for slot, (language, task) in enumerate((("la0", "ta1"), ("la1", "ta0"))):
        model.zero_grad()
        theirs = by_library(model, Stack(language, task), ids[slot], mask[slot])
        (theirs * aim[slot]).sum().backward()
        assert torch.allclose(mine[slot][mask[slot]], theirs[mask[slot]], atol=1e-5)
        gradients = list(layout.views({name: t.grad for name, t in tensors.items()}, slot))  # type: ignore[misc]
        for gradient, parameter in zip(gradients, weights(model, task).values(), strict=True):
            assert torch.allclose(gradient, parameter.grad, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]


def test_inputs_that_all_share_are_computed_once_below_what_differs(model: Any) -> None:
    ids, mask = batch(model, 5)
    above, _, _ = stacked(model, "ta0", "ta1")
    encoder = Encoder(model.base_model, torch.float32)
    with torch.no_grad():
        shared = encoder(Inputs(ids[None], mask[None]), [stacked(model, "la0")[0], above])
        each = encoder(Inputs(ids.expand(2, -1, -1), mask.expand(2, -1, -1)), [stacked(model, "la0")[0], above])
    assert shared.shape == each.shape == (2, N, WIDTH, 32)
    assert torch.allclose(shared[:, mask], each[:, mask], atol=1e-5)


def test_the_invertible_adapter_is_undone(model: Any) -> None:
    coupling = stacked(model, "la0", "la1")[0].coupling
    assert coupling is not None
    x = torch.randn(2, 7, 32)
    assert torch.allclose(coupling.inverse(coupling.forward(x)), x, atol=1e-5)
    for slot, one in enumerate(coupling.apart()):
        assert isinstance(one, Coupling)
        assert torch.allclose(one.forward(x[slot : slot + 1]), coupling.forward(x)[slot : slot + 1], atol=1e-6)


def test_what_is_not_plain_is_left_to_the_library() -> None:
    import adapters

    assert is_plain(adapters.SeqBnConfig()) and is_plain(adapters.SeqBnInvConfig(reduction_factor=3))
    others = (
        adapters.ParBnConfig(), adapters.DoubleSeqBnConfig(), adapters.LoRAConfig(), adapters.PrefixTuningConfig(),
        adapters.CompacterConfig(), adapters.SeqBnConfig(use_gating=True), adapters.SeqBnConfig(scaling=2.0),
        adapters.SeqBnConfig(inv_adapter="glow", inv_adapter_reduction_factor=2), adapters.SeqBnConfig(dropout=0.1),
    )  # fmt: skip
    assert [is_plain(config) for config in others] == [False] * len(others)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.25])
def test_dropout_is_met_and_keeps_the_mean(probability: float) -> None:
    field = Field.of([1], [0], 2_000_000, torch.device("cpu"))
    dropped = field.drop(torch.ones(1, 1000, 1000), probability)
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.003)
    again = field.drop(torch.ones(1, 1000, 1000), probability)
    assert not torch.equal(again, dropped)
    one, other = (dropped == 0).flatten().float(), (again == 0).flatten().float()
    both = (one * other).mean().item()
    assert both == pytest.approx(probability**2, abs=0.002)


def test_dropout_is_a_function_of_seed_and_number() -> None:
    device = torch.device("cpu")
    together = Field.of([1, 2, 1], [5, 0], 100, device).drawn
    assert torch.equal(together[0], together[2]) and not torch.equal(together[0], together[1])
    assert torch.equal(Field.of([2], [5, 0], 100, device).drawn[0], together[1])
    assert not torch.equal(Field.of([2], [5, 1], 100, device).drawn[0], together[1])
    assert mixed(1, 2) != mixed(2, 1)


def test_a_gradient_is_dropped_where_its_value_was() -> None:
    x = torch.ones(1, 4000, requires_grad=True)
    dropped = Field.of([1], [0], 4000, torch.device("cpu")).drop(x, 0.3)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())  # type: ignore[arg-type]


@pytest.mark.parametrize("first_only", [True, False])
def test_as_many_are_drawn_as_are_used(first_only: bool, model: Any) -> None:
    ids, mask = batch(model, 6)
    encoder = Encoder(model.base_model, torch.float32)
    draws = encoder.draws(N, WIDTH, first_only=first_only)
    field = Field.of([1], [0], draws, torch.device("cpu"))
    encoder(Inputs(ids[None], mask[None]), [stacked(model, "ta0")[0]], field, first_only=first_only)
    assert field.used == draws > 0


def test_activations_are_the_librarys() -> None:
    x = torch.randn(10)
    assert torch.equal(activation("relu")(x), torch.relu(x))
    assert torch.equal(activation("swish")(x), torch.nn.functional.silu(x))


def test_other_architectures_are_left_to_the_library() -> None:
    import transformers

    assert Encoder.computes(transformers.XLMRobertaConfig()) and Encoder.computes(transformers.BertConfig())
    assert not Encoder.computes(transformers.DistilBertConfig())
    assert not Encoder.computes(transformers.BertConfig(position_embedding_type="relative_key"))
