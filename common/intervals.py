"""How far a mean of a few values may be from the truth."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def seed_interval(values: Sequence[float], at_once: int = 1) -> tuple[float, float]:
    """The 95 % interval of the mean of independent values, such as the accuracies of as many seeds (Student, 1908).

    Of several that are looked at together, `at_once`, each is made so much wider that all of them hold in 95 of 100
    cases (Bonferroni). Raises ValueError for fewer than two values, which say nothing of their spread.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} values: expected 2 seeds or more for an interval.")
    mean, error, tail = np.mean(values), stats.sem(values), 0.025 / at_once
    low, high = mean + error * stats.t.ppf([tail, 1 - tail], len(values) - 1)  # t.interval is nan where all are equal
    return float(low), float(high)
