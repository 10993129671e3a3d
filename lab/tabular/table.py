"""Every configuration of the search space, trained: a table with a row for each epoch of each training.

The space is that of sweeps/grid.yaml. Nothing in it depends on max_epochs but when to stop, so that a training of ten
epochs holds that of five. It is written after every slice, and a computation that was ended, however, goes on from it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab.execution.notebook import Config
from lab.search.space import Space, configuration, points
from lab.search.sweepfile import read
from lab.tabular import growing
from lab.tabular.growing import Label
from lab.tracking import REPOSITORY, Record

TABLE = REPOSITORY / "tables" / "every.csv.xz"
GRID = REPOSITORY / "sweeps" / "grid.yaml"
EPOCHS = 10
SEEDS = (0, 1, 2)  # of every configuration
MORE_SEEDS = (3, 4)  # of the best tenth
SLICE = 100  # trainings between two writings of the table
NAME = "every"  # of the folder of runs that a slice leaves
COUNTS = {"accuracy": 54_000, "validationaccuracy": 6_000}  # images of which an accuracy is a share


@functools.cache
def space() -> Space:
    """The space of the grid's file."""
    return read(GRID).space


def choices() -> dict[str, tuple[Any, ...]]:
    """The parameters that tell one training from another, without the seed, and the values of each."""
    return {name: tuple(parameter.choices) for name, parameter in space().items() if name != "max_epochs"}


def keys() -> list[str]:
    """The names of these parameters."""
    return list(choices())


def trainings() -> list[Config]:
    """The configurations of the space without max_epochs, in the order of a grid."""
    varied = {name: parameter for name, parameter in space().items() if name != "max_epochs"}
    return [configuration(varied, point) for point in points(varied)]


# --- reading ----------------------------------------------------------------------------------------------------------


def load(path: str | Path = TABLE) -> pd.DataFrame:
    """The table: a row for each epoch, as the data sheet beside it says; accuracies are exact shares again.

    Raises FileNotFoundError where there is none.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no table in {path}: `make every` computes it")
    table = pd.read_csv(path)
    for name, images in COUNTS.items():
        table[name] = (table[name] * images).round() / images
    return table


def _whole_runs(table: pd.DataFrame) -> set[tuple[Any, ...]]:
    return set(table[[*keys(), "seed"]].drop_duplicates().itertuples(index=False, name=None))


# --- computing --------------------------------------------------------------------------------------------------------


def lacking(table: pd.DataFrame) -> Iterator[Config]:
    """The trainings that the table lacks, with their seeds, in an order drawn at random, the same for every seed.

    So a table that is not complete is a sample of the space. The best tenth is known once `SEEDS` are complete.
    """
    everything, there = trainings(), _whole_runs(table)
    order = np.random.default_rng(0).permutation(len(everything))
    first = [everything[k] | {"seed": seed} for seed in SEEDS for k in order]
    if missing := [config for config in first if tuple(config.values()) not in there]:
        yield from missing
        return
    for seed, config in itertools.product(MORE_SEEDS, best(table, len(everything) // 10)):
        if (*config.values(), seed) not in there:
            yield config | {"seed": seed}


def best(table: pd.DataFrame, count: int) -> list[Config]:
    """So many configurations, best first, by the mean over `SEEDS` of the last epoch's validation accuracy."""
    last = table[(table["epoch"] == EPOCHS) & table["seed"].isin(SEEDS)]
    means = last.groupby(keys(), sort=False)["validationaccuracy"].mean()
    names = means.sort_values(ascending=False, kind="stable").index[:count]
    return [dict(zip(keys(), values, strict=True)) for values in names]


def compute(path: Path = TABLE, slice_of: int = SLICE, **how: Any) -> None:
    """Train what the table lacks; `how` is for `growing.grow`."""

    def wanted(table: pd.DataFrame) -> Iterator[tuple[Label, Config]]:
        return ((config, config | {"max_epochs": EPOCHS}) for config in lacking(table))

    growing.grow(path, [*keys(), "seed"], wanted, NAME, slice_of, **how)


def rows(records: Sequence[Record]) -> pd.DataFrame:
    """Rows of the table, of records of its trainings."""
    return growing.rows([{name: record["config"][name] for name in (*keys(), "seed")} for record in records], records)


def write(table: pd.DataFrame, path: Path = TABLE) -> None:
    """Write the table whole or not at all, its rows in order."""
    growing.write(table, [*keys(), "seed"], path)
