"""Built-in backbones: the multilingual encoders of the field, pinned to a revision."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from xleval import Backbone, hookimpl

_HERE = Path(__file__).parent


@hookimpl
def xleval_backbones() -> Iterable[Backbone]:
    """mBERT and XLM-R, with the language adapters that AdapterHub has for them."""
    return [
        Backbone(
            name="mbert",
            source="google-bert/bert-base-multilingual-cased",
            revision="3f076fdb1ab68d5b2880cb87a0886f315b8146f8",
            summary="multilingual BERT, cased, 12 layers × 768, 104 Wikipedias (Devlin et al. 2019)",
            seen="mbert",
            unsupported_scripts=("Ethi",),
            has_pooler=True,
            adapter_table=_HERE / "mbert.yaml",
        ),
        Backbone(
            name="xlmr",
            source="FacebookAI/xlm-roberta-base",
            revision="e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
            summary="XLM-R base, 12 layers × 768, 100 languages of CC-100 (Conneau et al. 2020)",
            seen="xlmr",
            has_pooler=False,  # its own classification head is dense + tanh + linear
            adapter_table=_HERE / "xlmr.yaml",
        ),
        Backbone(
            name="xlmr-large",
            source="FacebookAI/xlm-roberta-large",
            revision="c23d21b0620b635a76227c604d44e43a9f0ee389",
            summary="XLM-R large, 24 layers × 1024, 100 languages of CC-100 (Conneau et al. 2020)",
            seen="xlmr",
            has_pooler=False,
            adapter_table=_HERE / "xlmr-large.yaml",
        ),
    ]
