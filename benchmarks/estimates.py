"""The planner's estimate of a run beside the time that the run takes, on the demo suite.

First with nothing in the store, by ``xleval plan --measure``; then other strategies, from the rates that the store has
by then; each is planned, then run. The share of one in the other is to be within 30 %.

Run: python benchmarks/estimates.py
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from processes import ended, with_nothing_stored, xleval

#: Strategy and seeds, and what is asked of the plan.
RUNS = (
    (("--strategy", "tlr-all-multi", "--seeds", "3"), ("--measure",)),
    (("--strategy", "tlr-target", "--seeds", "2"), ()),
    (("--strategy", "madx", "--seeds", "5"), ()),
    (("--strategy", "badx", "--seeds", "3"), ("--measure",)),
)
TOLERANCE = 0.3


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _, further = parser.parse_known_args()  # for plan and run
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start.\n")
    print("| run | estimate from | estimate, s | wall, s | estimate ÷ wall |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = with_nothing_stored(folder)
        for asked, how in RUNS:
            run = [*asked, *further]
            planned = ended(xleval("plan", *run, *how, "--json"), folder, environment)
            estimate = json.loads(planned.said)["cost"]["seconds"]
            seconds = ended(xleval("run", *run), folder, environment).seconds
            share = estimate / seconds
            judged = f"{share:.2f}" if abs(share - 1) <= TOLERANCE else f"{share:.2f} **beyond {TOLERANCE:.0%}**"
            source = f"`--measure`, in {planned.seconds:.0f} s" if how else "the store"
            print(
                f"| `xleval run {' '.join(run)}` | {source} | {estimate:.0f} | {seconds:.0f} | {judged} |", flush=True
            )


if __name__ == "__main__":
    main()
