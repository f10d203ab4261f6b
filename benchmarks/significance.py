"""Seconds and peak memory of the tests on a large grid: 35 languages × 8 strategies × 5 runs, 1,000 items each.

Counts are made up. Half of the strategies have runs that serve all languages, half have runs of their own on each. A
process a row, on one thread. What is timed goes from counts to answers: p and interval of every strategy's difference
to the first, on each language and on the average; with the bootstrap also ranks, and with "all pairs" of the default
test which strategies are tied with the best of each language and of the average. Approximate randomization compares two
strategies.

Run: python benchmarks/significance.py [--times 3] [--resamples 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xleval.stats.contrast import cell, contrast

LANGUAGES, STRATEGIES, RUNS, ITEMS = 35, 8, 5, 1000
METRICS = {"accuracy": "ACCURACY", "micro-F1": "ENTITY_F1", "QA F1": "ANSWER_F1"}
#: How items of languages relate.
LAYOUTS = ("own items, 1000 each", "own items, 983 to 1017", "parallel")


@dataclass(frozen=True)
class Grid:
    """Counts of every strategy on every language, and what they are of."""

    metric: Any
    counts: list[list[Any]]
    """Strategy → language → (runs, items, counts)."""
    resamples: int
    parallel: bool

    def described(self, strategy: int, language: int) -> dict[str, Any]:
        """Runs, units and stratum of a cell, as both kinds of cells take them."""
        own = f", language {language}" if strategy % 2 else ""
        return {
            "runs": [f"strategy {strategy}, run {run}{own}" for run in range(RUNS)],
            "units": range(self.counts[strategy][language].shape[1]),
            "stratum": 0 if self.parallel else language,
        }


def made(metric: str, layout: str, resamples: int) -> Grid:
    """A grid of random counts; gold counts of an item are the same in all strategies."""
    import numpy as np

    from xleval.scoring import metrics

    random = np.random.default_rng(0)
    counts: list[list[Any]] = [[] for _ in range(STRATEGIES)]
    for language in range(LANGUAGES):
        items = ITEMS + (language - LANGUAGES // 2 if layout == LAYOUTS[1] else 0)
        gold, one = random.integers(0, 6, (1, items)).repeat(RUNS, axis=0), np.ones((RUNS, items), dtype=int)
        for row in counts:
            found = random.integers(0, 6, (RUNS, items))
            if metric == "accuracy":
                columns = [found > 1, one]
            elif metric == "micro-F1":
                columns = [np.minimum(gold, found), found, gold]
            else:
                columns = [found * (metrics.PARTS // 5), found * (metrics.PARTS // 5), found > 4, one]
            row.append(np.stack(columns, axis=-1).astype(np.int64))
    return Grid(getattr(metrics, METRICS[metric]), counts, resamples, layout == "parallel")


def resampling_cells(grid: Grid, strategies: int) -> list[list[Any]]:
    """Cells of the first strategies."""
    from xleval.stats.resampling import resampling_cell

    metric = grid.metric
    above, below = ([of.get(stat, 0) for stat in metric.stats] for of in (metric.above, metric.below))
    return [
        [
            resampling_cell(counts, above, below, **grid.described(strategy, language))
            for language, counts in enumerate(row)
        ]
        for strategy, row in enumerate(grid.counts[:strategies])
    ]


def paired_bootstrap(grid: Grid) -> None:
    """All differences to the first strategy, and ranks."""
    from xleval.stats.bootstrap import bootstrap, rank_intervals

    found = bootstrap(resampling_cells(grid, STRATEGIES), seed=1, resamples=grid.resamples)
    for strategy in range(1, STRATEGIES):
        for language in (None, *range(LANGUAGES)):
            difference = found.difference(strategy, 0, language)
            assert difference.p
            assert difference.interval()
    rank_intervals(found.macro)


def approximate_randomization(grid: Grid) -> None:
    """The second strategy against the first."""
    from xleval.stats.randomization import randomization

    first, second = resampling_cells(grid, 2)
    found = randomization(second, first, seed=1, resamples=grid.resamples)
    for language in (None, *range(LANGUAGES)):
        assert found.p(language)


def default_test(grid: Grid) -> None:
    """All differences to the first strategy."""
    cells = contrast_cells(grid)
    for row in cells[1:]:
        for here in (slice(None), *(slice(language, language + 1) for language in range(LANGUAGES))):
            ours, theirs = row[here], cells[0][here]
            found = contrast([*ours, *theirs], [1 / len(ours)] * len(ours) + [-1 / len(ours)] * len(ours))
            assert found.p
            assert found.interval()


def default_test_of_all_pairs(grid: Grid) -> None:
    """Who is tied with the best, as a table shows it: an interval of each score, and every strategy against all."""
    from xleval.comparison.measured import MeasuredTable
    from xleval.comparison.standing import standings
    from xleval.report.table import Entry, Row, TaskTable

    languages = tuple(map(str, range(LANGUAGES)))
    seeds = {run: {} for run in range(RUNS)}
    entries = {language: Entry(dict.fromkeys(seeds, 0.0), records=seeds) for language in languages}
    rows = tuple(Row(str(strategy), entries, Entry()) for strategy in range(STRATEGIES))
    table = TaskTable("t", "1", grid.metric.name, "b", "", "", languages, rows, tuple(seeds))
    cells = {
        (rows[strategy].strategy, languages[language]): made
        for strategy, row in enumerate(contrast_cells(grid))
        for language, made in enumerate(row)
    }
    assert len(standings(MeasuredTable(table, grid.metric, cells))) == STRATEGIES * (LANGUAGES + 1)


def contrast_cells(grid: Grid) -> list[list[Any]]:
    """Cells of the default test."""
    return [
        [
            cell(counts, grid.metric.finalize, grid.metric.gradient, **grid.described(strategy, language))
            for language, counts in enumerate(row)
        ]
        for strategy, row in enumerate(grid.counts)
    ]


METHODS: dict[str, Callable[[Grid], None]] = {
    "default test": default_test,
    "default test, all pairs": default_test_of_all_pairs,
    "paired bootstrap": paired_bootstrap,
    "approximate randomization": approximate_randomization,
}


def measure(method: str, metric: str, layout: str, resamples: int) -> None:
    """Prints seconds, and MiB before and at the peak, as JSON."""
    grid = made(metric, layout, resamples)
    # Loaded before the clock starts: it stands for neither.
    import scipy.special  # noqa: F401

    import xleval.comparison.standing
    import xleval.stats.bootstrap
    import xleval.stats.randomization  # noqa: F401

    before, start = peak(), time.perf_counter()
    METHODS[method](grid)
    print(json.dumps([time.perf_counter() - start, before, peak()]))


def peak() -> float:
    """MiB of this process at most, until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "METRIC", "LAYOUT"), help="this row alone, as JSON")
    given = parser.parse_args()
    if given.one:
        measure(*given.one, given.resamples)
        return
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    print(
        f"Python {platform.python_version()}, one thread, load {os.getloadavg()[0]:.1f}; {given.resamples} resamples; "
        f"medians of {given.times} processes (range).\n"
    )
    print(
        "| test | metric | items of languages | s | MiB with the counts | MiB at the peak |\n|---|---|---|--:|--:|--:|"
    )
    for method in METHODS:
        for metric in METRICS:
            for layout in LAYOUTS:
                command = [sys.executable, __file__, f"--resamples={given.resamples}", "--one", method, metric, layout]
                rows = [
                    json.loads(subprocess.check_output(command, env={**os.environ, **threads}))
                    for _ in range(given.times)
                ]
                seconds, before, most = zip(*rows, strict=True)
                taken = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
                print(f"| {method} | {metric} | {layout} | {taken} | {max(before):.0f} | {max(most):.0f} |", flush=True)


if __name__ == "__main__":
    main()
