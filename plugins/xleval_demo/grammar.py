"""Renders a meaning in a language. One grammar, steered by the knobs of `MadeLanguage`.

The result is tokens with their roles (part of speech, head, relation, entity tag), so that every task, from
strings to trees, is read off the same rendering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval_demo.languages import MadeLanguage, made_language
from xleval_demo.lexicon import Lexicon, lexicon

if TYPE_CHECKING:
    from xleval_demo.meaning import Meaning, Name, Thing

ROOT = 0


@dataclass(frozen=True)
class Token:
    """One word of a sentence."""

    form: str
    pos: str
    """Universal part of speech."""
    head: int
    """1-based position of the head; 0 for the root."""
    relation: str
    """Universal dependency relation."""
    entity: str
    """BIO tag: O, B-PER, I-PER, B-LOC, ..."""
    role: str
    """Slot of the meaning: subject, object, place, verb, negation, opening, punctuation."""
    gloss: str
    """Concept and affixes, as in `dog-PLURAL`."""


@dataclass(frozen=True)
class _Word:
    form: str
    pos: str
    relation: str
    gloss: str
    entity: str = "O"
    role: str = ""
    inner: int | None = None
    """Index of the head inside the phrase; None for the phrase's own head."""


def render(meaning: Meaning, code: str) -> tuple[Token, ...]:
    """The sentence that says `meaning` in a language. Raises ValueError for an unknown language."""
    return _Renderer(made_language(code), lexicon(code)).sentence(meaning)


def sentence(meaning: Meaning, code: str) -> str:
    """`render` as a string, words apart by blanks."""
    return " ".join(token.form for token in render(meaning, code))


def gloss(meaning: Meaning, code: str) -> str:
    """Word-by-word gloss in the language's order."""
    return " ".join(token.gloss for token in render(meaning, code))


@dataclass(frozen=True)
class _Renderer:
    language: MadeLanguage
    lexicon: Lexicon

    def sentence(self, meaning: Meaning) -> tuple[Token, ...]:
        verb = self._verb(meaning)
        phrases = {
            "S": self._phrase(meaning.subject, "nsubj", "subject"),
            "V": verb,
            "O": self._phrase(meaning.object, "obj", "object", "ACCUSATIVE") if meaning.object else [],
        }
        ordered = [phrases[slot] for slot in self.language.order]
        if meaning.place:
            place = self._phrase(meaning.place, "obl", "place", "LOCATIVE")
            # Verb-final languages keep the verb last; the others put the place there.
            last = len(ordered) - 1 if self.language.order == "SOV" else len(ordered)
            ordered.insert(0 if meaning.fronted else last, place)
        if meaning.opening:
            opening = meaning.opening
            pos, relation = ("SCONJ", "mark") if opening == "because" else ("CCONJ", "cc")
            ordered.insert(0, [_Word(self.lexicon.roots[opening], pos, relation, opening, role="opening", inner=-1)])
        mark = "?" if meaning.question else "."
        ordered.append([_Word(mark, "PUNCT", "punct", mark, role="punctuation", inner=-1)])
        return _linearise(ordered)

    def _verb(self, meaning: Meaning) -> list[_Word]:
        affixes: list[tuple[str, str]] = []
        if meaning.tense != "present":
            affixes.append((self.language.tense, meaning.tense.upper()))
        negation: list[_Word] = []
        if meaning.negated and self.language.negation == "particle":
            form = self.lexicon.grammar["NEGATION"]
            negation = [_Word(form, "PART", "advmod", "NEGATION", role="negation", inner=-1)]
        elif meaning.negated:
            affixes.append((self.language.negation, "NEGATION"))
        form, text = self._inflect(meaning.verb, self.lexicon.roots[meaning.verb], affixes)
        return [*negation, _Word(form, "VERB", "root", text, role="verb")]

    def _phrase(self, thing: Thing, relation: str, role: str, case: str | None = None) -> list[_Word]:
        """A noun phrase whose head carries plural and case; modifiers point at it."""
        marks: list[tuple[str, str]] = [(self.language.case, case)] if case else []
        if thing.name is not None:
            return self._named(thing, thing.name, relation, role, marks)
        assert thing.concept is not None
        affixes = [(str(self.language.plural), "PLURAL"), *marks] if thing.plural else marks
        form, text = self._inflect(thing.concept, self.lexicon.roots[thing.concept], affixes)
        pos = "PRON" if thing.concept in ("who", "what", "where") else "NOUN"
        noun = _Word(form, pos, relation, text, role=role)
        if thing.adjective is None:
            return [noun]
        first = self.language.adjective_first
        root = self.lexicon.roots[thing.adjective]
        adjective = _Word(root, "ADJ", "amod", thing.adjective, role=role, inner=1 if first else 0)
        return [adjective, noun] if first else [noun, adjective]

    def _named(self, thing: Thing, name: Name, relation: str, role: str, marks: list[tuple[str, str]]) -> list[_Word]:
        """[title] name [name]: the last word of the entity carries the case; the title stands outside it."""
        parts = [(self.lexicon.names[part], "PROPN", part) for part in name.parts]
        if name.word is not None:
            common = (self.lexicon.roots[name.word], "NOUN", name.word)
            parts = [*parts, common] if self.language.adjective_first else [common, *parts]
        words: list[_Word] = []
        if thing.concept is not None:
            title = self.lexicon.roots[thing.concept]
            words.append(_Word(title, "NOUN", "compound", thing.concept, role=role, inner=1))
        start = len(words)
        for i, (form, pos, text) in enumerate(parts):
            marked, full = self._inflect(text, form, marks if i == len(parts) - 1 else [])
            tag = f"{'I' if i else 'B'}-{name.kind}"
            inner, rel = (None, relation) if i == 0 else (start, "flat")
            words.append(_Word(marked, pos, rel, full, entity=tag, role=role, inner=inner))
        return words

    def _inflect(self, text: str, stem: str, affixes: list[tuple[str, str]]) -> tuple[str, str]:
        """Form and gloss of a stem with its affixes, the first nearest to the stem."""
        for side, morpheme in affixes:
            form = self.lexicon.grammar[morpheme]
            before = side == "prefix"
            stem = form + stem if before else stem + form
            text = f"{morpheme}-{text}" if before else f"{text}-{morpheme}"
        return stem, text


def _linearise(phrases: list[list[_Word]]) -> tuple[Token, ...]:
    """Positions for heads: the verb is the root, phrase heads and stray words (inner -1) hang on it."""
    words = [(word, i) for i, phrase in enumerate(phrases) for word in phrase]
    starts, total = [], 0
    for phrase in phrases:
        starts.append(total)
        total += len(phrase)
    root = next(i for i, (word, _) in enumerate(words, start=1) if word.relation == "root")
    tokens = []
    for word, phrase_index in words:
        if word.relation == "root":
            head = ROOT
        elif word.inner is None or word.inner < 0:
            head = root
        else:
            head = starts[phrase_index] + word.inner + 1
        tokens.append(Token(word.form, word.pos, head, word.relation, word.entity, word.role, word.gloss))
    return tuple(tokens)
