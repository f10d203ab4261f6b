"""All built-in strategies on the demo suite, five seeds: scores and differences to MAD-X, as docs/demo-results.md.

An interval is Student's t over the seeds' differences, paired: both strategies of a difference share the seed, hence
the data order and the initial weights of the task adapter.

Run: python benchmarks/demo_strategies.py [--jobs 2] [--out FOLDER] [--store FOLDER] [--write docs/demo-results.md]
"""

from __future__ import annotations

import argparse
import platform
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t

STRATEGIES = [
    "madx", "madx-v1", "badx", "badx:ratio=2:1", "multilingual-la",
    "tlr-target", "tlr-bilingual", "tlr-task-multi", "tlr-all-multi", "tlr-leave-out-task", "tlr-leave-out-targ",
    "la-target", "la-source", "la-none", "la-none-tr", "full-ft", "transfer", "fusion", "fusion:trained=true",
]  # fmt: skip
SEEDS = [1, 2, 3, 4, 5]
BASE = "madx"

#: Strategy → seed → language → score in points.
Scores = dict[str, dict[int, dict[str, float]]]


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
    text = document(scores_in(given.out))
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    else:
        print(text)


def scores_in(folder: Path) -> dict[str, Scores]:
    """Task → scores, from a results folder."""
    from xleval.records import Results

    results = Results(folder)
    runs = results.runs()
    found: dict[str, Scores] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for record in results.cells().values():
        run = runs[record["run_id"]]
        metric = "f1" if "f1" in record["metrics"] else "accuracy"
        value = 100 * record["metrics"][metric]["value"]
        found[record["task"]][run["strategy"]["name"]][run["seed"]][record["language"]] = value
    return found


def document(tasks: dict[str, Scores]) -> str:
    """The page: a table of scores and one of differences a task."""
    parts = [
        "# What the strategies do on the demo",
        "",
        "All built-in strategies on the [demo suite](demo.md), mean of seeds 1 to 5, on a CPU",
        f"({platform.machine()}, Python {platform.python_version()}), written by",
        "`python benchmarks/demo_strategies.py --write docs/demo-results.md`. The encoder was not pretrained on `qah`",
        "and `qai`. Numbers here say nothing about real languages.",
        "",
        "A difference is to `madx`, on the average of the eight languages, with a 95 % interval: Student's t over the",
        "five paired differences of seeds. It covers new seeds, not new examples or languages, and is not corrected",
        "for the number of comparisons: of 36 such intervals two would be expected to exclude zero by chance.",
        "**Bold**: the interval excludes zero.",
        "",
    ]
    for task, scores in tasks.items():
        parts += [f"## {task}", "", *table(scores), ""]
    return "\n".join(parts)


def table(scores: Scores) -> list[str]:
    """Rows of a Markdown table, strategies in the order that they are listed above."""
    languages = sorted({language for seeds in scores.values() for cells in seeds.values() for language in cells})
    averages = {name: {seed: fmean(cells.values()) for seed, cells in seeds.items()} for name, seeds in scores.items()}
    lines = [
        "| strategy | " + " | ".join(languages) + " | average | − madx |",
        "|---|" + "---|" * (len(languages) + 2),
    ]
    for name in STRATEGIES:
        means = [fmean(scores[name][seed][language] for seed in SEEDS) for language in languages]
        cells = [f"{mean:.1f}" for mean in (*means, fmean(averages[name].values()))]
        gain = "" if name == BASE else difference([averages[name][seed] - averages[BASE][seed] for seed in SEEDS])
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {gain} |")
    return lines


def difference(values: list[float]) -> str:
    """Mean and 95 % interval over seeds."""
    mean = fmean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    text = f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"
    return f"**{text}**" if abs(mean) > half else text


if __name__ == "__main__":
    main()
