"""Reference rows: that they are what the papers print, and that a slip in their files is named."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from xleval.errors import UserError
from xleval.experiment import Suite
from xleval.host import Host
from xleval.published import AVERAGE, Published, average, better, load, shown_table, table_key
from xleval.scoring.metrics import METRICS

CENT = Decimal("0.01")

#: Tables of the TLR paper that print the averages of other tables, and whose.
SUMMARIES = {"tlr:3": ("tlr:7a", "tlr:7b"), "tlr:4": ("tlr:8a", "tlr:8b")}

#: Averages of printed cells that lie exactly between two roundings, with the printed one.
HALF_TIES = {
    ("tlr:2b", "las", "MAD-X"): "33.59",
    ("tlr:2b", "las", "LEAVE-OUT-TASK"): "37.19",
    ("tlr:2b", "las", "LEAVE-OUT-TARG"): "36.95",
    ("tlr:2c", "accuracy", "ALL-MULTI"): "49.8",
    ("tlr:2e", "em", "BILINGUAL"): "41.75",
    ("tlr:2e", "em", "TASK-MULTI"): "40.3",
    ("tlr:2e", "f1", "ALL-MULTI"): "54.17",
    ("tlr:2e", "em", "ALL-MULTI"): "42.2",
    ("tlr:6a", "accuracy", "ALL-MULTI"): "48.31",
    ("tlr:6b", "accuracy", "ALL-MULTI"): "65.95",
    ("tlr:6c", "em", "TARGET"): "53.87",
    ("tlr:6c", "em", "BILINGUAL"): "54.45",
    ("tlr:7a", "las", "TASK-MULTI"): "35.86",
    ("tlr:7b", "accuracy", "BILINGUAL"): "48.47",
}

#: Of these, binary floating point rounds all but three as the paper does. The three it rounds down and the paper up,
#: presumably from scores of more digits than are printed.
NOT_AS_FLOATS = {
    ("tlr:6a", "accuracy", "ALL-MULTI"),
    ("tlr:6b", "accuracy", "ALL-MULTI"),
    ("tlr:7b", "accuracy", "BILINGUAL"),
}

#: Languages above MAD-X, in the order of the tables' lines; of question answering by F1.
BETTER = {
    "tlr:2a": (9, [7, 7, 9, 9, 8, 8]),
    "tlr:2b": (10, [3, 6, 9, 8, 10, 10, 10]),
    "tlr:2c": (10, [8, 10, 10, 9, 10, 10, 10]),
    "tlr:2d": (6, [6, 6, 6, 5]),
    "tlr:2e": (4, [4, 4, 4, 3]),
    "tlr:2f": (5, [5, 4, 2, 4]),
    "tlr:6a": (10, [5, 6, 6, 5]),
    "tlr:6b": (6, [5, 4, 5, 6]),
    "tlr:6c": (4, [4, 4, 4, 2]),
    "tlr:7a": (10, [7, 9, 9, 10, 10]),
    "tlr:7b": (10, [5, 9, 9, 8, 8]),
    "tlr:8a": (9, [5, 8, 7, 7, 7, 7]),
    "tlr:8b": (10, [9, 10, 9, 10, 10, 10]),
}


@pytest.fixture(scope="module")
def published() -> Published:
    return load()


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def cells(published: Published, prefix: str = "tlr:") -> list[tuple[tuple[str, str, str], list[Decimal], Decimal]]:
    """(table, metric, strategy), the printed scores of its languages, the printed average."""
    return [
        (
            (key, metric, strategy),
            [row.percent for row in rows.values()],
            table.averages[task, metric, strategy].percent,
        )
        for key, table in published.tables.items()
        if key.startswith(prefix)
        for (task, metric, strategy), rows in table.scores.items()
        if (task, metric, strategy) in table.averages
    ]


# Averages


def test_every_printed_average_is_that_of_the_printed_cells(published: Published) -> None:
    found = cells(published)
    assert len(found) == 94
    off = {name: average(scores) - printed for name, scores, printed in found}
    assert max(map(abs, off.values())) <= CENT / 2
    assert {name for name, by in off.items() if abs(by) == CENT / 2} == set(HALF_TIES)
    # What is no tie rounds to the printed number, whatever is done with ties.
    rounded = {name: average(scores).quantize(CENT, ROUND_HALF_UP) for name, scores, _ in found}
    assert all(rounded[name] == printed for name, _, printed in found if name not in HALF_TIES)


def test_half_ties_are_as_printed_and_all_but_three_as_floats_round_them(published: Published) -> None:
    found = {name: (scores, printed) for name, scores, printed in cells(published)}
    assert {name: found[name][1] for name in HALF_TIES} == {name: Decimal(text) for name, text in HALF_TIES.items()}
    floats = {name: round(sum(map(float, scores)) / len(scores), 2) for name, (scores, _) in found.items()}
    off = {name for name, (_, printed) in found.items() if floats[name] != float(printed)}
    assert off == NOT_AS_FLOATS
    assert len(found) - len(off) == 91
    assert all(found[name][1] - average(found[name][0]) == CENT / 2 for name in off)


def test_averages_on_xcopa(published: Published) -> None:
    found = cells(published, "xcopa:") + cells(published, "madx:")
    assert len(found) == 4
    # 50.0 stands for a language that is not covered, and is averaged all the same.
    assert all(average(scores).quantize(CENT, ROUND_HALF_UP) == printed for _, scores, printed in found)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_summaries_repeat_the_averages_of_other_tables(published: Published, summary: str) -> None:
    others = {k: row.percent for key in SUMMARIES[summary] for k, row in published.table(key).averages.items()}
    mine = {key: row.percent for key, row in published.table(summary).averages.items()}
    assert mine == others
    assert not published.table(summary).scores


# Better, bold, and what is said of the tables


def test_better_counts_languages_strictly_above(published: Published) -> None:
    found = {}
    for key, table in published.tables.items():
        lines = {g: rows for g, rows in table.scores.items() if g[1] != "em" and key.startswith("tlr:")}
        base = {row.language: row.percent for g, rows in lines.items() if g[2] == "MAD-X" for row in rows.values()}
        for (_, _, strategy), rows in lines.items():
            if strategy == "MAD-X":
                continue
            count = better({language: row.percent for language, row in rows.items()}, base)
            # By hand: cents are whole numbers.
            assert count[0] == sum(int(row.percent * 100) > int(base[language] * 100) for language, row in rows.items())
            found.setdefault(key, (count[1], []))[1].append(count[0])
    assert found == BETTER


def test_equal_scores_are_not_better_and_missing_ones_not_counted() -> None:
    assert better({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 1.0, "b": 1.0}) == (1, 2)
    assert better({}, {"a": 1.0}) == (0, 0)


def test_bold_is_the_best_of_a_column_by_f1_leave_out_lines_aside(published: Published) -> None:
    columns = 0
    for key in ("tlr:2a", "tlr:2b", "tlr:2c", "tlr:2d", "tlr:2e", "tlr:2f", "tlr:7a", "tlr:7b", "tlr:8a", "tlr:8b"):
        rows = [row for row in published.table(key).rows if not row.printed_strategy.startswith("LEAVE-OUT")]
        for language in {row.language for row in rows}:
            here = [row for row in rows if row.language == language and row.metric != "em"]
            top = max(row.percent for row in here)
            best = {row.printed_strategy for row in here if row.percent == top}
            bold = {row.printed_strategy for row in rows if row.language == language and "bold" in row.note}
            assert bold == best, (key, language)
            columns += 1
    assert columns == 10 + 11 + 11 + 7 + 5 + 6 + 11 + 11 + 10 + 11


def test_all_multi_is_best_on_five_american_languages_and_ties_one(published: Published) -> None:
    scores = published.table("tlr:2c").scores
    alone = tied = 0
    for language, row in scores["americasnli", "accuracy", "ALL-MULTI"].items():
        others = [
            rows[language].percent
            for (_, _, strategy), rows in scores.items()
            if strategy != "ALL-MULTI" and not strategy.startswith("LEAVE-OUT")
        ]
        alone += row.percent > max(others)
        tied += row.percent == max(others)
    assert (alone, tied) == (5, 1)


def test_badx_over_madx_in_table_7(published: Published) -> None:
    averages = published.table("tlr:7a").averages
    gain = averages["ud-parsing", "las", "BAD-X"].percent - averages["ud-parsing", "las", "MAD-X"].percent
    assert gain == Decimal("1.37")


# The rows themselves


@pytest.mark.realdata
def test_rows_agree_with_the_collected_scores(published: Published, realdata: Path, host: Host) -> None:
    path = realdata.parent / "published" / "published.jsonl"
    if not path.is_file():
        pytest.skip(f"no collected scores at {path}")
    collected = [json.loads(line, parse_float=Decimal) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(collected) == len(published.rows) == 914
    tasks = {"MasakhaNER": "masakhaner", "UD-DP": "ud-parsing", "AmericasNLI": "americasnli", "XNLI": "xnli",
             "XQuAD": "xquad", "TyDiQA-GoldP": "tydiqa-goldp", "XCOPA": "xcopa"}  # fmt: skip

    def theirs(row: dict[str, Any]) -> tuple[Any, ...]:
        code = row["language"] if row["language"] == AVERAGE else host.languages.get(row["language"]).code
        table = row["table"] if row["table"][0].isdigit() else ""
        backbone = "" if row["backbone"] == "human" else row["backbone"]
        return (
            table_key(table), backbone, row["strategy"], tasks[row["task"]], code, row["metric"],
            Decimal(row["value"]), row["n_seeds"],
        )  # fmt: skip

    ours = [
        (
            row.table if row.table[0].isdigit() else "", (row.backbone or "").rpartition("/")[2], row.printed_strategy,
            row.task, row.language, row.metric, row.percent, row.n_seeds,
        )
        for row in published.rows
    ]  # fmt: skip
    assert sorted(map(str, ours)) == sorted(str(theirs(row)) for row in collected)
    notes = sorted(row["note"] for row in collected)
    assert sorted(row.note.partition("; TyDiQA-GoldP has no Thai")[0] for row in published.rows) == notes


def test_rows_name_what_xleval_has(published: Published, host: Host) -> None:
    for row in published.rows:
        task = host.tasks.get(row.task)
        assert any(task.family in metric.families for metric in METRICS[row.metric])
        if row.language != AVERAGE:
            assert host.languages.get(row.language).code == row.language
            known = row.language in task.languages
            assert known or (row.task, row.language) == ("tydiqa-goldp", "tha")
        if row.strategy:
            host.choose_strategy(row.strategy)
    pinned = {backbone.identity["id"] for backbone in host.backbones.values()}
    assert {row.backbone for row in published.rows if row.paper == "tlr"} <= pinned


def test_every_paper_is_cited_in_full(published: Published) -> None:
    assert set(published.papers) == {row.paper for row in published.rows}
    for paper in published.papers.values():
        assert paper.citation.count("{") == paper.citation.count("}")
        assert all(
            f"{field} = " in paper.citation for field in ("title", "author", "booktitle", "year", "pages", "url")
        )
        assert paper.url in paper.citation


def test_no_difference_is_a_row(published: Published) -> None:
    assert not any("delta" in row.metric or " minus " in row.printed_strategy for row in published.rows)


def test_keys_as_people_write_them(published: Published) -> None:
    assert published.table("TLR:2(a)") is published.tables["tlr:2a"]
    assert published.tables["tlr:2a"].shown == "tlr, Table 2(a)"
    assert [shown_table(key) for key in ("2a", "3", "readme")] == ["Table 2(a)", "Table 3", "readme"]
    with pytest.raises(UserError, match=r"no published table 'tlr:2z'; did you mean .*'tlr:2"):
        published.table("tlr:2z")


def test_the_suite_of_the_tlr_paper_stands_for_all_of_its_tables(published: Published, host: Host) -> None:
    suite: Suite = host.suites.get("tlr")
    assert {f"{table.paper}:{key}" for key, table in suite.tables.items()} == {
        key for key in published.tables if key.startswith("tlr:")
    }
    for key, table in suite.tables.items():
        printed = published.table(f"tlr:{key}")
        assert table.strategies == {row.printed_strategy: row.strategy for row in printed.rows}
        assert tuple(table.tasks) == printed.tasks
        assert set(table.metrics) == {row.metric for row in printed.rows}
        backbone = host.backbones.get(table.backbone or suite.backbone)
        assert {row.backbone for row in printed.rows} == {backbone.identity["id"]}
        assert {row.n_seeds for row in printed.rows} == {len(table.seeds or suite.seeds)}
        missing = {row.language for row in printed.rows if row.language not in (AVERAGE, *suite.languages[row.task])}
        assert missing == ({"tha"} if key == "2f" else set())


def test_reading_them_is_light() -> None:
    heavy = {"torch", "transformers", "datasets", "adapters", "numpy", "scipy"}
    script = "import sys, xleval.published as p; p.load(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


# Faults of the files


ROW = {
    "type": "reference", "schema": "xleval/1.0", "paper": "p", "table": "1", "backbone": "org/encoder",
    "strategy": "madx", "printed_strategy": "MAD-X", "task": "xnli", "language": "swa", "metric": "accuracy",
    "percent": 50.5, "n_seeds": 1, "provenance": "published", "note": "",
}  # fmt: skip
PAPERS = "p: {title: T, url: u, citation: c}\n"


def write(folder: Path, *rows: Any, papers: str = PAPERS, name: str = "p.jsonl") -> Path:
    (folder / "papers.yaml").write_text(papers, encoding="utf-8")
    (folder / name).write_text("".join(json.dumps(row) + "\n" if row != "{" else "{\n" for row in rows))
    return folder


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    found = load(write(tmp_path, ROW, {**ROW, "language": AVERAGE, "percent": 50}))
    table = found.table("p:1")
    assert table.scores["xnli", "accuracy", "MAD-X"]["swa"].percent == Decimal("50.5")
    assert table.averages["xnli", "accuracy", "MAD-X"].percent == 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"percent": 101}, r"p\.jsonl:2: percent: .*less than or equal to 100"),
        ({"percent": "?"}, r"p\.jsonl:2: percent"),
        ({"language": "swahili"}, r"p\.jsonl:2: language"),
        ({"n_seeds": 0}, r"p\.jsonl:2: n_seeds"),
        ({"provenance": "self-reported"}, r"p\.jsonl:2: provenance: .*'published'"),
        ({"schema": "xleval/2.0"}, r"p\.jsonl:2: schema"),
        ({"value": 1}, r"p\.jsonl:2: value: Extra inputs"),
        ({"paper": "q"}, r"p\.jsonl:2: paper is 'q': write 'p'"),
        ({}, r"p\.jsonl:2: .*swa accuracy stands there twice; keep one"),
    ],
    ids=str,
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(write(tmp_path, ROW, {**ROW, **change}))


def test_a_missing_field_a_broken_line_and_an_unknown_paper(tmp_path: Path) -> None:
    lacking = {key: value for key, value in ROW.items() if key != "metric"}
    with pytest.raises(UserError, match=r"p\.jsonl:1: metric: Field required"):
        load(write(tmp_path, lacking))
    with pytest.raises(UserError, match=r"p\.jsonl:2: not JSON"):
        load(write(tmp_path, ROW, "{"))
    with pytest.raises(UserError, match=r"p\.jsonl:1: paper is 'p': papers.yaml has no 'p'"):
        load(write(tmp_path, ROW, papers="other: {title: T, url: u, citation: c}\n"))


def test_bad_papers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"papers\.yaml: p: citation: Field required"):
        load(write(tmp_path, ROW, papers="p: {title: T, url: u}\n"))
    with pytest.raises(UserError, match=r"papers\.yaml: No such file"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="average of nothing"):
        average([])
