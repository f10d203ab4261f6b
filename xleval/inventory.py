"""Which language adapters there are: trained ones in a store, and published ones of a backbone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xleval.adapter_download import KIND, fingerprint
from xleval.adapterhub import choose

if TYPE_CHECKING:
    from xleval.backbones import Backbone
    from xleval.store import Store, Stored

_TRAINED = "language_adapter"


@dataclass(frozen=True)
class KnownAdapter:
    """A language, bilingual or multilingual adapter that a run could use.

    ``id`` is a fingerprint in the store or an id of the hub. Perplexities are of held-out text, before and after
    training; ``text`` says what it was trained on. ``chosen``: what ``la.published`` takes for its language, where
    neither ``--la`` nor ``--text-dir`` has one. ``here``: on this machine, so that a run needs no network for it.
    """

    backbone: str
    languages: tuple[str, ...]
    module: str
    source: str
    id: str
    steps: int | None = None
    perplexity_before: float | None = None
    perplexity: float | None = None
    text: str = ""
    architecture: str = ""
    chosen: bool = False
    here: bool = True


def trained_adapters(backbones: Iterable[Backbone], store: Store, *, others: bool = False) -> list[KnownAdapter]:
    """Adapters in the store that were trained on one of the backbones, in order of backbone and language.

    ``others``: those of further backbones as well, under the id that they were trained on.
    """
    names = {backbone.identity["revision"]: backbone.name for backbone in backbones}
    found = []
    for stored in store:
        identity = stored.manifest.get("backbone") or {}
        name = names.get(str(identity.get("revision")), str(identity.get("id", "")) if others else "")
        if stored.kind == _TRAINED and name:
            found.append(_trained(name, stored))
    order = [*names.values()]
    return sorted(found, key=lambda row: (row.backbone not in order, row.backbone, row.languages, row.id))


def published_adapters(backbone: Backbone, store: Store, policy: str = "any") -> list[KnownAdapter]:
    """Adapters published for a backbone, in order of language, for each what the policy chooses first.

    Raises:
        UserError: no such policy, or a table that cannot be read.
    """
    adapters = backbone.language_adapters
    chosen = {code: choose(adapters, code, policy) for code in {"", *(adapter.language for adapter in adapters)}}
    found = [
        KnownAdapter(
            backbone=backbone.name,
            languages=(adapter.language,),
            module=f"LA({adapter.language})",
            source="published",
            id=str(adapter),
            steps=adapter.steps,
            text="Wikipedia",
            architecture=f"{adapter.architecture} {adapter.non_linearity} /{adapter.reduction or '?'}",
            chosen=chosen[adapter.language] == adapter,
            here=store.has(KIND, fingerprint(adapter)),
        )
        for adapter in adapters
    ]
    return sorted(found, key=lambda row: (row.languages, not row.chosen))


def _trained(backbone: str, stored: Stored) -> KnownAdapter:
    about = stored.manifest
    languages = tuple(about.get("languages") or (about.get("language", ""),))
    hyper, texts = about.get("hyperparameters") or {}, about.get("texts") or {}
    return KnownAdapter(
        backbone=backbone,
        languages=languages,
        module=str(about.get("module") or f"LA({languages[0]})"),
        source="store",
        id=stored.fingerprint,
        steps=about.get("steps"),
        perplexity_before=about.get("perplexity_before"),
        perplexity=about.get("perplexity"),
        text=", ".join(dict.fromkeys(str(text.get("origin", "")) for text in texts.values())),
        architecture=f"{hyper.get('non_linearity', '')} /{hyper.get('reduction', '')}" if hyper else "",
    )
