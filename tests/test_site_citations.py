"""What a page says to cite: that everything built in has BibTeX, and that a slip in the file is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from xleval.errors import UserError
from xleval.host import Host
from xleval.published import Paper, load
from xleval.recipe import TaskAdapter
from xleval.site.citations import Citations, bibtex_key, citations_of, load_citations
from xleval.yaml_file import read_mapping

MBERT = "google-bert/bert-base-multilingual-cased"
FIELD = re.compile(r'(?:^|, |\n)\s*(\w+) = (?:"|\{)', re.MULTILINE)


@pytest.fixture(scope="module")
def shipped() -> Citations:
    return load_citations()


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def keys(texts: list[str] | tuple[str, ...]) -> list[str]:
    return [bibtex_key(text) for text in texts]


def test_every_builtin_strategy_backbone_and_kind_of_adapter_has_a_citation(shipped: Citations, host: Host) -> None:
    own = {found.name for found in host.strategies.items if found.plugin.package == "xleval"}
    assert len(own) >= 17
    assert own <= set(shipped.strategies)
    assert all(shipped.of_strategy(name) for name in own)
    backbones = [found.value for found in host.backbones.items if found.plugin.package == "xleval"]
    assert set(shipped.backbones) >= {backbone.identity["id"] for backbone in backbones if backbone}
    assert all(shipped.of_backbone(backbone.identity["id"]) for backbone in backbones if backbone)
    assert set(shipped.adapters) == set(TaskAdapter.__args__)


def test_every_work_is_named_and_is_whole_bibtex(shipped: Citations) -> None:
    own = read_mapping(ROOT / "leaderboard" / "citations.yaml")["works"]
    named = {
        key
        for group in (shipped.strategies, shipped.adapters, shipped.backbones)
        for of in group.values()
        for key in of
    }
    assert set(own) <= named
    assert len(set(keys(tuple(shipped.works.values())))) == len(shipped.works)
    for key, text in shipped.works.items():
        fields = FIELD.findall(text)
        assert len(fields) == len(set(fields)), key
        assert {"title", "author"} <= set(fields), key
        if key != "xleval":
            assert re.search(r'year = "20\d\d"', text) and "booktitle" in fields, key
        if doi := re.search(r'doi = "(.*?)"', text):
            assert re.search(r'url = "https://aclanthology\.org/(.*?)"', text)[1] == doi[1].removeprefix("10.18653/v1/")
        if pages := re.search(r'pages = "(.*?)"', text):
            first, last = re.fullmatch(r"(\d+)--(\d+)", pages[1]).groups()
            assert int(first) < int(last), key


def test_the_entry_of_xleval_has_the_title_of_its_citation_file(shipped: Citations) -> None:
    title = read_mapping(ROOT / "CITATION.cff")["title"]
    assert f'title = "{title}"' in shipped.works["xleval"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("madx", ["pfeiffer-etal-2020-mad", "pfeiffer-etal-2021-unks", "houlsby-etal-2019-parameter"]),
        ("madx-v1", ["pfeiffer-etal-2020-mad", "houlsby-etal-2019-parameter"]),
        ("xleval/tlr-all-multi", ["parovic-etal-2023-cross", "houlsby-etal-2019-parameter"]),
        ("badx:ratio=2:1", ["parovic-etal-2022-bad", "houlsby-etal-2019-parameter"]),
        ("badx:ratio=2:1,adapter=lora", ["parovic-etal-2022-bad", "hu-etal-2022-lora"]),
        ("fusion:langs=deu+tur", ["faisal-anastasopoulos-2024-efficient", "pfeiffer-etal-2021-adapterfusion"]),
        ("full-ft", ["hu-etal-2020-xtreme"]),
        ("madx:adapter=theirs", ["pfeiffer-etal-2020-mad", "pfeiffer-etal-2021-unks"]),
        ("mine", []),
        ("theirs/madx", []),
        ("madx:</script>", []),
        ("", []),
    ],
)  # fmt: skip
def test_of_a_strategy_with_parameters(label: str, expected: list[str], shipped: Citations) -> None:
    found = keys(shipped.of_strategy(label))
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_a_row_cites_strategy_adapter_and_backbone_once_each() -> None:
    found = keys(citations_of("fusion:adapter=bottleneck", f"{MBERT}@3f076fdb1ab6"))
    assert found == [
        "faisal-anastasopoulos-2024-efficient", "pfeiffer-etal-2021-adapterfusion", "houlsby-etal-2019-parameter",
        "devlin-etal-2019-bert",
    ]  # fmt: skip
    assert citations_of("mine", "somebody/encoder") == []
    assert keys(citations_of("mine", MBERT)) == ["devlin-etal-2019-bert"]


WORK = '@misc{work,\n  title = "A {work}"\n}'
PAPERS = {"tlr": Paper(title="T", url="https://example.org", citation=WORK.replace("{work,", "{printed,"))}


def written(folder: Path, works: dict[str, str], strategies: str = "{}", more: str = "") -> Path:
    path = folder / "citations.yaml"
    blocks = "".join(
        f"  {key}: |\n" + "".join(f"    {line}\n" for line in text.splitlines()) for key, text in works.items()
    )
    path.write_text(
        f"strategies: {strategies}\nadapters: {{}}\nbackbones: {{}}\nworks:\n{blocks or '  {}'}{more}", encoding="utf-8"
    )
    return path


def test_a_work_may_be_a_printed_paper(tmp_path: Path) -> None:
    loaded = load_citations(written(tmp_path, {"work": WORK}, "{madx: [tlr, work]}"), PAPERS)
    assert keys(loaded.of_strategy("madx")) == ["printed", "work"]


@pytest.mark.parametrize(
    ("works", "strategies", "more", "message"),
    [
        ({"work": WORK}, "{madx: [wrk]}", "", "strategies.madx: no work 'wrk'; did you mean 'work'?"),
        ({"tlr": WORK}, "{}", "", "works.tlr: stands in reference/papers.yaml; remove it here"),
        ({"a": WORK, "b": WORK}, "{}", "", "works.b: 'work' is the entry of a already; name that one"),
        ({"a": WORK.replace("{work,", "{printed,")}, "{}", "", "works.a: 'printed' is the entry of tlr already"),
        ({"a": "Me 2026"}, "{}", "", "works.a: no BibTeX: does not begin with @type{key,"),
        ({"a": WORK[:-1]}, "{}", "", "works.a: no BibTeX: 1 braces are not closed"),
        ({"a": WORK + WORK}, "{}", "", "works.a: no BibTeX: the entry is closed after"),
        ({"a": WORK + "\n}"}, "{}", "", "works.a: no BibTeX: the entry is closed after"),
        ({"a": WORK}, "{madx: a}", "", "strategies.madx: Input should be a valid tuple"),
        ({"a": WORK}, "[]", "", "strategies: Input should be a valid"),
        ({"a": WORK}, "{}", "strategy: {}\n", "strategy: Extra inputs are not permitted"),
        ({"a": WORK}, "{}", "strategies: {}\n", "key 'strategies' stands there twice"),
    ],
)  # fmt: skip
def test_a_slip_is_named(works: dict[str, str], strategies: str, more: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, works, strategies, more)
    with pytest.raises(UserError) as raised:
        load_citations(path, PAPERS)
    assert str(raised.value).startswith(str(path))
    assert message in str(raised.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_citations(tmp_path / "none.yaml", PAPERS)


def test_the_example_in_the_documentation_is_one_that_loads(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "publish.md").read_text(encoding="utf-8")
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    file = read_mapping(ROOT / "leaderboard" / "citations.yaml")
    for key, added in example.items():
        file[key] |= added
    (tmp_path / "citations.yaml").write_text(yaml.safe_dump(file))
    loaded = load_citations(tmp_path / "citations.yaml")
    assert keys(loaded.of_strategy("pair"))[0] == "me-2026-pair"
    assert loaded.of_strategy("madx") == load_citations().of_strategy("madx")


def test_works_of_papers_are_not_repeated() -> None:
    own = read_mapping(ROOT / "leaderboard" / "citations.yaml")["works"]
    titles = {re.sub(r"[{}\W]", "", paper.title).lower() for paper in load().papers.values()}
    for key, text in own.items():
        title = re.sub(r"[{}\W]", "", re.search(r'title = "(.*?)",?\n', text, re.DOTALL)[1]).lower()
        assert title not in titles, key
