"""Paths of optimizers down a surface, for chapter 2; see figures.py."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lab.pages.figures import COLOURS


def descent(ax: Axes, grid: ArrayLike, heights: ArrayLike, path: ArrayLike, name: str) -> Axes:
    """A path (n, 2), a dot a step, over the contours of a surface; a ring is its start, a star the lowest point drawn.

    `grid` (rows, columns, 2) holds points of the plane, `heights` (rows, columns) how high the surface is there.
    """
    grid, heights, path = np.asarray(grid), np.asarray(heights), np.asarray(path)
    levels = np.ptp(heights) * np.linspace(0, 1, 9) ** 2 + heights.min()  # closer together near the lowest point
    ax.contourf(*np.moveaxis(grid, -1, 0), heights, levels, cmap="Blues", alpha=0.5)
    ax.plot(*path.T, ".-", color=COLOURS[3], linewidth=1, markersize=5)
    ax.plot(*path[0], "o", color=COLOURS[3], markerfacecolor="white", markersize=7)
    ax.plot(*grid.reshape(-1, 2)[heights.argmin()], "*", color="black", markersize=9, zorder=3)
    ax.grid(False)
    ax.set(title=name, xlabel="first parameter", ylabel="second parameter")
    return ax
