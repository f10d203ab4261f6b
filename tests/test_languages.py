"""The registry of languages: every code that a data set or a paper writes leads to the right language."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from xleval import languages
from xleval.errors import UserError
from xleval.languages import MACROAREAS, Language, LanguageClash, LanguageRegistry, UnknownLanguage, builtin

SHARED = Path(__file__).resolve().parents[2] / "shared"

# What each benchmark, treebank or script writes, letter by letter.
WRITTEN = {
    "masakhaner": "amh hau ibo kin lug luo pcm swa wol yor",
    "ud": "af_afribooms bm_crb eu_bdt kpv_lattice mr_ufal mt_mudt myv_jr te_mtg ug_udt wo_wtb en_ewt",
    "americasnli": "aym bzd cni gn hch nah oto quy shp tar",
    "xnli": "ar bg de el en es fr hi ru sw th tr ur vi zh",
    "pawsx": "de en es fr ja ko zh",
    "xcopa": "et ht id it qu sw ta th tr vi zh",
    "xquad": "ar de el en es hi ro ru th tr vi zh",
    "tydiqa": "ar bn en fi id ko ru sw te th",
    "panx": (
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te "
        "th tl tr ur vi yo zh"
    ),
    # The 38 transfer languages of Faisal & Anastasopoulos 2024, whose scripts write "jap" for jpn.
    "faisal": (
        "gub est bre eng ben kmr spa bul pms gle nep cym fin hye mya hin tel tam kor ell hun heb zho ara "
        "swe jpn fre deu rus bam ewe hau ibo kin mos pcm wol yor"
    ),
    # The cycle of ALL-MULTI in Parović et al. 2023.
    "tlr": (
        "af ar aym bm bn bzd cni eu gn hau hch hi ibo kin kpv lug luo mr mt myv nah oto pcm quy shp sw tar "
        "te th ug ur wo yor zh"
    ),
    "adapterhub": (
        "am ar bh bn bxr cdo cs de el en es et eu fa fi fr gn hi ht hu hy id ilo is it ja jv ka ko kv la lv "
        "mhr mi my myv pt qu ru se sw ta th tk tr vi wo xmf zh zh_yue"
    ),
    "text": (
        "af amh ar bam cni de en es et eu ewe fon fr hau hi ibo id it kin lug luo mos mr mt nah pcm quw swa "
        "ta te th tr tsn twi vi wol yor zh zul"
    ),
}

# Wikipedia's codes for the entries of google-research/bert multilingual.md, Chinese once.
MBERT = (
    "af sq ar an hy ast az ba eu bar be bn bpy bs br bg my ca ceb ce zh cv hr cs da nl en et fi fr gl ka "
    "de el gu ht he hi hu is io id ga it ja jv kn kk ky ko la lv lt lmo nds lb mk mg ms ml mr min ne new "
    "nb nn oc fa pms pl pt pa ro ru sco sr sh scn sk sl azb es su sw sv tl tg ta tt te tr uk ur uz vi vo "
    "war cy fy pnb yo th mn"
)

# CC-100's codes for the entries of fairseq examples/xlmr/README.md, without romanizations.
XLMR = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr "
    "hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps "
    "pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)


@pytest.fixture(scope="module")
def registry() -> LanguageRegistry:
    return builtin()


def made(code: str = "qaa", **fields: object) -> Language:
    """A made language with every field valid."""
    base = Language(code, f"Made {code}", "Constructed", "Latn", "None", "low")
    return replace(base, **fields)  # type: ignore[arg-type]


# Look-up


@pytest.mark.parametrize("where", WRITTEN)
def test_every_written_code_resolves(registry: LanguageRegistry, where: str) -> None:
    codes = WRITTEN[where].split()
    assert len({registry.get(code).code for code in codes}) == len(codes)


def test_sizes_of_the_lists() -> None:
    sizes = {"panx": 40, "faisal": 38, "tlr": 34, "xnli": 15, "xcopa": 11, "pawsx": 7}
    assert {where: len(WRITTEN[where].split()) for where in sizes} == sizes


def test_code_aliases_and_name_lead_to_the_same_language(registry: LanguageRegistry) -> None:
    for language in registry:
        for claim in (language.code, *language.aliases, language.name):
            assert claim in registry
            assert registry.get(claim) is language


@pytest.mark.parametrize("written", ["sw", "swa", "swh", "Swahili", "swahili", "SW", " swa ", "Kiswahili"])
def test_swahili_is_one_language(registry: LanguageRegistry, written: str) -> None:
    assert registry.get(written).code == "swa"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("arb", "ara"),
        ("cmn", "zho"),
        ("ekk", "est"),
        ("ayr", "aym"),
        ("gn", "grn"),
        ("fre", "fra"),
        ("no", "nob"),  # YAML 1.1 reads a bare no as false
        ("zh_yue", "yue"),
        ("zh-yue", "yue"),
        ("serbo_croatian", "hbs"),
        ("RARÁMURI", "tar"),
        ("Wixárika", "hch"),
    ],
)
def test_other_codes_and_spellings(registry: LanguageRegistry, written: str, code: str) -> None:
    assert registry.get(written).code == code


def test_quechuas_stay_apart(registry: LanguageRegistry) -> None:
    assert registry.get("qu").code == registry.get("qve").code == "que"
    assert registry.get("quy").code == "quy"
    assert registry.get("quw").code == "quw"


@pytest.mark.parametrize("code", ["jap", "als", "xx", "", "e", "swa swh"])
def test_unsafe_and_unknown_codes_do_not_resolve(registry: LanguageRegistry, code: str) -> None:
    """``jap`` is Jaruára in ISO 639-3, ``als`` Tosk Albanian there and Alemannic in Wikipedia."""
    assert code not in registry
    with pytest.raises(UnknownLanguage):
        registry.get(code)


def test_contains_takes_anything(registry: LanguageRegistry) -> None:
    assert None not in registry
    assert 3 not in registry


def test_a_typo_gets_suggestions(registry: LanguageRegistry) -> None:
    with pytest.raises(UnknownLanguage, match=r"unknown language 'swahli'; did you mean Swahili \(swa\)\?$"):
        registry.get("swahli")
    with pytest.raises(UnknownLanguage, match=r"Wolof \(wol\)"):
        registry.get("wlof")


def test_nothing_near_points_to_the_list(registry: LanguageRegistry) -> None:
    with pytest.raises(UserError, match=r"'zzzzzzzz'.*xleval ls languages"):
        registry.get("zzzzzzzz")


def test_errors_survive_pickling(registry: LanguageRegistry) -> None:
    with pytest.raises(UnknownLanguage) as caught:
        registry.get("swahli")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# Facts


def test_mbert_languages(registry: LanguageRegistry) -> None:
    seen = {language.code for language in registry if language.mbert}
    assert seen == {registry.get(code).code for code in MBERT.split()}
    assert len(MBERT.split()) == len(seen) == 103  # 104 entries, of which two are Chinese


def test_xlmr_languages(registry: LanguageRegistry) -> None:
    seen = {language.code for language in registry if language.xlmr}
    assert seen == {registry.get(code).code for code in XLMR.split()}
    assert len(XLMR.split()) == len(seen) == 93  # 100 entries: 5 romanizations, a font encoding, Chinese twice


@pytest.mark.parametrize(
    ("code", "mbert", "xlmr"),
    [
        ("eng", True, True),
        ("swa", True, True),
        ("tha", True, True),  # in the cased model only, as Mongolian
        ("mon", True, True),
        ("yor", True, False),
        ("hat", True, False),
        ("amh", False, True),
        ("hau", False, True),
        ("uig", False, True),
        ("wol", False, False),
        ("ibo", False, False),
        ("zul", False, False),  # in the CC-100 release, not in XLM-R's text
        ("mlt", False, False),
        ("que", False, False),
        ("quy", False, False),
        ("grn", False, False),
        ("mri", False, False),
    ],
)
def test_pretraining(registry: LanguageRegistry, code: str, mbert: bool, xlmr: bool) -> None:
    assert (registry.get(code).mbert, registry.get(code).xlmr) == (mbert, xlmr)


@pytest.mark.parametrize(
    ("code", "family", "script", "macroarea"),
    [
        ("amh", "Afro-Asiatic", "Ethi", "Africa"),
        ("bam", "Mande", "Latn", "Africa"),
        ("bzd", "Chibchan", "Latn", "North America"),
        ("cni", "Arawakan", "Latn", "South America"),
        ("epo", "Constructed", "Latn", "None"),
        ("eus", "Basque", "Latn", "Eurasia"),
        ("hat", "Indo-European", "Latn", "North America"),
        ("hch", "Uto-Aztecan", "Latn", "North America"),
        ("ind", "Austronesian", "Latn", "Papunesia"),
        ("jpn", "Japonic", "Jpan", "Eurasia"),
        ("kpv", "Uralic", "Cyrl", "Eurasia"),
        ("luo", "Nilotic", "Latn", "Africa"),
        ("mlg", "Austronesian", "Latn", "Africa"),
        ("mlt", "Afro-Asiatic", "Latn", "Eurasia"),
        ("oto", "Oto-Manguean", "Latn", "North America"),
        ("shp", "Pano-Tacanan", "Latn", "South America"),
        ("swa", "Niger-Congo", "Latn", "Africa"),
        ("tha", "Tai-Kadai", "Thai", "Eurasia"),
        ("tur", "Turkic", "Latn", "Eurasia"),
        ("uig", "Turkic", "Arab", "Eurasia"),
        ("urd", "Indo-European", "Arab", "Eurasia"),
    ],
)
def test_classification(registry: LanguageRegistry, code: str, family: str, script: str, macroarea: str) -> None:
    language = registry.get(code)
    assert (language.family, language.script, language.macroarea) == (family, script, macroarea)


def test_resource_levels_are_those_of_joshi_et_al(registry: LanguageRegistry) -> None:
    levels: dict[str, set[str]] = {"high": set(), "medium": set(), "low": set()}
    for language in registry:
        levels[language.resource].add(language.code)
    assert len(levels["high"]) == 7 + 18  # every language of classes 5 and 4 is here
    assert len(levels["medium"]) == 28 + 19 - 3  # classes 3 and 2 but Egyptian Arabic, Konkani and Tigrinya
    assert {"eng", "zho", "eus", "vie"} <= levels["high"]
    assert {"tha", "est", "swa", "wol", "yor", "hat"} <= levels["medium"]
    assert {"tel", "ibo", "bam", "quy", "nob"} <= levels["low"]


def test_the_file_is_in_order_and_spelled_once() -> None:
    lines = Path(languages.__file__).with_name("languages.yaml").read_text(encoding="utf-8").splitlines()
    codes = [line.partition(":")[0] for line in lines if line and not line.startswith("#")]
    assert codes == sorted(set(codes)) == [language.code for language in builtin()]
    assert {language.macroarea for language in builtin()} <= set(MACROAREAS)


# Registries


def test_a_claim_by_two_names_both() -> None:
    first, second = made("qaa", aliases=("zz",)), made("qab", aliases=("ZZ",))
    with pytest.raises(LanguageClash, match=r"'zz' is claimed by Made qaa \(qaa\) and by Made qab \(qab\)"):
        LanguageRegistry([first, second])


@pytest.mark.parametrize("fields", [{"code": "eng"}, {"aliases": ("sw",)}, {"name": "wolof"}, {"name": "TH"}])
def test_a_built_in_claim_cannot_be_taken(registry: LanguageRegistry, fields: dict[str, object]) -> None:
    with pytest.raises(LanguageClash):
        registry.with_languages([made(**{"code": "qaa", **fields})])  # type: ignore[arg-type]


def test_the_same_language_twice_is_a_clash() -> None:
    language = made()
    with pytest.raises(LanguageClash):
        LanguageRegistry([language, language])


def test_a_language_may_repeat_itself() -> None:
    language = made(name="qaa", aliases=("QAA", "q-a", "q_a"))
    assert LanguageRegistry([language]).get("q-a") is language


def test_with_languages_leaves_the_first_registry_alone(registry: LanguageRegistry) -> None:
    before = len(registry)
    more = registry.with_languages([made("qab"), made("qaa")])
    assert (len(registry), len(more)) == (before, before + 2)
    assert "qaa" in more and "qaa" not in registry
    assert [language.code for language in more] == sorted(language.code for language in more)
    assert more.get("swh") is registry.get("swa")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"code": "en"}, "code 'en'"),
        ({"code": "ENG"}, "code 'ENG'"),
        ({"name": " "}, "name ' '"),
        ({"family": ""}, "family ''"),
        ({"script": "latin"}, "script 'latin'.*ISO 15924"),
        ({"macroarea": "Europe"}, "macroarea 'Europe'.*Eurasia"),
        ({"resource": "tiny"}, "resource 'tiny'.*high, medium or low"),
        ({"aliases": "sw"}, "aliases 'sw'.*tuple"),
        ({"aliases": (False,)}, "aliases"),
        ({"aliases": ("",)}, "aliases"),
    ],
)
def test_a_field_out_of_range_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(**fields)  # type: ignore[arg-type]


# Cost


def test_the_registry_is_read_once() -> None:
    assert builtin() is builtin()


def test_importing_reads_nothing() -> None:
    code = "import sys, xleval.languages; print({'yaml', 'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="PyYAML without libyaml")
def test_reading_is_quick() -> None:
    spent = []
    for _ in range(3):
        start = time.process_time()
        builtin.__wrapped__()
        spent.append(time.process_time() - start)
    assert min(spent) < 0.03


def test_the_loader_in_python_reads_the_same(registry: LanguageRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert list(builtin.__wrapped__()) == list(registry)


# Data beside the checkout


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")
def test_every_language_of_the_shared_data(registry: LanguageRegistry) -> None:
    written = {folder.name for folder in (SHARED / "data" / "text").iterdir()}
    for file in (SHARED / "published").glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        written |= {row.get("language") or row.get("lang") for row in rows} - {"avg"}
    assert {code for code in written if code not in registry} == set()
