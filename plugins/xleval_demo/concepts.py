"""What can be spoken of: concepts, named by an English gloss, and the relations that hold between them.

The lists are closed on purpose. Whether a concept is inherited in a language depends on its rank among all
(so that the share of cognates is exact); adding one changes the text, the data version and the encoder.
"""

from __future__ import annotations

from typing import Final

MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "animal": ("dog", "cat", "horse", "goat", "fish", "bird", "wolf", "hen"),
    "person": ("child", "teacher", "farmer", "doctor", "hunter", "singer", "guard", "cook"),
    "food": ("bread", "apple", "rice", "cheese", "onion", "soup", "honey", "bean"),
    "tool": ("knife", "hammer", "rope", "basket", "wheel", "lamp", "needle", "spade"),
}
"""Hypernym to hyponyms."""
PLACES: Final = ("house", "school", "market", "temple", "tower", "mill", "barn", "inn")
ANTONYM_ADJECTIVES: Final = (
    ("big", "small"), ("old", "young"), ("hot", "cold"), ("clean", "dirty"),
    ("rich", "poor"), ("fast", "slow"), ("happy", "sad"), ("strong", "weak"),
)  # fmt: skip
ANTONYM_VERBS: Final = (
    ("love", "hate"),
    ("buy", "sell"),
    ("find", "lose"),
    ("carry", "drop"),
    ("praise", "blame"),
)
SYNONYM_VERBS: Final = (("see", "watch"), ("follow", "chase"), ("wash", "scrub"), ("hold", "grip"))
CAUSES: Final = (
    ("work", "rest"), ("fall", "cry"), ("win", "laugh"), ("hunger", "eat"),
    ("thirst", "drink"), ("freeze", "shiver"), ("run", "sweat"), ("tire", "sleep"),
)  # fmt: skip
"""Pairs of intransitive verbs: the first brings about the second."""
TITLES: Final = ("king", "lady", "captain")
LOCATION_WORDS: Final = ("city", "river")
ORGANISATION_WORDS: Final = ("bank", "company", "club", "union")
NAME_VERBS: Final = ("meet", "lead", "visit", "join", "help")
CONNECTIVES: Final = ("so", "but", "also", "because")
QUESTION_WORDS: Final = ("who", "what", "where")
GRAMMAR: Final = (
    "PLURAL", "PAST", "FUTURE", "ACCUSATIVE", "LOCATIVE", "NEGATION", "PERSON-END", "PLACE-END", "HOUSE-END",
)  # fmt: skip
"""Bound morphemes (and the negation particle); the last three end many proper names."""
NAMES: Final[dict[str, int]] = {"PER": 60, "FAM": 40, "LOC": 50, "ORG": 40}
"""Proper names by kind: given names, family names, places, organisations; spelled `PER-0`, `PER-1`, ..."""

NOUNS: Final = tuple(noun for members in MEMBERS.values() for noun in members)
HYPERNYM: Final = {noun: upper for upper, members in MEMBERS.items() for noun in members}
ADJECTIVES: Final = tuple(word for pair in ANTONYM_ADJECTIVES for word in pair)
VERBS: Final = tuple(word for pair in (*ANTONYM_VERBS, *SYNONYM_VERBS) for word in pair)
INTRANSITIVES: Final = tuple(word for pair in CAUSES for word in pair)


def _both_ways(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {a: b for pair in pairs for a, b in (pair, pair[::-1])}


ANTONYM: Final = _both_ways(ANTONYM_ADJECTIVES) | _both_ways(ANTONYM_VERBS)
SYNONYM: Final = _both_ways(SYNONYM_VERBS)

ROOTS: Final = (
    *NOUNS, *MEMBERS, *PLACES, *ADJECTIVES, *VERBS, *INTRANSITIVES, *TITLES, *LOCATION_WORDS,
    *ORGANISATION_WORDS, *NAME_VERBS, *CONNECTIVES, *QUESTION_WORDS,
)  # fmt: skip
"""Every concept with a root of its own."""
