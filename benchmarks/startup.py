"""Start-up cost: CPU seconds of commands beside a bare interpreter, best of N. Run: python benchmarks/startup.py"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys

COMMANDS = {
    "xleval --help": ["-m", "xleval", "--help"],
    "xleval ls strategies": ["-m", "xleval", "ls", "strategies"],
    "xleval ls tasks": ["-m", "xleval", "ls", "tasks"],
    "xleval ls languages": ["-m", "xleval", "ls", "languages"],
    "xleval plan (demo)": ["-m", "xleval", "plan", "--strategy", "tlr-all-multi"],
    "python -c 'import torch'": ["-c", "import torch"],
}


def cpu_seconds(arguments: list[str], times: int) -> float:
    """User and system time of the fastest of ``times`` runs."""
    best = float("inf")
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *arguments], check=True, capture_output=True, env={**os.environ, "COLUMNS": "200"}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    bare = cpu_seconds(["-c", "pass"], times)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; bare `python -c pass`: {bare:.3f} s CPU\n")
    print("| command | CPU seconds beyond bare Python |\n|---|--:|")
    for name, arguments in COMMANDS.items():
        print(f"| `{name}` | {cpu_seconds(arguments, times) - bare:.3f} |")


if __name__ == "__main__":
    main()
