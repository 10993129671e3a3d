"""The sentences of chapter 7: each takes numbers and says what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab.tabular import anova
from lab.tabular.cube import Cube
from lab.tabular.luck import CLOSE
from lab.tabular.survey import LEARNT, NEAR

ENOUGH = 10  # times the runs of a search must there be configurations for it to be replayed on


def left_out(cube: Cube, seeds: int = 1) -> str:
    """Why a section is left out that needs the whole space, or so many seeds; empty if it need not be."""
    if not cube.complete:
        return f"This needs the whole space, of which {cube.there.mean():.0%} is there: it is left out until then."
    if len(cube.seeds) < seeds:
        lacking = f"This needs {seeds} seeds of every configuration, and the table has {len(cube.seeds)}"
        return f"{lacking}: it is left out until then."
    return ""


def good(best: pd.DataFrame, cube: Cube, near: int, unlearnt: int) -> str:
    """How good it gets, from the table of the best, and how many choices are near the best and never learn."""
    first, there = best.iloc[0], int(cube.there.sum())
    of = f"mean of {first['seeds']:.0f} seeds" if first["seeds"] > 1 else "one seed"
    half, middle = 50 * (first["high"] - first["low"]), np.median(cube.worth[cube.there])
    others = f"{near - 1:,} {'lies' if near == 2 else 'lie'} within {100 * NEAR:g} points of it"
    return (
        f"**The best of {there:,} configurations is right for {first['validationaccuracy']:.2%} of its validation "
        f"images** ({of}, 95 % interval ± {half:.2f} points). Of the others, {others}. Half of all stay below "
        f"{middle:.1%}, and {unlearnt / there:.0%} never learn: they end below {LEARNT:.0%}."
    )


def shared(common: str, near: int, least: int = 10) -> str:
    """What so many choices near the best share, from `survey.common`."""
    if near < least:
        return f"Only {near} lie so near the best: too few to say what the good ones share."
    return f"Nine in ten of these {near:,} share: {common}." if common else f"These {near:,} share no value."


def judged(cube: Cube) -> str:
    """What the regrets of replays rest on, where that is less than it should be; empty if it is not."""
    part = f" The space here is the {cube.there.sum():,} configurations that are there." if not cube.complete else ""
    luck = (
        " Both the choice and its judge are one seed, so that its luck counts as worth." if len(cube.seeds) == 1 else ""
    )
    return part + luck


def lost(shares: pd.DataFrame, rate: float) -> str:
    """Which value those that never learn have more often than all, from their table of `survey.shares`, and how many
    of all with it never learn, given the rate at which all do."""
    row = shares.loc[(shares["among"] / shares["all"]).idxmax()]
    return (
        f"Of those that never learn, {row['among']:.0%} have {row['parameter']} {row['value']}, and of all that have "
        f"it, {rate * row['among'] / row['all']:.0%} never learn."
    )


def too_few(cube: Cube, runs: int) -> str:
    """Why searches of so many runs are not replayed on what is there; empty if they can be."""
    there = int(cube.there.sum())
    if there >= ENOUGH * runs:
        return ""
    return (
        f"With {there:,} configurations, a search of {runs} runs would go through much of all that there is: replays "
        f"are left out until there are {ENOUGH * runs:,}."
    )


def decides(every: pd.Series, good: pd.Series) -> str:
    """What decides, by two decompositions: of the whole space, and of where it is worth searching."""
    first, then, orders = anova.alone(every), anova.alone(good), anova.by_order(good)
    return (
        f"Over the whole space, **{first.index[0]}** alone makes {first.iloc[0]:.0%} of the variance, and single "
        f"parameters together {first.sum():.0%}. Where it is worth searching, **{then.index[0]}** makes most, "
        f"{then.iloc[0]:.0%}; single parameters together make {orders[1]:.0%}, pairs {orders.get(2, 0.0):.0%}, and "
        f"more than two at once {orders[orders.index > 2].sum():.0%}."
    )


def estimated(exact: pd.Series, few: pd.Series, runs: int) -> str:
    """How far importances that so many runs give are from the exact shares, by the parameters that both know."""
    both = pd.DataFrame({"exact": exact, "few": few}).dropna()
    both /= both.sum()
    order, off = both["exact"].corr(both["few"], method="spearman"), (both["exact"] - both["few"]).abs().mean()
    guess, truth = both["few"].idxmax(), both["exact"].idxmax()
    verdict = "and so it is" if guess == truth else f"and that is {truth}"
    return (
        f"PED-ANOVA takes {guess} for the most important by {runs} random runs, {verdict}. Its order agrees with the "
        f"exact one by a rank correlation of {order:.2f}; a share is off by {100 * off:.0f} points on average."
    )


def searches(summary: pd.DataFrame, runs: int) -> str:
    """Which search lacks least after so many runs, and which most."""
    rows = summary[summary["runs"] == runs].set_index("search").sort_values("median", kind="stable")
    median, first, last = rows["median"], rows.index[0], rows.index[-1]
    random = f" Random search lacks {median['random']:.2f}." if "random" not in (first, last) else ""
    return (
        f"After {runs} runs, **{first}** lacks least: {median[first]:.2f} points in the median, and at most "
        f"{rows['nine in ten'][first]:.2f} nine times in ten. {last} lacks most, {median[last]:.2f}.{random}"
    )


def bargain(priced: pd.DataFrame, budget: int) -> str:
    """Which search lacks least for so many epochs, from a table of `replays.priced`."""
    first, *others = priced.itertuples()
    text = f"For {budget} epochs, **{first.Index}** lacks least, {first.median:.2f} points in the median"
    return text + (f"; next is {others[0].Index}, {others[0].median:.2f}." if others else ".")


def luck(winners: pd.DataFrame, flatters: float, among: float, deviation: float, runs: int) -> str:
    """What one seed is worth: the winners by one, and what it makes of a search of so many runs."""
    places = ", ".join(f"{place:,}" for place in winners["place"])
    return (
        f"The winner of the whole space by one seed has, by the mean of the others, place {places}. Among the best "
        f"tenth, a seed moves an accuracy by {deviation:.2f} points (standard deviation). What a search of {runs} runs "
        f"names is among the ten best that it ran {among:.0%} of the time, and the accuracy by which it was chosen "
        f"flatters it by {flatters:.2f} points."
    )


def confirmation(enough: pd.Series | None, table: pd.DataFrame) -> str:
    """What a confirmation must be, to come close nine times in ten; `table` as of `luck.confirmations`."""
    without = table.sort_values(["further runs", "best"], kind="stable").iloc[0]["close"]
    text = f"By one seed, a search names one within {CLOSE:g} points of the best that it ran {without:.0%} of the time"
    if enough is not None:
        return (
            f"{text}; with its best {enough['best']:.0f} confirmed by {enough['seeds']:.0f} seeds, in "
            f"{enough['further runs']:.0f} further runs, {enough['close']:.0%}."
        )
    most = table.loc[table["close"].idxmax()]
    return (
        f"{text}. No confirmation that was tried brings this to nine in ten; {most['best']:.0f} candidates with "
        f"{most['seeds']:.0f} seeds bring it to {most['close']:.0%}."
    )


def plans(table: pd.DataFrame, asked: tuple[int, int], runs: int) -> str:
    """What a confirmation is worth to each search, from a table of `luck.plans`, the least regret first."""
    best = table.sort_values("confirmed, median", kind="stable").iloc[0]
    gains = table["one seed, nine in ten"] - table["confirmed, nine in ten"]
    return (
        f"Of searches of {runs} runs with their best {asked[0]} confirmed by {asked[1]} seeds, **{best.name}** lacks "
        f"least of the best of all: {best['confirmed, median']:.2f} points in the median, and at most "
        f"{best['confirmed, nine in ten']:.2f} nine times in ten; by one seed alone {best['one seed, median']:.2f} and "
        f"{best['one seed, nine in ten']:.2f}. What nine in ten do not exceed changes by {-gains.max():+.2f} to "
        f"{-gains.min():+.2f} points with a confirmation, from search to search."
    )


def again(same: int, tried: int) -> str:
    """Whether replays that were made again came out the same."""
    if same == tried:
        return f"All {tried} that were made again came out the same, run by run."
    return f"{same} of {tried} that were made again came out the same, run by run: other versions choose otherwise."


def then(
    common: str,
    lost: str,
    summary: pd.DataFrame | None,
    priced: pd.DataFrame | None,
    budget: int,
    enough: pd.Series | None,
) -> list[str]:
    """What to do, a sentence each: how to search, what to fix, what to leave out, how long to go on, how to choose.

    What could not be computed is None or empty, and has no sentence.
    """
    found = []
    if summary is not None and priced is not None:
        found += _searching(summary, priced, budget)
    if common:
        found.append(f"**Fix what the good ones share**: {common}.")
    if lost:
        found.append(f"**Leave out what never learns.** {lost}")
    if enough is not None:
        found.append(
            f"**Confirm**: run the best {enough['best']:.0f} of 48 again until each has {enough['seeds']:.0f} seeds, "
            f"and choose by the mean; that comes within {CLOSE:g} points of the best that was run "
            f"{enough['close']:.0%} of the time."
        )
    return found or ["**Wait**: what is there says too little yet."]


def _searching(summary: pd.DataFrame, priced: pd.DataFrame, budget: int) -> list[str]:
    first, median, ninth = priced.index[0], priced["median"].iloc[0], priced["ninth"].iloc[0]
    found = [
        f"**Search by {first}**: for {budget} epochs it lacks {median:.2f} points in the median, and at most "
        f"{ninth:.2f} nine times in ten."
    ]
    regret = summary[summary["search"] == first].set_index("runs")["median"]
    few, many = regret.index.min(), regret.index.max()
    if few < many:
        found.append(
            f"**Know when to stop**: from {few} to {many} runs, {first} brings its regret from {regret[few]:.2f} to "
            f"{regret[many]:.2f} points."
        )
    return found
