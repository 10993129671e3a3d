"""Figures of a sweep, for chapter 4; see figures.py.

A table has a row a run, a column a parameter, and the metric, missing where a run diverged or failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lab.pages.coordinates import METRIC, Metric, Scale, beside, binned, coordinates
from lab.pages.figures import COLOURS, HALO, frameless


def best_so_far(ax: Axes, table: pd.DataFrame, metric: str = METRIC, goal: str = "maximize") -> Axes:
    """The metric in the order of the runs, a marker for each `sweep` of the table, and the best until then.

    Runs far below the median, and those without the metric, are marks at the foot, so that the good ones stay apart.
    """
    scale, number = Scale(table, metric, goal), np.arange(1, len(table) + 1)
    low, sweeps = scale.below(), table.get("sweep")
    sns.scatterplot(x=number, y=np.where(low, np.nan, scale.values), hue=sweeps, style=sweeps, s=45, alpha=0.8, ax=ax)
    best = (np.fmin if goal == "minimize" else np.fmax).accumulate(scale.values)
    ax.step(number, best, where="post", color=COLOURS[3], label="best so far")
    if low.any():
        foot = {"transform": ax.get_xaxis_transform(), "clip_on": False}  # y as a fraction of the ax
        label = "off this scale,\nor without a result"
        ax.plot(number[low], np.zeros(low.sum()), "v", color="0.4", label=label, **foot)
        ax.set_ylim(*sorted((scale.floor, scale.best + 0.05 * (scale.best - scale.floor))))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title="The metric, run by run", xlabel="run, in order of start", ylabel=scale.metric.label)
    return ax


def parallel_coordinates(
    ax: Axes, table: pd.DataFrame, parameters: Sequence[str], metric: str = METRIC, goal: str = "maximize"
) -> Axes:
    """A line a run through its value of every parameter to its metric, which is also its colour.

    At each value, the better a run, the higher its line. Colours tell the better half of the runs apart; the others,
    with those that diverged or failed, are grey.
    """
    runs = coordinates(table, parameters, metric, goal)
    heights = np.array([axis.heights for axis in runs.axes])
    for k, axis in enumerate(runs.axes):
        ax.axvline(k, color="0.6", linewidth=0.8, zorder=0)
        for label, height in axis.ticks:
            ax.text(k - 0.05, height, label, ha="right", va="center", fontsize="small", path_effects=HALO, zorder=3)
    for run, shade in enumerate(runs.shades):
        colour = mpl.colormaps["YlGnBu"](0.3 + 0.7 * shade) if shade > 0 else "0.88"
        ax.plot(heights[:, run], color=colour, linewidth=1.5 if shade > 0 else 1)
    names = [axis.name.replace("_", "_\n") for axis in runs.axes]
    ax.set_xticks(range(len(names)), names)
    ax.set(xlim=(-0.6, len(names) - 0.9), ylim=(-0.02, 1.02), yticks=[])
    ax.set(title="Each line is a run", xlabel="parameter (at each value, better runs are higher)")
    return frameless(ax)


def compared(
    axes: Sequence[Axes], histories: Mapping[str, Sequence[Mapping[str, float]]], metric: str = METRIC
) -> None:
    """The learning curves of some runs, by name: the metric on the first of two axes, and what belongs beside it."""
    rows = pd.DataFrame([{"run": run} | epoch for run, epochs in histories.items() for epoch in epochs])
    for ax, shown in zip(axes, beside(metric), strict=True):
        look = {"hue": "run", "style": "run", "legend": "auto" if ax is axes[1] else False}
        sns.lineplot(x=rows["epoch"], y=shown.factor * rows[shown.name], data=rows, ax=ax, **look)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(title=shown.words.removeprefix("validation ").capitalize(), ylabel=shown.label)
    sns.move_legend(axes[1], "center left", bbox_to_anchor=(1, 0.5), title=None)


def importance(ax: Axes, shares: pd.DataFrame, metric: str = METRIC) -> Axes:
    """The `mean` share of each parameter in explaining a metric, largest first, with its interval `low` to `high`.

    Without any share, too few runs have ended to say: so says the figure.
    """
    ax.set_title(f"What decides the {Metric(metric).words}")
    if shares.empty:
        ax.text(0.5, 0.5, "too few runs to say", transform=ax.transAxes, ha="center", va="center")
        ax.set_axis_off()
        return ax
    percent = 100 * shares.sort_values("mean", ascending=False)
    sns.barplot(x=percent["mean"], y=percent.index, color=COLOURS[0], saturation=1, width=0.7, ax=ax)
    whiskers = [percent["mean"] - percent["low"], percent["high"] - percent["mean"]]
    ax.errorbar(percent["mean"], range(len(percent)), xerr=whiskers, fmt="none", ecolor="0.3", capsize=3)
    ax.axvline(100 / len(percent), linestyle="--", color=COLOURS[3], linewidth=1.2, label="if all decided alike")
    ax.legend(loc="lower right")
    ax.set(xlabel="importance (% of the total)", ylabel="", xlim=(0, None))
    return ax


def correlation(ax: Axes, coefficients: pd.Series, limit: float) -> Axes:
    """Rank correlations with the metric; those beyond the `limit` of what chance explains are in colour."""
    colours = [COLOURS[0] if abs(value) > limit else "0.75" for value in coefficients]
    names = coefficients.index
    sns.barplot(x=coefficients.to_numpy(), y=names, hue=names, palette=colours, saturation=1, width=0.7, ax=ax)
    ax.axvspan(-limit, limit, color="0.93", zorder=0)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.set(title="What goes with the metric", xlabel="rank correlation (in the grey: no more than chance)", ylabel="")
    ax.set_xlim(-1, 1)
    return ax


def effects(axes: Sequence[Axes], table: pd.DataFrame, parameters: Sequence[str], metric: str = METRIC) -> None:
    """A panel a parameter: the metric of each run at its value, and the median with its 95 % interval (bootstrap).

    Values stand in their order; many numbers are gathered in four ranges. Runs without the metric are left out.
    """
    scale = Scale(table, metric)
    aside = np.random.default_rng(0).uniform(-0.15, 0.15, len(table))  # so that equal dots stand beside each other
    for ax, name in zip(axes, parameters, strict=True):
        values, shown = binned(table[name]), pd.Series(scale.values, table.index)
        look = {
            "errorbar": ("ci", 95),
            "seed": 0,
            "n_boot": 500,
            "linestyle": "none",
            "color": COLOURS[0],
            "capsize": 0.1,
        }
        ax.scatter(values.cat.codes + aside, shown, color="0.6", s=16, linewidth=0)
        sns.pointplot(x=values, y=shown, estimator="median", marker="D", ax=ax, **look)
        ax.set(title=name, xlabel="", ylabel="")
        ax.set_xticks(ax.get_xticks(), _apart(values.cat.categories), fontsize=9)


def _apart(labels: Sequence[str]) -> list[str]:
    """Labels in two lines where they would touch each other in one."""
    labels = [label.replace(" to ", "\nto ") for label in labels]
    if sum(map(len, labels)) <= 18 or any("\n" in label for label in labels):
        return labels
    return [("\n" if k % 2 else "") + label for k, label in enumerate(labels)]
