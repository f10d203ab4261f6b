"""Pseudo-perplexity of text under a language adapter and without it: whether an adapter learned its language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest
from xleval.hyperparameters import of_module
from xleval.jobs import LanguageAdapterJob
from xleval.tasks.texts import Text

if TYPE_CHECKING:
    from xleval.plan import Plan


@dataclass(frozen=True)
class Perplexity:
    """Pseudo-perplexity of one language's text: ``without`` any adapter, and ``under`` its own.

    ``chunks`` pieces of running text were masked once, the same for both. ``adapter`` is its fingerprint in the
    store or its folder, ``text`` where the text is from.
    """

    language: str
    adapter: str
    text: str
    chunks: int
    without: float
    under: float


def perplexities(graph: Plan, file: Path | None = None) -> Iterator[Perplexity]:
    """Measures the language adapters of a plan of modules, one by one.

    The text is ``file``, else what training holds out: the first share (``la.held_out``) of the language's text.
    Masks are drawn from ``la.seed``, the MLM head is the backbone's own (Salazar et al. 2020 mask sub-words one by
    one; here a share ``la.mlm_probability`` at once, as in training).

    Raises:
        UserError: an adapter that is not trained yet, no text, or too little of it.
    """
    from xleval.engine.bank import Standing
    from xleval.engine.mlm import perplexity
    from xleval.engine.standing import folder_of
    from xleval.engine.text import cut, stream
    from xleval.run import setting

    scope = graph.scope
    hyper = of_module(scope.hyperparameters(None), "la")
    jobs = [job for job in graph.jobs.values() if isinstance(job, LanguageAdapterJob)]
    texts = [_text(graph, job, file) for job in jobs]
    for job in jobs:
        if not graph.present(job):
            raise UserError(
                f"{job.label}: not trained yet for {scope.backbone.name} and these settings; run `xleval la train "
                f"{' '.join(job.module.languages)}` with the same options, or give one with --la"
            )
    session = setting(graph).session()
    for job, text in zip(jobs, texts, strict=True):
        if file is None:
            chunks = stream(text, session.tokenizer, session.backbone.fingerprint, hyper).held
        else:
            chunks = cut(text.lines(), session.tokenizer, hyper["chunk"])
        if not len(chunks):
            raise UserError(f"{text.origin}: too little text to measure on; give at least a few sentences")
        folder = folder_of(graph.store, job)
        settings = (hyper["mlm_probability"], hyper["seed"])
        yield Perplexity(
            job.language,
            str(job.folder) if job.folder else job.fingerprint,
            text.origin,
            len(chunks),
            perplexity(session, [chunks], None, *settings),
            perplexity(session, [chunks], Standing((folder,)), *settings),
        )


def _text(graph: Plan, job: LanguageAdapterJob, file: Path | None) -> Text:
    (code,) = job.module.languages
    if file is not None:
        if not file.is_file():
            raise UserError(f"--text {file}: no such file")
        return Text(code, digest([file_digest(file)]), str(file), (file,))
    found = graph.scope.text(graph.scope.host.languages.get(code))
    if found is None:
        raise UserError(f"no text of {code!r} to measure on; give --text FILE, or --text-dir DIR with DIR/{code}/*.txt")
    return found
