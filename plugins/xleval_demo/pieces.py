"""The tokenizer: WordPiece over stems and syllables of the pretraining text, counted, not trained.

The vocabulary is a plain count with ties broken by spelling, so it comes out the same everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from string import ascii_lowercase
from typing import TYPE_CHECKING

from xleval_demo.concepts import ROOTS
from xleval_demo.languages import LANGUAGES
from xleval_demo.lexicon import SCRIPTS, lexicon

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY_SIZE = 2000
MIN_STEM_COUNT = 30
"""A stem is a piece where the pretraining text has it this often; rarer words fall into syllables."""


def vocabulary(lines: Iterable[str]) -> list[str]:
    """Special tokens, characters, then the most frequent stems and syllables of the lines."""
    seen = [language for language in LANGUAGES if language.seen]
    characters = sorted({SCRIPTS[lang.script].get(c, c) for lang in seen for c in ascii_lowercase})
    fixed = [*SPECIAL, ".", "?", *characters, *(f"##{c}" for c in characters)]
    vowels = "".join(sorted({SCRIPTS[lang.script].get(v, v) for lang in seen for v in lang.vowels}))
    # A syllable is a consonant and a vowel, with a coda where no vowel follows it.
    syllable = re.compile(rf"[^{vowels}]?[{vowels}](?:[^{vowels}](?![{vowels}]))?")
    stems = {lexicon(lang.code).roots[root] for lang in seen for root in ROOTS}
    words = Counter(word for line in lines for word in line.split())
    counts: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for word, count in words.items():
        at = 0
        for part in syllable.findall(word):
            counts[part if at == 0 else f"##{part}"] += count
            at += len(part)
        for start in range(len(word)):
            for end in range(start + 4, len(word) + 1):
                if word[start:end] in stems:
                    whole[word[start:end] if start == 0 else f"##{word[start:end]}"] += count
    counts.update({stem: count for stem, count in whole.items() if count >= MIN_STEM_COUNT})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = set(fixed)
    return [*fixed, *(piece for piece, _ in ranked if piece not in known)][:VOCABULARY_SIZE]


def save_tokenizer(lines: Iterable[str], out: Path) -> int:
    """Writes tokenizer.json and its companions to a folder; returns the size of the vocabulary."""
    from transformers import BertTokenizerFast

    pieces = vocabulary(lines)
    vocab = out / "vocab.txt"
    vocab.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    # Accents stay: й must not become и.
    tokenizer = BertTokenizerFast(str(vocab), do_lower_case=False, strip_accents=False, model_max_length=128)
    tokenizer.save_pretrained(out)
    return len(pieces)
