"""What is shown of comparisons: tables, figures, resampling, two checkpoints, the command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from conftest import Cli
from scored_results import FAMILIES, FAR, compared, outcomes, scored

from xleval.comparison.bootstrapped import resample
from xleval.comparison.checkpoints import compare_checkpoints
from xleval.comparison.choosing import choose
from xleval.comparison.measured import measure
from xleval.comparison.recorded import recorded
from xleval.comparison.standing import difference
from xleval.comparison.summary import summarised
from xleval.errors import UserError
from xleval.item_files import items_of
from xleval.report.comparison import figures
from xleval.report.figures import svg
from xleval.report.render import latex, markdown
from xleval.report.table import AVERAGE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scored(tmp_path / "results", outcomes(FAR))


def test_the_table_has_intervals_and_marks(folder: Path) -> None:
    table = summarised(recorded(folder)[0], folder)
    rows = {row.strategy: row for row in table.tables[0].rows}
    assert rows["tlr"].standings[AVERAGE].tied and not rows["madx"].standings[AVERAGE].tied
    low, high = rows["tlr"].standings[AVERAGE].interval or (0, 0)
    assert low < (rows["tlr"].average.mean or 0) < high
    text = markdown(table)
    assert [line.split("|")[1].strip() for line in text.splitlines() if "**" in line and line[0] == "|"] == ["tlr"]
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in text and "tlr is better than madx by" in text
    assert rf"[{100 * low:.1f}, {100 * high:.1f}]" in latex(table) and r"\textbf{" in latex(table)
    plain = json.loads(table.to_json())[0]
    assert plain["strategies"][-1]["average"]["tied_with_best"] is True
    assert plain["in_words"] == list(table.tables[0].words)


def test_a_missing_item_file_is_a_note_in_the_table_and_an_error_in_a_comparison(folder: Path) -> None:
    gone = next((folder / "items").iterdir())
    gone.unlink()
    (table,) = summarised(recorded(folder)[0], folder).tables
    assert gone.name in table.note and table.rows[0].average.mean is not None
    with pytest.raises(UserError, match=gone.name):
        compared(folder)


def test_figures(folder: Path) -> None:
    found = compared(folder, "madx", "tlr", "same")
    drawn = figures(found, FAMILIES)
    assert list(drawn) == ["scores", "forest-tlr", "forest-same"]
    forest = svg(drawn["forest-tlr"], "t")
    for text in ("swa", "quy", "Quechuan", "(these languages)", "(languages as a sample)", "madx better"):
        assert text in forest
    assert "tied with the best" in svg(drawn["scores"], "t")


def test_resampling_agrees_with_the_default_test(folder: Path) -> None:
    found = measure(choose(recorded(folder)[0], ["madx", "tlr", "same"])[1][0], partial(items_of, folder))
    made = resample(found, 500)
    assert made is not None
    plain = made.as_dict()["strategies"]
    assert plain["tlr"]["rank"] == [1, 1] and plain["madx"]["difference_interval"] == [0, 0]
    assert plain["tlr"]["p"] == pytest.approx(1 / 501) and plain["tlr"]["p_randomization"] == pytest.approx(1 / 501)
    one = difference(found, "tlr", "madx", ["quy", "swa"])
    assert plain["tlr"]["difference_interval"] == pytest.approx(list(one.interval()), abs=0.04)
    assert "paired bootstrap" in made.grid().markdown()
    assert resample(found, 500).as_dict() == made.as_dict()  # type: ignore[union-attr]


def test_two_checkpoints(folder: Path) -> None:
    table = choose(recorded(folder)[0], ["madx", "tlr"])[1][0]
    made = outcomes(FAR)
    found = compare_checkpoints(table, 2, folder)
    ours, theirs = made["tlr"]["swa"][1], made["madx"]["swa"][1]
    one = found.tests["tlr", "swa"]
    assert (one.a_only, one.b_only) == (int((ours > theirs).sum()), int((ours < theirs).sum()))
    assert "these two checkpoints only" in found.grids()[0].markdown()
    with pytest.raises(UserError, match="no two checkpoints of seed 9; recorded are the seeds 1, 2, 3"):
        compare_checkpoints(table, 9, folder)


def test_from_python(folder: Path) -> None:
    import xleval

    (found,) = xleval.compare(["madx", "tlr"], folder=folder)
    assert found.words[0].startswith("tlr is better than madx by ")
    assert found.as_dict()["tied_with_best"] == ["tlr"] and "| tlr |" in found.to_markdown()


def test_the_command(cli: Cli, folder: Path) -> None:
    done = cli("compare", "madx", "tlr", "--out", folder, "--resamples", "200")
    assert "tied with best" in done.stdout and "tlr is better than madx by" in done.stdout
    assert "paired bootstrap" in done.stdout
    assert (folder / "analysis" / "compare-forest-tlr.svg").is_file()
    plain = json.loads(cli("compare", "--out", folder, "--json").stdout)
    assert plain[0]["baseline"] == "madx" and plain[0]["tied_with_best"] == ["tlr"]
    assert len(cli("compare", "--out", folder, "--format", "csv").stdout.splitlines()) == 1 + 2 * 3
    scored(folder, outcomes(FAR), limit={"examples": 200, "seed": 0})  # another table, in the same CSV
    lines = cli("compare", "--out", folder, "--format", "csv").stdout.splitlines()
    assert len(lines) == 1 + 2 * 2 * 3 and sum("200 (seed 0)" in line for line in lines) == 6
    assert r"\begin{tabular}" in cli("compare", "--out", folder, "--format", "latex").stdout
    assert "McNemar" in cli("compare", "madx", "tlr", "--out", folder, "--checkpoints", "1").stdout
    for arguments, said in (
        (["madx", "tlr", "--reference", "tlr:2a"], "--reference needs --compat"),
        (["madx", "nobody"], "no results of strategy 'nobody'"),
        (["--task", "xnli"], "no results of task 'xnli'"),
    ):
        assert said in cli("compare", *arguments, "--out", folder, code=2).stderr
    shown = cli("results", "show", "--out", folder).stdout
    assert "95 % interval" in shown and "tied with the best of its column" in shown
