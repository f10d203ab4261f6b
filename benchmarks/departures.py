"""Why the default test departs from the textbook: false positives of three rules for V and df, in an ideal world.

Runs, items and residuals are normal, so that mean squares are multiples of chi-squares; the residual's, which is known
well, is taken as known. ``a`` is the variance of the difference that comes from runs, ``b`` from items, in units
of the residual r. Layouts: runs of two strategies that vary alike; of which one varies; and an average over 15
languages, one strategy's runs serving all of them (92 % of a) and the other's one each.

Run: python benchmarks/departures.py [--draws 200000]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from xleval.stats.contrast import FLOOR, NOISE, WEIGHT

LANGUAGES, UNITS = 15, 500
#: Share of each group of runs in a and in r.
LAYOUTS = {
    "alike": ([0.5, 0.5], [0.5, 0.5]),
    "one varies": ([1.0, 0.0], [0.5, 0.5]),
    "shared, own": ([0.92, *[0.08 / LANGUAGES] * LANGUAGES], [0.5, *[0.5 / LANGUAGES] * LANGUAGES]),
}
SITUATIONS = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (3.0, 0.0), (3.0, 1.0), (10.0, 1.0), (30.0, 3.0)]


def textbook(vs: Any, ve: Any, vr: Any, df: int) -> tuple[Any, Any]:
    """V = Vs + Ve − Vr, and Satterthwaite's df; significant where V is not positive."""
    v = np.maximum(vs.sum(axis=0) + ve - vr.sum(axis=0), 1e-12)
    return v, ((vs**2).sum(axis=0) / df + ve**2 / (UNITS - 1)) / v**2


def whole_floor(vs: Any, ve: Any, vr: Any, df: int) -> tuple[Any, Any]:
    """V = max(Vs + Ve − Vr, Vs, Ve), and Satterthwaite's df."""
    v = np.maximum(np.maximum(vs.sum(axis=0) + ve - vr.sum(axis=0), vs.sum(axis=0)), ve)
    return v, ((vs**2).sum(axis=0) / df + ve**2 / (UNITS - 1)) / v**2


def default(vs: Any, ve: Any, vr: Any, df: int) -> tuple[Any, Any]:
    """As ``xleval.stats.contrast``, on many draws at once."""
    v = np.maximum(np.maximum(vs.sum(axis=0) + ve - vr.sum(axis=0), vs.sum(axis=0)), FLOOR * ve)
    net = np.maximum(vs - NOISE[1] * vr, 0.0)
    below = (net ** (WEIGHT - 1)).sum(axis=0)
    doubt = np.divide((net**WEIGHT).sum(axis=0), below, out=np.zeros_like(below), where=below > 0)
    return v, doubt / df / v + np.minimum(ve / v, 1.0) ** 2 / (UNITS - 1)


RULES = {"textbook": textbook, "floor of all Ve": whole_floor, "default test": default}


def rates(layout: str, runs: int, a: float, b: float, draws: int) -> list[float]:
    """Per cent of false positives at a nominal 5 %, of each rule on the same draws."""
    from scipy.special import stdtr

    rng = np.random.default_rng(0)
    of_a, of_r = (np.array(shares)[:, None] for shares in LAYOUTS[layout])
    difference = rng.normal(size=draws) * np.sqrt(a + b + 1)
    vs = (a * of_a + of_r) * rng.chisquare(runs - 1, (len(of_a), draws)) / (runs - 1)
    ve = (b + 1) * rng.chisquare(UNITS - 1, draws) / (UNITS - 1)
    found = []
    for rule in RULES.values():
        v, inverse = rule(vs, ve, of_r, runs - 1)
        p = 2 * stdtr(1 / np.maximum(inverse, 1e-12), -np.abs(difference) / np.sqrt(v))
        found.append(float(100 * (p <= 0.05).mean()))
    return found


def main() -> None:
    """Prints a Markdown table: the lowest and the highest rate over all situations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200_000)
    draws = parser.parse_args().draws
    print("| S | runs | " + " | ".join(RULES) + " |\n|--:|---|" + "--:|" * len(RULES))
    for runs in (3, 5, 10):
        for layout in LAYOUTS:
            found = np.array([rates(layout, runs, a, b, draws) for a, b in SITUATIONS])
            cells = [f"{low:.1f} to {high:.1f}" for low, high in zip(found.min(axis=0), found.max(axis=0), strict=True)]
            print(f"| {runs} | {layout} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
