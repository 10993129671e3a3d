"""Scouting: the recipes of two sweeps, first of short trainings, then of long ones, the best of which is the winner.

What a sweep's file asks for is trained as `python sweep.py run` would, and kept in the table of recipes. Both choose
without a look at results, so that a file alone says what they run.
"""

from __future__ import annotations

from pathlib import Path

import optuna
import pandas as pd

from lab.execution.notebook import Config
from lab.far import records
from lab.search.choosing import Search
from lab.search.sweepfile import read
from lab.tracking import REPOSITORY

SHORT, LONG = (REPOSITORY / "sweeps" / f"{name}.yaml" for name in ("how_far", "how_far_long"))


def recipes(path: Path) -> list[Config]:
    """The configurations of a sweep's file, in the order in which they run; the seed is 0 where it names none.

    Raises ValueError for one that learns from results.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep = read(path)
    if sweep.method == "bayes":
        raise ValueError(f"{path}: method bayes learns from results; expected random or grid")
    search = Search(sweep.space, sweep.method, sweep.goal)
    return [{"seed": 0} | search.ask() for _ in range(int(min(sweep.run_cap or sweep.size, sweep.size)))]


def winner(table: pd.DataFrame, path: Path = LONG) -> Config | None:
    """The recipe that is best by the mean over its seeds of the validation accuracy in the end, without a seed; None
    until all of the sweep is in the table. So the rule by which it is chosen is older than any of its results."""
    asked, ends = recipes(path), records.ends(table)["accuracy"]
    names = list(map(records.key, asked))
    if not set(names) <= set(ends.index):
        return None
    each = pd.DataFrame({"recipe": [records.key(bare(config)) for config in asked], "accuracy": ends[names].tolist()})
    best = each.groupby("recipe", sort=False)["accuracy"].mean().idxmax()
    return next(bare(config) for config in asked if records.key(bare(config)) == best)


def bare(config: Config) -> Config:
    """A configuration without its seed."""
    return {name: value for name, value in config.items() if name != "seed"}
