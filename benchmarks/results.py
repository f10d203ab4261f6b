"""Measures, and writes RESULTS.md: all sections in order, or those that are named.

A section is replaced in its place as soon as it has been measured; the others stay as they are. It says on what
machine, with which command, when and at which commit it was made, and has what the benchmark printed. One that needs
what the machine lacks keeps its old text; so does one that fails, and then the exit code is 1. Where a benchmark misses
a limit of its own, its table has **missed**: that is written, and the exit code is 1 too.

Run: python benchmarks/results.py [SECTION …] [--peer utils_qa.py]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sections import SECTIONS, Command, Section

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "RESULTS.md"
PREFACE = """# Measured

`python benchmarks/results.py` writes this file, `python benchmarks/results.py NAME …` single sections; each says on
what machine, when and at which commit it was made."""
MISSED = "**missed**"


class BenchmarkError(Exception):
    """A benchmark that ended badly; the message is the end of what it said."""


class Measured(NamedTuple):
    """The text of a section, without its title."""

    text: str
    missed: bool
    """A limit, by the benchmark's own judgement."""


class Document:
    """The file: a preface, and the text of each section by its title."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text(encoding="utf-8") if path.is_file() else PREFACE
        preface, *parts = re.split(r"^## (?=\S)", text, flags=re.MULTILINE)
        self.preface = preface.strip()
        pairs = (part.partition("\n") for part in parts)
        self.texts = {title.strip(): body.strip() for title, _, body in pairs}

    def replace(self, section: Section, text: str) -> None:
        """Writes the file anew: whoever reads it sees the old or the new one, whole."""
        self.texts[section.title] = text.strip()
        known = [one.title for one in SECTIONS if one.title in self.texts]
        titles = [*known, *(title for title in self.texts if title not in known)]
        parts = [self.preface, *(f"## {title}\n\n{self.texts[title]}" for title in titles)]
        handle, aside = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n\n".join(parts) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(self.path)


def measure(section: Section, given: argparse.Namespace) -> Measured:
    """Runs the commands of a section.

    Raises:
        BenchmarkError: one of them ended badly.
    """
    parts, missed = [machine()], False
    for command in section.commands:
        origin = f"{datetime.now(timezone.utc):%Y-%m-%d}, commit {commit()}"
        ran, shown = _lines(command, given)
        printed, failed = _printed(ran)
        missed |= failed
        parts += [f"`{shown}`, {origin}:", printed]
    return Measured("\n\n".join([*parts, *([section.remark] if section.remark else [])]), missed)


def _lines(command: Command, given: argparse.Namespace) -> tuple[list[str], str]:
    """The command as it is run, and as it is shown: without places on this machine."""
    arguments = [*command.arguments, *(command.quick if given.quick else ())]
    peer = [f"--peer={given.peer.resolve()}"] if command.takes_peer and given.peer else []
    program, name = ("bash", "bash") if command.script.endswith(".sh") else (sys.executable, "python")
    shown = [name, f"benchmarks/{command.script}", *arguments, *(f"--peer={given.peer.name}" for _ in peer)]
    return [program, str(HERE / command.script), *arguments, *peer], " ".join(shown)


def _printed(command: Sequence[str]) -> tuple[str, bool]:
    """What it printed, and whether it says that it missed a limit."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    missed = bool(done.returncode) and MISSED in done.stdout
    if (done.returncode and not missed) or not done.stdout.strip():
        said = [*done.stdout.splitlines(), *done.stderr.splitlines()][-15:]
        raise BenchmarkError("\n".join([f"exit code {done.returncode}", *said]))
    # A title in there would be taken for a section's.
    return re.sub(r"^## ", "### ", done.stdout.strip(), flags=re.MULTILINE), missed


def commit() -> str:
    """Short hash, with "+changes" where the tree differs from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    # The file itself changes with every section.
    changed = git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/RESULTS.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+changes" if changed else "")


@cache
def machine() -> str:
    """Hardware and versions, in one line."""
    code = (
        "import json, adapters, numpy, scipy, torch, transformers\n"
        "names = [m.__name__ + ' ' + m.__version__ for m in (torch, transformers, adapters, numpy, scipy)]\n"
        "devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]\n"
        "print(json.dumps([names, devices]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    versions, devices = json.loads(done.stdout.splitlines()[-1])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    hardware = [f"{os.cpu_count()} cores of {_processor()}", f"{memory:.0f} GiB", *devices]
    return f"{', '.join(hardware)}; {platform.system()}, Python {platform.python_version()}, {', '.join(versions)}."


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def main() -> None:
    """Exit code 1 if a section failed."""
    runnable = [section for section in SECTIONS if section.commands]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="SECTION", help=f"of {', '.join(section.name for section in runnable)}; else all"
    )
    parser.add_argument("--peer", type=Path, metavar="FILE", help="utils_qa.py, which question-answering is put beside")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="in place of RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="smallest settings, to see that all works; needs --out")
    given = parser.parse_args()
    unknown = set(given.names) - {section.name for section in runnable}
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}")
    if given.quick and given.out.resolve() == RESULTS:
        parser.error("--quick makes no figures for RESULTS.md: name another file with --out")
    if given.peer and not given.peer.is_file():
        parser.error(f"there is no {given.peer}")
    chosen = [section for section in runnable if not given.names or section.name in given.names]
    sys.exit(1 if run(chosen, given) else 0)


def run(chosen: Sequence[Section], given: argparse.Namespace) -> list[str]:
    """Measures sections one after the other; names of those that failed or missed a limit."""
    console, document, failed = Console(stderr=True), Document(given.out), []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    for number, section in enumerate(chosen, start=1):
        lacking = [need.lacking for need in section.needs if not need.there()]
        if any(command.takes_peer for command in section.commands) and not given.peer:
            lacking.append("no --peer")
        if lacking:
            console.print(f"{section.name}: not measured, {'; '.join(lacking)}", highlight=False)
            continue
        running, start = f"{section.name} ({number} of {len(chosen)})", time.monotonic()
        if not console.is_terminal:
            console.print(running, highlight=False)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            progress.add_task(running, total=None)
            try:
                measured = measure(section, given)
            except BenchmarkError as error:
                failed.append(section.name)
                console.print(f"{section.name}: failed, {error}", highlight=False, markup=False)
                continue
        document.replace(section, measured.text)
        failed += [section.name] if measured.missed else []
        ended = "missed a limit after" if measured.missed else "done in"
        console.print(f"{section.name}: {ended} {time.monotonic() - start:.0f} s", highlight=False)
    return failed


if __name__ == "__main__":
    main()
