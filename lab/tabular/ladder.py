"""The ladder: from the best of the exercise to what fully connected layers can do, one ingredient after another.

`tables/ladder.yaml` has its rungs. Each is trained with several seeds, and so is the whole without each of them: the
table beside it holds what came of that, and `make far` goes on with what it lacks.

    python -m lab.tabular.ladder
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lab.execution.notebook import Config
from lab.tabular import growing
from lab.tabular.growing import Label
from lab.tracking import REPOSITORY

FILE = REPOSITORY / "tables" / "ladder.yaml"
TABLE = FILE.with_suffix(".csv.xz")
SEEDS = (0, 1, 2)
KEYS = ("part", "rung", "seed")
RUNG, WITHOUT = "with", "without"  # parts: all up to this rung, and all rungs but this one
NAME = "ladder"  # of the folder of runs
TIMEOUT = 4 * 3600  # seconds of one training


class Ladder:
    """What a file asks for: `start`, a configuration, and `rungs`, by name what each changes of those before it.

    Raises ValueError for a file that is none.
    """

    def __init__(self, path: Path = FILE) -> None:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.keys() != {"start", "rungs"}:
            raise ValueError(f"{path}: expected a configuration `start` and changes to it, `rungs`")
        self._changes = {"start": found["start"], **found["rungs"]}

    def rungs(self) -> dict[str, Config]:
        """The configuration of each rung, the first of them the start."""
        sums = itertools.accumulate(self._changes.values(), operator.or_)
        return dict(zip(self._changes, sums, strict=True))

    def without(self) -> dict[str, Config]:
        """The whole, but for what one rung changes, for each rung but the start."""
        names = list(self._changes)[1:]
        return {
            name: functools.reduce(operator.or_, [change for other, change in self._changes.items() if other != name])
            for name in names
        }

    def trainings(self) -> Iterator[tuple[Label, Config]]:
        """All of them: first every rung, then the whole without each; with the first seed, then with the next."""
        parts = {RUNG: self.rungs(), WITHOUT: self.without()}
        for part, seed in itertools.product(parts, SEEDS):
            for name, config in parts[part].items():
                yield {"part": part, "rung": name, "seed": seed}, config | {"seed": seed}

    def lacking(self, table: pd.DataFrame) -> Iterator[tuple[Label, Config]]:
        """The trainings that the table lacks."""
        there = set(table[[*KEYS]].drop_duplicates().itertuples(index=False, name=None))
        return (one for one in self.trainings() if tuple(one[0].values()) not in there)


def compute(path: Path = TABLE, ladder: Ladder | None = None, **how: Any) -> None:
    """Train what the table lacks, two at a time; `how` is for `growing.grow`."""
    ladder = ladder or Ladder()
    growing.grow(path, KEYS, ladder.lacking, NAME, 2, **{"timeout": TIMEOUT} | how)


if __name__ == "__main__":
    compute()
