"""Numbers in, words out: what may be said of a comparison, and no more. The notebooks show what these return.

Two things differ where the 95 % interval of their difference leaves zero out; where two kinds of chance have an
interval each, both must. Otherwise they are not to be told apart, which is not to say that they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lab.evaluation.scores import Gap, behind, seed_interval, unpaired_interval

UNDECIDED = "not to be told apart from"
FEW = 5  # values; more are numbers of a range


def told_apart(low: float, high: float, more: str, less: str, undecided: str = UNDECIDED) -> str:
    """The words for a difference whose interval is `low` to `high`; one that touches zero is undecided."""
    return more if low > 0 else less if high < 0 else undecided


def compared(gap: Gap, more: str = "better than", less: str = "worse than") -> tuple[str, str]:
    """Of how much one model is above another, as fractions: a verdict, and the numbers behind it, in points."""
    if gap == Gap(0, (0, 0), (0, 0)):
        return "the same as", "no difference at all"
    (seeds_low, seeds_high), (images_low, images_high) = (
        tuple(100 * end for end in ends) for ends in (gap.seeds, gap.images)
    )
    numbers = (
        f"{100 * gap.mean:+.2f} percentage points (95 % interval {seeds_low:+.2f} to {seeds_high:+.2f} over seeds, "
        f"{images_low:+.2f} to {images_high:+.2f} over test images)"
    )
    return told_apart(min(seeds_low, images_low), max(seeds_high, images_high), more, less), numbers


def against(gaps: Mapping[str, Gap], names: Mapping[str, str]) -> tuple[str, list[str]]:
    """What one model is beside each of several others, by its gap to them: the verdicts, those alike together, and the
    numbers of each; `names` are what the others are called in a sentence."""
    verdicts: dict[str, list[str]] = {}
    told = []
    for other, one in gaps.items():
        verdict, numbers = compared(one)
        verdicts.setdefault(verdict, []).append(names[other])
        told.append(f"Beside {names[other]}, {numbers}.")
    *most, last = [f"{verdict} {listed(others)}" for verdict, others in verdicts.items()]
    return ", and ".join(filter(None, [", ".join(most), last])), told


def by_luck(comparisons: int) -> str:
    """How often so many comparisons, each with a 95 % interval of its own, tell apart what is equal."""
    if comparisons == 1:
        return "were there no difference, 5 of 100 such intervals would still show one"
    most = 100 * (1 - 0.95**comparisons)
    return f"were there no difference in any of the {comparisons}, one would be told in up to {most:.0f} of 100 cases"


def listed(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


# --- Sweeps ---


def close_to_best(values: Sequence[float], n: int) -> str:
    """How many runs are so close to the best that `n` images do not tell them apart; values are shares, or missing.

    Two shares of n images, taken for independent, differ by more than 1.96 standard errors in one of twenty cases.
    Runs that are judged by the same images vary less than that against each other, so it calls too many close. It
    knows nothing of other seeds, nor that the best was chosen for its height, and says so.
    """
    ranked = np.sort(np.asarray(values, dtype=float)[~np.isnan(values)])[::-1]
    best, others = ranked[0], ranked[1:]
    if not len(others):
        return "There is no other run to tell the best from."
    width = 1.96 * np.sqrt((best * (1 - best) + others * (1 - others)) / n)
    close = np.count_nonzero(best - others <= width)
    apart = f"so far from it that {n:,} images tell them apart"
    beyond = "This counts the chance of images alone: another seed moves each of them as well."
    if not close:
        return f"Beside the best, all others are {apart}. {beyond}"
    which = "One other run is" if close == 1 else f"{close} others are"
    left = {0: "and there is no other", 1: f"the remaining one is {apart}"}
    far = left.get(len(others) - close, f"the remaining {len(others) - close} are {apart}")
    return f"{which} so close to the best that {n:,} images do not tell them apart; {far}. {beyond}"


def second_search(first: pd.DataFrame, second: pd.DataFrame, best: Callable[[pd.DataFrame], str]) -> str:
    """What a random search and one that learns had come to for the same epochs: those of the one that took fewer.

    Tables of runs in order of start, with `epochs` and `status`; `best` says what the best of some rows is.
    """
    budget = min(first["epochs"].sum(), second["epochs"].sum())
    paid, learnt = (table[table["epochs"].cumsum() <= budget] for table in (first, second))
    stopped = int((learnt["status"] == "stopped").sum())
    early = f", {stopped} of them stopped early" if stopped else ""
    return (
        f"For {budget:,} epochs, the random search came to {best(paid)} at best, in {_runs(paid)}, and the one that "
        f"learns to {best(learnt)}, in {_runs(learnt)}{early}. That is one search of each kind."
    )


def _runs(rows: pd.DataFrame) -> str:
    return f"{len(rows)} run{'s' * (len(rows) != 1)}"


def holding(values: Sequence[Sequence[float | None]]) -> str:
    """What seeds say of the best of a confirmation: accuracies (configurations, seeds), the best mean first, and in
    each the seed first by which they were chosen; one of which a seed has no value is left out.
    """
    lows = behind(values)["behind, from"].dropna()
    better = int((lows > 0).sum())
    others = "the other" if len(lows) == 1 else "any of the others"
    verdict = f"better than {better} of the others, and {UNDECIDED} {len(lows) - better}"
    if better in (0, len(lows)):
        verdict = f"{'better than' if better else UNDECIDED} {others}"
    table = 100 * np.array([one for one in values if None not in one], dtype=float)
    lower = table[:, 0].mean() - table[:, 1:].mean()
    flattered = (
        f"With further seeds alone, the {len(table)} come to {abs(lower):.2f} points {'less' if lower > 0 else 'more'} "
        "on average than with the one by which they were chosen."
    )
    at_once = f", and for all {len(lows)} others at once" if len(lows) > 1 else ""
    return (f"Seed by seed{at_once}, it is {verdict}. " if len(lows) else "") + flattered


def beyond_chance(correlations: Mapping[str, float], one: float, all_at_once: float) -> str:
    """Which rank correlations are beyond what chance makes of one, and which beyond what it makes of the largest."""
    beyond, sure = (
        [f"{name} ({value:+.2f})" for name, value in correlations.items() if abs(value) > limit]
        for limit in (one, all_at_once)
    )
    many = len(correlations)
    return (
        f"Beyond ±{one:.2f}: {listed(beyond) or 'none'}. Chance alone takes one in twenty so far, "
        f"{0.05 * many:.1f} of the {many} that are looked at. Beyond ±{all_at_once:.2f}, as far as it takes the "
        f"largest of {many} once in twenty times: {listed(sure) or 'none'}."
    )


def parts(values: Mapping[str, int]) -> pd.Series:
    """Which share each parameter has by its part, given how many values it has: what it would have if all decided
    alike, or by chance alone, whichever is more.

    Runs that are better and worse by chance differ most in a parameter of many values: a divergence of counts, as
    PED-ANOVA's, is on average as large as there are values beyond the first. Numbers of a range count as FEW values.
    """
    beyond = pd.Series(values, dtype=float).clip(upper=FEW) - 1
    return (beyond / beyond.sum()).clip(lower=1 / len(beyond))


def deciding(shares: pd.DataFrame, values: Mapping[str, int]) -> str:
    """Which parameters decide more than their part, by the interval `low` to `high` of each one's share."""
    outstanding = [name for name, part in parts(values).items() if shares["low"].get(name, 0) > part]
    if not outstanding:
        return "No parameter stands out: so few runs do not say what decides"
    outstanding.sort(key=lambda name: -shares["low"][name])
    return f"More than its part, and than chance gives, is decided by {listed(outstanding)}"


# --- Networks ---


def forgiving(cross_entropy: float, squared_error: float, n: int) -> tuple[str, str]:
    """Which loss lets go of false lessons sooner, by the shares of `n` images that are right: verdict, and numbers.

    The interval is that of images, as if each loss had its own. It knows nothing of seeds, as each has one network.
    """
    shares = np.array([cross_entropy, squared_error])
    low, high = 100 * (shares[0] - shares[1] + 1.96 * np.sqrt((shares * (1 - shares)).sum() / n) * np.array([-1, 1]))
    verdict = told_apart(
        low,
        high,
        "Cross-entropy forgives, squared error clings",
        "Squared error forgives, cross-entropy clings",
        "Neither loss is seen to forgive more than the other",
    )
    interval = f"95 % interval {low:+.1f} to {high:+.1f} over images, one network each"
    return verdict, f"{100 * (shares[0] - shares[1]):+.1f} points, {interval}"


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
    return (
        f"**Which optimizer leads depends on the rate:** with one for all, there are {different} different winners, of "
        "one run each: another seed may swap those that end close together"
    )


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
    """On which classes one model gains on another, by intervals over seeds that hold for all classes at once."""
    means = {name: np.mean(values) for name, values in gains.items()}
    intervals = {name: seed_interval(values, len(gains)) for name, values in gains.items()}
    won = sorted((name for name, (low, _) in intervals.items() if low > 0), key=lambda name: -means[name])
    lost = sorted((name for name, (_, high) in intervals.items() if high < 0), key=lambda name: means[name])
    if not won and not lost:
        return "neither gains nor loses on any class beyond doubt"
    return f"gains on {listed(won) or 'no class'}, and loses on {listed(lost) or 'none beyond doubt'}"


def uneven(ps: Sequence[float], level: float = 0.05) -> str:
    """For how many seeds a split is more uneven than luck, by its p, below `level` for all at once (Bonferroni)."""
    count, level = sum(p < level / len(ps) for p in ps), level / len(ps)
    which = f"for {'each' if count else 'none'} of {len(ps)} seeds"
    if count not in (0, len(ps)):
        which = f"for {count} of {len(ps)} seeds, and for the others it may be luck"
    return f"($p \\lt {level:.2g}$, 0.05 shared among {len(ps)} tests) {which}"


def parted(between: float, within: float, images: int) -> str:
    """What two networks part on because of their configuration, and because of their seed, from `scores.parting`."""
    counted = (
        f"Exactly one is right on {between:.0f} of {images:,} images where configurations differ, and on {within:.0f} "
        "where only seeds do"
    )
    if within >= between:
        return f"{counted}: another configuration parts two networks no further than another seed does."
    return f"{counted}: another seed alone does {within / between:.0%} of that."


def trusted(excess: Gap) -> tuple[str, str]:
    """How far confidence is above accuracy, as fractions: a verdict, and the numbers behind it."""
    verdict, numbers = compared(excess, "surer than it should be", "less sure than it should be")
    if verdict == UNDECIDED:
        return "Whether it is too sure is not to be told", numbers
    return f"It is {100 * abs(excess.mean):.1f} points {verdict}", numbers


def calibrated(errors: Mapping[str, Sequence[float]], one: str, strangers: Sequence[str] = ()) -> str:
    """How well `one` of several models is calibrated beside each other one: calibration errors, seed by seed.

    The seeds of `strangers` have nothing in common with those of the others, so that there are no pairs.
    """
    verdicts: dict[str, list[str]] = {}
    for other in errors.keys() - {one}:
        pairs = seed_interval(np.subtract(errors[one], errors[other])) if other not in strangers else None
        low, high = pairs or unpaired_interval(errors[one], errors[other])
        words = told_apart(low, high, "worse calibrated than", "better calibrated than")
        words = "calibrated the same as" if np.array_equal(errors[one], errors[other]) else words
        verdicts.setdefault(words, []).append(other)
    return "; ".join(f"{words} {listed(sorted(others))}" for words, others in sorted(verdicts.items(), reverse=True))


def shared_by(name: str, each: Sequence[str]) -> str:
    """For how many seeds what is true of the mean over seeds is true as well."""
    return f"for {sum(one == name for one in each)} of {len(each)} seeds"
