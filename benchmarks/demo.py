"""The demo as a user meets it: wall time, CPU and memory of `xleval run`, with nothing in the store and again.

Each command is a process of its own, with the worker processes that it starts; the third one finds what the first one
made. Memory is that of the largest process. Further arguments go to every `xleval run`: `--limit 20 --seeds 1` makes
the demo small.

Run: python benchmarks/demo.py
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from processes import ended, with_nothing_stored, xleval

README = ("tlr-all-multi",)
#: What the demo is shown with: the reference, language-ready task adapters, and the ablations of language adapters.
FIVE = ("madx", "tlr-all-multi", "la-source", "la-none", "la-none-tr")


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _, further = parser.parse_known_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; one run of each.\n")
    print("| command | cells | wall, s | CPU, s | largest process, MiB |\n|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = with_nothing_stored(folder)
        for what, strategies in (
            ("`xleval run --strategy tlr-all-multi`", README),
            ("the same again", README),
            (f"with all of {', '.join(f'`{strategy}`' for strategy in FIVE)}", FIVE),
        ):
            asked = [f"--strategy={strategy}" for strategy in strategies] + further
            done = ended(xleval("run", *asked), folder, environment)
            plan = json.loads(ended(xleval("plan", *asked, "--json"), folder, environment).said)
            shown = f"{done.seconds:.1f} | {done.cpu:.1f} | {done.mib:.0f}"
            print(f"| {what} | {plan['cells']['total']} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
