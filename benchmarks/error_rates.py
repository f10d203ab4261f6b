"""Error rates of the default test, by simulation: false positives at a nominal 5 % and coverage of 95 % intervals.

Two strategies have the same expected score over new training runs and new items, yet differ in every sample: by runs,
by items, and by chance (``simulated.py``). How often is a difference reported, by the default test and by the tests
that papers print? How often does an interval hold the truth?

Every setting is a line of JSON in RESULTS as soon as it is done. Started again, the script goes on where it stopped.

Run: python benchmarks/error_rates.py error-rates.jsonl [--only accuracy] [--out docs/error-rates.md]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from error_rates_table import page
from simulated import KINDS, Setting, cells, draw, truth

from xleval.stats.bootstrap import bootstrap
from xleval.stats.contrast import Cell, Contrast, contrast
from xleval.stats.languages import over_languages
from xleval.stats.resampling import ResamplingCell
from xleval.stats.student import student

RUNS, ITEMS = (3, 5, 10), (100, 500, 2000)
SEEDS = ((0.0, 0.0), (1.0, 1.0), (3.0, 3.0), (6.0, 6.0), (0.0, 6.0))
SHARED = ((True, True), (True, False), (False, False))
#: Sizes of language families, and the points by which the true difference varies between families and within them.
FAMILIES, BETWEEN = ((4, 3, 2, 2, 1, 1, 1, 1), (1,) * 8), ((0.0, 0.0), (0.0, 3.0), (2.0, 2.0))

Cells = Sequence[Sequence[Cell]]
"""Strategy → language → cell."""
Test = Callable[[Cells, np.random.Generator], bool]
"""Whether it reports a difference."""


def settings() -> list[Setting]:
    """All simulated situations, those with few runs first."""
    made = []
    for k in RUNS:
        for kind, n, sd, interaction in itertools.product(KINDS, ITEMS, SEEDS, (0.0, 1.0)):
            made.append(Setting(kind, k, n, sd, interaction))
        for n, parallel, shared, sd in itertools.product(ITEMS[:2], (False, True), SHARED, SEEDS):
            if sd != (1.0, 1.0):
                made.append(Setting("accuracy", k, n, sd, 1.0, 15, shared, parallel))
        for kind, n, sd in itertools.product(KINDS, ITEMS[:2], (SEEDS[0], SEEDS[2], SEEDS[4])):
            made.append(Setting(kind, k, n, sd, 1.0, effect=5.0))
        for sizes, between in itertools.product(FAMILIES, BETWEEN):
            made.append(Setting("accuracy", k, 500, (3.0, 3.0), 1.0, sum(sizes), families=sizes, between=between))
    return made


def repetitions(s: Setting) -> int:
    """How often a setting is drawn, unless told otherwise."""
    return 4000 if s.runs == 3 or (s.kind == "accuracy" and s.languages == 1) else 2000


def simulate(s: Setting, repetitions: int, others: Mapping[str, Test]) -> dict[str, int]:
    """How often, of the repetitions, a difference is reported by each test and an interval holds the truth."""
    rng = np.random.default_rng(int.from_bytes(blake2b(repr((s, repetitions)).encode(), digest_size=8).digest(), "big"))
    of_difference, of_first = truth(s, 0) - truth(s, 1), truth(s, 0)
    found: Counter[str] = Counter()
    for _ in range(repetitions):
        made = cells(s, draw(rng, s))
        default = difference(*made)
        found["default test"] += default.p <= 0.05
        found["covered"] += _holds(default.interval(), of_difference)
        found["score covered"] += _holds(contrast(made[0], [1 / s.languages] * s.languages).interval(), of_first)
        if s.families:
            found["sample covered"] += _holds(sample(s, made, default).interval(), of_difference)
        for name, rejects in others.items():
            found[name] += rejects(made, rng)
    return {name: int(count) for name, count in found.items()}


def difference(first: Sequence[Cell], second: Sequence[Cell]) -> Contrast:
    """Of the averages over languages."""
    weights = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
    return contrast([*first, *second], weights.tolist())


def sample(s: Setting, made: Cells, these: Contrast) -> Contrast:
    """The difference over languages as a sample of languages."""
    each = [difference([a], [b]) for a, b in zip(*made, strict=True)]
    families = np.repeat(np.arange(len(s.families)), s.families).tolist()
    return over_languages(these, [d.estimate for d in each], [d.variance for d in each], families)


def _holds(interval: tuple[float, float], value: float) -> bool:
    return interval[0] <= value <= interval[1]


def other_tests(s: Setting) -> dict[str, Test]:
    """What papers do instead, measured in a part of the settings: test → whether it reports a difference."""
    if s.effect or s.families or s.kind != "accuracy" or s.runs > 5:
        return {}
    if s.languages > 1:
        return OVER_LANGUAGES if s.items == 500 and s.shared != (False, False) else {}
    if s.items == 2000 and s.seed_sd == SEEDS[3] and s.interaction:
        return {"percentile bootstrap": percentile_bootstrap}
    return ON_A_LANGUAGE if s.items == 500 and s.interaction else {}


def items_of_one_run(made: Cells, rng: np.random.Generator) -> bool:
    """Paired t test over items, of one run each."""
    (a,), (b,) = made
    parts = a.influence[0] - b.influence[0]
    return _t_over_items(float(a.scores[0] - b.scores[0]), parts)


def items_of_mean_runs(made: Cells, rng: np.random.Generator) -> bool:
    """Paired t test over items, each averaged over its runs."""
    (a,), (b,) = made
    return _t_over_items(float(a.scores.mean() - b.scores.mean()), a.influence.mean(axis=0) - b.influence.mean(axis=0))


def _t_over_items(mean: float, parts: Any) -> bool:
    from scipy.special import stdtrit

    n = len(parts)
    return bool(abs(mean) > stdtrit(n - 1, 0.975) * np.sqrt(n * parts.var(ddof=1)))


def over_runs(made: Cells, rng: np.random.Generator) -> bool:
    """Student's t over runs, of averages over languages where there are several."""
    return student(*(np.mean([c.scores for c in row], axis=0) for row in made)).p <= 0.05


def percentile_bootstrap(made: Cells, rng: np.random.Generator) -> bool:
    """Runs and items are drawn with replacement, 1,000 times: is 0 outside of the central 95 %?"""
    n = made[0][0].influence.shape[1]
    rows = [
        [ResamplingCell(c.influence * n + c.scores[:, None], np.ones_like(c.influence), c.runs, c.units, c.stratum)]
        for (c,) in made
    ]
    found = bootstrap(rows, seed=int(rng.integers(2**62)), resamples=1000)
    return not _holds(found.difference(0, 1, 0).interval(), 0.0)


def sign_test(made: Cells, rng: np.random.Generator) -> bool:
    """Exact, on how many languages the mean over runs is better."""
    from scipy.stats import binomtest

    differences = _by_language(made)
    return bool(binomtest(int((differences > 0).sum()), int((differences != 0).sum())).pvalue <= 0.05)


def wilcoxon_over_languages(made: Cells, rng: np.random.Generator) -> bool:
    """Signed ranks of the differences of means."""
    from scipy.stats import wilcoxon

    return bool(wilcoxon(_by_language(made), method="approx").pvalue <= 0.05)


def _by_language(made: Cells) -> Any:
    return np.round([a.scores.mean() - b.scores.mean() for a, b in zip(*made, strict=True)], 9)


ON_A_LANGUAGE: dict[str, Test] = {
    "paired t over items, one run each": items_of_one_run,
    "paired t over items, mean of runs": items_of_mean_runs,
    "Student's t over runs": over_runs,
    "percentile bootstrap": percentile_bootstrap,
}
OVER_LANGUAGES: dict[str, Test] = {
    "sign test over languages": sign_test,
    "Wilcoxon over languages": wilcoxon_over_languages,
    "Student's t over runs": over_runs,
}


def read(path: Path) -> dict[Setting, dict[str, Any]]:
    """What is measured so far; of a setting that was measured twice, the most repetitions."""
    found: dict[Setting, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        about: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row["setting"].items()}
        setting = Setting(**about)
        if setting not in found or row["repetitions"] > found[setting]["repetitions"]:
            found[setting] = row
    return found


def _work(job: tuple[Setting, int]) -> dict[str, Any]:
    return {"setting": job[0]._asdict(), "repetitions": job[1], "counts": simulate(*job, other_tests(job[0]))}


def main() -> None:
    """Measures what is not yet in RESULTS; writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", metavar="RESULTS", type=Path)
    parser.add_argument("--repetitions", type=int, help="of each setting; as many as it needs, otherwise")
    parser.add_argument("--only", default="", help="settings whose text has all of these parts, split at '&'")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="Markdown file to write the tables to")
    given = parser.parse_args()
    known = read(given.results)
    jobs = [
        (s, given.repetitions or repetitions(s))
        for s in settings()
        if all(part in repr(s) for part in given.only.split("&"))
    ]
    jobs = [(s, count) for s, count in jobs if s not in known or known[s]["repetitions"] < count]
    with ProcessPoolExecutor(given.jobs) as pool, given.results.open("a", encoding="utf-8") as file:
        for row in pool.map(_work, jobs):
            file.write(json.dumps(row) + "\n")
            file.flush()
    if given.out:
        given.out.write_text(page(read(given.results)), encoding="utf-8")


if __name__ == "__main__":
    main()
