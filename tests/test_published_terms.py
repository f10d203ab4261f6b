"""Tables in the terms of the TLR paper: printed ones against counts by hand, our own against scipy."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import records
from rich.console import Console
from scipy import stats
from test_published import BETTER, HALF_TIES, ROW, SUMMARIES, write

from xleval.comparison.printed_terms import from_reference
from xleval.comparison.published_terms import Line, PublishedTerms, from_table
from xleval.errors import UserError
from xleval.experiment import Suite
from xleval.host import Host
from xleval.published import AVERAGE, PrintedTable, Published, load
from xleval.report.table import TaskTable, tabulate

REFERENCE = Path(__file__).resolve().parents[1] / "leaderboard" / "reference" / "tlr.jsonl"

Given = Mapping[str, Mapping[str, Sequence[float | None]]]


@pytest.fixture(scope="module")
def published() -> Published:
    return load()


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Host().suites.get("tlr")


def tlr(published: Published) -> list[tuple[str, PrintedTable]]:
    return [(key, table) for key, table in published.tables.items() if key.startswith("tlr:")]


def line_of(found: PublishedTerms, strategy: str) -> Line:
    (line,) = (line for line in found.lines if line.strategy == strategy)
    return line


def table_of(scores: Given, **fields: Any) -> TaskTable:
    """The table of made records; a score None is a failure, and what a list lacks was not run."""
    made = records(scores, **fields)  # type: ignore[arg-type]
    for record in made:
        if record["type"] == "run":
            name = record["strategy"]["name"]
            record["strategy"] = {"name": name.partition("@")[0]}  # what follows the @ makes another configuration
            record |= {
                "hyperparameters": {"of": name}, "source": {}, "env": {"precision": "fp32"}, "target_scope": "each",
            }  # fmt: skip
    runs = {record["run_id"]: record for record in made if record["type"] == "run"}
    (table,) = tabulate((record for record in made if record["type"] == "eval"), runs).tables
    return table


# Printed tables


def test_better_of_every_table_is_what_the_lines_of_the_file_count(published: Published, suite: Suite) -> None:
    """Each task, metric and strategy, counted here from the file, in Decimals."""
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines]
    scores: dict[tuple[str, str, str], dict[str, dict[str, Decimal]]] = {}
    for row in rows:
        if row["language"] != "avg":
            of_table = scores.setdefault((row["table"], row["task"], row["metric"]), {})
            of_table.setdefault(row["printed_strategy"], {})[row["language"]] = row["percent"]
    seen, counts = set(), 0
    for key, table in tlr(published):
        name = key.partition(":")[2]
        for metric in dict.fromkeys(row.metric for row in table.rows):
            for found in from_reference(table, metric=metric, suite=suite.tables[name]):
                by_strategy = scores.get((name, found.task, metric), {})
                seen.add((name, found.task, metric))
                assert found.baseline == "MAD-X" and found.metric == metric
                for line in found.lines:
                    if line.strategy == "MAD-X" or not by_strategy:
                        assert line.better is None
                        continue
                    mine, base = by_strategy[line.strategy], by_strategy["MAD-X"]
                    assert mine.keys() == base.keys() == line.languages.keys()
                    assert line.better == (sum(mine[code] > base[code] for code in mine), len(base))
                    gains = {code: cell.gain for code, cell in line.languages.items()}
                    assert gains == {code: mine[code] - base[code] for code in mine}
                    counts += 1
    assert seen == {(row["table"], row["task"], row["metric"]) for row in rows}
    assert counts == sum(len(found) for _, found in BETTER.values()) + 3 * 4  # by EM too, of three tables


def test_better_by_default_is_the_papers_column(published: Published, suite: Suite) -> None:
    found = {}
    for key, table in tlr(published):
        for tables in (None, suite.tables[key.partition(":")[2]]):
            for one in from_reference(table, suite=tables):
                counts = [line.better for line in one.lines if line.better]
                if counts:
                    found[key] = (counts[0][1], [count for count, _ in counts])
                    assert one.metric != "em"
                    column = [row[-1] for row in one.grids()[0].rows]
                    assert column == ["", *(f"{count}/{of}" for count, of in counts)]
    assert found == BETTER


def test_averages_stand_beside_the_printed_ones(published: Published) -> None:
    ties = set()
    for key, table in tlr(published):
        for metric in dict.fromkeys(row.metric for row in table.rows):
            for one in from_reference(table, metric=metric):
                for line in one.lines:
                    printed = table.averages[one.task, metric, line.strategy].percent
                    assert line.printed_average == printed
                    if key in SUMMARIES:
                        assert line.average.value is None and not line.languages
                        continue
                    assert line.average.value is not None
                    assert abs(Decimal(line.average.value) - printed) <= Decimal("0.005")
                    if any(note.startswith(f"{line.strategy}: the printed cells average") for note in one.notes):
                        ties.add((key, metric, line.strategy))
    # Only averages exactly between two roundings can differ in what is shown.
    assert ties and ties < set(HALF_TIES)
    (one,) = from_reference(published.table("tlr:2b"))
    assert "LEAVE-OUT-TARG: the printed cells average 36.955, the paper prints 36.95" in one.notes
    row = next(row for row in one.grids()[0].rows if row[0] == "LEAVE-OUT-TARG")
    assert row[-3:] == ["36.96", "36.95", "10/10"]
    assert one.grids()[0].rows[0][-3:] == ["33.59", "33.59", ""]  # of 33.585: half a unit is rounded up


def test_nothing_printed_is_tested_and_the_note_says_why(published: Published) -> None:
    whys = {}
    for key, table in published.tables.items():
        for one in from_reference(table):
            assert not any(cell.test for line in one.lines for cell in (*line.languages.values(), line.average))
            (whys[key],) = (note for note in one.notes if note.startswith("no inference: "))
            assert not any("new test items" in note for note in one.notes)
    assert whys["tlr:2a"].endswith("the score of a single run")
    assert whys["tlr:8a"] == whys["tlr:4"]
    assert whys["tlr:8a"].endswith("a mean of 3 runs, without the score of each")
    assert whys["xquad:models"].endswith("without saying of how many runs it is")


def test_the_one_printed_asterisk_is_shown_for_the_papers_baseline(published: Published) -> None:
    marked = [
        (key, line.strategy, code, cell.gain)
        for key, table in tlr(published)
        for one in from_reference(table)
        for line in one.lines
        for code, cell in (*line.languages.items(), ("avg", line.average))
        if cell.asterisk
    ]
    assert marked == [("tlr:2d", "TASK-MULTI", "ara", Decimal("1.32"))]
    (one,) = from_reference(published.table("tlr:2d"))
    assert next(row for row in one.grids()[0].rows if row[0] == "TASK-MULTI")[1] == "64.07*"
    assert "*: as printed, a gain over MAD-X that the paper calls not significant by Student's t at .05" in one.notes
    (other,) = from_reference(published.table("tlr:2d"), baseline="TARGET")
    assert "*" not in other.grids()[0].markdown().replace("**", "")


def test_a_table_of_averages_alone(published: Published, suite: Suite) -> None:
    parsing, entailment = from_reference(published.table("tlr:3"), suite=suite.tables["3"])
    assert (parsing.task, entailment.task) == ("ud-parsing", "americasnli")
    assert parsing.grids()[0].headers == ["strategy", "printed average"]
    assert parsing.grids()[0].rows[1] == ["BAD-X", "32.66"]
    assert "averages alone are printed: there are no languages to count" in parsing.notes
    assert "las (ours: las_legacy)" in parsing.caption and "ours" not in entailment.caption
    assert from_reference(published.table("tlr:3"), task="americasnli") == from_reference(
        published.table("tlr:3"), metric="accuracy"
    )


def test_strategies_by_either_name_in_the_order_asked_for(published: Published) -> None:
    table = published.table("tlr:2c")
    (found,) = from_reference(table, strategies=["all-multi", "madx", "badx", "ALL-MULTI"])
    assert [line.strategy for line in found.lines] == ["ALL-MULTI", "MAD-X", "BAD-X"]
    assert [line.xleval for line in found.lines] == ["tlr-all-multi", "madx", "badx"]
    (found,) = from_reference(table, strategies=["tlr-target"], baseline="badx")
    assert [line.strategy for line in found.lines] == ["BAD-X", "TARGET"]
    assert found.baseline == "BAD-X" and "baseline BAD-X" in found.caption
    (whole,) = from_reference(table, baseline="BAD-X")
    assert line_of(whole, "TARGET").better == line_of(found, "TARGET").better
    badx, madx = line_of(whole, "BAD-X"), line_of(whole, "MAD-X")
    assert badx.better is None
    # No score of the two is equal, so what BAD-X does not win, MAD-X does.
    assert madx.better == (10 - BETTER["tlr:2c"][1][0], 10)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"strategies": ["TARGT"]}, r"no strategy 'TARGT' in tlr, Table 2\(a\); did you mean 'TARGET'"),
        ({"strategies": ["badx"]}, r"no strategy 'badx' in tlr, Table 2\(a\).*it has MAD-X, madx, TARGET, tlr-target"),
        ({"baseline": "mad"}, r"no baseline 'mad' in tlr, Table 2\(a\); did you mean 'madx'"),
        ({"task": "masakhane"}, r"no task 'masakhane' in tlr, Table 2\(a\); did you mean 'masakhaner'"),
        ({"metric": "em"}, r"no metric 'em' in tlr, Table 2\(a\).*it has f1"),
    ],
    ids=str,
)
def test_what_a_printed_table_does_not_have(published: Published, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_reference(published.table("tlr:2a"), **asked)


def test_each_backbone_of_a_printed_table_is_a_part(published: Published) -> None:
    human, translated, tuned = from_reference(published.table("xcopa:readme"))
    assert (human.backbone, tuned.backbone) == (None, "FacebookAI/xlm-roberta-large")
    assert [line.strategy for line in translated.lines] == ["translate-test"]
    assert "no backbone" in human.caption and "baseline" not in human.caption
    (found,) = from_reference(published.table("xcopa:readme"), strategies=["full-ft"], baseline="human")
    assert [line.strategy for line in found.lines] == ["full fine-tuning"]
    assert found.baseline is None and found.lines[0].better is None
    assert "human has no row with this backbone and task" in found.notes
    assert found.as_dict()["baseline"] is None


def test_equal_printed_scores_are_not_better_and_a_missing_one_has_no_average(tmp_path: Path) -> None:
    other = {**ROW, "printed_strategy": "NEW", "strategy": None}
    rows = [
        {**ROW, "language": "swa", "percent": 50.5}, {**ROW, "language": "hau", "percent": 40},
        {**ROW, "language": AVERAGE, "percent": 45.25},
        {**other, "language": "swa", "percent": 50.50}, {**other, "percent": 60.125, "language": "ibo"},
    ]  # fmt: skip
    (found,) = from_reference(load(write(tmp_path, *rows)).table("p:1"))
    madx, new = found.lines
    assert new.better == (0, 1) and new.xleval is None
    assert (new.languages["swa"].gain, new.languages["ibo"].gain, new.languages["hau"].value) == (0, None, None)
    assert new.average.value is madx.average.value is None
    assert found.languages == ("swa", "hau", "ibo") and found.digits == 3
    assert "NEW has no printed scores in hau, and so no average of them" in found.notes
    assert "MAD-X has no printed scores in ibo, and so no average of them" in found.notes
    assert found.grids()[0].rows[1] == ["NEW", "50.500", "–", "60.125", "–", "–", "0/1"]


def test_an_ambiguous_baseline_is_refused(tmp_path: Path) -> None:
    rows = [{**ROW, "printed_strategy": name, "strategy": "madx"} for name in ("one", "two")]
    table = load(write(tmp_path, *rows)).table("p:1")
    with pytest.raises(UserError, match="baseline 'madx' stands for several rows: 'one', 'two'; name one of them"):
        from_reference(table, baseline="madx")
    (found,) = from_reference(table, strategies=["madx"])
    assert [line.strategy for line in found.lines] == ["one", "two"]
    assert found.baseline == "one"  # neither a suite nor MAD-X says which


# Our own scores

LANGUAGES = ("swa", "hau", "ibo")
OURS: Given = {
    "madx": {"swa": [0.50, 0.52, 0.51], "hau": [0.40, 0.41, 0.42], "ibo": [0.60, 0.60, 0.60]},
    "tlr-target": {"swa": [0.56, 0.57, 0.58], "hau": [0.39, 0.47, 0.40], "ibo": [0.60, 0.60, 0.60]},
    "badx": {"swa": [0.49, 0.53, 0.50], "hau": [0.42, 0.40, 0.41], "ibo": [0.61, 0.61, 0.61]},
}


def test_means_gains_asterisks_and_better() -> None:
    found = from_table(table_of(OURS), [], "madx")
    grid = found.grids()[0]
    assert grid.headers == ["strategy", *LANGUAGES, "average", "better"]
    assert grid.rows == [
        ["madx", "51.00", "41.00", "60.00", "50.67", ""],
        ["tlr-target", "57.00", "42.00*", "60.00", "53.00*", "2/3"],
        ["badx", "50.67", "41.00", "61.00", "50.89*", "1/3"],
    ]
    assert found.notes == (
        "*: a gain over madx that is not significant by Student's t over seeds (two-sided, .05)",
        "Student's t over seeds says nothing about new test items: in simulations, at a nominal 5 %, it called "
        "4 to 14 % of true nulls significant (docs/statistics.md)",
        "better: on how many languages a score is strictly above that of madx; a description, no test",
    )
    assert found.caption == (
        "xnli (version 1, data 111111111111), accuracy × 100, google-bert/bert-base-multilingual-cased@00000000000000: "
        "means over 3 seeds, baseline madx"
    )


def test_equal_means_and_scores_that_do_not_vary() -> None:
    found = from_table(table_of(OURS), ["tlr-target", "badx"], "madx")
    target, badx = line_of(found, "tlr-target"), line_of(found, "badx")
    same, above, level = target.languages["ibo"], badx.languages["ibo"], badx.languages["hau"]
    assert (same.gain, same.asterisk, same.test and same.test.p) == (0, False, 1)
    assert (above.gain, above.asterisk, above.test and above.test.p) == (1, False, 0)
    # The same three scores in another order: equal, whatever the last bits of the means are.
    assert (level.gain, level.asterisk) == (0, False)
    json.dumps(found.as_dict(), allow_nan=False)  # t is infinite there


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy's, of seeds that do not vary
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_asterisks_are_scipys(data: st.DataObject) -> None:
    """Any number of seeds a side from two; on languages and on the average of per-seed averages."""
    score = st.integers(300, 420).map(lambda correct: correct / 600)
    sizes = {name: data.draw(st.integers(2, 5)) for name in ("a", "base")}
    scores = {
        name: {code: data.draw(st.lists(score, min_size=n, max_size=n)) for code in LANGUAGES}
        for name, n in sizes.items()
    }
    line = line_of(from_table(table_of(scores), ["a"], "base"), "a")
    columns = {code: (scores["a"][code], scores["base"][code]) for code in LANGUAGES}
    mean = {
        name: [round(statistics.fmean(each), 12) for each in zip(*scores[name].values(), strict=True)]
        for name in scores
    }
    columns["average"] = (mean["a"], mean["base"])
    for code, (ours, theirs) in columns.items():
        cell = line.average if code == "average" else line.languages[code]
        gain = 100 * (statistics.fmean(ours) - statistics.fmean(theirs))
        assert cell.gain == pytest.approx(gain, abs=1e-8)
        assert cell.test is not None and cell.test.df == len(ours) + len(theirs) - 2
        if statistics.pstdev(ours) > 1e-9 or statistics.pstdev(theirs) > 1e-9:
            p = float(stats.ttest_ind(ours, theirs).pvalue)
            assert cell.test.p == pytest.approx(p, rel=1e-6, abs=1e-9)
            assert cell.asterisk == (gain > 1e-9 and p > 0.05)
    above = sum(sum(a) / len(a) > sum(b) / len(b) + 1e-12 for a, b in list(columns.values())[:3])
    assert line.better == (above, 3)


def test_seeds_of_the_average_are_paired_within_a_strategy() -> None:
    """Averages move less than languages where these move against each other: the test is of per-seed averages."""
    scores = {"a": {"swa": [0.52, 0.72], "hau": [0.72, 0.52]}, "b": {"swa": [0.5, 0.7], "hau": [0.7, 0.5]}}
    line = line_of(from_table(table_of(scores), [], "b"), "a")
    assert line.languages["swa"].asterisk and line.languages["hau"].asterisk
    assert line.average.gain == 2 and not line.average.asterisk
    assert line.average.test and line.average.test.p == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "note"),
    [
        ([0.6], [0.5], "no inference: one seed"),
        ([0.6], [0.5, 0.4], "no inference: one seed of a"),
        ([0.6, 0.5], [0.4], "no inference: one seed of base"),
    ],
)
def test_one_seed_has_no_asterisk(ours: list[float | None], theirs: list[float | None], note: str) -> None:
    found = from_table(table_of({"base": {"swa": theirs, "hau": theirs}, "a": {"swa": ours, "hau": ours}}), [], "base")
    line = line_of(found, "a")
    assert line.better == (2, 2) and line.average.gain is not None and line.average.gain > 0
    assert not any(cell.test or cell.asterisk for cell in (*line.languages.values(), line.average))
    assert note in found.notes and not any("Student" in text for text in found.notes)
    assert "*" not in found.grids()[0].markdown().replace("**", "")


def test_one_seed_of_one_strategy_is_said_of_it_alone() -> None:
    found = from_table(table_of({**OURS, "badx": {code: [0.5] for code in LANGUAGES}}), [], "madx")
    assert "no inference for badx: one seed of badx" in found.notes
    assert line_of(found, "tlr-target").languages["hau"].asterisk
    assert "means over 1 or 3 seeds" in found.caption


def test_a_missing_seed_leaves_the_average_to_the_common_ones() -> None:
    scores = {**OURS, "badx": {"swa": [0.49, 0.53, 0.50], "hau": [0.42, None, 0.44], "ibo": [0.61, 0.61, 0.62]}}
    found = from_table(table_of(scores), [], "madx")
    badx = line_of(found, "badx")
    assert badx.languages["hau"].value == pytest.approx(43) and badx.languages["hau"].failed == 1
    assert badx.languages["hau"].test and badx.languages["hau"].test.df == 3
    assert dict(badx.average.seeds) == pytest.approx({1: (49 + 42 + 61) / 3, 3: (50 + 44 + 62) / 3})
    assert "badx: average over seeds 1, 3, as seed 2 is missing in hau" in found.notes
    assert badx.better == (2, 3)


def test_seeds_that_no_two_languages_share() -> None:
    scores = {**OURS, "badx": {"swa": [0.6, None, 0.7], "hau": [None, 0.5, 0.6], "ibo": [0.5, 0.6, 0.7]}}
    found = from_table(table_of(scores), ["badx"], "madx")
    assert "no inference for badx on the average: one seed with scores in all languages" in found.notes
    assert "badx: average over seed 3, as seed 1 is missing in hau; seed 2 is missing in swa" in found.notes
    scores["badx"] = {"swa": [0.6, None], "hau": [None, 0.5], "ibo": [0.5, 0.6]}
    found = from_table(table_of(scores), ["badx"], "madx")
    assert "badx: no average, as seed 1 is missing in hau; seed 2 is missing in swa" in found.notes
    assert "no inference for badx in swa, hau: one seed of badx" in found.notes
    assert line_of(found, "badx").average.value is None


def test_missing_languages_are_named_and_have_no_average() -> None:
    scores = {**OURS, "badx": {"swa": [0.49, 0.53, 0.50], "hau": [None, None, None]}}
    found = from_table(table_of(scores), [], "madx")
    badx = line_of(found, "badx")
    assert "badx has no scores in hau, ibo, and so no average" in found.notes
    assert badx.better == (0, 1) and badx.average.value is None
    assert found.grids()[0].rows[2] == ["badx", "50.67", "failed", "–", "–", "0/1"]
    # The other way round: nothing to compare with there.
    found = from_table(table_of(scores), [], "badx")
    madx = line_of(found, "madx")
    assert madx.languages["ibo"].gain is madx.average.gain is None
    assert madx.average.value == pytest.approx(50.6667, abs=1e-4) and madx.better == (1, 1)
    # Languages that only others have are no columns.
    assert from_table(table_of(scores | {"new": {"swa": [0.5, 0.6]}}), ["new"], "badx").languages == ("swa", "hau")


def test_rows_of_several_configurations() -> None:
    scores = {"madx": {"swa": [0.5, 0.6]}, "badx@1": {"swa": [0.5, 0.7]}, "badx@2": {"swa": [0.6, 0.7]}}
    table = table_of(scores)
    labels = [row.strategy for row in table.rows]
    assert labels[0] == "madx" and all(label.startswith("badx [") for label in labels[1:])
    found = from_table(table, [labels[2]], "madx")
    assert [line.strategy for line in found.lines] == ["madx", labels[2]]
    assert line_of(found, labels[2]).xleval == "badx"
    with pytest.raises(UserError, match=r"strategy 'badx' has several configurations .* xnli: badx \[.*\], badx \["):
        from_table(table, ["badx"], "madx")
    (label,) = [row.strategy for row in table_of({"badx@1": {"swa": [0.5]}}).rows]
    assert label == "badx"


@pytest.mark.parametrize(
    ("strategies", "baseline", "message"),
    [
        (["tlr-targt"], "madx", r"no strategy 'tlr-targt' in the results of xnli; did you mean 'tlr-target'"),
        (
            ["badx"],
            "mad-x",
            r"no baseline 'mad-x' in the results of xnli; did you mean 'madx'.*it has madx, tlr-target",
        ),
    ],
)
def test_what_the_results_do_not_have(strategies: list[str], baseline: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_table(table_of(OURS), strategies, baseline)


# Rendering


def test_all_formats_of_our_own() -> None:
    found = from_table(table_of(OURS), [], "madx")
    grid = found.grids()[0]
    assert "| tlr-target | 57.00 | 42.00* | 60.00 | 53.00* | 2/3 |" in grid.markdown()
    assert r"tlr-target & 57.00 & 42.00* & 60.00 & 53.00* & 2/3 \\" in grid.latex()
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(*grid.terminal())
    assert "42.00*" in (text := console.export_text()) and "note: better: on how many" in text
    rows = list(csv.DictReader(io.StringIO(grid.csv())))
    assert len(rows) == 3 * 4
    (row,) = (row for row in rows if (row["strategy"], row["language"]) == ("tlr-target", "hau"))
    p = stats.ttest_ind(*(OURS[name]["hau"] for name in ("tlr-target", "madx"))).pvalue
    assert float(row["p"]) == pytest.approx(p) and float(row["score"]) == pytest.approx(42)
    assert (row["gain"], row["df"], row["seeds"], row["asterisk"], row["above_baseline"]) == ("1.0", "4", "3", "1", "1")
    assert row["baseline"] == "madx" and row["table"] == "" and row["printed_average"] == ""
    for name in ("tlr-target", "badx"):
        above = [r["above_baseline"] for r in rows if r["strategy"] == name and r["language"] != "average"]
        better = line_of(found, name).better
        assert better == (above.count("1"), len(above))
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["terms"] == "tlr" and plain["table"] is None and plain["languages"] == list(LANGUAGES)
    target = plain["strategies"][1]
    assert target["better"] == [2, 3] and target["languages"]["hau"]["asterisk"]
    assert target["languages"]["hau"]["seeds"] == pytest.approx({"1": 39, "2": 47, "3": 40})
    assert plain["notes"] == list(found.notes)


def test_all_formats_of_all_printed_tables(published: Published) -> None:
    for table in published.tables.values():
        for found in from_reference(table):
            grid = found.grids()[0]
            assert {len(row) for row in grid.rows} == {len(grid.headers)}
            assert grid.markdown().count("\n| ") == len(grid.rows) + 1
            assert grid.latex().count(r" \\") == len(grid.rows) + 1
            assert len(grid.terminal()) == 2 + len(found.notes)
            assert len(list(csv.DictReader(io.StringIO(grid.csv())))) == len(grid.rows) * (len(found.languages) + 1)
            plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
            assert plain["table"] == table.key and len(plain["strategies"]) == len(grid.rows)
