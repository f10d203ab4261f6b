"""Memory that a training on many language adapters keeps on the device, beside activations.

An encoder in the shape of mBERT-base with random weights in bf16, and as many MAD-X language adapters (reduction 2,
invertible) as ALL-MULTI has over all targets of the TLR paper. The task adapters of a cohort go once through the cycle;
then every tensor that is alive is counted: the model and its copy in the computing precision, the bank of language
adapters, their stacks, task adapters and heads. The optimiser is gone by then: it has two numbers for each trained
weight. On CUDA the allocator's own figure and the peak, which has activations, are given as well.

Run: python benchmarks/bank.py
"""

from __future__ import annotations

import argparse
import gc
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from precision import Rounded
from side_by_side import CASES, DATA, Setting, Shape

from xleval.engine.train import train
from xleval.jobs import LanguageAdapterJob
from xleval.recipe import LA
from xleval.store import Store

#: GiB beside activations that ALL-MULTI may take.
LIMIT = 4.0


def alive() -> float:
    """GiB of all tensors that can be reached, each storage once."""
    gc.collect()
    found = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor):
            storage = thing.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values()) / 2**30


def copies(one: LanguageAdapterJob, count: int) -> Iterator[LanguageAdapterJob]:
    """So many language adapters, of the same weights in folders of their own."""
    assert one.folder is not None
    for number in range(count):
        code = f"q{chr(97 + number // 26)}{chr(97 + number % 26)}"
        folder = shutil.copytree(one.folder, one.folder.parent / code)
        yield replace(one, fingerprint=f"{number:04}" * 16, module=LA(code), folder=folder)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the data sets and tokenizers/")
    parser.add_argument("--languages", type=int, default=36)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=2, help="examples a step; activations are not counted")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    print("| | GiB |\n|---|--:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        setting = Setting(Path(name), Shape(given.data, given.layers, given.hidden, given.device, "bf16"))
        job = setting.job(replace(CASES[0], rows=given.batch * given.languages))
        cycle = tuple(copies(setting.modules[0], given.languages))
        job = replace(job, cycle=cycle, dev_module=cycle[0], hyper={**job.hyper, "batch": given.batch})
        jobs = [replace(job, seed=seed, fingerprint=f"{seed:04}" * 16) for seed in range(given.seeds)]
        print(f"| encoder alone | {_once(setting):.2f} |", flush=True)
        trained = train(jobs, setting.session, Store(Path(name) / "store"), setting.engine)
        with Rounded() if given.device == "cpu" else nullcontext():
            done = next(trained)  # the others wait, with all that the cohort holds
        assert done.cohort == given.seeds and not isinstance(done.trained, Exception)
        kept = alive()
        if given.device != "cpu":
            kept = torch.cuda.memory_allocated() / 2**30
            print(f"| at the peak, activations included | {torch.cuda.max_memory_allocated() / 2**30:.2f} |")
        judged = f"{kept:.2f}" if kept <= LIMIT else f"{kept:.2f} **above {LIMIT:g}**"
        print(f"| with {given.languages} language adapters and {given.seeds} task adapters in training | {judged} |")
        trained.close()  # type: ignore[attr-defined]


def _once(setting: Setting) -> float:
    assert setting.session.encoder.layers
    return alive()


if __name__ == "__main__":
    main()
