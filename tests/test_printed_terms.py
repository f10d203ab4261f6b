"""Printed tables in the terms of the TLR paper, against counts by hand."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from test_published import BETTER, HALF_TIES, ROW, SUMMARIES, write

from xleval.comparison.printed_terms import from_reference
from xleval.comparison.published_terms import Line, PublishedTerms
from xleval.errors import UserError
from xleval.experiment import Suite
from xleval.host import Host
from xleval.published import AVERAGE, PrintedTable, Published, load

REFERENCE = Path(__file__).resolve().parents[1] / "leaderboard" / "reference" / "tlr.jsonl"


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
