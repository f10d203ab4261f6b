"""Correlates: gains of languages, what is known of them, and what few or odd data make of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import group_of, groups_of, records
from scipy import stats

from xleval.analysis.correlates import correlates, gains_of
from xleval.analysis.own_predictors import read_predictors
from xleval.analysis.predictors import Predictor, of_languages, of_text
from xleval.backbones import Backbone
from xleval.errors import UserError
from xleval.languages import builtin
from xleval.store import Store

NAN = math.nan
MBERT = Backbone("mbert", "google-bert/bert-base-multilingual-cased", "0" * 40, seen="mbert")


LANGUAGES = ["deu", "fin", "hau", "ibo", "kin", "lug", "swa", "tur", "wol", "yor", "zho"]


def gains_given(gains: list[float]) -> dict[str, dict[str, list[float | None]]]:
    return {
        "la-target": {code: [0.5 + gain, 0.4 + gain] for code, gain in zip(LANGUAGES, gains, strict=False)},
        "la-none": {code: [0.5, 0.4] for code, _ in zip(LANGUAGES, gains, strict=False)},
    }


def test_gains_are_of_the_same_seeds_and_not_of_the_source() -> None:
    given: Any = {
        "la-target": {"swa": [0.6, 0.9], "eng": [0.9, 0.9], "wol": [0.5, 0.5], "deu": [0.1, None]},
        "la-none": {"swa": [0.5, 0.6], "eng": [0.9, 0.9], "yor": [0.5, 0.5], "deu": [None, 0.1]},
    }
    gains, notes = gains_of(group_of(given), "la-target", "la-none")
    assert {code: gain.mean for code, gain in gains.items()} == pytest.approx({"swa": 0.2})
    assert "wol left out: no results of la-none" in notes
    assert "yor left out: no results of la-target" in notes
    assert "deu left out: no seed in common" in notes


def test_correlations_are_of_gains_and_predictors() -> None:
    values = np.random.default_rng(3).normal(size=len(LANGUAGES))
    gains = list(0.02 * values + np.random.default_rng(4).normal(size=len(LANGUAGES)) * 0.01)
    predictor = Predictor("pieces a word", "number", dict(zip(LANGUAGES, values, strict=True)))
    found = correlates(group_of(gains_given(gains)), "la-target", "la-none", [predictor])
    assert found.found[0].coefficient == pytest.approx(stats.spearmanr(values, gains).statistic)
    assert found.found[0].p_adjusted == found.found[0].p
    assert found.grids()[0].rows[0][:3] == ("pieces a word", "11", "ρ")
    assert not found.notes


def test_a_predictor_that_lacks_languages_has_fewer_and_says_so() -> None:
    predictor = Predictor("a", "number", {"deu": 1.0, "fin": 2.0, "hau": NAN})
    found = correlates(group_of(gains_given([0.1, 0.2, 0.3, 0.4, 0.5])), "la-target", "la-none", [predictor])
    assert found.found[0].n == 2 and found.found[0].coefficient is None
    assert found.as_dict()["languages"]["hau"]["predictors"] == {"a": None}


def test_few_languages_are_said_to_be_few() -> None:
    facts = [Predictor("a", "number", {code: float(i) for i, code in enumerate(LANGUAGES)})]
    few = correlates(group_of(gains_given([0.3, 0.1, 0.2, 0.4, 0.0])), "la-target", "la-none", facts)
    assert any(note.startswith("5 languages are few") for note in few.notes)
    none = correlates(group_of(gains_given([0.3, 0.1, 0.2])), "la-target", "la-none", facts)
    assert any(note.startswith("3 languages: too few") for note in none.notes)
    assert none.found[0].coefficient is None


def test_other_hyperparameters_are_said() -> None:
    given = gains_given([0.1, 0.2])
    found = records({"la-target": given["la-target"]})
    for record in (more := records({"la-none": given["la-none"]})):
        if record["type"] == "run":
            record["hyperparameters"] = {"lr": 1}
    (group,) = groups_of([*found, *more])
    assert any("other hyperparameters" in note for note in gains_of(group, "la-target", "la-none")[1])
    assert not gains_of(group_of(given), "la-target", "la-none")[1]


def test_one_seed_is_said_to_be_one() -> None:
    given: Any = {name: {code: [0.5] for code in LANGUAGES} for name in ("la-target", "la-none")}
    assert any("one seed" in note for note in gains_of(group_of(given), "la-target", "la-none")[1])


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("la-target", "la-nine", "no results of strategy 'la-nine'; did you mean 'la-none'"),
        ("la-none", "la-none", "name two strategies"),
        ("la-target", "madx", "no language and seed in common"),
    ],
)
def test_gains_without_what_they_need(first: str, second: str, message: str) -> None:
    given: Any = {**gains_given([0.1, 0.2]), "madx": {"zul": [0.5]}}
    with pytest.raises(UserError, match=message):
        gains_of(group_of(given), first, second)


def test_facts_of_languages() -> None:
    languages = [builtin().get(code) for code in ("deu", "swa", "wol", "tur", "quy")]
    found = {one.name: one.values for one in of_languages(languages, builtin().get("eng"), MBERT)}
    assert found["seen in pretraining"] == {"deu": 1, "swa": 1, "wol": 0, "tur": 1, "quy": 0}
    assert found["family of the source"] == {"deu": 1, "swa": 0, "wol": 0, "tur": 0, "quy": 0}
    assert found["script of the source"] == dict.fromkeys(["deu", "swa", "wol", "tur", "quy"], 1)
    assert found["resource class"]["deu"] == 2 and found["resource class"]["quy"] == 0
    order = found["word order of the source"]
    assert (order["deu"], order["swa"], order["tur"]) == (0, 1, 0) and math.isnan(order["quy"])


def test_without_a_backbone_nothing_is_known_of_pretraining() -> None:
    (first, *_) = of_languages([builtin().get("deu")], builtin().get("eng"), None)
    assert math.isnan(first.values["deu"])


# A user's own predictors


def own(path: Path, text: str) -> list[Predictor]:
    path.write_text(text, encoding="utf-8")
    return read_predictors(path, builtin())


def test_own_predictors_by_alias_with_gaps(tmp_path: Path) -> None:
    first, second = own(tmp_path / "a.csv", "language,distance,island\nsw,0.5,1\n\nYoruba,,0\nwol,-2,\n")
    assert (first.kind, second.kind) == ("number", "grade")
    assert first.values["swa"] == 0.5 and math.isnan(first.values["yor"]) and first.values["wol"] == -2
    assert second.values["yor"] == 0 and math.isnan(second.values["wol"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv:1: the header is"),
        ("code,a\nswa,1\n", "a.csv:1: the header is"),
        ("language\nswa\n", "a.csv:1: the header is"),
        ("language,a,a\nswa,1,2\n", "a.csv:1: the header is"),
        ("language,a\nswa,1\nswahli,2\n", r"a.csv:3: unknown language 'swahli'; did you mean Swahili"),
        ("language,a\nswa,1\nsw,2\n", "a.csv:3: swa stands there twice"),
        ("language,a\nswa,1,2\n", "a.csv:2: 3 fields, and 2 in the header"),
        ("language,a\nswa,far\n", "a.csv:2: a: 'far' is no number"),
        ("language,a\nswa,inf\n", "a.csv:2: a: 'inf' is no number"),
        ('language,a\n"swa,1\n', "unexpected end of data"),
    ],
)
def test_own_predictors_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        own(tmp_path / "a.csv", text)


def test_own_predictors_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_predictors(tmp_path / "no.csv", builtin())
    (tmp_path / "latin.csv").write_bytes(b"language,a\n\xff,1\n")
    with pytest.raises(UserError, match=r"latin.csv: .*utf-8"):
        read_predictors(tmp_path / "latin.csv", builtin())


# Text of language adapters


def test_the_size_of_an_adapters_text_is_read_from_its_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    about = {"hyperparameters": {"chunk": 256}, "chunks": 40}
    for fingerprint, given in (("a" * 64, about), ("b" * 64, {"chunks": 40})):
        with store.create("language_adapter", fingerprint, given) as folder:
            (folder / "adapter.safetensors").write_text("x")
    given: Any = {"la-target": {code: [0.5] for code in ("swa", "wol", "yor", "fin")}}
    group = group_of(given)
    for code, letter in (("swa", "a"), ("wol", "b"), ("yor", "c")):
        group.standing["la-target"][code] = {"role": "language", "lang": code, "id": "sha256:" + letter * 64}
    # Another language's adapter says nothing of this one.
    group.standing["la-source"] = {"fin": {"role": "language", "lang": "eng", "id": "sha256:" + "a" * 64}}
    (found,) = of_text(group, [builtin().get(code) for code in ("swa", "wol", "yor", "fin")], store, None)
    assert found.values["swa"] == 40 * 256
    assert all(math.isnan(found.values[code]) for code in ("wol", "yor", "fin"))


def test_without_adapters_and_text_there_is_no_size(tmp_path: Path) -> None:
    assert of_text(group_of(gains_given([0.1])), [builtin().get("swa")], Store(tmp_path), None) == []
