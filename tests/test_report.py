"""Tables from records: what is averaged with what, and what each format makes of it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rich.console import Console

from xleval.report.render import terminal
from xleval.report.table import Table, tabulate
from xleval.scoring.metrics import METRICS


def run(run_id: str, strategy: str = "madx", seed: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "type": "run",
        "run_id": run_id,
        "strategy": {"name": strategy},
        "backbone": {"id": "org/encoder", "revision": "0123456789abcdef"},
        "seed": seed,
        "hyperparameters": {"epochs": 5},
        "source": {"train": "mnli@1"},
        "train_on": ["LA(eng)"],
        "drop_last": True,
        "target_scope": "shared",
        "env": {"precision": "fp32"},
        **fields,
    }


def result(run_id: str, language: str, value: float | None, **fields: Any) -> dict[str, Any]:
    outcome = {"status": "failed"} if value is None else {"status": "ok", "metrics": {"accuracy": {"value": value}}}
    about = {"type": "eval", "run_id": run_id, "task": "xnli", "task_version": "1", "language": language}
    return {**about, "dataset_revision": "a" * 40, "limit": None, **outcome, **fields}


def table_of(runs: list[dict[str, Any]], results: list[dict[str, Any]]) -> Table:
    return tabulate(results, {r["run_id"]: r for r in runs})


@pytest.fixture
def table() -> Table:
    """Two strategies, three languages, three seeds; of the second one language failed once and one is missing."""
    runs = [run(f"{s}{seed}", s, seed) for s in ("madx", "all|multi_<x>") for seed in (1, 2, 3)]
    results = []
    for seed, value in zip((1, 2, 3), (0.5, 0.6, 0.7), strict=True):
        results += [
            result(f"madx{seed}", lang, value + shift) for lang, shift in (("swa", 0), ("yor", 0.1), ("wol", 0.2))
        ]
        results.append(result(f"all|multi_<x>{seed}", "swa", value + 0.05))
        results.append(result(f"all|multi_<x>{seed}", "yor", None if seed == 2 else value))
    return table_of(runs, results)


def show(table: Table) -> str:
    console = Console(width=200, file=io.StringIO(), force_terminal=False)
    for renderable in terminal(table):
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


# What is counted


def test_mean_and_standard_deviation_over_seeds(table: Table) -> None:
    (one,) = table.tables
    entry = one.rows[0].entries["swa"]
    assert entry.mean == pytest.approx(0.6)
    assert entry.sd == pytest.approx(0.1)  # n - 1
    assert dict(entry.scores) == {1: 0.5, 2: 0.6, 3: 0.7}


def test_the_average_is_over_seeds_that_have_every_language(table: Table) -> None:
    madx, multi = table.tables[0].rows
    assert dict(madx.average.scores) == pytest.approx({1: 0.6, 2: 0.7, 3: 0.8})
    assert madx.average.sd == pytest.approx(0.1)
    # One language has no score at all, so no average is comparable with madx's.
    assert multi.average.mean is None


def test_coverage_and_failures(table: Table) -> None:
    madx, multi = table.tables[0].rows
    assert (madx.coverage, multi.coverage) == ((3, 3), (2, 3))
    assert multi.entries["yor"].failed == 1
    assert set(multi.entries["yor"].scores) == {1, 3}
    assert multi.entries["wol"].mean is None and multi.entries["wol"].failed == 0
    assert show(table).count("2/3, 1 failed") == 1


def test_one_seed_has_no_standard_deviation() -> None:
    table = table_of([run("a")], [result("a", "swa", 0.5)])
    assert table.tables[0].rows[0].entries["swa"].sd is None
    assert "±" not in show(table).replace("mean ± SD", "")
    assert "over 1 seed\n" in table.to_markdown().replace("**", "") + "\n"


def test_a_language_of_which_all_seeds_failed_says_so() -> None:
    table = table_of([run("a"), run("b", seed=2)], [result("a", "swa", None), result("b", "swa", None)])
    assert "failed" in table.to_markdown().split("|")[-4:][1] or "| failed |" in table.to_markdown()
    assert "0/1, 2 failed" in table.to_markdown()


@pytest.mark.parametrize(
    "change",
    [
        {"limit": {"examples": 50, "seed": 0}},
        {"task_version": "2"},
        {"dataset_revision": "sha256:0123456789abcdef"},
        {"task": "other"},
    ],
)
def test_what_must_not_be_mixed_is_in_tables_of_its_own(change: dict[str, Any]) -> None:
    table = table_of([run("a")], [result("a", "swa", 0.1), result("a", "swa", 0.9, **change)])
    assert len(table.tables) == 2
    assert [dict(one.rows[0].entries["swa"].scores) for one in table.tables] == [{1: 0.1}, {1: 0.9}]
    assert len({one.caption for one in table.tables}) == 2


def test_limits_of_other_size_or_seed_are_apart_and_captioned() -> None:
    limits = [None, {"examples": 50, "seed": 0}, {"examples": 50, "seed": 7}, {"examples": 60, "seed": 0}]
    table = table_of([run("a")], [result("a", "swa", 0.5, limit=limit) for limit in limits])
    captions = [one.caption for one in table.tables]
    assert len(set(captions)) == 4
    assert "limited" not in captions[0]
    assert "limited to 50 (seed 7) examples a split" in captions[2]


@pytest.mark.parametrize("revision", ["fedcba9876543210", "sha256:0000"])
def test_backbones_are_apart(revision: str) -> None:
    runs = [run("a"), run("b", backbone={"id": "org/encoder", "revision": revision})]
    table = table_of(runs, [result("a", "swa", 0.1), result("b", "swa", 0.9)])
    assert len(table.tables) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"hyperparameters": {"epochs": 9}},
        {"source": {"train": "mine@1"}},
        {"env": {"precision": "bf16"}},
        {"train_on": ["LA(eng)", "LA(swa)"]},
        {"drop_last": False},
    ],
)
def test_two_configurations_under_one_name_have_rows_of_their_own(change: dict[str, Any]) -> None:
    table = table_of([run("a"), run("b", **change)], [result("a", "swa", 0.1), result("b", "swa", 0.9)])
    (one,) = table.tables
    labels = [row.strategy for row in one.rows]
    assert len(set(labels)) == 2 and all(label.startswith("madx [") for label in labels)
    assert sorted(row.entries["swa"].mean or 0 for row in one.rows) == [0.1, 0.9]


@pytest.mark.parametrize("change", [{"seed": 2}, {"env": {"precision": "fp32", "torch": "9"}}, {"created": "later"}])
def test_runs_that_differ_in_seed_or_machine_share_a_row(change: dict[str, Any]) -> None:
    table = table_of([run("a"), run("b", **change)], [result("a", "swa", 0.1), result("b", "yor", 0.9)])
    assert [row.strategy for row in table.tables[0].rows] == ["madx"]


def test_a_strategy_trained_per_target_is_one_row() -> None:
    per_target = [run(lang, train_on=[f"LA({lang})"], target_scope="per-target") for lang in ("swa", "yor")]
    table = table_of(per_target, [result("swa", "swa", 0.1), result("yor", "yor", 0.9)])
    (row,) = table.tables[0].rows
    assert (row.strategy, row.coverage) == ("madx", (2, 2))


# Formats


def test_markdown_escapes_what_would_break_a_row(table: Table) -> None:
    lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert any(line.startswith("| all\\|multi_&lt;x> |") for line in lines)
    assert lines[2] == "| madx | 60.0 ±10.0 | **70.0 ±10.0** | **80.0 ±10.0** | **70.0 ±10.0** | 3/3 |"
    assert lines[3].endswith("| **65.0 ±10.0** | 60.0 ±14.1 | – | – | 2/3, 1 failed |")


def test_latex_escapes_and_marks_the_best(table: Table) -> None:
    text = table.to_latex()
    assert r"all$|$multi\_$<$x$>$ & \textbf{65.0{\scriptsize$\pm$10.0}} &" in text
    assert r"madx & 60.0{\scriptsize$\pm$10.0} & \textbf{70.0{\scriptsize$\pm$10.0}}" in text
    assert text.count("{") == text.count("}")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {4}
    assert "±" not in text and "–" not in text and "×" not in text


@pytest.mark.parametrize("name", ["a&b", "a%b", "a$b", "a#b", "a_b", "a{b}", "a~b", "a^b", "a\\b"])
def test_no_name_breaks_latex(name: str) -> None:
    text = table_of([run("a", name)], [result("a", "swa", 0.5)]).to_latex()
    (row,) = [line for line in text.splitlines() if "50.0" in line]
    assert row.count(" & ") == 2
    assert name not in row
    assert row.startswith("a") and "b" in row


def test_a_single_row_has_no_best() -> None:
    text = table_of([run("a")], [result("a", "swa", 0.5)]).to_latex()
    assert r"\textbf" not in text


def test_equal_means_are_both_best() -> None:
    runs = [run("a"), run("b", "other")]
    text = table_of(runs, [result("a", "swa", 0.5), result("b", "swa", 0.5)]).to_latex()
    assert text.count(r"\textbf{50.0}") == 4


def test_csv_has_one_line_a_score_and_nothing_for_a_failure(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert len(rows) == 9 + 3 + 2
    assert rows[0] == {
        "task": "xnli",
        "version": "1",
        "backbone": "org/encoder@0123456789abcd",
        "limit": "",
        "strategy": "madx",
        "language": "swa",
        "seed": "1",
        "metric": "accuracy",
        "value": "0.5",
    }
    assert {row["strategy"] for row in rows} == {"madx", "all|multi_<x>"}


def test_csv_keeps_every_digit() -> None:
    value = 2 / 3
    (row,) = csv.DictReader(io.StringIO(table_of([run("a")], [result("a", "swa", value)]).to_csv()))
    assert float(row["value"]) == value


def test_json_has_means_deviations_and_every_seed(table: Table) -> None:
    (one,) = json.loads(table.to_json())
    assert (one["task"], one["metric"], one["seeds"], one["limit"]) == ("xnli", "accuracy", [1, 2, 3], None)
    madx, multi = one["strategies"]
    assert madx["languages"]["swa"]["seeds"] == {"1": 0.5, "2": 0.6, "3": 0.7}
    assert madx["average"]["mean"] == pytest.approx(0.7)
    assert multi["languages"]["yor"] == {
        "mean": pytest.approx(0.6),
        "sd": pytest.approx(0.1414, abs=1e-4),
        "seeds": {"1": 0.5, "3": 0.7},
        "failed": 1,
    }
    assert multi["coverage"] == [2, 3]
    assert multi["languages"]["wol"]["mean"] is None


def test_the_terminal_shows_every_number_and_takes_no_name_for_markup() -> None:
    table = table_of([run("a", "[red]x[/red]")], [result("a", "swa", 0.5)])
    assert "[red]x[/red]" in show(table)
    assert "50.0" in show(table)


def test_nothing_to_show() -> None:
    empty = tabulate([], {})
    assert empty.tables == ()
    assert empty.to_markdown() == "no results\n" == str(empty)
    assert json.loads(empty.to_json()) == []
    assert len(empty.to_csv().splitlines()) == 1


def test_a_result_without_its_run_is_left_out() -> None:
    assert tabulate([result("gone", "swa", 0.5)], {}).tables == ()


def test_metric_names_of_the_captions_are_known(table: Table) -> None:
    assert table.tables[0].metric in METRICS
    assert "accuracy × 100" in table.tables[0].caption


def test_another_metric_than_the_tasks_own() -> None:
    both = {"metrics": {"f1": {"value": 0.75}, "em": {"value": 0.5}}}
    answers = [result("a", "swa", 0.0, task="xquad", **both), result("a", "swa", 0.25)]
    runs = {"a": run("a")}
    own = {t.task: (t.metric, t.rows[0].entries["swa"].mean) for t in tabulate(answers, runs).tables}
    assert own == {"xquad": ("f1", 0.75), "xnli": ("accuracy", 0.25)}
    (exact,) = tabulate(answers, runs, "em").tables
    assert (exact.task, exact.metric, exact.rows[0].entries["swa"].mean) == ("xquad", "em", 0.5)
    assert "em × 100" in exact.caption
