"""Every configuration of the search space, trained: a table with a row for each epoch of each training.

The space is that of sweeps/grid.yaml. Nothing in it depends on max_epochs but when to stop, so that a training of ten
epochs holds that of five. It is written after every slice, and a computation that was ended, however, goes on from it.
"""

from __future__ import annotations

import functools
import itertools
import lzma
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info

from common.files import write_whole
from common.machine import processor
from lab.search.space import Space, configuration, points
from lab.search.sweep import run_configurations
from lab.search.sweepfile import read
from lab.tracking import REPOSITORY, Record, runs_root

Config = dict[str, Any]

TABLE = REPOSITORY / "tables" / "every.csv.xz"
GRID = REPOSITORY / "sweeps" / "grid.yaml"
EPOCHS = 10
SEEDS = (0, 1, 2)  # of every configuration
MORE_SEEDS = (3, 4)  # of the best tenth
SLICE = 100  # trainings between two writings of the table
NAME = "every"  # of the folder of runs that a slice leaves
COUNTS = {"accuracy": 54_000, "validationaccuracy": 6_000}  # images of which an accuracy is a share
FIGURES = ("loss", "accuracy", "validationloss", "validationaccuracy", "seconds")  # of an epoch
DIGITS = "%.5g"  # rounding in float32 moves losses by more, and the shares can be told apart


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


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns=[*keys(), "seed", "epoch", *FIGURES, "status", "commit", "machine"])


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


def compute(
    path: Path = TABLE,
    slice_of: int = SLICE,
    slices: int | None = None,
    workers: int = 2,
    tell: Callable[[pd.DataFrame], object] = lambda table: None,
) -> None:
    """Train what the table lacks, until nothing is lacking or so many `slices` are done.

    The table is written after each slice, then given to `tell`, and what the slice's runs leave on disk is deleted.
    Raises SweepError if one of them fails.
    """
    os.environ["WANDB_MODE"] = "disabled"  # the table is the record
    table = load(path) if path.exists() else _empty()
    for _ in range(slices) if slices else itertools.count():
        # The next slice is chosen when the last is in the table: the best tenth shows only then.
        configs = list(itertools.islice(lacking(table), slice_of))
        if not configs:
            return
        records = run_configurations([config | {"max_epochs": EPOCHS} for config in configs], NAME, workers)
        table = pd.concat([table, rows(records)] if len(table) else [rows(records)])
        write(table, path)
        tell(table)
        for record in records:  # and no others, which an interrupted slice of another size may have left
            shutil.rmtree(runs_root() / NAME / record["name"])


def rows(records: Iterable[Record]) -> pd.DataFrame:
    """Rows of the table: one for each epoch, and one without figures for the epoch in which a training diverged."""
    found, names, made_on = [], keys(), machine()
    for record in records:
        run = {name: record["config"][name] for name in (*names, "seed")}
        run |= {"status": record["status"], "commit": record["commit"], "machine": made_on}
        history = list(record["history"])
        if record["status"] == "diverged":
            history.append({"epoch": len(history) + 1})
        found += [run | {name: epoch.get(name) for name in ("epoch", *FIGURES)} for epoch in history]
    return pd.DataFrame(found, columns=list(_empty()))


def machine() -> str:
    """What decides the rounding and the time of a training, besides the code."""
    names = ("numpy", "numba")
    products = [info["architecture"] for info in threadpool_info() if info.get("internal_api") == "openblas"]
    versions = [f"{name} {found}" for name in names if (found := _version(name))]
    facts = [processor(), *(f"OpenBLAS for {name}" for name in products[:1]), f"Python {platform.python_version()}"]
    return ", ".join([*facts, *versions])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write(table: pd.DataFrame, path: Path = TABLE) -> None:
    """Write the table whole or not at all, its rows in order, so that it is the same however it came about."""
    ordered = table.sort_values([*keys(), "seed", "epoch"], kind="stable").round({"seconds": 2})
    write_rows(ordered, path)


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as a compressed CSV file, which pandas reads as it is, whole or not at all."""
    text = rows.to_csv(index=False, lineterminator="\n", float_format=DIGITS)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lzma.compress(text.encode(), preset=1))  # ten times as fast as the default, and 13 % larger
