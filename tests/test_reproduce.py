"""A published table beside records: what is compared with what, what is left out, and what each format makes of it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from xleval.errors import UserError
from xleval.experiment import Limit, Suite
from xleval.host import Host
from xleval.published import load
from xleval.report import reproduction_text
from xleval.report.reproduction import Block, Compared, Reproduction, compare
from xleval.report.reproduction_setup import Wanted, differences, select

MBERT = {"id": "google-bert/bert-base-multilingual-cased", "revision": "3f076fdb1ab68d5b2880cb87a0886f315b8146f8"}
MASAKHANER = "9745180390b3507858ea57f7b1e4f8a944d280fc"
NINE = ["hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor"]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.fixture(scope="module")
def tlr(host: Host) -> Suite:
    suite: Suite = host.suites.get("tlr")
    return suite


# Ours beside theirs


def run(run_id: str, strategy: str, seed: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "run",
        "schema": "xleval/1.0",
        "run_id": run_id,
        "train_run_id": run_id,
        "strategy": {"name": strategy},
        "backbone": MBERT,
        "adapters": [{"role": "language", "lang": "eng", "id": "sha256:1"}, {"role": "task", "id": "sha256:2"}],
        "seed": seed,
        "hyperparameters": {"epochs": 10, "batch": 8, "lr": 5e-5, "switch": "epoch-step", "head": "pooler"},
        "source": [{"train": "conll2003@1", "dev": "conll2003@1"}],
        "train_on": ["LA(eng)"],
        "drop_last": True,
        "target_scope": "shared",
        "env": {"precision": "fp32"},
        **fields,
    }


def result(run_id: str, language: str, percent: float | None, metric: str = "f1", **fields: Any) -> dict[str, Any]:
    outcome: dict[str, Any] = {"status": "ok", "metrics": {metric: {"value": (percent or 0) / 100}}}
    if percent is None:
        outcome = {"status": "failed", "error": {"type": "RuntimeError", "message": "out of memory"}}
    return {
        "type": "eval",
        "schema": "xleval/1.0",
        "run_id": run_id,
        "task": "masakhaner",
        "task_version": "1",
        "dataset": "masakhaner",
        "dataset_revision": MASAKHANER,
        "split": "test",
        "language": language,
        "limit": None,
        **outcome,
        **fields,
    }


def seeds_of(strategy: str, shift: dict[int, float], **fields: Any) -> tuple[list[Any], list[Any]]:
    """Runs and results of Table 2(a): what it prints, shifted for each seed."""
    scores = load().table("tlr:2a").scores
    name = {"madx": "MAD-X", "tlr-all-multi": "ALL-MULTI", "tlr-target": "TARGET"}[strategy]
    runs = [run(f"{strategy}{seed}", strategy, seed, **fields) for seed in shift]
    results = [
        result(f"{strategy}{seed}", code, float(row.percent) + by)
        for seed, by in shift.items()
        for code, row in scores["masakhaner", "f1", name].items()
    ]
    return runs, results


def wanted(host: Host, tlr: Suite, key: str = "2a", **fields: Any) -> Wanted:
    table = tlr.tables[key]
    return Wanted(
        tasks={task: host.tasks.get(task) for task in table.tasks},
        strategies=tuple(table.strategies.values()),
        languages={task: tlr.languages[task] for task in table.tasks},
        backbone=MBERT,
        **fields,
    )  # fmt: skip


def reproduced(
    host: Host, tlr: Suite, runs: list[Any], results: list[Any], key: str = "2a", **fields: Any
) -> Reproduction:
    table, printed = tlr.tables[key], load().table(f"tlr:{key}")
    by_id = {r["run_id"]: r for r in runs}
    kept, left = select(results, by_id, asked := wanted(host, tlr, key, **fields))
    blocks = compare(table, printed, kept, by_id, asked.languages)
    differs = differences(tlr, table, printed, blocks, kept, by_id, asked, {})
    return Reproduction(printed.key, printed.shown, table.title, table.baseline, blocks, (*differs, *left))


def test_the_interval_is_students_over_our_seeds() -> None:
    cell = Compared(Decimal("10.5"), {1: 11.0, 2: 12.0, 3: 13.0})
    assert cell.ours == 12 and cell.sd == 1
    assert cell.difference == 1.5
    low, high = cell.interval or (0, 0)
    # t(.975, 2) = 4.302653 of any table of the distribution.
    assert (low, high) == pytest.approx((1.5 - 4.302653 / 3**0.5, 1.5 + 4.302653 / 3**0.5), abs=1e-6)


def test_students_sleep_against_zero() -> None:
    """Ten paired differences, t = −4.0621: the interval has the half-width mean / t · t(.975, 9)."""
    sleep = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4]
    low, high = Compared(Decimal(0), dict(enumerate(sleep))).interval or (0, 0)
    assert (low + high) / 2 == pytest.approx(-1.58)
    assert (high - low) / 2 == pytest.approx(1.58 / 4.0621 * 2.262157, abs=1e-4)


def test_one_seed_has_no_interval_and_equal_seeds_one_without_width() -> None:
    assert Compared(Decimal(1), {1: 2.0}).interval is None
    assert Compared(None, {1: 2.0, 2: 3.0}).difference is None
    assert Compared(Decimal(1), {}).difference is None
    assert Compared(Decimal(1), {1: 2.0, 2: 2.0}).interval == (1, 1)


def test_every_language_the_average_and_better(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: -1, 2: 0, 3: 1})
    more = seeds_of("tlr-target", {1: 0, 2: 0.5, 3: 1})
    found = reproduced(host, tlr, runs + more[0], results + more[1])
    (block,) = found.blocks
    assert block.languages == tuple(NINE)
    madx, target = block.lines
    assert madx.languages["hau"].ours == pytest.approx(81.3)
    assert [cell.difference for cell in target.languages.values()] == pytest.approx([0.5] * 9)
    # The averages are over the same nine languages: theirs is the printed one.
    assert (target.average.printed, target.printed_average) == (Decimal("68.92"), Decimal("68.92"))
    assert target.average.ours == pytest.approx(68.9167 + 0.5, abs=1e-4)
    # The seeds' averages move together, so the interval is as wide as one language's.
    low, high = target.average.interval or (0, 0)
    assert (high - low) / 2 == pytest.approx(0.5 * 4.302653 / 3**0.5, abs=1e-5)
    # Half a point more puts Wolof (63.04 against 65.56) no higher, and Hausa neither.
    assert (target.better, target.printed_better) == ((7, 9), (7, 9))
    assert (madx.better, madx.printed_better) == (None, None)


def test_equal_scores_are_not_better(host: Host, tlr: Suite) -> None:
    runs = [run("a", "madx", 1), run("b", "tlr-target", 1)]
    results = [result(name, "hau", 80) for name in "ab"] + [result("a", "ibo", 70), result("b", "ibo", 70.01)]
    found = reproduced(host, tlr, runs, results)
    assert found.blocks[0].lines[1].better == (1, 2)
    assert found.blocks[0].lines[1].printed_better == (7, 9)


def test_averages_are_over_the_languages_that_both_have(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0})
    found = reproduced(host, tlr, runs, [r for r in results if r["language"] in ("hau", "yor")])
    (line,) = found.blocks[0].lines
    assert line.averaged == ("hau", "yor") and line.n_printed == 9
    assert line.average.printed == (Decimal("81.30") + Decimal("71.95")) / 2
    assert line.average.difference == pytest.approx(0)
    assert line.printed_average == Decimal("67.96")
    assert "missing: masakhaner, madx: ibo, kin, lug, luo, pcm, swa, wol" in found.differences
    assert "(of 2/9)" in reproduction_text.markdown(found)


def test_an_average_of_seeds_that_lack_a_language_is_over_the_others(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0, 2: 1, 3: 2})
    gone = [r for r in results if (r["run_id"], r["language"]) != ("madx2", "luo")]
    found = reproduced(host, tlr, runs, gone)
    assert set(found.blocks[0].lines[0].average.scores) == {1, 3}
    assert "missing: masakhaner, madx: luo (seed 2)" in found.differences


def test_a_failed_cell_is_no_score(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0})
    failed = [r if r["language"] != "luo" else result("madx1", "luo", None) for r in results]
    found = reproduced(host, tlr, runs, failed)
    assert found.blocks[0].lines[0].languages["luo"].ours is None
    assert "missing: masakhaner, madx: luo (1 failed)" in found.differences
    assert "| failed |" in reproduction_text.markdown(found)


def test_a_table_that_prints_averages_alone_is_compared_with_all_languages(host: Host, tlr: Suite) -> None:
    def scored(codes: list[str]) -> Block:
        runs = [run("a", "madx", 1)]
        found = reproduced(host, tlr, runs, [result("a", code, 70) for code in codes], "4")
        return found.blocks[0]

    assert scored(NINE).lines[0].average.difference == pytest.approx(70 - 68.27)
    assert scored(NINE).lines[0].averaged == tuple(NINE)
    assert scored(NINE[1:]).lines[0].average.ours is None


def test_answers_by_f1_and_em_and_better_by_f1(host: Host, tlr: Suite) -> None:
    runs = [run("a", "madx", 1), run("b", "tlr-target", 1)]
    about = {"task": "tydiqa-goldp", "split": "dev", "dataset": "tydiqa-goldp"}
    results = [
        result(name, code, None, **about) | {"status": "ok", "metrics": {"f1": {"value": f1}, "em": {"value": 0.25}}}
        for name, f1 in (("a", 0.5), ("b", 0.75))
        for code in ("ara", "ben", "swa", "tel")
    ]
    found = reproduced(host, tlr, runs, results, "2f")
    assert [block.printed_metric for block in found.blocks] == ["f1", "em"]
    assert [block.lines[1].better for block in found.blocks] == [(4, 4), None]
    assert found.blocks[0].lines[1].printed_better == (5, 5)
    assert found.blocks[1].lines[0].languages["ara"].difference == pytest.approx(25 - 34.42)
    assert "languages left out: tydiqa-goldp, tha" in found.differences
    assert any(text.startswith("The paper's averages are over five languages") for text in found.differences)


def test_parsing_is_compared_without_root_tokens_as_printed(host: Host, tlr: Suite) -> None:
    about = {"task": "ud-parsing", "dataset": "ud-parsing"}
    both = {"las": {"value": 0.9}, "las_legacy": {"value": 0.6}}
    results = [result("a", "afr", None, **about) | {"status": "ok", "metrics": both}]
    found = reproduced(host, tlr, [run("a", "madx", 1)], results, "2b")
    assert found.blocks[0].lines[0].languages["afr"].difference == pytest.approx(60 - 55.21)
    assert "las (ours: las_legacy)" in found.blocks[0].caption


# What is not mixed, and what differs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task_version": "0"}, "left out, masakhaner: task version 0 (this xleval has 1): 1 score"),
        ({"split": "dev"}, "left out, masakhaner: split dev (--split dev compares it): 1 score"),
        (
            {"limit": {"examples": 50, "seed": 7}},
            "left out, masakhaner: limited to 50 examples (--limit 50:7 compares them): 1 score",
        ),
    ],
)
def test_other_records_are_left_out_and_it_is_said(host: Host, tlr: Suite, change: dict[str, Any], said: str) -> None:
    runs, results = seeds_of("madx", {1: 0})
    other = result("madx1", "hau", 1.0, **change)
    found = reproduced(host, tlr, runs, [*results, other])
    assert said in found.differences
    assert found.blocks[0].lines[0].languages["hau"].ours == pytest.approx(81.3)
    with pytest.raises(UserError, match="no records to compare with the table"):
        reproduced(host, tlr, runs, [other])


def test_limited_records_are_compared_when_asked_for(host: Host, tlr: Suite) -> None:
    runs = [run("a", "madx", 1)]
    results = [
        result("a", "hau", 50, limit={"examples": 20, "seed": 0}),
        result("a", "hau", 80),
        result("a", "hau", 90, limit={"examples": 20, "seed": 1}),
    ]
    found = reproduced(host, tlr, runs, results, limit=Limit(examples=20))
    assert found.blocks[0].lines[0].languages["hau"].ours == pytest.approx(50)
    assert "data of masakhaner: limited to 20 examples a split (seed 0)" in found.differences
    assert "left out, masakhaner: all examples (without --limit they are compared): 1 score" in found.differences


def test_the_tables_backbone_wins_and_another_must_be_named(host: Host, tlr: Suite) -> None:
    other = {"id": "org/other", "revision": "1" * 40}
    runs = [
        run("a", "madx", 1),
        run("b", "madx", 1, backbone=other),
        run("c", "madx", 1, backbone={**other, "id": "x/y"}),
    ]
    results = [result(name, "hau", score) for name, score in (("a", 10), ("b", 20), ("c", 30))]

    def score(kept: list[Any], **fields: Any) -> float | None:
        return reproduced(host, tlr, runs, kept, **fields).blocks[0].lines[0].languages["hau"].ours

    assert score(results) == pytest.approx(10)
    assert score(results[1:2]) == pytest.approx(20)
    assert score(results, asked="x/y") == pytest.approx(30)
    with pytest.raises(UserError, match=r"several backbones \(org/other, x/y\).*--backbone"):
        score(results[1:])
    with pytest.raises(UserError, match="left out, masakhaner: backbone org/other: 1 score"):
        score(results[1:2], asked="no/where")
    found = reproduced(host, tlr, runs, results[1:2])
    assert f"backbone: org/other, the table's is {MBERT['id']}" in found.differences
    assert "left out, masakhaner: backbone x/y: 1 score" in reproduced(host, tlr, runs, results).differences


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hyperparameters": {"epochs": 3}}, "masakhaner: train.epochs 3, the suite has 10"),
        ({"hyperparameters": {"switch": "step"}}, "masakhaner: train.switch step, the suite has epoch-step"),
        (
            {"source": [{"train": "wikiann-en@1", "dev": "wikiann-en@1"}]},
            "task adapters of masakhaner: learned from wikiann-en, the suite's source is conll2003",
        ),
        (
            {"source": [{"train": "conll2003@sha256:12", "dev": "conll2003@sha256:34"}]},
            "task adapters of masakhaner: learned from local files, which may be of another revision or a sample",
        ),
        ({"env": {"precision": "bf16"}}, "precision: bf16"),
        (
            {"backbone": {**MBERT, "revision": "f" * 40}},
            f"backbone: revision {'f' * 14} of {MBERT['id']}, xleval pins 3f076fdb1ab68d",
        ),
    ],
)
def test_what_differs_in_a_run_is_listed(host: Host, tlr: Suite, fields: dict[str, Any], said: str) -> None:
    runs, results = seeds_of("madx", {1: 0})
    assert said not in reproduced(host, tlr, runs, results).differences
    runs, results = seeds_of("madx", {1: 0}, **fields)
    assert said in reproduced(host, tlr, runs, results).differences


def test_what_differs_in_the_data_seeds_and_strategies(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0, 2: 0})
    local = [{**r, "dataset_revision": "sha256:0123"} for r in results]
    found = reproduced(host, tlr, runs, local).differences
    assert "data of masakhaner: local files, which may be of another revision than the one that xleval pins" in found
    assert "seeds: 2 (1, 2), the table has 1" in found
    absent = "TARGET, BILINGUAL, TASK-MULTI, ALL-MULTI, LEAVE-OUT-TASK, LEAVE-OUT-TARG"
    assert f"missing: masakhaner, all of {absent}" in found
    assert any(text.startswith("language adapters: those of these runs (1 language") for text in found)
    other = [{**r, "dataset_revision": "e" * 40} for r in results]
    pins = f"data of masakhaner: revision {'e' * 14}, xleval pins {MASAKHANER[:14]}"
    assert pins in reproduced(host, tlr, runs, other).differences
    single = reproduced(host, tlr, *seeds_of("madx", {4: 0})).differences
    assert any(text.startswith("one seed: no interval") for text in single)
    assert not any(text.startswith("seeds:") for text in single)


def test_two_configurations_have_a_line_each(host: Host, tlr: Suite) -> None:
    runs = [run("a", "madx", 1), run("b", "madx", 1, hyperparameters={"epochs": 3})]
    found = reproduced(host, tlr, runs, [result("a", "hau", 80), result("b", "hau", 60)])
    lines = found.blocks[0].lines
    assert [line.printed_strategy for line in lines] == ["MAD-X", "MAD-X"]
    assert sorted(line.languages["hau"].ours or 0 for line in lines) == pytest.approx([60, 80])
    assert any("differ in more than their seed, a line each: madx [" in text for text in found.differences)


def test_two_revisions_of_the_data_have_a_block_each(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0})
    found = reproduced(host, tlr, runs, [*results, result("madx1", "hau", 1, dataset_revision="sha256:1")])
    assert len(found.blocks) == 2
    assert any(
        text.startswith("masakhaner: records that must not be averaged, a table each") for text in found.differences
    )


def test_no_pair_of_settings_of_another_run_is_listed(host: Host, tlr: Suite) -> None:
    runs, results = seeds_of("madx", {1: 0})
    table, printed = tlr.tables["2a"], load().table("tlr:2a")
    by_id = {r["run_id"]: r for r in runs}
    asked = wanted(host, tlr)
    blocks = compare(table, printed, results, by_id, asked.languages)
    given = {"la.steps": "5", "la.batch": "8", "train.epochs": "3"}
    found = differences(tlr, table, printed, blocks, results, by_id, asked, given)
    assert "la.steps 5, the suite has 0" in found
    # la.batch is as it was, and train.epochs is read from the records.
    assert not any("la.batch" in text or "train.epochs" in text for text in found)


# Formats


@pytest.fixture
def example(host: Host, tlr: Suite) -> Reproduction:
    runs, results = seeds_of("madx", {1: -1, 2: 1})
    more = seeds_of("tlr-all-multi", {1: 0, 2: 0.5})
    return reproduced(host, tlr, runs + more[0], results + more[1])


def test_markdown(example: Reproduction) -> None:
    lines = reproduction_text.markdown(example).splitlines()
    assert lines[0] == "Named entities, mBERT (tlr, Table 2(a))"
    rows = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert rows[2].startswith("| MAD-X | ours | 81.30 ±1.41 |") and "| 67.96 |" in rows[3]
    assert rows[8].startswith("|  | difference | +0.25 | +0.25 |")
    assert "[-2.93, +3.43]" in rows[9]  # 0.25 ± t(.975, 1) · 0.3536 / √2
    assert rows[6].endswith("| 9/9 |") and rows[7].endswith("| (9/9) |")
    assert "- seeds: 2 (1, 2), the table has 1" in lines


def test_latex_is_balanced_and_captioned(example: Reproduction) -> None:
    text = reproduction_text.latex(example)
    table = text.partition("\n%")[0]
    assert table.count(r"\begin{") == table.count(r"\end{") == 2
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in rows}) == 1
    assert r"\caption{Named entities, mBERT (tlr, Table 2(a)): masakhaner, f1 $\times$ 100" in text
    assert all(line.startswith("%") for line in text.partition(r"\end{table}")[2].splitlines() if line)


def test_csv_has_one_line_a_number(example: Reproduction) -> None:
    rows = list(csv.DictReader(io.StringIO(reproduction_text.csv_text(example))))
    assert len(rows) == 2 * 10
    hausa = rows[0]
    assert (hausa["table"], hausa["strategy"], hausa["language"]) == ("tlr:2a", "madx", "hau")
    assert float(hausa["ours"]) == pytest.approx(81.3) and float(hausa["printed"]) == 81.3
    assert float(hausa["high"]) - float(hausa["difference"]) == pytest.approx(12.7062 * 2**0.5 / 2**0.5, abs=1e-3)
    assert rows[9]["language"] == "average" and rows[9]["printed"] == "67.96"


def test_json_has_every_seed(example: Reproduction) -> None:
    found = json.loads(reproduction_text.json_text(example))
    (block,) = found["blocks"]
    madx, multi = block["strategies"]
    assert madx["languages"]["hau"]["seeds"] == {"1": pytest.approx(80.3), "2": pytest.approx(82.3)}
    assert multi["better"] == [9, 9] == multi["printed_better"]
    assert multi["average"]["languages"] == NINE
    assert found["differences"] == list(example.differences)
    assert (found["table"], block["metric"], block["printed_metric"]) == ("tlr:2a", "f1", "f1")


# The command


def recorded(folder: Path, runs: list[Any], results: list[Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*runs, *results]))
    return folder


@pytest.mark.parametrize("arguments", [(), ("ls",)])
def test_ls_has_every_published_table(cli: Cli, arguments: tuple[str, ...]) -> None:
    rows = {row["table"]: row for row in json.loads(cli("reproduce", *arguments, "--json").stdout)}
    assert set(rows) == set(load().tables)
    assert rows["tlr:2b"]["tasks"] == ["ud-parsing"] and "BAD-X" in rows["tlr:2b"]["strategies"]
    assert {row["suite"] for key, row in rows.items() if key.startswith("tlr:")} == {"tlr"}
    assert rows["xcopa:readme"]["suite"] is None
    text = cli("reproduce", *arguments).stdout
    assert all(key in text for key in rows)
    assert "without a suite that runs them: lt-sft:models, madx:readme, xcopa:readme, xquad:models" in text


def test_from_records_of_two_folders(cli: Cli, tmp_path: Path) -> None:
    first = recorded(tmp_path / "one", *seeds_of("madx", {1: 0, 2: 1}))
    second = recorded(tmp_path / "two", *seeds_of("tlr-target", {1: 0, 2: 1}))
    folders = ("--from-records", first, "--from-records", second)
    text = cli("reproduce", "tlr:2(a)", *folders).stdout
    assert "Named entities, mBERT (tlr, Table 2(a))" in text and "Where the setup differs" in text
    found = json.loads(cli("reproduce", "tlr:2a", *folders, "--json").stdout)
    assert [line["strategy"] for line in found["blocks"][0]["strategies"]] == ["madx", "tlr-target"]
    one = ("--strategy", "tlr-target", "--language", "hau,swa", "--seed", "2")
    (line,) = json.loads(cli("reproduce", "tlr:2a", *folders, *one, "--json").stdout)["blocks"][0]["strategies"]
    assert list(line["languages"]) == ["hau", "swa"]
    assert set(line["languages"]["hau"]["seeds"]) == {"2"}
    cli("reproduce", "tlr:2a", *folders, "--format", "csv", "-o", tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().startswith("table,task,printed_metric")


def test_a_failed_cell_gives_exit_code_1(cli: Cli, tmp_path: Path) -> None:
    runs, results = seeds_of("madx", {1: 0})
    folder = recorded(tmp_path / "one", runs, [*results[1:], result("madx1", "hau", None)])
    done = cli("reproduce", "tlr:2a", "--from-records", folder, code=1)
    assert "failed: masakhaner/hau: out of memory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tlr:2z",), "no published table 'tlr:2z'; did you mean 'tlr:2"),
        (("trl:2a",), "did you mean 'tlr:2a'"),
        (("xcopa:readme",), "xcopa:readme: no suite stands for this table"),
        (("tlr:2a", "--suite", "demo"), "--suite demo: the table is of the suite tlr"),
        (("tlr:2a", "--task", "xnli"), "--task xnli: not in this table (masakhaner)"),
        (("tlr:2a", "--strategy", "tlr-traget"), "did you mean 'tlr-target'"),
        (("tlr:2a", "--language", "zho"), "--language zho: no task of this table has it"),
        (("tlr:2a", "--from-records", "nowhere"), "--from-records nowhere: no records.jsonl there"),
    ],
    ids=str,
)
def test_wrong_input(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    done = cli("reproduce", *arguments, code=2)
    assert message in done.stderr and not done.stdout


def test_a_result_without_its_run(cli: Cli, tmp_path: Path) -> None:
    folder = recorded(tmp_path / "one", [], [result("gone", "hau", 1)])
    done = cli("reproduce", "tlr:2a", "--from-records", folder, code=2)
    assert "the result of masakhaner/hau has no `run` record gone" in done.stderr


@pytest.mark.realdata
@pytest.mark.slow
def test_a_table_run_and_then_read(cli: Cli, realdata: Path, tmp_path: Path) -> None:
    tokenizer = realdata / "tokenizers" / "bert-base-multilingual-cased"
    cli("backbone", "make", tokenizer, "tiny", "--hidden", "32", "--layers", "2")
    small = [f"--set={text}" for text in ("la.steps=3", "la.batch=2", "la.chunk=64", "la.held_out=0.001",
                                          "train.epochs=1")]  # fmt: skip
    chosen = ("--strategy", "madx", "--strategy", "tlr-target", "--language", "cni,nah", "--backbone", "tiny",
              "--limit", "24")  # fmt: skip
    places = ("--data-dir", realdata, "--text-dir", realdata / "text", "--seeds", "2", "--out", "out")
    ran = json.loads(cli("reproduce", "tlr:2c", *chosen, *places, *small, "--json").stdout)
    (block,) = ran["blocks"]
    assert [line["strategy"] for line in block["strategies"]] == ["madx", "tlr-target"]
    assert list(block["strategies"][0]["languages"]) == ["cni", "nah"]
    assert block["strategies"][1]["printed_better"] == [10, 10]
    assert any(text.startswith("backbone: tiny, the table's is") for text in ran["differences"])
    assert "la.steps 3, the suite has 0" in ran["differences"]
    read = json.loads(cli("reproduce", "tlr:2c", "--from-records", "out", *chosen, "--json").stdout)
    assert read["blocks"] == ran["blocks"]
