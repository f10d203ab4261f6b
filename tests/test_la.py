"""``xleval la``: what is listed, trained and measured, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xleval.adapter_download import KIND, fingerprint
from xleval.backbones import Backbone
from xleval.cli import main
from xleval.errors import UserError
from xleval.host import Host
from xleval.inventory import published_adapters, trained_adapters
from xleval.store import Store

if TYPE_CHECKING:
    from conftest import Cli

QUICK = ("--set", "la.steps=5", "--set", "la.batch=2", "--set", "la.chunk=32")


@pytest.fixture(scope="module")
def backbones() -> dict[str, Backbone]:
    return {backbone.name: backbone for backbone in Host().backbones.values()}


def stored(store: Store, key: str, backbone: dict[str, str] | None, **about: Any) -> None:
    manifest = {"languages": ["swa"], "module": "LA(swa)", **({"backbone": backbone} if backbone else {}), **about}
    with store.create("language_adapter", key, manifest) as folder:
        (folder / "adapter.safetensors").write_bytes(b"x")


# What there is


def test_trained_adapters_are_those_of_the_backbone(tmp_path: Path, backbones: dict[str, Backbone]) -> None:
    store = Store(tmp_path)
    mbert, xlmr = backbones["mbert"], backbones["xlmr"]
    texts = {"swa": {"fingerprint": "f", "origin": "Wikipedia 20231101.sw"}}
    measured = {"steps": 30000, "perplexity_before": 20.0, "perplexity": 7.5, "texts": texts}
    stored(store, "a" * 64, mbert.identity, hyperparameters={"non_linearity": "relu", "reduction": 2}, **measured)
    stored(store, "b" * 64, xlmr.identity, languages=["eng", "deu"], module="BA(eng, deu)")
    stored(store, "c" * 64, {"id": "me/encoder", "revision": "0" * 40})
    stored(store, "d" * 64, None)
    with store.create("task_adapter", "e" * 64, {"backbone": mbert.identity}) as folder:
        (folder / "x").write_bytes(b"x")
    (mine,) = trained_adapters([mbert], store)
    assert (mine.backbone, mine.languages, mine.module, mine.id) == ("mbert", ("swa",), "LA(swa)", "a" * 64)
    assert (mine.steps, mine.perplexity_before, mine.perplexity) == (30000, 20.0, 7.5)
    assert (mine.text, mine.architecture, mine.here) == ("Wikipedia 20231101.sw", "relu /2", True)
    assert [row.id[0] for row in trained_adapters(backbones.values(), store)] == ["a", "b"]
    everyone = trained_adapters(backbones.values(), store, others=True)
    assert [(row.id[0], row.backbone) for row in everyone] == [("a", "mbert"), ("b", "xlmr"), ("c", "me/encoder")]


def test_published_adapters_say_which_is_chosen_and_which_is_here(
    tmp_path: Path, backbones: dict[str, Backbone]
) -> None:
    store, mbert = Store(tmp_path), backbones["mbert"]
    swahili = next(a for a in mbert.language_adapters if a.language == "swa" and a.non_linearity == "relu")
    with store.create(KIND, fingerprint(swahili), {"language": "swa"}) as folder:
        (folder / "x").write_bytes(b"x")
    rows = published_adapters(mbert, store)
    assert len(rows) == 89 and sum(row.chosen for row in rows) == 47
    mine = [row for row in rows if row.languages == ("swa",)]
    assert [(row.architecture, row.chosen, row.here) for row in mine] == [
        ("pfeiffer relu /2", True, True), ("pfeiffer gelu /2", False, False), ("houlsby gelu /2", False, False),
    ]  # fmt: skip
    assert mine[0].id == str(swahili) and mine[0].steps == 100_000
    assert sum(row.chosen for row in published_adapters(mbert, store, "relu")) == 18
    assert sum(row.chosen for row in published_adapters(mbert, store, "gelu")) == 45
    assert not any(row.chosen for row in published_adapters(mbert, store, "no"))
    assert published_adapters(backbones["demo"], store) == []
    with pytest.raises(UserError, match=r"la\.published=all: choose one of"):
        published_adapters(backbones["demo"], store, "all")


def test_ls(cli: Cli) -> None:
    said = cli("la", "ls").stdout
    assert "0 trained in" in said and "published: 47 for mbert, 29 for xlmr, 16 for xlmr-large" in said
    said = cli("la", "ls", "--backbone", "mbert", "--language", "Swahili,de").stdout
    assert "sw-wiki_pfeiffer_relu" in said and "de-wiki_pfeiffer" in said and "houlsby" not in said
    assert "chosen, not here yet" in said and "0 trained" in said
    assert "sw-wiki_houlsby" in cli("la", "ls", "--backbone", "mbert", "--language", "sw", "--all").stdout
    rows = json.loads(cli("la", "ls", "--backbone", "xlmr", "--json").stdout)
    assert len(rows) == 29 and all(row["chosen"] and not row["here"] for row in rows)
    assert cli("la", "ls", "--backbone", "nope", code=2).stderr.startswith("error: unknown backbone 'nope'")
    assert "unknown language 'swahilli'" in cli("la", "ls", "--language", "swahilli", code=2).stderr
    assert "la.published=maybe: choose one of" in cli("la", "ls", "--published", "maybe", code=2).stderr


def test_ls_is_light(cli: Cli) -> None:
    done = cli("la", "ls", "--backbone", "mbert", PYTHONPROFILEIMPORTTIME="1")
    for heavy in ("torch", "transformers", "adapters", "numpy", "requests", "huggingface_hub"):
        assert f" {heavy}\n" not in done.stderr


# Training and measuring


def test_train_then_measure(cli: Cli) -> None:
    done = cli("la", "train", "qab", *QUICK, "--json")
    (row,) = json.loads(done.stdout)
    assert (row["module"], row["backbone"], row["steps"], row["text"]) == ("LA(qab)", "demo", 5, "demo@1")
    assert "LA qab: 5 steps" in done.stderr
    again = cli("la", "train", "qab", *QUICK)
    assert "steps" not in again.stderr and row["id"][:12] in again.stdout  # nothing was trained again
    assert row["id"][:12] in cli("la", "ls", "--backbone", "demo").stdout
    (one,) = json.loads(cli("la", "perplexity", "qab", *QUICK, "--json").stdout)
    assert (one["language"], one["adapter"], one["text"]) == ("qab", row["id"], "demo@1")
    # The same held-out text and masks; training starts from an adapter that does next to nothing.
    assert one["without"] == pytest.approx(row["perplexity_before"], rel=0.01) and one["under"] != one["without"]
    folder = cli("store", "path", row["id"][:12]).stdout.strip()
    (other,) = json.loads(cli("la", "perplexity", "qab", "--la", f"qab={folder}", *QUICK, "--json").stdout)
    assert other["under"] == pytest.approx(one["under"]) and other["adapter"] == folder
    text = cli.folder / "own.txt"
    text.write_text("\n".join(["a b c d e f g h"] * 40))
    table = cli("la", "perplexity", "qab", *QUICK, "--text", "own.txt").stdout
    assert "own.txt" in table and row["id"][:12] in table


def test_train_bilingual_and_multilingual(cli: Cli) -> None:
    small = [part for kind in ("ba", "ma") for part in ("--set", f"{kind}.steps=2", "--set", f"{kind}.batch=2")]
    done = cli("la", "train", "qab", "--bilingual", "qaa", "--ratio", "2:1", *QUICK, *small, "--json")
    assert [row["module"] for row in json.loads(done.stdout)] == ["BA(qaa, qab, 2:1)"]
    done = cli("la", "train", "qab", "qac", "--multilingual", *QUICK, *small, "--json")
    assert [(row["module"], row["languages"]) for row in json.loads(done.stdout)] == [("MA(qab, qac)", ["qab", "qac"])]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train",), "Missing argument 'LANG…'"),
        (("train", "sww"), "unknown language 'sww'; did you mean Swahili (swa)"),
        (("train", "qab", "--strategy", "madx"), "--strategy means nothing to `xleval la train`; leave it out"),
        (("train", "qab", "--seeds", "3"), "--seeds means nothing to"),
        (("train", "qab", "--la", "qab=x"), "--la means nothing to"),
        (("train", "qab", "--fresh"), "--fresh means nothing to"),
        (("train", "qab", "--bilingual", "qaa", "--multilingual"), "give --bilingual or --multilingual, not both"),
        (("train", "qab", "--ratio", "2:1"), "--ratio goes with --bilingual"),
        (("train", "qab", "--bilingual", "qaa", "--ratio", "2"), "2"),
        (("train", "qab", "--bilingual", "qab"), "a bilingual adapter needs two languages, not qab twice"),
        (("train", "qab", "--multilingual"), "a multilingual adapter needs at least two languages"),
        (("train", "qab", "--set", "la.step=3"), "unknown hyperparameter 'la.step'; did you mean 'la.steps'"),
        (("train", "bzd", "--backbone", "mbert"), "no language adapter and no text to train one for: bzd"),
        (("perplexity", "qab"), "LA qab: not trained yet for demo and these settings; run `xleval la train qab`"),
        (("perplexity", "qab", "qac", "--text", "x.txt"), "--text FILE is text of one language"),
        (("perplexity", "qab", "--text", "x.txt"), "--text x.txt: no such file"),
    ],
)
def test_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XLEVAL_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(sys, "argv", ["xleval", "la", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2 and said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_text_that_is_too_short_fails_and_says_so(cli: Cli) -> None:
    folder = cli.folder / "text" / "qab"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("a\n")
    done = cli("la", "train", "qab", "--text-dir", "text", *QUICK, code=1)
    assert "failed: LA qab: text of 'qab'" in done.stderr and "give more text or lower la.chunk" in done.stderr
