"""What `xleval leaderboard validate --json` found, as text for a pull request; standard library only.

    leaderboard_summary.py REPORT CHANGED BUILT OUT

writes the text to OUT and prints it as Markdown. CHANGED has the paths that the pull request changes, each ended by
NUL; BUILT is the outcome of the step that builds the site. Names and messages are a contributor's: whoever shows the
text uses `fenced`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RESULTS = "leaderboard/results/"

#: Faults shown of one entry and entries shown at all; lines, characters of a line and of everything.
FAULTS, ENTRIES, LINES, LINE, ALL = 20, 50, 200, 400, 20_000

#: What Markdown, HTML or a mention would be made of becomes a letter that looks like it.
_HARMLESS = str.maketrans({"`": "'", "<": "‹", ">": "›", "@": "＠"})

_BUILT = {
    "success": "The site was built: artifact leaderboard-preview, folder site.",
    "skipped": "The site was not built: mend the faults first.",
}


def summary(report: Any, changed: Sequence[str], built: str) -> str:
    """The entries that are changed first, then others with faults, then how many others there are."""
    if not isinstance(report, list):
        return "The check did not finish; the run's log says why."
    touched = {path.removeprefix(RESULTS).partition("/")[0] for path in changed}
    entries = [(Path(str(entry["path"])).parent.name, entry) for entry in report]
    first = [entry for name, entry in entries if name in touched]
    faulty = [entry for name, entry in entries if name not in touched and entry["faults"]]
    shown = [*first, *faulty][:ENTRIES]
    lines = [line for entry in shown for line in _entry(entry)]
    if gone := sorted(touched - {name for name, _ in entries}):
        lines.append(f"Changed, and not an entry: {', '.join(gone)}")
    if more := len(first) + len(faulty) - len(shown):
        lines.append(f"{more} more entries are changed or have faults")
    if others := len(entries) - len(first) - len(faulty):
        lines.append(f"{others} other {'entry' if others == 1 else 'entries'}: all agree")
    return "\n".join([*lines, _BUILT.get(built, "The site could not be built; the run's log says why.")])


def fenced(text: str) -> str:
    """Text from anybody as a block of Markdown that shows it and does nothing else, cut to a bearable length."""
    lines = text[: ALL * 2].splitlines()
    shown = [_harmless(line)[:LINE] for line in lines[:LINES]]
    body = "\n".join(shown)
    cut = len(lines) > LINES or len(body) > ALL or len(text) > ALL * 2
    return f"```text\n{body[:ALL]}\n{'… cut; the report has all' if cut else ''}".rstrip("\n") + "\n```"


def _harmless(line: str) -> str:
    printable = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return printable.translate(_HARMLESS)


def _entry(entry: dict[str, Any]) -> Iterator[str]:
    faults = entry["faults"]
    count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}" if faults else "all agree"
    failed = f" ({entry['failed']} more failed when they were run)" if entry["failed"] else ""
    yield f"{Path(entry['path']).parent}: {entry['cells']} cells of {entry['runs']} runs{failed}: {count}"
    for fault in faults[:FAULTS]:
        place = f"line {fault['line']}: " if fault["line"] else ""
        cell = f"{fault['cell']}: " if fault["cell"] else ""
        yield f"  {place}{cell}{fault['message']}".replace("\n", " ")
    if len(faults) > FAULTS:
        yield f"  {len(faults) - FAULTS} more faults"


def main(report: str, changed: str, built: str, out: str) -> None:
    """Writes the text and prints it as Markdown."""
    try:
        found = json.loads(Path(report).read_bytes())
    except (OSError, ValueError):
        found = None
    paths = Path(changed).read_text(encoding="utf-8", errors="replace").split("\0")
    text = summary(found, [path for path in paths if path], built)
    Path(out).write_text(text + "\n", encoding="utf-8")
    print(fenced(text))


if __name__ == "__main__":
    main(*sys.argv[1:])
