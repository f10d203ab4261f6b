"""Built-in backbones: the multilingual encoders of the field, pinned to a revision."""

from __future__ import annotations

from collections.abc import Iterable

from xleval import Backbone, hookimpl


@hookimpl
def xleval_backbones() -> Iterable[Backbone]:
    """mBERT and XLM-R."""
    return [
        Backbone(
            name="mbert",
            source="google-bert/bert-base-multilingual-cased",
            revision="3f076fdb1ab68d5b2880cb87a0886f315b8146f8",
            summary="multilingual BERT, cased, 12 layers × 768, 104 Wikipedias (Devlin et al. 2019)",
            seen="mbert",
            unsupported_scripts=("Ethi",),
            has_pooler=True,
        ),
        Backbone(
            name="xlmr",
            source="FacebookAI/xlm-roberta-base",
            revision="e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
            summary="XLM-R base, 12 layers × 768, 100 languages of CC-100 (Conneau et al. 2020)",
            seen="xlmr",
            has_pooler=False,  # its own classification head is dense + tanh + linear
        ),
    ]
