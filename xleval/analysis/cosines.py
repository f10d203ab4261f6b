"""How near two sets of vectors are, layer by layer: two readings of one sentence of a paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def cosine_of_means(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> Floats:
    """(layers, n, d) and (layers, m, d) → (layers,): the cosine of the two mean vectors; NaN where one is zero."""
    return _cosine(source.astype(np.float64).mean(axis=1), target.astype(np.float64).mean(axis=1))


def mean_pairwise_cosine(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> Floats:
    """(layers, n, d) and (layers, m, d) → (layers,): the mean cosine of all n · m pairs; NaN with a zero vector.

    The mean of all pairs' cosines is the product of the mean unit vectors, so no pair is formed.
    """
    units = [_unit(vectors.astype(np.float64)).mean(axis=1) for vectors in (source, target)]
    return _clipped((units[0] * units[1]).sum(axis=-1))


def _cosine(one: Floats, other: Floats) -> Floats:
    return _clipped((_unit(one) * _unit(other)).sum(axis=-1))


def _clipped(cosines: Floats) -> Floats:
    # Rounding makes some a hair more than 1.
    return np.clip(cosines, -1.0, 1.0)


def _unit(vectors: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
