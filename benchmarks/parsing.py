"""Dependency parsing beside the adapters library's own biaffine head: training steps, decoding, spanning trees.

Both train the same bottleneck adapter and the same head over the same frozen random encoder, on the same sentences,
with the same optimiser, eight sentences a step, on one thread. The library's head is used as its example does:
sentences padded to --width, the loss from the head, heads by argmax; its batches are made before the clock starts,
xleval's while it runs. Without UD_English-EWT and a tokenizer, sentences of the same lengths are made up.

Run: python benchmarks/parsing.py
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import adapters
import numpy as np
import torch
import transformers
from adapters import AutoAdapterModel, SeqBnConfig
from torch import Tensor, nn

from xleval.backbones import Backbone
from xleval.engine.batching import epoch_batches
from xleval.engine.checkpoint import Piece
from xleval.engine.forward import forward, predicted
from xleval.engine.loop import Member, Trained, Training, fit
from xleval.engine.session import Session
from xleval.hyperparameters import group, merged
from xleval.resources import resource
from xleval.tasks import trees
from xleval.tasks.dependency_parsing import FAMILY, TreeFeatures
from xleval.tasks.rows import TreeRow
from xleval.tasks.sources import DataOptions, locate
from xleval.tasks.spec import TaskSpec, load_spec
from xleval.testing import make_backbone

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BATCH = 8
MST = "xleval, spanning trees"
#: Words a sentence of English-EWT's training set, every twentieth of the distribution. The longest has 159; the last
#: number here makes the mean 16, as it is.
LENGTHS = (1, 2, 3, 4, 6, 7, 9, 10, 11, 13, 14, 15, 17, 19, 20, 23, 25, 28, 32, 39, 65)
#: What the example sets config.pad_token_id to, so that the root, 0, is no padding.
PAD = -1


class Task:
    """What the engine asks of a task."""

    name, family, metric = "parsing", "dependency-parsing", "las"

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels


def read_rows(folder: Path) -> tuple[list[TreeRow], list[TreeRow], list[str]]:
    """Training and dev sentences of UD English-EWT, and the relations."""
    specs = resource("task_specs")
    source, task = load_spec(specs / "sources" / "ud-english-ewt.yaml"), load_spec(specs / "ud-parsing.yaml")
    assert isinstance(task, TaskSpec)
    places = (locate(source, "eng", split, DataOptions(folder, offline=True), {}) for split in ("train", "dev"))
    train, dev = (place.rows(task.labels, {}) for place in places)
    return train, dev, list(task.labels)


def made_rows(count: int, seed: int) -> list[TreeRow]:
    """Random words of 1.4 sub-words on average in random trees, as long as English-EWT's sentences."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        place = draw.random() * (len(LENGTHS) - 1)
        low = int(place)
        size = max(1, round(LENGTHS[low] + (place - low) * (LENGTHS[low + 1] - LENGTHS[low])))
        letters = draw.choices((2, 4, 6), weights=(73, 17, 10), k=size)
        tokens = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=length)) for length in letters]
        order = draw.sample(range(1, size + 1), size)
        heads = {word: draw.choice(order[:k]) if k else 0 for k, word in enumerate(order)}
        relations = [0 if heads[w] == 0 else draw.randint(1, 36) for w in range(1, size + 1)]
        rows.append(TreeRow(str(i), tuple(tokens), tuple(heads[w] for w in range(1, size + 1)), tuple(relations)))
    return rows


def made_vocabulary(folder: Path) -> Path:
    """Letters and pairs of letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    units = [*letters, *(a + b for a in letters for b in letters)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *units, *(f"##{unit}" for unit in units)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return folder


class Ours:
    """xleval's engine."""

    def __init__(self, backbone: Path, task: Task, hyper: dict[str, Any], folder: Path) -> None:
        self.session, self.task, self.hyper, self.folder = (
            Session(Backbone("small", str(backbone)), "cpu", "fp32"), task, hyper, folder,
        )  # fmt: skip
        self.session.new_task_adapter(hyper, "bottleneck", False, 1)
        FAMILY.add_head(self.session.model, "task", task.labels, hyper)
        self.session.stand_on(None, False)

    def features(self, rows: list[TreeRow]) -> TreeFeatures:
        return FAMILY.features(rows, self.session.tokenizer, self.hyper)

    def train(self, features: TreeFeatures, seed: int) -> int:
        """One epoch of the engine's own loop."""
        batches = epoch_batches(features.shapes, BATCH, seed, 0)

        def losses(step: int, budget: int) -> Iterator[Tensor]:
            scores, gold = forward(self.session, FAMILY, features, batches[step])
            yield (FAMILY.loss_sum(scores, gold) / FAMILY.targets(features, batches[step]))[None]

        pieces = {name: Piece(parameter) for name, parameter in self.session.trainable().items()}
        training = Training(
            members=[Member("parsing", "parsing", pieces, self.folder)], steps=len(batches), lr=self.hyper["lr"],
            losses=losses, evaluate=lambda: [0.0], eval_every=len(batches), mode=self.session.model.train,
            device=self.session.device, token_budget=4096, select="last", checkpoint_seconds=math.inf,
        )  # fmt: skip
        (trained,) = fit(training, seed)
        assert isinstance(trained, Trained), trained
        return len(batches)

    def decode(self, rows: list[TreeRow], features: TreeFeatures, how: str) -> list[Any]:
        """Trees of all sentences, relations by name."""
        self.session.model.eval()
        return predicted(self.session, self.task, rows, features, {"decode": how}, self.session.token_budget)  # type: ignore[arg-type]


class Peer:
    """The adapters library's head in a plain loop."""

    def __init__(self, backbone: Path, tokenizer: Any, task: Task, hyper: dict[str, Any]) -> None:
        self.tokenizer, self.lr = tokenizer, hyper["lr"]
        torch.manual_seed(1)
        self.model = AutoAdapterModel.from_pretrained(backbone)
        self.model.config.pad_token_id = PAD
        self.model.add_dependency_parsing_head(
            "task", num_labels=len(task.labels), id2label=dict(enumerate(task.labels))
        )
        self.model.add_adapter("task", config=SeqBnConfig(reduction_factor=hyper["reduction"], non_linearity="relu"))
        self.model.train_adapter("task")

    def batches(self, rows: list[TreeRow], order: list[list[int]], width: int = 0) -> list[dict[str, Tensor]]:
        """Sentences padded to ``width`` sub-words (0: the longest of the batch), with what the head wants."""
        encoded = self.tokenizer([list(row.tokens) for row in rows], is_split_into_words=True)
        found = []
        for indices in order:
            size = width or max(len(encoded["input_ids"][i]) for i in indices)
            table: dict[str, list[list[int]]] = {}
            for i in indices:
                words = [word for word in encoded.word_ids(i) if word is not None]
                starts = np.cumsum([1, *np.bincount(words)]).tolist()
                values = {
                    "input_ids": (encoded["input_ids"][i], self.tokenizer.pad_token_id, size),
                    "attention_mask": (encoded["attention_mask"][i], 0, size),
                    "token_type_ids": ([0] * size, 0, size),
                    "word_starts": (starts, PAD, size + 1),
                    "labels_arcs": (list(rows[i].heads), PAD, size),
                    "labels_rels": (list(rows[i].relations), PAD, size),
                }
                for name, (value, fill, length) in values.items():
                    table.setdefault(name, []).append(value + [fill] * (length - len(value)))
            found.append({name: torch.tensor(value) for name, value in table.items()})
        return found

    def train(self, batches: list[dict[str, Tensor]]) -> int:
        """A step a batch: AdamW, linear decay, gradients clipped at 1."""
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=0.0)
        self.model.train()
        for step, inputs in enumerate(batches):
            optimiser.param_groups[0]["lr"] = self.lr * (len(batches) - step) / len(batches)
            self.model(**inputs, return_dict=False)[0].backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return len(batches)

    def decode(self, batches: list[dict[str, Tensor]]) -> list[tuple[list[int], list[int]]]:
        """Heads of all sentences by argmax, relations given those heads."""
        found = []
        self.model.eval()
        with torch.no_grad():
            for inputs in batches:
                given = {key: value for key, value in inputs.items() if not key.startswith("labels")}
                relations, arcs = self.model(**given, return_dict=False)
                heads = arcs.argmax(dim=-1)
                chosen = relations.gather(2, heads[:, :, None, None].expand(-1, -1, 1, relations.shape[-1]))
                labels = chosen.squeeze(2).argmax(dim=-1)
                for i, mask in enumerate(inputs["labels_arcs"] != PAD):
                    found.append((heads[i][mask].tolist(), labels[i][mask].tolist()))
        return found


def clocked(call: Callable[[], Any], *, deterministic: bool = False) -> float:
    """Seconds; the engine asks torch for deterministic kernels, the library does not."""
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def random_arcs(sizes: list[int], seed: int) -> tuple[Any, Any]:
    """Scores of the shape that batches have, drawn: nearly every sentence has cycles to break."""
    draw = np.random.default_rng(seed)
    lengths = np.array(sizes)
    scores = draw.normal(size=(len(sizes), max(sizes), max(sizes) + 1))
    words = np.arange(max(sizes))
    scores[:, words, words + 1] = -np.inf
    scores[np.broadcast_to(np.arange(max(sizes) + 1) > lengths[:, None, None], scores.shape)] = -np.inf
    return scores, lengths


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "ud", help="folder with UD_English-EWT")
    parser.add_argument("--tokenizer", type=Path, default=DATA / "tokenizers" / "bert-base-multilingual-cased")
    parser.add_argument("--made", action="store_true", help="sentences and vocabulary made up, whatever there is")
    parser.add_argument("--sentences", type=int, default=400, help="to train on, and to decode")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--width", type=int, default=256, help="sub-words that the library's sentences are padded to")
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    real = not given.made and (given.data / "UD_English-EWT").is_dir() and given.tokenizer.is_dir()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if real:
            rows, test, labels = read_rows(given.data)
        else:
            rows, test = (made_rows(2 * given.sentences, seed) for seed in (1, 2))
            labels = ["root", *(f"r{i}" for i in range(1, 37))]
        vocabulary = given.tokenizer if real else made_vocabulary(folder)
        backbone = make_backbone(vocabulary, folder / "model", hidden=given.hidden, layers=given.layers)
        task = Task(tuple(labels))
        hyper = group(merged({"train.max_length": given.width, "train.lr": 5e-5}), "train")
        ours = Ours(backbone, task, hyper, folder / "checkpoint")
        peer = Peer(backbone, ours.session.tokenizer, task, hyper)
        draw = random.Random(0)
        rows, test = (_readable(found, ours, given.width, given.sentences, draw) for found in (rows, test))
        print(_about(given, rows, ours.features(rows), len(labels), real))
        _table(_measured(ours, peer, rows, test, given), len(test))


def _readable(rows: list[TreeRow], ours: Ours, width: int, count: int, draw: random.Random) -> list[TreeRow]:
    # The library's example leaves longer sentences out, and those with words that have no sub-word.
    drawn = draw.sample(rows, min(2 * count, len(rows)))
    features = ours.features(drawn)
    assert features.firsts is not None
    whole = {int(row) for row, n in zip(features.rows, np.diff(features.firsts), strict=True) if n == 1}
    seen = [row for i, row in enumerate(drawn) if i in whole and _all_seen(row, ours)]
    return seen[:count]


def _all_seen(row: TreeRow, ours: Ours) -> bool:
    features = ours.features([row])
    return bool((features.heads != -100).all())


def _about(given: argparse.Namespace, rows: list[TreeRow], features: TreeFeatures, labels: int, real: bool) -> str:
    kind = "sentences of UD English-EWT" if real else "made sentences"
    words = statistics.mean(len(row.tokens) for row in rows)
    return (
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}, "
        f"adapters {adapters.__version__}, one thread; load {os.getloadavg()[0]:.1f}. {len(rows)} {kind}, "
        f"{words:.1f} words and {features.lengths.mean():.1f} sub-words each, "
        f"{labels} relations; encoder of {given.layers} layers × {given.hidden}; {given.times} repetitions in turn.\n"
    )


Times = dict[str, dict[str, list[float]]]


def _measured(ours: Ours, peer: Peer, rows: list[TreeRow], test: list[TreeRow], given: argparse.Namespace) -> Times:
    """Milliseconds by measurement and by who was measured, a value a repetition."""
    learned, read = ours.features(rows), ours.features(test)
    fixed = f"library's head, padded to {given.width}"
    longest, same = "library's head, padded to the longest of a batch", "the same in xleval's batches"
    found: Times = {"step": {}, "decode": {}, "trees": {}}
    sizes = [len(row.tokens) for row in test]
    inputs = [random_arcs(sorted(sizes)[i : i + 64], i) for i in range(0, len(sizes), 64)]

    def note(what: str, who: str, seconds: float, count: int) -> None:
        found[what].setdefault(who, []).append(1000 * seconds / count)

    for repetition in range(given.times + 1):
        if repetition == 1:  # the first one warms up
            found = {"step": {}, "decode": {}, "trees": {}}
        by_length = [batch.tolist() for batch in epoch_batches(learned.shapes, BATCH, repetition, 0)]
        mixed = random.Random(repetition).sample(range(len(rows)), len(rows))
        by_chance = [mixed[i : i + BATCH] for i in range(0, len(mixed), BATCH)]
        steps = len(by_length)
        note("step", "xleval", clocked(lambda s=repetition: ours.train(learned, s), deterministic=True), steps)
        in_order = [list(range(i, min(i + BATCH, len(test)))) for i in range(0, len(test), BATCH)]
        sorted_order = sorted(range(len(test)), key=lambda i: read.lengths[i])
        in_turn = [sorted_order[i : i + BATCH] for i in range(0, len(test), BATCH)]
        for who, order, chosen, width in (
            (fixed, by_chance, in_order, given.width), (longest, by_chance, in_order, 0), (same, by_length, in_turn, 0),
        ):  # fmt: skip
            batches = peer.batches(rows, order, width)
            note("step", who, clocked(lambda b=batches: peer.train(b)), steps)
            batches = peer.batches(test, chosen, width)
            note("decode", who, clocked(lambda b=batches: peer.decode(b)), len(test))
        for who, how in (("xleval", "greedy"), (MST, "mst")):
            seconds = clocked(lambda h=how: ours.decode(test, read, h), deterministic=True)
            note("decode", who, seconds, len(test))
        seconds = clocked(lambda: [trees.maximum_spanning(*drawn) for drawn in inputs])
        note("trees", MST, seconds, len(test))
    return found


def _table(found: Times, sentences: int) -> None:
    print("| | ms a training step of 8 | × xleval's | ms to decode a sentence | × xleval's |\n|---|--:|--:|--:|--:|")
    for who in ("xleval", MST, *(who for who in found["step"] if who != "xleval")):
        cells = [cell for what in ("step", "decode") for cell in _cells(found[what], who)]
        print(f"| {who} | {' | '.join(cells)} |")
    drawn = statistics.median(found["trees"][MST])
    print(f"\nSpanning trees alone, random scores with cycles in nearly all of {sentences}: {drawn:.3f} ms each.")


def _cells(times: dict[str, list[float]], who: str) -> tuple[str, str]:
    """The median, and the median ratio to xleval's of the same repetition with its extremes."""
    if who not in times:
        return "—", "—"
    each = sorted(a / b for a, b in zip(times[who], times["xleval"], strict=True))
    ratio = "—" if who == "xleval" else f"{statistics.median(each):.1f} ({each[0]:.1f} to {each[-1]:.1f})"
    return f"{statistics.median(times[who]):.2f}", ratio


if __name__ == "__main__":
    main()
