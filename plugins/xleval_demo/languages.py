"""The made languages: one source and eight targets, each a setting of the same knobs.

Codes are from the range that ISO 639-3 reserves for private use (qaa..qtz), so none names a real language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Side = Literal["prefix", "suffix"]
Negation = Literal["prefix", "suffix", "particle"]
Order = Literal["SVO", "SOV", "VSO"]
Script = Literal["Latn", "Cyrl", "Grek"]

SOURCE = "qaa"


@dataclass(frozen=True)
class MadeLanguage:
    """One language as a setting of the grammar's knobs."""

    code: str
    name: str
    seen: bool
    """Whether the encoder's pretraining text contains this language."""
    cognates: float
    """Share of roots, and of grammatical morphemes, inherited from the source's stock (source: 1)."""
    order: Order = "SVO"
    adjective_first: bool = True
    plural: Side = "suffix"
    tense: Side = "suffix"
    case: Side = "suffix"
    negation: Negation = "particle"
    script: Script = "Latn"
    sound_changes: tuple[tuple[str, str], ...] = ()
    """Regular replacements that inherited roots went through, in order, before the script is applied."""
    consonants: str = "ptkbdgmnslrvf"
    """What the roots that are the language's own are made of."""
    vowels: str = "aeiou"
    lines: int = 1000
    """Lines of unlabelled text, each a short paragraph."""
    distance: float = field(init=False, default=0.0)
    """Distance to the source in [0, 1], see `distance_of`; `seen` is no part of it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "distance", distance_of(self))

    @property
    def shared_names(self) -> float:
        """Share of proper names that are the same as in the source: names travel further than words do."""
        return 0.45 + 0.55 * self.cognates


def distance_of(language: MadeLanguage) -> float:
    """Distance to the source, from the knobs alone; its weights are declared, not fitted to scores.

    .60 x share of roots not inherited + .10 word order differs + .05 adjective order differs + .10 x share of
    the four affixes (plural, tense, case, negation) that stand on another side + .15 script differs.
    The source has the defaults of `MadeLanguage`. Rounded to two places.
    """
    moved = (
        (language.plural != "suffix")
        + (language.tense != "suffix")
        + (language.case != "suffix")
        + (language.negation != "particle")
    )
    return round(
        0.60 * (1 - language.cognates)
        + 0.10 * (language.order != "SVO")
        + 0.05 * (not language.adjective_first)
        + 0.10 * moved / 4
        + 0.15 * (language.script != "Latn"),
        2,
    )


LANGUAGES: tuple[MadeLanguage, ...] = (
    MadeLanguage("qaa", "Sorvan", seen=True, cognates=1.0, lines=3000),
    MadeLanguage("qab", "Lumari", seen=True, cognates=0.85, sound_changes=(("f", "h"),), lines=2000),
    MadeLanguage(
        "qac", "Teskel", seen=True, cognates=0.75, adjective_first=False,
        sound_changes=(("g", "w"),), consonants="ptkbdwmnslrvf", lines=2000,
    ),
    MadeLanguage(
        "qad", "Bandru", seen=True, cognates=0.5, order="SOV",
        sound_changes=(("g", "j"),), consonants="ptkbdjmnslrvz", lines=1500,
    ),
    MadeLanguage(
        "qae", "Orvich", seen=True, cognates=0.55, adjective_first=False, negation="suffix", script="Cyrl",
        sound_changes=(("b", "v"),), consonants="ptkdgmnslrvzx", lines=1500,
    ),
    MadeLanguage(
        "qaf", "Kihune", seen=True, cognates=0.15, order="VSO", adjective_first=False, plural="prefix",
        tense="prefix", sound_changes=(("s", "z"), ("d", "z")), consonants="ktbhjmnwzxqy", lines=1000,
    ),
    MadeLanguage(
        "qag", "Xanthea", seen=True, cognates=0.15, order="SOV", tense="prefix", case="prefix",
        negation="prefix", script="Grek", sound_changes=(("p", "f"),), consonants="ptkgmnslrzxf", lines=1000,
    ),
    MadeLanguage(
        "qah", "Venlore", seen=False, cognates=0.75, sound_changes=(("k", "h"),), consonants="ptkbdgmnslrvh",
        lines=1000,
    ),
    MadeLanguage(
        "qai", "Wulabe", seen=False, cognates=0.3, order="VSO", adjective_first=False, plural="prefix",
        tense="prefix", case="prefix", negation="suffix", sound_changes=(("t", "c"),),
        consonants="cbdghjlmnwyq", lines=600,
    ),
)  # fmt: skip

_BY_CODE = {language.code: language for language in LANGUAGES}


def made_language(code: str) -> MadeLanguage:
    """The language of a code. Raises ValueError that names the unknown code and the known ones."""
    try:
        return _BY_CODE[code]
    except KeyError:
        known = ", ".join(_BY_CODE)
        raise ValueError(f"demo has no language {code!r}; it has {known}") from None
