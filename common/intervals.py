"""How far a mean of a few values may be from the truth."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def seed_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of independent values, such as the accuracies of as many seeds (Student, 1908).

    Raises ValueError for fewer than two, which say nothing of their spread.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} values: expected 2 seeds or more for an interval.")
    mean, error = np.mean(values), stats.sem(values)
    low, high = mean + error * stats.t.ppf([0.025, 0.975], len(values) - 1)  # t.interval is nan where all are equal
    return float(low), float(high)
