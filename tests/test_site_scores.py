"""What pages say of scores: means, intervals, ties, corrected p-values, badges, and which rows stand apart."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from entries import changed, contributed
from site_results import STRATEGIES, pages, placed

from xleval.comparison.measured import measure
from xleval.comparison.recorded import recorded
from xleval.comparison.standing import difference, standings
from xleval.host import Host
from xleval.item_files import items_of
from xleval.leaderboard.adding import add_entry
from xleval.published import load
from xleval.report.table import AVERAGE
from xleval.site.board import PUBLISHED, REPRODUCED, SELF_REPORTED, VALIDATED, Page, address
from xleval.site.contributions import read_contribution
from xleval.site.inference import P_UNIT, UNIT, corrected
from xleval.site.known import Known
from xleval.site.numbers import Mean, interval, mean, points, signed
from xleval.site.overview import best_average, finder, summaries
from xleval.site.payload import files_of
from xleval.site.printed import add_printed
from xleval.site.strips import scale_of, strip
from xleval.site.systems import systems_of
from xleval.site.transfer import transfer_maps
from xleval.stats.multiple import benjamini_hochberg, holm

LANGUAGES = ("deu", "quy", "swa", "yor")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One entry of five strategies, four languages and four seeds."""
    folder = tmp_path_factory.mktemp("scores") / "results"
    placed(folder, "first", STRATEGIES, LANGUAGES, (1, 2, 3, 4), items=60)
    return folder


@pytest.fixture(scope="module")
def page(results: Path) -> Page:
    return pages(results)["nli"]


def line(page: Page, label: str) -> int:
    return next(number for number, line in enumerate(page.lines) if line.label == label)


def test_means_and_intervals_are_those_of_the_comparison(page: Page, results: Path) -> None:
    (table,) = recorded(results / "first")[0].tables
    measured = measure(table, partial(items_of, results / "first"))
    expected = standings(measured)
    sets = {"deu swa": ["deu", "swa"]}
    assert [column.code for column in page.languages] == list(LANGUAGES)
    for row in table.rows:
        ours = page.lines[line(page, row.strategy)]
        for i, code in enumerate(LANGUAGES):
            found, standing = ours.mean(i), expected[row.strategy, code]
            assert found is not None and standing.interval is not None
            assert found.value == pytest.approx(row.entries[code].mean * UNIT, abs=1)
            low, high = standing.interval
            assert ours.half[i] == pytest.approx(max(found.value / UNIT - low, high - found.value / UNIT) * UNIT, abs=2)
            assert ours.tied[i] == standing.tied
        average = ours.average(page.everything)
        half, tied, reason = page.standing(ours)
        whole = expected[row.strategy, AVERAGE]
        assert average is not None and whole.interval is not None and not reason and tied == whole.tied
        assert average.value == pytest.approx(row.average.mean * UNIT, abs=1)
        assert half == pytest.approx((whole.interval[1] - whole.interval[0]) / 2 * UNIT, abs=2)
    of_set = standings(measured, columns=sets)
    known = {each.languages: each for each in page.sets}
    latin = known[0, 1, 2, 3]  # all four are written in it
    assert latin is page.sets[0]
    assert (0, 3) not in known and (1, 2) not in known  # no facet has just these
    assert of_set


def test_the_intervals_of_a_facet_are_those_of_its_languages(page: Page, results: Path) -> None:
    (table,) = recorded(results / "first")[0].tables
    measured = measure(table, partial(items_of, results / "first"))
    african = tuple(i for i, column in enumerate(page.languages) if column.macroarea == "Africa")
    assert [page.languages[i].code for i in african] == ["swa", "yor"]
    (found,) = (each for each in page.sets if each.languages == african)
    expected = standings(measured, columns={"african": ["swa", "yor"]})
    for number, each in enumerate(page.lines):
        low, high = expected[each.label, "african"].interval or (np.nan, np.nan)
        assert found.half[number] == pytest.approx((high - low) / 2 * UNIT, abs=2)
        assert found.tied[number] == expected[each.label, "african"].tied


@pytest.mark.parametrize("baseline", ["madx", "la-none-tr"])
def test_corrected_p_values_are_those_of_all_comparisons_with_a_baseline(
    page: Page, results: Path, baseline: str
) -> None:
    (table,) = recorded(results / "first")[0].tables
    measured = measure(table, partial(items_of, results / "first"))
    others = [each.label for each in page.lines if each.label != baseline]
    averages = holm([difference(measured, one, baseline, LANGUAGES).p for one in others])
    languages = benjamini_hochberg([difference(measured, a, baseline, [code]).p for a in others for code in LANGUAGES])
    rows, pairs = page.pairs[0]
    assert rows == list(range(len(page.lines)))
    for number, other in enumerate(others):
        found = corrected(pairs, len(rows), len(LANGUAGES), line(page, other), line(page, baseline))
        expected = [*languages[number * 4 : number * 4 + 4], averages[number]]
        assert found == pytest.approx(np.array(expected) * P_UNIT, abs=1)
        assert all(one >= p * P_UNIT - 1e-6 for one, p in zip(found, expected, strict=True))  # rounded up, never down


def test_differences_stand_in_the_order_of_the_pairs(page: Page, results: Path) -> None:
    (table,) = recorded(results / "first")[0].tables
    measured = measure(table, partial(items_of, results / "first"))
    _, pairs = page.pairs[0]
    number = 0
    for i, first in enumerate(page.lines):
        for second in page.lines[i + 1 :]:
            for codes in (*([code] for code in LANGUAGES), LANGUAGES):
                one = difference(measured, first.label, second.label, list(codes))
                low, high = one.interval()
                assert pairs["estimate"][number] == pytest.approx(one.estimate * UNIT, abs=1)
                assert pairs["half"][number] == pytest.approx((high - low) / 2 * UNIT, abs=1)
                number += 1
    assert number == len(pairs["estimate"]) == len(pairs["half"]) == len(pairs["p"])


def test_what_was_inferred_once_is_kept(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xleval.site import inference
    from xleval.site.board import pages_of
    from xleval.site.contributions import read_contribution

    contribution = read_contribution(results / "first")
    first = pages_of([contribution], Known(Host()), tmp_path)
    monkeypatch.setattr(inference, "_infer", lambda *_: pytest.fail("computed again"))
    again = pages_of([contribution], Known(Host()), tmp_path)
    assert [files_of(page, "") for page in again] == [files_of(page, "") for page in first]
    (kept,) = tmp_path.glob("*.json")
    kept.write_text("{broken")
    monkeypatch.undo()
    assert files_of(pages_of([contribution], Known(Host()), tmp_path)[0], "") == files_of(first[0], "")


def test_a_rerun_that_agrees_is_reproduced_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx",), ("quy", "swa"), (1, 2, 3))
    placed(results, "second", ("madx",), ("quy", "swa"), (21, 22, 23))
    placed(results, "third", ("badx",), ("quy", "swa"), (1, 2, 3))
    (page,) = pages(results).values()
    badges = {(each.label, each.entry): each.badge for each in page.lines}
    assert badges == {("madx", "first"): REPRODUCED, ("madx", "second"): REPRODUCED, ("badx", "third"): VALIDATED}
    one, other = (each for each in page.lines if each.label == "madx")
    rows, pairs = page.pairs[0]
    assert len(rows) == 3
    # The same, were the interval of the difference no longer around 0.
    from xleval.site import board

    for each in page.lines:
        each.badge = VALIDATED
    pairs["half"] = [0] * len(pairs["half"])
    board._reproduced(page)
    assert {one.badge, other.badge} == {VALIDATED}


def test_rows_of_unproven_entries_are_shown_and_not_tested(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx", "badx"), ("quy", "swa"), (1, 2, 3))
    placed(results, "second", ("tlr-target",), ("quy", "swa"), (1, 2, 3))
    changed(results / "second", lambda records: records[-1]["metrics"]["accuracy"].update(value=0.999))
    (page,) = pages(results).values()
    doubtful = page.lines[line(page, "tlr-target")]
    assert doubtful.badge == SELF_REPORTED and set(doubtful.half) == {-1} and set(doubtful.tied) == {-1}
    assert page.standing(doubtful) == (-1, -1, "self-reported: its scores were not computed again")
    assert line(page, "tlr-target") not in page.pairs[0][0]
    assert all(page.standing(each)[0] > 0 for each in page.lines if each is not doubtful)


def test_a_row_on_other_items_does_not_take_the_intervals_from_all(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx", "badx"), ("quy", "swa"), (1, 2, 3))
    placed(results, "second", ("tlr-target",), ("quy", "swa"), (1, 2, 3), items=30)
    (page,) = pages(results).values()
    odd = page.lines[line(page, "tlr-target")]
    assert odd.reason == "its test items of quy are others than those of most rows"
    assert page.standing(odd)[2] == odd.reason
    assert [page.standing(each)[0] > 0 for each in page.lines if each is not odd] == [True, True]
    assert page.notes == []


def test_pages_of_metrics_versions_and_odd_names() -> None:
    assert address("demo-nli") == "demo-nli"
    for name in ("Demo NLI", "demo/nli", "../../etc", "a.pairs-0", "ŋ", "</script>"):
        assert set(address(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and address(name) != address(
            name + "!"
        )


def test_versions_of_a_task_are_pages_of_their_own(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx",), ("quy",), (1, 2), task_version="9")
    placed(results, "second", ("madx",), ("quy",), (3, 4), task_version="10")
    found = pages(results)
    assert {slug: page.version for slug, page in found.items()}["nli"] == "10"
    (old,) = (page for slug, page in found.items() if slug != "nli")
    assert old.slug.startswith("nli-v9-") and not old.plain


def test_a_row_without_a_language_has_no_average_and_says_how_many_it_has(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx", "badx"), ("quy", "swa"), (1, 2, 3))
    placed(results, "second", ("tlr-target",), ("quy",), (1, 2, 3))
    (page,) = pages(results).values()
    short = page.lines[-1]
    assert short.label == "tlr-target" and short.average(page.everything) is None and short.coverage == 1
    assert short.half[0] > 0 and short.half[1] == -1 and page.standing(short)[0] == -1
    assert short.average([0]) == short.mean(0)


def test_printed_rows_stand_on_measured_pages_only_if_those_have_their_languages(tmp_path: Path) -> None:
    results = tmp_path / "results"
    placed(results, "first", ("madx",), ("deu", "swa"), (1, 2), task="americasnli")
    known = Known(Host())
    found = {page.slug: page for page in add_printed(list(pages(results).values()), load(), known)}
    assert found["americasnli"].lines and not found["americasnli"].printed
    assert found["americasnli-published"].printed and not found["americasnli-published"].lines
    codes = sorted({row.language for row in load().rows if row.task == "americasnli"} - {"avg"})
    placed(results, "second", ("badx",), [*codes, "deu"], (1, 2), task="americasnli")
    found = {page.slug: page for page in add_printed(list(pages(results).values()), load(), known)}
    assert "americasnli-published" not in found
    assert found["americasnli"].lines and len(found["americasnli"].printed) > 20
    assert found["americasnli"].backbones[0].name == "bert"  # rows keep their backbones


def test_printed_numbers_are_the_papers(tmp_path: Path) -> None:
    (page,) = (page for page in add_printed([], load(), Known(Host())) if page.slug == "masakhaner")
    assert not page.lines and page.primary
    madx = next(each for each in page.printed if each.label == "MAD-X" and each.where == "tlr, Table 2(a)")
    codes = [column.code for column in page.languages]
    assert madx.cells[codes.index("hau")] == 813000 and madx.cells[codes.index("ibo")] == 702700
    data = json.loads(files_of(page, "t")["masakhaner.js"].split(",", 1)[1].removesuffix(");\n"))
    (table,) = data["tables"]
    assert table["kind"] == "published" and table["rows"][0]["badge"] == PUBLISHED


def test_a_strategy_is_one_row_of_the_overview_whatever_its_hyperparameters_on_each_task(tmp_path: Path) -> None:
    first = contributed(tmp_path / "nli", ("madx", "badx"), ("quy",), (1, 2))
    second = contributed(tmp_path / "ner", ("madx", "badx"), ("deu",), (1, 2), task="ner", xleval="0.1.1")
    changed(second, lambda records: [r.update(hyperparameters={"lr": 0.5}) for r in records if r["type"] == "run"])
    add_entry([first, second], tmp_path / "results", "both")
    found = list(pages(tmp_path / "results").values())
    overview = summaries(found)
    assert [(one.label, [bool(cell) for cell in one.cells]) for one in overview] == [
        ("badx", [True, True]), ("madx", [True, True]),
    ]  # fmt: skip
    (badx, madx) = systems_of(read_contribution(tmp_path / "results" / "both"), found)
    assert [(setting.tasks, setting.hyperparameters) for setting in madx.settings.values()] == [
        (["ner"], [("lr", "0.5")]), (["nli"], [("lr", "0.1")]),
    ]  # fmt: skip
    assert {one.href for one in overview} == {badx.href, madx.href} and badx.seeds == [1, 2]


def test_the_best_and_what_is_tied_with_it(page: Page) -> None:
    best = best_average(page, 0)
    assert best is not None and best.line is page.lines[0] and best.of == 5
    tied = [page.standing(each)[1] for each in page.lines]
    assert best.tied == sum(tied) - 1
    rows = {column.code: cells for column, cells in finder([page])}
    assert sorted(rows) == sorted(LANGUAGES)
    for i, code in enumerate(LANGUAGES):
        (found,) = rows[code]
        assert found is not None
        highest = max(each.mean(i).value for each in page.lines)  # type: ignore[union-attr]
        assert found.mean.value == highest and found.tied == sum(each.tied[i] for each in page.lines) - 1
    overview = summaries([page])
    assert [one.tied for one in overview] == sorted((one.tied for one in overview), reverse=True)
    assert {one.label for one in overview} == set(STRATEGIES)


def test_transfer_is_the_difference_to_the_same_adapter_without_it(page: Page) -> None:
    (found,) = transfer_maps([page], Known(Host()))
    assert [column.code for column, _, _ in found.rows] == ["quy", "swa"] and found.steps == "50"
    before = page.lines[line(page, "la-none-tr")]
    for _, after, effects in found.rows:
        for i, effect in enumerate(effects):
            a, b = after.mean(i), before.mean(i)
            assert a is not None and b is not None and effect.difference == round(a.value - b.value)
            assert effect.sure in (True, False) and -4 <= effect.step <= 4
            assert (effect.step > 0) <= (effect.difference > 0)
    assert [[effect.same for effect in effects] for _, _, effects in found.rows] == [
        [False, True, False, False], [False, False, True, False],
    ]  # fmt: skip


def test_a_strip_has_a_dot_for_each_seed_on_one_scale(page: Page) -> None:
    scale = scale_of(page)
    assert scale is not None
    for number, each in enumerate(page.lines):
        found = each.average(page.everything)
        half = page.sets[0].half[number]
        assert found is not None and scale.low <= found.value - half and found.value + half <= scale.high
        drawn = str(strip(each, page.everything, half, scale))
        assert drawn.count("h0") == 4 and 'class="band"' in drawn and points(*found) in drawn


def test_numbers_are_printed_half_up_and_differences_the_same_from_both_sides() -> None:
    assert points(742_500) == "74.3" and points(1_484_900, 2) == "74.2" and points(0) == "0.0"
    assert points(1_000_000) == "100.0" and points(-1_000) == "−0.1"
    assert signed(250) == "0.0" and signed(2_500) == "+0.3" and signed(-2_500) == "−0.3"
    assert interval(Mean(1_484_000, 2), 10_000) == "[73.2, 75.2]"
    assert mean([-1, 5, 7]) == Mean(12, 2) and mean([-1]) is None


def test_the_script_prints_numbers_as_the_pages_do() -> None:
    core = (ROOT / "leaderboard" / "script" / "00-core.js").read_text("utf-8")
    assert "Math.floor((2 * sum + step * n) / (2 * step * n))" in core


def _data(page: Page) -> Any:
    text = files_of(page, "t")[f"{page.slug}.js"]
    return json.loads(text.removeprefix(f'xleval.data("{page.slug}",').removesuffix(");\n"))


def test_the_script_gets_every_score(page: Page) -> None:
    data = _data(page)
    (table,) = data["tables"]
    for row, each in zip(table["rows"], page.lines, strict=True):
        stop = row["at"] + len(LANGUAGES) * len(row["seeds"])
        assert table["cells"][row["at"] : stop] == [score for seeds in each.cells for score in seeds]
    assert data["languages"] == list(LANGUAGES) and data["facets"]["macroarea"]["values"] == [
        "Africa", "Eurasia", "South America",
    ]  # fmt: skip


def test_no_string_of_the_data_ends_its_script(page: Page) -> None:
    hostile = "</script><img src=x onerror=alert(1)>\u2028<!--&"
    page.lines[0].label, kept = hostile, page.lines[0].label
    try:
        text = files_of(page, hostile)[f"{page.slug}.js"]
    finally:
        page.lines[0].label = kept
    assert not set(text) & set("<>&\u2028\u2029") and json.loads(text.split(",", 1)[1][:-3])["title"] == hostile
