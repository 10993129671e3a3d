"""The functional analysis of variance of a full factorial: what each parameter decides, exactly.

A function on a grid is the sum of a mean, of a part for each parameter alone, of a part for each pair beyond these, and
so on; the parts are orthogonal, so that their variances add up to that of the whole. On a grid that lacks nothing they
are plain means: nothing is estimated. Where the values are noisy themselves, every part has some of the noise, the
more the more cells it has; `noise` says how much. (Hoeffding, 1948; for hyper-parameters Hutter, Hoos and
Leyton-Brown, 2014.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy import ndarray

Part = tuple[str, ...]


def decomposition(values: ndarray, names: Sequence[str]) -> pd.Series:
    """The share of the variance of `values`, an axis for each name, that each set of names has beyond its subsets.

    Indexed by tuples of names, singles first; the shares add up to 1. Raises ValueError where a value is missing, or
    where all are equal.
    """
    if np.isnan(values).any():
        raise ValueError(f"{np.isnan(values).sum():,} of {values.size:,} values are missing: not a full factorial")
    total = values.var()
    if total == 0:
        raise ValueError("all values are equal: there is nothing to decompose")
    axes, variances = range(values.ndim), dict[tuple[int, ...], float]()
    for part in (part for order in range(1, values.ndim + 1) for part in combinations(axes, order)):
        marginal = values.mean(axis=tuple(axis for axis in axes if axis not in part))
        below = (smaller for order in range(1, len(part)) for smaller in combinations(part, order))
        variances[part] = marginal.var() - sum(variances[smaller] for smaller in below)
    index = pd.Index([tuple(names[k] for k in part) for part in variances], tupleize_cols=False)
    return pd.Series(list(variances.values()), index) / total


def noise(values: ndarray, names: Sequence[str]) -> pd.Series:
    """Which share of the variance of the mean of `values`, (seeds, ...), an axis for each name, seeds make by chance.

    Indexed as `decomposition` of that mean, each share of which is too large by so much, on average: the variance of
    the part in what each seed deviates from the mean, summed over S seeds, is (S - 1) S times what is left of it in
    the mean. What deviates alike in all configurations is in no part. Raises ValueError for fewer than two seeds.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} seeds: expected 2 or more to tell what they make by chance")
    mean = values.mean(axis=0)
    rest = [one - mean for one in values]
    parts = sum(decomposition(one, names) * one.var() for one in rest)
    return parts / (len(values) * (len(values) - 1) * mean.var())


def matrix(shares: pd.Series) -> pd.DataFrame:
    """The shares of single parameters, on the diagonal, and of pairs, off it, symmetric."""
    names = [part[0] for part in shares.index if len(part) == 1]
    square = pd.DataFrame(np.nan, index=names, columns=names)
    for part, share in shares.items():
        if len(part) <= 2:
            square.loc[part[0], part[-1]] = square.loc[part[-1], part[0]] = share
    return square


def by_order(shares: pd.Series) -> pd.Series:
    """The share of all single parameters, of all pairs, and so on, by how many parameters there are in a part."""
    return shares.groupby([len(part) for part in shares.index]).sum()


def alone(shares: pd.Series) -> pd.Series:
    """The share of each single parameter, largest first."""
    singles = {part[0]: share for part, share in shares.items() if len(part) == 1}
    return pd.Series(singles).sort_values(ascending=False)
