"""The form of every concept in every language: inherited from the source's stock, or the language's own.

Which concepts are inherited is a ranking by digest cut at the knob `cognates`, so the share is exact and a
language with fewer cognates differs by rank, not by luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xleval_demo.chance import Chance, number
from xleval_demo.concepts import GRAMMAR, NAMES, ROOTS
from xleval_demo.languages import SOURCE, MadeLanguage, made_language

SCRIPTS = {
    "Latn": {},
    "Cyrl": dict(zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопқрстувўщыз", strict=True)),
    "Grek": dict(zip("abcdefghijklmnopqrstuvwxyz", "αβςδεφγηιϳκλμνοπϙρστυϝωξψζ", strict=True)),
}
"""Letter by letter, one to one: a cognate in another script shares no character with its source form."""
CODAS = "nrsl"
"""Consonants that may close a root; none opens a bound morpheme, so words fall into pieces in one way."""
NAME_ENDS = {"PER": "PERSON-END", "LOC": "PLACE-END", "ORG": "HOUSE-END"}


@dataclass(frozen=True)
class Lexicon:
    """All forms of one language, in its script."""

    roots: dict[str, str]
    grammar: dict[str, str]
    names: dict[str, str]
    inherited: frozenset[str]
    """Roots and grammatical morphemes that continue the source's."""
    shared_names: frozenset[str]


@cache
def lexicon(code: str) -> Lexicon:
    """The lexicon of a language. Raises ValueError for an unknown code."""
    language = made_language(code)
    inherited = frozenset(
        _first(ROOTS, language.cognates, code, "roots") + _first(GRAMMAR, language.cognates, code, "grammar")
    )
    all_names = tuple(f"{kind}-{i}" for kind, count in NAMES.items() for i in range(count))
    shared = frozenset(_first(all_names, language.shared_names, code, "names"))
    latin: dict[str, str] = {}
    taken: set[str] = set()
    # Inherited forms first: a language's own words give way to them, as the later arrival does.
    for concept in sorted((*ROOTS, *GRAMMAR), key=lambda c: c not in inherited):
        form = _inherited(concept, language) if concept in inherited else ""
        attempt = 0
        while not form or form in taken:
            form = _invent(concept, language, attempt)
            attempt += 1
        taken.add(form)
        latin[concept] = form
    names: dict[str, str] = {}
    for name in all_names:
        origin = made_language(SOURCE) if name in shared else language
        ends = _source_forms() if name in shared else latin
        names[name] = _name(name, origin, ends.get(NAME_ENDS.get(name[:3], ""), ""))
    letters = str.maketrans(SCRIPTS[language.script])
    return Lexicon(
        roots={c: latin[c].translate(letters) for c in ROOTS},
        grammar={c: latin[c].translate(letters) for c in GRAMMAR},
        names={n: form.translate(letters) for n, form in names.items()},
        inherited=inherited,
        shared_names=shared,
    )


def _first(items: tuple[str, ...], share: float, code: str, what: str) -> list[str]:
    """The first `share` of the items, in an order of the language's own."""
    ranked = sorted(items, key=lambda item: number("rank", what, code, item))
    return ranked[: round(share * len(items))]


@cache
def _source_forms() -> dict[str, str]:
    """Latin forms of the stock that all languages inherit from: the source's."""
    language = made_language(SOURCE)
    forms: dict[str, str] = {}
    for concept in (*ROOTS, *GRAMMAR):
        attempt = 0
        while (form := _invent(concept, language, attempt)) in forms.values():
            attempt += 1
        forms[concept] = form
    return forms


def _inherited(concept: str, language: MadeLanguage) -> str:
    form = _source_forms()[concept]
    for old, new in language.sound_changes:
        form = form.replace(old, new)
    return form


def _invent(concept: str, language: MadeLanguage, attempt: int) -> str:
    """A root of two syllables, or a bound morpheme of one, in the language's own sounds."""
    chance = Chance("form", language.code, concept, attempt)
    if concept in GRAMMAR:
        openers = [c for c in language.consonants if c not in CODAS]
        return chance.pick(openers) + chance.pick(language.vowels)
    syllables = [chance.pick(language.consonants) + chance.pick(language.vowels) for _ in range(2)]
    return "".join(syllables) + (chance.pick(CODAS) if chance.happens(0.35) else "")


def _name(name: str, language: MadeLanguage, end: str) -> str:
    chance = Chance("name", language.code, name)
    form = "".join(chance.pick(language.consonants) + chance.pick(language.vowels) for _ in range(2))
    if end and chance.happens(0.6):
        return form + end
    return form + (chance.pick(CODAS) if chance.happens(0.5) else "")
