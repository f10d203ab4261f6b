"""The alignment on the demo: its cosines are those of a plain loop over the adapters library, example by example."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xleval.analysis.alignment import Alignment, measure
from xleval.errors import UserError
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.plan import Plan, plan
from xleval.tasks.recent import rows_of

SMALL = {
    "la.steps": 6, "la.eval_every": 3, "la.chunk": 32, "la.lr": 1e-2, "train.steps": 8, "train.eval_every": 4,
    "train.max_length": 48, "train.lr": 1e-2,
}  # fmt: skip
EXAMPLES = 24


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def graph_of(host: Host, store: Path, **more: Any) -> Plan:
    options = {
        "tasks": ["demo-nli"], "languages": ["qab"], "limit": "60", "seeds": [1, 2], "set": SMALL, "jobs": 1,
        "device": "cpu", "strategies": ["madx", "tlr-target"], "store": store, "out": store / "out",
    }  # fmt: skip
    return plan(make_experiment({**options, **more}), host)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def found(host: Host, store: Path) -> Alignment:
    """Two strategies, two seeds, one target; the adapters are made on the way."""
    (one,) = measure(graph_of(host, store), host, examples=EXAMPLES)
    return one


def plain_vectors(graph: Plan, adapter: Any, module: Any, rows: list[Any]) -> np.ndarray[Any, Any]:
    """(layers + 1, n, d) of one text after the other, unpadded, by the library's own classes."""
    import torch
    from adapters import AutoAdapterModel
    from adapters.composition import Stack
    from transformers import AutoTokenizer

    path, drop = graph.scope.backbone.path(), adapter.drop_last
    model, tokenizer = AutoAdapterModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    last = model.config.num_hidden_layers - 1
    folder = graph.store.path(module.kind, module.fingerprint)
    model.load_adapter(str(folder), load_as="la", leave_out=[last] if drop else [], use_safetensors=True)
    folder = graph.store.path(adapter.kind, adapter.fingerprint)
    model.load_adapter(str(folder), load_as="ta", with_head=False, use_safetensors=True)
    model.set_active_adapters(Stack("la", "ta"))
    model.eval()
    states = []
    for row in rows:
        inputs = tokenizer(row.text_a, row.text_b, return_tensors="pt", truncation=True, max_length=48)
        with torch.no_grad():
            hidden = model.base_model(**inputs, output_hidden_states=True).hidden_states
        states.append(np.stack([state[0, 0].numpy() for state in hidden]))
    return np.stack(states, axis=1)


def test_cosines_are_those_of_a_plain_loop(host: Host, store: Path, found: Alignment) -> None:
    graph = graph_of(host, store)
    for cell in graph.cells:
        adapter = cell.prediction.task_adapter
        # With the limit of the run there are 60 rows: the same draw of 24 of them.
        chosen = {}
        dev = replace(graph.scope, experiment=graph.experiment.model_copy(update={"split": "dev"}))
        for name, data in (("source", adapter.dev), ("target", dev.target(cell.task, cell.language))):
            import random

            rows, chance = list(rows_of(cell.task, data)), random.Random(0)
            keys = [chance.random() for _ in rows]
            keep = sorted(sorted(range(len(rows)), key=keys.__getitem__)[:EXAMPLES])
            chosen[name] = [rows[index] for index in keep]
        source = plain_vectors(graph, adapter, adapter.dev_module, chosen["source"])
        target = plain_vectors(graph, adapter, cell.prediction.module, chosen["target"])
        for layer in range(found.layers):
            norm = np.linalg.norm
            means = source[layer].mean(0), target[layer].mean(0)
            of_means = means[0] @ means[1] / norm(means[0]) / norm(means[1])
            pairs = [a @ b / norm(a) / norm(b) for a in source[layer] for b in target[layer]]
            place = (cell.strategy.label, cell.language.code, cell.seed)
            assert value(found, "of_means", *place, layer) == pytest.approx(of_means, abs=1e-5)
            assert value(found, "pairwise", *place, layer) == pytest.approx(np.mean(pairs), abs=1e-5)


def value(found: Alignment, reading: str, strategy: str, language: str, seed: int, layer: int) -> float:
    return found.curves[reading][strategy][language][seed][layer]


def test_strategies_and_seeds_differ_and_every_layer_is_there(found: Alignment) -> None:
    assert found.layers == 5  # the demo's four layers and the embeddings
    for reading in found.curves.values():
        curves = {
            tuple(curve)
            for by_language in reading.values()
            for by_seed in by_language.values()
            for curve in by_seed.values()
        }
        assert len(curves) == 4
        assert all(-1 <= cosine <= 1 for curve in curves for cosine in curve)


def test_the_splits_are_said(host: Host, store: Path, found: Alignment) -> None:
    assert found.splits == {"qaa": "dev", "qab": "dev"} and not found.notes
    (tested,) = measure(graph_of(host, store, strategies=["madx"], split="test"), host, examples=EXAMPLES, train=False)
    assert tested.splits == {"qaa": "dev", "qab": "test"} and not tested.notes
    assert tested.curves["pairwise"]["madx"] != found.curves["pairwise"]["madx"]


def test_without_dev_data_the_evaluated_split_takes_its_place(
    host: Host, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = type(host.providers["demo"])
    rows = provider.rows

    def without_dev(self: Any, dataset: str, split: str, language: str) -> Any:
        if split == "dev" and language != "qaa":
            raise ValueError("no dev data")
        return rows(self, dataset, split, language)

    monkeypatch.setattr(provider, "rows", without_dev)
    graph = graph_of(host, store, languages=["qac"], strategies=["madx"], seeds=[1])
    (one,) = measure(graph, host, examples=EXAMPLES)
    assert one.splits == {"qaa": "dev", "qac": "test"}
    assert one.notes == ("demo-nli has no dev data for some targets: their test data in its place",)


def test_the_table_has_means_over_seeds(found: Alignment) -> None:
    rows = {tuple(row[:3]): row[3:] for row in found.grids()[0].rows}
    curve = found.curves["pairwise"]["madx"]["qab"]
    expected = [f"{100 * (one + other) / 2:.1f}" for one, other in zip(curve[1], curve[2], strict=True)]
    assert rows["mean pairwise cosine", "qab", "madx"] == tuple(expected)
    assert len(rows) == 4
    assert "mean over 2 seeds" in found.grids()[0].caption


def test_the_table_ends_with_the_mean_over_languages(found: Alignment) -> None:
    of_two = {
        reading: {
            strategy: {"qab": by_language["qab"], "qac": {1: [0.0] * 5, 2: [0.0] * 5}}
            for strategy, by_language in curves.items()
        }
        for reading, curves in found.curves.items()
    }
    rows = {tuple(row[:3]): row[3:] for row in replace(found, curves=of_two).grids()[0].rows}
    curve = found.curves["of_means"]["madx"]["qab"]
    expected = [f"{100 * (one + other) / 4:.1f}" for one, other in zip(curve[1], curve[2], strict=True)]
    assert rows["cosine of the mean vectors", "mean", "madx"] == tuple(expected)


def test_json_has_every_seed(found: Alignment) -> None:
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    one = data["readings"]["of_means"]["tlr-target"]["qab"]
    assert set(one["seeds"]) == {"1", "2"} and len(one["mean"]) == 5
    assert one["sd"][4] == pytest.approx(np.std([one["seeds"]["1"][4], one["seeds"]["2"][4]], ddof=1))


def test_a_second_look_makes_nothing_and_gives_the_same(host: Host, store: Path, found: Alignment) -> None:
    (again,) = measure(graph_of(host, store), host, examples=EXAMPLES, train=False)
    assert again == found


def test_other_examples_are_another_draw(host: Host, store: Path, found: Alignment) -> None:
    (other,) = measure(graph_of(host, store, strategies=["madx"]), host, examples=EXAMPLES, draw=1, train=False)
    assert other.curves["pairwise"]["madx"] != found.curves["pairwise"]["madx"]


def test_fewer_examples_than_asked_for_are_said(host: Host, store: Path) -> None:
    (one,) = measure(graph_of(host, store, strategies=["madx"], seeds=[1]), host, source_split="train", train=False)
    assert "fewer than 500 examples: qaa 60, qab 60" in one.notes
    assert one.as_dict()["readings"]["of_means"]["madx"]["qab"]["sd"] == [None] * 5
    assert one.splits["qaa"] == "train"


def test_no_train_refuses_what_is_missing(host: Host, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"adapters are not in the store .*--no-train"):
        measure(graph_of(host, tmp_path), host, train=False)
    assert not (tmp_path / "task_adapter").exists()


def test_a_backbone_of_its_own_has_no_alignment(host: Host, store: Path) -> None:
    with pytest.raises(UserError, match="alignment is of one backbone"):
        measure(graph_of(host, store, strategies=["full-ft"], seeds=[1]), host)


def test_a_damaged_adapter_is_missing(host: Host, store: Path, found: Alignment) -> None:
    graph = graph_of(host, store, strategies=["madx"], seeds=[1])
    folder = graph.store.path("task_adapter", graph.cells[0].prediction.task_adapter.fingerprint)
    weights = folder / "adapter.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"\0")
    with pytest.raises(UserError, match="1 adapters are not in the store"):
        measure(graph, host, train=False)


@pytest.mark.parametrize("task", ["demo-copa", "demo-qa", "demo-ner"])
def test_every_family_has_one_vector_a_row(host: Host, store: Path, task: str) -> None:
    """Of choices and windows the first sequence; here against the features' own rows."""
    from xleval.engine.alignment import first_vectors
    from xleval.run import setting
    from xleval.tasks.family import family_of

    graph = graph_of(host, store, tasks=[task], strategies=["madx"], seeds=[1])
    adapter, spec = graph.cells[0].prediction.task_adapter, graph.scope.tasks[task]
    session = setting(graph).session()
    hyper = {**adapter.hyper, "max_length": 24 if task == "demo-ner" else adapter.hyper["max_length"]}
    rows = list(rows_of(spec, adapter.dev))[:12]
    found = first_vectors(session, spec, rows, hyper, 200)
    assert found.shape == (session.layers + 1, len(rows), session.model.config.hidden_size)
    features = family_of(spec.family).features(rows, session.tokenizer, hyper)
    import torch

    for index in (0, 7):
        example = list(features.rows).index(index)
        sequence = example if features.firsts is None else int(features.firsts[example])
        ids = features.ids[features.offsets[sequence] : features.offsets[sequence + 1]]
        extra = {}
        if features.segments is not None:
            segments = features.segments[features.offsets[sequence] : features.offsets[sequence + 1]]
            extra["token_type_ids"] = torch.tensor(segments[None].astype(int))
        with torch.no_grad():
            alone = session.model.base_model(torch.tensor(ids[None].astype(int)), output_hidden_states=True, **extra)
        expected = np.stack([state[0, 0].numpy() for state in alone.hidden_states])
        assert found[:, index] == pytest.approx(expected, abs=1e-4)
