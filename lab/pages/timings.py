"""Figures of speed, for chapter 6; see figures.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from lab.pages.figures import COLOURS, bars


def speeds(ax: Axes, table: pd.DataFrame, ours: Sequence[str]) -> Axes:
    """A bar for each row: its `median`, and a line from its `least` to its `most`; `ours` in colour.

    Rows have a `peer`, by whom the fastest comes first.
    """
    table = table.sort_values("median")
    bars(ax, dict(zip(table["peer"], table["median"], strict=True)), "times the bare products")
    for place, (bar, row) in enumerate(zip(ax.patches, table.itertuples(), strict=True)):
        bar.set_color(COLOURS[0] if row.peer in ours else "0.75")
        ax.plot([row.least, row.most], [place, place], color="0.3", linewidth=1.5)
        ax.text(row.most, place, f"  {row.median:.2f}", va="center", fontsize="small")
    ax.set(title="Speed", xlim=(0, 1.2 * table["most"].max()))
    return ax


def breakdown(ax: Axes, steps: Mapping[str, Mapping[str, float]]) -> Axes:
    """A bar for each name, of the microseconds that each part of a step takes, one after the other."""
    rows = [(name, part, lasts) for name, parts in steps.items() for part, lasts in parts.items()]
    long = pd.DataFrame(rows, columns=["step", "part", "time"])
    look = {"multiple": "stack", "shrink": 0.7, "alpha": 1, "edgecolor": "white", "linewidth": 1}
    parts = list(dict.fromkeys(long["part"]))[::-1]  # what is stacked last begins at zero
    colours = dict(zip(parts[::-1], COLOURS, strict=False))
    sns.histplot(long, y="step", weights="time", hue="part", hue_order=parts, palette=colours, ax=ax, **look)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(title="Where the time of a step goes", xlabel="µs a step", ylabel="")
    sns.move_legend(ax, "upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, title=None, reverse=True)
    return ax
