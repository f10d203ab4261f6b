"""A data set and a backbone on the loopback hub, for the tests of its clients."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import hub_server
import pytest
from hub_server import Fault, Hub
from toy_specs import rows_of, toy

from xleval.errors import UserError
from xleval.tasks.sources import DataOptions

hub = hub_server.hub  # the fixture

BUSY = Fault(429, {"Retry-After": "7"})
NOWHERE = "0" * 40
COLUMNS = {"text_a": "text", "label": "label"}
SHARDS = "data/{lang}/test-*.parquet"
TEXTS = [f"{shard}-{row}" for shard in range(2) for row in range(3)]
FORMS: dict[str, dict[str, Any]] = {
    "parquet": {"files": {"test": SHARDS}, "format": "parquet", "label_names": ["no", "yes"]},
    "jsonl": {"files": {"test": "{lang}.jsonl"}, "format": "jsonl"},
    "tsv": {"files": {"test": "{lang}.tsv"}, "format": "tsv"},
}


def parquet(texts: list[str]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    stream = io.BytesIO()
    write_table(pyarrow.table({"text": texts, "label": [len(t) % 2 for t in texts]}), stream)
    return stream.getvalue()


def files_of(texts: list[str]) -> dict[str, bytes]:
    """A data set in three forms."""
    half, labels = len(texts) // 2, ("no", "yes")
    pairs = [(text, labels[len(text) % 2]) for text in texts]
    return {
        "data/sw/test-0.parquet": parquet(texts[:half]),
        "data/sw/test-1.parquet": parquet(texts[half:]),
        "sw.jsonl": "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in pairs).encode(),
        "sw.tsv": "".join(f"{t}\t{y}\n" for t, y in [("text", "label"), *pairs]).encode(),
        "README.md": b"---\nlicense: cc0-1.0\n---\n",
    }


@pytest.fixture
def place(hub: Hub) -> dict[str, Any]:
    """Where a data set lies at its first commit; main has moved on since."""
    first = hub.commit("org/toy", files_of(TEXTS))
    hub.commit("org/toy", files_of(["moved"] * 6))
    return {"repo": "org/toy", "revision": first, "columns": COLUMNS, **FORMS["parquet"]}


def texts_of(place: dict[str, Any], **options: Any) -> list[str]:
    return [row.text_a for row in rows_of(toy({"hub": place}), DataOptions(**options))]


def fault_of(place: dict[str, Any], **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        texts_of(place, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def downloads(folder: Path) -> list[Path]:
    """What a later run could take for files of the hub."""
    return [path for path in folder.rglob("*") if "snapshots" in path.parts and not path.is_dir()]
