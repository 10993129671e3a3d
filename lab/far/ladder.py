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
from lab.far import records
from lab.tracking import REPOSITORY

FILE = REPOSITORY / "tables" / "how_far.yaml"
SEEDS = (0, 1, 2)
START, WHOLE = "start", "the whole"
KEYS = (START, "rungs", "besides")


class Ladder:
    """What a file asks for: `start`, a configuration, and by name what each of the `rungs` changes of those before it,
    and each thing `besides` of the whole.

    Raises ValueError for a file that is none.
    """

    def __init__(self, path: Path = FILE) -> None:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.keys() != set(KEYS):
            raise ValueError(f"{path}: expected a configuration and changes to it, under the keys {', '.join(KEYS)}")
        self._changes = {START: content[START], **content["rungs"]}
        self._besides = content["besides"]

    @property
    def start(self) -> Config:
        """A network of the exercise."""
        return dict(self._changes[START])

    def sets(self) -> dict[str, str]:
        """In words, what the start, each rung, and each thing besides sets."""
        return {
            name: ", ".join(f"{key} {records.plain(value)}" for key, value in change.items())
            for name, change in (self._changes | self._besides).items()
        }

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

    def changes(self) -> dict[str, Config]:
        """The whole, and what it is compared with: without each rung, and with each thing besides."""
        *_, whole = self.rungs().values()
        without = {f"without {name}": config for name, config in self.without().items()}
        return {WHOLE: whole} | without | {f"with {name}": config for name, config in self.besides().items()}

    def trainings(self) -> Iterator[Config]:
        """All of them: first every rung, then the whole and what it is compared with, seed by seed."""
        for part, seed in itertools.product((self.rungs(), self.changes()), SEEDS):
            yield from (config | {"seed": seed} for config in part.values())
