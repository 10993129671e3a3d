"""What the runs of a sweep look like side by side: one computation for the still figure and the interactive one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

METRIC = "validationaccuracy"
FEW = 8  # so many different numbers stand side by side; more are a scale


@dataclass(frozen=True)
class Metric:
    """What a sweep seeks, under the name that its table has for it, and which way is better."""

    name: str = METRIC
    goal: str = "maximize"

    @property
    def percent(self) -> bool:
        """Whether it is a share from 0 to 1, to be shown in per cent."""
        return self.name.endswith("accuracy")

    @property
    def rises(self) -> bool:
        """Whether it is a share of which more is better, as sentences on shares of right answers take it."""
        return self.percent and self.goal == "maximize"

    @property
    def factor(self) -> int:
        return 100 if self.percent else 1

    @property
    def words(self) -> str:
        """As in running text: validation loss."""
        return re.sub("^train(?=(loss|accuracy)$)", "training ", re.sub("^validation(?=.)", "validation ", self.name))

    @property
    def label(self) -> str:
        """As on an axis, with its unit."""
        return f"{self.words} (%)" if self.percent else self.words

    @property
    def short(self) -> str:
        """As at the head of a column among those of parameters."""
        return "accuracy" if self.name == METRIC else self.name

    @property
    def best(self) -> str:
        """What pandas calls the best of many."""
        return "min" if self.goal == "minimize" else "max"

    def text(self, value: float) -> str:
        return f"{value:.2%}" if self.percent else f"{value:.4g}"

    def said(self, value: float) -> str:
        """The predicate of a sentence on a run."""
        if self.name == METRIC:
            return f"is right for {self.text(value)} of the validation images"
        return f"has a {self.words} of {self.text(value)}"

    def filled(self, values: pd.Series) -> pd.Series:
        """The values, a run without one as the worst: a share of 0, or the worst of the others."""
        worst = values.max() if self.goal == "minimize" else 0.0 if self.percent else values.min()
        return values.fillna(worst)

    def bound(self, values: pd.Series, share: float) -> str:
        """What this share of the values is worse than: below 42.3 %, or above 0.51."""
        if self.goal == "minimize":
            return f"above {self.text(values.quantile(1 - share))}"
        return f"below {self.text(values.quantile(share))}"


def beside(metric: str) -> tuple[Metric, Metric]:
    """What learning curves show of runs that seek a metric: it, and of validation accuracy and loss the other one."""
    first, second, *_ = dict.fromkeys((metric, METRIC, "validationloss"))
    return Metric(first), Metric(second)


class Axis(NamedTuple):
    """A parameter, or the metric, of all runs."""

    name: str
    heights: np.ndarray  # (runs,) from 0 to 1, NaN where the run has no value
    texts: list[str]  # each run's value
    ticks: list[tuple[str, float]]  # label, height
    parts: list[tuple[float, float, str]]  # from, to, what lies between: what a keyboard chooses, or a bin


class Coordinates(NamedTuple):
    """The runs of a table, the worst first; those without the metric before all others."""

    order: np.ndarray  # (runs,) rows of the table
    values: list[str]  # the metric of each run
    shades: np.ndarray  # (runs,) 1 for the best, 0 for the median and below
    axes: list[Axis]  # the parameters, then the metric


class Scale:
    """How a metric is drawn, in per cent where it is an accuracy: from a floor, below which all runs are alike.

    A run without the metric, NaN, counts as the worst. The floor is as far below the median of the others as the best
    lies above.
    """

    def __init__(self, table: pd.DataFrame, metric: str = METRIC, goal: str = "maximize") -> None:
        self.metric = Metric(metric, goal)
        self.percent = self.metric.percent
        self.name = f"{self.metric.short} (%)" if self.percent else self.metric.words
        self.values = self.metric.factor * table[metric].to_numpy(dtype=float)
        if np.isnan(self.values).all():
            raise ValueError(f"none of the {len(table)} runs in the table has a {metric}: nothing to draw")
        sign = -1.0 if goal == "minimize" else 1.0
        merit = np.nan_to_num(sign * self.values, nan=-np.inf)
        self.order = np.argsort(merit, kind="stable")
        self.best = sign * merit.max()
        middle = np.median(merit[np.isfinite(merit)])
        least = 0.1 if self.percent else 1e-6 * max(abs(self.best), 1.0)
        self.median = sign * min(middle, merit.max() - least)
        self.floor = self.best - 2 * (self.best - self.median)
        if self.best > 0 and np.nanmin(self.values) >= 0:
            self.floor = max(self.floor, 0.0)

    def heights(self) -> np.ndarray:
        """Of each run: 0 at the floor, below it and without the metric, 1 for the best."""
        return self._share(self.floor)

    def shades(self) -> np.ndarray:
        return self._share(self.median)

    def below(self) -> np.ndarray:
        """Which runs are worse than the floor, or have no metric."""
        return ~((self.values - self.floor) * np.sign(self.best - self.floor) >= 0)

    def text(self, value: float) -> str:
        if np.isnan(value):
            return f"no {self.name.removesuffix(' (%)')}"
        return f"{value:.2f} %" if self.percent else f"{value:.4g}"

    def _share(self, start: float) -> np.ndarray:
        return np.clip(np.nan_to_num((self.values - start) / (self.best - start)), 0, 1)

    def axis(self, order: np.ndarray) -> Axis:
        span, shown = self.best - self.floor, "{:.1f}" if self.percent else "{:.3g}"
        ticks = [(shown.format(self.floor + place * span), place) for place in np.linspace(0, 1, 5)]
        if self.below().any():
            ticks[0] = (f"{'≤' if span > 0 else '≥'} {ticks[0][0]}", 0.0)
        texts = [self.text(value).removesuffix(" %") for value in self.values[order]]
        return Axis(self.name, self.heights()[order], texts, ticks, _between(ticks))


def coordinates(
    table: pd.DataFrame, parameters: Sequence[str], metric: str = METRIC, goal: str = "maximize"
) -> Coordinates:
    """Where each run passes its parameters and ends; ValueError where no run has the metric."""
    scale = Scale(table, metric, goal)
    rank = np.arange(len(table)) / len(table) - 0.5
    axes = [axis(table[name].iloc[scale.order], rank) for name in parameters] + [scale.axis(scale.order)]
    values = [scale.text(value) for value in scale.values[scale.order]]
    return Coordinates(scale.order, values, scale.shades()[scale.order], axes)


def axis(column: pd.Series, rank: np.ndarray | float = 0.0) -> Axis:
    """A parameter's axis: few or non-numeric values are categories in order, and `rank` spreads runs within one."""
    numeric = column.dtype.kind in "iuf"
    texts = [f"{value:g}" if numeric else str(value) for value in column]
    if not numeric or column.nunique() <= FEW:
        return _categories(column, texts, rank)
    low, high = column.min(), column.max()
    scale, back = (np.log, np.exp) if low > 0 and high / low > 50 else (np.array, float)
    span = scale(high) - scale(low)
    ticks = [(f"{back(scale(low) + place * span):.2g}", place) for place in np.linspace(0, 1, 5)]
    return Axis(str(column.name), np.asarray((scale(column) - scale(low)) / span), texts, ticks, _between(ticks))


def _categories(column: pd.Series, texts: list[str], rank: np.ndarray | float) -> Axis:
    values = column.astype("category").cat
    labels = [f"{value:g}" if column.dtype.kind in "iuf" else str(value) for value in values.categories]
    share = 1 / max(len(labels), 1)
    heights = np.where(values.codes < 0, np.nan, (values.codes + 0.5 + 0.6 * np.asarray(rank)) * share)
    ticks = [(label, (k + 0.5) * share) for k, label in enumerate(labels)]
    parts = [(k * share, (k + 1) * share, label) for k, label in enumerate(labels)]
    return Axis(str(column.name), heights, texts, ticks, parts)


def _between(ticks: Sequence[tuple[str, float]]) -> list[tuple[float, float, str]]:
    return [(a, b, f"{low} to {high}") for (low, a), (high, b) in pairwise(ticks)]


def binned(column: pd.Series) -> pd.Series:
    """The values in their order, as an ordered category: few as they are, many numbers in four rounded ranges."""
    import pandas as pd

    scale = axis(column)
    ends = np.array([end for _, end, _ in scale.parts])
    codes = np.where(np.isnan(scale.heights), -1, np.minimum(np.searchsorted(ends, scale.heights), len(ends) - 1))
    labels = [label for *_, label in scale.parts]
    return pd.Series(pd.Categorical.from_codes(codes, labels, ordered=True), column.index, name=column.name)
