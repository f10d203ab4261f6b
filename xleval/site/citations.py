"""What to cite for a row of the leaderboard: BibTeX of its strategy, its kind of task adapter and its backbone.

``leaderboard/citations.yaml`` names works for each, and has those that ``reference/papers.yaml`` lacks. What it does
not name, such as the strategy of a third party, has no citation here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from xleval.errors import UserError, nearest
from xleval.published import Paper, load
from xleval.recipe import split_choice
from xleval.resources import resource
from xleval.yaml_file import read_mapping

#: The package whose strategies need no ``package/`` before their names.
_OWN = "xleval/"

_DEFAULT_ADAPTER, _NO_ADAPTER = "bottleneck", frozenset({"full-ft"})

_ENTRY = re.compile(r"@[a-z]+\{([A-Za-z0-9:_.+/-]+),\s", re.ASCII)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    works: Mapping[str, str]
    strategies: Mapping[str, tuple[str, ...]]
    adapters: Mapping[str, tuple[str, ...]]
    backbones: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Citations:
    """BibTeX entries of everything that can be named."""

    works: Mapping[str, str]
    """Key → BibTeX, those of the printed papers included."""
    strategies: Mapping[str, tuple[str, ...]]
    """Name → keys of works."""
    adapters: Mapping[str, tuple[str, ...]]
    """Value of a strategy's parameter ``adapter`` → keys of works."""
    backbones: Mapping[str, tuple[str, ...]]
    """Id without revision → keys of works."""

    def of_strategy(self, label: str) -> tuple[str, ...]:
        """For ``badx:ratio=2:1,adapter=lora``: BAD-X and LoRA. Nothing for a strategy that is not known."""
        try:
            name, given = split_choice(label)
        except UserError:  # no label that xleval wrote
            return ()
        name = name.removeprefix(_OWN)
        if name not in self.strategies:
            return ()
        kind = given.get("adapter", _DEFAULT_ADAPTER)
        adapter = () if name in _NO_ADAPTER else self.adapters.get(kind, ())
        return self._texts((*self.strategies[name], *adapter))

    def of_backbone(self, backbone_id: str) -> tuple[str, ...]:
        """For an id with or without ``@revision``. Nothing for a backbone that is not known."""
        return self._texts(self.backbones.get(backbone_id.partition("@")[0], ()))

    def _texts(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.works[key] for key in dict.fromkeys(keys))


def citations_of(strategy_label: str, backbone_id: str) -> list[str]:
    """What to cite for one row, each entry once: the strategy first, then its kind of adapter, then the backbone."""
    citations = _shipped()
    return list(dict.fromkeys((*citations.of_strategy(strategy_label), *citations.of_backbone(backbone_id))))


def bibtex_of_entry(name: str, updated: str, sha256: str, url: str) -> str:
    """BibTeX of an entry of the leaderboard: the digest of its records says which state of it is meant.

    ``name`` is a folder's name, ``updated`` a time of ISO 8601 or empty, ``url`` the site's or empty.
    """
    shown = name.replace("_", r"\_")
    fields = [f'  title = "{{{shown}}}: an entry of the xleval leaderboard"']
    fields += [f'  year = "{updated[:4]}"'] if updated else []
    fields += [f'  url = "{url}entry/{name}/index.html"'] if url else []
    fields += [f'  note = "records with SHA-256 {sha256}"']
    return f"@misc{{xleval-{name},\n" + ",\n".join(fields) + "\n}"


def load_citations(path: Path | None = None, papers: Mapping[str, Paper] | None = None) -> Citations:
    """The citations in ``path``, by default those that come with xleval; works may also be among ``papers``.

    Raises:
        UserError: naming file and key of what is no citation, stands in both files, or is named but nowhere.
    """
    path = path or resource("leaderboard") / "citations.yaml"
    papers = load().papers if papers is None else papers
    try:
        file = _File.model_validate(read_mapping(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UserError(f"{path}: {'; '.join(faults)}") from None
    _check_works(path, file.works, papers)
    works = {key: text.strip() for key, text in {**_printed(papers), **file.works}.items()}
    for kind in ("strategies", "adapters", "backbones"):
        for name, keys in getattr(file, kind).items():
            for key in keys:
                if key not in works:
                    raise UserError(f"{path}: {kind}.{name}: no work {key!r}{nearest(key, works)}")
    return Citations(works, file.strategies, file.adapters, file.backbones)


def bibtex_key(entry: str) -> str:
    """The key of the one BibTeX entry that the text is.

    Raises:
        ValueError: it is not one entry, saying why.
    """
    text = entry.strip()
    start = _ENTRY.match(text)
    if start is None:
        raise ValueError("does not begin with @type{key,")
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0 and position > start.start(1) and position < len(text) - 1:
            raise ValueError(f"the entry is closed after {text[max(0, position - 30) : position + 1]!r}")
    if depth:
        raise ValueError(f"{depth} braces are not closed")
    return start[1]


def _check_works(path: Path, works: Mapping[str, str], papers: Mapping[str, Paper]) -> None:
    owners = {bibtex_key(text): key for key, text in _printed(papers).items()}
    for key, text in works.items():
        if key in papers:
            raise UserError(f"{path}: works.{key}: stands in reference/papers.yaml; remove it here")
        try:
            name = bibtex_key(text)
        except ValueError as error:
            raise UserError(f"{path}: works.{key}: no BibTeX: {error}") from None
        if (owner := owners.setdefault(name, key)) != key:
            raise UserError(f"{path}: works.{key}: {name!r} is the entry of {owner} already; name that one")


def _printed(papers: Mapping[str, Paper]) -> dict[str, str]:
    return {key: paper.citation for key, paper in papers.items()}


@cache
def _shipped() -> Citations:
    return load_citations()
