"""Every YAML that ships, and every fault that a YAML can have, in the words its author reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from xleval.errors import UserError
from xleval.hyperparameters import merged
from xleval.languages import builtin
from xleval.resources import resource
from xleval.tasks.layout import Form, HubFiles, LocalFiles, RawFiles, fill, form_of
from xleval.tasks.spec import SourceSpec, TaskSpec, load_spec

if TYPE_CHECKING:
    from pathlib import Path

TASKS = sorted(resource("task_specs").glob("*.yaml"))
SOURCES = sorted(resource("task_specs").glob("sources/*.yaml"))
HEAVY = {"torch", "transformers", "datasets", "adapters", "numpy", "requests", "huggingface_hub", "pyarrow"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

MINIMAL: dict[str, Any] = {
    "kind": "task",
    "name": "toy",
    "version": "1",
    "family": "sequence-classification",
    "summary": "A toy.",
    "licence": "CC0",
    "citation": "@misc{toy}",
    "homepage": "https://example.org",
    "languages": ["swa"],
    "labels": ["yes", "no"],
    "source": "toy-en",
    "metric": "accuracy",
    "data": {
        "upstream": [
            {
                "name": "toy",
                "files": {"test": "{lang}.tsv"},
                "format": "tsv",
                "columns": {"text_a": "text", "label": "label"},
            }
        ]
    },
}


def written(folder: Path, changes: dict[str, Any] | None = None, drop: str = "") -> Path:
    spec = {**MINIMAL, **(changes or {})}
    spec.pop(drop, None)
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def fault(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_spec(path)
    return str(caught.value)


# What ships


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_task_ships_whole(path: Path) -> None:
    task = load_spec(path)
    assert isinstance(task, TaskSpec)
    assert task.name == path.stem
    known = {s.name for s in map(load_spec, SOURCES) if s.family == task.family}
    assert known >= {*task.source.split("+"), task.question_from} - {""}
    assert task.citation.startswith("@")
    merged(task.hyperparameters)
    assert task.hyperparameters_source or not task.hyperparameters


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_source_ships_whole(path: Path) -> None:
    source = load_spec(path)
    assert isinstance(source, SourceSpec)
    assert source.name == path.stem
    assert source.data.generated or source.data.rows.keys() >= {"train", "dev"}


@pytest.mark.parametrize("path", TASKS + SOURCES, ids=lambda path: path.stem)
def test_languages_are_the_registrys(path: Path) -> None:
    spec = load_spec(path)
    codes = list(spec.languages) if isinstance(spec, TaskSpec) else [spec.language]
    if spec.data.generated:
        assert all("qaa" <= code <= "qtz" for code in codes)
        return
    assert [builtin().get(code).code for code in codes] == codes
    assert set(spec.data.codes) <= set(codes)
    for split, rows in spec.data.rows.items():
        # Train and dev sets are not there for every language; what is evaluated is.
        whole = isinstance(spec, SourceSpec) or split == spec.split
        assert isinstance(rows, int) or set(rows) == set(codes) or (not whole and set(rows) < set(codes))
    # A data set's own code means the same language to the registry.
    assert all(builtin().get(own.rpartition("/")[2]).code == code for code, own in spec.data.codes.items())


def test_every_raw_test_file_has_a_digest() -> None:
    for spec in map(load_spec, TASKS):
        if spec.data.raw and "test" in spec.data.raw.files:
            names = {fill(spec.data.raw.files["test"], spec.data.code(code)) for code in spec.languages}
            assert names <= set(spec.data.raw.sha256)


def test_published_facts() -> None:
    tasks = {task.name: task for task in map(load_spec, TASKS)}
    masakhaner, nli, xnli = tasks["masakhaner"], tasks["americasnli"], tasks["xnli"]
    assert isinstance(masakhaner, TaskSpec)
    assert isinstance(nli, TaskSpec)
    assert isinstance(xnli, TaskSpec)
    assert masakhaner.labels == ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
    assert {nli.data.expected_rows("test", code) for code in nli.languages} == {750, 738, 748}
    assert xnli.data.expected_rows("test", "swa") == 5010
    assert xnli.is_parallel("swa") and nli.is_parallel("aym") and not nli.is_parallel("nah")
    assert not masakhaner.is_parallel("hau")
    assert masakhaner.hyperparameters["train.lr"] == 5e-5


def test_loading_is_light_and_quick() -> None:
    code = (
        "import sys, time; from pathlib import Path; from xleval.tasks.spec import load_spec;"
        "import xleval.tasks.sources;"
        f"files = {[str(path) for path in TASKS + SOURCES]!r};"
        "start = time.process_time(); [load_spec(Path(f)) for f in files];"
        "print(time.process_time() - start);"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    seconds, heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split("\n")[:2]
    assert heavy == "[]"
    assert float(seconds) < 0.1


# Faults


def test_minimal_spec_loads(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path))
    assert isinstance(spec, TaskSpec)
    assert spec.split == "test"
    assert spec.source_language == "eng"


def test_unknown_key_names_line_and_nearest(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + "langauges: [swa]\n")
    message = fault(path)
    line = path.read_text().count("\n")
    assert message.startswith(f"{path}:{line}: unknown key 'langauges'")
    assert "'languages'" in message


def test_unknown_nested_key(tmp_path: Path) -> None:
    data = {"upstream": [{**MINIMAL["data"]["upstream"][0], "quotting": "none"}]}
    message = fault(written(tmp_path, {"data": data}))
    assert "unknown key 'data.upstream.0.quotting'; did you mean 'quoting'?" in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 1}, "version: must be text; put it in quotes (found 1)"),
        ({"languages": "swa"}, "languages: must be a list (found 'swa')"),
        ({"languages": ["swa", "swa"]}, "languages: 'swa' stands there twice"),
        ({"labels": []}, "labels: name at least one"),
        ({"family": "regression"}, "family: Input should be 'sequence-classification', "),
        ({"family": "token-classification"}, "data.upstream.0.columns: token-classification needs tokens"),
        ({"label_map": {"maybe": "perhaps"}}, "label_map: maybe → 'perhaps' is none of the labels (yes, no)"),
        ({"parallel": "perhaps"}, "parallel:"),
        ({"parallel_except": ["nah"]}, "parallel_except: nah not among the languages"),
        ({"summary": "two\nlines"}, "summary: write one line"),
        ({"homepage": ""}, "homepage: missing"),
        ({"data": {}}, "names no place: give one of upstream, hub, raw, generated"),
        ({"hyperparameters": {"train.epoch": 3}}, "'train.epoch'; did you mean 'train.epochs'"),
        ({"hyperparameters": {"train.epochs": 0}}, "train.epochs=0: needs a whole number of at least 1"),
        ({"hyperparameters": {"la.steps": 3}}, "'la.steps' is not of the group `train.`"),
        ({"kind": "tusk"}, "kind is 'tusk'; write `kind: task` or `kind: source`"),
        ({"kind": ["task"]}, "kind is ['task']"),
    ],
)  # fmt: skip
def test_wrong_value(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    message = fault(written(tmp_path, changes))
    assert said in message
    key = next(iter(changes))
    lines = (tmp_path / "toy.yaml").read_text().splitlines()
    if not said.startswith("data.upstream"):
        # The place is the line of the key, or of the part of it that is at fault.
        number = int(message.split(":")[1])
        assert number >= 1 + next(i for i, line in enumerate(lines) if line.startswith(key)) or "names no" in said


def test_missing_key(tmp_path: Path) -> None:
    assert "toy.yaml:1: licence: missing; add it" in fault(written(tmp_path, drop="licence"))


def test_every_fault_is_listed(tmp_path: Path) -> None:
    message = fault(written(tmp_path, {"version": 1, "parallel": "perhaps", "speed": 3}))
    assert len(message.splitlines()) == 3


@pytest.mark.parametrize("revision", ["main", "refs/convert/parquet", COMMIT[:12], COMMIT.upper()])
def test_revision_must_be_a_commit(tmp_path: Path, revision: str) -> None:
    hub = {
        "repo": "org/data",
        "revision": revision,
        "files": {"test": "test.parquet"},
        "format": "parquet",
        "columns": {"text_a": "text", "label": "label"},
    }
    message = fault(written(tmp_path, {"data": {"hub": hub}}))
    assert f"data.hub.revision: {revision!r} is no commit; write its 40 hexadecimal digits" in message
    line = next(i for i, text in enumerate((tmp_path / "toy.yaml").read_text().splitlines(), 1) if "revision" in text)
    assert message.startswith(f"{tmp_path / 'toy.yaml'}:{line}:")


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"header": False}, "columns: text_a: 'text'; a column of this tsv is given by its position, from 0"),
        (
            {"columns": {"text_a": 0, "label": 1}},
            "columns: text_a: 0; a column of this tsv is given by its name",
        ),
        ({"columns": {"label": "label"}}, "sequence-classification needs text_a (write `text_a: COLUMN`)"),
        ({"format": "conll", "columns": {}}, "conll is for token-classification"),
        (
            {"header": False, "columns": {"text_a": 0, "label": 1}, "where": {"language": "sw"}},
            "where: needs names of columns, and this tsv has none",
        ),
    ],
)
def test_layouts_must_fit_their_format(tmp_path: Path, layout: dict[str, Any], said: str) -> None:
    data = {"upstream": [{**MINIMAL["data"]["upstream"][0], **layout}]}
    assert said in fault(written(tmp_path, {"data": data}))


def test_folder_names_a_layout(tmp_path: Path) -> None:
    data = {**MINIMAL["data"], "folder": "tay"}
    assert "folder: 'tay' is no upstream layout (toy)" in fault(written(tmp_path, {"data": data}))


def test_sources_need_train_and_dev(tmp_path: Path) -> None:
    spec = {key: value for key, value in MINIMAL.items() if key not in ("languages", "labels", "source", "metric")}
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump({**spec, "kind": "source", "language": "eng"}))
    assert "a source needs train and dev, a place lacks files for train and dev" in fault(path)


def test_tags_need_outside(tmp_path: Path) -> None:
    data = {"upstream": [{"name": "toy", "files": {"test": "t"}, "format": "conll"}]}
    message = fault(written(tmp_path, {"family": "token-classification", "metric": "f1", "data": data}))
    assert "labels: tags need 'O'" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [task\n", ":2: not YAML"),
        ("", "empty or no mapping"),
        ("- task\n", "empty or no mapping"),
        ("kind: task\nname: a\nname: b\n", ":3: key 'name' stands there twice"),
        ("kind: !!python/object:os.system {}\n", ":1: not YAML"),
        ("kind: task\n---\nkind: task\n", "not YAML"),
        ("kind: task\nname: no\n", "name: must be text; put it in quotes (found False)"),
    ],
)
def test_yaml_faults(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    assert said in fault(path)


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_bytes(b"kind: task\nname: \xff\xfe\n")
    assert str(path) in fault(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.yaml"):
        load_spec(tmp_path / "nowhere.yaml")


# Parts


def test_specs_are_frozen() -> None:
    spec = load_spec(TASKS[0])
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_form_leaves_out_places() -> None:
    common = {"format": "jsonl", "columns": {"text_a": "a", "label": "l"}}
    local = LocalFiles.model_validate({**common, "name": "x", "folders": ["y"], "files": {"test": "z"}})
    assert form_of(local) == form_of(Form.model_validate({**common, "unlabelled": "Ask."}))
    hub = {**common, "repo": "a/b", "revision": COMMIT, "files": {}}
    assert form_of(HubFiles.model_validate(hub)) == form_of(RawFiles.model_validate(hub)) == form_of(local)


def test_places_in_order() -> None:
    xnli = load_spec(resource("task_specs") / "xnli.yaml")
    assert [place for place, _ in xnli.data.forms()] == ["upstream.0", "upstream.1", "upstream.2", "upstream.3", "hub"]
    assert xnli.data.folder_layouts()[0].name == "XTREME"
    assert len(xnli.data.folder_layouts()) == 4
    demo = load_spec(resource("task_specs") / "demo-nli.yaml")
    assert demo.data.folder_layouts() == []


# Families beyond sentences and tags


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": "multiple-choice", "data": {"generated": {"provider": "demo"}}},
         "labels: leave them out (multiple-choice)"),
        ({"family": "question-answering", "metric": "f1"}, "data.upstream.0.columns: question-answering needs context"),
        ({"metric": "las"}, "metric: 'las' is not for sequence-classification; write accuracy"),
        ({"question_from": "copa"}, "question_from: only multiple-choice tasks have questions to replace"),
        ({"data": {"upstream": [{"name": "x", "files": {"test": "t"}, "format": "conllu"}]}},
         "conllu is for token-classification and dependency-parsing"),
        ({"data": {"upstream": [{"name": "x", "files": {"test": "t"}, "format": "squad", "columns": {"label": "l"}}]}},
         "a squad file says itself where its parts stand"),
        ({"data": {"upstream": [{"name": "x", "files": {}, "format": "jsonl", "columns": {"choices": "c"}}]}},
         "`choices` is a list of columns"),
        ({"data": {"raw": {"repo": "a/b", "revision": {"swa": "main"}, "files": {"test": "t"}, "format": "conll"}}},
         "'main' is no commit"),
    ],
)  # fmt: skip
def test_faults_of_the_other_families(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in fault(written(tmp_path, changes))


def test_codes_of_two_parts_and_revisions_by_language() -> None:
    parsing = load_spec(resource("task_specs") / "ud-parsing.yaml")
    assert parsing.data.raw is not None
    code = parsing.data.code("wol")
    assert fill("{folder}|{name}|{lang}", code) == "UD_Wolof-WTB|wo_wtb|UD_Wolof-WTB/wo_wtb"
    wolof = parsing.data.raw.at("wol", code)
    assert (wolof.repo, len(wolof.commit)) == ("UniversalDependencies/UD_Wolof-WTB", 40)
    assert wolof.commit != parsing.data.raw.at("afr", parsing.data.code("afr")).commit
    assert not parsing.data.raw.at("deu", "deu")
