"""What a plan makes of source data in a chain, of treebanks by name, of another split, of decisions at evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xleval.errors import UserError
from xleval.experiment import make_experiment
from xleval.host import Host
from xleval.jobs import PredictionJob, TaskAdapterJob
from xleval.plan import Plan, plan
from xleval.run import missing_work
from xleval.tasks.located import DataWarning
from xleval.tasks.sources import DataOptions, locate


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def graph(host: Host, tmp_path: Path, **options: Any) -> Plan:
    places = {"store": tmp_path / "store", "out": tmp_path / "out", "backbone": "demo", "seeds": [1]}
    return plan(make_experiment({**places, "strategies": ["la-none-tr"], **options}), host)


def adapters(found: Plan) -> list[TaskAdapterJob]:
    return [job for job in found.of_kind("task_adapter") if isinstance(job, TaskAdapterJob)]


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """Files of Social IQa, COPA and XCOPA in their upstream layouts, two rows each."""
    data = tmp_path / "choices"
    social = {"context": "c", "question": "q?", "answerA": "a", "answerB": "b", "answerC": "c"}
    copa = {"premise": "p", "choice1": "x", "choice2": "y", "question": "cause", "label": 0, "idx": 0}
    files = {
        "siqa/train.jsonl": social,
        "siqa/dev.jsonl": social,
        "copa/train-en.jsonl": copa,
        "copa/val-en.jsonl": copa,
    }
    files |= {"copa/test-en.jsonl": copa, "xcopa/data/th/test.th.jsonl": {**copa, "question": "effect"}}
    files |= {"xcopa/data/et/test.et.jsonl": copa}
    for name, row in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("".join(json.dumps({**row, "idx": i} if "idx" in row else row) + "\n" for i in (0, 1)))
    for split in ("train", "dev"):
        (data / "siqa" / f"{split}-labels.lst").write_text("1\n3\n")
    return data


def test_a_chain_is_one_task_adapter_on_another(host: Host, tmp_path: Path, choices: Path) -> None:
    found = graph(host, tmp_path, tasks=["xcopa"], languages=["tha", "est"], data_dir=choices)
    first, second = adapters(found)
    assert (first.train.dataset, second.train.dataset) == ("siqa", "copa")
    assert first.start is None
    assert second.start == first
    assert second.stages == (first, second)
    assert {cell.prediction.task_adapter.fingerprint for cell in found.cells} == {second.fingerprint}
    assert "from copa" in second.label
    work = missing_work(found, found.cells, lambda event: None)
    assert [job.fingerprint for cohort in work.cohorts for job in cohort] == [first.fingerprint, second.fingerprint]
    assert first.fingerprint not in work.predictions


def test_parts_of_a_chain_are_shared_and_its_start_matters(host: Host, tmp_path: Path, choices: Path) -> None:
    chain = adapters(graph(host, tmp_path, tasks=["xcopa"], languages=["tha"], data_dir=choices))
    (alone,) = adapters(
        graph(host, tmp_path, tasks=["xcopa"], languages=["tha"], data_dir=choices, sources={"xcopa": "copa"})
    )
    (intermediate,) = adapters(
        graph(host, tmp_path, tasks=["xcopa"], languages=["tha"], data_dir=choices, sources={"xcopa": "siqa"})
    )
    assert intermediate.fingerprint == chain[0].fingerprint
    assert alone.fingerprint != chain[1].fingerprint
    with pytest.raises(UserError, match="unknown source data set 'siqqa'; did you mean 'siqa'"):
        graph(host, tmp_path, tasks=["xcopa"], sources={"xcopa": "siqqa+copa"})
    with pytest.raises(UserError, match="mnli is for sequence-classification, xcopa is multiple-choice"):
        graph(host, tmp_path, tasks=["xcopa"], sources={"xcopa": "mnli+copa"})


@pytest.mark.filterwarnings("ignore:.*expected 500 rows")
def test_questions_of_xcopa_come_from_english_copa(host: Host, tmp_path: Path, choices: Path) -> None:
    found = graph(host, tmp_path, tasks=["xcopa"], languages=["tha"], data_dir=choices)
    data = found.cells[0].prediction.data
    assert data.questions is not None
    assert (data.questions.dataset, data.questions.language, data.questions.split) == ("copa", "eng", "test")
    with pytest.warns(
        DataWarning, match="`question` is wrong in 2 of 2 rows of .*test.th.jsonl; taken from copa by row"
    ):
        assert [row.question for row in data.stream((), {})] == ["cause", "cause"]
    with (choices / "xcopa/data/th/test.th.jsonl").open("a") as stream:
        stream.write('{"premise": "p", "choice1": "x", "choice2": "y", "question": "cause", "label": 0, "idx": 2}\n')
    with pytest.raises(UserError, match="more rows than the 2 of"):
        list(data.stream((), {}))


def test_how_heads_are_decided_changes_predictions_alone(host: Host, tmp_path: Path) -> None:
    def fingerprints(kind: str, **change: Any) -> set[str]:
        return {job.fingerprint for job in graph(host, tmp_path, tasks=["ud-parsing"], set=change).of_kind(kind)}

    for kind, changes in (("task_adapter", False), ("prediction", True)):
        before = fingerprints(kind)
        assert (before != fingerprints(kind, **{"eval.decode": "greedy"})) == changes
        assert before == fingerprints(kind, **{"eval.answer_length": 5})  # means nothing for parsing
        assert before == fingerprints(kind, **{"train.stride": 5})
    assert fingerprints("task_adapter") != fingerprints("task_adapter", **{"train.root": "legacy-exclude"})


def test_options_reach_the_jobs_of_their_family(host: Host, tmp_path: Path) -> None:
    asked = {"eval.decode": "greedy", "eval.answer_length": 7}
    found = graph(host, tmp_path, tasks=["ud-parsing", "xquad", "ud-pos"], languages=["wol", "eng"], set=asked)
    options = {job.task.name: job.options for job in found.of_kind("prediction") if isinstance(job, PredictionJob)}
    assert options == {"ud-parsing": {"decode": "greedy"}, "xquad": {"answer_length": 7}, "ud-pos": {}}
    hyper = {job.task.name: set(job.hyper) for job in adapters(found)}
    assert "stride" in hyper["xquad"] and "root" not in hyper["xquad"]
    assert "root" in hyper["ud-parsing"] and "head" not in hyper["ud-parsing"]


def test_another_split(host: Host, tmp_path: Path) -> None:
    test = graph(host, tmp_path, tasks=["ud-pos"], languages=["afr"])
    dev = graph(host, tmp_path, tasks=["ud-pos"], languages=["afr"], split="dev")
    assert [p.cells[0].prediction.data.split for p in (test, dev)] == ["test", "dev"]
    assert adapters(test) == adapters(dev)


# Treebanks by name


WORDS = "1\ta\t_\tNOUN\t_\t_\t0\troot\t_\t_\n"


def treebank(home: Path, folder: str, prefix: str) -> None:
    (home / folder).mkdir(parents=True)
    for split in ("dev", "test"):
        (home / folder / f"{prefix}-ud-{split}.conllu").write_text(WORDS + "\n")


def test_a_treebank_replaces_its_languages_own_or_stands_beside(host: Host, tmp_path: Path) -> None:
    treebank(tmp_path / "data", "UD_Komi_Zyrian-IKDP", "kpv_ikdp")
    treebank(tmp_path / "data" / "ud", "UD_German-GSD", "de_gsd")
    asked = ["UD_Komi_Zyrian-IKDP", "UD_German-GSD"]
    found = graph(
        host, tmp_path, tasks=["ud-pos"], data_dir=tmp_path / "data", treebanks=asked, languages=["kpv", "deu"]
    )
    data = {cell.language.code: cell.prediction.data for cell in found.cells}
    assert {code: d.dataset for code, d in data.items()} == {"kpv": "UD_Komi_Zyrian-IKDP", "deu": "UD_German-GSD"}
    assert data["deu"].expected is None
    (row,) = data["deu"].rows(found.cells[0].task.labels, {})
    assert row.tokens == ("a",)
    everything = graph(host, tmp_path, tasks=["ud-pos"], data_dir=tmp_path / "data", treebanks=asked)
    assert "deu" in {cell.language.code for cell in everything.cells}
    assert len(everything.cells) == 11
    assert {cell.language.code: cell.prediction.data.dataset for cell in everything.cells}["wol"] == "ud-pos"


def test_the_language_of_a_treebank_may_be_told_by_its_files(host: Host, tmp_path: Path) -> None:
    treebank(tmp_path / "data", "UD_Some_Dialect-XYZ", "sw_xyz")
    found = graph(
        host, tmp_path, tasks=["ud-pos"], data_dir=tmp_path / "data", treebanks=["UD_Some_Dialect-XYZ"],
        languages=["swa"],
    )  # fmt: skip
    assert found.cells[0].prediction.data.dataset == "UD_Some_Dialect-XYZ"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Komi"], "write a folder's name, such as UD_Komi_Zyrian-IKDP"),
        (["UD_Elvish-X"], "'Elvish' is no language that xleval knows"),
        (["UD_Komi_Zyrian-IKDP", "UD_Komi_Zyrian-Lattice"], "UD_Komi_Zyrian-IKDP is of Komi-Zyrian"),
        (["UD_Komi_Zyrian-Lattice"], "no test data of 'kpv' under --data-dir"),
        (["UD_../secret-X"], "write a folder's name"),
    ],
)
def test_treebanks_that_cannot_be(host: Host, tmp_path: Path, names: list[str], said: str) -> None:
    treebank(tmp_path / "data", "UD_Komi_Zyrian-IKDP", "kpv_ikdp")
    with pytest.raises(UserError) as caught:
        graph(host, tmp_path, tasks=["ud-pos"], data_dir=tmp_path / "data", treebanks=names, languages=["kpv"])
    assert said in str(caught.value)


def test_a_treebank_needs_a_folder(host: Host, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --data-dir"):
        graph(host, tmp_path, tasks=["ud-pos"], treebanks=["UD_German-GSD"])


def test_a_split_that_a_language_does_not_have(host: Host, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dev data of 'bam': the data set has only test for it"):
        graph(host, tmp_path, tasks=["ud-pos"], languages=["bam"], split="dev")


def test_a_source_is_learned_from_in_several_splits(host: Host, tmp_path: Path) -> None:
    (job,) = adapters(graph(host, tmp_path, tasks=["demo-nli"], sources={"demo-nli": "demo-nli[train,dev]"}))
    task = host.tasks.get("demo-nli")
    rows, dev = (data.rows(task.labels, task.label_map) for data in (job.train, job.dev))
    assert len({row.id for row in rows}) == len(rows) == 2400 + len(dev)
    assert job.train.split == "train+dev"
    for wrong in ("demo-nli[train", "demo-nli[test,tset]"):
        with pytest.raises(UserError, match=r"write NAME\[train,dev\]|no split 'tset'"):
            graph(host, tmp_path, tasks=["demo-nli"], sources={"demo-nli": wrong})


@pytest.mark.filterwarnings("ignore::xleval.tasks.sources.DataWarning")
def test_translated_training_data_of_xnli_and_paws_x(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "XNLI-MT-1.0" / "multinli"
    folder.mkdir(parents=True)
    (folder / "multinli.train.ar.tsv").write_text("premise\thypo\tlabel\na\tb\tcontradictory\nc\td\tneutral\n")
    for name in ("translated_train.tsv", "dev_2k.tsv", "test_2k.tsv"):
        (tmp_path / "x-final" / "de").mkdir(parents=True, exist_ok=True)
        (tmp_path / "x-final" / "de" / name).write_text("id\tsentence1\tsentence2\tlabel\n1\ta\tb\t1\n")
    for task, code, labels in (("xnli", "ara", [2, 1]), ("paws-x", "deu", [1])):
        spec = host.tasks.get(task)
        located = locate(spec, code, "train", DataOptions(tmp_path), {})
        assert [row.label for row in located.rows(spec.labels, spec.label_map)] == labels
