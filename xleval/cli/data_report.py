"""The part of ``xleval validate`` that reads data: progress, a table of splits, faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xleval.errors import UserError

if TYPE_CHECKING:
    from xleval.tasks.checks import Checked

_WORDS = {"ok": "ok", "warning": "see below", "unlabelled": "no gold labels", "fault": "FAULT"}
_STYLES = {"warning": "yellow", "unlabelled": "yellow", "fault": "red"}


def report(
    host: Any, given: list[Any] | None, names: Sequence[str], data_dir: Path | None, faults: list[str], as_json: bool
) -> int:
    """Checks the data of what is ``given`` or named, else of all; prints it and gives the exit code.

    ``faults`` are those of YAML files that do not load, whose data can't be checked.
    """
    from xleval.tasks.checks import Checker
    from xleval.tasks.located import DataOptions
    from xleval.tasks.spec import SourceSpec, TaskSpec

    specs = [spec for spec in given or [] if isinstance(spec, (TaskSpec, SourceSpec))]
    if given is not None and not specs:
        raise UserError("none of the files is a task or source data set, and only those have data")
    sources = {spec.name: spec for spec in (*host.sources.values(), *specs) if isinstance(spec, SourceSpec)}
    tasks = [*host.tasks.values(), *(spec for spec in specs if isinstance(spec, TaskSpec))]
    if names:
        specs = [*specs, *_with_sources([_named(name, specs, host) for name in names], sources)]
    elif given is None:
        # Nobody asks for generated rows who asks for files.
        specs = [spec for spec in (*host.tasks.values(), *host.sources.values()) if spec.data.upstream]
    options = DataOptions(data_dir=data_dir, offline=True)
    checker = Checker(tasks, sources, options, host.providers)
    splits = [checked for spec in _progress(_unique(specs)) for checked in checker.check(spec)]
    faults = [*([] if names else faults), *_remarks(splits, "fault")]
    if as_json:
        about = {"splits": [asdict(checked) for checked in splits], "faults": faults}
        click.echo(json.dumps(about, indent=1, ensure_ascii=False))
    else:
        _print(splits, faults, data_dir, named=bool(names) or given is not None)
    return 1 if faults else 0


def _named(name: str, specs: Iterable[Any], host: Any) -> Any:
    return next((spec for spec in specs if spec.kind == "task" and spec.name == name), None) or host.tasks.get(name)


def _with_sources(tasks: Iterable[Any], sources: dict[str, Any]) -> Iterator[Any]:
    for task in tasks:
        yield task
        for name in (*task.source.split("+"), task.question_from):
            if name in sources:
                yield sources[name]


def _unique(specs: Iterable[Any]) -> list[Any]:
    return list({(spec.kind, spec.name): spec for spec in specs}.values())


def _progress(specs: list[Any]) -> Iterable[Any]:
    """The same, shown as they are gone through: a bar on a terminal, a line each elsewhere."""
    import sys

    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        return track(specs, "reading", console=Console(stderr=True), transient=True)
    return _told(specs)


def _told(specs: list[Any]) -> Iterator[Any]:
    for number, spec in enumerate(specs, start=1):
        click.echo(f"reading {spec.name} ({spec.kind}), {number} of {len(specs)}", err=True)
        yield spec


def _remarks(splits: Iterable[Checked], *states: str) -> list[str]:
    """What there is to say of splits, once each: several languages may have one file."""
    return list(dict.fromkeys(remark for one in splits if one.state in states for remark in one.remarks))


def _print(splits: list[Checked], faults: list[str], data_dir: Path | None, *, named: bool) -> None:
    from rich.console import Console

    here = [one for one in splits if one.state != "absent"]
    if here:
        Console().print(_table(here, data_dir))
    for fault in faults:
        click.echo(f"fault: {fault}", err=True)
    for remark in _remarks(here, "warning"):
        click.echo(f"warning: {remark}", err=True)
    for text in _withheld(here):
        # Whoever names a task means to run it.
        click.echo(f"{'warning' if named else 'skipped'}: {text}", err=True)
    _print_absent(splits, data_dir, named=named)
    counts = {state: sum(one.state == state for one in here) for state in _WORDS}
    click.echo(
        f"{len(here)} splits checked: {counts['ok']} as expected, {counts['warning']} with warnings, "
        f"{counts['unlabelled']} without gold labels (skipped), {counts['fault']} with faults ({len(faults)} in all)"
    )


def _table(splits: list[Checked], data_dir: Path | None) -> Any:
    """A line for all languages of a split of which the same is to be said."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("data", "split", "rows by language", "", "files", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in (0, 1, 3):
        table.columns[column].no_wrap = True
    table.columns[-1].overflow = "fold"
    groups: dict[tuple[str, str, str], list[Checked]] = {}
    for one in splits:
        groups.setdefault((_name(one), one.split, one.state), []).append(one)
    before = ""
    for (name, split, state), members in groups.items():
        texts = ("" if name == before else name, split, _counts(members))
        origins = list(dict.fromkeys(_short(one.origin, data_dir) for one in members))
        more = f" and {len(origins) - 1} more" * (len(origins) > 1)
        table.add_row(*map(Text, texts), Text(_WORDS[state], _STYLES.get(state, "")), Text(origins[0] + more))
        before = name
    return table


def _name(one: Checked) -> str:
    return one.dataset if one.kind == "task" else f"{one.dataset} (source)"


def _counts(members: list[Checked]) -> str:
    """Languages, those of equally many rows together, and how many."""
    found: dict[str, list[str]] = {}
    for one in members:
        rows = str(one.rows) if one.expected in (None, one.rows) else f"{one.rows} of {one.expected}"
        # What a fault cut short was not counted.
        found.setdefault("" if one.state in ("unlabelled", "fault") else rows, []).append(one.language)
    return ", ".join(f"{' '.join(languages)} {rows}".rstrip() for rows, languages in found.items())


def _short(origin: str, data_dir: Path | None) -> str:
    name, sign, commit = origin.partition("@")
    if data_dir is None:
        return name + sign + commit[:12]
    return str(Path(origin).relative_to(data_dir)) if Path(origin).is_relative_to(data_dir) else origin


def _withheld(splits: list[Checked]) -> Iterator[str]:
    """Reasons for which labels are withheld, each with the splits it is about."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for one in splits:
        if one.state == "unlabelled":
            advice = one.remarks[0].partition("no gold labels")[2].partition("). ")[2]
            reasons.setdefault((one.dataset, one.split, advice), []).append(one.language)
    for (dataset, split, advice), languages in reasons.items():
        yield f"{dataset}, {split} of {', '.join(languages)}: no gold labels, so nothing can be scored here. {advice}"


def _print_absent(splits: list[Checked], data_dir: Path | None, *, named: bool) -> None:
    """Of named tasks every split that is not here, else only data sets of which nothing is."""
    from xleval.tasks.raw import listed

    where = f"under {data_dir}" if data_dir else "on this machine"
    absent = [one for one in splits if one.state == "absent"]
    if named:
        for name, split in dict.fromkeys((_name(one), one.split) for one in absent):
            languages = listed(one.language for one in absent if (_name(one), one.split) == (name, split))
            click.echo(f"not {where}: {name}, {split} of {languages}", err=True)
        return
    present = {_name(one) for one in splits if one.state != "absent"}
    nothing = [name for name in dict.fromkeys(map(_name, absent)) if name not in present]
    if nothing:
        click.echo(f"not {where}: {', '.join(nothing)}", err=True)
