"""Peak memory of evaluating a small and a large test set: `xleval predict` and `xleval score`, a process each.

Rows are made up: short texts of made words, in JSON Lines (and once in SQuAD's JSON, which can only be read whole);
the encoder is random and tiny, its task adapter was trained by a call before. What a row may cost is its id and its
counts, kept by scoring: 100 to 200 bytes.

Run: python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from processes import ended, xleval

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["".join(random.Random(seed).choices(LETTERS, k=1 + seed % 7)) for seed in range(2000)]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
RELATIONS = ["root", "nsubj", "obj", "amod", "punct"]

Row = dict[str, Any]


def some(draw: random.Random, least: int, most: int) -> list[str]:
    """Made words."""
    return draw.choices(WORDS, k=draw.randint(least, most))


def sequences(draw: random.Random) -> Row:
    """A pair of texts."""
    texts = {"premise": " ".join(some(draw, 4, 12)), "hypothesis": " ".join(some(draw, 2, 8))}
    return {**texts, "label": draw.choice(["yes", "no"])}


def choices(draw: random.Random) -> Row:
    """A question with two choices."""
    first, second, context = (" ".join(some(draw, 2, 6)) for _ in range(3))
    row = {"context": context, "question": draw.choice(["cause", "effect"])}
    return {**row, "choice1": first, "choice2": second, "label": draw.randint(0, 1)}


def tags(draw: random.Random) -> Row:
    """Words with tags."""
    tokens = some(draw, 4, 16)
    return {"tokens": tokens, "tags": [draw.choice(("O", "O", "O", "B-PER", "B-LOC")) for _ in tokens]}


def trees(draw: random.Random) -> Row:
    """Words in a random tree."""
    tokens = some(draw, 4, 16)
    order = draw.sample(range(1, len(tokens) + 1), len(tokens))
    heads = {word: draw.choice(order[:place]) if place else 0 for place, word in enumerate(order)}
    found = [heads[word] for word in range(1, len(tokens) + 1)]
    return {"tokens": tokens, "heads": found, "relations": [draw.choice(RELATIONS[1:]) if h else "root" for h in found]}


def questions(draw: random.Random) -> Row:
    """A paragraph, a question, an answer."""
    context = some(draw, 20, 60)
    first = draw.randrange(len(context))
    start = len(" ".join(context[:first])) + (first > 0)
    answer = {"text": [" ".join(context[first : first + 3])], "answer_start": [start]}
    return {"context": " ".join(context), "question": " ".join(some(draw, 3, 8)), "answers": answer}


def write_lines(path: Path, rows: Iterator[Row]) -> None:
    """JSON Lines."""
    with path.open("w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def write_squad(path: Path, rows: Iterator[Row]) -> None:
    """One article; a paragraph a question."""
    with path.open("w") as stream:
        stream.write('{"data": [{"paragraphs": [')
        for number, row in enumerate(rows):
            texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
            answers = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
            asked = {"id": row["id"], "question": row["question"], "answers": answers}
            stream.write((", " if number else "") + json.dumps({"context": row["context"], "qas": [asked]}))
        stream.write("]}]}")


#: Name → family, row, labels, metric, columns of its file (none: SQuAD's JSON).
KINDS: dict[str, tuple[str, Callable[[random.Random], Row], list[str], str, dict[str, Any]]] = {
    "sequences": (
        "sequence-classification", sequences, ["yes", "no"], "accuracy",
        {"text_a": "premise", "text_b": "hypothesis", "label": "label"},
    ),
    "choices": (
        "multiple-choice", choices, [], "accuracy",
        {"context": "context", "question": "question", "choices": ["choice1", "choice2"], "label": "label"},
    ),
    "tags": ("token-classification", tags, TAGS, "f1", {"tokens": "tokens", "tags": "tags"}),
    "trees": (
        "dependency-parsing", trees, RELATIONS, "las", {"tokens": "tokens", "heads": "heads", "tags": "relations"},
    ),
    "questions": (
        "question-answering", questions, [], "f1",
        {"context": "context", "question": "question", "answers": "answers"},
    ),
    "questions in SQuAD's JSON": ("question-answering", questions, [], "f1", {}),
}  # fmt: skip


def number_of(kind: str) -> int:
    """Position in ``KINDS``: it names task and files."""
    return list(KINDS).index(kind)


def test_file(kind: str) -> str:
    """Name of the test set's file."""
    return f"{number_of(kind)}.json"


def declared(kind: str) -> Row:
    """A task's YAML."""
    family, _, labels, metric, columns = KINDS[kind]
    form: Row = {"format": "squad", "columns": {"id": "id"}}
    if columns:
        identified = {} if family == "multiple-choice" else {"id": "id"}
        form = {"format": "jsonl", "columns": {**identified, **columns}}
    layout = {"name": "made", "files": {"test": test_file(kind)}, **form}
    about: Row = {
        "kind": "task", "name": f"made-{number_of(kind)}", "version": "1", "family": family, "summary": "Made rows.",
        "licence": "CC0-1.0", "citation": "none", "homepage": "https://example.org", "languages": ["swa"],
        "source": "squad" if family == "question-answering" else "mnli", "metric": metric,
        "data": {"upstream": [layout]},
    }  # fmt: skip
    return {**about, "labels": labels} if labels else about


def made_rows(kind: str, count: int) -> Iterator[Row]:
    """The same ones each time."""
    draw, make = random.Random(0), KINDS[kind][1]
    return ({"id": f"row-{i}", **make(draw)} for i in range(count))


def write_rows(path: Path, kind: str, rows: Iterator[Row]) -> None:
    """In the format of the kind."""
    (write_lines if KINDS[kind][4] else write_squad)(path, rows)


class World:
    """A folder with an encoder, a plugin that declares the tasks, data, store and results."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given = folder, given
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
        (folder / "vocab.txt").write_text("\n".join([*vocabulary, *sorted(set(WORDS) - set(LETTERS))]) + "\n")
        # In a process of its own: a child's peak counts from its parent's size on, so this one has to stay small.
        make = f"make_backbone({str(folder)!r}, {str(folder / 'encoder')!r}, hidden=32, layers=1)"
        subprocess.run([sys.executable, "-c", f"from xleval.testing import make_backbone; {make}"], check=True)
        site, tasks = folder / "site", folder / "tasks"
        about = site / "memory_benchmark-1.dist-info"
        for path in (about, tasks):
            path.mkdir(parents=True)
        for number, kind in enumerate(KINDS):
            (tasks / f"made-{number}.yaml").write_text(yaml.safe_dump(declared(kind)))
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-benchmark\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[xleval]\nmemory-benchmark = memory_benchmark\n")
        (site / "memory_benchmark.py").write_text(
            "from pathlib import Path\nfrom xleval import hookimpl\n\n\n"
            f"@hookimpl\ndef xleval_tasks():\n    return [Path({str(tasks)!r})]\n"
        )

    def write(self, kind: str, count: int) -> None:
        """A test set of ``count`` rows, and training data of eight."""
        self._data(count).mkdir(parents=True, exist_ok=True)
        write_rows(self._data(count) / test_file(kind), kind, made_rows(kind, count))
        own, make = self.folder / "own" / str(number_of(kind)), KINDS[kind][1]
        own.mkdir(parents=True, exist_ok=True)
        suffix = ".jsonl" if KINDS[kind][4] else ".json"
        for split in ("train", "dev"):
            made = ({"id": str(i), **make(random.Random(i))} for i in range(8))
            write_rows(own / f"{split}{suffix}", kind, made)

    def _data(self, count: int) -> Path:
        return self.folder / "data" / str(count)

    def peak(self, half: str, kind: str, count: int) -> float:
        """MiB at most of ``xleval predict`` or ``xleval score``."""
        number = number_of(kind)
        options: dict[str, Any] = {
            "task": f"made-{number}", "strategy": "la-none-tr", "backbone": self.folder / "encoder", "seed": 1,
            "source": f"made-{number}={self.folder / 'own' / str(number)}", "data-dir": self._data(count), "jobs": 1,
            "device": "cpu", "store": self.folder / "store", "out": self.folder / f"out-{number}-{count}",
        }  # fmt: skip
        arguments = [f"--{key}={value}" for key, value in options.items()]
        arguments += [f"--set={value}" for value in ("train.steps=1", "train.batch=8", "train.head=two-layer")]
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([str(self.folder / "site"), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        return ended(xleval(half, *arguments), self.folder, environment).mib


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000, help="of the small test set; the large one has ten times")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--times", type=int, default=1, help="predictions are made anew each time")
    given = parser.parse_args()
    small, large = given.rows, 10 * given.rows
    print(f"Python {platform.python_version()}, {given.times} run(s) of each; peak resident memory in MiB.\n")
    print(f"| rows are | half | {small} rows | {large} rows | bytes a row more |\n|---|---|--:|--:|--:|")
    found: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(given.times):
        with tempfile.TemporaryDirectory() as name:
            world = World(Path(name), given)
            for kind in given.kinds:
                for count in (8, small, large):  # the first one trains
                    world.write(kind, count)
                    for half in ("predict", "score"):
                        found.setdefault((kind, half, count), []).append(world.peak(half, kind, count))
    for kind in given.kinds:
        for half in ("predict", "score"):
            sizes = [statistics.median(found[kind, half, count]) for count in (small, large)]
            more = (sizes[1] - sizes[0]) * 2**20 / (large - small)
            print(f"| {kind} | {half} | {sizes[0]:.0f} | {sizes[1]:.0f} | {more:.0f} |")


if __name__ == "__main__":
    main()
