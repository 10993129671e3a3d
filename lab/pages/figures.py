"""Every figure of the project: a function takes an ax first, draws one thing on it with title and units, returns it.

A notebook calls `style()` once, then `fig, ax = plt.subplots()`, one of these functions, and `show(fig, alt=...)`.
Titles say what is drawn; `ax.set_title` puts the finding in their place. Colours are safe for the colour-blind, and no
class or run is told by colour alone. Shares and accuracies come in as fractions from 0 to 1, drawn in per cent.
`Live` draws the curves of a training that is under way.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import DisplayHandle, Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from PIL import Image as Pictures

if TYPE_CHECKING:  # tables come as arguments, so a training run need not wait for the import
    import pandas as pd

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
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HALO = [withStroke(linewidth=3, foreground="white")]  # keeps text readable on points and lines
METRIC = "validationaccuracy"


def style() -> None:
    """Set matplotlib's defaults for all figures that follow."""
    plt.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlepad": 10,
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "figure.figsize": (7, 3.6),
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
            "grid.color": "0.9",
            "legend.frameon": False,
        }
    )


def show(fig: Figure, alt: str) -> None:
    """Display `fig` as a PNG of twice the screen's resolution, and close it.

    `alt` is what the figure shows, for those who cannot see it; ValueError if it is empty.
    """
    if not alt.strip():
        raise ValueError("figures.show got an empty alt text: say in a sentence what the figure shows")
    display(_picture(fig, alt))


def _picture(fig: Figure, alt: str) -> Image:
    return Image(png(fig), retina=True, alt=alt)


def png(fig: Figure) -> bytes:
    """The figure, which is closed, as a PNG of twice the screen's resolution.

    It has the 256 colours that fit it best: to the eye the same, in less than half the bytes.
    """
    full, small = io.BytesIO(), io.BytesIO()
    fig.savefig(full, format="png", dpi=2 * 96, bbox_inches="tight")
    plt.close(fig)
    with Pictures.open(full) as picture:
        palette = picture.convert("RGB").quantize(256, Pictures.Quantize.MEDIANCUT, dither=Pictures.Dither.NONE)
    palette.save(small, "png", optimize=True)
    return small.getvalue()


def bars(ax: Axes, values: Mapping[str, float], xlabel: str, errors: Mapping[str, float] | None = None) -> Axes:
    """A horizontal bar for each name, the first on top, with `errors` to both sides where given."""
    whiskers = [errors[name] for name in values] if errors else None
    ax.barh(list(values), list(values.values()), xerr=whiskers, height=0.7, ecolor="0.3", capsize=3)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(title="By name", xlabel=xlabel)
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

    White is 0 and black the highest value; with negative values (weights, differences) blue is negative, red positive.
    `unit` is what the values are.
    The width of the ax decides the size, so give the figure height enough: what stays empty is not shown.
    """
    pictures = np.asarray(pictures, dtype=np.float32)
    side = math.isqrt(pictures[0].size)
    columns = min(columns, len(pictures))
    width = side + 2
    ax.set_yticks(range(len(rows)), rows)
    ax.figure.draw_without_rendering()  # lays it out, so that its width is known
    line = 0.16 * columns * width / (ax.get_position().width * ax.figure.get_figwidth())  # 0.16 inches, in pixels
    header = 2 + round(line * max((1 + text.count("\n") for text in titles), default=0))  # pixels above a picture
    height = header + side
    grid = np.full((math.ceil(len(pictures) / columns) * height, columns * width), np.nan, dtype=np.float32)
    for k, picture in enumerate(pictures):
        top, left = k // columns * height + header, k % columns * width + 1
        grid[top : top + side, left : left + side] = picture.reshape(side, side)
        if len(titles):
            ax.text(left + side / 2, top - 1.5, titles[k], ha="center", va="bottom", fontsize="small")

    signed, high = pictures.min() < 0, np.abs(pictures).max()
    ax.imshow(grid, cmap="RdBu_r" if signed else "gray_r", vmin=-high if signed else 0, vmax=high)
    scale = f"from {-high:.3g} (blue) to {high:.3g} (red)" if signed else f"from 0 (white) to {high:.3g} (black)"
    ax.set(title="Pictures", xlabel=f"{unit} {scale}", xticks=[])
    ax.set_yticks(header + side / 2 + height * np.arange(len(rows)), rows)
    return _frameless(ax)


def _frameless(ax: Axes) -> Axes:
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def class_balance(ax: Axes, counts: ArrayLike, names: Sequence[str]) -> Axes:
    """How many images each class has."""
    bars(ax, dict(zip(names, counts, strict=True)), xlabel="number of images")
    ax.bar_label(ax.containers[0], fmt="{:,.0f}", padding=3)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_title("Images in each class")
    return ax


def pixel_histogram(ax: Axes, counts: ArrayLike) -> Axes:
    """The share of the pixels that have each value; counts[v] pixels have the value v."""
    counts = np.asarray(counts)
    ax.stairs(100 * counts / counts.sum(), np.arange(len(counts) + 1) - 0.5, fill=True)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set(title="How often each pixel value occurs", xlabel="pixel value", ylabel="pixels (%), logarithmic")
    return ax


def scatter(ax: Axes, points: ArrayLike, labels: ArrayLike, names: Sequence[str]) -> Axes:
    """Points (n, 2) in the colour and marker of their class, which is named at its median and in the legend."""
    points, labels = np.asarray(points), np.asarray(labels)
    for k, name in enumerate(names):
        look = {"color": COLOURS[k], "marker": MARKERS[k], "s": 14, "linewidths": 0, "alpha": 0.6}
        ax.scatter(*points[labels == k].T, label=name, **look)
    legend = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    ax.set(title="Two-dimensional projection", xlabel="first component", ylabel="second component")

    placed: list[tuple[float, float]] = []  # from the top down, each name is moved below those it would cover
    width, height = 0.16 * np.ptp(points[:, 0]), 0.045 * np.ptp(points[:, 1])
    medians = {name: np.median(points[labels == k], axis=0) for k, name in enumerate(names) if (labels == k).any()}
    for name, (x, y) in sorted(medians.items(), key=lambda item: -item[1][1]):
        while any(abs(x - u) < width and abs(y - v) < height for u, v in placed):
            y -= height / 4
        placed.append((x, y))
        ax.text(x, y, name, ha="center", va="center", weight="bold", path_effects=HALO)
    return ax


# --- The model and its training ---


def activation(ax: Axes, x: ArrayLike, y: ArrayLike, dy: ArrayLike, name: str) -> Axes:
    """An activation y = g(x) and its gradient dy = g'(x)."""
    ax.plot(x, y, linewidth=2, label="g")
    ax.plot(x, dy, linewidth=2, linestyle="--", label="g′, its gradient")
    ax.legend()
    ax.set(title=name, xlabel="pre-activation", ylabel="g and g′")
    return ax


def curves(ax: Axes, history: Sequence[Mapping[str, float]], metric: str = "loss") -> Axes:
    """Training and, where recorded, validation `metric` ("loss" or "accuracy"); `history` has one record an epoch."""
    scale, unit = (100, "%") if metric == "accuracy" else (1, "mean over the images")
    for key, label, look in ((metric, "training", "o-"), (f"validation{metric}", "validation", "s--")):
        records = [record for record in history if key in record]
        if records or key == metric:
            epochs, values = [record["epoch"] for record in records], [scale * record[key] for record in records]
            ax.plot(epochs, values, look, markersize=4, label=label)
    ax.legend(loc="lower right" if metric == "accuracy" else "upper right")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title=f"Training and validation {metric}", xlabel="epoch", ylabel=f"{metric} ({unit})")
    return ax


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
        fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
        for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
            curves(ax, history, metric).set_xlim(0.5, max(self.max_epochs, 2) + 0.5)
        picture = _picture(fig, f"Loss and accuracy, up to epoch {len(history)} of {self.max_epochs}.")
        if self._place is None:
            self._place = display(picture, display_id=True)
        else:
            self._place.update(picture)


def epoch_times(ax: Axes, history: Sequence[Mapping[str, float]]) -> Axes:
    """The seconds that each epoch took, and their median, which the title says."""
    seconds = [record["seconds"] for record in history]
    ax.bar([record["epoch"] for record in history], seconds, width=0.7)
    median = np.median(seconds)
    ax.axhline(median, linestyle="--", color=COLOURS[3], label="median")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.grid(False, axis="x")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title=f"An epoch takes {median:.2g} s", xlabel="epoch", ylabel="time (s)")
    return ax


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


def lines(ax: Axes, x: ArrayLike, series: Mapping[str, ArrayLike], marker: str = "") -> Axes:
    """One line a name, its values over x, told apart by colour and dashes."""
    for k, (name, values) in enumerate(series.items()):
        look = {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k % len(DASHES)], "marker": marker}
        ax.plot(x, values, linewidth=2, markersize=4 if marker == "o" else None, label=name, **look)
    if len(series) > 4:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        ax.legend()
    ax.set(title="Side by side", xlabel="x", ylabel="value")
    return ax


def race(ax: Axes, runs: Mapping[str, Sequence[float]], highlight: Sequence[str] = ()) -> Axes:
    """One line a run, its values at 1, 2, ...; the legend lists the runs from the highest end to the lowest.

    Where some runs are to `highlight`, the others are thin and grey.
    """
    coloured = list(highlight or runs)
    for k, (name, values) in enumerate(runs.items()):
        look = {"color": "0.7", "linewidth": 1}
        if name in coloured:
            look = {"color": COLOURS[coloured.index(name) % len(COLOURS)], "linewidth": 2}
        ax.plot(np.arange(1, len(values) + 1), values, linestyle=DASHES[k % len(DASHES)], label=name, **look)
    lines = sorted(ax.get_lines(), key=lambda line: -np.append(np.inf, line.get_ydata())[-1])  # empty: on top
    ax.legend(handles=lines, loc="center left", bbox_to_anchor=(1, 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title="Runs side by side", xlabel="epoch", ylabel="loss (mean over the images)")
    return ax


# --- Sweeps: a table has a row a run, a column a parameter, and the metric, missing where a run diverged or failed ---


def best_so_far(ax: Axes, table: pd.DataFrame) -> Axes:
    """Validation accuracy in the order of the runs, and the best until then.

    Runs far below the median, and those without an accuracy, are marks at the foot, so that the good ones stay apart.
    """
    number, accuracy = np.arange(1, len(table) + 1), _accuracy(table)
    best = np.nanmax(accuracy)
    floor = best - 2 * (best - np.nanmedian(accuracy))
    low = ~(accuracy >= floor)  # true for NaN too
    ax.plot(number[~low], accuracy[~low], "o", markersize=5, alpha=0.7, label="a run")
    ax.step(number, np.fmax.accumulate(accuracy), where="post", color=COLOURS[3], linewidth=2, label="best so far")
    if low.any():
        foot = {"transform": ax.get_xaxis_transform(), "clip_on": False}  # y as a fraction of the ax
        label = "below this scale,\ndiverged or failed"
        ax.plot(number[low], np.zeros(low.sum()), "v", color="0.4", label=label, **foot)
        ax.set_ylim(bottom=max(floor, 0))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title="Validation accuracy, run by run", xlabel="run, in order of start", ylabel="validation accuracy (%)")
    return ax


def parallel_coordinates(ax: Axes, table: pd.DataFrame, parameters: Sequence[str]) -> Axes:
    """A line a run through its value of every parameter to its validation accuracy, which is also its colour.

    Few or non-numeric values stand as categories in order; within one, the better a run, the higher its line. Colours
    tell the better half of the runs apart; the others, with those that diverged or failed, are grey.
    """
    accuracy = np.nan_to_num(_accuracy(table), nan=0.0)
    median, best = np.median(accuracy), accuracy.max()
    floor = max(best - 1.4 * max(best - median, 0.1), 0)  # below the median, so that the better half is not too pale
    order = np.argsort(accuracy, kind="stable")  # the best is drawn last
    rank = np.argsort(order) / len(order) - 0.5
    heights = np.empty((len(parameters) + 1, len(table)))
    for k, parameter in enumerate(parameters):
        heights[k], ticks, spread = _axis(table[parameter])
        heights[k] += spread * rank
        ax.axvline(k, color="0.6", linewidth=0.8, zorder=0)
        for label, height in ticks.items():
            ax.text(k - 0.05, height, label, ha="right", va="center", fontsize="small", path_effects=HALO, zorder=3)
    colour = plt.cm.ScalarMappable(plt.Normalize(floor, best, clip=True), "YlGnBu")
    heights[-1] = colour.norm(accuracy)
    for run in order:
        good = accuracy[run] >= median
        ax.plot(heights[:, run], color=colour.to_rgba(accuracy[run]) if good else "0.88", linewidth=1.5 if good else 1)
    ends = ax.figure.colorbar(colour, cax=ax.inset_axes([1, 0, 0.02, 1]), format="{x:.1f}", extend="min")
    ends.set_label("validation accuracy (%)")
    ends.outline.set_visible(False)
    ax.set_xticks(range(len(parameters)), [parameter.replace("_", "_\n") for parameter in parameters])
    ax.set(xlim=(-0.6, len(parameters)), ylim=(0, 1), yticks=[])
    ax.set_title("Each line is a run: its parameters and its validation accuracy")
    ax.set_xlabel("parameter (at each value, better runs are higher)")
    return _frameless(ax)


def _accuracy(table: pd.DataFrame) -> np.ndarray:
    """The runs' validation accuracies in per cent, NaN where missing."""
    accuracy = 100 * table[METRIC].to_numpy(dtype=float)
    if np.isnan(accuracy).all():
        raise ValueError(f"none of the {len(accuracy)} runs in the table has a {METRIC}: nothing to draw")
    return accuracy


def _axis(column: pd.Series) -> tuple[np.ndarray, dict[str, float], float]:
    """The values' heights from 0 to 1 (NaN where missing), the ticks, and how far a category may be spread."""
    numeric = column.dtype.kind in "iuf"
    if not numeric or column.nunique() <= 8:
        values = column.astype("category").cat
        labels = [f"{value:g}" if numeric else str(value) for value in values.categories]
        places = (np.arange(len(labels)) + 0.5) / len(labels)
        return values.codes.map(dict(enumerate(places))), dict(zip(labels, places, strict=True)), 0.6 / len(labels)
    low, high = column.min(), column.max()
    scale, inverse = (np.log, np.exp) if low > 0 and high / low > 50 else (np.array, float)
    start, length = scale(low), scale(high) - scale(low)
    ticks = {f"{inverse(start + place * length):.3g}": place for place in (0.03, 0.25, 0.5, 0.75, 0.97)}
    return (scale(column) - start) / length, ticks, 0.0


def importance(ax: Axes, shares: Mapping[str, float], errors: Mapping[str, float] | None = None) -> Axes:
    """The share of each parameter in explaining the metric, largest first, with `errors` where given."""
    percent = {name: 100 * shares[name] for name in sorted(shares, key=shares.get, reverse=True)}
    bars(ax, percent, "importance (% of the total)", {name: 100 * errors[name] for name in errors} if errors else None)
    ax.set_title("What decides the validation accuracy")
    return ax


def correlation(ax: Axes, table: pd.DataFrame, parameters: Sequence[str]) -> Axes:
    """Spearman's rank correlation of each parameter with validation accuracy, from the most positive down.

    A parameter that is no number counts as one indicator a value, a run without an accuracy as the worst.
    """
    features = {}
    for name in parameters:
        column = table[name]
        numeric = column.dtype.kind in "iuf"
        features |= {name: column} if numeric else {f"{name} = {value}": column == value for value in column.unique()}
    metric = table[METRIC].rank(na_option="top")
    values = {name: metric.corr(column.rank()) for name, column in features.items() if column.nunique() > 1}
    ordered = {name: values[name] for name in sorted(values, key=values.get, reverse=True)}
    bars(ax, ordered, "rank correlation with validation accuracy (from -1 to 1)")
    ax.set_title("What goes with a high validation accuracy")
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
    picture = ax.imshow(errors, cmap="Blues", vmin=0)
    ax.set_facecolor("0.93")  # shows through the diagonal
    for (row, column), count in np.ndenumerate(counts):
        share, right = shares[row, column], row == column
        dark = not right and share > 0.55 * np.nanmax(errors)
        look = {"color": "white" if dark else "black", "weight": "bold" if right else "normal"}
        text = f"{count:,.0f}\n{share:.0f}%" if right or share >= 0.95 else f"{count:,.0f}"
        if count >= 0.5:  # counts may be means
            ax.text(column, row, text, ha="center", va="center", fontsize="small", **look)
    scale = ax.figure.colorbar(picture, ax=ax, label="errors (% of the true class)", shrink=0.8)
    scale.outline.set_visible(False)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set(title="What is taken for what", xlabel="predicted class", ylabel="true class")
    return _frameless(ax)


def class_scores(ax: Axes, scores: Mapping[str, ArrayLike], names: Sequence[str]) -> Axes:
    """A row a class, a marker a score ("precision", "recall", "F1": one a class each), sorted by the last."""
    percent = 100 * np.array(list(scores.values()), dtype=float)  # (scores, classes)
    order, rows = np.argsort(percent[-1]), np.arange(len(names))
    percent = percent[:, order]
    ax.hlines(rows, percent.min(axis=0), percent.max(axis=0), color="0.75", zorder=1)
    for k, label in enumerate(scores):
        ax.scatter(percent[k], rows, s=45, color=COLOURS[k], marker=MARKERS[k], label=label, zorder=2)
    ax.set_yticks(rows, [names[k] for k in order])
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set(title="Scores of each class", xlabel="score (%)", ylabel="class")
    return ax


def reliability(ax: Axes, confidence: ArrayLike, accuracy: ArrayLike, counts: ArrayLike, ece: float) -> Axes:
    """Accuracy against mean confidence in equal bins from 0 to 1, above the number of images in each bin.

    Empty bins are left out. `ece` is the expected calibration error, a fraction.
    """
    confidence, accuracy, counts = (np.asarray(values, dtype=float) for values in (confidence, accuracy, counts))
    used = counts > 0
    ax.plot([0, 100], [0, 100], "--", color="0.5", label="perfectly calibrated")
    ax.plot(100 * confidence[used], 100 * accuracy[used], "o-", label="the network")
    ax.legend(loc="upper left")
    ax.set(title=f"Is the confidence deserved? ECE {100 * ece:.1f}%", ylabel="accuracy (%)", ylim=(0, 100))
    below = ax.inset_axes([0, -0.34, 1, 0.28], sharex=ax)
    below.stairs(counts, np.linspace(0, 100, len(counts) + 1), fill=True, color="0.6")
    below.yaxis.set_major_formatter("{x:,.0f}")
    below.set(xlim=(0, 100), xlabel="confidence (%)", ylabel="images")
    ax.tick_params(axis="x", labelbottom=False)
    return ax


def accuracies(ax: Axes, groups: Mapping[str, Sequence[float]], intervals: Mapping[str, tuple[float, float]]) -> Axes:
    """A row a group: a dot for every seed, and below it the mean with its interval (low, high), where one is given."""
    for row, (name, values) in enumerate(groups.items()):
        mean, text = 100 * np.mean(values), f"{100 * np.mean(values):.2f}"
        if name in intervals:
            low, high = (100 * bound for bound in intervals[name])
            text += f"  ({low:.2f} to {high:.2f})"
            ax.hlines(row + 0.12, low, high, color=COLOURS[0], linewidth=3)
        ax.plot(100 * np.asarray(values), [row - 0.12] * len(values), "o", color=COLOURS[1], alpha=0.8, label="a seed")
        ax.plot(mean, row + 0.12, "D", color=COLOURS[0], label="mean, with its\n95 % interval")
        ax.text(mean, row + 0.22, text, ha="center", va="top", fontsize="small")
    ax.legend(handles=ax.get_lines()[:2], loc="center left", bbox_to_anchor=(1, 0.5))
    ax.margins(x=0.25)
    ax.grid(False, axis="y")
    ax.set_yticks(range(len(groups)), groups)
    ax.set(title="Accuracy, seed by seed", xlabel="test accuracy (%)", ylim=(len(groups) - 0.3, -0.5))
    return ax


def disagreements(ax: Axes, rights: Mapping[str, ArrayLike], names: Sequence[str]) -> Axes:
    """What only one of two models gets right, class by class: to the left for the first model, to the right the second.

    Classes come in the order of the difference, those in which the second model gains most on top.
    """
    (first, left), (second, right) = ((model, np.asarray(counts, dtype=float)) for model, counts in rights.items())
    order = np.argsort(right - left, kind="stable")
    for model, counts, colour, hatch in ((first, -left, COLOURS[1], "//"), (second, right, COLOURS[0], "")):
        look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        found = ax.barh([names[k] for k in order], counts[order], height=0.7, label=f"only {model} is right", **look)
        ax.bar_label(found, [f"{abs(count):,.0f}" for count in counts[order]], padding=3, fontsize="small")
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.margins(x=0.1)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(lambda count, _: f"{abs(count):,.0f}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    ax.set(title="What only one of the two gets right", xlabel="number of images")
    return ax


# --- Speed ---


def speeds(ax: Axes, table: pd.DataFrame, ours: Sequence[str]) -> Axes:
    """A bar for each row: its `median` seconds, and a line from its `least` to its `most`; `ours` in colour.

    Rows have a `peer`, by whom the fastest comes first.
    """
    table = table.sort_values("median")
    bars(ax, dict(zip(table["peer"], table["median"], strict=True)), "CPU seconds an epoch")
    for place, (bar, row) in enumerate(zip(ax.patches, table.itertuples(), strict=True)):
        bar.set_color(COLOURS[0] if row.peer in ours else "0.75")
        ax.plot([row.least, row.most], [place, place], color="0.3", linewidth=1.5)
        ax.text(row.most, place, f"  {row.median:.2f}", va="center", fontsize="small")
    ax.set(title="Speed", xlim=(0, 1.2 * table["most"].max()))
    return ax


def breakdown(ax: Axes, steps: Mapping[str, Mapping[str, float]]) -> Axes:
    """A bar for each name, of the microseconds that each part of a step takes, one after the other."""
    left = np.zeros(len(steps))
    parts = dict.fromkeys(part for step in steps.values() for part in step)
    for part, colour in zip(parts, COLOURS, strict=False):
        lengths = np.array([step.get(part, 0.0) for step in steps.values()])
        ax.barh(list(steps), lengths, left=left, height=0.7, color=colour, edgecolor="white", label=part)
        left += lengths
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(title="Where the time of a step goes", xlabel="µs a step")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    return ax
