"""Numbers in, words out: what may be said of a comparison, and no more. The notebooks show what these return.

Two things differ where the 95 % interval of their difference leaves zero out. Otherwise they are not to be told apart,
which is not to say that they are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lab.evaluation.scores import seed_interval

UNDECIDED = "not to be told apart from"


def told_apart(low: float, high: float, more: str, less: str, undecided: str = UNDECIDED) -> str:
    """The words for a difference whose interval is `low` to `high`; one that touches zero is undecided."""
    return more if low > 0 else less if high < 0 else undecided


def compared(gains: Sequence[float], more: str = "better than", less: str = "worse than") -> tuple[str, str]:
    """Of the gains of one model on another, seed by seed and as fractions: a verdict, and the numbers behind it."""
    points = 100 * np.asarray(gains)
    low, high = seed_interval(points)
    numbers = f"{points.mean():+.2f} percentage points (95 % interval {low:+.2f} to {high:+.2f})"
    return told_apart(low, high, more, less), numbers


def listed(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


# --- Sweeps ---


def close_to_best(values: Sequence[float], n: int) -> str:
    """How many runs are so close to the best that `n` images do not tell them apart; values are shares, or missing.

    Two shares of n images, taken for independent, differ by more than 1.96 standard errors in one of twenty cases.
    Runs that are judged by the same images vary less than that against each other, so it calls too many close.
    """
    ranked = np.sort(np.asarray(values, dtype=float)[~np.isnan(values)])[::-1]
    best, others = ranked[0], ranked[1:]
    width = 1.96 * np.sqrt((best * (1 - best) + others * (1 - others)) / n)
    close = np.count_nonzero(best - others <= width)
    apart = f"so many points apart that {n:,} images tell them from it"
    if not close:
        return f"All others are {apart}."
    which = "One other run is" if close == 1 else f"{close} others are"
    far = f"the remaining {len(others) - close} are {apart}" if close < len(others) else "and there is no other"
    return f"{which} so close to the best that {n:,} images do not tell them apart; {far}."


def second_search(first: Sequence[float], second: Sequence[float], resamples: int = 2000) -> str:
    """Whether the runs of a second search end higher than those of the first, in the median; both are shares.

    The interval is that of 95 of 100 samples drawn with replacement from both. A run without a result counts as 0.
    """
    rng = np.random.default_rng(0)
    first, second = (np.nan_to_num(np.asarray(values, dtype=float)) for values in (first, second))
    drawn = [np.median(rng.choice(values, (resamples, len(values))), axis=1) for values in (second, first)]
    low, high = 100 * np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    verdict = told_apart(low, high, "higher than", "lower than")
    gap = 100 * (np.median(second) - np.median(first))
    return (
        f"Half of the {len(second)} runs that learn from others reach {np.median(second):.1%}, half of the "
        f"{len(first)} random ones {np.median(first):.1%}: as a group {verdict} those ({gap:+.1f} points, "
        f"95 % interval {low:+.1f} to {high:+.1f})."
    )


def deciding(shares: pd.DataFrame) -> str:
    """Which parameters decide more than their part, by the interval `low` to `high` of each one's share."""
    part = 1 / len(shares)
    outstanding = [str(name) for name, share in shares.iterrows() if share["low"] > part]
    if not outstanding:
        return "No parameter stands out: so few runs do not say what decides"
    return f"More than its part ({part:.0%}) is decided by {listed(outstanding)}"


# --- Networks ---


def forgiving(cross_entropy: float, squared_error: float, n: int) -> tuple[str, str]:
    """Which loss lets go of false lessons sooner, by the shares of `n` images that are right: verdict, and numbers."""
    shares = np.array([cross_entropy, squared_error])
    low, high = 100 * (shares[0] - shares[1] + 1.96 * np.sqrt((shares * (1 - shares)).sum() / n) * np.array([-1, 1]))
    verdict = told_apart(
        low,
        high,
        "Cross-entropy forgives, squared error clings",
        "Squared error forgives, cross-entropy clings",
        "Neither loss is seen to forgive more than the other",
    )
    return verdict, f"{100 * (shares[0] - shares[1]):+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"


def range_of_rates(width: Mapping[str, float], plain: str = "sgd") -> str:
    """What a memory does to the range of good learning rates, in decades of rates for each optimizer."""
    others = {name: decades for name, decades in width.items() if name != plain}
    wider = [name for name, decades in others.items() if decades > width[plain]]
    says = f"{width[plain]:.1f} decades for {plain}, and {{:.1f}} for {{}}"
    if len(wider) == len(others):
        narrow = min(others, key=others.get)
        return (
            f"**Every memory widens the range of good learning rates:** {says.format(others[narrow], narrow)} at least"
        )
    wide = max(others, key=others.get)
    if wider:
        head = f"A memory widens the range of good learning rates for {len(wider)} of {len(others)} optimizers"
        return f"**{head}:** {says.format(others[wide], wide)} at most"
    return f"**No memory widens the range of good learning rates:** {says.format(others[wide], wide)} at most"


def by_rate(leaders: Mapping[float, str]) -> str:
    """Whether the best optimizer depends on the one learning rate that all are given: rate -> who leads there."""
    if not leaders:
        return "**With one rate for all, none learnt anything** in so short a race"
    different = len(set(leaders.values()))
    if different == 1:
        return f"**The same optimizer leads at each of {len(leaders)} rates:** {next(iter(leaders.values()))}"
    return f"**Which optimizer leads depends on the rate:** with one for all, there are {different} different winners"


def exceeds(values: Sequence[float], reported: float) -> str:
    """How many of the measured shares reach one that was reported, and whether another seed might explain it.

    A further run would lie within t·s·√(1 + 1/n) of the mean of n runs in 95 of 100 cases.
    """
    values = np.asarray(values)
    count, mean, spread = np.count_nonzero(values >= reported), values.mean(), values.std(ddof=1)
    far = stats.t.ppf(0.975, len(values) - 1) * spread * np.sqrt(1 + 1 / len(values))
    reach = f"{count} of these {len(values)} networks {'reaches' if count == 1 else 'reach'}"
    reach = reach if count else f"none of these {len(values)} networks reaches"
    if abs(reported - mean) <= far:
        return f"{reach} it, and a seed alone may make so much"
    side = "above" if reported > mean else "below"
    return (
        f"{reach} it; it lies {100 * abs(reported - mean):.2f} points {side} their mean, where the luck of a further "
        f"seed would explain up to {100 * far:.2f}"
    )


def class_gains(gains: Mapping[str, Sequence[float]]) -> str:
    """On which classes one model gains on another, by the interval over seeds of each class taken by itself."""
    means = {name: np.mean(values) for name, values in gains.items()}
    intervals = {name: seed_interval(values) for name, values in gains.items()}
    won = sorted((name for name, (low, _) in intervals.items() if low > 0), key=lambda name: -means[name])
    lost = sorted((name for name, (_, high) in intervals.items() if high < 0), key=lambda name: means[name])
    if not won and not lost:
        return "neither gains nor loses on any class beyond doubt"
    return f"gains on {listed(won) or 'no class'}, and loses on {listed(lost) or 'none'}"


def uneven(ps: Sequence[float], level: float = 0.05) -> str:
    """For how many seeds a split is more uneven than luck, by its p."""
    count = sum(p < level for p in ps)
    if count in (0, len(ps)):
        return f"for {'each' if count else 'none'} of {len(ps)} seeds"
    return f"for {count} of {len(ps)} seeds, and for the others it is not"


def trusted(excess: Sequence[float]) -> str:
    """How far confidence is above accuracy, seed by seed and as fractions."""
    points = 100 * np.asarray(excess)
    words = told_apart(*seed_interval(points), "surer than it should be", "less sure than it should be", "")
    return f"It is {abs(points.mean()):.1f} points {words}" if words else "It is about as sure as it should be"


def calibrated(errors: Mapping[str, Sequence[float]], one: str) -> str:
    """How well `one` of several models is calibrated beside each other one: calibration errors, seed by seed."""
    verdicts: dict[str, list[str]] = {}
    for other in errors.keys() - {one}:
        gains = np.subtract(errors[one], errors[other])
        words = compared(gains, "worse calibrated than", "better calibrated than")[0]
        verdicts.setdefault(words, []).append(other)
    return "; ".join(f"{words} {listed(sorted(others))}" for words, others in sorted(verdicts.items(), reverse=True))
