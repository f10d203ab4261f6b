"""A mean over training seeds with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class OverSeeds(NamedTuple):
    """Mean over ``n`` seeds; ``sd`` (n − 1) and the interval ``low`` to ``high`` are None with fewer than two."""

    mean: float | None
    n: int
    sd: float | None = None
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()


#: Nothing was measured.
MISSING = OverSeeds(None, 0)


def over_seeds(values: Sequence[float], level: float = 0.95) -> OverSeeds:
    """Mean ± t(n − 1) · sd / √n. Values that are not finite are left out; without any the mean is None.

    The interval is over new seeds, for these test items; it assumes about normal scores.
    """
    from scipy.special import stdtrit

    kept = np.array([value for value in values if math.isfinite(value)])
    if not len(kept):
        return MISSING
    mean = float(kept.mean())
    if len(kept) < 2:
        return OverSeeds(mean, 1)
    sd = float(kept.std(ddof=1))
    half = float(stdtrit(len(kept) - 1, (1 + level) / 2)) * sd / math.sqrt(len(kept))
    return OverSeeds(mean, len(kept), sd, mean - half, mean + half)
