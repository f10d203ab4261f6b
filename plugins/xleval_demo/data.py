"""The data provider: generated rows and text, the same on every machine and every run."""

from __future__ import annotations

from typing import Any, get_args

from xleval_demo.entailment import nli_items
from xleval_demo.entities import ner_items
from xleval_demo.grammar import render, sentence
from xleval_demo.languages import LANGUAGES, SOURCE, made_language
from xleval_demo.meaning import Split
from xleval_demo.text import unlabelled

DATASETS = ("demo-nli", "demo-ner")


class DemoData:
    """Rows of the demo data sets and text of the made languages.

    Training and dev data exist in the source language alone; test sets are parallel: item `test-0007` says
    the same thing in every language.
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

        demo-nli: id, premise, hypothesis, label (entailment, neutral, contradiction).
        demo-ner: id, tokens, tags (BIO over PER, LOC, ORG), of equal length.
        """
        made_language(language)
        chosen = _split(dataset, split, language)
        if dataset == "demo-nli":
            return [
                {
                    "id": f"{split}-{i:04d}",
                    "premise": sentence(premise, language),
                    "hypothesis": sentence(hypothesis, language),
                    "label": label,
                }
                for i, (premise, hypothesis, label) in enumerate(nli_items(chosen))
            ]
        rendered = (render(meaning, language) for meaning in ner_items(chosen))
        return [
            {"id": f"{split}-{i:04d}", "tokens": [t.form for t in tokens], "tags": [t.entity for t in tokens]}
            for i, tokens in enumerate(rendered)
        ]

    def text(self, language: str) -> list[str]:
        """Unlabelled text, one short paragraph a line. Raises ValueError for an unknown language."""
        return unlabelled(language)


def _split(dataset: str, split: str, language: str) -> Split:
    if dataset not in DATASETS:
        raise ValueError(f"demo has no data set {dataset!r}; it has {', '.join(DATASETS)}")
    for known in get_args(Split):
        if split == known:
            if split != "test" and language != SOURCE:
                raise ValueError(f"demo has {split!r} data in {SOURCE} only, not in {language}")
            chosen: Split = known
            return chosen
    raise ValueError(f"{dataset} has no split {split!r}; it has {', '.join(get_args(Split))}")
