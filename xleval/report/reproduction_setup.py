"""Which records stand for a published table, and where their setup is another one than the table's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.errors import UserError
from xleval.experiment import Limit, Suite, SuiteTable
from xleval.hyperparameters import group, merged, parsed
from xleval.published import AVERAGE, PrintedTable
from xleval.records import Record

if TYPE_CHECKING:
    from xleval.report.reproduction import Block, Compared
    from xleval.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Wanted:
    """Which records are compared with a table; the others are left out, and counted.

    ``backbone``: ``{"id": …, "revision": …}`` of the table; ``asked``: the id of another one that was asked for.
    """

    tasks: Mapping[str, TaskSpec]
    strategies: Collection[str]
    languages: Mapping[str, Sequence[str]]
    backbone: Mapping[str, str]
    asked: str = ""
    seeds: Collection[int] = ()
    split: str | None = None
    limit: Limit | None = None


def select(
    records: Iterable[Record], runs: Mapping[str, Record], wanted: Wanted
) -> tuple[list[Record], tuple[str, ...]]:
    """The records to compare, and what was left out and why.

    Raises:
        UserError: none is left, or they are of several backbones and none is the wanted one.
    """
    kept: list[Record] = []
    left: Counter[str] = Counter()
    for record in records:
        task, run = record["task"], runs[record["run_id"]]
        if task not in wanted.tasks or run["strategy"]["name"] not in wanted.strategies:
            continue
        if record["language"] not in wanted.languages[task] or (wanted.seeds and run["seed"] not in wanted.seeds):
            continue
        reason = _unfit(record, wanted)
        if reason:
            left[f"{task}: {reason}"] += 1
        else:
            kept.append(record)
    kept, others = _of_one_backbone(kept, runs, wanted)
    left.update(f"{record['task']}: backbone {runs[record['run_id']]['backbone']['id']}" for record in others)
    notes = tuple(f"left out, {reason}: {_count(count, 'score')}" for reason, count in left.items())
    if not kept:
        found = "; ".join(notes) or f"none of {', '.join(wanted.tasks)} by {', '.join(wanted.strategies)}"
        raise UserError(f"no records to compare with the table ({found})")
    return kept, notes


def _unfit(record: Record, wanted: Wanted) -> str:
    spec = wanted.tasks[record["task"]]
    if record["task_version"] != spec.version:
        return f"task version {record['task_version']} (this xleval has {spec.version})"
    split = wanted.split or spec.split
    if record["split"] != split:
        return f"split {record['split']} (--split {record['split']} compares it)"
    limit = record.get("limit")
    asked = wanted.limit.model_dump() if wanted.limit else None
    if limit != asked:
        if limit is None:
            return "all examples (without --limit they are compared)"
        text = f"{limit['examples']}:{limit['seed']}"
        return f"limited to {limit['examples']} examples (--limit {text} compares them)"
    return ""


def _of_one_backbone(
    records: list[Record], runs: Mapping[str, Record], wanted: Wanted
) -> tuple[list[Record], list[Record]]:
    def of(record: Record) -> str:
        return str(runs[record["run_id"]]["backbone"]["id"])

    have = list(dict.fromkeys(map(of, records)))
    chosen = wanted.asked or wanted.backbone["id"]
    if chosen not in have and not wanted.asked:
        if len(have) > 1:
            raise UserError(
                f"the records are of several backbones ({', '.join(have)}) and none is the table's, {chosen}: "
                "name one with --backbone"
            )
        chosen = have[0] if have else chosen
    return [r for r in records if of(r) == chosen], [r for r in records if of(r) != chosen]


def differences(
    suite: Suite,
    table: SuiteTable,
    printed: PrintedTable,
    blocks: Sequence[Block],
    records: Sequence[Record],
    runs: Mapping[str, Record],
    wanted: Wanted,
    settings: Mapping[str, Any],
) -> tuple[str, ...]:
    """Everything known that makes our setup another one than the table's, a line each.

    ``settings``: hyperparameters that were set for this run; of older runs, records have those of task adapters.
    """
    used = {record["run_id"]: runs[record["run_id"]] for record in records}
    of_task = {
        task: [used[run_id] for run_id in dict.fromkeys(r["run_id"] for r in records if r["task"] == task)]
        for task in wanted.tasks
    }
    found = [
        *_backbones(used.values(), wanted.backbone),
        *_seeds(used.values(), printed),
        *_precision(used.values()),
    ]
    for task, spec in wanted.tasks.items():
        mine = [record for record in records if record["task"] == task]
        found += _data(task, spec, mine)
        found += _sources(task, suite.sources.get(task) or spec.source, of_task[task])
        found += _hyperparameters(task, expected(suite, table, spec), of_task[task])
    found += _settings(suite, table, settings)
    found += _language_adapters(used.values())
    found += _missing(table, printed, blocks, wanted)
    return tuple(dict.fromkeys([*found, *table.notes]))


def expected(suite: Suite, table: SuiteTable, spec: TaskSpec) -> dict[str, Any]:
    """The hyperparameters of task adapters (group ``train``) that the suite gives to a table's task."""
    own = {key: value for key, value in spec.hyperparameters.items() if key.startswith("train.")}
    of_task = suite.task_hyperparameters.get(spec.name, {})
    return group(merged(own, suite.hyperparameters, of_task, table.hyperparameters), "train", spec.family)


def _backbones(runs: Iterable[Record], wanted: Mapping[str, str]) -> Iterator[str]:
    for backbone, revision in dict.fromkeys((run["backbone"]["id"], run["backbone"]["revision"]) for run in runs):
        if backbone != wanted["id"]:
            yield f"backbone: {backbone}, the table's is {wanted['id']}"
        elif revision != wanted["revision"]:
            yield f"backbone: revision {revision[:14]} of {backbone}, xleval pins {wanted['revision'][:14]}"


def _seeds(runs: Iterable[Record], printed: PrintedTable) -> Iterator[str]:
    ours = sorted({run["seed"] for run in runs})
    theirs = sorted({row.n_seeds for row in printed.rows if row.n_seeds})
    if theirs and [len(ours)] != theirs:
        yield f"seeds: {len(ours)} ({', '.join(map(str, ours))}), the table has {' or '.join(map(str, theirs))}"
    if len(ours) == 1:
        yield "one seed: no interval, for how far another seed would be from it is not known"


def _precision(runs: Iterable[Record]) -> Iterator[str]:
    found = sorted({str(run["env"]["precision"]) for run in runs} - {"fp32"})
    if found:
        yield f"precision: {', '.join(found)}"


def _data(task: str, spec: TaskSpec, records: Sequence[Record]) -> Iterator[str]:
    revisions = list(dict.fromkeys(str(record["dataset_revision"]) for record in records))
    pins = _pins(spec)
    if any(revision.startswith("sha256:") for revision in revisions):
        yield f"data of {task}: local files, which may be of another revision than the one that xleval pins"
    for revision in revisions:
        if pins and revision not in pins and not revision.startswith("sha256:"):
            yield f"data of {task}: revision {revision[:14]}, xleval pins {', '.join(pin[:14] for pin in pins)}"
    for dataset in dict.fromkeys(str(record.get("dataset", task)) for record in records):
        if dataset != task:
            yield f"data of {task}: {dataset}"
    if split := next((record["split"] for record in records if record["split"] != spec.split), ""):
        yield f"data of {task}: split {split}, the table's is {spec.split}"
    if limit := next((record["limit"] for record in records if record.get("limit")), None):
        yield f"data of {task}: limited to {limit['examples']} examples a split (seed {limit['seed']})"


def _pins(spec: TaskSpec) -> list[str]:
    found: list[str] = []
    for place in (spec.data.hub, spec.data.raw):
        revision = place.revision if place is not None else ()
        found += [revision] if isinstance(revision, str) else list(revision.values() if revision else ())
    return found


def _sources(task: str, wanted: str, runs: Iterable[Record]) -> Iterator[str]:
    names = [name.strip() for name in wanted.split("+")]
    for run in runs:
        stages = run["source"] if isinstance(run["source"], list) else [run["source"]]
        have, revisions = zip(*(str(stage["train"]).partition("@")[::2] for stage in stages), strict=True)
        if list(have) != names:
            yield f"task adapters of {task}: learned from {' + '.join(have)}, the suite's source is {wanted}"
        if any(revision.startswith("sha256:") for revision in revisions):
            yield f"task adapters of {task}: learned from local files, which may be of another revision or a sample"


def _hyperparameters(task: str, wanted: Mapping[str, Any], runs: Iterable[Record]) -> Iterator[str]:
    for run in runs:
        for key, value in run["hyperparameters"].items():
            # The head that `auto` stands for depends on the backbone.
            if key in wanted and value != wanted[key] and wanted[key] != "auto":
                yield f"{task}: train.{key} {value}, the suite has {wanted[key]}"


def _settings(suite: Suite, table: SuiteTable, settings: Mapping[str, Any]) -> Iterator[str]:
    wanted = merged(suite.hyperparameters, table.hyperparameters)
    for key, value in settings.items():
        if not key.startswith("train.") and parsed(key, value) != wanted[key]:
            yield f"{key} {parsed(key, value)}, the suite has {wanted[key]}"


def _language_adapters(runs: Iterable[Record]) -> Iterator[str]:
    adapters = {
        adapter["id"]: adapter for run in runs for adapter in run.get("adapters", ()) if adapter["role"] == "language"
    }
    if adapters:
        languages = len({adapter.get("lang") for adapter in adapters.values()})
        yield (
            f"language adapters: those of these runs ({_count(languages, 'language')} in training), not the paper's; "
            "their text and training are in the store, not in the records"
        )


def _missing(table: SuiteTable, printed: PrintedTable, blocks: Sequence[Block], wanted: Wanted) -> Iterator[str]:
    for task in wanted.tasks:
        mine = [block for block in blocks if block.task == task]
        lines = {line.printed_strategy for block in mine for line in block.lines}
        rows = {row.printed_strategy for row in printed.rows if row.task == task}
        asked = [name for name, strategy in table.strategies.items() if name in rows and strategy in wanted.strategies]
        if absent := [name for name in asked if name not in lines]:
            yield f"missing: {task}, all of {', '.join(absent)}"
        if dropped := [name for name in table.strategies if name in rows and name not in asked]:
            yield f"not asked for: {task}, {', '.join(dropped)}"
        codes = dict.fromkeys(row.language for row in printed.rows if row.task == task and row.language != AVERAGE)
        if left := [code for code in codes if code not in wanted.languages[task]]:
            yield f"languages left out: {task}, {', '.join(left)}"
        seeds = {seed for block in mine for line in block.lines for c in line.languages.values() for seed in c.scores}
        for block in mine:
            for line in block.lines:
                gaps = {code: _gap(line.languages[code], seeds) for code in wanted.languages[task]}
                if texts := [f"{code}{gap}" for code, gap in gaps.items() if gap is not None]:
                    yield f"missing: {task}, {line.strategy}: {', '.join(texts)}"
        if len(names := [line.strategy for line in mine[0].lines if " [" in line.strategy] if mine else []) > 1:
            yield f"{task}: runs of one strategy differ in more than their seed, a line each: {', '.join(names)}"
        if len({(block.backbone, block.about) for block in mine}) > 1:
            yield f"{task}: records that must not be averaged, a table each: {'; '.join(_abouts(mine))}"


def _abouts(blocks: Iterable[Block]) -> list[str]:
    return list(dict.fromkeys(f"{block.backbone}, {block.about}" for block in blocks))


def _gap(cell: Compared, seeds: Collection[int]) -> str | None:
    absent = sorted(set(seeds) - set(cell.scores))
    if not absent:
        return None
    failed = f", {cell.failed} failed" if cell.failed else ""
    which = f"seed {', '.join(map(str, absent))}" if cell.scores else ""
    detail = f"{which}{failed}".removeprefix(", ")
    return f" ({detail})" if detail else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
