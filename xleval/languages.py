"""The languages a run can name: one registry of codes, aliases and what is known of each language.

Data sets write Swahili as ``sw``, ``swa`` or ``swh``. Here all three are one :class:`Language`, whose code
stands in fingerprints, records and tables, so that a language is never trained or counted twice. The
languages themselves, and the sources of every fact about them, are in ``languages.yaml``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from xleval.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Resource = Literal["high", "medium", "low"]

#: Glottolog's macro-areas, and ``"None"`` for a constructed language, which is at home nowhere.
MACROAREAS = ("Africa", "Australia", "Eurasia", "North America", "Papunesia", "South America", "None")

_CODE = re.compile(r"[a-z]{3}")
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")


class UnknownLanguage(UserError):  # noqa: N818 - it names the fault, as its message does
    """No language has this code, alias or name; the message names the nearest ones."""


class LanguageClash(UserError):  # noqa: N818
    """Two languages claim one code, alias or name; the message names both."""


@dataclass(frozen=True)
class Language:
    """One language, under the code that stands for it everywhere in xleval.

    Raises:
        UserError: a field has a value that its description below does not allow.
    """

    code: str
    """ISO 639-3; the macrolanguage's or the 639-2 group's where data sets name no finer one; ``qaa`` to
    ``qtz`` are for private use, such as made languages."""
    name: str
    """English name, as the field writes it."""
    family: str
    """Top-level family: Glottolog's, with Niger-Congo for its Atlantic-Congo; ``"Constructed"``."""
    script: str
    """ISO 15924 code of the script that its data are written in, such as ``Latn``."""
    macroarea: str
    """One of :data:`MACROAREAS`."""
    resource: Resource
    """Class of Joshi et al. 2020, "The State and Fate of Linguistic Diversity and Inclusion in the NLP
    World": high is class 4 or 5, medium 2 or 3, low 0, 1 or not classified. It says what data existed in
    2020, not what a backbone saw."""
    aliases: tuple[str, ...] = ()
    """Other codes and names: ISO 639-1, a macrolanguage's individual code, names in data sets, treebanks."""
    mbert: bool = False
    """Among the Wikipedias that multilingual BERT (cased) was pretrained on."""
    xlmr: bool = False
    """In the CommonCrawl text that XLM-R was pretrained on, in its own script."""
    note: str = ""
    """What a reader of a table should know: which variety the data are in, what else goes by the alias."""

    def __post_init__(self) -> None:
        for field, value, allowed, ok in (
            ("code", self.code, "three lower-case letters (ISO 639-3)", _CODE.fullmatch(self.code)),
            ("name", self.name, "not empty", self.name.strip()),
            ("family", self.family, "not empty", self.family.strip()),
            ("script", self.script, "four letters such as Latn (ISO 15924)", _SCRIPT.fullmatch(self.script)),
            ("macroarea", self.macroarea, f"one of {', '.join(MACROAREAS)}", self.macroarea in MACROAREAS),
            ("resource", self.resource, "high, medium or low", self.resource in get_args(Resource)),
            # A bare string is a sequence too: ("sw") would claim "s" and "w".
            ("aliases", self.aliases, "a tuple of names", _is_names(self.aliases)),
        ):
            if not ok:
                raise UserError(f"language {self.code!r}: its {field} {value!r} is not {allowed}")

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class LanguageRegistry:
    """Languages by code, alias or English name, whatever the case, ``-`` and ``_`` being the same.

    Iteration is in order of code.

    Raises:
        LanguageClash: a code, alias or name claimed by two of the languages.
    """

    def __init__(self, languages: Iterable[Language]) -> None:
        self._languages = tuple(sorted(languages, key=lambda language: language.code))
        self._claims: dict[str, Language] = {}
        for language in self._languages:
            # Once each: Ewe may claim "ewe" both as code and as name.
            for claim in dict.fromkeys(map(_key, (language.code, *language.aliases, language.name))):
                if claim in self._claims:
                    raise LanguageClash(f"{claim!r} is claimed by {self._claims[claim]} and by {language}")
                self._claims[claim] = language

    def get(self, code: str) -> Language:
        """The language with this code, alias or name.

        Raises:
            UnknownLanguage: there is none.
        """
        try:
            return self._claims[_key(code)]
        except KeyError:
            raise UnknownLanguage(f"unknown language {code!r}{self._hint(code)}") from None

    def with_languages(self, more: Iterable[Language]) -> LanguageRegistry:
        """A registry of these languages and ``more``; this one stays as it is.

        Raises:
            LanguageClash: one of ``more`` claims what another language has.
        """
        return LanguageRegistry((*self._languages, *more))

    def __iter__(self) -> Iterator[Language]:
        return iter(self._languages)

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and _key(code) in self._claims

    def __len__(self) -> int:
        return len(self._languages)

    def _hint(self, code: str) -> str:
        near = difflib.get_close_matches(_key(code), self._claims, n=3, cutoff=0.6)
        if not near:
            return " (see `xleval ls languages`)"
        # Several claims of one language may be near: "swahli" is close to Swahili and to Kiswahili.
        found = dict.fromkeys(str(self._claims[claim]) for claim in near)
        return f"; did you mean {' or '.join(found)}?"


@cache
def builtin() -> LanguageRegistry:
    """The languages of ``languages.yaml``, read on the first call."""
    # Imported here, for plugins and the command line need Language without the 13 ms that yaml takes.
    import yaml

    # The loader in C takes 6 ms, the one in Python 50; some builds of PyYAML have only the latter.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = Path(__file__).with_name("languages.yaml").read_text(encoding="utf-8")
    return LanguageRegistry(_read(code, entry) for code, entry in yaml.load(text, loader).items())


def _read(code: str, entry: Mapping[str, Any]) -> Language:
    fields = dict(entry)
    seen = fields.pop("seen", ())
    aliases = tuple(fields.pop("aliases", ()))
    return Language(code, **fields, aliases=aliases, mbert="mbert" in seen, xlmr="xlmr" in seen)


def _key(name: str) -> str:
    return name.strip().casefold().replace("-", "_")


def _is_names(aliases: object) -> bool:
    return isinstance(aliases, tuple) and all(isinstance(alias, str) and alias.strip() for alias in aliases)
