"""What every record of an entry says of itself: the fields that an entry's page shows and comparisons need.

The models state what must be there; further fields are anybody's. ``docs/records.md`` says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xleval.languages import builtin
from xleval.records import Record

Name = Annotated[str, Field(min_length=1, max_length=300)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Code = Annotated[str, Field(pattern=r"^[a-z]{3}$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Seconds = Annotated[float, Field(ge=0)]


class _Stated(BaseModel):
    model_config = ConfigDict(strict=True)


class _Strategy(_Stated):
    name: Name
    plugin: Name
    version: Name
    config_sha256: Digest


class _Backbone(_Stated):
    id: Name
    revision: Name


class _Adapter(_Stated):
    role: Name
    id: Name
    sha256: Digest | None
    """None: it was never made, which :func:`metadata_faults` allows to runs that failed."""


class _Environment(_Stated):
    python: Name
    torch: Name
    transformers: Name
    adapters: Name
    device: Name
    precision: Name


class _Run(_Stated):
    run_id: Fingerprint
    train_run_id: Fingerprint
    xleval: Name
    strategy: _Strategy
    backbone: _Backbone
    adapters: list[_Adapter]
    source_lang: Code
    source: list[dict[str, Any]]
    train_on: list[str]
    drop_last: bool
    hyperparameters: dict[str, Any]
    target_scope: Literal["shared", "per-target"]
    seed: int = Field(ge=-(2**53), le=2**53)
    env: _Environment
    train_seconds: Seconds
    created: Moment
    checkpoint_selection: Literal["source-dev", "last"]


class _Eval(_Stated):
    run_id: Fingerprint
    task: Name
    task_version: Name
    dataset_revision: Name
    split: Name
    language: Code
    limit: None
    status: Literal["ok", "failed"]
    provenance: Literal["self-reported"]
    created: Moment


class _Items(_Stated):
    path: Name
    sha256: Digest
    rows: int = Field(ge=1, le=1_000_000)
    stats: list[Name]


class _Success(_Eval):
    item_ids_sha256: Digest
    metrics: dict[Name, dict[str, Any]] = Field(min_length=1)
    n_examples: int = Field(ge=1)
    counts: dict[Name, int]
    per_example: _Items


class _Error(_Stated):
    type: Name
    message: str


class _Failure(_Eval):
    error: _Error


#: Faults told of one record.
_OF_RECORD = 20

_HINTS = {
    "limit": "only whole test sets are on the board: run without --limit",
    "provenance": "a file says `self-reported`; whether it is more the board finds out",
    "language": "write the ISO 639-3 code",
    "source_lang": "write the ISO 639-3 code",
}


def metadata_faults(record: Record, trained: bool) -> Iterator[str]:
    """What the record lacks or says in a form that nobody can read; ``trained``: the run has a success."""
    model = _Run if record["type"] == "run" else _Success if record["status"] == "ok" else _Failure
    try:
        model.model_validate(record)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False)[:_OF_RECORD]:
            place = tuple(map(str, fault["loc"]))
            missing = fault["type"] == "missing"
            said = "missing" if missing else f"{fault['input']!r:.100}: {fault['msg'].lower()}"
            hint = _HINTS.get(place[0], "restore what xleval wrote, or run again")
            yield f"{'.'.join(place):.200}: {said}; {hint}"
        return
    if record["type"] == "run":
        yield from _named_otherwise("source_lang", record)
        if trained:
            for index, adapter in enumerate(record["adapters"]):
                if adapter["sha256"] is None:
                    yield f"adapters.{index}.sha256: missing, though the run has scores; run again"
    else:
        yield from _named_otherwise("language", record)


def _named_otherwise(key: str, record: Record) -> Iterator[str]:
    """A language under two codes would stand on the board twice."""
    code = record[key]
    if code in builtin() and (known := builtin().get(code)).code != code:
        yield f"{key}: {code!r} is {known} here; write {known.code!r}"
