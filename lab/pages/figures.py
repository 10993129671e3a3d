"""Figures that are this project's own: a function takes an ax first, draws one thing on it, with title and units.

A notebook calls `style()` once, then `fig, ax = plt.subplots()`, seaborn or one of these functions, and `show(fig,
alt=...)`. Titles say what is drawn; `ax.set_title` puts the finding in their place. Colours are safe for the
colour-blind, and no class or run is told by colour alone. Shares and accuracies come in as fractions from 0 to 1, drawn
in per cent. `Live` draws the curves of a training that is under way.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import DisplayHandle, Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from PIL import Image as Pictures

from lab.pages.coordinates import METRIC, Metric, Scale, beside, binned, coordinates
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
    if not alt.strip():
        raise ValueError("figures.show got an empty alt text: say in a sentence what the figure shows")
    display(_picture(fig, alt, photographs=photographs))


def _picture(fig: Figure, alt: str, **about: bool) -> Image:
    return Image(png(fig), retina=True, alt=alt, metadata={name: True for name, holds in about.items() if holds})


def png(fig: Figure) -> bytes:
    """The figure, which is closed, as a PNG of twice the screen's resolution.

    It has the 256 colours that fit it best: to the eye the same, in less than half the bytes.
    """
    full, small = io.BytesIO(), io.BytesIO()
    for text in fig.findobj(lambda part: isinstance(part, Text) and "$" not in part.get_text()):
        text.set_text(typeset(text.get_text()))
    fig.savefig(full, format="png", dpi=2 * 96, bbox_inches="tight")
    plt.close(fig)
    with Pictures.open(full) as picture:
        palette = picture.convert("RGB").quantize(256, Pictures.Quantize.MEDIANCUT, dither=Pictures.Dither.NONE)
    palette.save(small, "png", optimize=True)
    return small.getvalue()


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
    scale = f"from {-high:.3g} (blue) to {high:.3g} (red)" if signed else f"from 0 (no ink) to {high:.3g} (full ink)"
    ax.set(title="Pictures", xlabel=f"{unit} {scale}", xticks=[])
    ax.set_yticks(header + side / 2 + height * np.arange(len(rows)), rows)
    return _frameless(ax)


def _frameless(ax: Axes) -> Axes:
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


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
        picture = _picture(fig, f"Loss and accuracy, up to epoch {len(history)} of {self.max_epochs}.")
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


# --- Sweeps: a table has a row a run, a column a parameter, and the metric, missing where a run diverged or failed ---


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
        label = "off this scale,\ndiverged or failed"
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
    return _frameless(ax)


def importance(ax: Axes, shares: pd.DataFrame, metric: str = METRIC) -> Axes:
    """The `mean` share of each parameter in explaining a metric, largest first, with its interval `low` to `high`."""
    percent = 100 * shares.sort_values("mean", ascending=False)
    sns.barplot(x=percent["mean"], y=percent.index, color=COLOURS[0], saturation=1, width=0.7, ax=ax)
    whiskers = [percent["mean"] - percent["low"], percent["high"] - percent["mean"]]
    ax.errorbar(percent["mean"], range(len(percent)), xerr=whiskers, fmt="none", ecolor="0.3", capsize=3)
    ax.axvline(100 / len(percent), linestyle="--", color=COLOURS[3], linewidth=1.2, label="if all decided alike")
    ax.legend(loc="lower right")
    ax.set(
        title=f"What decides the {Metric(metric).words}",
        xlabel="importance (% of the total)",
        ylabel="",
        xlim=(0, None),
    )
    return ax


def correlation(ax: Axes, found: pd.Series, limit: float) -> Axes:
    """Rank correlations with the metric; those beyond the `limit` of what chance explains are in colour."""
    colours = [COLOURS[0] if abs(value) > limit else "0.75" for value in found]
    sns.barplot(x=found.to_numpy(), y=found.index, hue=found.index, palette=colours, saturation=1, width=0.7, ax=ax)
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
        sns.stripplot(x=values, y=shown, color="0.6", size=4, jitter=0.15, ax=ax)
        sns.pointplot(x=values, y=shown, estimator="median", marker="D", ax=ax, **look)
        ax.set(title=name, xlabel="", ylabel="")
        ax.set_xticks(ax.get_xticks(), [label.replace(" to ", "\nto ") for label in values.cat.categories], fontsize=9)


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
    return _frameless(ax)


def _cell_text(count: float, share: float, right: bool) -> str:
    """A count, which may be a mean, with its share where that is not tiny; nothing where there is none."""
    if count <= 0.5:
        return ""
    return f"{count:,.0f}\n{share:.0f} %" if right or share >= 0.95 else f"{count:,.0f}"


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


# --- Speed ---


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
    sns.move_legend(ax, "upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, title=None, reverse=True)
    return ax


# --- A picture of one's own ---


def deciding(axes: Sequence[Axes], photo: ArrayLike, pixels: ArrayLike, share: ArrayLike) -> None:
    """Three axes: a photograph (height, width, 3), what a network is given of it, and each pixel's share in its answer.

    `pixels` and `share` are (side, side). Red: ink here speaks for the answer; blue: against it. The picture's outline,
    where it has half its ink, is drawn on top.
    """
    pixels, share = np.asarray(pixels), np.asarray(share)
    high = np.abs(share).max() or 1.0
    axes[0].imshow(photo)
    axes[1].imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
    axes[2].imshow(share, cmap="RdBu_r", vmin=-high, vmax=high)
    if pixels.any():
        around = np.arange(-1, len(pixels) + 1)  # with a margin of blank paper, so that outlines are closed
        axes[2].contour(around, around, np.pad(pixels, 1), [pixels.max() / 2], colors="0.2", linewidths=0.8)
    for ax, title in zip(axes, ("picture", "what it is given", "what speaks for it"), strict=True):
        _frameless(ax).set(title=title, xticks=[], yticks=[])
