"""Searches replayed on the table: what each would have found, after how many runs, and what it would have paid.

A replay sees what its search would have seen: the accuracies of one seed. What it has found is judged by its *regret*:
how much more the best choice of the table is worth than the one that the search would name, both as means over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats

from lab.search.stopping import Hyperband
from lab.tabular.cube import Cube, axes, shape, stops

ETA = 3  # of ten runs, successive halving lets about three go on
RUNGS = (1, 3, 10)  # epochs after which it does
NOTHING = -1  # in the place of a choice, before any run has finished


class Trace(NamedTuple):
    """One search: what it ran, in order, and after each run what it would name and what it has paid; (runs,) each."""

    drawn: ndarray  # numbers of choices
    chosen: ndarray  # numbers of choices, or NOTHING
    paid: ndarray  # epochs in all


Method = Callable[[Cube, int, np.random.Generator, int], Trace]  # a cube, which of its seeds, luck, how many runs


def epochs_of(choices: ndarray) -> ndarray:
    """The max_epochs of choices."""
    return np.asarray(stops())[np.asarray(choices) % len(stops())]


def leaders(drawn: ndarray, scores: ndarray) -> ndarray:
    """After each of the drawn choices, the one with the highest score until then; one without, -inf, never leads."""
    before = np.concatenate([[-np.inf], np.maximum.accumulate(scores)[:-1]])
    places = np.maximum.accumulate(np.where(scores > before, np.arange(len(scores)), NOTHING))
    return np.where(places == NOTHING, NOTHING, np.asarray(drawn)[places])


def trace(cube: Cube, seed: int, drawn: ndarray, went: ndarray) -> Trace:
    """The search that ran these choices for so many epochs each; one that did not go to its end is never named."""
    drawn, went = np.asarray(drawn), np.asarray(went)
    scores = np.where(went == epochs_of(drawn), cube.scores[drawn, seed], -np.inf)
    return Trace(drawn, leaders(drawn, scores), np.cumsum(went))


# --- searches ---------------------------------------------------------------------------------------------------------


def random(cube: Cube, seed: int, rng: np.random.Generator, runs: int) -> Trace:
    """Choices drawn at random, none twice."""
    drawn = _draw(cube, rng, runs)
    return trace(cube, seed, drawn, epochs_of(drawn))


def grid(cube: Cube, seed: int, rng: np.random.Generator, runs: int) -> Trace:
    """The first points of a grid, as a run_cap leaves them.

    In what order a file lists the values of a parameter is chance, and so it is here.
    """
    order = grid_order([rng.permutation(len(values)) for values in axes().values()])
    drawn = order[cube.there[order]][:runs]
    return trace(cube, seed, drawn, epochs_of(drawn))


def grid_order(values: Sequence[Sequence[int]]) -> ndarray:
    """All choices as a grid visits them: by sorted names, the last changing fastest.

    `values` are, for each of `axes()`, the places of its values in the order in which the file has them.
    """
    return np.arange(np.prod(shape())).reshape(shape())[np.ix_(*values)].transpose(np.argsort([*axes()])).ravel()


def hyperband(rule: Hyperband) -> Method:
    """Random choices, of which those that fall behind are stopped by a rule; they are paid for as far as they went."""

    def search(cube: Cube, seed: int, rng: np.random.Generator, runs: int) -> Trace:
        drawn, curves = _draw(cube, rng, runs), list[list[float]]()
        for choice in drawn:
            curve = cube.curve(choice, seed)
            curves.append(curve[: stopped_after(rule, curve, curves)])
        return trace(cube, seed, drawn, list(map(len, curves)))

    return search


def stopped_after(rule: Hyperband, curve: Sequence[float], others: Sequence[Sequence[float]]) -> int:
    """How many epochs a run goes on beside others that have ended: its last is not judged, for it ends by itself."""
    for epoch in range(1, len(curve)):
        if rule.stops(curve[:epoch], others, "maximize"):
            return epoch
    return len(curve)


def halving(cube: Cube, seed: int, rng: np.random.Generator, runs: int) -> Trace:
    """Successive halving (Jamieson and Talwalkar, 2016): all start, and of those that come to a rung, a third go on.

    After n runs stands what a search of n runs would have found, each with the same first draws; an epoch that is
    trained once is not paid for again.
    """
    last = len(stops()) - 1
    drawn = _draw(cube, rng, runs) // len(stops())
    drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]  # max_epochs apart, each training once
    drawn = np.concatenate([drawn, _others(cube, rng, drawn, runs)])[:runs]
    brackets = [_bracket(cube.accuracy[drawn[:count], seed]) for count in range(1, runs + 1)]
    choices = drawn * len(stops()) + last
    return Trace(choices, choices[[winner for winner, _ in brackets]], np.array([paid for _, paid in brackets]))


def _bracket(curves: ndarray) -> tuple[int, int]:
    """Which of the curves (trainings, epochs) wins, and the epochs that this takes."""
    alive, paid, before = np.arange(len(curves)), 0, 0
    for rung in RUNGS:
        paid += len(alive) * (rung - before)
        before = rung
        order = np.argsort(-curves[alive, rung - 1], kind="stable")
        alive = alive[order[: max(1, len(alive) // ETA)]]
    return int(alive[0]), paid


def _draw(cube: Cube, rng: np.random.Generator, runs: int) -> ndarray:
    there = np.flatnonzero(cube.there)
    return rng.choice(there, min(runs, len(there)), replace=False)


def _others(cube: Cube, rng: np.random.Generator, drawn: ndarray, runs: int) -> ndarray:
    """Further trainings, so that there are enough."""
    there = np.unique(np.flatnonzero(cube.there) // len(stops()))
    left = np.setdiff1d(there, drawn)
    return rng.choice(left, min(max(0, runs - len(drawn)), len(left)), replace=False)


# --- many of them -----------------------------------------------------------------------------------------------------


class Replays(NamedTuple):
    """Replays of one method: which of the cube's seeds each saw, (replays,), and its trace, (replays, runs) each."""

    seeds: ndarray
    drawn: ndarray
    chosen: ndarray
    paid: ndarray

    def regret(self, cube: Cube) -> ndarray:
        """In percentage points, after each run, (replays, runs); NaN before anything has finished."""
        worth = np.append(cube.worth, np.nan)  # the place of NOTHING
        return 100 * (cube.worth[cube.best] - worth[self.chosen])

    def regret_when_paid(self, cube: Cube, budgets: Sequence[int]) -> ndarray:
        """The regret of what is found for so many epochs, (replays, budgets); NaN before anything has finished."""
        places = np.array([np.searchsorted(paid, budgets, side="right") for paid in self.paid]) - 1
        regret = np.take_along_axis(self.regret(cube), np.maximum(places, 0), axis=1)
        return np.where(places < 0, np.nan, regret)


def replay(cube: Cube, method: Method, runs: int, numbers: Sequence[int]) -> Replays:
    """The replays with these numbers, each with its own luck, which the number alone decides, and the seeds in turn."""
    seeds = [number % len(cube.seeds) for number in numbers]
    lucks = map(np.random.default_rng, numbers)
    traces = [method(cube, seed, rng, runs) for seed, rng in zip(seeds, lucks, strict=True)]
    return Replays(np.array(seeds), *map(np.array, zip(*traces, strict=True)))


def summary(replays: dict[str, Replays], cube: Cube, at: Sequence[int]) -> pd.DataFrame:
    """For each method and number of runs: what `judged` finds of the regret, its quartiles, and the epochs paid."""
    regrets = {name: those.regret(cube) for name, those in replays.items()}
    rows = []
    for runs in at:
        after = {name: regret[:, runs - 1] for name, regret in regrets.items() if runs <= regret.shape[1]}
        for name, row in judged(after).iterrows():
            quartiles = np.nanquantile(after[name], [0.25, 0.75])
            figures = dict(zip(("lower quartile", "upper quartile"), quartiles, strict=True))
            paid = replays[name].paid[:, runs - 1].mean()
            rows.append({"search": name, "runs": runs} | row.to_dict() | figures | {"epochs": paid})
    return pd.DataFrame(rows)


def priced(replays: dict[str, Replays], cube: Cube, budget: int) -> pd.DataFrame:
    """What `judged` finds of the regret of each search for so many epochs, the least median first."""
    regrets = {name: those.regret_when_paid(cube, [budget])[:, 0] for name, those in replays.items()}
    known = {name: regret for name, regret in regrets.items() if not np.isnan(regret).any()}
    return judged(known).sort_values("median", kind="stable")


# --- what so many replays can tell ------------------------------------------------------------------------------------


def judged(regrets: Mapping[str, ndarray]) -> pd.DataFrame:
    """For each of several searches, given the regret of each replay: `median` and `nine in ten`, what nine in ten do
    not exceed, with the 95 % intervals of both, `..., from` and `..., to`; and whether it is `level` with the search
    of the least median: whether the interval of the difference, for all others at once, holds zero.

    Intervals hold the luck of replays alone, which share a table and its seeds: another table is not in them.
    """
    rows = {}
    first = min(regrets, key=lambda name: np.nanmedian(regrets[name]), default=None)
    for name, regret in regrets.items():
        row = {}
        for what, share in (("median", 0.5), ("nine in ten", 0.9)):
            low, high = quantile_interval(regret, share)
            row |= {what: np.nanquantile(regret, share), f"{what}, from": low, f"{what}, to": high}
        more = name != first and difference(regret, regrets[first], len(regrets) - 1)[0] > 0
        rows[name] = row | {"level": not more}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("search")


def quantile_interval(values: ndarray, share: float) -> tuple[float, float]:
    """The 95 % interval of a quantile, from the ranks between which it lies whatever the distribution (binomial)."""
    ranked = np.sort(values[~np.isnan(values)])
    low, high = stats.binom.ppf([0.025, 0.975], len(ranked), share).astype(int)
    return float(ranked[max(low - 1, 0)]), float(ranked[min(high, len(ranked) - 1)])


def difference(first: ndarray, second: ndarray, at_once: int = 1, resamples: int = 2000) -> tuple[float, float]:
    """The 95 % interval of how much larger the median of `first` is, by samples of both drawn with replacement; wider
    where it is to hold for several at once (Bonferroni)."""
    rng = np.random.default_rng(0)
    known = [values[~np.isnan(values)] for values in (first, second)]
    drawn = [np.median(rng.choice(values, (resamples, len(values))), axis=1) for values in known]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025 / at_once, 1 - 0.025 / at_once])
    return float(low), float(high)
