"""What all tests share: integer counts (runs, items, counts) of items, in independent units."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class InUnits(Protocol):
    """Scores of one strategy on one language, taken apart into units."""

    @property
    def units(self) -> Ints:
        """(m,), numbers of the units within the stratum, ascending: the same number is the same unit."""

    @property
    def stratum(self) -> Hashable:
        """Whose items these are. Cells of one stratum share units: one language, or all of a parallel test set."""


def checked(counts: npt.ArrayLike, runs: Sequence[Hashable], units: npt.ArrayLike) -> tuple[Ints, Ints, Ints]:
    """The counts (S, n, q) as an array, the numbers of the m units, ascending, and (n,) each item's place among them.

    Raises:
        ValueError: shapes that do not fit, no runs, a negative count or one that is no integer, a run that is given
            twice, fewer than two units (one unit says nothing about others).
    """
    table = np.asarray(counts)
    if table.ndim != 3 or not np.issubdtype(table.dtype, np.integer) or not len(table):
        raise ValueError(f"counts are integers of shape (runs, items, counts), not {table.dtype} {table.shape}")
    if table.size and table.min() < 0:
        run, item, column = (int(place[0]) for place in np.nonzero(table < 0))
        raise ValueError(f"counts[{run}, {item}, {column}] is negative")
    if len(runs) != len(table) or len(set(runs)) != len(table):
        raise ValueError(f"{len(table)} runs of counts, {len(runs)} ids of runs, of which {len(set(runs))} differ")
    members = np.asarray(units)
    if members.shape != table.shape[1:2] or (members.size and not np.issubdtype(members.dtype, np.integer)):
        raise ValueError(f"{table.shape[1]} items; units, an integer for each, are {members.dtype} {members.shape}")
    numbers, position = np.unique(members.astype(np.int64), return_inverse=True)
    if len(numbers) < 2:
        raise ValueError(f"{len(numbers)} independent unit of items: nothing can be said about others")
    return table, numbers, position


def by_stratum(cells: Iterable[InUnits]) -> dict[Hashable, Ints]:
    """Stratum → the numbers of its units, ascending: those of any of its cells."""
    found: dict[Hashable, Ints] = {}
    for cell in cells:
        known = found.get(cell.stratum)
        if known is None or not np.array_equal(known, cell.units):
            found[cell.stratum] = cell.units if known is None else np.union1d(known, cell.units)
    return found


def spread(parts: Floats, units: Ints, numbers: Ints) -> Floats:
    """``parts`` (S, m) of ``units`` among all units of the stratum, (S, len(numbers)): nothing where it lacks one."""
    if len(units) == len(numbers):
        return parts
    found = np.zeros((len(parts), len(numbers)))
    found[:, np.searchsorted(numbers, units)] = parts
    return found
