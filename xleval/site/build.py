"""``xleval leaderboard build``: entries and printed numbers in, a folder of static pages out.

The folder is made beside its place and moved there when it is whole; the same entries give the same bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xleval import __version__
from xleval.errors import UserError
from xleval.fingerprint import file_digest
from xleval.host import Host
from xleval.item_pack import PACK
from xleval.published import Published, load
from xleval.records import RECORDS
from xleval.resources import resource
from xleval.site import overview
from xleval.site.board import BADGES, REPRODUCED, SELF_REPORTED, VALIDATED, Page, pages_of
from xleval.site.citations import bibtex_of_entry, citations_of
from xleval.site.contributions import Contribution, Tell, entries_of, no_collector, read_contributions, refuse_twice
from xleval.site.feed import feed
from xleval.site.known import FACETS, Known
from xleval.site.payload import files_of
from xleval.site.printed import add_printed
from xleval.site.render import Site, environment, render
from xleval.site.strips import scale_of, strip
from xleval.site.systems import System, systems_of
from xleval.site.transfer import transfer_maps

if TYPE_CHECKING:
    from jinja2 import Environment

MANIFEST = "manifest.json"
_SCHEMA = "xleval-site/1"

#: Seconds that git may take to name the last commit.
_PATIENCE = 10


class Built(NamedTuple):
    """A site."""

    folder: Path
    entries: int
    pages: int
    """Files of HTML."""
    bytes: int
    """Of all files."""
    self_reported: tuple[str, ...]
    """Entries whose scores are not validated."""


@no_collector()
def build(
    results: Path,
    out: Path,
    *,
    host: Host,
    url: str = "",
    title: str = "xleval leaderboard",
    cache_folder: Path | None = None,
    tell: Tell = lambda *_: None,
) -> Built:
    """Builds the site of all entries in ``results`` at ``out``, which it replaces.

    ``url`` is where it will be served. ``cache_folder`` keeps what takes long to compute.

    Raises:
        UserError: an entry that cannot be shown, two that have the same cell, a folder ``out`` that is no built site, a
            full disk.
    """
    contributions = read_contributions(list(entries_of(results)), tell)
    refuse_twice(contributions)
    known, published = Known(host), load()
    pages = add_printed(pages_of(contributions, known, cache_folder, tell), published, known)
    updated = max((one.updated for one in contributions), default="")
    address = url.rstrip("/") + "/" if url else ""
    site = Site(title, address, _commit(results), __version__, updated)
    with _replaced(out) as place:
        _write(place, site, contributions, pages, known, published)
        total = _manifest(place, site)
        html = sum(1 for _ in place.rglob("*.html"))
    doubtful = tuple(one.name for one in contributions if not one.validated)
    return Built(out, len(contributions), html, total, doubtful)


def sources() -> list[Path]:
    """What a site is made of besides entries: folders and files."""
    home = resource("leaderboard")
    return [home / name for name in ("templates", "script", "style", "reference", "citations.yaml")]


@dataclass(frozen=True)
class _Place:
    """The folder that is being filled."""

    folder: Path
    site: Site
    templates: Environment

    def page(self, template: str, path: str, **values: Any) -> None:
        self.text(path, render(self.templates, template, path, values))

    def text(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")

    def copy(self, path: str, source: Path) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _write(
    folder: Path,
    site: Site,
    contributions: Sequence[Contribution],
    pages: Sequence[Page],
    known: Known,
    published: Published,
) -> None:
    home = resource("leaderboard")
    place = _Place(folder, site, environment(home / "templates", site))
    place.text("assets/site.js", _joined(home / "script", "*.js"))
    place.text("assets/site.css", _joined(home / "style", "*.css"))
    place.copy("assets/icon.svg", home / "templates" / "icon.svg")
    place.templates.globals |= {"badges": BADGES, "strip": strip, "pages": pages}
    systems = {one.name: systems_of(one, pages) for one in contributions}
    place.page(
        "index.html", "index.html", main=overview.main_pages(pages), summaries=overview.summaries(pages),
        finder=overview.finder(pages), contributions=contributions, systems=sum(map(len, systems.values())),
    )  # fmt: skip
    for page in pages:
        _task(place, page, pages, known)
    for contribution in contributions:
        _entry(place, contribution, systems[contribution.name])
    place.page("compare.html", "compare.html", comparable=[one for one in pages if _comparable(one)])
    place.page("transfer.html", "transfer.html", maps=list(transfer_maps(pages, known)))
    place.page("about.html", "about.html", papers=published.papers)
    place.text("feed.xml", feed(site, [(one, _words(one, systems[one.name])) for one in contributions]))


def _task(place: _Place, page: Page, pages: Sequence[Page], known: Known) -> None:
    title = _title(page)
    for name, content in files_of(page, title).items():
        place.text(f"data/{name}", content)
    place.page(
        "task.html", f"task/{page.slug}.html", page=page, title=title, spec=known.task(page.task), scale=scale_of(page),
        best=[best for number in range(len(page.backbones)) if (best := overview.best_average(page, number))],
        facets=[(facet, sorted({getattr(column, facet) for column in page.languages})) for facet in FACETS],
        others=[one for one in pages if one.task == page.task and one is not page], citations=_cited(page),
    )  # fmt: skip


def _entry(place: _Place, contribution: Contribution, systems: Sequence[System]) -> None:
    folder = f"entry/{contribution.name}"
    files = []
    for name in (RECORDS, PACK):
        source = contribution.folder / name
        if source.is_file() and not source.is_symlink():
            place.copy(f"{folder}/{name}", source)
            files.append((name, source.stat().st_size, file_digest(source)))
    badge = VALIDATED if contribution.validated else SELF_REPORTED
    own = bibtex_of_entry(contribution.name, contribution.updated, files[0][2], place.site.url)
    common = {"contribution": contribution, "files": files, "own_citation": own}
    place.page("entry.html", f"{folder}/index.html", systems=systems, badge_index=badge, **common)
    for system in systems:
        agreed = all(line.badge == REPRODUCED for _, line in system.places)
        place.page("system.html", system.href, system=system, badge_index=REPRODUCED if agreed else badge, **common)


def _joined(folder: Path, pattern: str) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.glob(pattern)))


def _title(page: Page) -> str:
    version = "" if page.plain else f", version {page.version} ({page.data})"
    return f"{page.task}, {page.metric}{version}"


def _cited(page: Page) -> list[str]:
    named = [(line.strategy, page.backbones[line.backbone].name) for line in page.lines]
    named += [(line.strategy or "", page.backbones[line.backbone].name) for line in page.printed]
    return list(dict.fromkeys(entry for label, backbone in named for entry in citations_of(label, backbone)))


def _comparable(page: Page) -> bool:
    backbones = [line.backbone for line in page.lines]
    return len(set(backbones)) < len(backbones)


def _words(contribution: Contribution, systems: Sequence[System]) -> str:
    labels = list(dict.fromkeys(system.label for system in systems))
    tasks = sorted({page.task for system in systems for page, _ in system.places})
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    badge = BADGES[VALIDATED if contribution.validated else SELF_REPORTED]
    return f"{', '.join(labels[:5])}{more} on {', '.join(tasks)} ({badge})"


def _commit(results: Path) -> str:
    """The last commit that changed the entries; empty outside of git, and where there are changes besides."""
    try:
        if _git(results, "status", "--porcelain", "--", ".").strip():
            return ""
        return _git(results, "log", "-1", "--format=%H", "--", ".").strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=_PATIENCE
    )
    return done.stdout


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """A new folder that stands at ``out`` in the end; what was there before stays if anything fails."""
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or _is_site(out))):
        raise UserError(f"{out} is not a site that xleval built; choose another folder with --out, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".building-", dir=out.parent))
    except OSError as error:
        raise UserError(f"cannot write to {out.parent}: {error.strerror}; choose another folder with --out") from None
    try:
        place.chmod(0o755)
        yield place
        old = None
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=out.parent))
            out.rename(old / out.name)
        place.rename(out)
        if old:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(f"the site could not be written to {out}: {error.strerror}; what was there stays") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _is_site(folder: Path) -> bool:
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("schema") == _SCHEMA


def _manifest(folder: Path, site: Site) -> int:
    """Names every file with its digest; returns their bytes."""
    files = {}
    total = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        files[path.relative_to(folder).as_posix()] = {"bytes": size, "sha256": file_digest(path)}
        total += size
    about = {"schema": _SCHEMA, "xleval": site.version, "commit": site.commit, "updated": site.updated, "files": files}
    (folder / MANIFEST).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")
    return total
