"""Small copies of jobs, to time: few steps, few rows, made-up text, language modules that stand in for the real ones.

What a step costs depends on shapes and on how many go side by side, not on what the weights are or the text says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from xleval.fingerprint import digest
from xleval.jobs import BackboneJob, FusionJob, LanguageAdapterJob, ModuleJob, PredictionJob, TaskAdapterJob
from xleval.tasks.located import Located
from xleval.tasks.texts import Text

#: Different stand-ins of one shape: slots on different modules are computed otherwise than slots on one.
_DIFFERENT = 3

#: Sub-words that one pass over held-out text takes at most on a CPU: fewer would make it look slower.
_PASS = 2048


@dataclass
class _MadeUp:
    """Generates ``count`` lines of at least sixteen sub-words each."""

    count: int
    name: str = "made-up"
    version: str = "1"
    languages: tuple[str, ...] = ()

    def rows(self, dataset: str, split: str, language: str) -> list[dict[str, Any]]:
        raise ValueError("no labelled rows")

    def text(self, language: str) -> list[str]:
        return ["a b c d e f g h " * 2] * self.count


@dataclass(frozen=True)
class Sample(Located):
    """Some rows of a split, held in memory."""

    chosen: tuple[Any, ...] = ()

    def _all(self, labels: Sequence[str], label_map: Mapping[str, str]) -> Iterator[Any]:
        yield from self.chosen


def sample(data: Located, rows: Sequence[Any], count: int) -> Located:
    """``count`` of the rows of a split, drawn at random; the split itself if it has no more."""
    if len(rows) <= count:
        return data
    chosen = tuple(rows[index] for index in sorted(random.Random(0).sample(range(len(rows)), count)))
    values = {field.name: getattr(data, field.name) for field in fields(Located)}
    values |= {"limit": None, "expected": None, "questions": None, "fingerprint": digest([data.fingerprint, count])}
    return Sample(**values, chosen=chosen)


class Miniatures:
    """Makes small copies, each with a fingerprint of its own. ``hyper``: of language adapters that are not trained."""

    def __init__(self, hyper: Mapping[str, Any]) -> None:
        self._hyper, self._made = hyper, 0
        self._stand_ins: dict[Any, ModuleJob] = {}
        self._places: dict[Any, dict[str, int]] = {}

    @property
    def stand_ins(self) -> list[ModuleJob]:
        """All modules that copies made so far stand on."""
        return list(self._stand_ins.values())

    def module(self, job: ModuleJob | None) -> ModuleJob | None:
        """What stands in for a language module: an adapter of its shape, after one step. A given folder is used."""
        if job is None or (isinstance(job, LanguageAdapterJob) and job.folder is not None):
            return job
        if isinstance(job, FusionJob):
            key: Any = (str(job.module), job.fingerprint)
            if key not in self._stand_ins:
                parts = tuple(self._adapter(part, part.language) for part in job.parts)
                texts = tuple(self._text(text.language, self._least(job.hyper)) for text in job.texts)
                hyper = self._least(job.hyper)
                self._stand_ins[key] = replace(
                    job, fingerprint=self._fingerprint(), parts=parts, hyper=hyper, texts=texts
                )
            return self._stand_ins[key]
        places = self._places.setdefault(self._shape(job), {})
        return self._adapter(job, str(places.setdefault(job.fingerprint, len(places) % _DIFFERENT)))

    def _shape(self, job: LanguageAdapterJob) -> Any:
        return job.module.kind, tuple(sorted((job.hyper or self._hyper).items()))

    def _adapter(self, job: LanguageAdapterJob, place: str) -> LanguageAdapterJob:
        if job.folder is not None:
            return job
        key = (self._shape(job), place)
        if key not in self._stand_ins:
            self._stand_ins[key] = self._small(job, self._least(job.hyper or self._hyper))
        found = self._stand_ins[key]
        assert isinstance(found, LanguageAdapterJob)
        return found

    def trained_on_text(self, job: LanguageAdapterJob | FusionJob | BackboneJob, steps: int) -> Any:
        """A training by MLM on made-up text, with one evaluation at its end."""
        hyper = {**job.hyper, "steps": steps, "eval_every": steps, "held_out": 0.5}
        if isinstance(job, LanguageAdapterJob):
            return self._small(job, hyper)
        if isinstance(job, FusionJob):
            copy = self.module(job)
            assert isinstance(copy, FusionJob)
            texts = tuple(self._text(text.language, hyper) for text in job.texts)
            return replace(copy, fingerprint=self._fingerprint(), hyper=hyper, texts=texts)
        text = self._text(job.tuned.language, hyper)
        return replace(
            job, fingerprint=self._fingerprint(), tuned=replace(job.tuned, steps=steps), hyper=hyper, text=text
        )  # fmt: skip

    def task_adapter(self, job: TaskAdapterJob, train: Located, dev: Located, steps: int) -> TaskAdapterJob:
        """A training on some rows, with one evaluation at its end."""
        return replace(
            job,
            fingerprint=self._fingerprint(),
            train=train,
            dev=dev,
            hyper={**job.hyper, "steps": steps, "eval_every": steps},
            cycle=tuple(self.module(module) for module in job.cycle),
            dev_module=self.module(job.dev_module),
            start=None,
        )

    def prediction(
        self, job: PredictionJob, adapter: TaskAdapterJob, data: Located, backbone: BackboneJob | None
    ) -> PredictionJob:
        """Predictions of some rows."""
        module = self.module(job.module)
        return replace(
            job, fingerprint=self._fingerprint(), task_adapter=adapter, module=module, data=data, backbone=backbone
        )  # fmt: skip

    def _small(self, job: LanguageAdapterJob, hyper: Mapping[str, Any]) -> LanguageAdapterJob:
        texts = tuple(self._text(language, hyper) for language in job.module.languages)
        return replace(job, fingerprint=self._fingerprint(), hyper=hyper, texts=texts, published=None)

    def _least(self, hyper: Mapping[str, Any]) -> dict[str, Any]:
        return {**hyper, "steps": 1, "batch": 2, "chunk": 16, "eval_every": 1, "held_out": 0.5}

    def _text(self, language: str, hyper: Mapping[str, Any]) -> Text:
        held = max(hyper["batch"], _PASS // hyper["chunk"], 2)  # and as many to train on
        lines = 2 * held * hyper["chunk"] // 16 + 1
        return Text(language, f"made-up {lines}", "made-up text", provider=_MadeUp(lines))

    def _fingerprint(self) -> str:
        self._made += 1
        return digest(["miniature", self._made])
