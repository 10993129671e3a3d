"""Points of several classes in a plane, for chapter 1; see figures.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lab.pages.figures import COLOURS, HALO, MARKERS


def scatter(ax: Axes, points: ArrayLike, labels: ArrayLike, names: Sequence[str]) -> Axes:
    """Points (n, 2) in the colour and marker of their class, which is named at its median and in the legend."""
    points, labels = np.asarray(points), np.asarray(labels)
    called = np.asarray(names)[labels]
    looks = {"palette": COLOURS[: len(names)], "markers": list(MARKERS[: len(names)]), "hue_order": list(names)}
    looks |= {"style_order": list(names), "s": 16, "linewidth": 0, "alpha": 0.6}
    sns.scatterplot(x=points[:, 0], y=points[:, 1], hue=called, style=called, ax=ax, **looks)
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), markerscale=1.5, title=None)
    ax.set(title="Two-dimensional projection", xlabel="first component", ylabel="second component")
    _name_groups(ax, points, labels, names)
    return ax


def _name_groups(ax: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """Each name at the median of its points; from the top down, it is moved below those that it would cover."""
    placed: list[tuple[float, float]] = []
    width, height = 0.16 * np.ptp(points[:, 0]), 0.045 * np.ptp(points[:, 1])
    medians = {name: np.median(points[labels == k], axis=0) for k, name in enumerate(names) if (labels == k).any()}
    for name, (x, y) in sorted(medians.items(), key=lambda item: -item[1][1]):
        while any(abs(x - u) < width and abs(y - v) < height for u, v in placed):
            y -= height / 4
        placed.append((x, y))
        ax.text(x, y, name, ha="center", va="center", weight="bold", path_effects=HALO)
