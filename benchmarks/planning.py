"""How long `xleval plan` takes for all cells of a paper's table, and how much memory: nothing is in the store.

Planning reads what decides the work: recipes, data files, unlabelled text. The plans are all built-in strategies on the
seven tasks of the demo, which needs no data, and where the data sets are at hand TLR's Table 2(a) and all of its
Table 2, with a random encoder that has mBERT's vocabulary, and five seeds. Each is a process of its own, start-up
included; repetitions find what the first one left in the cache, as a user's second plan does.

Data: MasakhaNER, UD, AmericasNLI, XNLI, XQuAD, TyDiQA and their English sources in folders below ``--data``, in
``text`` unlabelled text, in ``tokenizers`` mBERT's vocabulary.

Run: python benchmarks/planning.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from demo_strategies import STRATEGIES
from processes import ended, with_nothing_stored, xleval

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = ("language_adapter", "task_adapter", "prediction")
#: Name → what is planned, and its options.
PLANS = {
    "demo": ("all strategies on `demo-full`", ["--suite=demo-full", *(f"--strategy={name}" for name in STRATEGIES)]),
    "2a": ("TLR's Table 2(a)", ["--suite=tlr", "--task=masakhaner"]),
    "2": ("all of TLR's Table 2", ["--suite=tlr"]),
}


def options(name: str, data: Path, folder: Path, seeds: int) -> list[str]:
    """Of a plan; real tasks read their files from the disk."""
    _, chosen = PLANS[name]
    asked = [*chosen, f"--seeds={seeds}", "--offline", "--json"]
    if name == "demo":
        return asked
    encoder = folder / "encoder"
    if not encoder.is_dir():
        tokenizer = data / "tokenizers" / "bert-base-multilingual-cased"
        ended(xleval("backbone", "make", str(tokenizer), str(encoder)), folder)
    return [*asked, f"--backbone={encoder}", f"--data-dir={data}", f"--text-dir={data / 'text'}"]


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the data sets, text/ and tokenizers/")
    parser.add_argument("--plan", action="append", choices=list(PLANS), help="these alone")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--times", type=int, default=1, help="repetitions after the first one")
    given = parser.parse_args()
    print(f"Load {os.getloadavg()[0]:.1f}; {given.seeds} seeds, {given.times} repetition(s).\n")
    print("| planned | cells | language adapters | task adapters | predictions | s | again, s | MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in given.plan or PLANS:
        if name != "demo" and not (given.data / "text").is_dir():
            print(f"{PLANS[name][0]}: left out, for there is no {given.data}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            command = xleval("plan", *options(name, given.data, folder, given.seeds))
            runs = [ended(command, folder, with_nothing_stored(folder)) for _ in range(given.times + 1)]
        graph = json.loads(runs[0].said)
        counts = " | ".join(str(graph["counts"].get(kind, {}).get("total", 0)) for kind in KINDS)
        again = f"{statistics.median(run.seconds for run in runs[1:]):.1f}" if given.times else "—"
        most = max(run.mib for run in runs)
        cells = f"{graph['cells']['total']} | {counts} | {runs[0].seconds:.1f} | {again} | {most:.0f}"
        print(f"| {PLANS[name][0]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
