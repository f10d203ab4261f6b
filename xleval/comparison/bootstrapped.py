"""Resampling: a cross-check of the default test, and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xleval.comparison.measured import MeasuredTable
from xleval.stats.bootstrap import Resampled, bootstrap, rank_intervals
from xleval.stats.randomization import Randomized, randomization
from xleval.stats.resampling import resampling_cell, seed_of

if TYPE_CHECKING:
    from xleval.report.grid import Grid


@dataclass(frozen=True)
class Bootstrapped:
    """Strategies of a table in resamples; the first is the baseline."""

    about: str
    strategies: tuple[str, ...]
    languages: tuple[str, ...]
    left_out: tuple[str, ...]
    resampled: Resampled
    randomized: tuple[Randomized | None, ...]
    """Of each strategy against the first; None where it has not as many seeds."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; proportions."""
        ranks = rank_intervals(self.resampled.macro)
        return {
            "resamples": len(self.resampled.scores),
            "languages": list(self.languages),
            "left_out": list(self.left_out),
            "strategies": {
                name: {
                    "rank": [int(rank) for rank in ranks[k]],
                    "interval": list(self.resampled.score(k).interval()),
                    "difference": self.resampled.difference(k, 0).estimate,
                    "difference_interval": list(self.resampled.difference(k, 0).interval()),
                    "p": self.resampled.difference(k, 0).p,
                    "p_randomization": None if (swapped := self.randomized[k]) is None else swapped.p(),
                }
                for k, name in enumerate(self.strategies)
            },
        }

    def grid(self) -> Grid:
        """A row a strategy."""
        from xleval.comparison.wording import bare_p
        from xleval.report.grid import Grid, signed

        headers = ["strategy", "rank", "95 % interval", f"− {self.strategies[0]}", "95 % interval", "p", "p, swaps"]
        rows = []
        for name, found in self.as_dict()["strategies"].items():
            low, high = found["rank"]
            score = [
                name,
                str(low) if low == high else f"{low} to {high}",
                "[{:.1f}, {:.1f}]".format(*(100 * bound for bound in found["interval"])),
            ]
            if name == self.strategies[0]:
                rows.append([*score, "", "", "", ""])
                continue
            rows.append(
                [
                    *score,
                    signed(found["difference"], 100),
                    "[{}, {}]".format(*(signed(bound, 100) for bound in found["difference_interval"])),
                    bare_p(found["p"]),
                    bare_p(found["p_randomization"]),
                ]
            )
        notes = [
            f"{len(self.resampled.scores)} resamples of runs and items; percentile intervals, p not corrected",
            "with few seeds these intervals are too narrow where runs differ much: the default test is not",
            "p, swaps: approximate randomization, of new items for these training runs only",
            *(f"left out: {name}" for name in self.left_out),
        ]
        return Grid(f"{self.about}: paired bootstrap of the average", headers, rows, (), [], notes)


def resample(found: MeasuredTable, resamples: int) -> Bootstrapped | None:
    """Resamples the strategies that have inference on all languages that every one of them has scores in.

    None where fewer than two strategies have. The random numbers come from the task, its version and the items: all
    who have the same records get the same p-values.
    """
    table = found.table
    names = [row.strategy for row in table.rows]
    languages = [code for code in table.languages if all(table_row.entries[code].scores for table_row in table.rows)]
    able = [name for name in names if languages and not found.reason(name, languages)]
    if len(able) < 2 or names[0] not in able:
        return None
    above, below = found.metric.weights
    cells = []
    for name in able:
        seeds = found.seeds(name, languages)
        row = []
        for code, cell in zip(languages, found.cells_of(name, languages), strict=True):
            have = list(found.row(name).entries[code].records)
            counts = found.counts[name, code][[have.index(seed) for seed in seeds]]
            units = found.units[name, code]
            row.append(resampling_cell(counts, above, below, runs=cell.runs, units=units, stratum=cell.stratum))
        cells.append(row)
    digests = {
        record["item_ids_sha256"] for row in table.rows for code in languages
        for record in row.entries[code].records.values()
    }  # fmt: skip
    seed = seed_of(table.task, table.version, digests)
    made = bootstrap(cells, seed=seed, resamples=resamples)
    swapped = tuple(
        randomization(row, cells[0], seed=seed, resamples=resamples)
        if all(len(a.runs) == len(b.runs) for a, b in zip(row, cells[0], strict=True))
        else None
        for row in cells
    )
    about = f"{table.task} (version {table.version}), {table.metric} × 100"
    return Bootstrapped(about, tuple(able), tuple(languages), tuple(n for n in names if n not in able), made, swapped)
