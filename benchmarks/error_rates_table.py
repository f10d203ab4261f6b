"""The page of what ``error_rates.py`` measured, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulated import KINDS, Setting

Rows = Mapping[Setting, Mapping[str, Any]]
"""Setting → {"repetitions": R, "counts": {what: how often}}."""
BLANK = "–"

HEAD = """\
# Error rates, measured

What the [default test](statistics.md) does in {count} simulated situations, in per cent, from
`python benchmarks/error_rates.py error-rates.jsonl --out docs/error-rates.md`; `benchmarks/simulated.py` has the model.
Both strategies have the same expected score over new training runs and new items, unless it is said otherwise.
Situations have {least:,} to {most:,} repetitions: a rate of 5 % has a standard error of {fine:.2f} with 4,000, and of
{coarse:.2f} with 2,000. Those with a rate outside of 3 to 7 %, or 93 to 97 %, were measured anew with 20,000.

S is the number of training runs of each strategy, n that of test items. "SD" is that over seeds in points, of either
strategy; "SD 0, 6" has runs that do not differ against runs that do. Where two rates are given, the second is with
items that are harder for one strategy than for the other (an SD of 1 in log-odds), the first is without.
"""

EXTREMES = """\
## In short

| | lowest | highest |
|---|--:|--:|
"""


def page(rows: Rows) -> str:
    """All tables; what is not measured yet is a dash."""
    if not rows:
        return "# Error rates, measured\n\nNothing is measured yet.\n"
    counts = [row["repetitions"] for row in rows.values()]
    parts = [
        HEAD.format(
            count=len(rows), fine=_error(4000), coarse=_error(2000), least=min(counts), most=max(counts)
        ),
        EXTREMES + "\n".join(_extremes(rows)) + "\n",
        "## False positives on a language\n\nNominal 5 %.\n\n" + _by_kind(rows, lambda s: not s.effect, "default test"),
        "## Coverage of a strategy's score on a language\n\nNominal 95 %, of the interval of one strategy's score.\n\n"
        + _by_kind(rows, lambda s: not s.effect, "score covered"),
        "## Coverage of a true difference of 5 points on a language\n\nNominal 95 %.\n\n"
        + _by_kind(rows, lambda s: bool(s.effect), "covered"),
        "## False positives on an average over 15 languages\n\nAccuracy, with items that are harder for one strategy. "
        "A run serves all languages (three quarters of its variance is the same in all), or one.\n\n"
        + _averages(rows, "default test"),
        "## Coverage of a strategy's average over 15 languages\n\n" + _averages(rows, "score covered"),
        "## Languages as a sample\n\nCoverage of the average over *all* languages, where the true difference varies "
        "between families and between languages of a\nfamily. SD over seeds 3, runs shared by all languages, 500 items "
        'each. "These languages" is the interval that does not claim it.\n\n' + _samples(rows),
        "## What other tests do\n\nFalse positives at a nominal 5 %, accuracy, with items that are harder for one "
        "strategy.\n\n" + _others(rows),
    ]  # fmt: skip
    return "\n".join(parts)


def _error(repetitions: int) -> float:
    return 100 * math.sqrt(0.05 * 0.95 / repetitions)


def rate(row: Mapping[str, Any], what: str) -> float:
    """Per cent."""
    return float(100 * row["counts"][what] / row["repetitions"])


def _extremes(rows: Rows) -> Iterable[str]:
    def line(name: str, what: str, chosen: Callable[[Setting], bool]) -> str:
        found = sorted((rate(row, what), s) for s, row in rows.items() if chosen(s) and what in row["counts"])
        low, high = (f"{value:.1f} ({_named(s)})" for value, s in (found[0], found[-1])) if found else (BLANK, BLANK)
        return f"| {name} | {low} | {high} |"

    for kind in KINDS:
        yield line(f"false positives, {kind}", "default test",
                   lambda s, kind=kind: s.kind == kind and s.languages == 1 and not s.effect)  # fmt: skip
    yield line("false positives, averages over languages", "default test", lambda s: s.languages > 1 and not s.families)
    yield line("coverage of a score", "score covered", lambda s: not s.families)
    yield line("coverage of a true difference", "covered", lambda s: bool(s.effect))
    yield line("coverage over new languages", "sample covered", lambda s: bool(s.families))


def _named(s: Setting) -> str:
    parts = [f"S = {s.runs}", f"n = {s.items}", f"SD {_sd(s.seed_sd)}"]
    if s.families:
        parts.append(f"families {_sizes(s)}, SD {s.between[0]:g} and {s.between[1]:g} between them and within")
    elif s.languages > 1:
        parts.append(f"{_runs(s)}, {_items(s)}")
    else:
        parts.append("items alike for both" if not s.interaction else "items not alike for both")
    return ", ".join(parts)


def _sd(sd: tuple[float, float]) -> str:
    return f"{sd[0]:g}" if sd[0] == sd[1] else f"{sd[0]:g}, {sd[1]:g}"


def _sizes(s: Setting) -> str:
    return " + ".join(map(str, s.families)) if len(set(s.families)) > 1 else f"{len(s.families)} × {s.families[0]}"


def _runs(s: Setting) -> str:
    return {
        (True, True): "shared", (True, False): "shared by one, the other's own", (False, False): "own of each language"
    }[s.shared]  # fmt: skip


def _items(s: Setting) -> str:
    return "parallel" if s.parallel else "own of each language"


def _table(heads: list[str], left: int, lines: Iterable[list[str]]) -> str:
    rule = ["---"] * left + ["--:"] * (len(heads) - left)
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, rule, *lines)) + "\n"


def _cells(
    rows: Rows, of: Callable[[Setting], tuple[Any, ...]], chosen: Iterable[Setting], what: str, sd: Iterable[Any]
) -> list[list[str]]:
    """A line for each key: the rates of each SD, without and with interaction."""
    found: dict[tuple[Any, ...], dict[Any, list[str]]] = {}
    for s in sorted(chosen):
        if what in rows[s]["counts"]:
            found.setdefault(of(s), {}).setdefault(s.seed_sd, []).append(f"{rate(rows[s], what):.1f}")
    return [[*map(str, key), *(" / ".join(texts.get(one, [BLANK])) for one in sd)] for key, texts in found.items()]


def _by_kind(rows: Rows, chosen: Callable[[Setting], bool], what: str) -> str:
    here = [s for s in rows if s.languages == 1 and chosen(s)]
    sd = sorted({s.seed_sd for s in here}, key=lambda one: (one[0] != one[1], one))
    lines = []
    for kind in KINDS:
        lines += _cells(rows, lambda s: (s.kind, s.runs, s.items), (s for s in here if s.kind == kind), what, sd)
    return _table(["metric", "S", "n", *(f"SD {_sd(one)}" for one in sd)], 1, lines)


def _averages(rows: Rows, what: str) -> str:
    here = [s for s in rows if s.languages > 1 and not s.families]
    sd = sorted({s.seed_sd for s in here}, key=lambda one: (one[0] != one[1], one))
    lines = _cells(rows, lambda s: (_runs(s), _items(s), s.runs, s.items), here, what, sd)
    return _table(["runs", "items", "S", "n", *(f"SD {_sd(one)}" for one in sd)], 2, sorted(lines, key=_numbers))


def _numbers(line: list[str]) -> tuple[Any, ...]:
    return tuple((0, int(text), "") if text.isdecimal() else (1, 0, text) for text in line[:4])


def _samples(rows: Rows) -> str:
    lines = [
        [_sizes(s), f"{s.between[0]:g}", f"{s.between[1]:g}", str(s.runs),
         f"{rate(rows[s], 'sample covered'):.1f}", f"{rate(rows[s], 'covered'):.1f}"]
        for s in sorted(rows, key=lambda s: (-s.languages, s.between, s.runs)) if s.families
    ]  # fmt: skip
    heads = ["families", "SD between", "SD within", "S", "as a sample", "these languages"]
    return _table(heads, 1, lines)


def _others(rows: Rows) -> str:
    ours = ("default test", "covered", "score covered", "sample covered")
    names = dict.fromkeys(name for row in rows.values() for name in row["counts"] if name not in ours)
    tables = []
    for several in (False, True):
        here = [s for s in rows if (s.languages > 1) is several and set(rows[s]["counts"]) & set(names)]
        here.sort(key=lambda s: (s.items, not s.shared[1], s.parallel, s.runs, s.seed_sd[0] != s.seed_sd[1], s.seed_sd))
        used = [name for name in names if any(name in rows[s]["counts"] for s in here)]
        about = ["S", "SD over seeds"] if several else ["S", "n", "SD over seeds"]
        lines = [
            [
                *([_runs(s), _items(s)] if several else []),
                *([str(s.runs), _sd(s.seed_sd)] if several else [str(s.runs), str(s.items), _sd(s.seed_sd)]),
                *(f"{rate(rows[s], n):.1f}" if n in rows[s]["counts"] else BLANK for n in ("default test", *used)),
            ]
            for s in here
        ]
        heads = [*(["runs", "items"] if several else []), *about, "default test", *used]
        where = "On an average over 15 languages, 500 items each:" if several else "On a language:"
        tables.append(f"{where}\n\n" + _table(heads, 2 * several, lines))
    return "\n".join(tables)
