"""What one seed on 6,000 images is worth, and what a confirmation with further seeds makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats

from lab.evaluation.scores import wilson_interval
from lab.tabular.cube import LEARNT, Cube, axes, number
from lab.tabular.replays import Replays, epochs_of, judged

CLOSE = 0.2  # percentage points from the best that a choice may lie
OFTEN = 0.9


def levelled(cube: Cube, among: ndarray) -> ndarray:
    """The scores (choices, seeds), with what a seed's validation images are easier or harder, on average `among` some
    choices, taken out."""
    levels = cube.scores[among].mean(axis=0)
    return cube.scores - (levels - levels.mean())


def levels(cube: Cube, among: ndarray) -> float:
    """By how many points the images of the easiest seed are easier than those of the hardest, on average `among` some
    choices: what seeds move for all alike."""
    return 100 * float(np.ptp(cube.scores[among].mean(axis=0)))


def elsewhere(cube: Cube) -> float:
    """What the best by all seeds but one is right for with that one, which had no part in the choice: the mean over
    the seeds, of two or more. It does not flatter, as the mean by which a best was chosen does."""
    scores = np.where(cube.there[:, None], levelled(cube, top(cube)), -np.inf)
    left = [scores[np.delete(scores, k, axis=1).mean(axis=1).argmax(), k] for k in range(len(cube.seeds))]
    return float(np.mean(left))


def top(cube: Cube, share: float = 0.1) -> ndarray:
    """The numbers of the best choices by worth, best first: such a share of those that are there."""
    count = max(2, round(share * cube.there.sum()))
    return np.argsort(-np.where(cube.there, cube.worth, -np.inf), kind="stable")[:count]


def agreement(cube: Cube, among: ndarray) -> float:
    """Spearman's rank correlation between two seeds, the mean over all pairs; NaN with one seed."""
    columns = cube.scores[among].T
    pairs = [stats.spearmanr(a, b).statistic for k, a in enumerate(columns) for b in columns[:k]]
    return float(np.mean(pairs)) if pairs else float("nan")


def best_elsewhere(cube: Cube, pair: tuple[int, int], share: float = 0.1) -> ndarray:
    """The numbers of the best choices by the mean over all seeds but two; by these, if there are no others.

    Among the best by a mean that a seed is part of, it agrees with others too little: where one of them was low, the
    other had to be high for the mean to be among the best.
    """
    others = [k for k in range(len(cube.seeds)) if k not in pair]
    return top(Cube(cube.accuracy[:, others], tuple(others)) if others else cube, share)


def agreement_of_the_best(cube: Cube) -> float:
    """As `agreement`, for each pair of seeds among what is best by the others; NaN with fewer than three seeds."""
    pairs = [(a, b) for b in range(len(cube.seeds)) for a in range(b)] if len(cube.seeds) > 2 else []
    correlations = [stats.spearmanr(*cube.scores[best_elsewhere(cube, pair)][:, pair].T).statistic for pair in pairs]
    return float(np.mean(correlations)) if correlations else float("nan")


def deviation(cube: Cube, among: ndarray) -> float:
    """The standard deviation of a choice's accuracy from seed to seed, in percentage points, pooled `among` some."""
    return 100 * float(np.sqrt(levelled(cube, among)[among].var(axis=1, ddof=1).mean()))


def winners(cube: Cube) -> pd.DataFrame:
    """For each seed: the choice that wins by it, its `place` by the mean over the other seeds, and by how many points
    its accuracy `flatters`, which is what it loses there, what the other images are worth for all taken out."""
    rows, best = [], top(cube)
    scores = np.where(cube.there[:, None], levelled(cube, best), -np.inf)
    for k, seed in enumerate(cube.seeds):
        others = np.delete(scores, k, axis=1).mean(axis=1)
        winner = int(scores[:, k].argmax())
        place = 1 + int((others > others[winner]).sum())
        flatters = 100 * (scores[winner, k] - others[winner])
        rows.append({"seed": seed, "choice": winner, "place": place, "flatters": flatters})
    return pd.DataFrame(rows)


def repeated(cube: Cube, runs: pd.DataFrame) -> ndarray:
    """By how many points runs differ from those that the table has of the same configuration and seed, (runs,).

    `runs` has a column for each of `axes()`, seed and validationaccuracy, as a sweep's table; left out is what the
    table lacks, what has no accuracy, what learns nothing, and what has a `limit` of images.
    """
    differences = []
    for run in runs.to_dict("records"):
        inside = run.get("seed") in cube.seeds and all(run.get(name) in values for name, values in axes().items())
        if inside and pd.isna(run.get("limit")):
            there = cube.scores[number(run), cube.seeds.index(run["seed"])]
            differences += [100 * (run["validationaccuracy"] - there)] if there >= LEARNT else []
    known = np.array(differences, dtype=float)
    return known[~np.isnan(known)]


def flattery(cube: Cube, replays: Replays, runs: int) -> float:
    """By how many points the accuracy that a search of so many runs reports exceeds the mean of its choice over other
    seeds, on average."""
    seen, unseen = _seen_and_unseen(cube, replays, replays.chosen[:, runs - 1])
    return 100 * float((seen - unseen).mean())


def among_the_best(cube: Cube, replays: Replays, runs: int, best: int = 10) -> float:
    """How often what a search of so many runs names is among the best ten, by worth, of all that it ran."""
    worth = cube.worth[replays.drawn[:, :runs]]
    named = cube.worth[replays.chosen[:, runs - 1]]
    return float(((worth > named[:, None]).sum(axis=1) < best).mean())


def residuals(cube: Cube, among: ndarray) -> ndarray:
    """What seeds add to the worth of choices, at the size that the noise of one seed has, as fractions."""
    scores = levelled(cube, among)[among]
    seeds = len(cube.seeds)
    return (scores - scores.mean(axis=1, keepdims=True)).ravel() * np.sqrt(seeds / (seeds - 1))


def confirmed(cube: Cube, replays: Replays, budget: int, best: int, seeds: int, rng: np.random.Generator) -> ndarray:
    """The choices that searches of so many epochs name after a confirmation, (replays,).

    Of the runs of a search that went to their end, the `best` by its own seed are trained with further seeds, until
    each has `seeds`, and the mean over all of them decides. What a further seed adds is drawn from what seeds add to
    the best tenth of the table. It is of no use for successive halving, where what a run paid for is not known.
    """
    tenth = top(cube)
    ended = (np.diff(replays.paid, prepend=0) == epochs_of(replays.drawn)) & (replays.paid <= budget)
    first = np.where(ended, levelled(cube, tenth)[replays.drawn, replays.seeds[:, None]], -np.inf)
    places = np.argsort(-first, axis=1, kind="stable")[:, :best]
    candidates, own = (np.take_along_axis(values, places, 1) for values in (replays.drawn, first))
    further = rng.choice(residuals(cube, tenth), (*candidates.shape, seeds - 1))
    means = (own + (cube.worth[candidates][:, :, None] + further).sum(axis=2)) / seeds
    return np.take_along_axis(candidates, means.argmax(axis=1)[:, None], 1)[:, 0]


def confirmations(
    cube: Cube, replays: Replays, budget: int, bests: Sequence[int], seeds: Sequence[int]
) -> pd.DataFrame:
    """For each number of candidates and of seeds: further runs, how often the choice is `close`, and regret.

    Close is within CLOSE points of the best that the search ran in so many epochs; `low` to `high` is the 95 % interval
    of how often (Wilson), from the number of replays. Nine in ten do not exceed the regret `nine in ten`.
    """
    rows = []
    most = np.where(replays.paid <= budget, cube.worth[replays.drawn], -np.inf).max(axis=1)
    for best, count in ((best, count) for best in bests for count in seeds):
        named = confirmed(cube, replays, budget, best, count, np.random.default_rng((best, count)))
        regret = 100 * (most - cube.worth[named])
        figures = {
            "close": (regret <= CLOSE).mean(),
            **dict(zip(("low", "high"), wilson_interval((regret <= CLOSE).mean(), len(regret)), strict=True)),
            "median": np.median(regret),
            "nine in ten": np.quantile(regret, OFTEN),
        }
        rows.append({"best": best, "seeds": count, "further runs": best * (count - 1)} | figures)
    return pd.DataFrame(rows)


def enough(table: pd.DataFrame) -> pd.Series | None:
    """The row of `confirmations` with the fewest further runs that is close nine times in ten by the lower end of its
    interval, since the first of many to pass by its mean would be a lucky one; None without one."""
    rows = table[table["low"] >= OFTEN].sort_values(["further runs", "best"], kind="stable")
    return rows.iloc[0] if len(rows) else None


def plans(cube: Cube, replays: Mapping[str, Replays], budget: int, asked: tuple[int, int]) -> pd.DataFrame:
    """For each search: its `runs` in so many epochs (median), and the regret of what it then names by its one seed, and
    after a confirmation of so many candidates by so many seeds, in points: the median, and what nine in ten do not
    exceed. `from` and `to`, the interval of the median after a confirmation, and `level` are those of
    `replays.judged`. `one seed, fair` is `fairly`'s; there is none of a confirmation, whose draws rest on all seeds."""
    rows, regrets = {}, {}
    for name, those in replays.items():
        first = confirmed(cube, those, budget, 1, 1, np.random.default_rng(0))  # by its own seed
        after = confirmed(cube, those, budget, *asked, np.random.default_rng(asked))
        row = {"runs": np.median((those.paid <= budget).sum(axis=1)), "one seed, fair": fairly(cube, those, first)}
        for way, named in (("one seed", first), ("confirmed", after)):
            regret = 100 * (cube.worth[cube.best] - cube.worth[named])
            row |= {f"{way}, median": np.median(regret), f"{way}, nine in ten": np.quantile(regret, OFTEN)}
        rows[name], regrets[name] = row, regret
    intervals = judged(regrets).rename(columns={"median, from": "from", "median, to": "to"})
    return pd.DataFrame.from_dict(rows, orient="index").join(intervals[["from", "to", "level"]]).rename_axis("search")


def fairly(cube: Cube, replays: Replays, named: ndarray) -> float:
    """The mean regret by seeds that had no part: of what searches name by the seeds that they did not see, and beside
    it, instead of the luckiest of all, `elsewhere`, the best by all seeds but one by that one. In points."""
    _, unseen = _seen_and_unseen(cube, replays, named)
    return 100 * float(elsewhere(cube) - unseen.mean())


def _seen_and_unseen(cube: Cube, replays: Replays, named: ndarray) -> tuple[ndarray, ndarray]:
    """The accuracy of what each search names by the seed that it saw, and the mean over the others, (replays,) each."""
    scores = levelled(cube, top(cube))[named]
    seen = scores[np.arange(len(named)), replays.seeds]
    return seen, (scores.sum(axis=1) - seen) / (len(cube.seeds) - 1)
