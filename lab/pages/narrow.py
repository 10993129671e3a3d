"""A figure laid out anew for a telephone: as wide as its screen, with labels in their own size.

Panels stand below each other, what stood beside them stands below, and titles are as many lines as they need. Figures
that cannot be narrower, as heat maps whose numbers would not fit into their cells, stay as they are: a page shows them
whole, and larger on demand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from textwrap import fill
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend

WIDTH = 3.9  # inches of a telephone that is 390 pixels wide, without margins
LETTERS = 10  # of a title, in an inch
LINES = 0.4  # inches that a title takes in two lines
AMPLE = 16  # inches: a grid of pictures is as high as its width allows, and what stays empty is not shown
DRAWN: WeakKeyDictionary[Axes, Callable[[Axes], Any]] = WeakKeyDictionary()  # what draws an ax anew for its width


def narrow(fig: Figure) -> bool:
    """Lay `fig` out for a telephone, if it can be: whether it was."""
    panels = [ax for ax in fig.axes if ax.get_subplotspec()]
    if not panels:
        return False
    pictures = any(ax.images for ax in panels)
    columns = _stack(fig, panels, pictures)
    for ax in panels:
        title = fill(ax.get_title("left"), int(LETTERS * WIDTH / columns)) if pictures else ax.get_title("left")
        if ax in DRAWN:
            ax.clear()
            DRAWN[ax](ax)
        ax.set_title(title, wrap=True)
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set_wrap(True)
    if len(panels) == 1 and not pictures:  # from the very left on, where the names of bars stand
        fig.suptitle(panels[0].get_title("left"))
        panels[0].set_title("")
    if fig.get_suptitle():
        fig.suptitle(fig.get_suptitle(), x=0.02, ha="left", weight="bold", wrap=True)
    for legend in _outside(fig, panels):
        _move(fig, legend)
    return all(_fits(ax) for ax in panels if ax.findobj(QuadMesh))


def _stack(fig: Figure, panels: list[Axes], pictures: bool) -> int:
    """Give the figure its width, and of panels beside each other as many as are still wide enough: how many."""
    grid, smaller = panels[0].get_gridspec(), WIDTH / fig.get_figwidth()
    columns = grid.ncols if pictures else max(1, round(grid.ncols * smaller))
    rows = math.ceil(len(panels) / columns)
    high = (smaller * fig.get_figheight() / grid.nrows + LINES) if pictures else fig.get_figheight() / grid.nrows
    fig.set_size_inches(WIDTH, AMPLE if any(ax in DRAWN for ax in panels) else high * rows)
    if columns < grid.ncols:
        for ax, place in zip(panels, GridSpec(rows, columns, figure=fig), strict=False):
            ax.set_subplotspec(place)
            ax.tick_params(labelbottom=True, labelleft=True)  # the neighbour that had them stands elsewhere
    return columns


def _outside(fig: Figure, panels: list[Axes]) -> list[Legend]:
    """The legends that stand beside, below or above the panels."""
    legends = {ax: legend for ax in panels if (legend := ax.get_legend())}
    for legend in legends.values():
        legend.set_in_layout(False)  # one that is too wide would leave its panel no room
    fig.draw_without_rendering()
    return [*fig.legends, *(legend for ax, legend in legends.items() if not _within(legend, ax))]


def _fits(ax: Axes) -> bool:
    """Whether the numbers of a heat map fit into its cells."""
    cell = ax.bbox.width / abs(np.ptp(ax.get_xlim()))
    return all(text.get_window_extent().width < cell for text in ax.texts if text.get_text())


def _within(legend: Legend, ax: Axes) -> bool:
    box = legend.get_window_extent()
    return ax.bbox.contains(box.x0, box.y0) and ax.bbox.contains(box.x1, box.y1)


def _move(fig: Figure, legend: Legend) -> None:
    """Move a legend below all panels, or above them where the label of their x axes stands below."""
    labels = [text.get_text() for text in legend.get_texts()]
    look = {"ncols": 2 if max(map(len, labels), default=0) < 20 else 1, "title": legend.get_title().get_text() or None}
    place = "outside upper left" if fig.get_supxlabel() else "outside lower left"
    fig.legend(legend.legend_handles, labels, loc=place, **look)
    legend.remove()
