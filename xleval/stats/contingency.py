"""McNemar's test: two single checkpoints on the same items.

A small p-value says that these two checkpoints differ on new items of the same kind. It says nothing of new seeds:
another run of the same two strategies may well turn the difference round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class McNemar(NamedTuple):
    """Two classifiers on the same items. These two checkpoints only: it says nothing of new seeds."""

    difference: float
    """(a_only − b_only) / n, accuracy of A minus accuracy of B."""
    a_only: int
    """Items that A alone has right."""
    b_only: int
    """Items that B alone has right."""
    p: float
    """Exact, two-sided."""
    chi2: float
    """(a_only − b_only)² / (a_only + b_only), on one degree of freedom."""
    p_chi2: float
    chi2_corrected: float
    """(|a_only − b_only| − 1)² / (a_only + b_only), and 0 where the two are equal."""
    p_chi2_corrected: float


def mcnemar(counts: npt.ArrayLike) -> McNemar:
    """McNemar's test of [[both right, only A right], [only B right, both wrong]], shape (2, 2).

    Under the null hypothesis that A and B are equally often right, a discordant item (only one of them is right)
    falls to either with probability 1/2. The exact p-value is therefore the two-sided binomial test of a_only among
    a_only + b_only. It is 1 where no item is discordant. The two chi-square forms approximate it for many discordant
    items and are given for comparison with published values.

    Assumes independent items: questions on one paragraph are not.

    Sources: McNemar 1947, "Note on the sampling error of the difference between correlated proportions or
    percentages"; Edwards 1948 for the correction.

    Raises:
        ValueError: another shape, counts that are not integers or are negative, no item at all.
    """
    from scipy.special import chdtrc
    from scipy.stats import binomtest

    table = np.asarray(counts)
    if table.shape != (2, 2):
        raise ValueError(f"a table of counts has the shape (2, 2), not {table.shape}")
    if not np.issubdtype(table.dtype, np.integer):
        raise ValueError(f"counts of items are integers, not {table.dtype}")
    for row, column in np.argwhere(table < 0):
        raise ValueError(f"counts[{row}, {column}] is {table[row, column]}: a count is not negative")
    (both, a_only), (b_only, neither) = ((int(x) for x in row) for row in table)
    items, discordant = both + a_only + b_only + neither, a_only + b_only
    if not items:
        raise ValueError("no items: nothing can be compared")
    difference = (a_only - b_only) / items
    if not discordant:
        return McNemar(difference, 0, 0, 1.0, 0.0, 1.0, 0.0, 1.0)
    p = float(binomtest(a_only, discordant, 0.5).pvalue)
    gap = abs(a_only - b_only)
    chi2, corrected = gap**2 / discordant, max(gap - 1, 0) ** 2 / discordant
    return McNemar(difference, a_only, b_only, p, chi2, float(chdtrc(1, chi2)), corrected, float(chdtrc(1, corrected)))


def mcnemar_of(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> McNemar:
    """``mcnemar`` of two rows of 0 and 1, shape (n,) each: whether A, and whether B, has item i right.

    Raises:
        ValueError: not one row each, lengths that differ, a value that is neither 0 nor 1 (with its index), no item.
    """
    a, b = _zeros_and_ones("correct_a", correct_a), _zeros_and_ones("correct_b", correct_b)
    if len(a) != len(b):
        raise ValueError(f"A has {len(a)} items and B {len(b)}: both must be judged on the same items")
    return mcnemar([[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]])


def _zeros_and_ones(name: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} is one row of 0 and 1, not an array of shape {array.shape}")
    for index in np.flatnonzero((array != 0) & (array != 1)):
        raise ValueError(f"{name}[{index}] is {array[index]}: right is 1 and wrong is 0")
    return np.asarray(array == 1)
