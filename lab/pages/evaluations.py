"""Figures of what networks are worth, for chapter 5; see figures.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lab.pages.figures import COLOURS


def reliability(ax: Axes, confidence: ArrayLike, accuracy: ArrayLike, counts: ArrayLike, ece: float) -> Axes:
    """Accuracy against mean confidence in equal bins from 0 to 1, above the number of images in each bin.

    Empty bins are left out. `ece` is the expected calibration error, a fraction.
    """
    confidence, accuracy, counts = (np.asarray(values, dtype=float) for values in (confidence, accuracy, counts))
    used = counts > 0
    ax.plot([0, 100], [0, 100], "--", color="0.5", label="perfectly calibrated")
    ax.plot(100 * confidence[used], 100 * accuracy[used], "o-", label="the network")
    ax.legend(loc="upper left")
    ax.set(title=f"Is the confidence deserved? ECE {100 * ece:.1f} %", ylabel="accuracy (%)", ylim=(0, 100))
    below = ax.inset_axes([0, -0.34, 1, 0.28], sharex=ax)
    below.stairs(counts, np.linspace(0, 100, len(counts) + 1), fill=True, color="0.6")
    below.yaxis.set_major_formatter("{x:,.0f}")
    below.set(xlim=(0, 100), xlabel="confidence (%)", ylabel="images")
    ax.tick_params(axis="x", labelbottom=False)
    return ax


def reliable(confidence: ArrayLike, accuracy: ArrayLike, counts: ArrayLike) -> dict[str, pd.DataFrame]:
    """The same as numbers, a table a panel, without the empty bins."""
    used = np.asarray(counts) > 0
    perfect, reached = (100 * np.asarray(shares)[used] for shares in (confidence, accuracy))
    index = pd.Index(perfect, name="confidence (%)")
    names = ["the network", "perfectly calibrated"]
    return {
        "accuracy (%)": pd.DataFrame(np.column_stack([reached, perfect]), index, names),
        "images": pd.DataFrame({names[0]: np.asarray(counts)[used]}, index).reindex(columns=names),
    }


def accuracies(ax: Axes, groups: Mapping[str, Sequence[float]], interval: Callable) -> Axes:
    """A row a group: a dot for every seed, and the mean with its `interval`, a function of values to (low, high)."""
    rows = {"model": [name for name, values in groups.items() for _ in values]}
    rows["accuracy"] = [100 * value for values in groups.values() for value in values]
    estimate = {"errorbar": interval, "linestyle": "none", "marker": "D", "color": COLOURS[0], "capsize": 0.1}
    sns.stripplot(rows, x="accuracy", y="model", color=COLOURS[1], size=7, jitter=False, label="a seed", ax=ax)
    sns.pointplot(rows, x="accuracy", y="model", label="mean, with its 95 % interval", ax=ax, **estimate)
    for row, values in enumerate(groups.values()):
        low, high = interval(values)
        text = f"{100 * np.mean(values):.2f}  ({100 * low:.2f} to {100 * high:.2f})"
        ax.text(100 * np.mean(values), row + 0.2, text, ha="center", va="top", fontsize="small")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(handles.values(), handles, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    ax.margins(x=0.25)
    ax.set(title="Accuracy, seed by seed", xlabel="test accuracy (%)", ylabel="", ylim=(len(groups) - 0.4, -0.5))
    return ax


def disagreements(ax: Axes, rights: Mapping[str, ArrayLike], names: Sequence[str]) -> Axes:
    """What only one of two models gets right, class by class: to the left for the first model, to the right the second.

    Classes come in the order of the difference, those in which the second model gains most on top.
    """
    (first, left), (second, right) = ((model, np.asarray(counts, dtype=float)) for model, counts in rights.items())
    order = [names[k] for k in np.argsort(left - right, kind="stable")]
    for model, counts, colour, hatch in ((first, -left, COLOURS[1], "//"), (second, right, COLOURS[0], "")):
        look = {"color": colour, "saturation": 1, "hatch": hatch, "edgecolor": "white", "linewidth": 0, "width": 0.7}
        sns.barplot(x=counts, y=list(names), order=order, label=f"only {model} is right", ax=ax, **look)
        ax.bar_label(
            ax.containers[-1], fmt=lambda count: f"{abs(count):,.0f}" if count else "", padding=3, fontsize="small"
        )
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.margins(x=0.1)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(lambda count, _: f"{abs(count):,.0f}")
    sns.move_legend(ax, "upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    ax.set(title="What only one of the two gets right", xlabel="number of images", ylabel="")
    return ax
