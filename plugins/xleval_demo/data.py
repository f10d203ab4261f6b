"""The data provider: generated rows and text, the same on every machine and every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from xleval_demo.causes import causes_items
from xleval_demo.clauses import render_clauses, sentence_of
from xleval_demo.entailment import nli_items
from xleval_demo.entities import ner_items
from xleval_demo.grammar import render, sentence
from xleval_demo.languages import LANGUAGES, made_language
from xleval_demo.meaning import Split
from xleval_demo.paraphrase import paraphrase_items
from xleval_demo.questions import question_items
from xleval_demo.text import unlabelled
from xleval_demo.treebank import treebank_items


class DemoData:
    """Rows of the demo data sets and text of the made languages.

    All splits are parallel: item `test-0007` says the same thing in every language. Task adapters learn from the
    source language's unless another is asked for.
    """

    name = "demo"
    version = "1"
    """Raised whenever the generated output changes."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the made languages, the source first."""
        return tuple(language.code for language in LANGUAGES)

    def rows(self, dataset: str, split: str, language: str) -> list[dict[str, Any]]:
        """Rows of a split. Raises ValueError that names an unknown data set, split or language.

        Every row has an id; what else it has, its maker below says.
        """
        made_language(language)
        chosen = _split(dataset, split)
        return [{"id": f"{split}-{i:04d}", **row} for i, row in enumerate(_MAKERS[dataset](chosen, language))]

    def text(self, language: str) -> list[str]:
        """Unlabelled text, one short paragraph a line. Raises ValueError for an unknown language."""
        return unlabelled(language)


def _split(dataset: str, split: str) -> Split:
    if dataset not in DATASETS:
        raise ValueError(f"demo has no data set {dataset!r}; it has {', '.join(DATASETS)}")
    for known in get_args(Split):
        if split == known:
            chosen: Split = known
            return chosen
    raise ValueError(f"{dataset} has no split {split!r}; it has {', '.join(get_args(Split))}")


def _nli(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """premise, hypothesis, label (entailment, neutral, contradiction)."""
    for premise, hypothesis, label in nli_items(split):
        yield {"premise": sentence(premise, code), "hypothesis": sentence(hypothesis, code), "label": label}


def _ner(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """tokens, tags (BIO over PER, LOC, ORG), of equal length."""
    for meaning in ner_items(split):
        tokens = render(meaning, code)
        yield {"tokens": [t.form for t in tokens], "tags": [t.entity for t in tokens]}


def _paraphrase(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """premise, hypothesis, label (different, paraphrase)."""
    for premise, hypothesis, label in paraphrase_items(split):
        yield {"premise": sentence(premise, code), "hypothesis": sentence(hypothesis, code), "label": label}


def _copa(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """context, question (cause, effect), choices (two sentences), label (0 or 1)."""
    for item in causes_items(split):
        yield {
            "context": sentence_of(item.context, code),
            "question": item.question,
            "choices": [sentence(choice, code) for choice in item.choices],
            "label": item.label,
        }


def _pos(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """tokens, tags (universal parts of speech), of equal length."""
    for clauses in treebank_items(split):
        tokens = render_clauses(clauses, code)
        yield {"tokens": [t.form for t in tokens], "tags": [t.pos for t in tokens]}


def _parse(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """tokens, heads (from 1; 0 for the root), relations (universal dependencies), of equal length."""
    for clauses in treebank_items(split):
        tokens = render_clauses(clauses, code)
        yield {
            "tokens": [t.form for t in tokens],
            "heads": [t.head for t in tokens],
            "relations": [t.relation for t in tokens],
        }


def _qa(split: Split, code: str) -> Iterator[dict[str, Any]]:
    """context (sentences), question, answers (one: start, in characters of the context, and text)."""
    for item in question_items(split):
        context, answer = "", {}
        for i, meaning in enumerate(item.context):
            tokens = render(meaning, code)
            if i == item.answer:
                at = [n for n, t in enumerate(tokens) if t.role == item.slot]
                before = " ".join([context, *(t.form for t in tokens[: at[0]])]).strip()
                answer = {"start": len(before) + bool(before), "text": " ".join(tokens[n].form for n in at)}
            context = f"{context} {' '.join(t.form for t in tokens)}".strip()
        yield {"context": context, "question": sentence(item.question, code), "answers": [answer]}


_MAKERS: dict[str, Callable[[Split, str], Iterator[dict[str, Any]]]] = {
    "demo-nli": _nli,
    "demo-ner": _ner,
    "demo-paraphrase": _paraphrase,
    "demo-copa": _copa,
    "demo-pos": _pos,
    "demo-parse": _parse,
    "demo-qa": _qa,
}
DATASETS = tuple(_MAKERS)
