"""What every function of small samples asks of its input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def sample(name: str, values: npt.ArrayLike) -> Floats:
    """The values as a one-dimensional array of floats, shape (n,), n ≥ 1.

    Raises:
        ValueError: another number of dimensions, no value, or one that is not finite, named as ``name[index]``.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} is one row of values, not an array of shape {array.shape}")
    if not len(array):
        raise ValueError(f"{name} is empty")
    for index in np.flatnonzero(~np.isfinite(array)):
        raise ValueError(f"{name}[{index}] is {array[index]}")
    return array


def pairs(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Two samples of which a_i and b_i belong together.

    Raises:
        ValueError: as ``sample``, or lengths that differ.
    """
    first, second = sample("a", a), sample("b", b)
    if len(first) != len(second):
        raise ValueError(f"a has {len(first)} values and b {len(second)}: they cannot be paired")
    return first, second


def level_of(name: str, value: float) -> float:
    """A probability that is neither 0 nor 1, such as a level of significance.

    Raises:
        ValueError: it is not strictly between 0 and 1.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}: a number between 0 and 1 is needed")
    return value
