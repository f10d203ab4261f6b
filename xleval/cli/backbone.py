"""``xleval backbone``."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def backbone() -> None:
    """Backbones: frozen multilingual encoders."""


@backbone.command()
@click.argument("tokenizer_dir", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--hidden", default=128, show_default=True, help="Hidden size, a multiple of 32.")
@click.option("--layers", default=4, show_default=True, help="Transformer layers.")
@click.option("--kind", type=click.Choice(["bert", "xlm-roberta"]), default="bert", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights.")
def make(tokenizer_dir: Path, out: Path, hidden: int, layers: int, kind: str, seed: int) -> None:
    """Write a small randomly initialised encoder with a real tokenizer, for machines without a hub.

    TOKENIZER_DIR holds tokenizer.json, or the vocabulary of the published model: vocab.txt (mBERT) or
    sentencepiece.bpe.model (XLM-R). The folder OUT then works as --backbone OUT; scores are near chance.
    """
    from xleval.testing import make_backbone

    made = make_backbone(tokenizer_dir, out, hidden, layers, kind, seed)  # type: ignore[arg-type]
    click.echo(f"{made}: {kind}, {layers} layers × {hidden}, random weights (use with --backbone {made})")
