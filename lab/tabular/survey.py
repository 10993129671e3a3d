"""What there is in the table: how far it is, how good it gets, what the good ones share, and what learns nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from lab.tabular import cube as cubes
from lab.tabular import table as tabular
from lab.tabular.cube import LEARNT, Cube, axes, configuration, stops
from lab.tabular.luck import levelled, repeated, top

NEAR = 0.005  # of the best: half a point
FAR = 0.05  # a value with which nothing comes so near is not worth searching
Z = 1.96  # standard errors that hold 95 %


def progress(table: pd.DataFrame) -> pd.DataFrame:
    """For each seed: how many trainings there are, how many should be, how many diverged, and the hours that they took,
    which other work on the machine makes longer."""
    every, tenth = len(tabular.trainings()), len(tabular.trainings()) // 10
    runs = table.groupby([*tabular.keys(), "seed"], sort=False)
    each = runs.agg(seconds=("seconds", "sum"), status=("status", "first")).reset_index()
    rows = each.groupby("seed").agg(
        trainings=("status", "size"),
        diverged=("status", lambda column: (column == "diverged").sum()),
        hours=("seconds", lambda column: column.sum() / 3600),
    )
    rows.insert(1, "planned", [every if seed in tabular.SEEDS else tenth for seed in rows.index])
    return rows


def usable(cube: Cube) -> Cube:
    """The seeds of every configuration that are complete; the first alone, if it is not."""
    whole = [seed for seed in cube.seeds if seed in tabular.SEEDS and cube.only([seed]).complete]
    return cube.only(whole or cube.seeds[:1])


def state(cube: Cube) -> str:
    """A sentence on what of the space is there."""
    seeds, trainings, every = len(cube.seeds), int(cube.there.sum()) // len(stops()), len(cube.there) // len(stops())
    if cube.complete:
        return f"All {len(cube.there):,} configurations are there, with {_count(seeds, 'seed')} each."
    error = 50 * Z * np.sqrt((1 - trainings / every) / max(trainings, 1))  # of a half, without replacement, in points
    return (
        f"{cube.there.sum():,} of {len(cube.there):,} configurations are there, with {_count(seeds, 'seed')} each. "
        f"Their {trainings:,} trainings were drawn at random from {every:,}: a share of them holds for the whole "
        f"within ± {error:.1f} points. The best of all may be better than the best of these. What needs all of them is "
        "left out, and says so."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def best(cube: Cube, every: Cube, count: int = 10) -> pd.DataFrame:
    """The best choices by mean accuracy, with their 95 % intervals, `low` to `high`, and how many seeds each has.

    `every` has all seeds, and those that only the best tenth has count; one that is not complete yet does not, or what
    happens to have it would be held against it. What some images are easier than others is taken out. The
    interval is that of the mean with the deviation from seed to seed that the best tenth has in common; with one seed,
    that of an accuracy on 6,000 images.
    """
    every = every.only([seed for seed in every.seeds if seed in cube.seeds or seed in tabular.MORE_SEEDS])
    scores = levelled(every, every_seed(every, top(cube)))
    scores[~cube.there] = np.nan
    seeds = (~np.isnan(scores)).sum(axis=1)
    means = np.where(seeds >= len(cube.seeds), _mean(scores), -np.inf)
    order = np.argsort(-means, kind="stable")[:count]
    spread = np.nanvar(scores[top(cube)], axis=1, ddof=1) if len(cube.seeds) > 1 else means[order] * (1 - means[order])
    images = 1 if len(cube.seeds) > 1 else tabular.COUNTS["validationaccuracy"]
    error = Z * np.sqrt(spread.mean() / images / seeds[order])
    figures = {"validationaccuracy": means[order], "low": means[order] - error, "high": means[order] + error}
    frame = pd.DataFrame(figures | {"seeds": seeds[order]})
    return frame.join(pd.DataFrame([configuration(choice) for choice in order]))


def every_seed(cube: Cube, among: ndarray) -> ndarray:
    """Those among some choices that have all seeds; all of them, if none has."""
    whole = among[cube.there[among]]
    return whole if len(whole) else among


def _mean(scores: ndarray) -> ndarray:
    filled = np.maximum((~np.isnan(scores)).sum(axis=1), 1)
    return np.nansum(scores, axis=1) / filled


def best_of_all(path: Path = tabular.TABLE) -> dict[str, dict[str, Any]]:
    """The best configuration of the whole space, by its mean over seeds, under the name `best of all`; none while the
    table is not complete."""
    every = cubes.cube(tabular.load(path)) if path.exists() else None
    if every is None or not usable(every).complete:
        return {}
    first = best(usable(every), every, 1).iloc[0]
    config = {name: values[values.index(first[name])] for name, values in axes().items()}
    return {"best of all": config | {"loss": "cross_entropy"}}


def rounding(runs: pd.DataFrame, path: Path = tabular.TABLE) -> ndarray:
    """By how many points runs of sweeps differ from those that the table has, as `luck.repeated`; without a table,
    none."""
    return repeated(usable(cubes.cube(tabular.load(path))), runs) if path.exists() else np.array([])


def near(cube: Cube, within: float = NEAR) -> ndarray:
    """The numbers of the choices that are there and worth nearly as much as the best."""
    return np.flatnonzero(cube.there & (cube.worth >= cube.worth[cube.best] - within))


def unlearnt(cube: Cube) -> ndarray:
    """The numbers of the choices that are there and have learnt nothing by their end; some would have, later."""
    return np.flatnonzero(cube.there & (cube.worth < LEARNT))


def shares(cube: Cube, among: ndarray) -> pd.DataFrame:
    """For each value of each parameter: its share `among` some choices, and its share of `all` that are there."""
    configs = {"among": among, "all": np.flatnonzero(cube.there)}
    columns = {name: pd.DataFrame([configuration(choice) for choice in some]) for name, some in configs.items()}
    rows = [
        {"parameter": name, "value": value}
        | {which: float((some[name] == value).mean()) for which, some in columns.items()}
        for name, values in axes().items()
        for value in values
    ]
    return pd.DataFrame(rows)


def common(table: pd.DataFrame, most: float = 0.9) -> str:
    """In words: the values that so many of some choices share, from a table of `shares`."""
    mostly = table[table["among"] >= most].sort_values("among", ascending=False, kind="stable")
    return ", ".join(f"{row.parameter} {row.value} ({row.among:.0%})" for row in mostly.itertuples())


def worth_searching(cube: Cube) -> tuple[ndarray, Mapping[str, tuple[Any, ...]]]:
    """`Cube.grids` without the values with which nothing is worth within FAR of the best, and what is left."""
    grids, left = cube.grids, dict(axes())
    grid = grids.mean(axis=0)
    floor = np.nanmax(grid) - FAR
    for axis, (name, values) in enumerate(axes().items()):
        others = tuple(k for k in range(grid.ndim) if k != axis)
        good = np.flatnonzero(np.nanmax(grid, axis=others) >= floor)
        grid, left[name] = np.take(grid, good, axis), tuple(values[k] for k in good)
        grids = np.take(grids, good, 1 + axis)
    return grids, left


def beside(importances: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Importances of the parameters, a column each, as shares of what all of them make; in the order of the first."""
    frame = pd.DataFrame({name: importance / importance.sum() for name, importance in importances.items()})
    first = frame.columns[0]
    return frame.sort_values(first, ascending=False, kind="stable").rename_axis("parameter")
