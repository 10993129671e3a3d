"""What an evaluation reports: intervals, what two models disagree on, the confusion of classes, calibration."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats
from sklearn import metrics

from common.intervals import seed_interval as seed_interval  # one of the scores, to who reads an evaluation


def unpaired_interval(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the difference of the means of independent values that are no pairs (Welch, 1947)."""
    if np.ptp(first) == np.ptp(second) == 0:  # SciPy's is nan
        return (float(np.mean(first) - np.mean(second)),) * 2
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return float(interval.low), float(interval.high)


class Gap(NamedTuple):
    """A mean difference of two models, and its 95 % intervals by each kind of chance: of seeds, and of test images."""

    mean: float
    seeds: tuple[float, float]
    images: tuple[float, float]


def gap(first: ndarray, second: ndarray, paired: bool = True) -> Gap:
    """How much larger `first` is than `second`, both (seeds, images): of the same images, and seed by seed if `paired`.

    Over seeds, for these images: Student's interval, or Welch's without pairs. Over images, for these seeds: the
    interval of the mean over images of what the seeds make of each, as both models are tested on the same.
    """
    each, other = first.mean(axis=1), second.mean(axis=1)
    seeds = seed_interval(each - other) if paired else unpaired_interval(each, other)
    differences = first.mean(axis=0) - second.mean(axis=0)
    mean, error = float(differences.mean()), stats.norm.ppf(0.975) * float(stats.sem(differences))
    return Gap(mean, seeds, (mean - error, mean + error))


def behind(values: Sequence[Sequence[float | None]]) -> pd.DataFrame:
    """How far each of several configurations lies behind the first, given their values (configurations, seeds).

    Columns `behind, from` and `behind, to`: 95 % intervals in percentage points that hold for all at once. The same
    seeds are pairs. Missing for the first, and for one of which a seed has no value.
    """
    whole = [None not in one for one in values]
    ends = [
        seed_interval(100 * np.subtract(values[0], one), max(sum(whole) - 1, 1)) if k and whole[k] else (np.nan, np.nan)
        for k, one in enumerate(values)
    ]
    return pd.DataFrame(ends, columns=["behind, from", "behind, to"])


def parting(first: ndarray, second: ndarray) -> tuple[float, float]:
    """On how many images exactly one of two networks is right, given which (seeds, images) those of two configurations
    get right: on average over pairs with the same seed, and over pairs of one configuration with different seeds."""
    seeds = range(len(first))
    within = [np.sum(some[i] != some[k]) for some in (first, second) for k in seeds for i in range(k)]
    return float(np.sum(first != second, axis=1).mean()), float(np.mean(within))


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n independent cases (Wilson, 1927, eq. 5).

    Our own code, as SciPy's takes whole counts alone, and a mean over several networks is none.
    """
    z = stats.norm.ppf(0.975)
    centre, half = share + z**2 / (2 * n), z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return float((centre - half) / (1 + z**2 / n)), float((centre + half) / (1 + z**2 / n))


class McNemar(NamedTuple):
    """What only the first of two models gets right, what only the second, and how surprising so uneven a split is."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: ndarray, second: ndarray) -> McNemar:
    """Compare two models on the same cases, given which of them each gets right (n,) (McNemar, 1947).

    Only cases on which they differ count. Were neither model better, each of these would fall to either with equal
    chance. So the two-sided p is that of so many tosses of a fair coin, computed exactly.
    """
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differ = only_first + only_second
    return McNemar(only_first, only_second, float(stats.binomtest(only_first, differ).pvalue) if differ else 1.0)


def confusion(labels: ndarray, predictions: ndarray, classes: int = 10) -> ndarray:
    """Counts (classes, classes) of true class by predicted class."""
    return metrics.confusion_matrix(labels, predictions, labels=range(classes))


def class_scores(counts: ndarray) -> dict[str, ndarray]:
    """Precision, recall and F1 of each class, (classes,), from a confusion matrix; 0 where there is none.

    The counts may be means over several networks: each cell stands for so many cases.
    """
    true, said = np.indices(counts.shape).reshape(2, -1)
    scored = metrics.precision_recall_fscore_support(true, said, sample_weight=np.ravel(counts), zero_division=0)
    return dict(zip(("precision", "recall", "F1"), scored[:3], strict=True))


def side_by_side(counts: ndarray) -> list[int]:
    """An order of the classes in which those that are confused with each other stand side by side.

    It has the least sum, over all pairs, of the share that is confused times the distance of their places: a minimum
    linear arrangement, exact by dynamic programming over the sets of classes that stand to the left of a gap (Held and
    Karp, 1962). It takes 2ⁿ steps: 20 ms for ten classes, too long for twenty.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    bond, n = shares + shares.T, len(counts)
    least = {0: (0.0, ())}  # the classes on the left, as bits -> the least sum, and the order that has it
    for left in range(1, 2**n):
        inside = [k for k in range(n) if left >> k & 1]
        across = bond[inside][:, [k for k in range(n) if not left >> k & 1]].sum()  # a pair pays once at each gap
        cost, order = min((least[left - 2**k][0], (*least[left - 2**k][1], k)) for k in inside)
        least[left] = cost + across, order
    order = least[2**n - 1][1]
    return list(
        order if order[0] < order[-1] else order[::-1]
    )  # of the two directions, the one that is nearer 0, 1, ...


class Calibration(NamedTuple):
    """Mean confidence, accuracy and number of cases in equal bins from 0 to 1, and the expected calibration error."""

    confidence: ndarray
    accuracy: ndarray
    counts: ndarray
    ece: float


def calibration(probabilities: ndarray, labels: ndarray, bins: int = 15) -> Calibration:
    """Compare the confidence of predictions (n, classes) with how often they are right (Guo et al., 2017, eq. 3).

    Our own code, as scikit-learn's `calibration_curve` takes two classes, and leaves out how many cases a bin has.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    counts, sure, correct = (np.bincount(which, weights, minlength=bins) for weights in (None, confidence, right))
    filled = np.maximum(counts, 1)
    return Calibration(sure / filled, correct / filled, counts, float(np.abs(sure - correct).sum() / len(labels)))


# --- Sweeps: a table has a row a run, a column a parameter, and the metric, missing where a run failed ---


def correlations(table: pd.DataFrame, parameters: Sequence[str], metric: str) -> pd.Series:
    """Spearman's rank correlation of each parameter with the metric, from the most positive down.

    A parameter that is no number counts as one indicator a value, a run without the metric as the worst of those that
    are maximized.
    """
    features = {}
    for name in parameters:
        column = table[name]
        numeric = column.dtype.kind in "iuf"
        features |= {name: column} if numeric else {f"{name} = {value}": column == value for value in column.unique()}
    ranks = table[metric].rank(na_option="top")
    coefficients = {name: ranks.corr(column.rank()) for name, column in features.items() if column.nunique() > 1}
    return pd.Series(coefficients, dtype=float).sort_values(ascending=False, kind="stable")


def chance(runs: int, at_once: int = 1) -> float:
    """How large a rank correlation of so many unrelated runs is, in 95 of 100 cases at most: 1.96 standard errors.

    Of several that are looked at together, `at_once`, the largest (Bonferroni).
    """
    return min(float(stats.norm.ppf(1 - 0.025 / at_once)) / math.sqrt(max(runs - 1, 1)), 1.0)
