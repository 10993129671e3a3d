"""Interactive figures: a still picture, and what a script needs to draw one that can be worked.

A notebook calls one of these in place of `figures.show`. In JupyterLab and in the reports the script turns the picture
into the interactive form; readers without JavaScript, and printers, get the picture, with its alt text.

No plotting library is behind it, for none that was weighed (late 2026) does what is asked here. Plotly (4.8 MB, or 1.6
in parts) moves and brushes axes, but names no run on hover; ECharts (1.1 MB) cannot move axes; Vega with Vega-Lite
(0.8 MB) and D3 (0.3 MB) leave nearly all of it to be written; and none can be worked by keyboard. For curves alone,
uPlot (51 kB) is what draws a hundred thousand points quickly; ours have tens, and what they need besides drawing, a
slider that a screen reader follows, names that are buttons, colours of the page, would be ours all the same, around a
canvas that holds no elements. The script and its styles in templates/ are 30 kB together.
"""

from __future__ import annotations

import html
import io
import json
import math
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from lab.pages import INTERACTIVE, figures
from lab.pages.coordinates import METRIC, Axis, Scale, beside, coordinates
from lab.pages.typography import typeset
from lab.pages.words import sure

ASSETS = Path(__file__).with_name("templates")


def show(fig: Figure, alt: str, kind: str, data: Mapping[str, Any]) -> None:
    """Display `fig` as figures.show does, with the `data` of which the script draws a figure of some `kind`."""
    forms, metadata = forms_of(fig, alt, kind, data)
    display(forms, raw=True, metadata=metadata)


def forms_of(fig: Figure, alt: str, kind: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is displayed: its forms by their media types, and their metadata. The figure is closed."""
    pictures, said = figures.forms(fig, alt)
    png, width = pictures["image/png"], said["image/png"]["width"]
    text = json.dumps(data, allow_nan=False).replace("<", r"\u003c")
    script, style = ((ASSETS / f"interactive.{ending}").read_text(encoding="utf-8") for ending in ("js", "css"))
    page = (  # for JupyterLab; a report needs script and style only once
        f'<figure class="interactive" data-kind="{kind}"><img src="data:image/png;base64,{png}" width="{width}" '
        f'alt="{html.escape(alt)}"><script type="application/json">{text}</script></figure>'
        f"<style>{style}</style><script>{script}</script>"
    )
    return pictures | {INTERACTIVE: {"kind": kind, "data": data}, "text/html": page}, said


Show = Callable[[Figure, str, str, Mapping[str, Any]], None]  # what becomes of a figure, its alt text, kind and data


# --- A sweep ---


def parallel_coordinates(
    fig: Figure,
    alt: str,
    table: pd.DataFrame,
    parameters: Sequence[str],
    metric: str = METRIC,
    goal: str = "maximize",
) -> None:
    """Show `fig`, and a line a run through its parameters, whose axes can be brushed and moved.

    The table has a row a run: its `name`, the `parameters`, and the metric, missing where it diverged.
    """
    lines = coordinates(table, parameters, metric, goal)
    names = table["name"].iloc[lines.order].astype(str)
    runs = [
        {"name": name, "value": value, "shade": round(float(shade), 3)}
        for name, value, shade in zip(names, lines.values, lines.shades, strict=True)
    ]
    show(fig, alt, "parallel", {"axes": [_described(axis) for axis in lines.axes], "runs": runs})


def _described(axis: Axis) -> dict[str, Any]:
    places = [None if math.isnan(height) else round(float(height), 4) for height in axis.heights]
    return axis._asdict() | {"heights": places}


# --- Curves ---


def curves(
    fig: Figure,
    alt: str,
    panels: Mapping[str, pd.DataFrame],
    *,
    on: Sequence[str] | None = None,
    looks: Mapping[str, str] | None = None,
    logarithmic: Sequence[str] = (),
    texts: Sequence[str] | None = None,
    about: pd.DataFrame | None = None,
    links: Mapping[str, str] | None = None,
    show: Show = show,
) -> None:
    """Show `fig`, and curves that can be read value by value, enlarged, and switched off.

    `panels` has a table for each panel, by the name of its y: a column a series, a row an x, and the index named after
    x; all have the same columns and the same index. Series `on` are shown at first; `looks` has "points" or "steps" for
    those that are no "line"; `logarithmic` names axes. `texts` has words for each x. `about` has a row of facts for
    each series, which stand in a table below, with `links` to their pages.
    """
    first = next(iter(panels.values()))
    looks, links = looks or {}, links or {}
    series = [
        {"name": name, "on": on is None or name in on, "look": looks.get(name, "line"), "link": links.get(name)}
        for name in map(str, first.columns)
    ]
    x = {"name": str(first.index.name), "values": [_plain(value) for value in first.index]}
    x |= {"log": x["name"] in logarithmic, "texts": None if texts is None else [str(text) for text in texts]}
    drawn = [
        {"name": name, "log": name in logarithmic, "values": [[_plain(v) for v in frame[key]] for key in frame]}
        for name, frame in panels.items()
    ]
    facts = None
    if about is not None:
        rows = about.map(_short).to_numpy().tolist()
        facts = {"name": str(about.index.name), "columns": [str(name) for name in about], "rows": rows}
    show(fig, alt, "curves", {"x": x, "panels": drawn, "series": series, "about": facts})


def training(fig: Figure, alt: str, history: Sequence[Mapping[str, float]], show: Show = show) -> None:
    """Show `fig`, and the curves of one training; `history` has one record an epoch, as figures.curves takes it."""
    records = pd.DataFrame(history).set_index("epoch")
    panels = {"loss (mean over the images)": (1, "loss"), "accuracy (%)": (100, "accuracy")}
    frames = {
        name: scale
        * records.reindex(columns=[metric, f"validation{metric}"]).set_axis(["training", "validation"], axis=1)
        for name, (scale, metric) in panels.items()
    }
    if all(frame["validation"].isna().all() for frame in frames.values()):
        frames = {name: frame[["training"]] for name, frame in frames.items()}
    curves(fig, alt, frames, show=show)


def best_so_far(
    fig: Figure,
    alt: str,
    table: pd.DataFrame,
    parameters: Sequence[str],
    metric: str = METRIC,
    goal: str = "maximize",
) -> None:
    """Show `fig`, and the runs of comparisons.best_so_far with their values of the `parameters`.

    Those off its scale are left out.
    """
    scale, sweeps = Scale(table, metric, goal), table.get("sweep", pd.Series("run", table.index))
    number = pd.RangeIndex(1, len(table) + 1, name="run")
    kept = pd.Series(np.where(scale.below(), np.nan, scale.values), number)
    names = list(dict.fromkeys(sweeps.astype(str)))
    frame = pd.DataFrame({name: kept.where(sweeps.to_numpy() == name) for name in names})
    frame["best so far"] = kept.cummin() if goal == "minimize" else kept.cummax()
    frame["best so far"] = frame["best so far"].ffill()
    texts = [", ".join(text) for text in table[list(parameters)].map(_short).to_numpy()]
    looks = dict.fromkeys(names, "points") | {"best so far": "steps"}
    curves(fig, alt, {scale.metric.label: frame}, looks=looks, texts=texts)


def _short(value: Any) -> str:
    return typeset(f"{value:g}" if isinstance(value, float) else str(value))


def compare(
    fig: Figure,
    alt: str,
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    about: pd.DataFrame,
    *,
    on: Sequence[str],
    links: Mapping[str, str] | None = None,
    metric: str = METRIC,
) -> None:
    """Show `fig`, and the learning curves of the runs that a reader chooses among `histories`, at first those `on`.

    `about` has a row of facts for each run, in the same order. The first panel is that of the `metric`.
    """
    frames = {}
    for shown in beside(metric):
        columns = {
            run: {e["epoch"]: shown.factor * e.get(shown.name, np.nan) for e in epochs}
            for run, epochs in histories.items()
        }
        frames[shown.label] = pd.DataFrame(columns, columns=list(histories)).sort_index().rename_axis("epoch")
    curves(fig, alt, frames, on=on, about=about, links=links)


def _plain(value: float) -> float | None:
    """A number in six digits, which are more than a figure shows, or None for one that is missing or not finite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


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
    show: Show = show,
) -> None:
    """Show `fig`, and a table of true class by predicted class in which a cell opens the mistakes behind it.

    `probabilities` (networks, n, classes) are those of one or several networks for `images` (n, pixels) of true
    `labels` (n,). Counts are means over the networks, and a cell shows the `most` of its mistakes that most networks
    make, the surest first. `order` arranges the classes, as figures.confusion_matrix has them.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    order = list(range(len(names)) if order is None else order)
    said = probabilities.argmax(axis=2)
    counts = np.array([[(said[:, labels == true] == guess).sum() for guess in order] for true in order]) / len(said)
    counts, chosen, cells = np.rint(counts).astype(int), [], []  # as a still matrix writes them
    for row, column in zip(*np.nonzero(counts * (1 - np.eye(len(order), dtype=int))), strict=True):
        cases = np.flatnonzero(labels == order[row])
        guess = order[column]
        mistakes, texts = _mistakes(cases, said[:, cases] == guess, probabilities[:, cases, guess], most)
        cells.append({"row": int(row), "column": int(column), "first": len(chosen), "texts": texts})
        chosen.extend(mistakes)
    atlas, side = _atlas(np.asarray(images)[chosen])
    data = {"names": [names[k] for k in order], "counts": counts.tolist(), "cells": cells, "atlas": atlas, "side": side}
    show(fig, alt, "confusion", data)


def _mistakes(cases: np.ndarray, made: np.ndarray, confidence: np.ndarray, most: int) -> tuple[np.ndarray, list[str]]:
    """The cases in which a mistake is `made` (networks, cases), those of most networks first, and a word on each."""
    votes = made.sum(axis=0)
    surely = np.where(made, confidence, 0).sum(axis=0) / np.maximum(votes, 1)
    ranked = np.lexsort((-surely, -votes))[: min(most, np.count_nonzero(votes))]
    by = [f"by {votes[k]} of {len(made)}, " if len(made) > 1 else "" for k in ranked]
    return cases[ranked], [f"{voters}{sure(surely[k])} sure" for voters, k in zip(by, ranked, strict=True)]


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
