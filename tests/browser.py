"""Pages of the leaderboard in a real browser: the browser, pages that are watched, and a board to look at.

Needs playwright and a Chromium of the system; without them tests are skipped, unless XLEVAL_BROWSER_TESTS=required.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from entries import MOMENT, digest, failed
from filelock import FileLock
from test_results_validate import evaluated

from xleval.comparison.measured import MeasuredTable, measure
from xleval.host import Host
from xleval.item_files import items_of
from xleval.item_pack import PACK
from xleval.leaderboard.adding import add_entry
from xleval.records import SCHEMA, Record, Results, cell_key
from xleval.report.table import tabulate
from xleval.scoring.metrics import ACCURACY
from xleval.site.build import build
from xleval.site.serving import site_server

ROOT = Path(__file__).resolve().parents[1]

XLMR, MBERT = "FacebookAI/xlm-roberta-base", "google-bert/bert-base-multilingual-cased"

#: Families, scripts, areas and resources differ; XLM-R has not seen quy and yor, mBERT not quy.
LANGUAGES = ("ara", "deu", "hin", "quy", "swa", "tha", "urd", "yor", "zho")

_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip


def missing(what: str) -> Any:
    """Skips, or fails where the tests are required."""
    if os.environ.get("XLEVAL_BROWSER_TESTS") == "required":
        pytest.fail(f"{what} (XLEVAL_BROWSER_TESTS=required)")
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for a file of tests; not for more, as playwright keeps an event loop running while it lives."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("tests in a browser need playwright: pip install playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("XLEVAL_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path:
        missing("tests in a browser need Chromium: install the package chromium, or name it in XLEVAL_CHROMIUM")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, a checker of accessibility."""
    path = Path(os.environ.get("XLEVAL_AXE") or ROOT / "node_modules" / "axe-core" / "axe.min.js")
    if not path.is_file():
        missing(f"no {path}: npm install axe-core, or name its axe.min.js in XLEVAL_AXE")
    return path.read_text(encoding="utf-8")


@dataclass
class Site:
    """A built site, at two places: on the disk and behind the preview's own server."""

    folder: Path
    results: Path
    http: str
    """With a slash at its end."""

    @property
    def file(self) -> str:
        """With a slash at its end."""
        return self.folder.as_uri() + "/"

    @property
    def pages(self) -> list[str]:
        """Every page of it."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))


def built(place: Path, fill: Callable[[Path], None], **more: str) -> tuple[Path, Path]:
    """A site at ``place`` and its entries, made once; they lie in git: pages name their commit."""
    results, out = place / "checkout" / "results", place / "site of <tests>"  # addresses have to be quoted
    place.mkdir(exist_ok=True)
    with FileLock(place / "lock"), pytest.MonkeyPatch.context() as patch:
        if not out.exists():
            patch.setattr(os, "fsync", lambda _: None)  # of hundreds of files it takes most of the time
            results.mkdir(parents=True)
            fill(results)
            who = ("-c", "user.name=xleval", "-c", "user.email=xleval@example.org", "-c", "commit.gpgsign=false")
            for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "entries")):
                subprocess.run(["git", "-C", str(results), *command], check=True)
            build(results, out, host=Host(), cache_folder=None, **more)
    return out, results


@contextmanager
def served(out: Path, results: Path) -> Iterator[Site]:
    """That site behind the preview's server."""
    with site_server(out, "127.0.0.1", 0, lambda _: None) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield Site(out, results, f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
        thread.join()


def common(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all workers of this run have."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name


def commit_of(results: Path) -> str:
    done = subprocess.run(["git", "-C", str(results), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass
class Watch:
    """What went wrong in a context, in sentences."""

    site: Site
    faults: list[str] = field(default_factory=list)

    def over(self, context: Any) -> None:
        context.on("request", self._request)
        context.on("requestfailed", self._failure)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        context.on("dialog", self._dialog)

    def _request(self, request: Any) -> None:
        home = (self.site.file, self.site.http, "blob:", "data:image/svg+xml")
        if not request.url.startswith(home):
            self.faults.append(f"foreign request: {request.url}")

    def _failure(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before it came
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, site: Site) -> Iterator[Open]:
    """``open_page("task/nli.html", "file")``: that page in a new context, and watched; any fault fails the test."""
    watch = Watch(site)
    contexts = []

    def opened(path: str, where: str = "file", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(30_000)  # machines of CI are slow at times
        watch.over(context)
        contexts.append(context)
        page = context.new_page()
        page.goto(getattr(site, where) + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    if watch.faults:
        pytest.fail("\n".join(dict.fromkeys(watch.faults)))


def a_run(strategy: str, seed: int, backbone: str) -> Record:
    run = f"sha256:{digest(f'{strategy} {seed} {backbone}')}"
    return {
        "type": "run", "schema": SCHEMA, "run_id": run, "train_run_id": run, "xleval": "0.1.0",
        "strategy": {"name": strategy, "plugin": "xleval", "version": "0.1.0", "config_sha256": "a" * 64},
        "backbone": {"id": backbone, "revision": "b" * 40},
        "adapters": [{"role": "task", "kind": "bottleneck", "id": run, "sha256": "c" * 64}],
        "source_lang": "eng", "source": [{"train": "nli@1", "dev": "nli@1"}], "hyperparameters": {"lr": 0.1},
        "target_scope": "shared", "seed": seed, "git_commit": None, "git_dirty": None, "train_on": ["LA(eng)"],
        "drop_last": True, "train_seconds": 1.0, "created": MOMENT, "checkpoint_selection": "source-dev",
        "env": dict.fromkeys(["python", "torch", "transformers", "adapters", "device", "precision"], "1"),
    }  # fmt: skip


def add(
    results: Path,
    name: str,
    strategies: Mapping[str, float],
    languages: Sequence[str] = LANGUAGES,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    *,
    task: str = "xnli",
    backbone: str = XLMR,
    broken: Sequence[tuple[str, int, str]] = (),
    items: int = 100,
) -> Path:
    """An entry whose strategies are right with these probabilities; ``broken`` (strategy, seed, language) failed."""
    source = Results(results.parent / "sources" / name)
    for strategy, right in strategies.items():
        for seed in seeds:
            run = a_run(strategy, seed, backbone)
            source.append(run)
            for place, language in enumerate(languages):
                random = np.random.default_rng(int(digest(f"{run['run_id']}{language}")[:8], 16))
                counts = np.stack([random.random(items) < right + 0.02 * place, np.ones(items, bool)], axis=1)
                cell = evaluated(source, run["run_id"], task, language, [ACCURACY], counts.astype(int))
                if (strategy, seed, language) in broken:
                    failed(cell)
                source.append({**cell, "provenance": "self-reported", "created": MOMENT})
    added = add_entry([source.folder], results, name).path
    shutil.rmtree(source.folder)
    return added


FORMULA = '=HYPERLINK("x",1)'


def fill(results: Path) -> None:
    """Two entries of one backbone, one of another, one whose items are gone, and another task."""
    some = {"madx": 0.52, "tlr-all-multi": 0.64, "la-none-tr": 0.45, "transfer:lang=swa,steps=100": 0.46}
    add(results, "first", {**some, "transfer:lang=quy,steps=100": 0.38})
    broken = [("badx", seed, "yor") for seed in (11, 12, 13)] + [("badx", 12, "quy")]
    add(results, "second", {"madx": 0.52, "badx": 0.65}, seeds=(11, 12, 13), broken=broken)
    add(results, "other", {"madx": 0.44, "tlr-target": 0.45}, backbone=MBERT)
    doubtful = add(results, "doubtful", {FORMULA: 0.6, "@none": 0.3}, seeds=(1, 2))
    (doubtful / PACK).unlink()
    add(results, "third", {"madx": 0.5, "badx": 0.5}, ("hau", "wol", "yor"), (1, 2), task="masakha-nli", items=50)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site of :func:`fill`."""
    with served(*built(common(tmp_path_factory, "board"), fill)) as made:
        yield made


Scores = dict[str, dict[int, Fraction]]


def scores_of(results: Path, task: str = "xnli") -> dict[str, Scores]:
    """``entry/strategy`` → language → seed → points, from the counts in the records."""
    found: dict[str, Scores] = {}
    for entry in sorted(results.iterdir()):
        if entry.name.startswith("."):
            continue
        runs = Results(entry).runs()
        for cell in Results(entry).cells().values():
            if cell["task"] == task:
                run = runs[cell["run_id"]]
                languages = found.setdefault(f"{entry.name}/{run['strategy']['name']}", {})
                seeds = languages.setdefault(cell["language"], {})
                if cell["status"] == "ok":
                    seeds[run["seed"]] = Fraction(100 * cell["counts"]["correct"], cell["counts"]["total"])
    return found


def average(scores: Scores, languages: Sequence[str]) -> Fraction | None:
    """Over these languages and the seeds that have all of them."""
    seeds = set.intersection(*(set(scores.get(code, ())) for code in languages)) if languages else set()
    values = [scores[code][seed] for code in languages for seed in seeds]
    return sum(values, Fraction(0)) / len(values) if values else None


def printed(value: Fraction | None, digits: int = 1) -> str:
    """Half up; a dash where there is nothing."""
    if value is None:
        return "–"
    number = math.floor(value * 10**digits + Fraction(1, 2))
    return f"{'−' * (number < 0)}{abs(number) // 10**digits}.{abs(number) % 10**digits:0{digits}}"


def measured_table(results: Path, backbone: str, task: str = "xnli") -> MeasuredTable:
    """The items behind all rows of a backbone that have them; rows are ``entry/strategy``."""
    runs, cells, homes = {}, [], {}
    for entry in sorted(path.parent for path in results.glob(f"*/{PACK}")):
        of_entry = Results(entry).runs()
        for key, cell in Results(entry).cells().items():
            run = of_entry[cell["run_id"]]
            if cell["task"] == task and run["backbone"]["id"] == backbone:
                runs[cell["run_id"]] = {**run, "strategy": {"name": f"{entry.name}/{run['strategy']['name']}"}}
                cells.append(cell)
                homes[key] = entry
    (table,) = tabulate(cells, runs).tables
    return measure(table, lambda record: items_of(homes[cell_key(record)], record))


#: What a reader sees of a table of scores: its columns, and of each row what stands in them.
SEEN = r"""table => {
  const seen = element => element.checkVisibility();
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map(th => th.dataset.key || th.textContent.trim());
  const text = element => element ? element.textContent.trim() : '';
  return {
    columns: names.filter((_, i) => seen(heads[i])),
    sorted: Object.fromEntries(heads.flatMap((th, i) => th.ariaSort ? [[names[i], th.ariaSort]] : [])),
    rows: [...table.tBodies[0].rows].filter(seen).map(tr => {
      const link = tr.cells[0].querySelector('a');
      const entry = link ? link.getAttribute('href').match(/entry\/([^/]+)/)[1] + '/' : '';
      const cells = Object.fromEntries(names.map((name, i) => [name, tr.cells[i]]));
      return {
        name: entry + text(link || tr.cells[0].firstChild),
        average: text(cells.average.querySelector('.value')),
        interval: text(cells.average.querySelector('.interval')),
        cells: Object.fromEntries(names.filter(name => seen(cells[name])).map(name => [name, text(cells[name])])),
        tied: names.filter(name => cells[name].classList.contains('tied')),
      };
    }),
  };
}"""


def seen(page: Any, table: int = 0) -> dict[str, Any]:
    """:data:`SEEN` of a table by its number."""
    return dict(page.locator(f"table.scores[data-table='{table}']").evaluate(SEEN))


def names(page: Any, table: int = 0) -> list[str]:
    """Its rows, from the top."""
    return [row["name"] for row in seen(page, table)["rows"]]


def choose(page: Any, **values: str) -> None:
    """Fills in filters as a reader does."""
    for name, value in values.items():
        control = page.locator(f"#filters [name='{name}']")
        if control.evaluate("control => control.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)


def until(page: Any, script: str) -> None:
    """Waits for an expression to be true; playwright's own way needs ``eval``, which the pages forbid."""
    for _ in range(400):
        if page.evaluate(script):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never true on {page.url}: {script}")


def sort_button(page: Any, column: str, table: int = 0) -> Any:
    """The button of a column: a key, or the code of a language."""
    head = page.locator(f"table.scores[data-table='{table}'] thead")
    keyed = head.locator(f"th[data-key='{column}'] button")
    return keyed if keyed.count() else head.get_by_role("button", name=column, exact=True)


@pytest.fixture(params=["file", "http"])
def where(request: pytest.FixtureRequest) -> str:
    """From the disk, or from a server."""
    return str(request.param)
