"""Whole runs on public data in their upstream formats, with a small random encoder over real vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from xleval.records import Results

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

SMALL = ["--seeds", "2", "--limit", "40", "--set", "la.steps=3", "--set", "la.batch=2", "--set", "la.chunk=64",
         "--set", "la.held_out=0.001", "--set", "train.epochs=1", "--jobs", "1"]  # fmt: skip
SHARED = ["--strategy", "tlr-all-multi", "--strategy", "la-source", "--strategy", "la-none"]


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_cli: Cli) -> Path:
    tokenizers = Path(__file__).resolve().parents[2] / "shared" / "data" / "tokenizers"
    if not tokenizers.is_dir():
        pytest.skip("no public data beside the checkout (../shared/data)")
    name = {"bert": "bert-base-multilingual-cased", "xlm-roberta": "xlm-roberta-base"}[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "encoder"
    kind = request.param
    shared_cli("backbone", "make", tokenizers / name, folder, "--layers", "2", "--hidden", "32", "--kind", kind)
    return folder


def options(realdata: Path, backbone: Path, tmp_path: Path) -> list[str | Path]:
    places = ["--store", tmp_path / "store", "--out", tmp_path / "out"]
    return ["--data-dir", realdata, "--text-dir", realdata / "text", "--backbone", backbone, *places, *SMALL]


def test_masakhaner_from_wikiann(cli: Cli, backbone: Path, realdata: Path, tmp_path: Path) -> None:
    from seqeval.metrics import f1_score

    asked = ["--task", "masakhaner", "--language", "hau,yor", "--source", "masakhaner=wikiann-en", *SHARED]
    chosen = [*asked, *options(realdata, backbone, tmp_path)]
    graph: dict[str, Any] = json.loads(cli("plan", "--json", *chosen).stdout)
    both = [a for a in graph["artifacts"] if a["kind"] == "task_adapter" and a["used_by"] == ["la-source", "la-none"]]
    assert [adapter["seed"] for adapter in both] == [1, 2]  # one a seed, shared
    assert graph["counts"]["language_adapter"] == {"total": 3, "missing": 3}
    cli("run", *chosen)
    cells = list(Results(tmp_path / "out").cells().values())
    assert len(cells) == 3 * 2 * 2
    kept = {"B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"}
    for record in cells:
        text = (realdata / "masakhaner" / "data" / record["language"] / "test.txt").read_text(encoding="utf-8")
        gold = [
            [tag if (tag := line.split()[-1]) in kept else "O" for line in sentence.splitlines() if line.split()]
            for sentence in text.split("\n\n")
            if sentence.strip()
        ]
        items = [json.loads(s) for s in (tmp_path / "out" / record["per_example"]["path"]).read_text().splitlines()]
        assert len(items) == 40
        expected = f1_score([gold[int(i["id"])] for i in items], [i["prediction"] for i in items], zero_division=0)
        assert record["metrics"]["f1"]["value"] == pytest.approx(float(expected), abs=1e-12)
    assert json.loads(cli("plan", "--json", *chosen).stdout)["cells"] == {"total": 12, "missing": 0}


#: Task → languages whose files lie beside the checkout, with what else it takes to read them.
BENCHMARKS: dict[str, list[str]] = {
    "xnli": ["--language", "ara,eng,hin,swa,tha,urd,zho"],
    "panx": ["--language", "swa,yor", "--split", "dev"],
    "paws-x": ["--language", "deu,kor", "--source", "paws-x=english-pairs"],
    "xcopa": [],
    "ud-pos": ["--language", "afr,bam,eus,kpv,mar,mlt,tel,wol"],
    "ud-parsing": ["--language", "afr,bam,eus,kpv,mar,mlt,tel,wol", "--set", "eval.decode=greedy"],
    "xquad": ["--language", "ara,eng,hin,tha,zho"],
}


#: All with one tokenizer; with the other what its kind could break: pairs, words, offsets.
RUNS = [("bert", task) for task in BENCHMARKS] + [("xlm-roberta", task) for task in ("xcopa", "ud-parsing", "xquad")]


@pytest.mark.parametrize(("backbone", "task"), RUNS, indirect=["backbone"])
def test_every_benchmark_runs_in_all_its_languages(
    task: str, cli: Cli, backbone: Path, realdata: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "english-pairs"  # PAWS is not beside the checkout, its translations are: read as a user's own
    pairs.mkdir()
    for split in ("train", "dev"):
        (pairs / f"{split}.tsv").write_bytes((realdata / "pawsx" / "raw_de" / "dev.tsv").read_bytes())
    more = [text.replace("english-pairs", str(pairs)) for text in BENCHMARKS[task]]
    chosen = options(realdata, backbone, tmp_path)
    chosen[chosen.index("--limit") + 1] = "200"
    chosen[chosen.index("--seeds") + 1] = "1"
    cli("run", "--task", task, "--strategy", "la-none-tr", *chosen, *more)
    cells = list(Results(tmp_path / "out").cells().values())
    asked = more[1].split(",") if more[:1] == ["--language"] else []
    assert len(cells) == len(asked) or len(cells) == 11  # XCOPA has eleven
    assert all(record["status"] == "ok" and record["n_examples"] <= 200 for record in cells)
    assert {record["dataset"] for record in cells} == {task}


def test_answers_withheld_stop_a_run_before_it_trains(cli: Cli, backbone: Path, realdata: Path, tmp_path: Path) -> None:
    asked = ["--task", "tydiqa-goldp", "--language", "swa", "--strategy", "la-none-tr"]
    done = cli("run", *asked, *options(realdata, backbone, tmp_path), code=2)
    assert "tydiqa.goldp.sw.dev.json" in done.stderr
    assert "XTREME takes the answers out" in done.stderr
    assert not (tmp_path / "out" / "records.jsonl").exists()


def test_americasnli_from_mnli(cli: Cli, backbone: Path, realdata: Path, tmp_path: Path) -> None:
    asked = ["--task", "americasnli", "--language", "cni,nah", *SHARED]
    cli("run", *asked, *options(realdata, backbone, tmp_path))
    cells = list(Results(tmp_path / "out").cells().values())
    assert len(cells) == 3 * 2 * 2
    assert {record["n_examples"] for record in cells} == {40}
    for record in cells:
        assert record["counts"]["total"] == 40
        assert record["metrics"]["accuracy"]["value"] == record["counts"]["correct"] / 40
