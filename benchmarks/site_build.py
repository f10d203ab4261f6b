"""How long the leaderboard's site takes to build, how heavy its pages are, and how fast a browser shows them.

Entries are made by ``site_records.py``: 200,000 scores without per-item files, which the site shows as self-reported,
and 4,000 with, which are validated and tested. Their site is built twice, each time by a new process: with nothing
cached, and again. Then headless Chromium opens the heaviest page of scores from the disk (needs Playwright; without it,
or without a browser, that part is left out). Exit code 1 if a limit is missed.

Run: python benchmarks/site_build.py
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent

#: Seconds, bytes, bytes after gzip, milliseconds, milliseconds.
BUILD, MEMORY, PAGE, INTERACTIVE, RESPONSE = 60.0, 2 << 30, 400_000, 1000.0, 100.0
TIMES = 5

_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip

#: Before the page's own scripts: looks at every frame whether the page answers.
_WATCH = """(() => {
  const look = () => {
    const button = document.querySelector('table.scores thead th button');
    if (window.xleval && window.xleval.current && button && !button.disabled) window.interactiveAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""

_INTERACTIVE = """() => new Promise((resolve) => {
  const look = () => (window.interactiveAt ? resolve(window.interactiveAt) : requestAnimationFrame(look));
  look();
})"""

_FRAMES = "const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"

_LANGUAGES = """() => {
  const heads = [...document.querySelectorAll('table.scores')][0].tHead.rows[0].cells;
  return [...heads].filter((th) => th.dataset.lang).map((th) => xleval.current.data.languages[th.dataset.lang]);
}"""

_SORT = f"""async (number) => {{
  {_FRAMES}
  const heads = [...document.querySelector('table.scores').tHead.rows[0].cells].filter((th) => th.dataset.lang);
  await frames();
  const start = performance.now();
  heads[number].querySelector('button').click();
  await frames();
  if (!heads[number].hasAttribute('aria-sort')) throw new Error('not sorted');
  return performance.now() - start;
}}"""

_FILTER = f"""async (text) => {{
  {_FRAMES}
  const control = document.querySelector('form#filters [name=lang]');
  await frames();
  const start = performance.now();
  control.value = text;
  control.dispatchEvent(new Event('input', {{ bubbles: true }}));
  await frames();
  if (text && xleval.current.view.languages.length !== 1) throw new Error('not filtered');
  return performance.now() - start;
}}"""


class Build(NamedTuple):
    """One run of ``xleval leaderboard build``."""

    seconds: float
    cpu: float
    """Seconds of all processes."""
    memory: int
    """Bytes at the peak: of the largest process, or of all that ran at once, whichever is more."""


class Weight(NamedTuple):
    """A page with the scripts, styles and pictures that it loads at once."""

    path: str
    html: int
    bytes: int
    """As they lie on the disk."""
    gzip: int


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000, help="scores without per-item files")
    parser.add_argument("--measured", type=int, default=4000, help="scores with per-item files: a multiple of 500")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keeps entries and site, for the next time")
    parser.add_argument("--browser", default=shutil.which("chromium"), metavar="PATH", help="of Chromium")
    given = parser.parse_args()
    if given.out:
        sys.exit(measure(given.out, given))
    with tempfile.TemporaryDirectory() as name:
        sys.exit(measure(Path(name), given))


def measure(folder: Path, given: argparse.Namespace) -> int:
    """1 if a limit is missed."""
    results, site, cached = folder / f"entries-{given.records}-{given.measured}", folder / "site", folder / "cache"
    make_entries(results, given)
    for old in (site, cached):
        shutil.rmtree(old, ignore_errors=True)
    cold, warm = (build(results, site, cached, folder / "build.log") for _ in range(2))
    weights = sorted(page_weights(site), key=lambda one: one.gzip)
    scores = [one for one in weights if one.path.startswith("task/")]
    files = [path for path in site.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    table = Table()
    table.add("build, nothing cached", _seconds(cold), "60 s", cold.seconds <= BUILD)
    table.add("build again", _seconds(warm), "60 s", warm.seconds <= BUILD)
    table.add("memory at the peak", f"{max(cold.memory, warm.memory) / 2**20:.0f} MiB", "2 GiB", cold.memory <= MEMORY)
    html = sum(one.html for one in weights)
    table.add("pages", f"{len(weights):,}, {html / 1e6:.1f} MB; {len(files):,} files, {size / 1e6:.1f} MB in all")
    for name, group in (("heaviest page", weights), ("heaviest page of scores", scores)):
        *_, most = group
        shown = f"{most.gzip / 1000:.0f} kB gzip, {most.bytes / 1000:.0f} kB unpacked"
        table.add(f"{name}, `{most.path}`", shown, "400 kB gzip", most.gzip <= PAGE)
    for one in browse(site / scores[-1].path, given.browser):
        table.add(one.name, str(one), f"{one.limit:.0f} ms", one.median <= one.limit)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.\n")
    print(table)
    return int(table.missed)


def _seconds(one: Build) -> str:
    return f"{one.seconds:.1f} s, {one.cpu:.1f} s of CPU"


class Table:
    """Figures against limits."""

    def __init__(self) -> None:
        self.lines = ["| what | measured | limit |", "|---|--:|--:|"]
        self.missed = False

    def add(self, what: str, measured: str, limit: str = "", kept: bool = True) -> None:
        """One line."""
        self.lines.append(f"| {what} | {measured}{'' if kept else ' **missed**'} | {limit} |")
        self.missed |= not kept

    def __str__(self) -> str:
        return "\n".join(self.lines)


def make_entries(folder: Path, given: argparse.Namespace) -> None:
    """In a process of its own: a child's peak counts from its parent's size on, so this one has to stay small."""
    if folder.is_dir():
        print(f"entries of {folder} are used again\n")
        return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    numbers = [f"--records={given.records}", f"--measured={given.measured}"]
    subprocess.run([sys.executable, str(HERE / "site_records.py"), str(aside), *numbers], check=True)
    aside.rename(folder)


def build(results: Path, site: Path, cached: Path, log: Path) -> Build:
    """One build in a new process."""
    command = [sys.executable, "-m", "xleval", "leaderboard", "build", f"--results={results}", f"--out={site}"]
    environment = {**os.environ, "XLEVAL_CACHE": str(cached), "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    with log.open("w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        most = 0
        while True:
            found, status, usage = os.wait4(process.pid, os.WNOHANG)  # also of the children that it waited for
            if found:
                break
            most = max(most, _resident(process.pid))
            time.sleep(0.1)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}\n{log.read_text()[-5000:]}")
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Build(seconds, usage.ru_utime + usage.ru_stime, max(largest, most))


def _resident(process: int) -> int:
    """Bytes of a process and its children together, where the system says so (Linux); what they share counts twice."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (OSError, IndexError):  # another system, or it has just ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)


class _Loaded(HTMLParser):
    """Addresses of what a page loads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loads = given.get("src") if tag in ("script", "img") else None
        if tag == "link" and {"stylesheet", "icon"} & set((given.get("rel") or "").split()):
            loads = given.get("href")
        if loads and not loads.startswith("data:"):
            self.found.append(loads.partition("?")[0])


def page_weights(site: Path) -> Iterator[Weight]:
    """All pages of a site."""
    for path in sorted(site.rglob("*.html")):
        parser = _Loaded()
        parser.feed(path.read_text(encoding="utf-8"))
        sizes = [_sizes(path), *(_sizes((path.parent / each).resolve()) for each in dict.fromkeys(parser.found))]
        whole, packed = (sum(column) for column in zip(*sizes, strict=True))
        yield Weight(path.relative_to(site).as_posix(), sizes[0][0], whole, packed)


@cache
def _sizes(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    return len(data), len(gzip.compress(data, 6))


class Response(NamedTuple):
    """How fast a browser does something."""

    name: str
    times: list[tuple[float, float]]
    """Milliseconds of each time, and of the CPU that the page's main thread took."""
    limit: float

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(milliseconds for milliseconds, _ in self.times)

    def __str__(self) -> str:
        milliseconds, cpu = zip(*self.times, strict=True)
        spread = f"({min(milliseconds):.0f} to {max(milliseconds):.0f})"
        return f"{self.median:.0f} ms {spread}, {statistics.median(cpu):.0f} ms of CPU"


def browse(page: Path, browser: str | None) -> list[Response]:
    """What is measured in the browser; nothing where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("No browser was measured: Playwright is not installed.\n")
        return []
    if not browser or not Path(browser).is_file():
        print("No browser was measured: name Chromium with --browser.\n")
        return []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=list(_SWITCHES))
        print(f"Chromium {chromium.version}, headless; medians of {TIMES} times (range).\n")
        loads = []
        for number in range(TIMES):
            sheet = Sheet(chromium, page)
            loads.append(sheet.loaded)
            if number < TIMES - 1:
                sheet.page.context.close()
        codes = sheet.page.evaluate(_LANGUAGES)
        places = [number * (len(codes) - 1) // (TIMES - 1) for number in range(TIMES)]
        sorts = [sheet.timed(_SORT, place) for place in places]
        pairs = [(sheet.timed(_FILTER, codes[place]), sheet.timed(_FILTER, "")) for place in places]
        chromium.close()
    return [
        Response("until the page answers", loads, INTERACTIVE),
        Response("sort by a language", sorts, RESPONSE),
        Response("filter to one language", [one for one, _ in pairs], RESPONSE),
        Response("filter taken away", [other for _, other in pairs], RESPONSE),
    ]


class Sheet:
    """The page in a new context of the browser."""

    def __init__(self, chromium: Any, page: Path) -> None:
        context = chromium.new_context(viewport={"width": 1400, "height": 900})
        self.page = context.new_page()
        self.developer = context.new_cdp_session(self.page)
        self.developer.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.add_init_script(_WATCH)
        faults: list[str] = []
        self.page.on("pageerror", lambda error: faults.append(str(error)))
        self.page.goto(page.resolve().as_uri())
        self.loaded = float(self.page.evaluate(_INTERACTIVE)), self._cpu()
        """Milliseconds until it answered, and of CPU."""
        if faults:
            sys.exit(f"{page}: {faults[0]}")

    def timed(self, script: str, argument: Any) -> tuple[float, float]:
        """Milliseconds, and milliseconds of CPU."""
        before = self._cpu()
        return float(self.page.evaluate(script, argument)), self._cpu() - before

    def _cpu(self) -> float:
        """Milliseconds that the page's main thread has computed for: script, style, layout and paint."""
        found = self.developer.send("Performance.getMetrics")["metrics"]
        return next(1000 * float(one["value"]) for one in found if one["name"] == "ThreadTime")


if __name__ == "__main__":
    main()
