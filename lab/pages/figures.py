"""Figures that are this project's own: a function takes an ax first, draws one thing on it, with title and units.

A notebook calls `style()` once, then `fig, ax = plt.subplots()`, seaborn or one of these functions, and `show(fig,
alt=...)`. Titles say what is drawn; `ax.set_title` puts the finding in their place. Colours are safe for the
colour-blind, and no class or run is told by colour alone. Shares and accuracies come in as fractions from 0 to 1, drawn
in per cent. `Live` draws the curves of a training that is under way. What one chapter alone draws has a module of its
own: groups (1), surfaces (2), comparisons (4), evaluations (5), timings (6), spaces (7), ladders
(8), portraits (9).
"""

from __future__ import annotations

import io
import math
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import DisplayHandle, Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import ArrayLike
from PIL import Image as Pictures

from lab.pages import DENSITY, NARROW, narrow
from lab.pages.typography import typeset

COLOURS = (  # Okabe and Ito (2008), with three others in place of their yellow, which is too pale for lines on white
    "#0072B2",  # blue
    "#E69F00",  # orange
    "#009E73",  # green
    "#D55E00",  # vermillion
    "#CC79A7",  # pink
    "#56B4E9",  # sky
    "#000000",  # black
    "#999999",  # grey
    "#882255",  # wine
    "#999933",  # olive
)
MARKERS = "osD^vPX*<>"
HALO = [withStroke(linewidth=3, foreground="white")]  # keeps text readable on points and lines
LOOK = Path(__file__).with_name("figures.mplstyle")


def style() -> None:
    """Set seaborn's theme and this project's look for all figures that follow."""
    look = mpl.rc_params_from_file(LOOK, use_default_template=False)
    sns.set_theme(context="paper", style="ticks", palette=COLOURS, rc=dict(look))


def show(fig: Figure, alt: str, photographs: bool = False) -> None:
    """Display `fig` as a PNG of twice the screen's resolution, and close it.

    `alt` is what the figure shows, for those who cannot see it; ValueError if it is empty. On a dark page, colours are
    turned, but those of a figure with photographs.
    """
    data, said = forms(fig, alt, photographs=photographs)
    display(data, raw=True, metadata=said)


def forms(fig: Figure, alt: str, **about: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """What is displayed of `fig`, which is closed: pictures and text by their media types, and what is said of them.

    Beside the picture is one for telephones, where the figure can be laid out for them; see narrow.py.
    """
    if not alt.strip():
        raise ValueError("a figure has an empty alt text: say in a sentence what it shows")
    wide = png(fig)
    said = {"alt": alt} | _size(wide) | {name: True for name, holds in about.items() if holds}
    data = {"image/png": b64encode(wide).decode(), "text/plain": alt}
    if narrow.narrow(fig):
        data[NARROW] = b64encode(png(fig, density=DENSITY, colours=64)).decode()
    plt.close(fig)
    return data, {"image/png": said}


def _size(picture: bytes) -> dict[str, int]:
    """Half its pixels a side: it has twice the screen's."""
    with Pictures.open(io.BytesIO(picture)) as opened:
        return {"width": opened.width // 2, "height": opened.height // 2}


def png(fig: Figure, density: float = 2, colours: int = 256) -> bytes:
    """The figure as a PNG of so many times the screen's resolution.

    It has the `colours` that fit it best: to the eye the same, in less than half the bytes.
    """
    full, small = io.BytesIO(), io.BytesIO()
    for text in fig.findobj(lambda part: isinstance(part, Text) and "$" not in part.get_text()):
        text.set_text(typeset(text.get_text()))
    for ax in fig.axes:
        _set_ticks(ax)
    fig.savefig(full, format="png", dpi=density * 96, bbox_inches="tight")
    with Pictures.open(full) as picture:
        palette = picture.convert("RGB").quantize(colours, Pictures.Quantize.MEDIANCUT, dither=Pictures.Dither.NONE)
    palette.save(small, "png", optimize=True)
    return small.getvalue()


class _Grouped(ScalarFormatter):
    """Numbers of ticks as the text around has them: 54,000."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return re.sub(r"(?<![\d.])\d{4,}", lambda digits: f"{int(digits[0]):,}", super().__call__(x, pos))


def _set_ticks(ax: Axes) -> None:
    """Group the digits at both axes, where nobody has given them a form of their own."""
    for axis in (ax.xaxis, ax.yaxis):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(_Grouped())


def bars(ax: Axes, values: Mapping[str, float], xlabel: str, errors: Mapping[str, float] | None = None) -> Axes:
    """A horizontal bar for each name, the first on top, with `errors` to both sides where given."""
    sns.barplot(x=list(values.values()), y=list(values), color=COLOURS[0], saturation=1, width=0.7, ax=ax)
    if errors:
        whiskers = [errors[name] for name in values]
        ax.errorbar(list(values.values()), range(len(values)), xerr=whiskers, fmt="none", ecolor="0.3", capsize=3)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(title="By name", xlabel=xlabel, ylabel="")
    return ax


# --- The data ---


def images(
    ax: Axes,
    pictures: ArrayLike,
    titles: Sequence[str] = (),
    *,
    columns: int = 10,
    rows: Sequence[str] = (),
    unit: str = "pixel values",
) -> Axes:
    """A grid of square pictures (n, side²) or (n, side, side) on one scale; `titles` name each one, `rows` each row.

    Paper is 0 and full ink the highest value; with negative values (weights, differences) blue is negative, red
    positive. `unit` is what the values are.
    The width of the ax decides the size, so give the figure height enough: what stays empty is not shown. Where titles
    would not fit, as on a telephone, there are fewer columns.
    """
    pictures = np.asarray(pictures, dtype=np.float32)
    side = math.isqrt(pictures[0].size)
    square = pictures.reshape(-1, side, side)
    draw = narrow.DRAWN[ax] = partial(_grid, pictures=square, titles=titles, columns=columns, rows=rows, unit=unit)
    return draw(ax)


def _grid(
    ax: Axes, *, pictures: np.ndarray, titles: Sequence[str], columns: int, rows: Sequence[str], unit: str
) -> Axes:
    side = pictures.shape[1]
    ax.set_yticks(range(len(rows)), rows)
    ax.figure.draw_without_rendering()  # lays it out, so that its width is known
    inches = ax.get_position().width * ax.figure.get_figwidth()
    places = _places(len(pictures), columns, int(inches / _widest(titles)) if len(titles) else columns, len(rows))
    down, across = np.max(places, axis=0) + 1
    width = side + 2
    line = 0.16 * across * width / inches  # 0.16 inches, in pixels
    header = 2 + round(line * max((1 + text.count("\n") for text in titles), default=0))  # pixels above a picture
    height = header + side
    grid = np.full((down * height, across * width), np.nan, dtype=np.float32)
    for k, (row, column) in enumerate(places):
        top, left = row * height + header, column * width + 1
        grid[top : top + side, left : left + side] = pictures[k]
        if len(titles):
            ax.text(left + side / 2, top - 1.5, titles[k], ha="center", va="bottom", fontsize="small")

    signed, high = pictures.min() < 0, np.abs(pictures).max()
    ax.imshow(grid, cmap="RdBu_r" if signed else "gray_r", vmin=-high if signed else 0, vmax=high)
    scale = f"from {-high:.3g} (blue) to {high:.3g} (red)" if signed else f"from 0 (no ink) to {high:.3g} (full ink)"
    ax.set(title="Pictures", xlabel=f"{unit} {scale}", xticks=[])
    names = [rows[row % len(rows)] for row in range(down)] if rows else []
    ax.set_yticks(header + side / 2 + height * np.arange(len(names)), names)
    return frameless(ax)


def _widest(titles: Sequence[str]) -> float:
    """The inches that the widest line of any title takes, and a gap."""
    small = FontProperties(size="small")
    lines = {line for title in titles for line in title.split("\n") if line.strip()}
    return 0.1 + max(TextPath((0, 0), line, prop=small).get_extents().width for line in lines) / 72


def _places(count: int, columns: int, fitting: int, rows: int) -> list[tuple[int, int]]:
    """Row and column of each picture where so many columns are fitting; `rows` with names go on below the last."""
    fitting = max(1, min(columns, fitting, count))
    columns = columns if rows else fitting
    return [(k % columns // fitting * rows + k // columns, k % columns % fitting) for k in range(count)]


def frameless(ax: Axes) -> Axes:
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


# --- The model and its training ---


def curves(ax: Axes, history: Sequence[Mapping[str, float]], metric: str = "loss") -> Axes:
    """Training and, where recorded, validation `metric` ("loss" or "accuracy"); `history` has one record an epoch."""
    scale, unit = (100, "%") if metric == "accuracy" else (1, "mean over the images")
    named = pd.DataFrame(history, columns=["epoch", metric, f"validation{metric}"]).set_axis(
        ["epoch", "training", "validation"], axis="columns"
    )
    shown = scale * named.set_index("epoch").dropna(axis="columns", how="all")
    if len(shown.columns):
        sns.lineplot(shown, markers=["o", "s"][: len(shown.columns)], ax=ax)
        sns.move_legend(ax, "lower right" if metric == "accuracy" else "upper right")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title=f"Training and validation {metric}", xlabel="epoch", ylabel=f"{metric} ({unit})")
    return ax


def told(history: Sequence[Mapping[str, float]]) -> str:
    """The learning curves of one training in words, without how long it took: the same results are the same words."""
    last = ", ".join(f"{name} {value:.4g}" for name, value in history[-1].items() if name != "seconds")
    return f"Loss and accuracy against epoch. The last epoch: {last}."


class Live:
    """The curves of a training under way, drawn again in place after each epoch.

    They appear where somebody may be watching: in a notebook that a Jupyter server runs. In papermill's or nbconvert's
    hands nothing is drawn. What the notebook keeps is one picture, no widget.
    """

    def __init__(self, max_epochs: int) -> None:
        self.max_epochs = max_epochs
        self._place: DisplayHandle | None = None
        self._watched = "JPY_SESSION_NAME" in os.environ  # what a server tells the kernels of its notebooks

    def update(self, history: Sequence[Mapping[str, float]]) -> None:
        """Draw what has been recorded so far, one record an epoch."""
        if not self._watched:
            return
        fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
        for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
            curves(ax, history, metric).set_xlim(0.5, max(self.max_epochs, 2) + 0.5)
        alt = f"Loss and accuracy, up to epoch {len(history)} of {self.max_epochs}."
        picture = Image(png(fig), retina=True, alt=alt)
        plt.close(fig)
        if self._place is None:
            self._place = display(picture, display_id=True)
        else:
            self._place.update(picture)


def epoch_times(ax: Axes, history: Sequence[Mapping[str, float]]) -> Axes:
    """The seconds that each epoch took, and their median, which the title says."""
    seconds = [record["seconds"] for record in history]
    sns.barplot(x=[record["epoch"] for record in history], y=seconds, color=COLOURS[0], saturation=1, ax=ax)
    ax.axhline(np.median(seconds), linestyle="--", color=COLOURS[3], label="median")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.grid(False, axis="x")
    ax.set(title=f"An epoch takes {np.median(seconds):.2g} s", xlabel="epoch", ylabel="time (s)")
    return ax


# --- Evaluation ---


def confusion_matrix(ax: Axes, counts: ArrayLike, names: Sequence[str], order: Sequence[int] | None = None) -> Axes:
    """Counts (classes, classes) of true class by predicted class, with their shares of the true class.

    Only the errors are coloured, as shares of their true class, and the diagonal is grey, so that what is right does
    not drown them. `order` says which class stands first, and so on.
    """
    order = list(range(len(names)) if order is None else order)
    counts, names = np.asarray(counts)[np.ix_(order, order)], [names[k] for k in order]
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    errors = np.where(np.eye(len(counts), dtype=bool), np.nan, shares)
    texts = np.vectorize(_cell_text)(counts, shares, np.eye(len(counts), dtype=bool))
    look = {
        "cmap": "Blues",
        "vmin": 0,
        "square": True,
        "cbar_kws": {"label": "errors (% of the true class)", "shrink": 0.8},
    }
    sns.heatmap(errors, annot=texts, fmt="", annot_kws={"fontsize": 9}, ax=ax, **look)
    ax.set_facecolor("0.93")  # shows through the diagonal, which the heat map leaves out
    for k, text in enumerate(texts.diagonal()):
        ax.text(k + 0.5, k + 0.5, text, ha="center", va="center", fontsize=9, weight="bold")
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    ax.set(title="What is taken for what", xlabel="predicted class", ylabel="true class")
    return frameless(ax)


def _cell_text(count: float, share: float, right: bool) -> str:
    """A count, which may be a mean, with its share where that is not tiny; nothing where there is none."""
    if count <= 0.5:
        return ""
    return f"{count:,.0f}\n{share:.0f} %" if right or share >= 0.95 else f"{count:,.0f}"
