"""What the strategy says, that it keeps to the contract of plugins, and that it runs."""

from __future__ import annotations

import xleval
from xleval import LA, Language, World
from xleval.testing import assert_conforms
from xleval_example_strategy import ExampleStrategy


def language(code: str, resource: str) -> Language:
    return Language(code, code.title(), "Made", "Latn", "None", resource)


def test_it_trains_on_the_source_and_on_the_targets_of_its_class() -> None:
    source, rich, poor = language("qta", "high"), language("qtb", "high"), language("qtc", "low")
    world = World(source, {"task": (poor, rich)})
    recipe = ExampleStrategy().recipe(None, poor, world)
    assert recipe.train_on == (LA(source), LA(rich))
    assert recipe.infer_on == LA(poor)
    assert ExampleStrategy(resource="low").recipe(None, poor, world).train_on == (LA(source), LA(poor))


def test_it_conforms() -> None:
    assert_conforms("xleval_example_strategy", run=False)


def test_it_runs_on_the_demo(tmp_path) -> None:
    table = xleval.run(
        strategies=["example-strategy"],
        tasks=["demo-nli"],
        languages=["qab", "qah"],
        seeds=[1],
        limit=32,
        set={"la.steps": 2, "train.epochs": 1},
        store=tmp_path / "store",
        out=tmp_path / "results",
    )
    assert "example-strategy" in table.to_markdown()
