"""The options of ``run``, shared by every command that plans an experiment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_COMPLETED = {"strategy": "strategies", "task": "tasks", "suite": "suites", "backbone": "backbones"}


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from xleval.host import Host

    registry = getattr(Host(), _COMPLETED[param.name or ""])
    return [item.name for item in registry.items if item.name.startswith(incomplete)]


_OPTIONS = [
    click.option("--strategy", multiple=True, metavar="S[:key=value,…]", shell_complete=_complete,
                 help="Strategy with parameters; repeatable.  [default: the suite's, or tlr-all-multi]"),
    click.option("--suite", metavar="NAME", shell_complete=_complete,
                 help="Tasks, backbone and settings that belong together.  [default: demo, if no other task is named]"),
    click.option("--task", multiple=True, metavar="T", shell_complete=_complete,
                 help="Task; repeatable.  [default: the suite's]"),
    click.option("--language", multiple=True, metavar="L,…",
                 help="Target languages by code, alias or name.  [default: the task's]"),
    click.option("--backbone", metavar="B", shell_complete=_complete,
                 help="Name, hub id (org/name[@revision]) or folder.  [default: the suite's, or mbert]"),
    click.option("--seeds", metavar="N", type=click.IntRange(min=1), help="Seeds 1 to N.  [default: 3]"),
    click.option("--seed", metavar="13,42", help="These seeds."),
    click.option("--source", multiple=True, metavar="TASK=DATASET|FOLDER",
                 help="Other source-language data; A+B: one after the other; a folder holds train.* and dev.* in the "
                      "task's layout."),
    click.option("--source-language", multiple=True, metavar="L,…",
                 help="Task adapters learn from the task's own train split in this language; several are pooled."),
    click.option("--split", type=click.Choice(["dev", "test"]), help="What to evaluate on.  [default: the task's]"),
    click.option("--treebank", multiple=True, metavar="UD_X-Y",
                 help="A treebank's folder in --data-dir, in place of the task's own for its language; repeatable."),
    click.option("--la", multiple=True, metavar="LANG=FOLDER|HUB_ID",
                 help="A trained language adapter: folder in the adapters library's format, or org/name[@revision]."),
    click.option("--limit", metavar="N[:seed]", help="Examples a split, drawn once and recorded."),
    click.option("--data-dir", metavar="DIR", type=click.Path(path_type=Path),
                 help="Upstream data files in place of the hub."),
    click.option("--text-dir", metavar="DIR", type=click.Path(path_type=Path),
                 help="Unlabelled text for language adapters: DIR/<language>/*.txt."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                 help="A hyperparameter, e.g. train.epochs=3 (all: `xleval show hyperparameters`)."),
    click.option("--device", metavar="auto|cpu|cuda[:i]", help="Where to compute.  [default: auto]"),
    click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]),
                 help="auto: bf16 on a GPU that has it, else fp32."),
    click.option("--executor", metavar="NAME[:address]", help="Where work runs.  [default: local]"),
    click.option("--jobs", metavar="N", type=click.IntRange(min=1),
                 help="Parallel processes.  [default: one a core, at most 4, for a small backbone on a CPU; else 1]"),
    click.option("--store", metavar="DIR", type=click.Path(path_type=Path),
                 help="Adapters and predictions.  [default: $XLEVAL_STORE, or the user's cache]"),
    click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
                 help="Results.  [default: xleval-results]"),
    click.option("--offline", is_flag=True, default=None, help="Use only local files and caches."),
    click.option("--fresh", is_flag=True, default=None, help="Evaluate and record again what is recorded already."),
    click.option("-c", "--config", metavar="FILE", type=click.Path(path_type=Path),
                 help="All of the above as a YAML file; options given as well win."),
]  # fmt: skip


def experiment_options(command: F) -> F:
    """Adds the options of an experiment to a command, which receives them by name."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def experiment_from(options: dict[str, Any]) -> Any:
    """An :class:`~xleval.experiment.Experiment` from what ``experiment_options`` parsed.

    Raises:
        UserError: a value that does not parse, named by its option.
    """
    from xleval.experiment import load_experiment, make_experiment

    values: dict[str, Any] = load_experiment(options["config"]) if options.get("config") else {}
    given = {
        "strategies": list(options["strategy"]),
        "suite": options["suite"],
        "tasks": list(options["task"]),
        "languages": _codes(options["language"]),
        "backbone": options["backbone"],
        "seeds": _seeds(options["seeds"], options["seed"]),
        "sources": _pairs("--source", options["source"], "TASK=DATASET or TASK=FOLDER"),
        "source_languages": _codes(options["source_language"]),
        "split": options["split"],
        "treebanks": list(options["treebank"]),
        "language_adapters": _pairs("--la", options["la"], "LANG=FOLDER or LANG=ORG/NAME"),
        "limit": options["limit"],
        "set": _pairs("--set", options["settings"], "KEY=VALUE"),
        **{
            name: options[name]
            for name in ("data_dir", "text_dir", "device", "precision", "executor", "jobs", "store", "out",
                         "offline", "fresh")
        },
    }  # fmt: skip
    for name, value in given.items():
        if value in (None, [], {}):
            continue
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return make_experiment(values)


def _codes(given: tuple[str, ...]) -> list[str]:
    return [code.strip() for text in given for code in text.split(",") if code.strip()]


def _seeds(count: int | None, listed: str | None) -> list[int]:
    from xleval.errors import UserError

    if count is not None and listed is not None:
        raise UserError("give --seeds N or --seed 13,42, not both")
    if listed is None:
        return list(range(1, count + 1)) if count else []
    try:
        seeds = [int(part) for part in listed.split(",")]
    except ValueError:
        raise UserError(f"--seed {listed}: write whole numbers with commas between, e.g. 13,42") from None
    if min(seeds) < 0:
        raise UserError(f"--seed {listed}: seeds are not negative")
    return seeds


def _pairs(option: str, given: tuple[str, ...], form: str) -> dict[str, str]:
    from xleval.errors import UserError

    found: dict[str, str] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise UserError(f"{option} {text}: write {form}")
        found[key.strip()] = value.strip()
    return found
