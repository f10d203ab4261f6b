"""What may explain where a target's language adapter helps: facts of languages, of the tokenizer, of the text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.analysis.association import Kind
from xleval.analysis.measured import Measured
from xleval.analysis.pieces import Cut, cut
from xleval.analysis.pretraining import table_of
from xleval.analysis.typology import same_order
from xleval.errors import UserError
from xleval.store import CorruptArtifactError, Store, default_store

if TYPE_CHECKING:
    from xleval.backbones import Backbone
    from xleval.host import Host
    from xleval.languages import Language
    from xleval.world import Scope

_RESOURCE = {"low": 0.0, "medium": 1.0, "high": 2.0}


@dataclass(frozen=True)
class Predictor:
    """``values``: language → number; NaN is unknown. ``ticks``: what the numbers of a grade are called."""

    name: str
    kind: Kind
    values: Mapping[str, float]
    ticks: tuple[str, ...] = ()


def of_languages(targets: Sequence[Language], source: Language, backbone: Backbone | None) -> list[Predictor]:
    """Seen in pretraining, resource class; family, script and dominant word order the same as the source's."""

    def yes_or_no(name: str, fact: Callable[[Language], bool | None]) -> Predictor:
        found = {lang.code: fact(lang) for lang in targets}
        values = {code: math.nan if value is None else float(value) for code, value in found.items()}
        return Predictor(name, "grade", values, ("no", "yes"))

    resource = {lang.code: _RESOURCE[lang.resource] for lang in targets}
    return [
        yes_or_no("seen in pretraining", lambda lang: None if backbone is None else backbone.knows(lang)),
        Predictor("resource class", "grade", resource, tuple(_RESOURCE)),
        yes_or_no("family of the source", lambda lang: lang.family == source.family),
        yes_or_no("script of the source", lambda lang: lang.script == source.script),
        yes_or_no("word order of the source", lambda lang: same_order(lang.code, source.code)),
    ]


def of_pretraining(targets: Sequence[Language], backbone: Backbone) -> tuple[list[Predictor], list[str]]:
    """Size of the text of each target that the backbone was pretrained on, one predictor or none, and notes.

    A language that it did not see has 0; one that it saw and whose size is not known has none.
    """
    table = table_of(backbone)
    if table is None:
        return [], [f"no pretraining size: no table has how much text of each language {backbone.name} saw"]
    sizes = {lang.code: table.sizes.get(lang.code, math.nan) if backbone.knows(lang) else 0.0 for lang in targets}
    notes = [f"no pretraining size for {code}: no table has it" for code, size in sizes.items() if math.isnan(size)]
    return [Predictor(f"pretraining size ({table.unit} of {table.corpus})", "number", sizes)], notes


def of_pieces(cuts: Mapping[str, Cut]) -> list[Predictor]:
    """Sub-word fertility, and the share of unknown pieces in percent."""
    return [
        Predictor("pieces a word", "number", {code: found.fertility for code, found in cuts.items()}),
        Predictor("unknown pieces (%)", "number", {code: 100 * found.unknown_share for code, found in cuts.items()}),
    ]


def cuts_of(group: Measured, targets: Sequence[Language], scope: Scope) -> tuple[dict[str, Cut], list[str]]:
    """How the backbone's tokenizer cuts each target's evaluated split, and notes on those that cannot be read."""
    from transformers import AutoTokenizer

    from xleval.tasks.recent import blocks_of

    try:
        path = scope.backbone.path(offline=scope.experiment.offline)
    except UserError as error:
        return {}, [f"no pieces a word: {error}"]
    tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, trust_remote_code=False)
    # Longer than what the model takes is no matter here.
    tokenizer.model_max_length = 10**9
    task, found, notes = scope.tasks[group.task], dict[str, Cut](), list[str]()
    for language in targets:
        try:
            blocks = blocks_of(task, scope.target(task, language))
            found[language.code] = cut((row for block in blocks for row in block), tokenizer, language.code)
        except UserError as error:
            notes.append(f"no pieces a word for {language.code}: {error}")
    return found, notes


def of_text(group: Measured, targets: Sequence[Language], store: Store, scope: Scope | None) -> list[Predictor]:
    """Size of the text that each target's language adapter was trained on, one predictor or none.

    In sub-words, by the manifests of the adapters that stood under the task adapter; where the store has none of them,
    in characters of the text that the experiment names.
    """
    sizes: dict[str, float] = {}
    for by_language in group.standing.values():
        for code, standing in by_language.items():
            if standing and standing.get("lang") == code:
                sizes[code] = _sub_words(store, str(standing["id"]).removeprefix("sha256:"))
    if any(map(math.isfinite, sizes.values())):
        values = {lang.code: sizes.get(lang.code, math.nan) for lang in targets}
        return [Predictor("LA text (sub-words)", "number", values)]
    texts = {lang.code: scope.text(lang) for lang in targets} if scope is not None else {}
    # A Wikipedia is not downloaded for its size.
    there = {code: text for code, text in texts.items() if text is not None and (text.files or text.provider)}
    if not there:
        return []
    sizes = {code: float(there[code].bring().characters) if code in there else math.nan for code in texts}
    return [Predictor("LA text (characters)", "number", sizes)]


def _sub_words(store: Store, fingerprint: str) -> float:
    try:
        manifest: dict[str, Any] = store.manifest("language_adapter", fingerprint)
    except CorruptArtifactError:  # or not there
        return math.nan
    chunk = (manifest.get("hyperparameters") or {}).get("chunk")
    chunks = manifest.get("chunks")
    return float(chunks * chunk) if isinstance(chunks, int) and isinstance(chunk, int) else math.nan


def gathered(
    group: Measured, targets: Sequence[Language], host: Host, where: Mapping[str, Any]
) -> tuple[list[Predictor], list[str]]:
    """All predictors that can be had for some targets, and notes on those that cannot.

    ``where`` has values of an experiment: ``backbone`` (None: unknown), ``data_dir``, ``text_dir``, ``store``,
    ``offline``.
    """
    from xleval.experiment import make_experiment
    from xleval.world import resolve_scope

    scope: Scope | None = None
    notes: list[str] = []
    if where["backbone"] is None:
        notes.append(f"backbone {group.backbone} is not registered: give --backbone, for what it saw and its pieces")
    else:
        limit = {"limit": f"{group.limit[0]}:{group.limit[1]}"} if group.limit else {}
        split = {"split": group.split} if group.split in ("dev", "test") else {}
        values = {key: value for key, value in where.items() if value is not None}
        try:
            scope = resolve_scope(make_experiment({"tasks": [group.task], **values, **limit, **split}), host)
        except UserError as error:
            notes.append(f"no pretraining size, no pieces a word: {error}")
    source = host.languages.get(group.source)
    found = of_languages(targets, source, scope.backbone if scope else None)
    if scope is not None:
        sizes, unsized = of_pretraining(targets, scope.backbone)
        cuts, uncut = cuts_of(group, targets, scope)
        found, notes = [*found, *sizes, *of_pieces(cuts)], [*notes, *unsized, *uncut]
    found += of_text(group, targets, Store(where["store"] or default_store()), scope)
    return found, notes
