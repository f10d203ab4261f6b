"""Language modules and tuned backbones of a plan: what a recipe names → jobs, each once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.adapter_files import check_adapter
from xleval.adapterhub import choose, parse_adapter
from xleval.fingerprint import digest
from xleval.hyperparameters import of_module
from xleval.jobs import BackboneJob, FusionJob, Job, LanguageAdapterJob, ModuleJob
from xleval.recipe import LanguageModule, Recipe, Tuned
from xleval.tasks.texts import Text
from xleval.world import Scope

if TYPE_CHECKING:
    from xleval.host import Host

#: Raised when the meaning of a recipe or of training changes: older artifacts are then not reused.
SEMANTICS = 2


class ModulePlanner:
    """``base`` is what every artifact of a plan depends on: semantics, backbone, precision."""

    def __init__(self, scope: Scope, host: Host) -> None:
        self.scope, self.host = scope, host
        self.backbone = scope.backbone.fingerprint
        self.base: dict[str, Any] = {"semantics": SEMANTICS, "backbone": self.backbone, "precision": scope.precision}
        self._hyper = scope.hyperparameters(None)
        self._jobs: dict[LanguageModule | Tuned, ModuleJob | BackboneJob] = {}
        self._texts: dict[str, Text | None] = {}

    def canonical(self, recipe: Recipe) -> Recipe:
        """The recipe with every language under its code in the registry.

        Raises:
            UserError: a language that nobody knows.
        """
        tuned = recipe.tuned and replace(recipe.tuned, language=self.host.languages.get(recipe.tuned.language).code)
        return replace(
            recipe,
            train_on=tuple(map(self._canonical, recipe.train_on)),
            infer_on=self._canonical(recipe.infer_on),
            dev_on=recipe.dev_on and self._canonical(recipe.dev_on),
            tuned=tuned,
        )

    def _canonical(self, module: LanguageModule) -> LanguageModule:
        languages = tuple(self.host.languages.get(code).code for code in module.languages)
        return replace(module, languages=languages, parts=tuple(map(self._canonical, module.parts)))

    def job(self, module: LanguageModule) -> ModuleJob | None:
        """The job that makes a module; None for none.

        Raises:
            UserError: an adapter given with ``--la`` that is none, or is for another backbone.
        """
        if module.kind == "none":
            return None
        module = self._canonical(module)
        if module not in self._jobs:
            self._jobs[module] = self._fusion(module) if module.kind == "fusion" else self._adapter(module)
        found = self._jobs[module]
        assert not isinstance(found, BackboneJob)
        return found

    def tuned(self, tuned: Tuned) -> BackboneJob:
        """The job that tunes the backbone on a language."""
        if tuned not in self._jobs:
            text, hyper = self._text(tuned.language), of_module(self._hyper, "tune") | {"steps": tuned.steps}
            fingerprint = self._digest("backbone", [text], hyper, language=tuned.language)
            self._jobs[tuned] = BackboneJob(fingerprint, tuned, hyper, text)
        found = self._jobs[tuned]
        assert isinstance(found, BackboneJob)
        return found

    def without_text(self, job: Job) -> list[str]:
        """Languages of a job that would be trained on text that is not there."""
        if isinstance(job, BackboneJob):
            return [] if job.text else [job.tuned.language]
        trained = isinstance(job, LanguageAdapterJob) and not (job.folder or job.published)
        if isinstance(job, LanguageAdapterJob | FusionJob) and (trained or job.module.trained):
            return [code for code in job.module.languages if self._text(code) is None]
        return []

    def _adapter(self, module: LanguageModule) -> LanguageAdapterJob:
        if module.kind == "la" and (ready := self._ready(*module.languages)):
            return ready
        texts = [self._text(code) for code in module.languages]
        hyper = of_module(self._hyper, module.kind)
        inputs: dict[str, Any] = {"language": module.languages[0]} if module.kind == "la" else {"module": str(module)}
        fingerprint = self._digest("language_adapter", texts, hyper, **inputs)
        return LanguageAdapterJob(fingerprint, module, hyper, tuple(text for text in texts if text))

    def _ready(self, code: str) -> LanguageAdapterJob | None:
        """An adapter that need not be trained: given with ``--la``, or published and no text of the user's own."""
        backbone, given = self.scope.backbone, self.scope.language_adapters.get(code)
        if given is not None:
            published = parse_adapter(code, given)
            if published is None:
                folder = Path(given).expanduser()
                check_adapter(folder, backbone, f"--la {code}={given}")
                return LanguageAdapterJob.from_folder(code, folder, self.backbone)
        else:
            text = self._text(code)
            if text is not None and text.edition is None:
                return None
            published = choose(backbone.language_adapters, code, self._hyper["la.published"])
        return LanguageAdapterJob.from_hub(code, published, self.backbone) if published else None

    def _fusion(self, module: LanguageModule) -> FusionJob:
        parts = tuple(map(self._adapter_part, module.parts))
        texts = [self._text(code) for code in module.languages] if module.trained else []
        hyper = of_module(self._hyper, "fusion") if module.trained else {"seed": self._hyper["la.seed"]}
        inputs = {"parts": [part.fingerprint for part in parts], "trained": module.trained}
        fingerprint = self._digest("fusion", texts, hyper, **inputs)
        return FusionJob(fingerprint, module, parts, hyper, tuple(text for text in texts if text))

    def _adapter_part(self, module: LanguageModule) -> LanguageAdapterJob:
        job = self.job(module)
        assert isinstance(job, LanguageAdapterJob)
        return job

    def _digest(self, kind: str, texts: list[Text | None], hyper: dict[str, Any], **inputs: Any) -> str:
        found = [text.fingerprint if text else None for text in texts]
        return digest({**self.base, "kind": kind, **inputs, "texts": found, "hyperparameters": hyper})

    def _text(self, code: str) -> Text | None:
        if code not in self._texts:
            self._texts[code] = self.scope.text(self.host.languages.get(code))
        return self._texts[code]
