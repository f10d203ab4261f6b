"""A controlled testbed of made languages: a generator, labelled tasks, an encoder pretrained on some of them.

Importing this package costs nothing: torch, transformers and tokenizers are imported where `pretrain` runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from xleval import Backbone, Language, hookimpl

if TYPE_CHECKING:
    from xleval.tasks.sources import DataProvider

ENCODER_DIR: Path = Path(__file__).resolve().parent / "encoder"
"""The shipped encoder: a `BertForMaskedLM` checkpoint in half precision, its tokenizer, SHA256SUMS."""


@hookimpl
def xleval_languages() -> Iterable[Language]:
    """The made languages, with how much text each has as its resource level."""
    from xleval_demo.languages import LANGUAGES

    return [
        Language(
            code=made.code,
            name=made.name,
            family="Constructed (demo)",
            script=made.script,
            macroarea="None",
            resource="high" if made.lines >= 2000 else "medium" if made.lines >= 1500 else "low",
            note=f"made language at distance {made.distance:.2f} from the source; see docs/demo.md",
        )
        for made in LANGUAGES
    ]


@hookimpl
def xleval_backbones() -> Iterable[Backbone]:
    """The shipped encoder."""
    from xleval_demo.languages import LANGUAGES

    return [
        Backbone(
            name="demo",
            source=str(ENCODER_DIR),
            summary="tiny encoder pretrained on the seen made languages; rebuilt by python -m xleval_demo.pretrain",
            seen=frozenset(made.code for made in LANGUAGES if made.seen),
        )
    ]


@hookimpl
def xleval_data_providers() -> Iterable[DataProvider]:
    """Rows and text of the made languages."""
    from xleval_demo.data import DemoData

    return [DemoData()]
