"""The layouts that the shipped specs name, on made files and on public data beside the checkout."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path

import pytest
from toy_specs import NLI, rows_of, shipped

from xleval.errors import UserError
from xleval.tasks.sources import DataOptions, DataWarning, SequenceRow, locate

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


XNLI_HEADER = (
    "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
    "sentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1"
)


@pytest.mark.filterwarnings("ignore::xleval.tasks.sources.DataWarning")
def test_xnli_release(tmp_path: Path) -> None:
    lines = [f"{code}\tneutral\t\t\t\t\tp {code}\th\t1\t1\tx\tneutral" for code in ("ar", "sw")]
    (tmp_path / "xnli.test.tsv").write_text("\n".join([XNLI_HEADER, *lines, ""]))
    task = shipped("xnli")
    assert rows_of(task, DataOptions(tmp_path)) == [SequenceRow("0", "p sw", "h", 1)]


def test_xtreme_test_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test-sw.tsv").write_text("a\tb\nc\td\n")
    with pytest.raises(UserError) as caught:
        rows_of(shipped("xnli"), DataOptions(tmp_path))
    message = str(caught.value)
    for part in ("test-sw.tsv: no gold labels", "XTREME withholds", "XNLI-1.0", "facebook/xnli"):
        assert part in message


@pytest.mark.filterwarnings("ignore::xleval.tasks.sources.DataWarning")
def test_multinli_release(tmp_path: Path) -> None:
    (tmp_path / "multinli_1.0").mkdir()
    records = [{"gold_label": label, "sentence1": "a", "sentence2": "b", "pairID": "1"} for label in ("-", "neutral")]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "multinli_1.0" / "multinli_1.0_dev_matched.jsonl").write_text(text)
    located = locate(shipped("sources/mnli"), "eng", "dev", DataOptions(tmp_path), {})
    assert located.rows(NLI, {}) == [SequenceRow("1", "a", "b", 1)]


def test_another_release_only_warns(tmp_path: Path) -> None:
    (tmp_path / "aym.tsv").write_text("")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "aym.tsv").write_text("language\tpremise\thypothesis\tlabel\naym\ta\tb\tneutral\n")
    with pytest.warns(DataWarning, match="expected 750 rows, found 1"):
        assert len(rows_of(shipped("americasnli"), DataOptions(tmp_path), "aym")) == 1


# Public data


realdata = pytest.mark.skipif(not REAL.is_dir(), reason=f"no public data in {REAL}")


@pytest.mark.realdata
@realdata
@pytest.mark.parametrize("name", ["masakhaner", "americasnli", "xnli"])
def test_real_targets(name: str) -> None:
    task = shipped(name)
    ids: dict[str, list[str]] = {}
    for language in task.languages:
        for split in ("dev", "test"):
            located = locate(task, language, split, DataOptions(REAL), {})
            if not located.revision.startswith("sha256:"):
                continue  # not among the files beside the checkout
            with warnings.catch_warnings():
                warnings.simplefilter("error", DataWarning)
                rows = located.rows(task.labels, task.label_map)
            ids.setdefault(split, [row.id for row in rows])
            assert len({row.id for row in rows}) == len(rows)
            # A language may lack the last items, as cni does in the dev split of AmericasNLI.
            same = all(row.id == other for row, other in zip(rows, ids[split], strict=False))
            assert same or not task.is_parallel(language)
    assert ids.keys() == {"dev", "test"}


@pytest.mark.realdata
@realdata
def test_real_bytes_are_the_pinned_ones() -> None:
    nli, ner = shipped("americasnli"), shipped("masakhaner")
    found = locate(nli, "aym", "test", DataOptions(REAL), {}).revision.removeprefix("sha256:")
    assert nli.data.raw.sha256["test.tsv"].startswith(found)
    for language in ("amh", "hau", "ibo", "kin", "lug", "swa", "wol", "yor"):
        found = locate(ner, language, "test", DataOptions(REAL), {}).revision.removeprefix("sha256:")
        assert ner.data.raw.sha256[f"data/{language}/test.txt"].startswith(found)


@pytest.mark.realdata
@realdata
def test_real_sources() -> None:
    task = shipped("masakhaner")
    wikiann = shipped("sources/wikiann-en")
    for split, expected in (("train", 20_000), ("dev", 10_000)):
        rows = locate(wikiann, "eng", split, DataOptions(REAL), {}).rows(task.labels, task.label_map)
        assert len(rows) == expected
    mnli = shipped("sources/mnli")
    dev = locate(mnli, "eng", "dev", DataOptions(REAL), {}).rows(NLI, {})
    assert Counter(row.label for row in dev if isinstance(row, SequenceRow)) == {0: 3479, 1: 3123, 2: 3213}
    with pytest.warns(DataWarning, match="expected 392702 rows"):
        assert locate(mnli, "eng", "train", DataOptions(REAL), {}).rows(NLI, {})


@pytest.mark.realdata
@realdata
def test_real_xtreme_test_file_is_refused() -> None:
    task = shipped("xnli")
    xtreme = task.data.model_copy(update={"upstream": task.data.upstream[3:]})
    task = task.model_copy(update={"data": xtreme})
    with pytest.raises(UserError, match="XTREME withholds"):
        rows_of(task, DataOptions(REAL))
