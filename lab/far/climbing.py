"""`make far`: trains what the table of recipes lacks, two at a time, and goes on from it however it ended.

    python -m lab.far.climbing

First the short sweep, then the ladder, then the long sweep; last, on all training images, the start of the ladder and
the best of the long sweep, the winner.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from lab.execution.notebook import Config
from lab.far import final, records, scouting
from lab.far.ladder import Ladder
from lab.tabular import growing
from lab.tabular.growing import Label
from lab.tracking import runs_root

NAME = "far"  # of the folder of runs
WEIGHTS = "how_far_{seed}.npz"  # of the winner, in the folder of all runs
EVERYTHING = {"validation_fraction": 0}  # is set aside: trained on all training images
SEEDS = (1, 2, 3, 4, 5)  # of what is, as in chapter 5
TIMEOUT = 4 * 3600  # seconds of one training


def plan(table: pd.DataFrame) -> dict[str, list[Config]]:
    """All that can be asked for as yet, by its part of the plan, in the order in which it is to be trained; the winner
    is known once the long sweep is in the table."""
    finals = filter(None, (Ladder().start, scouting.winner(table)))
    return {
        "short sweep": scouting.recipes(scouting.SHORT),
        "ladder": list(Ladder().trainings()),
        "long sweep": scouting.recipes(scouting.LONG),
        "on everything": [one | EVERYTHING | {"seed": seed} for one in finals for seed in SEEDS],
    }


def finalist(config: Config) -> tuple[str, Config] | None:
    """Who a configuration is that trains on everything, and its recipe; None for one that does not."""
    if not config.items() >= EVERYTHING.items():
        return None
    recipe = {name: value for name, value in config.items() if name not in ("seed", *EVERYTHING)}
    return final.START if recipe == Ladder().start else final.WINNER, recipe


def lacking(table: pd.DataFrame) -> Iterator[tuple[Label, Config]]:
    """What the table lacks, each configuration once. Raises ValueError where a winner comes that another was before."""
    there = set(table["config"])
    for config in itertools.chain(*plan(table).values()):
        name = records.key(config)
        if name not in there:
            if one := finalist(config):
                final.refuse_another(*one, final.FILE)  # now, and not after an hour of training
            there.add(name)
            yield {"config": name}, config


def keep(config: Config, folder: Path) -> None:
    """Before the folder of a run goes: what was trained on everything sees the test images, and a winner's weights
    stay."""
    one, weights = finalist(config), folder / "weights.npz"
    if not one or not weights.exists():  # it diverged
        return
    final.read(*one, config["seed"], weights, final.FILE)
    if one[0] == final.WINNER:
        shutil.copy(weights, runs_root() / WEIGHTS.format(seed=config["seed"]))


def compute(path: Path = records.TABLE, **how: Any) -> None:
    """Train what the table lacks; `how` is for `growing.grow`."""
    growing.grow(path, records.KEYS, lacking, NAME, 2, keep=keep, **{"timeout": TIMEOUT} | how)


if __name__ == "__main__":
    compute()
