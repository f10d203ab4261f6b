"""bf16 against fp32: scores of the demo suite over five seeds, all made anew in each precision, from the language
adapters on.

Differences of means over the seeds, for all languages of a task and for the language where it is largest, beside the
spread that seeds alone make (standard deviation over seeds, averaged over languages) and the share of items whose
counts (right, wrong) differ. The tolerances are on the differences.

On a CPU, which may have no products in bf16, they are made in fp32 and rounded to bf16, as tensor cores do: inputs and
results in half precision, sums in full.

Run: python benchmarks/precision.py
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from xleval.item_files import items_of
from xleval.records import Results
from xleval.run import run

#: Points by which means over five seeds may differ: of all languages of a task, and of one language.
OF_ALL, OF_ONE = 1.0, 2.0


@dataclass(frozen=True, eq=False)
class Cell:
    """One score, in points, and the counts of its items."""

    score: float
    counts: npt.NDArray[np.int64]


#: (task, strategy, language) → a cell a seed.
Cells = dict[tuple[str, str, str], dict[int, Cell]]


class Rounded(TorchDispatchMode):
    """Products of bf16 tensors with sums in fp32, rounded to bf16 at the end."""

    PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm", "_scaled_dot_product_flash_attention_for_cpu",
                          "_scaled_dot_product_flash_attention_for_cpu_backward"})  # fmt: skip

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As ``func``, but for products."""
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ not in self.PRODUCTS:
            return func(*args, **kwargs)
        half = False

        def up(x: Any) -> Any:
            nonlocal half
            if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16:
                half = True
                return x.float()
            return x

        given = tree_map(up, (args, kwargs))
        found = func(*given[0], **given[1])
        if not half:
            return found
        return tree_map(
            lambda x: x.bfloat16() if isinstance(x, torch.Tensor) and x.dtype == torch.float32 else x, found
        )


def cells(precision: str, folder: Path, given: argparse.Namespace) -> Cells:
    """All that is evaluated in one precision."""
    out = folder / precision
    asked: dict[str, Any] = {
        "suite": "demo", "strategies": given.strategy or ["tlr-all-multi"], "device": given.device, "jobs": 1,
        "seeds": list(range(1, given.seeds + 1)), "precision": precision, "store": folder / f"store-{precision}",
    }  # fmt: skip
    with Rounded() if precision == "bf16" and given.device == "cpu" else nullcontext():
        run(**asked, out=out)
    records = Results.at(out).read()
    trained = {record["run_id"]: record for record in records if record["type"] == "run"}
    found: Cells = {}
    for record in records:
        if record["type"] == "eval":
            by = trained[record["run_id"]]
            (metric,) = record["metrics"].values()
            counts = np.asarray(items_of(out, record)[1].counts)
            of_seeds = found.setdefault((record["task"], by["strategy"]["name"], record["language"]), {})
            of_seeds[by["seed"]] = Cell(100 * metric["value"], counts)
    return found


def row(task: str, full: Cells, half: Cells) -> dict[str, Any]:
    """What is said of a task."""
    keys = [key for key in full if key[0] == task]
    scores = [np.array([[cell.score for cell in of[key].values()] for key in keys]) for of in (full, half)]
    by_language = scores[1].mean(axis=1) - scores[0].mean(axis=1)
    changed = [
        (cell.counts != half[key][seed].counts).any(axis=1) for key in keys for seed, cell in full[key].items()
    ]  # fmt: skip
    return {
        "means": [one.mean() for one in scores],
        "all": by_language.mean(),
        "one": by_language[np.abs(by_language).argmax()],
        "language": keys[int(np.abs(by_language).argmax())][2],
        "spread": scores[0].std(axis=1, ddof=1).mean(),
        "changed": np.concatenate(changed).mean(),
    }


def judged(difference: float, limit: float) -> str:
    """A difference in points, and whether it is beyond its limit."""
    said = f"{difference:+.2f}".replace("-", "−")
    return said if abs(difference) <= limit else f"{said} **beyond {limit:g}**"


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategy", action="append", help="repeatable; default: tlr-all-multi")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="keeps stores and results, for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        full, half = (cells(precision, given.folder or Path(name), given) for precision in ("fp32", "bf16"))
    assert full.keys() == half.keys()
    print(
        f"Tolerance: {OF_ALL:g} point for a task, {OF_ONE:g} for a language of it.\n\n"
        "| task | languages × seeds | fp32 | bf16 | difference | largest of a language | spread of seeds | "
        "items that differ |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for task in dict.fromkeys(key[0] for key in full):
        one = row(task, full, half)
        languages = len([key for key in full if key[0] == task])
        print(
            f"| {task} | {languages} × {given.seeds} | {one['means'][0]:.1f} | {one['means'][1]:.1f} | "
            f"{judged(one['all'], OF_ALL)} | {judged(one['one'], OF_ONE)} ({one['language']}) | "
            f"{one['spread']:.2f} | {one['changed']:.1%} |"
        )


if __name__ == "__main__":
    main()
