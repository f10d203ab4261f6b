"""Do examples of source and target come nearer in the encoder? (Parović et al. 2023, TLR, Figure 3.)

For every layer the cosine between [CLS] vectors of source-language examples, on the source's language adapter, and of
target-language examples, on the target's, under one task adapter and another. TLR released no code for it and says
"cosine similarity" of 500 examples each: the cosine of the two mean vectors, and the mean cosine of all pairs, are two
readings of that. Both are given.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from xleval.analysis.cosines import cosine_of_means, mean_pairwise_cosine
from xleval.errors import UserError
from xleval.events import Notice, WorkFinished, WorkProgress, WorkStarted
from xleval.executors import Work
from xleval.jobs import Cell, Job, LanguageAdapterJob, TaskAdapterJob
from xleval.report.grid import MISSING, Grid
from xleval.run import setting
from xleval.tasks.recent import blocks_of
from xleval.tasks.rows import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xleval.host import Host
    from xleval.plan import Plan
    from xleval.tasks.located import Located

#: Reading → what tables and figures call it.
READINGS = {"of_means": "cosine of the mean vectors", "pairwise": "mean pairwise cosine"}

#: Strategy → language → seed → cosine after the embeddings and after each layer.
Curves = Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]]


@dataclass(frozen=True)
class Alignment:
    """Both readings of one task; ``splits``: language → the split of its examples, the source's first."""

    task: str
    version: str
    backbone: str
    limit: tuple[int, int] | None
    source: str
    examples: int
    draw: int
    splits: Mapping[str, str]
    curves: Mapping[str, Curves]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """One line above table and figure."""
        limit = f", limited to {self.limit[0]} examples a split (seed {self.limit[1]})" if self.limit else ""
        return f"[CLS] alignment with {self.source}: {self.task} (version {self.version}), {self.backbone}{limit}"

    @property
    def layers(self) -> int:
        """Points of a curve: the embeddings and every layer."""
        (first, *_) = self._each()
        return len(first[-1])

    def _each(self) -> Iterator[tuple[str, str, str, int, Sequence[float]]]:
        for reading, curves in self.curves.items():
            for strategy, by_language in curves.items():
                for language, by_seed in by_language.items():
                    for seed, values in by_seed.items():
                        yield reading, strategy, language, seed, values

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; an undefined cosine is null."""
        names = ("task", "version", "backbone", "source", "examples", "draw")
        return {
            **{name: getattr(self, name) for name in names},
            "limit": {"examples": self.limit[0], "seed": self.limit[1]} if self.limit else None,
            "splits": dict(self.splits),
            "layers": ["embeddings", *(f"layer {number}" for number in range(1, self.layers))],
            "readings": {
                reading: {
                    strategy: {
                        language: {
                            "mean": [None if math.isnan(m) else m for m, _ in _over_seeds(by_seed)],
                            "sd": [None if math.isnan(m) or len(by_seed) < 2 else sd for m, sd in _over_seeds(by_seed)],
                            "seeds": {
                                str(seed): [None if math.isnan(value) else value for value in values]
                                for seed, values in by_seed.items()
                            },
                        }
                        for language, by_seed in by_language.items()
                    }
                    for strategy, by_language in curves.items()
                }
                for reading, curves in self.curves.items()
            },
            "notes": list(self.notes),
        }

    def grids(self) -> list[Grid]:
        """A line a reading, language and strategy, and the mean over languages; cosines × 100, mean over seeds."""
        seeds = len({seed for _, _, _, seed, _ in self._each()})
        rows = []
        for reading, curves in self.curves.items():
            means = {
                strategy: {language: [mean for mean, _ in _over_seeds(by_seed)] for language, by_seed in found.items()}
                for strategy, found in curves.items()
            }
            languages = sorted({code for found in means.values() for code in found})
            for found in means.values() if len(languages) > 1 else ():
                found["mean"] = [fmean(column) for column in zip(*found.values(), strict=True)]
            for language in [*languages, *(["mean"] if len(languages) > 1 else [])]:
                for strategy, found in means.items():
                    texts = [MISSING if math.isnan(mean) else f"{100 * mean:.1f}" for mean in found[language]]
                    rows.append((READINGS[reading], language, strategy, *texts))
        return [
            Grid(
                caption=f"{self.title}: cosine × 100 after the embeddings (0) and each layer, at most {self.examples} "
                f"examples a language, mean over {seeds} seed{'s' * (seeds != 1)}",
                headers=("reading", "language", "strategy", *map(str, range(self.layers))),
                rows=rows,
                tidy_headers=("task", "reading", "strategy", "language", "seed", "layer", "cosine"),
                tidy_rows=[
                    (self.task, reading, strategy, language, seed, layer, None if math.isnan(value) else value)
                    for reading, strategy, language, seed, values in self._each()
                    for layer, value in enumerate(values)
                ],
                notes=self.notes,
            )
        ]

    def figures(self) -> dict[str, Figure]:
        """For each reading small multiples, one a language: a line a strategy with its deviation over seeds."""
        return {"" if reading == "of_means" else reading: self._figure(reading) for reading in self.curves}

    def _figure(self, reading: str) -> Figure:
        from xleval.report.figures import Line, line_plots

        panels: dict[str, list[Line]] = {}
        for strategy, by_language in self.curves[reading].items():
            for language, by_seed in by_language.items():
                means, spreads = zip(*_over_seeds(by_seed), strict=True)
                panels.setdefault(language, []).append(Line(strategy, means, spreads))
        band = (
            "; band: SD over seeds" if any(s > 0 for lines in panels.values() for x in lines for s in x.spread) else ""
        )
        return line_plots(
            dict(sorted(panels.items())),
            title=f"{self.title}; {READINGS[reading]}{band}",
            x_label="layer (0: embeddings)",
            y_label="cosine",
        )


def measure(
    graph: Plan, host: Host, *, examples: int = 500, draw: int = 0, source_split: str = "dev", train: bool = True
) -> list[Alignment]:
    """The alignment of every task of a plan, under the task adapters of its strategies, seed by seed.

    ``examples`` of each language are drawn with the seed ``draw``: the source's from ``source_split`` of the data that
    the task adapter learned from, a target's from its dev split, or, where it has none, from the one to be evaluated.
    Source examples stand on the module under which checkpoints are selected, which is the source's.

    Raises:
        UserError: an adapter is missing and ``train`` is false, or could not be made; data that cannot be read.
    """
    cells = [cell for cell in graph.cells if cell.language.code != cell.prediction.task_adapter.source_language]
    if not cells:
        raise UserError("nothing to align: no target language other than the source")
    _make(graph, cells, host, train)
    from xleval.engine.alignment import Aligner

    start, done = time.monotonic(), 0
    work = setting(graph)
    aligner = Aligner(work.session(), graph.store, work.engine["token_budget"])
    host.emit(WorkStarted("alignment", "alignment", len(cells), 0))
    found = []
    for name, of_task in itertools.groupby(cells, key=lambda cell: cell.task.name):
        task = graph.scope.tasks[name]
        rows, splits, notes = dict[str, list[Any]](), dict[str, str](), list[str]()
        curves: dict[str, dict[str, dict[str, dict[int, list[float]]]]] = {reading: {} for reading in READINGS}
        sources: dict[tuple[Job, Job | None], Any] = {}
        # Those of one task adapter together: it is loaded once.
        ordered = sorted(of_task, key=lambda cell: (cell.strategy.label, cell.prediction.task_adapter.fingerprint))
        for cell in ordered:
            adapter, language = cell.prediction.task_adapter, cell.language.code
            if cell.prediction.backbone is not None or adapter.adapter == "full":
                raise UserError(
                    f"{cell.strategy.label}: the alignment is of one backbone; it has a backbone of its own"
                )
            if adapter.source_language not in rows:
                located = adapter.train if source_split == "train" else adapter.dev
                rows[adapter.source_language] = _drawn(task, located, examples, draw)
                splits[adapter.source_language] = source_split
            if language not in rows:
                located, note = _target(graph, cell)
                rows[language], splits[language] = _drawn(task, located, examples, draw), located.split
                notes += [note] if note else []
            key = (adapter, adapter.dev_module)
            if key not in sources:
                sources.clear()
                sources[key] = aligner.vectors(adapter, adapter.dev_module, rows[adapter.source_language])
            target = aligner.vectors(adapter, cell.prediction.module, rows[language])
            for reading, cosine in (("of_means", cosine_of_means), ("pairwise", mean_pairwise_cosine)):
                by_seed = curves[reading].setdefault(cell.strategy.label, {}).setdefault(language, {})
                by_seed[cell.seed] = [float(value) for value in cosine(sources[key], target)]
            host.emit(WorkProgress("alignment", done := done + 1, {}))
        few = {code: len(there) for code, there in rows.items() if len(there) < examples}
        notes += [f"fewer than {examples} examples: " + ", ".join(f"{c} {n}" for c, n in few.items())] if few else []
        source = ordered[0].prediction.task_adapter.source_language
        limit = graph.experiment.limit
        limited = (limit.examples, limit.seed) if limit else None
        about = (name, task.version, graph.scope.backbone.identity["id"], limited, source, examples, draw)
        found.append(Alignment(*about, splits, curves, tuple(dict.fromkeys(notes))))
    host.emit(WorkFinished("alignment", time.monotonic() - start))
    return found


def _make(graph: Plan, cells: Sequence[Cell], host: Host, train: bool) -> None:
    missing: dict[Job, None] = {}

    def visit(job: Job | None) -> None:
        ready_made = isinstance(job, LanguageAdapterJob) and job.folder is not None
        if job is None or job in missing or ready_made or graph.store.intact(job.kind, job.fingerprint):
            return
        for needed in job.needs:
            visit(needed)
        missing[job] = None

    for cell in cells:
        for job in (cell.prediction.task_adapter, cell.prediction.task_adapter.dev_module, cell.prediction.module):
            visit(job)
    if not missing:
        return
    names = "; ".join(job.label for job in itertools.islice(missing, 3)) + ("; …" if len(missing) > 3 else "")
    if not train:
        raise UserError(f"{len(missing)} adapters are not in the store ({names}): leave out --no-train to make them")
    graph.check_text()
    graph.store.check_writable()
    host.emit(Notice(f"to make first: {len(missing)} adapters ({names})"))
    work = Work(
        tuple(job for job in missing if not isinstance(job, TaskAdapterJob)),  # type: ignore[misc]
        tuple((job,) for job in missing if isinstance(job, TaskAdapterJob)),
    )
    executor, address = host.choose_executor(graph.experiment.executor)
    outcomes = executor.execute(work, setting(graph), jobs=graph.experiment.jobs, address=address, emit=host.emit)
    failed = [f"{outcome.job.label}: {outcome.error[1]}" for outcome in outcomes if outcome.error]
    if failed:
        raise UserError("an adapter could not be made; " + "; ".join(failed[:3]))


def _target(graph: Plan, cell: Cell) -> tuple[Located, str]:
    """The dev split of a target, or the split that is evaluated where it has none, and a note that says so."""
    scope = graph.scope
    evaluated = cell.prediction.data
    if scope.experiment.split or evaluated.split == "dev":
        return evaluated, ""
    dev = replace(scope, experiment=scope.experiment.model_copy(update={"split": "dev"}))
    try:
        located = dev.target(cell.task, cell.language)
        if next(blocks_of(cell.task, located), None):
            return located, ""
    except UserError:
        pass
    return evaluated, f"{cell.task.name} has no dev data for some targets: their {evaluated.split} data in its place"


def _drawn(task: Any, located: Located, examples: int, draw: int) -> list[Any]:
    return list(drawn((row for block in blocks_of(task, located) for row in block), examples, draw))


def _over_seeds(by_seed: Mapping[int, Sequence[float]]) -> list[tuple[float, float]]:
    """Mean and standard deviation (n − 1; 0 of one seed) at each layer; NaN where a seed's cosine is undefined."""
    return [
        (fmean(values), stdev(values) if len(values) > 1 and not any(map(math.isnan, values)) else 0.0)
        for values in zip(*by_seed.values(), strict=True)
    ]
