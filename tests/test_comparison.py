"""Comparisons from records: what is paired, corrected, tied, refused and said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_results import FAMILIES, FAR, compared, outcomes, scored

from xleval.comparison.measured import NO_ITEMS, ONE_SEED, ONE_UNIT, measure
from xleval.comparison.recorded import recorded
from xleval.comparison.standing import difference, standings
from xleval.comparison.summary import summarised
from xleval.comparison.wording import bare_p, p_text, sentences
from xleval.errors import UserError
from xleval.item_files import items_of
from xleval.records import Results
from xleval.report.comparison import as_dict, figures, grids
from xleval.report.figures import svg
from xleval.report.render import markdown
from xleval.scoring.metrics import ENTITY_F1
from xleval.stats.contrast import cell, contrast
from xleval.stats.multiple import benjamini_hochberg, benjamini_yekutieli, holm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scored(tmp_path / "results", outcomes(FAR))


def test_a_difference_is_the_contrast_of_its_cells(folder: Path) -> None:
    found = compared(folder, "madx", "tlr")
    (one,) = found.versus
    made = outcomes(FAR)

    def cells(strategy: str) -> list[Any]:
        return [
            cell(
                np.stack([right, np.ones_like(right)], axis=-1), lambda s: s[0] / s[1],
                lambda s: np.array([1, -s[0] / s[1]]) / s[1], runs=[(strategy, seed) for seed in range(3)],
                units=np.arange(200), stratum=code,
            )
            for code, right in made[strategy].items()
        ]  # fmt: skip

    whole = contrast(cells("tlr") + cells("madx"), [0.5, 0.5, -0.5, -0.5])
    assert one.average.contrast is not None
    assert np.allclose(one.average.contrast, whole)
    for d in one.languages:
        number = list(made["tlr"]).index(d.language)
        alone = contrast([cells("tlr")[number], cells("madx")[number]], [1, -1])
        assert d.contrast is not None and np.allclose(d.contrast, alone)
        assert d.estimate == pytest.approx(alone.estimate)
    assert (one.better, one.improved, one.seeds) == ((2, 2), 2, (3, 3))
    assert one.average.superiority == 1 and one.average.error_reduction == pytest.approx(0.5, abs=0.08)


def test_corrections_are_holm_over_strategies_and_bh_over_all_cells(folder: Path) -> None:
    for correction, adjust in (("bh", benjamini_hochberg), ("by", benjamini_yekutieli)):
        found = compared(folder, "madx", "tlr", "same", correction=correction)
        averages = [one.average for one in found.versus]
        assert np.allclose([d.corrected for d in averages], holm([d.contrast.p for d in averages if d.contrast]))
        cells = [d for one in found.versus for d in one.languages]
        assert np.allclose([d.corrected for d in cells], adjust([d.contrast.p for d in cells if d.contrast]))


def test_tied_with_the_best(folder: Path, tmp_path: Path) -> None:
    assert {name for name, s in compared(folder, "madx", "tlr", "same").standings.items() if s.tied} == {"tlr"}
    near = scored(tmp_path / "near", outcomes({"madx": 0.6, "other": 0.61, "low": 0.3}))
    found = compared(near)
    assert {name for name, s in found.standings.items() if s.tied} == {"madx", "other"}
    assert compared(near, "madx", "low").standings["low"].tied is False


def test_the_set_of_the_tied_corrects_for_the_number_of_strategies(folder: Path) -> None:
    found = measure(recorded(folder)[0].tables[0], partial(items_of, folder))
    p = min(difference(found, "madx", "same", ["swa"]).p_less, difference(found, "madx", "same", ["swa"]).p_greater)
    rest = [row for row in found.table.rows if row.strategy != "tlr"]
    two = replace(found, table=replace(found.table, rows=tuple(rest)))
    assert not all(standings(two, alpha=p)[row.strategy, "swa"].tied for row in rest)
    # With a third strategy there are two comparisons to lose, though that one is out of sight.
    none = {code: np.eye(3, 200, dtype=int) for code in ("swa", "quy")}
    three = scored(folder.parent / "three", {**outcomes(FAR), "none": none})
    again = measure(recorded(three)[0].tables[0], partial(items_of, three))
    rows = tuple(row for row in again.table.rows if row.strategy != "tlr")
    again = replace(again, table=replace(again.table, rows=rows))
    assert all(standings(again, alpha=p)[name, "swa"].tied for name in ("madx", "same"))


def test_strategies_that_share_training_runs_are_paired(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.62}, seeds=4)
    apart = compared(scored(tmp_path / "a", made))
    shared = compared(scored(tmp_path / "b", made, trainings={"tlr": "madx"}))
    (a,), (b,) = apart.versus, shared.versus
    assert a.average.contrast and b.average.contrast
    assert a.average.estimate == b.average.estimate
    d = np.mean([made["tlr"][c].mean(axis=1) - made["madx"][c].mean(axis=1) for c in ("swa", "quy")], axis=0)
    assert b.average.contrast.runs == pytest.approx(d.var(ddof=1) / 4)
    assert a.average.contrast.runs != pytest.approx(b.average.contrast.runs)


def test_one_training_a_language_averages_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 0.1, (5, 1))
    made = {
        "madx": {code: (rng.random((5, 400)) < 0.6).astype(int) for code in FAMILIES},
        "tlr": {code: (rng.random((5, 400)) < 0.6 + seeds).astype(int) for code in FAMILIES},
    }
    shared = compared(scored(tmp_path / "a", made)).versus[0].average.contrast
    own = compared(scored(tmp_path / "b", made, per_language=["tlr"])).versus[0].average.contrast
    assert shared and own
    assert shared.runs > 1.2 * own.runs


def test_parallel_items_are_shared_between_languages(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.7})
    made = {name: {"swa": by["swa"], "quy": by["swa"]} for name, by in made.items()}
    own = compared(scored(tmp_path / "a", made)).versus[0].average.contrast
    shared = compared(scored(tmp_path / "b", made, parallel=True)).versus[0].average.contrast
    assert own and shared
    assert shared.items == pytest.approx(2 * own.items)


def test_questions_of_one_paragraph_are_one_unit(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.7})
    made = {
        name: {code: np.repeat(right[:, :50], 4, axis=1) for code, right in by.items()} for name, by in made.items()
    }
    groups = [f"i{4 * (i // 4)}" for i in range(200)]
    alone = compared(scored(tmp_path / "a", made)).versus[0].languages[0].contrast
    grouped = compared(scored(tmp_path / "b", made, groups=groups)).versus[0].languages[0].contrast
    assert alone and grouped
    assert grouped.items == pytest.approx(4 * alone.items, rel=0.02)


def test_identical_systems(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6})
    found = compared(scored(tmp_path / "r", {**made, "copy": made["madx"]}))
    for d in (*found.versus[0].languages, found.versus[0].average):
        assert d.contrast is not None
        assert (d.estimate, d.contrast.p, d.interval, d.corrected) == (0, 1, (0, 0), 1)
    (said,) = sentences(found)
    assert "predict the same on the average of 2 languages: 0.0 points of accuracy [0.0, 0.0], p = 1" in said
    assert all(s.tied for s in found.standings.values())


def test_all_right_against_all_wrong(tmp_path: Path) -> None:
    made = {"a": {"swa": np.ones((3, 50), int)}, "b": {"swa": np.zeros((3, 50), int)}}
    (one,) = compared(scored(tmp_path / "r", made), "b", "a").versus
    assert one.average.contrast is not None
    assert (one.average.estimate, one.average.interval, one.average.contrast.p) == (1, (1, 1), 0)


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_has_no_inference_and_says_why(tmp_path: Path, seeds: int) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.8}, seeds=seeds)
    found = compared(scored(tmp_path / "r", made))
    (said,) = sentences(found)
    text = "".join(grid.markdown() for grid in grids(found)) + json.dumps(as_dict(found)) + said
    if seeds == 1:
        assert ONE_SEED in said and f"no inference: tlr: {ONE_SEED}" in text
        assert "cannot be said" in said
        assert "p =" not in said and as_dict(found)["tied_with_best"] == []
        assert all(d.contrast is None and d.corrected is None and d.detectable is None
                   for d in (*found.versus[0].languages, found.versus[0].average))  # fmt: skip
    else:
        assert found.versus[0].average.contrast is not None


def test_without_counts_per_item_there_is_no_inference(tmp_path: Path) -> None:
    folder = scored(tmp_path / "r", outcomes({"madx": 0.6, "tlr": 0.8}))
    records = [{k: v for k, v in record.items() if k != "per_example"} for record in Results(folder).read()]
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (said,) = sentences(compared(folder))
    assert NO_ITEMS in said
    assert summarised(recorded(folder)[0], folder).tables[0].reasons == (NO_ITEMS,)


def test_one_item_says_nothing(tmp_path: Path) -> None:
    found = compared(scored(tmp_path / "r", outcomes({"madx": 0.6, "tlr": 0.8}, items=1)))
    assert found.versus[0].average.reason.endswith(ONE_UNIT)


def test_seeds_that_a_language_lacks_are_left_out_of_averages(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.8}, seeds=4)
    made["tlr"]["quy"] = made["tlr"]["quy"][:2]
    found = compared(scored(tmp_path / "r", made))
    (one,) = found.versus
    assert one.seeds == (2, 4)
    assert one.average.score == pytest.approx(np.mean([made["tlr"][code][:2].mean() for code in ("swa", "quy")]))
    assert "tlr has not the same seeds in all languages; averages are over those common to all" in found.notes
    made["tlr"]["quy"] = made["tlr"]["quy"][:1]
    (one,) = compared(scored(tmp_path / "s", made)).versus
    assert one.average.contrast is None
    assert {d.language: d.contrast is not None for d in one.languages} == {"quy": False, "swa": True}


def test_shared_runs_are_compared_on_the_seeds_that_both_have(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.7}, seeds=4)
    made["tlr"] = {code: right[:3] for code, right in made["tlr"].items()}
    (one,) = compared(scored(tmp_path / "r", made, trainings={"tlr": "madx"})).versus
    assert one.average.contrast is not None
    assert one.average.estimate == pytest.approx(one.average.contrast.estimate)
    assert one.average.baseline == pytest.approx(np.mean([made["madx"][code][:3].mean() for code in FAMILIES]))
    # One common seed of shared runs is one training run.
    folder = scored(tmp_path / "s", {"madx": {c: r[:2] for c, r in made["madx"].items()}}, seeds=[1, 2])
    scored(folder, {"tlr": {c: r[:2] for c, r in made["tlr"].items()}}, seeds=[2, 3], trainings={"tlr": "madx"})
    found = compared(folder)
    assert found.versus[0].average.contrast is None
    assert "tlr: fewer than two seeds of the training runs that it shares with madx" in " ".join(found.notes)
    assert all(standing.tied for standing in found.standings.values())


def test_no_language_in_common(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.7})
    found = compared(scored(tmp_path / "r", {"madx": {"swa": made["madx"]["swa"]}, "tlr": {"quy": made["tlr"]["quy"]}}))
    assert found.words == ["tlr and madx have no language in common."]
    text = (
        found.to_markdown()
        + "".join(grid.csv() for grid in grids(found))
        + json.dumps(found.as_dict(), allow_nan=False)
    )
    assert "nan" not in text.lower()
    assert all(svg(drawn, "t") for drawn in figures(found, {}).values())


def test_languages_that_both_have(tmp_path: Path) -> None:
    made = outcomes({"madx": 0.6, "tlr": 0.8}, ("swa", "quy", "yor"))
    del made["tlr"]["yor"]
    found = compared(scored(tmp_path / "r", made))
    assert [d.language for d in found.versus[0].languages] == ["quy", "swa"]
    assert "tlr and madx do not both have scores in yor" in found.notes


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task_version": "2"}, r"differ in task version \(2 and 1\)"),
        ({"limit": {"examples": 10, "seed": 0}}, r"differ in limit \(10 \(seed 0\) and none\)"),
        ({"dataset_revision": "2" * 40}, r"differ in data revision \(data 222222222222 and data 111111111111\)"),
        ({"backbone": {"id": "xlmr", "revision": "3" * 40}}, r"differ in backbone \(xlmr@33333333333333 and bert@"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    folder = scored(tmp_path / "r", outcomes({"madx": 0.6}))
    scored(folder, outcomes({"tlr": 0.8}), **fields)
    with pytest.raises(UserError, match=r"nli: tlr and madx cannot be compared, they " + said):
        compared(folder, "madx", "tlr")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ids": [f"j{i}" for i in range(200)]}, "different item ids"),
        ({"split": "dev"}, "different splits"),
        ({"dataset": "nli-2"}, "different data sets"),
        ({"dataset_revision": "sha256:" + "2" * 64}, "different data revisions"),
    ],
)
def test_scores_on_other_items_are_refused(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    local = {"dataset_revision": "sha256:" + "1" * 64}
    folder = scored(tmp_path / "r", outcomes({"madx": 0.6}), **local)
    scored(folder, outcomes({"tlr": 0.8}), **{**local, **fields})
    with pytest.raises(UserError, match=rf"nli/(quy|swa): scores on {said}.* cannot be compared"):
        compared(folder, "madx", "tlr")
    (table,) = summarised(recorded(folder)[0], folder).tables
    assert said in table.note and not table.tested  # and the scores are still shown
    assert "no test implied" in markdown(recorded(folder)[0])


def test_two_trainings_of_one_seed_are_refused(tmp_path: Path) -> None:
    folder = scored(tmp_path / "r", outcomes({"madx": 0.6, "tlr": 0.8}))
    scored(folder, outcomes({"tlr": 0.7}), trainings={"tlr": "again"})
    with pytest.raises(UserError, match="tlr has two results of seed 1, of two ways of training"):
        compared(folder)


def test_two_configurations_are_named(tmp_path: Path) -> None:
    folder = scored(tmp_path / "r", outcomes({"madx": 0.6, "tlr": 0.8}))
    scored(folder, outcomes({"tlr": 0.7}), hyperparameters={"epochs": 9}, trainings={"tlr": "long"})
    with pytest.raises(UserError, match=r"nli: tlr was run in 2 configurations; name one: 'tlr \[\w{6}\]', ") as error:
        compared(folder, "madx", "tlr")
    (first, second) = re.findall(r"tlr \[\w{6}\]", str(error.value))
    assert [one.strategy for one in compared(folder, first, second).versus] == [second]


def test_unknown_strategies_and_too_few(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results of strategy 'madz'; did you mean 'madx'"):
        compared(folder, "madz", "tlr")
    with pytest.raises(UserError, match="needs two strategies"):
        compared(folder, "madx")
    alone = scored(tmp_path / "alone", outcomes({"madx": 0.6}))
    with pytest.raises(UserError, match="needs two strategies"):
        compared(alone)
    assert compared(folder).baseline == "madx"
    assert compared(folder, "tlr", "same").baseline == "tlr"
    assert compared(folder, "tlr", "same", baseline="madx").baseline == "madx"


def test_words(folder: Path) -> None:
    found = compared(folder, "madx", "tlr", "same")
    first, second = sentences(found)
    number = r"\d+\.\d"
    assert re.fullmatch(
        rf"tlr is better than madx by {number} points of accuracy \[{number}, {number}\] on the average of 2 languages "
        rf"\(corrected p (= \.\d+|< \.001)\); 3 seeds detect {number} or more on a language\.",
        first,
    )
    assert "same and madx are not told apart" in second
    assert "or more on the average (observed: " in second and second.endswith(": underpowered.")
    reverse = next(iter(sentences(compared(folder, "tlr", "madx"))))
    assert reverse.startswith("tlr is better than madx by ")
    assert [p_text(p) for p in (None, 0.0004, 0.03, 1)] == ["not tested", "p < .001", "p = .030", "p = 1"]
    assert [bare_p(p) for p in (None, 0.0004, 0.03, 1)] == ["–", "< .001", ".030", "1"]


def test_micro_f1(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 4, (1, 80, 1)) * np.ones((3, 1, 1), dtype=int)

    def tags(chance: float) -> Any:
        hits = rng.binomial(gold, chance)
        return np.concatenate([hits, hits + rng.integers(0, 2, gold.shape), gold], axis=-1)

    made = {"madx": {"swa": tags(0.4)}, "tlr": {"swa": tags(0.8)}}
    found = compared(scored(tmp_path / "r", made, metric=ENTITY_F1))
    sums = {name: by["swa"].sum(axis=1) for name, by in made.items()}
    f1 = {name: (2 * s[:, 0] / (s[:, 1] + s[:, 2])).mean() for name, s in sums.items()}
    assert found.versus[0].average.estimate == pytest.approx(f1["tlr"] - f1["madx"])
    assert "tlr is better than madx by" in next(iter(sentences(found))) and " F1 [" in next(iter(sentences(found)))
