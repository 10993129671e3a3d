"""The ladder: from the best of the exercise to what fully connected layers can do, one ingredient after another.

`tables/how_far.yaml` has its rungs. Each is trained with several seeds, and so is the whole without each of them, and
with one thing besides.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator
from pathlib import Path

import yaml

from lab.execution.notebook import Config
from lab.tracking import REPOSITORY

FILE = REPOSITORY / "tables" / "how_far.yaml"
SEEDS = (0, 1, 2)
START = "start"
KEYS = (START, "rungs", "besides")


class Ladder:
    """What a file asks for: `start`, a configuration, and by name what each of the `rungs` changes of those before it,
    and each thing `besides` of the whole.

    Raises ValueError for a file that is none.
    """

    def __init__(self, path: Path = FILE) -> None:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.keys() != set(KEYS):
            raise ValueError(f"{path}: expected a configuration and changes to it, under the keys {', '.join(KEYS)}")
        self._changes = {START: found[START], **found["rungs"]}
        self._besides = found["besides"]

    @property
    def start(self) -> Config:
        """A network of the exercise."""
        return dict(self._changes[START])

    def rungs(self) -> dict[str, Config]:
        """The configuration of each rung, the first of them the start, the last the whole."""
        sums = itertools.accumulate(self._changes.values(), operator.or_)
        return dict(zip(self._changes, sums, strict=True))

    def without(self) -> dict[str, Config]:
        """The whole, but for what one rung changes, for each rung but the start."""
        names = list(self._changes)[1:]
        return {
            name: functools.reduce(operator.or_, [change for other, change in self._changes.items() if other != name])
            for name in names
        }

    def besides(self) -> dict[str, Config]:
        """The whole and one thing besides."""
        *_, whole = self.rungs().values()
        return {name: whole | change for name, change in self._besides.items()}

    def trainings(self) -> Iterator[Config]:
        """All of them: first every rung, then the whole without each, and with what is besides, seed by seed."""
        parts = [*self.rungs().values()], [*self.without().values(), *self.besides().values()]
        for part, seed in itertools.product(parts, SEEDS):
            yield from (config | {"seed": seed} for config in part)
