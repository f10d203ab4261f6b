"""From logits to answers: xleval beside `postprocess_qa_predictions` of the transformers examples.

Both get the same logits of start and end for the same windows (384 sub-words, stride 128) and search answers of at
most 30 sub-words, the 20 best of a window; on one thread. The logits are drawn: noise, a peak at the answer most of the
time, peaks elsewhere. Contexts are SQuAD's where there is a copy, else made up. The peer is a file of the examples
(examples/pytorch/question-answering/utils_qa.py of huggingface/transformers); without --peer only xleval is timed.

Run: python benchmarks/question_answering.py --peer utils_qa.py
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import datasets
import numpy as np
import numpy.typing as npt
import torch
import transformers

from xleval.engine.batching import passes
from xleval.resources import resource
from xleval.tasks.question_answering import FAMILY, SpanFeatures, best_spans
from xleval.tasks.rows import QuestionRow
from xleval.tasks.sources import DataOptions, DataWarning, locate
from xleval.tasks.spec import load_spec

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LENGTH, STRIDE, BEST, ANSWER = 384, 128, 20, 30
#: Sub-words a batch, as the engine has them on a CPU.
BUDGET = 4096

Floats = npt.NDArray[np.float32]
Answers = list[tuple[str, float]]


class Logits(NamedTuple):
    """(n, 384) each, as a model that pads to the maximum gives them."""

    start: Floats
    end: Floats


def squad_rows(folder: Path) -> list[QuestionRow]:
    """Questions of both files, as many as the copy has."""
    spec = load_spec(resource("task_specs") / "sources" / "squad.yaml")
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        for split in ("train", "dev"):
            found += locate(spec, "eng", split, DataOptions(folder, offline=True), {}).rows((), {})
    return found


def made_rows(count: int, draw: random.Random) -> list[QuestionRow]:
    """Paragraphs of made words, 60 to 500 of them, and questions of ten."""
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 9))) for _ in range(5000)]
    rows = []
    for i in range(count):
        chosen = draw.choices(words, k=int(60 + 440 * draw.random() ** 3))
        first = draw.randrange(len(chosen))
        answer = " ".join(chosen[first : first + draw.randint(1, 5)])
        start = len(" ".join(chosen[:first])) + (first > 0)
        rows.append(QuestionRow(str(i), " ".join(chosen), " ".join(draw.choices(words, k=10)), ((start, answer),)))
    return rows


def tokenizer_of(folder: Path, words: bool) -> Any:
    """mBERT's, or one of letters and pairs of letters."""
    if (folder / "vocab.txt").is_file() and not words:
        return transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False)
    letters = "abcdefghijklmnopqrstuvwxyz"
    units = [*letters, *(a + b for a in letters for b in letters)]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "vocab.txt"
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *units, *(f"##{unit}" for unit in units)]
        path.write_text("\n".join(pieces) + "\n")
        return transformers.BertTokenizerFast(str(path), do_lower_case=False)


def questions(rows: Sequence[QuestionRow], windows: int, tokenizer: Any) -> tuple[list[QuestionRow], SpanFeatures]:
    """Questions, again from the first when there are too few, that make ``windows`` windows or just over."""
    hyper = {"max_length": LENGTH, "stride": STRIDE}
    counts = np.bincount(FAMILY.features(rows, tokenizer, hyper).rows, minlength=len(rows))
    chosen: list[QuestionRow] = []
    made = 0
    while made < windows:
        index = len(chosen) % len(rows)
        chosen.append(rows[index]._replace(id=str(len(chosen))))
        made += int(counts[index])
    return chosen, FAMILY.features(chosen, tokenizer, hyper)


def drawn_logits(features: SpanFeatures, seed: int) -> Logits:
    """Noise about -6; peaks of start and end at the answer, lower ones beside it, and peaks at three other spans."""
    draw = np.random.default_rng(seed)
    n = len(features)
    start, end = (draw.normal(-6, 1.5, size=(n, LENGTH)).astype(np.float32) for _ in range(2))
    for i in range(n):
        inside = np.flatnonzero(features.begins[features.offsets[i] : features.offsets[i + 1]] >= 0)
        low, high = int(inside[0]), int(inside[-1])
        spans = [(draw.normal(7, 3), int(first)) for first in draw.integers(low, high + 1, size=3)]
        peaks = [(height, first, min(first + int(draw.geometric(0.3)) - 1, high)) for height, first in spans]
        if features.first[i]:
            peaks.append((draw.normal(12, 3), int(features.first[i]), int(features.last[i])))
        else:
            start[i, 0] += draw.normal(10, 3)
            end[i, 0] += draw.normal(10, 3)
        for height, first, last in peaks:
            for shift, share in ((-1, 0.4), (0, 1.0), (1, 0.4)):
                start[i, min(max(first + shift, 0), LENGTH - 1)] += share * height + draw.normal(0, 0.5)
                end[i, min(max(last + shift, 0), LENGTH - 1)] += share * height + draw.normal(0, 0.5)
        start[i, high + 2 :] = end[i, high + 2 :] = -9
    return Logits(start, end)


def ours(rows: Sequence[QuestionRow], features: SpanFeatures, logits: Logits, k: int) -> tuple[list[list[int]], Any]:
    """Answers as characters, and the best span of each window: what the engine does behind the model."""
    chosen: list[Any] = [None] * len(features)
    options = {"answer_length": ANSWER}
    for indices in passes(np.arange(len(features)), features.costs, BUDGET):
        width = int(features.lengths[indices].max())
        scores = torch.from_numpy(np.stack([part[indices, :width] for part in logits], axis=-1))
        gold = {key: torch.as_tensor(value) for key, value in FAMILY.gold(features, indices, width).items()}
        if k == 1:
            found = FAMILY.choose(scores, gold, options)
        else:
            best = best_spans(scores, gold["context"], ANSWER, k)
            found = list(zip(*(column[:, 0].tolist() for column in best), strict=True))
        for index, choice in zip(indices, found, strict=True):
            chosen[index] = choice
    return FAMILY.assemble(chosen, features, rows, ()), chosen


def peer_of(path: Path) -> Callable[..., Any]:
    """The function in a file."""
    spec = importlib.util.spec_from_file_location("peer_utils_qa", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.tqdm = lambda items: items
    found: Callable[..., Any] = module.postprocess_qa_predictions
    return found


def peer_inputs(rows: Sequence[QuestionRow], features: SpanFeatures, tokenizer: Any) -> tuple[Any, Any, Any]:
    """Examples; features as the example scripts have them (an Arrow table), and as a list of what is read."""
    examples = datasets.Dataset.from_dict({"id": [row.id for row in rows], "context": [row.context for row in rows]})
    table: dict[str, list[Any]] = {}
    for i in range(len(features)):
        part = slice(int(features.offsets[i]), int(features.offsets[i + 1]))
        begins, ends = features.begins[part].tolist(), features.ends[part].tolist()
        blank = LENGTH - len(begins)
        places = [[begin, end] if begin >= 0 else None for begin, end in zip(begins, ends, strict=True)]
        values = {
            "input_ids": features.ids[part].tolist() + [tokenizer.pad_token_id] * blank,
            "token_type_ids": (features.segments[part].tolist() if features.segments is not None else []) + [0] * blank,
            "attention_mask": [1] * len(begins) + [0] * blank,
            "offset_mapping": places + [None] * blank,
            "example_id": rows[features.rows[i]].id,
        }
        for name, value in values.items():
            table.setdefault(name, []).append(value)
    pairs = zip(table["example_id"], table["offset_mapping"], strict=True)
    return examples, datasets.Dataset.from_dict(table), [{"example_id": e, "offset_mapping": o} for e, o in pairs]


def peer_answers(postprocess: Callable[..., Any], examples: Any, features: Any, logits: Logits) -> Answers:
    """Its best answer to each question with its score, from the file that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        postprocess(examples, features, tuple(logits), output_dir=folder)
        best = json.loads((Path(folder) / "nbest_predictions.json").read_text())
    first = [best[item][0] for item in examples["id"]]
    return [(one["text"], float(np.float32(one["start_logit"]) + np.float32(one["end_logit"]))) for one in first]


def differences(rows: Sequence[QuestionRow], features: SpanFeatures, logits: Logits, peer: Answers) -> Counter[str]:
    """How many questions are answered alike, and why others are not. Asserts that no span scores higher than ours."""
    spans, chosen = ours(rows, features, logits, BEST)
    scores = np.full(len(rows), -np.inf)
    np.maximum.at(scores, features.rows, np.array([choice[0] for choice in chosen]))
    assert np.array_equal(scores, exhaustive(rows, features, logits))
    found: Counter[str] = Counter()
    for row, (begin, end), score, (text, theirs) in zip(rows, spans, scores.tolist(), peer, strict=True):
        if row.context[begin:end] == text:
            found["same answer"] += 1
        elif text == "empty" and theirs == 0:
            found["the peer has no answer: none of its 20 × 20 pairs is a span of the context"] += 1
        elif theirs < score:
            found["the best span begins or ends outside the peer's 20 best places"] += 1
        elif theirs == score:
            found["another span with the same score"] += 1
        else:
            found["unexplained"] += 1
    return found


def exhaustive(rows: Sequence[QuestionRow], features: SpanFeatures, logits: Logits) -> npt.NDArray[np.float64]:
    """The highest score of a span of the context, a question each, by looking at all of them."""
    best = np.full(len(rows), -np.inf)
    for i in range(len(features)):
        inside = np.flatnonzero(features.begins[features.offsets[i] : features.offsets[i + 1]] >= 0)
        pairs = logits.start[i, inside][:, None] + logits.end[i, inside][None, :]
        apart = inside[None, :] - inside[:, None]
        valid = pairs[(apart >= 0) & (apart < ANSWER)]
        best[features.rows[i]] = max(best[features.rows[i]], float(valid.max()))
    return best


def clocked(call: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Prints Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="utils_qa.py of the question-answering examples")
    parser.add_argument("--data", type=Path, default=DATA / "squad", help="folder with SQuAD v1.1")
    parser.add_argument("--tokenizer", type=Path, default=DATA / "tokenizers" / "bert-base-multilingual-cased")
    parser.add_argument("--made", action="store_true", help="contexts and vocabulary made up, whatever there is")
    parser.add_argument("--windows", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    real = not given.made and (given.data / "train-v1.1.json").is_file() and given.tokenizer.is_dir()
    tokenizer = tokenizer_of(given.tokenizer, not real)
    source = squad_rows(given.data) if real else made_rows(2000, random.Random(0))
    rows, features = questions(source, given.windows, tokenizer)
    logits = drawn_logits(features, 0)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, datasets "
        f"{datasets.__version__}, one thread; load {os.getloadavg()[0]:.1f}. {len(features)} windows of {len(rows)} "
        f"questions on {'SQuAD' if real else 'made'} contexts, {features.lengths.mean():.0f} sub-words on average; "
        f"{given.times} repetitions in turn.\n"
    )
    best, one = f"xleval, {BEST} best of a window", "xleval, the best of a window (what it does)"
    calls: dict[str, Callable[[], Any]] = {
        best: lambda: ours(rows, features, logits, BEST),
        one: lambda: ours(rows, features, logits, 1),
    }
    if given.peer:
        postprocess = peer_of(given.peer)
        examples, table, plain = peer_inputs(rows, features, tokenizer)
        calls["transformers example"] = lambda: postprocess(examples, table, tuple(logits))
        calls["the same, windows in a list of what it reads"] = lambda: postprocess(examples, plain, tuple(logits))
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repetition in range(given.times + 1):
        for name, call in calls.items():
            taken = clocked(call)
            if repetition:  # the first one warms up
                seconds[name].append(taken)
    print(f"| | s | × xleval's {BEST} best | × xleval's best |\n|---|--:|--:|--:|")
    for name, taken in seconds.items():
        ratios = [_ratio(taken, seconds[mine]) if mine != name else "—" for mine in (best, one)]
        print(f"| {name} | {statistics.median(taken):.2f} | {' | '.join(ratios)} |")
    if not given.peer:
        return
    halves = Logits(*(torch.from_numpy(part).bfloat16().float().numpy() for part in logits))
    noise = Logits(*np.random.default_rng(1).normal(size=(2, len(features), LENGTH)).astype(np.float32))
    compared = {"logits as drawn": logits, "rounded to bfloat16": halves, "noise, as untrained": noise}
    counts = [
        differences(rows, features, values, peer_answers(postprocess, examples, plain, values))
        for values in compared.values()
    ]
    print(f"\n| best answer to a question | {' | '.join(compared)} |\n|---|{'--:|' * len(counts)}")
    for reason in dict.fromkeys(reason for count in counts for reason in count):
        print(f"| {reason} | {' | '.join(str(count[reason]) for count in counts)} |")


def _ratio(taken: Sequence[float], mine: Sequence[float]) -> str:
    each = sorted(a / b for a, b in zip(taken, mine, strict=True))
    return f"{statistics.median(each):.1f} ({each[0]:.1f} to {each[-1]:.1f})"


if __name__ == "__main__":
    main()
