"""Figures of a whole search space: how good it gets, what decides, and what searches find in it; see figures.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from lab.pages.figures import COLOURS, frameless

PAID = "epochs paid for"
HEAT = {"cmap": "Blues", "cbar": False, "annot_kws": {"fontsize": 9}, "linewidths": 0.5}  # its numbers are its scale


def distribution(ax: Axes, values: ArrayLike, kinds: ArrayLike, kind: str) -> Axes:
    """How many configurations reach which accuracy (fractions), stacked by the `kinds` of one parameter, `kind`."""
    table = pd.DataFrame({"accuracy": 100 * np.asarray(values, dtype=float), kind: [str(value) for value in kinds]})
    order = sorted(table[kind].unique(), key=float) if _numeric(table[kind]) else sorted(table[kind].unique())
    look = {"multiple": "stack", "bins": np.arange(0, 101, 2), "hue_order": order, "palette": COLOURS[: len(order)]}
    sns.histplot(table, x="accuracy", hue=kind, alpha=0.9, linewidth=0.3, ax=ax, **look)
    sns.move_legend(ax, "upper center")
    ax.set(title="How good it gets", xlabel="validation accuracy (%)", ylabel="configurations", xlim=(0, 100))
    return ax


def _numeric(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column, errors="coerce").notna().all())


def shares(ax: Axes, matrix: pd.DataFrame) -> Axes:
    """The shares of a variance: of each parameter on the diagonal, of each pair below it, in per cent."""
    percent, hidden = 100 * matrix, np.triu(np.ones(matrix.shape, dtype=bool), 1)
    texts = percent.map(_share)
    sns.heatmap(percent, mask=hidden, annot=texts, fmt="", vmin=0, square=True, ax=ax, **HEAT)
    look = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(ax.get_xticks(), [name.get_text() for name in ax.get_xticklabels()], **look)
    ax.set(title="What decides", ylabel="", anchor="N")
    ax.set_xlabel("share of the variance (%): single ones on the diagonal, pairs below")
    return frameless(ax)


def _share(percent: float) -> str:
    """Two digits, or one where it has no more, and nothing where it would be 0.0."""
    return f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}" if percent >= 0.05 else ""


def regrets(ax: Axes, searches: Mapping[str, ArrayLike], budgets: ArrayLike, floor: float = 0.02) -> Axes:
    """The median regret of each search against what it has paid, with the quartiles as a band.

    `searches` has an array (replays, budgets) for each, in percentage points. Both scales are logarithmic: no regret is
    drawn at the `floor`.
    """
    long = pd.concat({name: _known(regret, budgets, floor) for name, regret in searches.items()}, names=["search"])
    look = {"palette": COLOURS[: len(searches)], "err_kws": {"alpha": 0.12, "linewidth": 0}}
    look |= {"estimator": "median", "errorbar": ("pi", 50)}
    sns.lineplot(long, x="budget", y="regret", hue="search", style="search", ax=ax, **look)
    ax.set(xscale="log", yscale="log", xlabel=PAID, ylabel="regret (percentage points)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,g}")
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title=None)
    ax.set_title("What a search still lacks")
    return ax


def regrets_of(searches: Mapping[str, ArrayLike], budgets: ArrayLike, floor: float = 0.02) -> dict[str, pd.DataFrame]:
    """The same as numbers, a table a panel: what half, and nine in ten, of each search do not exceed."""
    shares = {"median regret (points)": 0.5, "regret that nine in ten do not exceed (points)": 0.9}
    known = {name: np.maximum(np.asarray(regret, dtype=float), floor) for name, regret in searches.items()}
    return {
        panel: pd.DataFrame(
            {name: np.quantile(regret, share, axis=0) for name, regret in known.items()}, pd.Index(budgets, name=PAID)
        )
        for panel, share in shares.items()
    }


def _known(regret: ArrayLike, budgets: ArrayLike, floor: float) -> pd.DataFrame:
    """A row a replay and budget, from the budgets on at which every replay has something."""
    table = pd.DataFrame(np.maximum(np.asarray(regret, dtype=float), floor), columns=pd.Index(budgets, name="budget"))
    return table.dropna(axis="columns").melt(value_name="regret")


def seeds(ax: Axes, first: ArrayLike, second: ArrayLike, names: tuple[str, str]) -> Axes:
    """The accuracy (fractions) of configurations with one seed against that with another; on the line both agree."""
    first, second = 100 * np.asarray(first), 100 * np.asarray(second)
    sns.scatterplot(x=first, y=second, s=14, alpha=0.4, linewidth=0, ax=ax)
    ends = min(first.min(), second.min()), max(first.max(), second.max())
    ax.plot(ends, ends, "--", color="0.5")
    ax.set(title="One seed and another", xlabel=f"{names[0]} (%)", ylabel=f"{names[1]} (%)", aspect="equal")
    return ax


def confirmations(ax: Axes, table: pd.DataFrame) -> Axes:
    """How often (`close`, a share) a confirmation of the `best` so many with so many `seeds` comes close."""
    percent = 100 * table.pivot(index="best", columns="seeds", values="close")
    sns.heatmap(percent, annot=True, fmt=".0f", ax=ax, **HEAT)
    ax.set(title="How often the choice is close (% of searches)", xlabel="seeds of each", ylabel="candidates")
    ax.tick_params(axis="y", rotation=0)
    return frameless(ax)
