"""Transfer and interference of records: what is compared with what, and what bad input makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from made_results import group_of, groups_of, records
from scipy import stats

from xleval.analysis.interference import interference
from xleval.analysis.measured import chosen
from xleval.analysis.transfer import transfer
from xleval.backbones import Backbone
from xleval.errors import UserError
from xleval.languages import builtin

MBERT = Backbone("mbert", "bert-base-multilingual-cased", "0" * 40, seen="mbert")


def seen(code: str) -> bool:
    return MBERT.knows(builtin().get(code))


# Groups of records


def test_scores_by_strategy_language_and_seed() -> None:
    group = group_of({"madx": {"swa": [0.5, 0.6], "yor": [0.7, None]}})
    assert group.scores == {"madx": {"swa": {1: 0.5, 2: 0.6}, "yor": {1: 0.7}}}
    assert group.failed == ["madx/yor, seed 2"]
    assert group.languages == ["swa", "yor"]


@pytest.mark.parametrize(
    "change",
    [{"task": "other"}, {"split": "dev"}, {"task_version": "2"}, {"limit": {"examples": 5, "seed": 0}},
     {"source": "deu"}, {"dataset_revision": "2" * 40}, {"backbone": {"id": "xlmr", "revision": "0"}}],
)  # fmt: skip
def test_what_must_not_be_compared_is_in_groups_of_its_own(change: dict[str, Any]) -> None:
    given = {"madx": {"swa": [0.5]}}
    found = groups_of([*records(given), *records({"madx": {"swa": [0.9]}}, run="2", **change)])
    assert [group.scores["madx"]["swa"][1] for group in found] == [0.5, 0.9]


def test_local_files_have_a_revision_a_language_and_are_one_group() -> None:
    found = [
        record
        for language in ("swa", "yor")
        for record in records({"madx": {language: [0.5]}}, dataset_revision=f"sha256:{language}")
    ]
    assert len(groups_of(found)) == 1


def test_two_results_of_one_cell_are_refused() -> None:
    found = [*records({"madx": {"swa": [0.5]}}), *records({"madx": {"swa": [0.6]}}, run="again")]
    with pytest.raises(UserError, match=r"two results of madx on swa, seed 1.*--out"):
        groups_of(found)


def test_another_metric_and_one_that_is_not_there() -> None:
    found = records({"madx": {"swa": [0.2]}})
    assert groups_of(found, "other")[0].scores["madx"]["swa"][1] == pytest.approx(0.8)
    assert groups_of(found, "las") == []


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    groups = groups_of(records({"madx": {"swa": [0.5]}}))
    with pytest.raises(UserError, match="did you mean 'xnli'"):
        chosen(groups, ["xnl"])
    assert chosen(groups, ["xnli"]) == groups == chosen(groups, [])


# Transfer


TRANSFER = {
    "la-none-tr": {"swa": [0.50, 0.40], "deu": [0.80, 0.80], "wol": [0.20, 0.25]},
    "transfer:lang=yor,steps=100": {"swa": [0.55, 0.48], "deu": [0.80, 0.72], "wol": [0.30, 0.30]},
    "transfer:steps=100,lang=tur": {"swa": [0.45, 0.40], "deu": [0.84, 0.80], "wol": [0.20, 0.25]},
}


def test_transfer_is_the_mean_of_the_seeds_relative_changes() -> None:
    found = transfer(group_of(TRANSFER), seen=seen)
    change = found.changes["yor"]["swa"]
    assert change.mean == pytest.approx((0.05 / 0.50 + 0.08 / 0.40) / 2)
    expected = stats.ttest_1samp([0.1, 0.2], 0).confidence_interval(0.95)
    assert (change.low, change.high) == pytest.approx((expected.low, expected.high))
    assert found.steps == 100 and list(found.changes) == ["tur", "yor"]


def test_targets_are_split_into_seen_and_unseen() -> None:
    found = transfer(group_of(TRANSFER), seen=seen)
    assert found.targets == {"deu": True, "swa": True, "wol": False}
    assert found.averages["yor"]["seen"] == pytest.approx(((0 - 0.1) / 2 + 0.15) / 2)
    assert found.averages["yor"]["unseen"] == pytest.approx((0.5 + 0.2) / 2)
    assert found.grids()[0].headers == ("transfer language", "deu", "swa", "wol", "mean seen", "mean unseen")


def test_an_unknown_backbone_has_one_group_of_targets() -> None:
    found = transfer(group_of(TRANSFER))
    assert set(found.averages["yor"]) == {"targets"}


def test_the_transfer_language_itself_is_not_in_its_averages() -> None:
    given = {"la-none-tr": {"yor": [0.5], "swa": [0.5]}, "transfer:lang=yor,steps=1": {"yor": [1.0], "swa": [0.6]}}
    found = transfer(group_of(given))
    assert found.changes["yor"]["yor"].mean == pytest.approx(1)
    assert found.averages["yor"]["targets"] == pytest.approx(0.2)


def test_without_a_language_each_target_transfers_to_itself() -> None:
    given = {"la-none-tr": {"yor": [0.5], "swa": [0.5]}, "transfer": {"yor": [0.6], "swa": [0.4]}}
    found = transfer(group_of(given))
    assert (list(found.changes), found.steps) == (["the target itself"], 100)
    assert found.averages["the target itself"]["targets"] == pytest.approx(0.0)


def test_one_seed_has_no_interval() -> None:
    given = {"la-none-tr": {"swa": [0.5]}, "transfer:lang=yor,steps=1": {"swa": [0.6]}}
    found = transfer(group_of(given))
    assert found.changes["yor"]["swa"].low is None
    assert found.grids()[0].rows == (("yor", "+20.0", "+20.0"),)


def test_a_score_of_zero_before_has_no_relative_change_and_is_named() -> None:
    given = {
        "la-none-tr": {"swa": [0.0, 0.5], "wol": [0.5, 0.5]},
        "transfer:lang=yor": {"swa": [0.1, 0.5], "wol": [0.5, 0.5]},
    }
    found = transfer(group_of(given))
    assert found.steps == 100  # the default of the strategy
    assert found.changes["yor"]["swa"].mean is None
    assert found.changes["yor"]["wol"].mean == 0
    assert any("score before is 0 (seed 1)" in note for note in found.notes)
    assert found.grids()[0].rows[0][1] == "–"


def test_languages_in_one_but_not_the_other_are_missing_cells() -> None:
    given = {"la-none-tr": {"swa": [0.5]}, "transfer:lang=yor,steps=1": {"wol": [0.6]}}
    found = transfer(group_of(given))
    assert {target: change.mean for target, change in found.changes["yor"].items()} == {"swa": None, "wol": None}
    json.dumps(found.as_dict(), allow_nan=False)


def test_seeds_that_are_not_common_are_left_out() -> None:
    given = {"la-none-tr": {"swa": [0.5, None, 0.5]}, "transfer:lang=yor,steps=1": {"swa": [0.6, 0.9, None]}}
    change = transfer(group_of(given)).changes["yor"]["swa"]
    assert (change.mean, change.n) == (pytest.approx(0.2), 1)


def test_steps_are_chosen_where_several_are_recorded() -> None:
    given = {**TRANSFER, "transfer:lang=yor,steps=10": {"swa": [0.5, 0.4]}}
    with pytest.raises(UserError, match=r"10, 100 steps; choose one with --steps"):
        transfer(group_of(given))
    assert list(transfer(group_of(given), 10).changes) == ["yor"]
    with pytest.raises(UserError, match=r"--steps 7: xnli has transfer results of 10, 100 steps"):
        transfer(group_of(given), 7)


def test_aliases_of_a_language_are_one_language() -> None:
    given = {"la-none-tr": {"swa": [0.5]}, "transfer:lang=yo,steps=1": {"swa": [0.6]}}
    found = transfer(group_of(given), canonical=lambda code: builtin().get(code).code)
    assert list(found.changes) == ["yor"]
    twice = {**given, "transfer:lang=yor,steps=1": {"swa": [0.6]}}
    with pytest.raises(UserError, match="two results of transfer from yor"):
        transfer(group_of(twice), canonical=lambda code: builtin().get(code).code)


def test_the_kind_of_task_adapter_names_the_baseline() -> None:
    given = {"la-none-tr:adapter=lora": {"swa": [0.5]}, "transfer:lang=yor,steps=1,adapter=lora": {"swa": [0.6]}}
    assert transfer(group_of(given)).baseline == "la-none-tr:adapter=lora"
    given["transfer:lang=tur,steps=1"] = {"swa": [0.6]}
    with pytest.raises(UserError, match="different parameters"):
        transfer(group_of(given))


def test_other_task_adapters_are_said() -> None:
    found = transfer(group_of(TRANSFER, trainings={"transfer:lang=yor,steps=100": "mine"}))
    assert [note for note in found.notes if "not the task adapters of la-none-tr" in note]
    assert not transfer(group_of(TRANSFER)).notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"madx": {"swa": [0.5]}}, "no results of strategy transfer; run it first"),
        ({"transfer:lang=yor,steps=1": {"swa": [0.5]}}, "no results of strategy 'la-none-tr'"),
        ({"la-none-tr": {"swa": [0.5]}, "transfer:lang=yor,steps=x": {"swa": [0.5]}}, "steps=x is no whole number"),
    ],
)
def test_transfer_without_what_it_needs(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        transfer(group_of(given))


# Interference


FUSED = {
    "fusion:langs=deu": {"swa": [0.5, 0.6], "wol": [0.2, 0.2]},
    "fusion:langs=tur": {"swa": [0.7, 0.6], "wol": [0.4, 0.2]},
    "fusion:langs=deu+tur": {"swa": [0.5, 0.6], "wol": [0.4, 0.5]},
    "fusion:langs=deu+tur,trained=true": {"swa": [0.6, 0.7], "wol": [0.3, 0.2]},
}


def test_interference_is_the_fusion_less_the_mean_of_its_parts() -> None:
    found = interference(group_of(FUSED))
    difference = found.differences["fusion:langs=deu+tur"]["swa"]
    expected = stats.ttest_1samp([-0.1, 0.0], 0).confidence_interval(0.95)
    assert difference.mean == pytest.approx(-0.05)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
    assert found.averages["fusion:langs=deu+tur"] == pytest.approx((-0.05 + 0.2) / 2)
    assert list(found.names.values()) == ["deu + tur", "deu + tur, trained"]


def test_a_fusion_of_three_has_three_parts() -> None:
    given = {f"fusion:langs={code}": {"swa": [score]} for code, score in (("deu", 0.1), ("tur", 0.2), ("fin", 0.6))}
    found = interference(group_of({**given, "fusion:langs=deu+tur+fin": {"swa": [0.5]}}))
    assert found.differences["fusion:langs=deu+tur+fin"]["swa"].mean == pytest.approx(0.2)


def test_a_fusion_without_languages_is_of_source_and_target() -> None:
    given = {
        "fusion": {"swa": [0.5], "wol": [0.5]},
        "fusion:langs=eng": {"swa": [0.3], "wol": [0.2]},
        "fusion:langs=swa": {"swa": [0.5], "wol": [0.9]},
    }
    found = interference(group_of(given))
    assert found.differences["fusion"]["swa"].mean == pytest.approx(0.1)
    assert found.differences["fusion"]["wol"].mean is None
    assert "no results of fusion:langs=wol" in found.notes[-1]


def test_a_trained_fusion_of_one_is_that_adapter_alone() -> None:
    given = {**FUSED, "fusion:langs=fin,trained=true": {"swa": [0.1, 0.1], "wol": [0.1, 0.1]}}
    given["fusion:langs=fin+tur"] = {"swa": [0.4, 0.35], "wol": [0.1, 0.1]}
    found = interference(group_of(given))
    assert found.differences["fusion:langs=fin+tur"]["swa"].mean == pytest.approx(0)


def test_another_kind_of_task_adapter_is_no_part() -> None:
    given = {**FUSED, "fusion:langs=deu+fin,adapter=lora": {"swa": [0.5, 0.5], "wol": [0.5, 0.5]}}
    found = interference(group_of(given))
    assert "fusion:langs=deu+fin,adapter=lora" not in found.differences
    assert "fusion:adapter=lora,langs=fin" in found.notes[-1]


def test_seeds_in_common_only() -> None:
    given = {**FUSED, "fusion:langs=deu": {"swa": [None, 0.6], "wol": [0.2, 0.2]}}
    assert interference(group_of(given)).differences["fusion:langs=deu+tur"]["swa"].n == 1


def test_other_task_adapters_under_a_fusion_are_said() -> None:
    found = interference(group_of(FUSED, trainings={"fusion:langs=deu+tur": "mine"}))
    assert any("not the task adapters" in note for note in found.notes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"madx": {"swa": [0.5]}}, "no results of a fusion of two languages"),
        ({"fusion:langs=deu": {"swa": [0.5]}}, "no results of a fusion of two languages"),
        ({"fusion:langs=deu+tur": {"swa": [0.5]}}, r"--strategy fusion:langs=deu, --strategy fusion:langs=tur"),
    ],
)
def test_interference_without_what_it_needs(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        interference(group_of(given))
