"""The table as an array: validation accuracies by training, seed and epoch, and what each configuration is worth.

A training is a configuration without max_epochs. A *choice* is one of the whole space, max_epochs included: number
2 k is training k stopped after 5 epochs, 2 k + 1 the same after 10, in the order of `table.trainings`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from lab.tabular import table as tabular

LEARNT = 0.2  # twice what guessing is right: a configuration that stays below has not learnt


@dataclass(frozen=True)
class Cube:
    """What a table says, for arithmetic; NaN for a training that it lacks.

    `accuracy` is (trainings, seeds, epochs), validation accuracies as fractions; what diverged has the lowest of all
    from then on, as the worst that can happen.
    """

    accuracy: ndarray
    seeds: tuple[int, ...]

    @cached_property
    def scores(self) -> ndarray:
        """The accuracy of each choice with each seed, (choices, seeds)."""
        ends = self.accuracy[:, :, np.subtract(stops(), 1)]  # (trainings, seeds, 2)
        return ends.transpose(0, 2, 1).reshape(-1, len(self.seeds))

    @cached_property
    def there(self) -> ndarray:
        """Which choices have all seeds, (choices,)."""
        return ~np.isnan(self.scores).any(axis=1)

    @cached_property
    def worth(self) -> ndarray:
        """The mean over seeds of each choice, (choices,); NaN unless all are there."""
        return self.scores.mean(axis=1)

    @property
    def complete(self) -> bool:
        return bool(self.there.all())

    @cached_property
    def best(self) -> int:
        """The choice with the highest worth."""
        return int(np.nanargmax(self.worth))

    @property
    def grids(self) -> ndarray:
        """The accuracy with each seed as a full factorial, (seeds, ...), an axis for each of `axes()`."""
        return self.scores.T.reshape(-1, *shape())

    def curve(self, choice: int, seed: int) -> list[float]:
        """The accuracy of a choice after each of its epochs, with the seed of this place."""
        return self.accuracy[choice // len(stops()), seed, : stops()[choice % len(stops())]].tolist()

    def only(self, seeds: Sequence[int]) -> Cube:
        """The same of some of the seeds."""
        return Cube(self.accuracy[:, [self.seeds.index(seed) for seed in seeds]], tuple(seeds))


def cube(table: pd.DataFrame) -> Cube:
    """The array of a table as `table.load` returns it."""
    axes = axes_of_trainings()
    codes = [pd.Categorical(table[name], categories=values).codes for name, values in axes.items()]
    training = np.ravel_multi_index(codes, [len(values) for values in axes.values()])
    seeds, seed = np.unique(table["seed"].to_numpy(dtype=int), return_inverse=True)
    epoch, values = table["epoch"].to_numpy(dtype=int) - 1, table["validationaccuracy"].to_numpy(dtype=float)
    accuracy = np.full((math.prod(len(values) for values in axes.values()), len(seeds), tabular.EPOCHS), np.nan)
    accuracy[training, seed, epoch] = values
    for row in np.flatnonzero(np.isnan(values)):
        accuracy[training[row], seed[row], epoch[row] :] = np.nanmin(values)
    return Cube(accuracy, tuple(seeds.tolist()))


def axes_of_trainings() -> dict[str, tuple[Any, ...]]:
    """The parameters of a training and their values, in the order of `table.trainings`: by name, the last fastest."""
    return dict(sorted(tabular.choices().items()))


def stops() -> tuple[int, ...]:
    """The values of max_epochs, ascending."""
    return tuple(sorted(tabular.space()["max_epochs"].choices))


def axes() -> dict[str, tuple[Any, ...]]:
    """The parameters of a choice and their values: an axis each of `Cube.grids`."""
    return axes_of_trainings() | {"max_epochs": stops()}


def shape() -> tuple[int, ...]:
    """How many values each of `axes()` has."""
    return tuple(map(len, axes().values()))


def number(config: Mapping[str, Any]) -> int:
    """The number of a choice by its configuration, which may say more; ValueError for a value that no choice has."""
    places = [values.index(config[name]) for name, values in axes().items()]
    return int(np.ravel_multi_index(places, shape()))


def configuration(choice: int) -> dict[str, Any]:
    """The configuration of a choice by its number."""
    places = np.unravel_index(choice, shape())
    return {name: values[k] for (name, values), k in zip(axes().items(), places, strict=True)}
