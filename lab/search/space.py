"""The parameters of a sweep: what values each may have, and how they are drawn, just as W&B draws them.

What Optuna searches natively, and exactly so, it searches natively. Of everything else it searches a number u from 0 to
1, uniformly, and the value is the u-th quantile: the inverse of the distribution function.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from lab.execution.notebook import Config

EXACT = 2**53  # the largest whole number up to which floating point has all of them
MANY = 10**5  # configurations
UNIT = FloatDistribution(0, 1)
OPEN = (2.0**-53, 1 - 2.0**-53)  # from 0 to 1 without its ends, whose quantiles may be infinite


@dataclass(frozen=True)
class Parameter:
    """One parameter: where it stands in a configuration, and what it may be.

    `distribution` is what Optuna searches, `value` makes of what Optuna has chosen what the notebook gets, `chosen` is
    the way back. `choices` holds all values in order, or is None if they are too many to be told apart. `examples`
    are values that show the type and the bounds of all.
    """

    path: tuple[str, ...]  # names, from the outermost; more than one if it is nested

    distribution: ClassVar[BaseDistribution]
    choices: ClassVar[Sequence[Any] | None] = None
    examples: ClassVar[Sequence[Any]]

    def value(self, chosen: Any) -> Any:
        return chosen

    def chosen(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Listed(Parameter):
    """One of several values, each as likely as the others."""

    values: tuple[Any, ...]

    @property
    def choices(self) -> Sequence[Any]:
        return self.values

    examples = choices

    @cached_property
    def distribution(self) -> CategoricalDistribution:
        return CategoricalDistribution(tuple(map(self.chosen, self.values)))

    @cached_property
    def _plain(self) -> bool:
        """Whether Optuna can tell the values apart, which knows no lists, and for which True is 1."""
        simple = all(isinstance(value, str | bool | int | float | None) for value in self.values)
        return simple and len(set(self.values)) == len(self.values)

    @cached_property
    def _by_text(self) -> dict[str, Any]:
        return {_text(value): value for value in self.values}

    def value(self, chosen: Any) -> Any:
        return chosen if self._plain else self._by_text[chosen]

    def chosen(self, value: Any) -> Any:
        return value if self._plain else _text(value)


@dataclass(frozen=True)
class Whole(Parameter):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def choices(self) -> Sequence[int]:
        return range(self.low, self.high + 1)

    @property
    def examples(self) -> Sequence[int]:
        return self.low, self.high

    @property
    def distribution(self) -> IntDistribution:
        return IntDistribution(self.low, self.high)


@dataclass(frozen=True)
class Real(Parameter):
    """Numbers from `low` to `high`, uniformly or, with `log`, uniformly in their logarithm."""

    low: float
    high: float
    log: bool = False

    @property
    def examples(self) -> Sequence[float]:
        return self.low, self.high

    @property
    def distribution(self) -> FloatDistribution:
        return FloatDistribution(self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Weighted(Parameter):
    """One of several values, with their probabilities, which are positive."""

    values: tuple[Any, ...]
    probabilities: tuple[float, ...]
    distribution: ClassVar[FloatDistribution] = UNIT

    @property
    def choices(self) -> Sequence[Any]:
        return self.values

    examples = choices

    @cached_property
    def _bounds(self) -> np.ndarray:
        return np.cumsum(self.probabilities)

    def value(self, chosen: float) -> Any:
        k = int(np.searchsorted(self._bounds, chosen, side="right"))
        return self.values[min(k, len(self.values) - 1)]  # rounding may leave the last bound below 1

    def chosen(self, value: Any) -> float:
        k = self.values.index(value)
        return float(self._bounds[k] - self.probabilities[k] / 2)


@dataclass(frozen=True)
class Drawn(Parameter):
    """Numbers of one of scipy's distributions, by its name and arguments; with `q`, rounded to multiples of it."""

    law: str
    arguments: tuple[float, ...]
    q: float | None = None
    distribution: ClassVar[FloatDistribution] = UNIT

    @cached_property
    def _law(self) -> Any:
        from scipy import stats  # here, since few sweeps need it

        return getattr(stats, self.law)(*self.arguments)

    def value(self, chosen: float) -> float:
        number = float(self._law.ppf(min(max(chosen, OPEN[0]), OPEN[1])))
        return number if self.q is None else self._multiple(np.round(number / self.q))

    def _multiple(self, k: float) -> float:
        return int(k) * int(self.q) if float(self.q).is_integer() else float(k * self.q)

    @cached_property
    def choices(self) -> Sequence[float] | None:
        if self.q is None:
            return None
        first, last = (round(self.value(u) / self.q) for u in OPEN)
        return Steps(first, last - first + 1, self._multiple)

    @property
    def examples(self) -> Sequence[float]:
        return [self.value(u) for u in (0, 0.5, 1)]

    def chosen(self, value: float) -> float:
        edges = (value, value) if self.q is None else (value - self.q / 2, value + self.q / 2)
        return float(np.mean(self._law.cdf(edges)))


@dataclass(frozen=True)
class Stepped(Parameter):
    """`start`, `start + step`, ... , `count` numbers in all."""

    start: float
    step: float
    count: int

    @property
    def choices(self) -> Sequence[float]:
        return Steps(0, self.count, self.value)

    @property
    def examples(self) -> Sequence[float]:
        return self.choices[0], self.choices[-1]

    @property
    def distribution(self) -> IntDistribution:
        return IntDistribution(0, self.count - 1)

    def value(self, chosen: int) -> float:
        return self.start + chosen * self.step

    def chosen(self, value: float) -> int:
        return round((value - self.start) / self.step)


@dataclass(frozen=True)
class Steps(Sequence):
    """A function's values at `length` whole numbers from `first` on, computed when they are asked for."""

    first: int
    length: int
    function: Any

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, k: int) -> Any:
        if not -self.length <= k < self.length:
            raise IndexError(k)
        return self.function(self.first + k % self.length)


Space = Mapping[str, Parameter]


def size(space: Space) -> float:
    """The number of different configurations; infinite if a parameter is continuous."""
    return math.prod(math.inf if p.choices is None else len(p.choices) for p in space.values())


def few(space: Space) -> bool:
    """Whether all configurations can be gone through, none being so unlikely that it is never drawn."""
    return size(space) <= MANY and not any(isinstance(parameter, Drawn) for parameter in space.values())


def points(space: Space) -> Iterator[Config]:
    """All configurations as Optuna would choose them, in W&B's order: by sorted names, the last changing fastest.

    One at a time, however many they are.
    """
    ordered = sorted(space.items(), key=lambda item: item[1].path)
    for number in range(int(size(space))):
        point: Config = {}
        for name, parameter in reversed(ordered):
            number, k = divmod(number, len(parameter.choices))
            point[name] = parameter.chosen(parameter.choices[k])
        yield {name: point[name] for name in space}


def configuration(space: Space, chosen: Config) -> Config:
    """What the notebook gets for what Optuna has chosen: values, nested ones in dictionaries."""
    config: Config = {}
    for name, choice in chosen.items():
        *outer, inner = space[name].path
        inside = config
        for key in outer:
            inside = inside.setdefault(key, {})
        inside[inner] = space[name].value(choice)
    return config


def _text(value: Any) -> str:
    """JSON of a value: equal for equal ones alone (1 is 1.0, and not true)."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True)
