"""The made languages: determinism, parallel test sets, and knobs that do what they say."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from xleval_demo import ENCODER_DIR
from xleval_demo.chance import Chance, number
from xleval_demo.concepts import GRAMMAR, ROOTS
from xleval_demo.corpus import RELATIONS, UNKNOWN, Batch, Mixture, batches, paragraphs
from xleval_demo.data import DemoData
from xleval_demo.entailment import LABELS, nli_items
from xleval_demo.entities import ner_items
from xleval_demo.grammar import ROOT, gloss, render, sentence
from xleval_demo.languages import LANGUAGES, SOURCE, MadeLanguage, distance_of, made_language
from xleval_demo.lexicon import SCRIPTS, lexicon
from xleval_demo.meaning import Meaning, Name, Thing
from xleval_demo.pieces import vocabulary

CODES = [language.code for language in LANGUAGES]
TARGETS = [language for language in LANGUAGES if language.code != SOURCE]
DATASETS = ("demo-nli", "demo-ner")  # the others have a file of their own
TAGS = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"}
DIGESTS = {
    "demo-nli/train/qaa": "e1027e98a25e4f29",
    "demo-nli/test/qae": "f2ba34f017fbf41f",
    "demo-ner/test/qag": "bc2e82b6b7c75599",
    "demo-paraphrase/train/qaa": "5379cf6b8d8a0a3a",
    "demo-paraphrase/test/qaf": "b1f511457a2b57bb",
    "demo-copa/train/qaa": "5859196387ad92ba",
    "demo-copa/test/qaf": "624e232f34e9f82d",
    "demo-pos/train/qaa": "3bf33f26bdda48b9",
    "demo-pos/test/qaf": "7c6c428a32b6e0c1",
    "demo-parse/train/qaa": "db9425da183238c2",
    "demo-parse/test/qaf": "efe38bca8b01549e",
    "demo-qa/train/qaa": "881c0f7f82b78d61",
    "demo-qa/test/qaf": "6c5e0edb0facf992",
    "text/qah": "fcb5cda062e08e31",
}
"""First 16 hex digits of the SHA-256 of the canonical JSON; they change only with `DemoData.version`."""


@cache
def rows(dataset: str, split: str, language: str) -> list[dict[str, Any]]:
    return DemoData().rows(dataset, split, language)


def digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generated(key: str) -> object:
    if key.startswith("text/"):
        return DemoData().text(key[5:])
    return rows(*key.split("/"))


# Determinism


@pytest.mark.parametrize("key", DIGESTS)
def test_output_has_its_known_digest(key: str) -> None:
    assert DemoData.version == "1"
    assert digest(generated(key)) == DIGESTS[key]


def test_output_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import hashlib, json; from xleval_demo.data import DemoData; "
        "print(hashlib.sha256(json.dumps([DemoData().rows('demo-nli', 'dev', 'qaa'), DemoData().text('qai')])"
        ".encode()).hexdigest())"
    )

    def run(seed: str) -> str:
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(path for path in sys.path if path)}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert run("1") == run("2") != ""


def test_import_stays_light() -> None:
    code = (
        "import sys, xleval_demo, xleval_demo.data, xleval_demo.pieces, xleval_demo.pretrain; "
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'numpy') if m in sys.modules])"
    )
    env = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_chance_is_a_stream_named_by_its_key() -> None:
    assert number("a", 1) == number("a", "1") != number("a1")
    assert [Chance("k").unit() for _ in range(2)] == [Chance("k").unit()] * 2
    shuffled = Chance("k").shuffled(range(50))
    assert sorted(shuffled) == list(range(50)) != shuffled
    draws = Counter(Chance("below", i).below(4) for i in range(400))
    assert set(draws) == {0, 1, 2, 3} and min(draws.values()) > 60


# Rows


@pytest.mark.parametrize("dataset", DATASETS)
def test_test_sets_are_parallel(dataset: str) -> None:
    first = rows(dataset, "test", SOURCE)
    assert len({row["id"] for row in first}) == len(first) == 360
    for code in CODES[1:]:
        other = rows(dataset, "test", code)
        assert [row["id"] for row in other] == [row["id"] for row in first]
        if dataset == "demo-nli":
            assert [row["label"] for row in other] == [row["label"] for row in first]
        else:
            for here, there in zip(first, other, strict=True):
                # Order differs between languages, what is named does not.
                count = Counter(tag for tag in here["tags"] if tag.startswith("B-"))
                assert count == Counter(tag for tag in there["tags"] if tag.startswith("B-"))


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_labels_are_balanced(split: str) -> None:
    counts = Counter(row["label"] for row in rows("demo-nli", split, SOURCE))
    assert set(counts) == set(LABELS) and len(set(counts.values())) == 1


def test_no_premise_or_sentence_is_in_two_splits() -> None:
    for dataset in DATASETS:
        texts = []
        for split in ("train", "dev", "test"):
            found = rows(dataset, split, SOURCE)
            texts.append({row["premise"] if dataset == "demo-nli" else " ".join(row["tokens"]) for row in found})
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert not texts[i] & texts[j], dataset


@pytest.mark.parametrize("code", CODES)
def test_entity_tags_are_valid_bio(code: str) -> None:
    seen: set[str] = set()
    for row in rows("demo-ner", "test", code):
        assert len(row["tokens"]) == len(row["tags"])
        before = "O"
        for tag in row["tags"]:
            if tag.startswith("I-"):
                assert before[2:] == tag[2:], row
            before = tag
        seen.update(row["tags"])
    assert seen >= TAGS - {"I-LOC"} and seen <= TAGS


def test_some_test_names_are_not_in_training() -> None:
    def names(split: str) -> set[str]:
        found = rows("demo-ner", split, SOURCE)
        return {t for row in found for t, tag in zip(row["tokens"], row["tags"], strict=True) if tag != "O"}

    unknown = names("test") - names("train")
    assert 0.1 < len(unknown) / len(names("test")) < 0.8


def test_training_data_are_parallel_too() -> None:
    source, other = (rows("demo-nli", "train", code) for code in (SOURCE, "qab"))
    assert len(source) == 2400
    assert [(row["id"], row["label"]) for row in source] == [(row["id"], row["label"]) for row in other]
    assert source[0]["premise"] != other[0]["premise"]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (("demo-xyz", "test", "qaa"), "demo-xyz"),
        (("demo-nli", "validation", "qaa"), "validation"),
        (("demo-nli", "test", "deu"), "deu"),
    ],
)
def test_what_is_unknown_is_named(call: tuple[str, str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DemoData().rows(*call)
    with pytest.raises(ValueError, match="deu"):
        DemoData().text("deu")


def bag_of_words_accuracy(sides: tuple[str, ...]) -> float:
    """Naive Bayes over words and word pairs of the given fields, trained on train, scored on test."""

    def features(row: dict[str, Any]) -> list[str]:
        words = [f"{side}:{word}" for side in sides for word in row[side].split()]
        return words + [a + b for a, b in pairwise(words)]

    counts: dict[str, Counter[str]] = {label: Counter() for label in LABELS}
    for row in rows("demo-nli", "train", SOURCE):
        counts[row["label"]].update(features(row))
    vocabulary = len({word for counter in counts.values() for word in counter})
    totals = {label: sum(counter.values()) + vocabulary for label, counter in counts.items()}

    def score(row: dict[str, Any], label: str) -> float:
        return sum(math.log((counts[label][f] + 1) / totals[label]) for f in features(row))

    test = rows("demo-nli", "test", SOURCE)
    return sum(max(LABELS, key=lambda label: score(row, label)) == row["label"] for row in test) / len(test)


def test_the_hypothesis_alone_does_not_give_the_label_away() -> None:
    assert bag_of_words_accuracy(("hypothesis",)) < 0.52
    assert bag_of_words_accuracy(("premise", "hypothesis")) < 0.56


# Languages


def test_codes_are_for_private_use_and_names_differ() -> None:
    assert all("qaa" <= code <= "qtz" for code in CODES)
    assert len(set(CODES)) == len({language.name for language in LANGUAGES}) == len(LANGUAGES) == 9
    assert [language.code for language in LANGUAGES if not language.seen] == ["qah", "qai"]


def test_distance_follows_from_the_knobs() -> None:
    assert made_language(SOURCE).distance == 0
    assert distance_of(MadeLanguage("qza", "X", seen=True, cognates=0.5)) == 0.3
    assert distance_of(MadeLanguage("qza", "X", seen=False, cognates=0.5, order="SOV", script="Grek")) == 0.55
    everything = MadeLanguage(
        "qza", "X", seen=True, cognates=0, order="VSO", adjective_first=False, script="Cyrl",
        plural="prefix", tense="prefix", case="prefix", negation="suffix",
    )  # fmt: skip
    assert everything.distance == 1.0
    assert all(0 < language.distance < 1 for language in TARGETS)


@pytest.mark.parametrize("language", TARGETS, ids=lambda language: language.code)
def test_share_of_cognates_is_the_knob(language: MadeLanguage) -> None:
    words = lexicon(language.code)
    for stock in (ROOTS, GRAMMAR):
        share = len(words.inherited & set(stock)) / len(stock)
        assert share == pytest.approx(language.cognates, abs=0.5 / len(stock) + 1e-9)
    source = lexicon(SOURCE).roots
    letters = str.maketrans(SCRIPTS[language.script])
    alike = [c for c in ROOTS if words.roots[c] == changed(source[c], language).translate(letters)]
    assert len(alike) / len(ROOTS) == pytest.approx(language.cognates, abs=0.03)


def changed(form: str, language: MadeLanguage) -> str:
    for old, new in language.sound_changes:
        form = form.replace(old, new)
    return form


@pytest.mark.parametrize("code", CODES)
def test_no_two_concepts_share_a_form(code: str) -> None:
    words = lexicon(code)
    forms = [*words.roots.values(), *words.grammar.values()]
    assert len(set(forms)) == len(forms)


def test_another_script_shares_no_letter_with_the_source() -> None:
    source = set("".join(DemoData().text(SOURCE)[:300])) - set(" .?")
    for language in TARGETS:
        letters = set("".join(DemoData().text(language.code)[:300])) - set(" .?")
        assert bool(letters & source) == (language.script == "Latn")


MEANING = Meaning(
    verb="see",
    subject=Thing("dog", adjective="big", plural=True),
    object=Thing("king", name=Name("PER", ("PER-1", "FAM-2"))),
    place=Thing("house"),
    tense="past",
    negated=True,
)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_order_and_affixes_stand_where_the_knobs_say(language: MadeLanguage) -> None:
    tokens = render(MEANING, language.code)
    at = {role: min(i for i, t in enumerate(tokens) if t.role == role) for role in ("subject", "verb", "object")}
    order = "".join(sorted("SVO", key=lambda slot: at[{"S": "subject", "V": "verb", "O": "object"}[slot]]))
    assert order == language.order
    subject = [t.pos for t in tokens if t.role == "subject"]
    assert subject == (["ADJ", "NOUN"] if language.adjective_first else ["NOUN", "ADJ"])
    text = gloss(MEANING, language.code)
    for side, stem, affix in (
        (language.plural, "dog", "PLURAL"),
        (language.tense, "see", "PAST"),
        (language.case, "FAM-2", "ACCUSATIVE"),
        (language.case, "house", "LOCATIVE"),
    ):
        assert (f"{affix}-{stem}" if side == "prefix" else f"{stem}-{affix}") in text
    assert (" NEGATION " in f" {text} ") == (language.negation == "particle")


@pytest.mark.parametrize("code", CODES)
def test_a_rendering_is_a_tree_with_roles(code: str) -> None:
    for meaning in (MEANING, *ner_items("test")[:40], *(premise for premise, _, _ in nli_items("test")[:40])):
        tokens = render(meaning, code)
        assert [token.relation for token in tokens].count("root") == 1
        for position, token in enumerate(tokens, start=1):
            steps, at = 0, position
            while at != ROOT:
                at, steps = tokens[at - 1].head, steps + 1
                assert steps <= len(tokens), "heads form a cycle"
            assert (token.head == ROOT) == (token.relation == "root")
        assert sentence(meaning, code) == " ".join(token.form for token in tokens)


def test_title_stands_outside_the_name() -> None:
    tags = [token.entity for token in render(MEANING, SOURCE) if token.role == "object"]
    assert tags == ["O", "B-PER", "I-PER"]


def test_amount_of_text_is_a_knob() -> None:
    assert DemoData().languages == tuple(CODES)
    for language in LANGUAGES:
        text = DemoData().text(language.code)
        assert len(text) == language.lines
        assert len(set(text)) > 0.95 * len(text)


# The encoder and what it was pretrained on


@cache
def drawn() -> tuple[Batch, ...]:
    return tuple(batches(24, 16, Mixture()))


def test_pretraining_text_holds_no_unseen_language() -> None:
    words = {word for batch in drawn() for text in (*batch.first, *(batch.second or ())) for word in text.split()}
    known = {form for lang in LANGUAGES if lang.seen for form in lexicon(lang.code).roots.values()}

    def met(own: set[str]) -> float:
        return len(own & words) / len(own)

    # A few short forms are also somebody's name in a seen language.
    for language in (lang for lang in LANGUAGES if not lang.seen):
        assert met(set(lexicon(language.code).roots.values()) - known) < 0.1
    assert met(set(lexicon(SOURCE).roots.values())) > 0.5


def test_pretraining_batches_come_in_three_forms() -> None:
    assert len(drawn()) == 24
    assert Counter(batch.second is None for batch in drawn()) == {False: 18, True: 6}
    assert Counter(len(batch.first) for batch in drawn()) == {16: 21, 8: 3}
    for batch in drawn():
        assert len(batch.relation) == len(batch.first)
        assert set(batch.relation) <= {UNKNOWN, *range(len(RELATIONS))}
        if batch.second is None:
            assert set(batch.relation) == {UNKNOWN}


def test_connectives_are_asked_for_where_a_sentence_is_in_the_source() -> None:
    source = set(lexicon(SOURCE).roots.values())
    asked, with_source = 0, 0
    for batch in drawn():
        for first, second, relation in zip(batch.first, batch.second or (), batch.relation, strict=False):
            if relation != UNKNOWN:
                asked += 1
                with_source += bool(source & {*first.split(), *second.split()})
                assert second.split()[0] not in {lexicon(SOURCE).roots[c] for c in RELATIONS[:-1]}
    # Short sentences of names and affixed words show no bare root.
    assert asked > 40 and with_source > 0.8 * asked


def test_encoder_is_what_its_sums_say_and_is_small() -> None:
    listed = [line.split() for line in (ENCODER_DIR / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in listed} >= {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"}
    assert {name for _, name in listed} | {"SHA256SUMS"} == {path.name for path in ENCODER_DIR.iterdir()}
    for expected, name in listed:
        assert hashlib.sha256((ENCODER_DIR / name).read_bytes()).hexdigest() == expected, name
    assert sum(path.stat().st_size for path in ENCODER_DIR.iterdir()) < 3_000_000


def test_tokenizer_reads_every_language_and_splits_the_unseen_ones_finer() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(ENCODER_DIR / "tokenizer.json"))
    pieces: dict[str, float] = {}
    for code in CODES:
        text = DemoData().text(code)[:200]
        encoded = tokenizer.encode_batch(text, add_special_tokens=False)
        assert not any("[UNK]" in row.tokens for row in encoded), code
        pieces[code] = sum(len(row.tokens) for row in encoded) / sum(len(line.split()) for line in text)
    assert max(pieces[lang.code] for lang in LANGUAGES if lang.seen) < pieces["qah"] < pieces["qai"]


def test_encoder_vocabulary_is_rebuilt_from_the_text() -> None:

    sample = paragraphs(0, 30_000, Mixture())
    pieces = vocabulary(line for pair in sample for line in (pair.first, pair.second))
    assert (ENCODER_DIR / "vocab.txt").read_text(encoding="utf-8").splitlines() == pieces
