"""Pretraining size: the tables of what a backbone saw, and the predictor that is made of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Cli
from made_results import Given, records, written

from xleval.analysis.predictors import of_pretraining
from xleval.analysis.pretraining import table_of, tables
from xleval.backbones import Backbone
from xleval.languages import Language, builtin

MBERT = Backbone("mbert", "google-bert/bert-base-multilingual-cased", "0" * 40, seen="mbert")
XLMR = replace(MBERT, name="xlmr", seen="xlmr")
CODES = ["deu", "fin", "hau", "ibo", "swa", "tur", "wol", "yor"]


def languages(*codes: str) -> list[Language]:
    return [builtin().get(code) for code in codes]


@pytest.mark.parametrize("name", ["mbert", "xlmr"])
def test_a_table_has_every_language_that_was_seen_and_no_other(name: str) -> None:
    sizes = tables()[name].sizes
    assert set(sizes) == {language.code for language in builtin() if getattr(language, name)}
    assert list(sizes) == sorted(sizes)
    assert all(isinstance(size, float) and size > 0 for size in sizes.values())


@pytest.mark.parametrize(
    ("code", "size"),
    # As printed in table 6 of Conneau et al. 2020, GiB.
    [("eng", 300.8), ("rus", 278.0), ("ind", 148.3), ("vie", 137.3), ("tha", 71.7), ("jpn", 69.3), ("deu", 66.6),
     ("nob", 49.0), ("tur", 20.9), ("srp", 9.1), ("swa", 1.6), ("isl", 3.2), ("amh", 0.8), ("kmr", 0.4), ("hau", 0.3),
     ("yid", 0.3), ("jav", 0.2), ("orm", 0.1), ("asm", 0.1)],
)  # fmt: skip
def test_some_sizes_of_cc100(code: str, size: float) -> None:
    assert tables()["xlmr"].sizes[code] == size


def test_entries_of_one_language_are_added_and_romanized_ones_are_not() -> None:
    sizes = tables()["xlmr"].sizes
    assert sizes["zho"] == pytest.approx(46.9 + 16.6)
    assert sizes["mya"] == pytest.approx(1.6 + 0.4)
    assert (sizes["ben"], sizes["hin"], sizes["tam"], sizes["tel"], sizes["urd"]) == (8.4, 20.2, 12.2, 4.7, 5.7)


def test_a_misprint_that_its_authors_confirmed_is_put_right() -> None:
    assert tables()["xlmr"].sizes["swe"] == 85.0  # table 6 has 12.1


@pytest.mark.parametrize(
    ("code", "size", "unit"),
    # As the catalogue of TensorFlow Datasets prints the download size of wikipedia/20190301.
    [("eng", 15.72, "GiB"), ("deu", 4.97, "GiB"), ("ceb", 1.79, "GiB"), ("zho", 1.71, "GiB"), ("swe", 1.64, "GiB"),
     ("ara", 805.82, "MiB"), ("nob", 610.74, "MiB"), ("hbs", 406.72, "MiB"), ("nno", 126.01, "MiB"),
     ("azb", 50.59, "MiB"), ("swa", 27.60, "MiB"), ("yor", 11.55, "MiB"), ("bpy", 5.05, "MiB")],
)  # fmt: skip
def test_some_sizes_of_wikipedias(code: str, size: float, unit: str) -> None:
    table = tables()["mbert"]
    assert table.unit == "MiB"
    assert round(table.sizes[code] / (1024 if unit == "GiB" else 1), 2) == size


def test_the_page_names_how_many_languages_the_tables_have() -> None:
    page = " ".join((Path(__file__).parents[1] / "docs" / "analyses.md").read_text(encoding="utf-8").split())
    assert f"`xlmr`, {len(tables()['xlmr'].sizes)} languages" in page
    assert f"`mbert`, {len(tables()['mbert'].sizes)} languages" in page


# The predictor


def test_the_table_is_the_backbones_and_an_unseen_language_has_nothing() -> None:
    (one,), notes = of_pretraining(languages("deu", "swa", "yor", "wol"), XLMR)
    assert (one.name, one.kind) == ("pretraining size (GiB of CC-100)", "number")
    assert one.values == {"deu": 66.6, "swa": 1.6, "yor": 0.0, "wol": 0.0} and not notes
    (one,), notes = of_pretraining(languages("swa", "yor", "wol"), MBERT)
    assert one.name == "pretraining size (MiB of Wikipedia)"
    assert one.values == {"swa": 27.6, "yor": 11.55, "wol": 0.0} and not notes


@pytest.mark.parametrize("seen", [frozenset(), frozenset({"deu", "swa"})])
def test_a_backbone_without_a_table_has_no_predictor_and_a_note(seen: frozenset[str]) -> None:
    backbone = replace(MBERT, name="mine", seen=seen)
    assert table_of(backbone) is None
    assert of_pretraining(languages("deu", "swa"), backbone) == (
        [],
        ["no pretraining size: no table has how much text of each language mine saw"],
    )


def test_a_language_that_was_seen_and_is_in_no_table_is_unknown_and_named() -> None:
    mine = replace(builtin().get("wol"), code="qzz", name="Mine", aliases=(), xlmr=True)
    (one,), notes = of_pretraining([*languages("deu"), mine], XLMR)
    assert one.values["deu"] == 66.6 and math.isnan(one.values["qzz"])
    assert notes == ["no pretraining size for qzz: no table has it"]


# The command


def results(out: Path, **backbone: str) -> None:
    given: Given = {
        "la-target": {code: [0.5 + 0.01 * i**2, 0.5] for i, code in enumerate(CODES)},
        "la-none": {code: [0.5, 0.5] for code in CODES},
    }
    written(out, records(given, **({"backbone": backbone} if backbone else {})))


def test_the_command_has_it_in_table_json_and_figure(cli: Cli, tmp_path: Path) -> None:
    results(tmp_path)
    name = "pretraining size (MiB of Wikipedia)"
    assert f"| {name} " in cli("analyse", "correlates", "--out", tmp_path, "--offline", "--format", "md").stdout
    (data,) = json.loads(cli("analyse", "correlates", "--out", tmp_path, "--offline", "--json").stdout)
    (found,) = [one for one in data["associations"] if one["predictor"] == name]
    assert (found["n"], found["method"]) == (8, "spearman") and -1 < found["coefficient"] < 0
    assert data["languages"]["swa"]["predictors"][name] == 27.6
    assert data["languages"]["wol"]["predictors"][name] == 0
    assert name in (tmp_path / "analysis" / "correlates.svg").read_text(encoding="utf-8")


def test_the_command_takes_the_table_of_xlmr_for_xlmr(cli: Cli, tmp_path: Path) -> None:
    results(tmp_path, id="FacebookAI/xlm-roberta-base", revision="0" * 40)
    options = ["--backbone", "xlmr", "--offline", "--json"]
    (data,) = json.loads(cli("analyse", "correlates", "--out", tmp_path, *options).stdout)
    assert data["languages"]["swa"]["predictors"]["pretraining size (GiB of CC-100)"] == 1.6
    assert data["languages"]["yor"]["predictors"]["pretraining size (GiB of CC-100)"] == 0


def test_the_command_says_why_a_backbone_has_none(cli: Cli, tmp_path: Path) -> None:
    codes = ["qab", "qac", "qad", "qae"]
    given: Given = {name: {code: [0.5, 0.6] for code in codes} for name in ("la-target", "la-none")}
    demo = {"backbone": {"id": "demo", "revision": "sha256:0"}, "limit": {"examples": 50, "seed": 0}}
    written(tmp_path, records(given, task="demo-ner", source="qaa", **demo))
    (data,) = json.loads(cli("analyse", "correlates", "--out", tmp_path, "--json").stdout)
    assert not any("pretraining size" in one["predictor"] for one in data["associations"])
    assert "no pretraining size: no table has how much text of each language demo saw" in data["notes"]
