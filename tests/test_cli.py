"""The command line as a user meets it: help, listings, mistakes, exit codes, cost of starting."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import Cli

from xleval.cli import COMMANDS
from xleval.experiment import Experiment

KINDS = ("tasks", "strategies", "backbones", "languages", "datasets", "suites", "metrics")
HEAVY = {"torch", "transformers", "datasets", "adapters", "numpy", "requests", "scipy", "pandas", "pyarrow"}
LEAVES = [
    *((name,) for name in COMMANDS if name not in ("results", "leaderboard", "store", "backbone", "plugins")),
    ("results", "show"), ("results", "export"), ("store", "ls"), ("store", "verify"), ("store", "gc"),
    ("store", "path"), ("backbone", "make"), ("plugins", "ls"),
    ("leaderboard", "add"), ("leaderboard", "validate"),
]  # fmt: skip


# Help


@pytest.mark.parametrize(
    "command",
    [(), *((name,) for name in ("results", "leaderboard", "store", "backbone", "plugins")), *LEAVES],
    ids=" ".join,
)
def test_help_teaches_and_exits_0(cli: Cli, command: tuple[str, ...]) -> None:
    text = cli(*command, "--help").stdout
    assert text.startswith("Usage: ")
    explained = [line for line in text.splitlines()[1:] if line.strip() and "--help" not in line]
    assert len(" ".join(explained).split()) >= 10
    # Every option and every sub-command has a line that says what it does.
    listed = text.partition("Options:")[2].splitlines()
    for number, line in enumerate(listed):
        if line.startswith("  ") and line.strip() and not line.startswith("   "):
            below = listed[number + 1] if number + 1 < len(listed) else ""
            assert "  " in line.strip() or below.startswith("      "), line


def test_the_first_help_lists_every_command_with_one_line(cli: Cli) -> None:
    text = cli("--help").stdout
    for name, (_, line) in COMMANDS.items():
        assert any(row.split()[:1] == [name] and line.split()[0] in row for row in text.splitlines())
        assert len(line) < 90


def test_every_option_of_run_states_its_default_or_needs_none(cli: Cli) -> None:
    text = " ".join(cli("run", "--help").stdout.split())
    for default in (
        "the suite's, or tlr-all-multi",
        "demo",
        "the task's",
        "the suite's",
        "3",
        "auto",
        "local",
        "xleval-results",
    ):
        assert f"[default: {default}" in text
    assert len(cli("run", "-h").stdout.splitlines()) < 75


def test_version(cli: Cli) -> None:
    from xleval import __version__

    assert cli("--version").stdout.strip().endswith(__version__)


# Listings


@pytest.mark.parametrize("kind", KINDS)
def test_ls_as_table_and_as_json_agree(cli: Cli, kind: str) -> None:
    rows = json.loads(cli("ls", kind, "--json").stdout)
    table = cli("ls", kind).stdout
    assert len(rows) >= (1 if kind == "suites" else 2)
    name = "code" if kind == "languages" else "name"
    assert len({row[name] for row in rows}) == len(rows)
    for row in rows:
        assert row[name] in table
        assert row.get("status") is None, row


def test_ls_of_an_unknown_kind_names_the_kinds(cli: Cli) -> None:
    assert "languages" in cli("ls", "langages", code=2).stderr


@pytest.mark.parametrize(
    ("kind", "name", "holds"),
    [
        ("task", "masakhaner", ["licence", "citation", "languages", "conll2003"]),
        ("dataset", "mnli", ["licence", "language: eng"]),
        ("suite", "demo", ["hyperparameters", "demo-nli"]),
        ("strategy", "tlr-all-multi", ["Parović", "plugin: xleval"]),
        ("backbone", "mbert", ["3f076fdb1ab68d5b2880cb87a0886f315b8146f8", "Ethi"]),
        ("language", "sw", ["code: swa", "Swahili"]),
    ],
)
def test_show_is_whole_and_its_json_agrees(cli: Cli, kind: str, name: str, holds: list[str]) -> None:
    text = cli("show", kind, name).stdout
    assert all(part in text for part in holds)
    assert set(json.loads(cli("show", kind, name, "--json").stdout)) == set(yaml.safe_load(text))


def test_show_hyperparameters_has_every_one(cli: Cli) -> None:
    from xleval.hyperparameters import KNOWN

    text = cli("show", "hyperparameters").stdout
    assert [line.split()[0] for line in text.splitlines()] == list(KNOWN)
    assert set(json.loads(cli("show", "hyperparameters", "--json").stdout)) == set(KNOWN)


def test_show_without_a_name_says_what_is_missing(cli: Cli) -> None:
    assert "xleval show task NAME" in cli("show", "task", code=2).stderr


# What it costs to start


def modules_after(cli: Cli, *arguments: str) -> set[str]:
    script = (
        "import sys\nfrom xleval.cli import main\nsys.argv = ['xleval', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=cli.environment, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",), ("run", "--help"), ("plan", "--help"), ("plugins", "ls"), ("validate",), ("show", "task", "xnli"),
        ("run", "--print-config"), ("store", "path"), *(("ls", kind) for kind in KINDS),
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported_to_look_around(cli: Cli, arguments: tuple[str, ...]) -> None:
    loaded = modules_after(cli, *arguments) & HEAVY
    # Metrics are functions over arrays of counts, so their module has numpy.
    assert loaded <= ({"numpy"} if arguments == ("ls", "metrics") else set())


def cpu_seconds(cli: Cli, *command: str) -> float:
    """Least of five: user and system time of a process and its children."""
    found = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], env=cli.environment, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(found)


@pytest.mark.parametrize(("arguments", "budget"), [(("--help",), 0.15), (("ls", "tasks"), 0.3)], ids=str)
def test_starting_is_cheap(cli: Cli, arguments: tuple[str, ...], budget: float) -> None:
    cost = cpu_seconds(cli, "-m", "xleval", *arguments) - cpu_seconds(cli, "-c", "pass")
    print(f"xleval {' '.join(arguments)}: {cost:.3f} s of CPU above python itself (budget {budget})")
    assert cost < 2 * budget  # twice, for machines slower than those the budget is meant for


# Mistakes: exit code 2, one message, the nearest name

WRONG = {
    ("rnu",): "no command 'rnu'; did you mean 'run'",
    ("run", "--stratgy", "madx"): "--strategy",
    ("run", "--strategy", "mad-x"): "unknown strategy 'mad-x'; did you mean 'madx'",
    ("run", "--strategy", "madx:layers=3"): "has no parameter 'layers' (it has adapter)",
    ("run", "--strategy", "madx:layers"): "'layers' is not key=value",
    ("run", "--task", "masakaner"): "unknown task 'masakaner'; did you mean 'masakhaner'",
    ("run", "--suite", "dmo"): "unknown suite 'dmo'; did you mean 'demo'",
    ("run", "--language", "swahli"): "did you mean Swahili (swa)",
    ("run", "--language", "swa"): "no task of this run has it",
    ("run", "--backbone", "mbret"): "unknown backbone 'mbret'; did you mean 'mbert'",
    ("run", "--backbone", "./nowhere"): "no such folder",
    ("run", "--set", "train.epoch=3"): "unknown hyperparameter 'train.epoch'; did you mean 'train.epochs'",
    ("run", "--set", "train.epochs=0.5"): "train.epochs=0.5: needs a whole number of at least 1",
    ("run", "--set", "train.epochs"): "--set train.epochs: write KEY=VALUE",
    ("run", "--seed", "1,x"): "--seed 1,x: write whole numbers",
    ("run", "--seed", "-1"): "seeds are not negative",
    ("run", "--seeds", "2", "--seed", "1"): "not both",
    ("run", "--seeds", "0"): "--seeds",
    ("run", "--limit", "0"): "--limit 0: write N or N:SEED",
    ("run", "--limit", "many"): "--limit many",
    ("run", "--source", "demo-nli"): "--source demo-nli: write TASK=",
    ("run", "--source", "xnli=mnli"): "'xnli' is not among the tasks of this run",
    ("run", "--la", "qab=/no/where"): "--la qab=/no/where: no such folder",
    ("run", "--executor", "slrm"): "unknown executor 'slrm'",
    ("run", "--precision", "fp8"): "fp8",
    ("run", "--device", "tpu"): "--device tpu",
    ("run", "--task", "xnli", "--language", "swa", "--text-dir", "/no/where", "--data-dir", "."): "",
    ("run", "-c", "nowhere.yaml"): "nowhere.yaml: No such file",
    ("plan", "--task", "xnil"): "did you mean 'xnli'",
    ("fetch", "--task", "xnil"): "did you mean 'xnli'",
    ("predict", "--task", "xnil"): "did you mean 'xnli'",
    ("score", "--task", "xnil"): "did you mean 'xnli'",
    ("show", "task", "xnil"): "did you mean 'xnli'",
    ("show", "language", "swahli"): "did you mean Swahili (swa)",
    ("--no-plugin", "dmeo", "ls", "tasks"): "did you mean 'demo'",
    ("results", "show"): "no records.jsonl in xleval-results",
    ("results", "show", "--out", "/no/where"): "no records.jsonl in /no/where",
    ("store", "path", "abc"): "0 artifacts start with 'abc'",
    ("store", "gc", "--unused-by", "nowhere"): "--unused-by nowhere",
    ("validate", "."): "no YAML files",
    ("backbone", "make", "nowhere", "out"): "nowhere",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_mistake_is_one_message_and_exit_code_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments, code=2)
    assert WRONG[arguments] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len([line for line in done.stderr.splitlines() if line.lower().startswith("error")]) == 1
    # Nothing is recorded of what never began.
    assert not (cli.folder / "xleval-results" / "records.jsonl").exists()


# Configuration

OPTIONS = (
    "--strategy", "madx", "--strategy", "la-none", "--suite", "demo", "--task", "demo-nli", "--language", "qab,qac",
    "--backbone", "demo", "--seed", "13,42", "--source", "demo-nli=demo-nli", "--la", "qab=some/folder",
    "--limit", "50:7", "--data-dir", "data", "--text-dir", "text", "--set", "train.epochs=3", "--set", "train.lr=1e-4",
    "--device", "cpu", "--precision", "fp32", "--executor", "local", "--jobs", "1", "--store", "kept", "--out", "made",
    "--offline", "--fresh", "--split", "dev", "--treebank", "UD_German-GSD",
)  # fmt: skip


def test_print_config_reads_back_through_c(cli: Cli) -> None:
    printed = cli("run", *OPTIONS, "--print-config").stdout
    (cli.folder / "experiment.yaml").write_text(printed, encoding="utf-8")
    assert cli("run", "-c", "experiment.yaml", "--print-config").stdout == printed
    experiment = Experiment.model_validate(yaml.safe_load(printed))
    assert experiment.strategies == ["madx", "la-none"]
    assert experiment.limit is not None and (experiment.limit.examples, experiment.limit.seed) == (50, 7)
    assert experiment.seeds == [13, 42]
    assert experiment.offline and experiment.fresh
    # A new option that is not among those above would go untested.
    given = {name for name, field in Experiment.model_fields.items() if getattr(experiment, name) != field.default}
    assert experiment.model_fields_set == given
    # Of executors there is one; --source-language says what --source says.
    assert set(Experiment.model_fields) - given <= {"executor", "source_languages"}
    assert cli("validate", "experiment.yaml", code=None).returncode in (0, 1)


def test_no_options_print_an_empty_config_that_reads_back(cli: Cli) -> None:
    printed = cli("run", "--print-config").stdout
    assert yaml.safe_load(printed) == {}
    (cli.folder / "empty.yaml").write_text(printed)
    assert cli("run", "-c", "empty.yaml", "--print-config").stdout == printed


def test_options_win_over_the_file_and_settings_join(cli: Cli) -> None:
    (cli.folder / "a.yaml").write_text("strategies: [madx]\nset: {train.epochs: 3, train.batch: 8}\nseeds: [4]\n")
    printed = cli("run", "-c", "a.yaml", "--set", "train.epochs=9", "--seeds", "2", "--print-config").stdout
    assert yaml.safe_load(printed) == {
        "strategies": ["madx"],
        "seeds": [1, 2],
        "set": {"train.epochs": "9", "train.batch": 8},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stratgies: [madx]", "stratgies: Extra inputs are not permitted; did you mean 'strategies'"),
        ("seeds: [one]", "seeds.0: "),
        ("a: [", "a.yaml:2: not YAML"),
        ("seeds: 2020-99-99", "a.yaml: not YAML: month must be in 1..12"),
        ("set: " + "[" * 5000, "not YAML"),  # at which line, the versions of PyYAML differ
        ("set: " + "[" * 4000 + "]" * 4000, "not YAML"),
        ("set: " + "[" * 200_000 + "]" * 200_000, "not YAML"),
        ("1: x", "1: Keys should be strings"),
        ("- a\n- b", "expected `key: value` lines"),
        ("limit: -1", "limit"),
    ],
)
def test_a_faulty_experiment_file_is_named_with_the_place(cli: Cli, text: str, message: str) -> None:
    (cli.folder / "a.yaml").write_text(text + "\n")
    done = cli("run", "-c", "a.yaml", "--print-config", code=2)
    assert "a.yaml" in done.stderr or "--limit" in done.stderr
    assert message in done.stderr


def test_a_file_that_is_not_utf8_is_named(cli: Cli) -> None:
    (cli.folder / "a.yaml").write_bytes(b"strategies: [\xff]\n")
    assert "a.yaml: not UTF-8 (byte 13)" in cli("run", "-c", "a.yaml", code=2).stderr


# validate


def test_validate_finds_names_that_refer_to_nothing(cli: Cli) -> None:
    (cli.folder / "suite.yaml").write_text(
        "kind: suite\nname: s\nsummary: s\ntasks: [xnli, xnil]\nbackbone: mbret\n"
        "languages: {xnli: [swa, swahli]}\nhyperparameters: {train.epoch: 3}\n"
    )
    (cli.folder / "experiment.yaml").write_text("strategies: [mad-x]\nset: {train.epochs: 0}\n")
    done = cli("validate", ".", code=1)
    faults = [line for line in done.stderr.splitlines() if line.startswith("fault: ")]
    for fault in ("'xnil'", "'mbret'", "'swahli'", "'train.epoch'", "'mad-x'", "train.epochs=0"):
        assert sum(fault in line for line in faults) == 1, (fault, faults)
    assert all("suite.yaml: " in line or "experiment.yaml: " in line for line in faults)
    assert done.stdout == "2 files checked, 6 faults\n"


def test_validate_accepts_what_ships_and_files_that_name_one_another(cli: Cli) -> None:
    assert ", 0 faults" in cli("validate").stdout
    from xleval.resources import resource

    for name, kind in (("demo-nli", "task"), ("sources/demo-nli", "source")):
        text = (resource("task_specs") / f"{name}.yaml").read_text(encoding="utf-8").replace(": demo-nli", ": mine")
        (cli.folder / f"{kind}.yaml").write_text(text, encoding="utf-8")
    (cli.folder / "suite.yaml").write_text(
        "kind: suite\nname: s\nsummary: s\ntasks: [mine]\nlanguages: {mine: [qab]}\nbackbone: demo\n"
    )
    assert cli("validate", ".").stdout == "3 files checked, 0 faults\n"
    assert "'mine'" in cli("validate", "suite.yaml", code=1).stderr


def test_validate_of_a_missing_file_is_a_fault(cli: Cli) -> None:
    assert "nowhere.yaml" in cli("validate", "nowhere.yaml", code=1).stderr


# The rest


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("ls", "languages"), ("ls", "languages", "--json"), ("run", "--print-config")],
    ids=" ".join,
)
def test_a_closed_pipe_is_no_fault(cli: Cli, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "xleval", *arguments], env=cli.environment, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def script(cli: Cli, **environment: str) -> str:
    """The console script, whose name shell completion goes by."""
    code = "import sys; sys.argv[0] = 'xleval'; from xleval.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**cli.environment, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shell_completion_script(cli: Cli, shell: str) -> None:
    # Bash is left out: click asks the installed bash for its version and refuses old ones.
    assert "_XLEVAL_COMPLETE" in script(cli, _XLEVAL_COMPLETE=f"{shell}_source")


def test_completion_of_names(cli: Cli) -> None:
    found = script(cli, _XLEVAL_COMPLETE="bash_complete", COMP_WORDS="xleval run --strategy la-", COMP_CWORD="3")
    assert {line.partition(",")[2] for line in found.splitlines()} == {
        "la-target",
        "la-source",
        "la-none",
        "la-none-tr",
    }
    found = script(cli, _XLEVAL_COMPLETE="bash_complete", COMP_WORDS="xleval sc", COMP_CWORD="1")
    assert found.strip() == "plain,score"


def test_doctor_says_what_a_bug_report_needs(cli: Cli) -> None:
    text = cli("doctor", "--offline").stdout
    for line in ("python", "xleval", "torch", "adapters", "device", "store", "hub cache", "plugin      demo"):
        assert any(row.startswith(line) for row in text.splitlines()), line
    assert cli.environment["XLEVAL_STORE"] in text


def test_everything_listed_in_commands_can_be_imported() -> None:
    from importlib import import_module

    for name, (module, _) in COMMANDS.items():
        assert getattr(import_module(module), name).name == name


def test_an_experiment_whose_tasks_are_real_is_planned_from_a_fresh_folder(cli: Cli, realdata: Path) -> None:
    (cli.folder / "text" / "swa").mkdir(parents=True)
    (cli.folder / "text" / "eng").mkdir()
    for code in ("swa", "eng"):
        (cli.folder / "text" / code / "a.txt").write_text("one line of text\n" * 50)
    options = ("--task", "masakhaner", "--language", "swa", "--text-dir", "text", "--data-dir", str(realdata))
    plan = json.loads(cli("plan", *options, "--backbone", "demo", "--seeds", "1", "--json").stdout)
    assert plan["counts"]["language_adapter"] == {"total": 2, "missing": 2}
    assert not (cli.folder / "xleval-results").exists()
