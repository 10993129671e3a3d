"""Figures of recipes, one ingredient after another and one taken away from all, for chapter 8; see figures.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from lab.pages.figures import COLOURS, MARKERS


def climb(axes: Sequence[Axes], accuracies: pd.DataFrame, minutes: pd.Series) -> None:
    """Two axes, a row a rung: on the first the accuracy (fractions) of each seed, a column, and their mean; on the
    second the core minutes of a training."""
    percent = 100 * accuracies.rename_axis("rung")
    look = {"color": COLOURS[1], "size": 6, "jitter": False, "label": "a seed"}
    sns.stripplot(percent.reset_index().melt("rung"), x="value", y="rung", ax=axes[0], **look)
    axes[0].plot(percent.mean(axis=1), percent.index, "D-", color=COLOURS[0], label="mean", zorder=3)
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    axes[0].legend(handles.values(), handles, loc="best")
    axes[0].set(title="Accuracy", xlabel="validation accuracy (%)", ylabel="")
    sns.barplot(x=minutes, y=minutes.index, color="0.6", saturation=1, width=0.6, ax=axes[1])
    axes[1].bar_label(axes[1].containers[0], fmt="%.1f", padding=3, fontsize="small")
    axes[1].margins(x=0.2)
    axes[1].tick_params(axis="y", length=0, labelleft=False)
    axes[1].set(title="Cost", xlabel="core minutes a training", ylabel="")


def changes(ax: Axes, differences: pd.DataFrame, words: Sequence[str]) -> Axes:
    """A row for each `difference` from the whole, in fractions, with its interval `low` to `high` where there is one; a
    marker for each of the words that say what the interval tells."""
    rows, points = np.arange(len(differences)), 100 * differences
    half = np.nan_to_num(points["high"] - points["difference"])
    ax.axvline(0, color="0.3", linewidth=0.8)
    for word, colour, marker in zip(sorted({*words}), COLOURS, MARKERS, strict=False):
        some = np.array(words) == word
        ax.errorbar(points["difference"][some], rows[some], xerr=half[some], fmt="none", ecolor=colour, capsize=3)
        ax.plot(points["difference"][some], rows[some], marker, color=colour, label=word or "one seed")
    ax.set_yticks(rows, differences.index)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    ax.set(title="Less than the whole to the left, more to the right", xlabel="difference (percentage points)")
    ax.invert_yaxis()
    return ax
