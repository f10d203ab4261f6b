"""Where language modules lie: from jobs to folders, verified."""

from __future__ import annotations

from pathlib import Path

from xleval.engine.bank import Standing
from xleval.jobs import FusionJob, LanguageAdapterJob, ModuleJob
from xleval.store import Store


def standing_of(store: Store, job: ModuleJob | None) -> Standing | None:
    """Folders of a language module, verified; None for none."""
    if job is None:
        return None
    if isinstance(job, FusionJob):
        return Standing(tuple(folder_of(store, part) for part in job.parts), store.open(job.kind, job.fingerprint))
    return Standing((folder_of(store, job),))


def folder_of(store: Store, job: LanguageAdapterJob) -> Path:
    """Folder of an adapter, ready-made or in the store and then verified."""
    return job.folder or store.open(*job.stored)
