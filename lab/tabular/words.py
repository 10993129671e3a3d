"""The sentences of chapter 7: each takes numbers and says what they say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lab.evaluation.sentences import parts
from lab.tabular import anova
from lab.tabular.cube import LEARNT, Cube
from lab.tabular.luck import CLOSE, deviation, elsewhere, top
from lab.tabular.survey import NEAR, Z

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
    """How good it gets, from the table of the best, and how many choices are near the best and learn nothing."""
    first, there = best.iloc[0], int(cube.there.sum())
    of = f"mean of {first['seeds']:.0f} seeds" if first["seeds"] > 1 else "one seed"
    half, middle = 50 * (first["high"] - first["low"]), np.median(cube.worth[cube.there])
    others = f"{near - 1:,} {'lies' if near == 2 else 'lie'} within {100 * NEAR:g} points of it"
    left = "How much of its height is luck, one seed does not say."
    if len(cube.seeds) > 1:
        judge = f"What is best by all seeds but one is right for {elsewhere(cube):.2%} with that one, on average"
        left = f"{judge}: so much is left of its height without the luck by which it was chosen."
    return (
        f"**The best of {there:,} configurations is right for {first['validationaccuracy']:.2%} of its validation "
        f"images** ({of}, 95 % interval ± {half:.2f} points, which does not count that it was chosen). {left} Of "
        f"the others, {others}, by accuracies with as much chance in them. Half of all stay below {middle:.1%}, and "
        f"{unlearnt / there:.0%} have learnt nothing by their end: they are below {LEARNT:.0%} there."
    )


def shared(common: str, near: int, least: int = 10) -> str:
    """What so many choices near the best share, from `survey.common`."""
    if near < least:
        return f"Only {near} lie so near the best: too few to say what the good ones share."
    return (
        f"Of these {near:,}, at least nine in ten have, value by value: {common}."
        if common
        else f"These {near:,} share no value."
    )


def judged(cube: Cube) -> str:
    """What the regrets of replays rest on, and what their intervals do not hold."""
    part = f" The space here is the {cube.there.sum():,} configurations that are there." if not cube.complete else ""
    seeds = len(cube.seeds)
    if seeds == 1:
        return (
            f"{part} Both the choice and its judge are one seed, so that its luck counts as worth: a search that saw "
            "all would lack nothing. What is left of an order of searches with other seeds, one seed does not say."
        )
    error = Z * deviation(cube, top(cube)) / seeds**0.5
    return (
        f"{part} Intervals are those of the searches' luck alone: all share this table and its {seeds} seeds. By "
        f"these, what a choice near the best is worth is known to ± {error:.2f} points. The best is a lucky one, which "
        f"makes all regrets too large alike; and one of the {seeds} seeds of the judge is the one that the search saw, "
        "which makes them too small."
    )


def lost(shares: pd.DataFrame, rate: float) -> str:
    """Which value those that learn nothing have more often than all, from their table of `survey.shares`, and how many
    of all with it learn nothing, given the rate at which all do."""
    row = shares.loc[(shares["among"] / shares["all"]).idxmax()]
    return (
        f"Of those that have learnt nothing by their end, {row['among']:.0%} have {row['parameter']} {row['value']}, "
        f"and of all that have it, {rate * row['among'] / row['all']:.0%} have learnt nothing."
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


def decides(every: pd.Series, good: pd.Series, noise: pd.Series | None = None) -> str:
    """What decides, by two decompositions: of the whole space, and of where it is worth searching; and what of the
    second is the `noise` of seeds, which one seed does not tell."""
    first, then, orders = anova.alone(every), anova.alone(good), anova.by_order(good)
    text = (
        f"Over the whole space, **{first.index[0]}** alone makes {first.iloc[0]:.0%} of the variance, and single "
        f"parameters together {first.sum():.0%}. Where it is worth searching, **{then.index[0]}** makes most, "
        f"{then.iloc[0]:.0%}; single parameters together make {orders[1]:.1%}, pairs {orders.get(2, 0.0):.1%}, and "
        f"more than two at once {orders[orders.index > 2].sum():.1%}."
    )
    if noise is None:
        return (
            f"{text} How much of this is the luck of the seed, one seed does not say; most of it would lie in the last."
        )
    chance = anova.by_order(noise)
    return (
        f"{text} Of this, the luck of seeds makes {noise.sum():.2%} of the variance: {chance[1]:.2%} in single "
        f"parameters, {chance.get(2, 0.0):.2%} in pairs, and {chance[chance.index > 2].sum():.2%} in more than two."
    )


def estimated(exact: pd.Series, few: pd.DataFrame, runs: int, values: Mapping[str, int]) -> str:
    """How far importances that so many runs give are from the exact shares, by the parameters that both know; `few` has
    their `mean`, `low` and `high`, as shares of one, and a parameter has so many `values`."""
    both = pd.DataFrame({"exact": exact, "few": few["mean"]}).dropna()
    both /= both.sum()
    order, off = both["exact"].corr(both["few"], method="spearman"), (both["exact"] - both["few"]).abs().mean()
    guess, truth = both["few"].idxmax(), both["exact"].idxmax()
    low, high = few.loc[guess, ["low", "high"]]
    surely = "" if low > parts(values)[guess] else ", which does not stand out from what chance gives it"
    verdict = "it is the most important, too" if guess == truth else f"the most important is {truth}"
    return (
        f"PED-ANOVA puts {guess} first by {runs} random runs, with {few.loc[guess, 'mean']:.0%} (95 of 100 samples of "
        f"the runs: {low:.0%} to {high:.0%}){surely}. By the exact shares, {verdict}. The orders agree by a rank "
        f"correlation of {order:.2f}; a share is off by {100 * off:.0f} points on average."
    )


def searches(summary: pd.DataFrame, runs: int) -> str:
    """Which search lacks least after so many runs, and which are not to be told apart from it."""
    rows = summary[summary["runs"] == runs].set_index("search").sort_values("median", kind="stable")
    last = rows.iloc[-1]
    most = "" if last["level"] else f" Most is lacking to {last.name}, {last['median']:.2f}."
    if "random" not in rows.index[[0, -1]] and not rows["level"]["random"]:
        most += f" Random search lacks {rows['median']['random']:.2f}."
    return f"After {runs} runs, {_least(rows)}{most}"


def _least(rows: pd.DataFrame) -> str:
    """Of searches as `replays.judged` has them, least median first: what the first lacks, and which are level."""
    first = rows.iloc[0]
    return f"**{first.name}** lacks least: {_regret(first)}.{_level(rows)}"


def _regret(row: pd.Series) -> str:
    """Median and ninth decile with their intervals."""
    median, ninth = (
        f"{row[what]:.2f} (95 % interval {row[f'{what}, from']:.2f} to {row[f'{what}, to']:.2f})"
        for what in ("median", "nine in ten")
    )
    return f"{median} points in the median, and at most {ninth} nine times in ten"


def _level(rows: pd.DataFrame) -> str:
    level = [f"{row.Index}, {row.median:.2f}" for row in rows.iloc[1:].itertuples() if row.level]
    if level:
        return f" So many replays do not tell it apart from {'; '.join(level)}."
    return " All others lack more." if len(rows) > 1 else ""


def bargain(priced: pd.DataFrame, budget: int) -> str:
    """Which search lacks least for so many epochs, from a table of `replays.priced`."""
    return f"For {budget} epochs, {_least(priced)}"


def worth(summary: pd.DataFrame, priced: pd.DataFrame, cube: Cube, runs: int, budget: int) -> str:
    """What a search is worth after so many runs and for so many epochs, and what that rests on."""
    return f"{searches(summary, runs)} {bargain(priced, budget)}{judged(cube)}"


def luck(winners: pd.DataFrame, flatters: float, among: float, moves: tuple[float, float], runs: int) -> str:
    """What one seed is worth: the winners by one, what it makes of a search of so many runs, and by how many points it
    `moves` each of the best tenth (standard deviation), and all of them alike (from the least to the most)."""
    places = " and ".join(f"{place:,}" for place in winners["place"])
    own, alike = moves
    return (
        f"The winner of the whole space by one seed has, by the mean of the others, place {places}. Among the best "
        f"tenth, a seed moves an accuracy by {own:.2f} points (standard deviation), beside what it moves all alike, up "
        f"to {alike:.2f} between {len(winners)} seeds, which decides nothing. What a search of {runs} runs names is "
        f"among the ten best that it ran {among:.0%} of the time, by the mean over all seeds, its own included, and "
        f"the accuracy by which it was chosen flatters it by {flatters:.2f} points, on average."
    )


def repeated(differences: np.ndarray) -> str:
    """How far runs of the same configuration and seed are apart, from `luck.repeated`: what rounding alone does."""
    if len(differences) < 2:
        return "Too few runs of a sweep are in the table, too, to say what rounding alone moves."
    text = (
        f"{len(differences)} runs of a sweep that learn are in the table, too, with the same seed, weights and images"
    )
    if not differences.any():
        return f"{text}: they came out the same."
    apart, most = np.sqrt(np.mean(differences**2)), np.abs(differences).max()
    return (
        f"{text}. They differ from it by {apart:.2f} points (root of the mean square), and by up to {most:.2f}: so "
        "much becomes of rounding, which other versions, kernels or machines do otherwise. So a run of a sweep may be "
        "above the best of the table."
    )


def rounded(differences: np.ndarray, seeds: int) -> dict[str, dict[str, str]]:
    """The headline of what rounding alone moves a mean of so many seeds by, from `luck.repeated`; none of too few."""
    if len(differences) < 2:
        return {}
    apart = np.sqrt(np.mean(differences**2) / seeds)
    note = (
        f"in a mean of {seeds} seeds, by rounding alone (root of the mean square of {len(differences)} runs that the "
        "table has, too)"
    )
    return {"What another machine changes": {"value": f"{apart:.2f} points", "note": note}}


def agreement(all_of_them: float, best: float) -> str:
    """How far two seeds agree on the order, by rank correlations; that of the best is NaN with two seeds."""
    text = f"Two seeds agree on the order by a rank correlation of {all_of_them:.2f}"
    if np.isnan(best):
        return f"{text}; in the best tenth it cannot be told, as no third seed says which these are."
    return f"{text}, in what is the best tenth by other seeds {best:.2f}."


def confirmation(enough: pd.Series | None, table: pd.DataFrame) -> str:
    """What a confirmation must be, to come close nine times in ten; `table` as of `luck.confirmations`."""
    without = table.sort_values(["further runs", "best"], kind="stable").iloc[0]
    text = (
        f"By one seed, a search names one within {CLOSE:g} points of the best that it ran {_often(without)} of the time"
    )
    if enough is not None:
        return (
            f"{text}; with its best {enough['best']:.0f} confirmed by {enough['seeds']:.0f} seeds, in "
            f"{enough['further runs']:.0f} further runs, {_often(enough)}."
        )
    most = table.loc[table["close"].idxmax()]
    return (
        f"{text}. No confirmation that was tried is sure to bring this to nine in ten; {most['best']:.0f} candidates "
        f"with {most['seeds']:.0f} seeds bring it to {_often(most)}."
    )


def _often(row: pd.Series) -> str:
    return f"{row['close']:.0%} (95 % interval {row['low']:.0%} to {row['high']:.0%})"


def plans(table: pd.DataFrame, asked: tuple[int, int], budget: int, seeds: int) -> str:
    """What a confirmation is worth to each search for so many epochs, from a table of `luck.plans` that rests on so
    many seeds."""
    rows = table.sort_values("confirmed, median", kind="stable")
    best = rows.iloc[0]
    changes = table["confirmed, nine in ten"] - table["one seed, nine in ten"]
    fair = best["one seed, fair"]
    return (
        f"Of searches for {budget} epochs with their best {asked[0]} confirmed by {asked[1]} seeds, in "
        f"{asked[0] * (asked[1] - 1)} further runs, **{best.name}**, which has {best['runs']:.0f} runs, lacks least of "
        f"the best of all: {best['confirmed, median']:.2f} points in the median (95 % interval {best['from']:.2f} to "
        f"{best['to']:.2f}), and at most {best['confirmed, nine in ten']:.2f} nine times in ten; by one seed alone "
        f"{best['one seed, median']:.2f} and {best['one seed, nine in ten']:.2f}."
        f"{_level(rows.rename(columns={'confirmed, median': 'median'}))} What nine in ten do not exceed changes by "
        f"{changes.min():+.2f} to {changes.max():+.2f} points with a confirmation, from search to search. Most of this "
        f"may be the luck of the best of all, which is the highest of many means over {seeds} seeds: by seeds that had "
        f"no part, what {best.name} names by one seed is {abs(fair):.2f} points {'below' if fair > 0 else 'above'} "
        "what the whole table names by all seeds but one, on average."
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
    seeds: int = 2,
) -> list[str]:
    """What to do, a sentence each: how to search, what to fix, what to leave out, how long to go on, how to choose.

    What could not be computed is None or empty, and has no sentence. With one of `seeds`, which both chose and judged,
    regrets are said to be those of this one.
    """
    lines = []
    if summary is not None and priced is not None:
        lines += _searching(summary, priced, budget)
        if seeds == 1:
            lines[-1] += " (One seed chose and judged: by others, a search lacks something even if it has seen all.)"
    if common:
        lines.append(f"**Fix what the good ones share**: {common}.")
    if lost:
        lines.append(f"**Leave out what learns nothing.** {lost}")
    if enough is not None:
        lines.append(
            f"**Confirm**: run the best {enough['best']:.0f} of a search again until each has {enough['seeds']:.0f} "
            f"seeds, and choose by the mean; that comes within {CLOSE:g} points of the best that was run "
            f"{_often(enough)} of the time."
        )
    return lines or ["**Wait**: what is there says too little yet."]


def _searching(summary: pd.DataFrame, priced: pd.DataFrame, budget: int) -> list[str]:
    first = priced.iloc[0]
    lines = [f"**Search by {first.name}**: for {budget} epochs it lacks {_regret(first)}.{_level(priced)}"]
    regret = summary[summary["search"] == first.name].set_index("runs")["median"]
    few, many = regret.index.min(), regret.index.max()
    if few < many:
        lines.append(
            f"**Know when to stop**: from {few} to {many} runs, {first.name} brings its regret from {regret[few]:.2f} "
            f"to {regret[many]:.2f} points."
        )
    return lines
