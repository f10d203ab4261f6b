"""Bad input through the command line: one clear message, a non-zero exit, no traceback, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Cli

NER = ["--backbone", "demo", "--strategy", "la-none-tr", "--seeds", "1", "--set", "train.steps=2"]


def message(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]


def conll(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A MasakhaNER checkout of one language, and a source folder, both tiny."""
    good = "Musa B-PER\nya O\n\nKano B-LOC\n"
    for split in ("train", "dev", "test"):
        conll(tmp_path / "data" / "masakhaner" / "data" / "hau" / f"{split}.txt", good)
    for split in ("train", "dev"):
        conll(tmp_path / "source" / f"{split}.txt", good)
    return tmp_path


def run(cli: Cli, data: Path, *more: str, code: int = 2) -> subprocess.CompletedProcess[str]:
    return cli(
        "run", "--task", "masakhaner", "--language", "hau", "--source", f"masakhaner={data / 'source'}",
        "--data-dir", data / "data", *NER, *more, code=code,
    )  # fmt: skip


def test_good_files_run(cli: Cli, data: Path) -> None:
    done = run(cli, data, code=0)
    assert "masakhaner (version" in done.stdout


def test_ragged_line_names_file_and_line(cli: Cli, data: Path) -> None:
    conll(data / "data" / "masakhaner" / "data" / "hau" / "test.txt", "Musa B-PER\nya\n")
    assert "hau/test.txt:2: " in message(run(cli, data))


def test_unknown_label_names_line_and_known_labels(cli: Cli, data: Path) -> None:
    conll(data / "source" / "train.txt", "Musa B-PER\nya B-DOG\n")
    text = message(run(cli, data))
    assert "train.txt:2: unknown label 'B-DOG'" in text
    assert "B-PER" in text


def test_missing_file_lists_where_it_was_looked_for(cli: Cli, data: Path) -> None:
    (data / "source" / "dev.txt").unlink()
    assert "dev" in message(run(cli, data))


def test_empty_split(cli: Cli, data: Path) -> None:
    conll(data / "source" / "train.txt", "")
    message(run(cli, data))


def test_split_without_gold_labels_is_refused_with_the_reason(cli: Cli, tmp_path: Path) -> None:
    conll(tmp_path / "xnli" / "test-swa.tsv", "")
    (tmp_path / "xnli" / "test-sw.tsv").write_text("Yeye ni mzuri.\tYeye si mzuri.\n", encoding="utf-8")
    (tmp_path / "source").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "source" / f"{split}.tsv").write_text("a\tb\tneutral\n")
    text = message(
        cli("run", "--task", "xnli", "--language", "swa", "--data-dir", tmp_path,
            "--source", f"xnli={tmp_path / 'source'}", *NER, code=2)
    )  # fmt: skip
    assert "test-sw.tsv" in text
    assert "label" in text


def test_no_adapter_and_no_text_names_both_remedies(cli: Cli, data: Path) -> None:
    text = message(run(cli, data, "--strategy", "madx"))
    assert "--text-dir" in text
    assert "xleval fetch" in text and "Wikipedia" in text  # of which the cache has none


@pytest.mark.parametrize(("place", "option"), [("out", "--out"), ("store", "--store")])
def test_a_folder_that_cannot_be_written(place: str, option: str, cli: Cli, data: Path) -> None:
    file = data / "file"
    file.write_text("in the way")
    text = message(run(cli, data, option, str(file / "below")))
    assert str(file) in text
    assert option in text


def test_backbone_folder_without_weights(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")
    text = message(cli("run", "--task", "demo-ner", "--backbone", tmp_path / "encoder", code=2))
    assert "no model.safetensors" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("metric:", "metrik:"), "metrik"),
        (("labels:", "label_list:"), "label_list"),
        (("version: ", "version: [1] # "), "version"),
    ],
)
def test_validate_names_the_fault_of_a_task_file(
    change: tuple[str, str], expected: str, cli: Cli, tmp_path: Path
) -> None:
    text = (ROOT / "task_specs" / "masakhaner.yaml").read_text()
    assert change[0] in text
    file = tmp_path / "broken.yaml"
    file.write_text(text.replace(*change, 1))
    done = cli("validate", file, code=1)
    assert f"{file}:" in done.stderr
    assert expected in done.stderr


def test_validate_passes_what_ships(cli: Cli) -> None:
    assert "0 faults" in cli("validate", code=0).stdout


def test_experiment_file_with_an_unknown_key(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("strategys: [madx]\n")
    text = message(cli("run", "-c", file, code=2))
    assert str(file) in text
    assert "did you mean 'strategies'" in text


def test_module_runs_as_python_m(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "xleval", "--version"], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("xleval, version")
