"""Averages over languages as a sample of languages: would the difference hold on other languages?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from xleval.stats.contrast import Contrast


def over_languages(
    these: Contrast, differences: npt.ArrayLike, variances: npt.ArrayLike, families: Sequence[Hashable]
) -> Contrast:
    """The average over L languages with its variance over new languages as well, in families that are independent.

    ``these`` is the contrast of the average on the languages at hand; ``differences`` (L,) and ``variances`` (L,) are
    the contrasts of each language and their V, ``families`` (L,) the family of each. With d_l the differences, d̄
    their mean and F families,

        V_f = F/(F − 1) · Σ_f (Σ_{l in f} (d_l − d̄) / L)²
        C = max(V − V̄_l / L, 0) · L/(L − 1)
        V_sample = V_f + C,   1/df = (V_f / V_sample)² / (F − 1) + (C / V_sample)² / df_these

    V_f holds how languages differ, and the noise that each has of its own. What is left out is what all have in common:
    a training run that serves them all, items of a parallel test set. This covariance is the part C of V that is more
    than independent languages would have.

    Languages of a family count as one draw (cluster-robust variance, Liang & Zeger 1986, with the F/(F − 1) of small
    samples). With few families, or one that has most languages, the interval is too narrow: it is a sketch below
    some eight families.

    Raises:
        ValueError: fewer than two families: nothing can be said about others; shapes that do not fit.
    """
    d, v = np.asarray(differences, dtype=float), np.asarray(variances, dtype=float)
    if d.ndim != 1 or d.shape != v.shape or len(families) != len(d):
        raise ValueError(f"differences {d.shape}, variances {v.shape} and {len(families)} families")
    names = sorted(set(families), key=repr)
    if len(names) < 2:
        raise ValueError(f"{len(names)} language family: nothing can be said about languages of others")
    size, count = len(d), len(names)
    parts = np.zeros(count)
    np.add.at(parts, [names.index(family) for family in families], (d - d.mean()) / size)
    between = count / (count - 1) * float((parts**2).sum())
    common = max(these.variance - float(v.mean()) / size, 0.0) * size / (size - 1)
    total = between + common
    inverse = (between / total) ** 2 / (count - 1) + (common / total) ** 2 / these.df if total else 0.0
    df = 1 / inverse if inverse else math.inf
    return these._replace(variance=total, df=df)
