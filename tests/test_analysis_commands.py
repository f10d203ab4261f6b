"""`xleval analyse` on small results folders: tables, JSON, figures as files, and one clear message for bad input."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Cli
from made_results import Given, records, written

from xleval.report.figures import COLUMN, TEXT, Line, Panel, heat_map, line_plots, scatter_plots, svg
from xleval.report.grid import Grid, signed

NASTY = "</script><img src=x>&$a$|_%"
TARGETS = ["deu", "fin", "fra", "spa", "swa", "tur", "wol", "yor"]
TRANSFER: Given = {
    "la-none-tr": {"deu": [0.8, 0.7], "wol": [0.2, 0.3]},
    "transfer:lang=yor,steps=100": {"deu": [0.8, 0.7], "wol": [0.3, 0.36]},
    "transfer:lang=tur,steps=100": {"deu": [0.4, 0.35], "wol": [0.2, 0.3]},
}
FUSED: Given = {
    "fusion:langs=deu": {"swa": [0.5, 0.6]},
    "fusion:langs=tur": {"swa": [0.7, 0.6]},
    "fusion:langs=deu+tur": {"swa": [0.5, 0.6]},
}
GAINS: Given = {
    "la-target": {code: [0.5 + 0.01 * i**2, 0.5] for i, code in enumerate(TARGETS)},
    "la-none": {code: [0.5, 0.5] for code in TARGETS},
    NASTY: {code: [0.4, 0.4] for code in TARGETS},
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def texts(path: Path) -> list[str]:
    """All text of an SVG that parses as XML."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


# Commands


def test_transfer_prints_writes_and_draws(cli: Cli, out: Path) -> None:
    written(out, records(TRANSFER))
    done = cli("analyse", "transfer", "--out", out)
    (yor,) = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("yor")]
    assert yor[:2] == ["yor", "+0.0"] and "+35.0" in yor
    assert "seen" in done.stdout and "unseen" in done.stdout
    (data,) = json.loads((out / "analysis" / "transfer.json").read_text())
    assert data["changes"]["tur"]["deu"]["mean"] == pytest.approx(-0.5)
    assert data["seen"] == {"deu": True, "wol": False}
    shown = texts(out / "analysis" / "transfer.svg")
    assert {"−50.0", "+35.0", "seen", "unseen", "transfer language", "target language"} <= set(shown)
    assert str(out / "analysis" / "transfer.svg") in done.stderr


def test_interference_prints_writes_and_draws(cli: Cli, out: Path) -> None:
    written(out, records(FUSED))
    done = cli("analyse", "interference", "--out", out, "--format", "md")
    assert "| deu + tur | -5.0" in done.stdout
    assert "−5.0" in texts(out / "analysis" / "interference.svg")


def test_correlates_prints_writes_and_draws(cli: Cli, out: Path) -> None:
    written(out, records(GAINS))
    done = cli("analyse", "correlates", "--out", out, "--offline", "--json")
    assert done.stdout == (out / "analysis" / "correlates.json").read_text()
    (data,) = json.loads(done.stdout)
    found = {one["predictor"]: one for one in data["associations"]}
    assert found["seen in pretraining"]["n"] == 8
    assert found["word order of the source"]["n"] == 8
    assert found["script of the source"]["coefficient"] is None  # Latin all
    assert data["languages"]["yor"]["gain"]["mean"] == pytest.approx(0.01 * 49 / 2)
    assert any("no pieces a word" in note for note in data["notes"])  # no tokenizer without a hub
    assert any("8 languages are few" in note for note in data["notes"])
    shown = texts(out / "analysis" / "correlates.svg")
    assert {*TARGETS, "gain (points)", "seen in pretraining", "no", "yes"} <= set(shown)


def test_correlates_of_the_demo_has_its_tokenizer_and_text(cli: Cli, out: Path) -> None:
    codes = ["qab", "qac", "qad", "qae", "qaf", "qag", "qah", "qai"]
    given: Given = {
        "la-target": {code: [0.5 + 0.02 * i, 0.5] for i, code in enumerate(codes)},
        "la-none": {code: [0.5, 0.5] for code in codes},
    }
    demo = {"backbone": {"id": "demo", "revision": "sha256:0"}, "limit": {"examples": 50, "seed": 0}}
    written(out, records(given, task="demo-ner", source="qaa", **demo))
    (data,) = json.loads(cli("analyse", "correlates", "--out", out, "--json").stdout)
    found = {one["predictor"]: one for one in data["associations"]}
    assert found["pieces a word"]["n"] == 8 and found["pieces a word"]["coefficient"] > 0
    assert found["LA text (characters)"]["coefficient"] < 0  # the last ones have least
    predictors = data["languages"]["qai"]["predictors"]
    assert predictors["seen in pretraining"] == 0 and predictors["pieces a word"] > 1
    assert found["family of the source"]["reason"] == "the predictor is the same for all 8 languages"


def test_own_predictors_join_the_others(cli: Cli, out: Path, tmp_path: Path) -> None:
    written(out, records(GAINS))
    facts = tmp_path / "facts.csv"
    facts.write_text("language,distance\n" + "".join(f"{code},{i}\n" for i, code in enumerate(TARGETS)))
    (data,) = json.loads(
        cli("analyse", "correlates", "--out", out, "--offline", "--predictors", facts, "--json").stdout
    )
    (one,) = [one for one in data["associations"] if one["predictor"] == "distance"]
    assert one["coefficient"] == pytest.approx(1) and "same order" in one["reason"]
    assert one["p_adjusted"] > one["p"] > 0


@pytest.mark.realdata
def test_pieces_a_word_are_those_of_the_tokenizer(cli: Cli, out: Path, tmp_path: Path, realdata: Path) -> None:
    """mBERT's own vocabulary on MasakhaNER, against one word after the other."""
    from transformers import AutoTokenizer

    cli(
        "backbone",
        "make",
        realdata / "tokenizers" / "bert-base-multilingual-cased",
        tmp_path / "tiny",
        "--hidden",
        "32",
        "--layers",
        "1",
    )
    languages = ["swa", "yor"]
    given: Given = {name: {code: [0.5] for code in languages} for name in ("la-target", "la-none")}
    written(out, records(given, task="masakhaner", backbone={"id": "tiny", "revision": "sha256:0"}))
    options = ["--backbone", tmp_path / "tiny", "--data-dir", realdata, "--offline", "--json"]
    (data,) = json.loads(cli("analyse", "correlates", "--out", out, *options).stdout)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tiny")
    for code in ("swa", "yor"):
        text = (realdata / "masakhaner" / "data" / code / "test.txt").read_text(encoding="utf-8")
        sentences = {
            tuple(line.split()[0] for line in block.splitlines() if line.strip())
            for block in re.split(r"\n\s*\n", text)
        }
        words = [word for sentence in sentences for word in sentence]
        pieces = [piece for word in words for piece in tokenizer.tokenize(word)]
        found = data["languages"][code]["predictors"]
        assert found["pieces a word"] == pytest.approx(len(pieces) / len(words), rel=1e-3)
        assert found["unknown pieces (%)"] == pytest.approx(100 * pieces.count("[UNK]") / len(pieces), abs=0.02)


def test_gain_names_the_strategies_whatever_they_are_called(cli: Cli, out: Path) -> None:
    written(out, records(GAINS))
    done = cli("analyse", "correlates", "--out", out, "--offline", "--gain", "la-target", NASTY, "--format", "latex")
    assert r"$<$/script$>$" in done.stdout and "<" not in done.stdout.replace("$<$", "")
    path = out / "analysis" / "correlates.svg"
    assert "<img" not in path.read_text() and any(NASTY in " ".join(texts(path)) for _ in [0])


def test_csv_has_one_observation_a_line(cli: Cli, out: Path) -> None:
    written(out, records(TRANSFER))
    rows = list(csv.DictReader(io.StringIO(cli("analyse", "transfer", "--out", out, "--format", "csv").stdout)))
    assert len(rows) == 4
    (one,) = [row for row in rows if (row["transfer_language"], row["target"]) == ("yor", "wol")]
    assert float(one["change"]) == pytest.approx(0.35) and one["seen"] == "False" and one["seeds"] == "2"


def test_figures_have_equal_bytes_each_time(cli: Cli, out: Path, tmp_path: Path) -> None:
    written(out, records(TRANSFER))
    for name in ("a.svg", "b.svg"):
        cli(
            "analyse",
            "transfer",
            "--out",
            out,
            "--figure",
            tmp_path / "there" / name,
            PYTHONHASHSEED=name[0].encode().hex(),
        )
    first, second = ((tmp_path / "there" / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second and not (out / "analysis" / "transfer.svg").exists()


def test_several_tasks_have_a_figure_each(cli: Cli, out: Path) -> None:
    written(
        out, [*records(TRANSFER), *records(TRANSFER, task="../pawsx"), *records({"madx": {"swa": [0.5]}}, task="other")]
    )
    cli("analyse", "transfer", "--out", out)
    assert {path.name for path in (out / "analysis").iterdir()} == {
        "transfer.json", "transfer-xnli.svg", "transfer-.._pawsx.svg"
    }  # fmt: skip
    assert len(json.loads((out / "analysis" / "transfer.json").read_text())) == 2
    done = cli("analyse", "transfer", "--out", out, "--task", "other", code=2)
    assert "no results of strategy transfer" in done.stderr


def test_two_versions_of_a_task_have_a_figure_each(cli: Cli, out: Path) -> None:
    written(out, [*records(TRANSFER), *records(TRANSFER, task_version="2", run="2")])
    cli("analyse", "transfer", "--out", out)
    assert {"transfer-xnli-1.svg", "transfer-xnli-2.svg"} < {path.name for path in (out / "analysis").iterdir()}


def test_failed_cells_are_named(cli: Cli, out: Path) -> None:
    written(out, records({**TRANSFER, "transfer:lang=fin,steps=100": {"deu": [0.5, None]}}))
    done = cli("analyse", "transfer", "--out", out)
    assert "failed, left out: xnli, transfer:lang=fin,steps=100/deu, seed 2" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transfer", "--out", "nowhere"], "no records.jsonl in nowhere"),
        (["transfer", "--task", "xnl"], "did you mean 'xnli'"),
        (["transfer", "--metric", "las"], "has no scores by --metric las"),
        (["transfer", "--steps", "5"], "--steps 5: xnli has transfer results of 100 steps"),
        (["transfer", "--steps", "0"], "0 is not in the range x>=1"),
        (["transfer", "--figure", "x.png"], "name a file that ends with .svg"),
        (["transfer", "--json", "--format", "md"], "give --json or --format, not both"),
        (["interference"], "no results of a fusion of two languages"),
        (["correlates"], "no results of strategy 'la-target'"),
        (["correlates", "--gain", "la-none-tr"], "requires 2 arguments"),
        (["alignment", "--examples", "1"], "1 is not in the range x>=2"),
        (["alignment", "--task", "demo-nil"], "did you mean 'demo-nli'"),
        (["alignment", "--task", "demo-nli", "--no-train", "--limit", "9"], "leave out --no-train"),
    ],
)
def test_bad_input_has_one_message(cli: Cli, arguments: list[str], message: str) -> None:
    written(cli.folder / "xleval-results", records(TRANSFER))
    done = cli("analyse", *arguments, code=2)
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (cli.folder / "xleval-results" / "analysis").exists()


def test_a_folder_that_cannot_be_written(cli: Cli, out: Path) -> None:
    written(out, records(TRANSFER))
    (out / "analysis").write_text("a file")
    assert "cannot write" in cli("analyse", "transfer", "--out", out, code=2).stderr


def test_alignment_makes_what_it_needs_and_writes_both_readings(cli: Cli) -> None:
    small = [
        "la.steps=4",
        "la.eval_every=2",
        "la.chunk=32",
        "train.steps=4",
        "train.eval_every=2",
        "train.max_length=48",
    ]
    options = [part for setting in small for part in ("--set", setting)]
    options += ["--task", "demo-nli", "--language", "qab", "--limit", "40", "--seeds", "1", "--jobs", "1"]
    done = cli("analyse", "alignment", *options, "--strategy", "madx", "--strategy", "la-none", "--format", "csv")
    assert len(done.stdout.splitlines()) == 1 + 2 * 2 * 5
    assert "to make first" in done.stderr
    home = cli.folder / "xleval-results"
    assert {path.name for path in (home / "analysis").iterdir()} == {
        "alignment.json", "alignment.svg", "alignment-pairwise.svg"
    }  # fmt: skip
    assert not (home / "records.jsonl").exists()
    assert "layer (0: embeddings)" in texts(home / "analysis" / "alignment.svg")


def test_help_loads_neither_matplotlib_nor_torch(cli: Cli) -> None:
    code = (
        "import sys; from xleval.cli import main; sys.argv = ['xleval', 'analyse', 'correlates', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'matplotlib', 'torch', 'scipy', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=cli.environment, check=True)
    assert "--gain" in done.stdout and done.stdout.splitlines()[-1] == "[]"


def test_the_pages_python_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs" / "analyses.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    given: Given = {"la-none-tr": {"swa": [0.5]}, "transfer:lang=yor,steps=100": {"swa": [0.6]}}
    written(tmp_path / "xleval-results", records(given))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace('found.changes["yor"]["swa"].mean', 'mean = found.changes["yor"]["swa"].mean'), names)
    assert names["mean"] == pytest.approx(0.2)


def test_the_page_counts_the_languages_of_the_word_order_table() -> None:
    from xleval.analysis.typology import word_orders

    page = (Path(__file__).parents[1] / "docs" / "analyses.md").read_text(encoding="utf-8")
    assert f"verb of {len(word_orders())} of the registry's languages" in " ".join(page.split())


# Figures


def test_a_heat_map_shows_every_number_once_and_gaps_as_dashes() -> None:
    figure = heat_map(
        [[1.25, float("nan")], [-0.04, -3.0]], rows=["a", NASTY], columns=["x", "y"], groups=["seen", "unseen"],
        title="t", row_label="r", column_label="c", unit="u",
    )  # fmt: skip
    text = svg(figure, "t")
    ElementTree.fromstring(text)
    assert "<image" not in text  # cells and bar are shapes
    shown = re.findall(r">([^<>]+)</text>", text)
    assert [one for one in shown if re.fullmatch(r"[+−]\d+\.\d|–", one)] == ["+1.2", "–", "+0.0", "−3.0"]
    assert "<img" not in text and "&lt;img src=x&gt;&amp;$a$|_%" in text


def test_a_heat_map_without_numbers_is_drawn() -> None:
    nothing = [[float("nan")]]
    figure = heat_map(
        nothing, rows=["a"], columns=["x"], groups=["g"], title="t", row_label="r", column_label="c", unit="u"
    )
    ElementTree.fromstring(svg(figure, "t"))


def test_figures_fit_a_papers_columns() -> None:
    many = [f"l{i:02}" for i in range(40)]
    wide = heat_map(
        [[0.0] * 40] * 3, rows=["a", "b", "c"], columns=many, groups=["g"] * 40, title="t", row_label="r",
        column_label="c", unit="u",
    )  # fmt: skip
    assert wide.get_size_inches()[0] <= TEXT
    one = line_plots({"x": [Line("s", [0.1, 0.2], [0.0, 0.1])]}, title="t", x_label="x", y_label="y")
    assert one.get_size_inches()[0] == COLUMN
    panels = [Panel(str(i), "n = 2", [("a", 0, 1), ("b", 1, 2)]) for i in range(7)]
    assert scatter_plots(panels, title="t", y_label="y").get_size_inches()[0] == pytest.approx(TEXT)


def test_amounts_over_powers_of_ten_stand_on_a_logarithmic_axis_that_has_zero() -> None:
    def axis(values: list[float]) -> tuple[str, list[float]]:
        panel = Panel("size", "", tuple(("swa", x, 1.0) for x in values))
        (axes,) = scatter_plots([panel], title="t", y_label="y").axes
        return axes.get_xscale(), list(axes.get_xticks())

    assert axis([0, 0.2, 1.6, 300.8]) == ("symlog", [0, 1, 10, 100])
    assert axis([3.0, 40, 5000.0]) == ("symlog", [10, 100, 1000, 10000])
    for values in ([1.0, 2, 90], [0.0, 0, 5], [-5.0, 1, 1000], [0.0, 0.0]):
        assert axis(values)[0] == "linear"


def test_labels_of_points_do_not_cover_each_other() -> None:
    points = [(f"l{i}", 0.0, float(i) * 0.02) for i in range(6)] + [("far", 1.0, 1.0)]
    figure = scatter_plots([Panel("p", "n = 7", points, ("no", "yes"))], title="t", y_label="y")
    axes = figure.axes[0]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    overlaps = [
        a.overlaps(b) and min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    ]
    assert len(boxes) == 7 and sum(overlaps) == 0


def test_a_figure_without_panels_says_so() -> None:
    assert "no predictor varies" in svg(scatter_plots([], title="t", y_label="y"), "t")


def test_values_and_files_carry_no_date_and_no_version() -> None:
    import matplotlib

    text = svg(line_plots({"x": [Line("s", [0.1], [0.0])]}, title="t", x_label="x", y_label="y"), "t")
    assert matplotlib.__version__ not in text and "dc:date" not in text


# Tables


def test_a_grid_escapes_what_its_forms_need() -> None:
    grid = Grid(f"c {NASTY}", ["a", "b"], [[NASTY, "–"]], ["a"], [[NASTY], [None]], ["a note_1"])
    assert "&lt;img" in grid.markdown() and "\\|" in grid.markdown() and "- a note" in grid.markdown()
    assert r"\&" in grid.latex() and r"note\_1" in grid.latex() and "--" in grid.latex()
    assert list(csv.reader(io.StringIO(grid.csv()))) == [["a"], [NASTY], [""]]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "+0.0"), (-0.0004, "+0.0"), (-0.05, "-5.0"), (0.123, "+12.3")]
)
def test_signed_numbers(value: float | None, text: str) -> None:
    assert signed(value, 100) == text
