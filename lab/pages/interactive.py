"""Figures that answer the reader: a still picture, and what a script needs to draw one that can be worked.

A notebook calls one of these in place of `figures.show`. In JupyterLab and in the reports the script turns the picture
into the interactive form; readers without JavaScript, and printers, get the picture, with its alt text.

No plotting library is behind it, for none that was weighed (late 2026) does what is asked here. Plotly (4.8 MB, or 1.6
in parts) moves and brushes axes, but names no run on hover; ECharts (1.1 MB) cannot move axes; Vega with Vega-Lite
(0.8 MB) and D3 (0.3 MB) leave nearly all of it to be written; and none can be worked by keyboard. The script and its
styles in templates/report/ are 16 kB, and follow the page's colours in light and dark.
"""

from __future__ import annotations

import html
import io
import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from IPython.display import display
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from lab.pages import figures

if TYPE_CHECKING:
    import pandas as pd

FORM = "application/vnd.fashion-mnist.interactive+json"  # as report.py knows it
ASSETS = Path(__file__).with_name("templates")
METRIC = "validationaccuracy"


def show(fig: Figure, alt: str, kind: str, data: Mapping[str, Any]) -> None:
    """Display `fig` as figures.show does, with the `data` of which the script draws a figure of some `kind`."""
    if not alt.strip():
        raise ValueError("interactive.show got an empty alt text: say in a sentence what the figure shows")
    picture = figures.png(fig)
    width, height = (side // 2 for side in Image.open(io.BytesIO(picture)).size)
    png, text = b64encode(picture).decode(), json.dumps(data, allow_nan=False).replace("<", r"\u003c")
    script, style = ((ASSETS / f"interactive.{ending}").read_text(encoding="utf-8") for ending in ("js", "css"))
    page = (  # for JupyterLab; a report needs script and style only once
        f'<figure class="interactive" data-kind="{kind}"><img src="data:image/png;base64,{png}" width="{width}" '
        f'alt="{html.escape(alt)}"><script type="application/json">{text}</script></figure>'
        f"<style>{style}</style><script>{script}</script>"
    )
    forms = {FORM: {"kind": kind, "data": data}, "text/html": page, "image/png": png, "text/plain": alt}
    display(forms, raw=True, metadata={"image/png": {"alt": alt, "width": width, "height": height}})


# --- A sweep ---


def parallel_coordinates(fig: Figure, alt: str, table: pd.DataFrame, parameters: Sequence[str]) -> None:
    """Show `fig`, and a line a run through its parameters, whose axes can be brushed and moved.

    The table has a row a run: its `name`, the `parameters`, and its validation accuracy, missing where it diverged.
    """
    table = table.sort_values(METRIC, na_position="first", kind="stable")  # the best is drawn last
    accuracy = 100 * table[METRIC].to_numpy(dtype=float)
    rank = np.arange(len(table)) / len(table) - 0.5
    axes = [_axis(name, table[name], rank) for name in parameters] + [_accuracy_axis(accuracy)]
    median, best = np.nanmedian(accuracy), np.nanmax(accuracy)
    shades = np.clip(np.nan_to_num((accuracy - median) / max(best - median, 1e-9)), 0, 1)
    values = ["no accuracy" if math.isnan(value) else f"{value:.2f} %" for value in accuracy]
    runs = [
        {"name": str(name), "value": value, "shade": round(float(shade), 3)}
        for name, value, shade in zip(table["name"], values, shades, strict=True)
    ]
    show(fig, alt, "parallel", {"axes": axes, "runs": runs})


def _axis(name: str, column: pd.Series, rank: np.ndarray) -> dict[str, Any]:
    """Heights from 0 to 1 of all runs, ticks, and the parts that the keyboard chooses: [low, high, what it holds].

    Few or non-numeric values are categories in order; within one, the better a run, the higher it passes.
    """
    numeric = column.dtype.kind in "iuf"
    texts = [f"{value:g}" if numeric else str(value) for value in column]
    if not numeric or column.nunique() <= 8:
        values = column.astype("category").cat
        labels = [f"{value:g}" if numeric else str(value) for value in values.categories]
        share = 1 / len(labels)
        heights = np.where(values.codes < 0, np.nan, (values.codes + 0.5 + 0.6 * rank) * share)
        ticks = [[label, (k + 0.5) * share] for k, label in enumerate(labels)]
        parts = [[k * share, (k + 1) * share, label] for k, label in enumerate(labels)]
        return _described(name, heights, texts, ticks, parts)
    low, high = column.min(), column.max()
    scale, back = (np.log, np.exp) if low > 0 and high / low > 50 else (np.array, float)
    heights = (scale(column) - scale(low)) / (scale(high) - scale(low))
    ticks = [[f"{back(scale(low) + place * (scale(high) - scale(low))):.3g}", place] for place in np.linspace(0, 1, 5)]
    return _described(name, np.asarray(heights), texts, ticks, _quarters(ticks))


def _accuracy_axis(accuracy: np.ndarray) -> dict[str, Any]:
    """The last axis; what is far below the median, or missing, passes at its foot."""
    median, best = np.nanmedian(accuracy), np.nanmax(accuracy)
    floor = max(best - 2 * max(best - median, 0.1), 0)
    heights = np.clip(np.nan_to_num((accuracy - floor) / (best - floor)), 0, 1)
    ticks = [[f"{floor + place * (best - floor):.1f}", place] for place in np.linspace(0, 1, 5)]
    if np.nanmin(accuracy) < floor:
        ticks[0][0] = f"≤ {ticks[0][0]}"
    return _described("accuracy (%)", heights, [f"{value:.2f}" for value in accuracy], ticks, _quarters(ticks))


def _quarters(ticks: list[list]) -> list[list]:
    return [[a, b, f"{low} to {high}"] for (low, a), (high, b) in pairwise(ticks)]


def _described(name: str, heights: np.ndarray, texts: list[str], ticks: list, parts: list) -> dict[str, Any]:
    places = [None if math.isnan(height) else round(float(height), 4) for height in heights]
    return {"name": name, "places": places, "texts": texts, "ticks": ticks, "parts": parts}


# --- A confusion matrix ---


def confusion(
    fig: Figure,
    alt: str,
    names: Sequence[str],
    labels: ArrayLike,
    probabilities: ArrayLike,
    images: ArrayLike,
    *,
    order: Sequence[int] | None = None,
    most: int = 12,
) -> None:
    """Show `fig`, and a table of true class by predicted class in which a cell opens the mistakes behind it.

    One network's `probabilities` (n, classes) for `images` (n, pixels) of true `labels` (n,). A cell shows the `most`
    confident of its mistakes; `order` arranges the classes, as figures.confusion_matrix has them.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    order = list(range(len(names)) if order is None else order)
    said, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (labels, said), 1)
    chosen, cells = [], []
    for true, guess in ((true, guess) for true in order for guess in order if true != guess and counts[true, guess]):
        found = np.flatnonzero((labels == true) & (said == guess))
        found = found[np.argsort(-confidence[found], kind="stable")[:most]]
        row, column = order.index(true), order.index(guess)
        texts = [f"{confidence[i]:.0%} sure" for i in found]
        cells.append({"row": row, "column": column, "first": len(chosen), "texts": texts})
        chosen.extend(found)
    atlas, side = _atlas(np.asarray(images)[chosen])
    arranged = counts[np.ix_(order, order)].tolist()
    show(
        fig,
        alt,
        "confusion",
        {"names": [names[k] for k in order], "counts": arranged, "cells": cells, "atlas": atlas, "side": side},
    )


def _atlas(pictures: np.ndarray, columns: int = 32) -> tuple[str, int]:
    """All pictures in one, row after row, black on white, as a data: address; and the side of each."""
    side = math.isqrt(pictures[0].size) if len(pictures) else 1
    grid = np.full((max(math.ceil(len(pictures) / columns), 1) * side, columns * side), 255, dtype=np.uint8)
    for k, picture in enumerate(pictures):
        top, left = k // columns * side, k % columns * side
        grid[top : top + side, left : left + side] = 255 - picture.reshape(side, side)
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, "WEBP", lossless=True)
    return "data:image/webp;base64," + b64encode(buffer.getvalue()).decode(), side
