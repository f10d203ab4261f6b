"""All built-in strategies on the demo suite, five seeds: scores and differences to MAD-X, as docs/demo-results.md.

Run: python benchmarks/demo_strategies.py [--jobs 2] [--out FOLDER] [--store FOLDER] [--write docs/demo-results.md]
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from pathlib import Path

STRATEGIES = [
    "madx", "madx-v1", "badx", "badx:ratio=2:1", "multilingual-la",
    "tlr-target", "tlr-bilingual", "tlr-task-multi", "tlr-all-multi", "tlr-leave-out-task", "tlr-leave-out-targ",
    "la-target", "la-source", "la-none", "la-none-tr", "full-ft", "transfer", "fusion", "fusion:trained=true",
]  # fmt: skip
SEEDS = [1, 2, 3, 4, 5]

ABOUT = f"""# What the strategies do on the demo

All built-in strategies on the [demo suite](demo.md), seeds 1 to 5, on a CPU
({platform.machine()}, Python {platform.python_version()}), written by
`python benchmarks/demo_strategies.py --write docs/demo-results.md`. The encoder was not pretrained on `qah`
and `qai`. Numbers here say nothing about real languages. [Statistics](statistics.md) explains intervals, p-values and
marks; `xleval compare` prints the same of your own runs.
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("xleval-results/demo-strategies"))
    options.add_argument("--store", type=Path, default=None)
    options.add_argument("--write", type=Path, default=None, help="a file for the tables; else they are printed")
    given = options.parse_args()
    from xleval.run import run

    asked = {"suite": "demo", "strategies": STRATEGIES, "seeds": SEEDS, "jobs": given.jobs}
    run(**asked, out=given.out, **({"store": given.store} if given.store else {}))
    text = document(given.out)
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    else:
        print(text)


def document(folder: Path) -> str:
    """The page: for each task the scores, and the differences to MAD-X."""
    from functools import partial

    from xleval.comparison.choosing import choose
    from xleval.comparison.measured import measure
    from xleval.comparison.recorded import recorded
    from xleval.comparison.summary import summarised
    from xleval.comparison.versus import compare
    from xleval.item_files import items_of
    from xleval.report.comparison import grids
    from xleval.report.table import Table

    table = recorded(folder)[0]
    parts = [ABOUT]
    for scores, chosen in zip(summarised(table, folder).tables, choose(table, STRATEGIES)[1], strict=True):
        rows = {row.strategy: row for row in scores.rows}
        ordered = replace(scores, rows=tuple(rows[name] for name in STRATEGIES), words=())
        averages, languages = grids(compare(measure(chosen, partial(items_of, folder)), STRATEGIES[0], {}))
        parts += [f"## {scores.task}\n", Table((ordered,)).to_markdown(), averages.markdown(), languages.markdown()]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
