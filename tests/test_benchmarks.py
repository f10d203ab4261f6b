"""Every benchmark on its public files: published row counts; gold scores 100, a constant what arithmetic says."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_specs import shipped

from xleval.errors import UserError
from xleval.scoring import score
from xleval.tasks.located import DataOptions, DataWarning, Located
from xleval.tasks.sources import locate

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not REAL.is_dir(), reason=f"no public data in {REAL}"),
]

#: Task → the languages whose evaluation split lies beside the checkout, and the split.
THERE = {
    "americasnli": ("aym bzd cni grn hch nah oto quy shp tar", "test"),
    "masakhaner": ("amh hau ibo kin lug swa wol yor", "test"),
    "panx": ("swa yor eng", "dev"),
    "paws-x": ("deu kor", "test"),
    "ud-parsing": ("afr bam eus kpv mar mlt tel wol", "test"),
    "ud-pos": ("afr bam eus kpv mar mlt tel wol", "test"),
    "xcopa": ("est hat ind ita que swa tam tha tur vie zho", "test"),
    "xnli": ("ara eng hin swa tha urd zho", "test"),
    "xquad": ("ara eng hin tha zho", "test"),
}
CELLS = [(task, code) for task, (codes, _) in THERE.items() for code in codes.split()]
#: Questions of these are wrong upstream and taken from English COPA, with a warning.
CORRECTED = ("ind", "ita", "swa", "tha", "tur")


def found(name: str, language: str, split: str) -> tuple[Any, Located]:
    task = shipped(name)
    questions = shipped(f"sources/{task.question_from}") if task.question_from else None
    return task, locate(task, language, split, DataOptions(REAL, offline=True), {}, questions)


def rows_of(name: str, language: str) -> tuple[Any, list[Any]]:
    task, data = found(name, language, THERE[name][1])
    assert data.revision.startswith("sha256:"), "not a local file"
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        if name == "xcopa" and language in CORRECTED:
            warnings.simplefilter("ignore", DataWarning)
        rows = data.rows(task.labels, task.label_map)
    assert data.expected == len(rows), "the published number of rows"
    assert len({row.id for row in rows}) == len(rows)
    return task, rows


def gold(task: Any, row: Any) -> Any:
    """The row's gold labels as a prediction."""
    if task.family == "sequence-classification":
        return task.labels[row.label]
    if task.family == "multiple-choice":
        return row.label
    if task.family == "token-classification":
        return [task.labels[tag] for tag in row.tags]
    if task.family == "dependency-parsing":
        return {"heads": list(row.heads), "relations": [task.labels[r] for r in row.relations]}
    start, text = row.answers[0]
    return [start, start + len(text)]


def constant(task: Any, row: Any) -> Any:
    """The same for every row: first label, first choice, no entity or noun, each word on the one before, no answer."""
    if task.family == "sequence-classification":
        return task.labels[0]
    if task.family == "multiple-choice":
        return 0
    if task.family == "token-classification":
        return [("O" if "O" in task.labels else "NOUN")] * len(row.tokens)
    if task.family == "dependency-parsing":
        return {"heads": list(range(len(row.tokens))), "relations": ["root"] + ["punct"] * (len(row.tokens) - 1)}
    return [0, 0]


def expected(task: Any, rows: list[Any]) -> float:
    """What :func:`constant` scores by the task's own metric, counted from the rows."""
    if task.family in ("sequence-classification", "multiple-choice"):
        return Counter(row.label for row in rows)[0] / len(rows)
    if task.family == "token-classification":
        tags = [task.labels[tag] for row in rows for tag in row.tags]
        return 0.0 if "O" in task.labels else tags.count("NOUN") / len(tags)
    if task.family == "dependency-parsing":
        arcs = [
            head == i and task.labels[relation] == ("root" if i == 0 else "punct")
            for row in rows
            for i, (head, relation) in enumerate(zip(row.heads, row.relations, strict=True))
        ]
        return sum(arcs) / len(arcs)
    return 0.0


def value(task: Any, rows: list[Any], predictions: Iterator[Any], language: str) -> dict[str, float]:
    pairs = ((row.id, prediction) for row, prediction in zip(rows, predictions, strict=True))
    return {name: metric["value"] for name, metric in score(task, iter(rows), pairs, language).metrics.items()}


@pytest.mark.parametrize(("name", "language"), CELLS)
def test_gold_scores_100_and_a_constant_what_arithmetic_says(name: str, language: str) -> None:
    task, rows = rows_of(name, language)
    perfect = value(task, rows, (gold(task, row) for row in rows), language)
    assert set(perfect.values()) == {1.0}, perfect
    blind = value(task, rows, (constant(task, row) for row in rows), language)
    assert blind[task.metric] == pytest.approx(expected(task, rows), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("mnli", {"dev": 9815}),
        ("wikiann-en", {"train": 20_000, "dev": 10_000}),
        ("copa", {"train": 400, "dev": 100, "test": 500}),
        ("siqa", {"train": 33_410, "dev": 1954}),
        ("ud-english-ewt", {"train": 12_543, "dev": 2002}),
        ("ud-pos-english-ewt", {"train": 12_543, "dev": 2002}),
        ("tydiqa-en", {"train": 3696}),
    ],
)
def test_sources_have_their_published_rows(name: str, splits: dict[str, int]) -> None:
    spec = shipped(f"sources/{name}")
    labels = {"token-classification": "masakhaner", "dependency-parsing": "ud-parsing"}.get(spec.family)
    labels = {"mnli": "xnli", "ud-pos-english-ewt": "ud-pos"}.get(name, labels)
    task = shipped(labels) if labels else None
    for split, count in splits.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataWarning)
            data = locate(spec, "eng", split, DataOptions(REAL, offline=True), {})
            assert data.expected == count
            assert len(data.rows(task.labels if task else (), task.label_map if task else {})) == count


@pytest.mark.parametrize(
    ("name", "language", "split", "reason"),
    [
        ("paws-x", "zho", "test", "XTREME"),
        ("tydiqa-goldp", "swa", "dev", "XTREME takes the answers out"),
        ("tydiqa-goldp", "ara", "dev", "tydiqa-goldp-v1.1-dev.tgz"),
    ],
)
def test_files_without_gold_labels_are_refused_with_the_reason(
    name: str, language: str, split: str, reason: str
) -> None:
    task, data = found(name, language, split)
    with pytest.raises(UserError, match=r"no gold labels") as caught:
        data.rows(task.labels, task.label_map)
    assert reason in str(caught.value)
    assert data.origin in str(caught.value)


@pytest.mark.parametrize("language", CORRECTED)
def test_questions_of_xcopa_are_those_of_english_copa(language: str) -> None:
    task, data = found("xcopa", language, "test")
    with pytest.warns(DataWarning, match="`question` is wrong in .* taken from copa by row"):
        rows = data.rows(task.labels, task.label_map)
    assert Counter(row.question for row in rows) == {"cause": 250, "effect": 250}


def test_a_treebank_by_name() -> None:
    options = DataOptions(REAL, treebanks={"kpv": "UD_Komi_Zyrian-IKDP"})
    task = shipped("ud-parsing")
    data = locate(task, "kpv", "test", options, {})
    assert (data.dataset, len(data.rows(task.labels, task.label_map))) == ("UD_Komi_Zyrian-IKDP", 132)
