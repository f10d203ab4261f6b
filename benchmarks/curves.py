"""How time and memory grow: with seeds, language adapters in a cycle, languages evaluated, strategies and test sets.

Every point is a process of its own with one thread: a small random encoder, MultiNLI to train on, XNLI to predict. Time
is that of the loop, or of predictions from rows; memory is the process's peak above what it was once everything was
loaded. The slope is that of a straight line through the points, with the share of the variance that it explains.

Run: python benchmarks/curves.py
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import CASES, DATA, Rows, Setting, Shape, forget_peak, measured_apart, peak, prepare, task_spec

from xleval.engine.make import make_predictions, make_task_adapters
from xleval.jobs import PredictionJob
from xleval.recipe import LA
from xleval.store import Store

#: What grows → its values, and what one of them is called.
POINTS = {
    "seeds": ((1, 2, 4, 8, 16), "training"),
    "cycle": ((1, 4, 12, 36), "language adapter in the cycle"),
    "languages": ((1, 4, 12, 36), "language evaluated, 100 rows"),
    "strategies": ((1, 2, 4, 8), "strategy evaluated, 100 rows"),
    "rows": ((500, 1000, 2000, 4000), "row of a test set"),
}


def measure(what: str, value: int, data: Path) -> dict[str, float]:
    """Seconds and MiB of one point."""
    prepare("cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        setting = Setting(folder, Shape(data))
        job, engine, store = setting.job(replace(CASES[0], rows=192)), setting.engine, Store(folder)
        if what == "cycle":
            more = []
            for number in range(value):
                code = f"q{chr(97 + number // 26)}{chr(97 + number % 26)}"
                more.append(replace(setting.module(code), module=LA(code)))
            job = replace(job, cycle=tuple(more), dev_module=more[0])
        if what in ("seeds", "cycle"):
            seeds = range(value if what == "seeds" else 1)
            jobs = [replace(job, seed=seed, fingerprint=f"{seed:04}" * 16) for seed in seeds]
            setting.session.encoded(job.task, job.train, job.hyper)
            forget_peak()
            before, start = peak(), time.perf_counter()
            assert all(error is None for _, error in make_task_adapters(jobs, setting.session, store, engine))
            return {"seconds": time.perf_counter() - start, "mib": peak() - before}
        assert [error for _, error in make_task_adapters([job], setting.session, store, engine)] == [None]
        spec = task_spec("xnli")
        rows = setting.drawn(spec, "eng", "test", spec, value if what == "rows" else 100)
        predictions: list[PredictionJob] = []
        for number in range(value if what != "rows" else 1):
            # A strategy is the same split on another module; a language is another split.
            split = Rows(f"test-{number if what == 'languages' else 0}", rows)
            target: Any = (f"{number:04}" * 16, spec, job, setting.modules[number % 4], split)
            predictions.append(PredictionJob(*target))
        forget_peak()  # of the training
        before, start = peak(), time.perf_counter()
        assert all(error is None for _, error in make_predictions(predictions, setting.session, store, engine))
        return {"seconds": time.perf_counter() - start, "mib": peak() - before}


def line(values: tuple[int, ...], found: list[float]) -> str:
    """Slope of a straight line, and how well it fits."""
    slope, offset = np.polyfit(values, found, 1)
    rest = np.array(found) - (slope * np.array(values) + offset)
    spread = float(np.var(found))
    fit = 1 - float(np.var(rest)) / spread if spread else 1.0
    return f"{slope:.3g} (R² {fit:.2f})"


def main() -> None:
    """Prints Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the data sets and tokenizers/")
    parser.add_argument("--point", nargs=2, metavar=("WHAT", "VALUE"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="two points of each alone, to see that all works")
    given = parser.parse_args()
    if given.point:
        print(json.dumps(measure(given.point[0], int(given.point[1]), given.data)))
        return
    print(f"Load {os.getloadavg()[0]:.1f}.\n\n| grows | values | s | s a | MiB | MiB a |\n|---|---|---|---|---|---|")
    for what, (all_values, unit) in POINTS.items():
        values = all_values[:2] if given.quick else all_values
        found = [measured_apart(__file__, ["--point", what, str(value), "--data", str(given.data)]) for value in values]
        seconds, memory = ([point[key] for point in found] for key in ("seconds", "mib"))
        cells = (
            ", ".join(map(str, values)), ", ".join(f"{s:.2f}" for s in seconds), f"{unit}: {line(values, seconds)}",
            ", ".join(f"{m:.0f}" for m in memory), line(values, memory),
        )  # fmt: skip
        print(f"| {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
