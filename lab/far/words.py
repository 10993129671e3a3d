"""The sentences of chapter 8: each takes numbers and says what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lab.evaluation import scores, sentences
from lab.evaluation.scores import Gap
from lab.evaluation.sentences import listed, told_apart
from lab.far.records import METRIC
from lab.tabular.survey import Z
from lab.tabular.table import COUNTS

MORE, LESS, LEVEL = "more", "less", "not to be told apart"
ALONE, TOGETHER = 0.92, 0.925  # what was hoped for: of a network in the mean, and of five together
PUBLISHED, WHOSE = 0.9163, "three layers of 1,024 for 200 epochs (repository anokland/local-loss)"
WAITS = "This waits for what `make far` trains last, on everything."
FEW = 4  # recipes that are too few to say which parameters matter


def joined(*sentences: str) -> str:
    """Those that say something, one after the other."""
    return " ".join(filter(None, sentences))


def lacking(progress: pd.DataFrame, part: str) -> str:
    """What is not trained yet of a part of the plan, from `survey.progress`; empty if all is."""
    there, planned = (int(progress.loc[part, name]) for name in ("trained", "planned"))
    if there >= planned:
        return ""
    if not there:
        return f"**Not trained yet**: the {part}. `make far` trains it, and this page then tells what came of it."
    return f"Of the {part}, {there} of {planned} trainings are there; `make far` goes on with them."


def verdicts(differences: pd.DataFrame) -> list[str]:
    """For each difference the word that its interval allows; empty ones with one seed."""
    rows = differences[["low", "high"]].itertuples(index=False)
    return ["" if np.isnan(low) else told_apart(low, high, MORE, LESS, LEVEL) for low, high in rows]


def _sorted_out(differences: pd.DataFrame, above: str, below: str, level: str) -> str:
    """Differences by the words that their intervals allow, in the order of what they are."""
    words, parts = np.array(verdicts(differences)), []
    for word, what in ((MORE, above), (LESS, below), (LEVEL, level)):
        some = differences.loc[words == word, "difference"]
        names = [f"{name} ({100 * gain:+.2f})" for name, gain in some.items()]
        parts += [f"{what}: {listed(names)}"] if names else []
    return "; ".join(parts) + "."


def climbed(each: pd.DataFrame, steps: pd.DataFrame) -> str:
    """How high the ladder goes, and which rungs are above the one before, from `survey.rungs`."""
    if not len(steps):
        return ""
    first, last, count, seeds = each.iloc[0].mean(), each.iloc[-1].mean(), len(steps), len(each.columns)
    lead = "1 rung leads" if count == 1 else f"{count} rungs lead"
    text = f"**{lead} from {first:.2%} to {last:.2%} of the validation images**"
    if seeds == 1:
        best = steps["difference"].idxmax()
        step = f"the largest step is {best} ({100 * steps['difference'][best]:+.2f} points)"
        return f"{text}, with one seed each; {step}. What of this is luck, one seed does not say."
    told = _sorted_out(steps, "above the rung before it", "below it", f"{LEVEL} from it")
    return f"{text}, means of {seeds} seeds. By intervals that hold for all rungs at once, {told}"


def worth(changes: pd.DataFrame) -> str:
    """What becomes of the whole without each ingredient and with others, from `survey.changes`."""
    if not len(changes):
        return ""
    if changes["low"].isna().all():
        most = changes["difference"].abs().idxmax()
        change = f"{most} ({100 * changes['difference'][most]:+.2f} points)"
        return f"With one seed each, the largest change is that {change}. What of it is luck, one seed does not say."
    told = _sorted_out(changes, "better than the whole", "worse than the whole", f"{LEVEL} from the whole")
    return f"By intervals that hold for all at once, {told}"


def scouted(rows: pd.DataFrame, varied: Sequence[str]) -> str:
    """What a sweep found, from `survey.scouted`: the best, how many are as good, and which parameters matter."""
    if not len(rows):
        return ""
    best = f"**The best of {len(rows)} recipes is right for {rows[METRIC].max():.2%} of the validation images**"
    if len(rows) < FEW:
        return f"{best}, each trained once. They are too few to say what matters."
    correlations = scores.correlations(rows, varied, METRIC)
    limits = scores.chance(len(rows)), scores.chance(len(rows), max(len(correlations), 1))
    close = sentences.close_to_best(rows[METRIC], COUNTS[METRIC])
    matter = sentences.beyond_chance(correlations, *limits)
    matter = f"Rank correlations of parameters with accuracy {matter[0].lower()}{matter[1:]}"
    return f"{best}, each trained once. {close} {matter}"


def longest(each: pd.DataFrame, others: pd.DataFrame) -> str:
    """Which recipe of the long sweep is best, the winner, and which are not to be told apart from it, given accuracies
    and the differences of the others from it."""
    if not len(each):
        return ""
    means = each.mean(axis=1)
    text = f"**Best is {means.idxmax()}**, right for {means.max():.2%} of the validation images"
    if not len(others) or others["low"].isna().all():
        return f"{text}, with one seed. What of it is luck, one seed does not say."
    told = _sorted_out(others, "better", "worse", f"{LEVEL} from it")
    return f"{text}, the mean of {len(each.columns)} seeds. By intervals that hold for all others at once, {told}"


# --- the test images ---


def untested(seeds: int, planned: int) -> str:
    """Why nothing is said of the winner on the test images, with networks of so few seeds; empty if it is."""
    if seeds > 1:
        return ""
    there = "one of them is there" if seeds else "none of them is there yet"
    return (
        f"**Not trained yet**: the winner, on all 60,000 images, with {planned} seeds; {there}. `make far` trains it "
        "once both sweeps and the ladder are there, and this page then tells how good it is."
    )


def goal(value: float, hoped: float) -> str:
    """Whether an accuracy is what was hoped for."""
    if value >= hoped:
        return f"the goal of {hoped:.1%} is reached"
    return f"the goal of {hoped:.1%} is missed by {100 * (hoped - value):.2f} points"


def winner(accuracy: Sequence[float], images: int, minutes: float) -> str:
    """How good the winner's networks are on so many test images, beside what was hoped for and what is published, and
    what each of them has cost of one core."""
    mean, (low, high) = float(np.mean(accuracy)), scores.seed_interval(accuracy)
    least, most = scores.wilson_interval(mean, images)
    return (
        f"**{len(accuracy)} networks of the winner are right for {mean:.2%} of the test images, on average** (95 % "
        f"interval {low:.2%} to {high:.2%} over seeds, {least:.2%} to {most:.2%} over test images): "
        f"{goal(mean, ALONE)}. The best plain multilayer perceptron that was found elsewhere, {WHOSE}, has "
        f"{PUBLISHED:.2%}: {sentences.exceeds(accuracy, PUBLISHED)}. Each was trained for {minutes:.0f} minutes of one "
        "core."
    )


def together(accuracy: float, gap: Gap, count: int) -> str:
    """How good so many networks are together, by the mean of their probabilities, and whether better than one."""
    verdict, numbers = sentences.compared(gap)
    return (
        f"**Together, the {count} are right for {accuracy:.2%}**: {goal(accuracy, TOGETHER)}. Together they are "
        f"{verdict} one of them alone, on average: {numbers}."
    )


def calibrated(alone: Gap, excess: Sequence[float], errors: tuple[float, float]) -> str:
    """Whether the winner's networks are as sure as they should be, alone and together; `excess` is, image by image, how
    much surer they are together than right, and `errors` are the calibration errors, alone, on average, and together.
    """
    verdict, numbers = sentences.compared(alone, "above", "below")
    mean, half = 100 * np.mean(excess), 100 * Z * np.std(excess, ddof=1) / len(excess) ** 0.5
    both = told_apart(mean - half, mean + half, "above", "below")
    interval = f"95 % interval {mean - half:+.2f} to {mean + half:+.2f} over test images"
    return (
        f"The confidence of one network, on average, is {verdict} its accuracy: {numbers}; ECE {errors[0]:.1%}. That "
        f"of all together is {both} theirs: {mean:+.2f} percentage points ({interval}); ECE {errors[1]:.1%}."
    )


def classes(gap: Gap, gains: Mapping[str, Sequence[float]]) -> str:
    """Whether the winner is better than the start, and on which classes, by the images of each that it gains, seed by
    seed."""
    verdict, numbers = sentences.compared(gap)
    return (
        f"The winner is {verdict} the start of the ladder, {numbers}. By intervals over seeds that hold for all "
        f"{len(gains)} classes at once, it {sentences.class_gains(gains)}."
    )


def mistaken(mistakes: pd.DataFrame, networks: int, sure: float = 0.8) -> str:
    """How many mistakes an ensemble makes, and how many of them all its networks make, from `survey.mistakes`."""
    common = mistakes[mistakes["agreed"] == networks]
    return (
        f"Together they make {len(mistakes):,} mistakes. In {len(common):,} of these all {networks} say the same, and "
        f"of {np.sum(common['sure'] > sure):,} of those they are more than {sure:.0%} sure together."
    )


def twin(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """What the same recipe reaches in PyTorch, by the accuracies of both on the test images."""
    if not len(theirs):
        return "**Not trained yet**: the winner's recipe in PyTorch. Once there is a winner, `make twin` trains it."
    text = f"In PyTorch the recipe is right for {np.mean(theirs):.2%} of the test images"
    if len(ours) < 2 or len(theirs) < 2:
        return (
            f"{text}, by {len(theirs)} seed{'s' * (len(theirs) > 1)}: two of ours and of theirs are needed to compare."
        )
    low, high = (100 * end for end in scores.unpaired_interval(ours, theirs))
    verdict = told_apart(low, high, "better than theirs", "worse than theirs", "not to be told apart from theirs")
    gap = 100 * (np.mean(ours) - np.mean(theirs))
    return (
        f"{text}, the mean of {len(theirs)} seeds. Ours are {verdict}: {gap:+.2f} points (95 % interval {low:+.2f} to "
        f"{high:+.2f} over seeds)."
    )
