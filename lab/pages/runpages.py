"""A page for each of a sweep's best runs: what it was asked for, how it learnt, what it took for what, its notebook.

Chapter 4 writes them as executed notebooks, which `report.py build` renders with all others, to reports/runs/.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from numpy.typing import ArrayLike

from lab.execution.notebook import TRAINING, read
from lab.pages import figures, interactive
from lab.pages.coordinates import METRIC, Metric
from lab.pages.words import plain
from lab.tracking import Record, flat, runs_root

FOLDER = "runs"  # in runs/notebooks/, and in reports/
Judged = tuple[ArrayLike, ArrayLike, ArrayLike]  # labels (n,), probabilities (n, classes), images (n, pixels)


def write(
    runs: Iterable[tuple[Record, Path]],
    judge: Callable[[Record, Path], Judged],
    names: Sequence[str],
    metric: str = METRIC,
) -> list[str | None]:
    """Write the pages of the `runs`, records with their folders, the best first; return the address of each.

    It is seen from chapter 4; None stands for a run whose notebook or weights are not kept. `judge` gives what a run's
    network says of its validation images, whose classes have `names`. The `metric`, under the name that epochs have for
    it, has put the runs in their order.
    """
    target = runs_root() / "notebooks" / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob("*.ipynb"):
        stale.unlink()
    addresses: list[str | None] = []
    for place, (record, folder) in enumerate(runs, 1):
        kept = all((folder / name).exists() for name in (TRAINING.name, "weights.npz"))
        addresses.append(f"{FOLDER}/{place:02}.html" if kept else None)
        if kept:
            page = _notebook(place, record, folder, judge(record, folder), names, Metric(metric))
            nbformat.write(page, target / f"{place:02}.ipynb")
    return addresses


def _notebook(
    place: int, record: Record, folder: Path, judged: Judged, names: Sequence[str], metric: Metric
) -> nbformat.NotebookNode:
    executed, last = read(folder / TRAINING.name), record["history"][-1]
    config = "\n".join(f"| {plain(name)} | {plain(value)} |" for name, value in _asked(record).items())
    cells = [
        f"# Run {place}: {_title(metric, last[metric.name])}",
        f"Number {place} of the runs, those of the best configuration by {plain(metric.words)} first. Its folder is "
        f"`{record['name']}`.",
        f"## What it was asked for\n\n| parameter | value |\n|---|---|\n{config}",
        "## How it learnt",
        _shown(_curves, record["history"]),
        "## What it took for what\n\nThe validation images, on which it was judged.",
        _shown(_confusion, *judged, names),
        "## The notebook of the run\n\nAs it was executed; a sweep leaves out its figures.",
        *(_below(cell, folder) for cell in executed.cells),
    ]
    cells = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    for k, cell in enumerate(cells):
        cell["id"] = f"run-{k}"
    return new_notebook(cells=cells, metadata=executed.metadata | {"provenance": _provenance(record)})


def _asked(record: Record) -> dict[str, Any]:
    """What a run was asked for; without a limit, it takes all images."""
    asked = flat(record["config"])
    return asked | {"limit": "all"} if asked.get("limit", 0) is None else asked


def _title(metric: Metric, value: float) -> str:
    if metric.name == METRIC:
        return f"{metric.text(value)} of the validation images"
    return f"{plain(metric.words)} {metric.text(value)}"


def _shown(draw: Callable, *values: Any) -> nbformat.NotebookNode:
    """A cell without code that holds what `draw` shows of the values."""
    outputs: list[nbformat.NotebookNode] = []

    def keep(*shown: Any) -> None:
        data, metadata = interactive.forms_of(*shown)
        outputs.append(new_output("display_data", data=data, metadata=metadata))

    draw(*values, show=keep)
    return new_code_cell("", outputs=outputs, metadata={"tags": ["hide-input"]})


def _curves(history: Sequence[Mapping[str, float]], show: interactive.Show) -> None:
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
    for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
        figures.curves(ax, history, metric)
    interactive.training(fig, figures.told(history), history, show=show)


def _confusion(
    labels: ArrayLike, probabilities: ArrayLike, images: ArrayLike, names: Sequence[str], show: interactive.Show
) -> None:
    labels, said = np.asarray(labels), np.argmax(probabilities, axis=1)
    counts = np.array([np.bincount(said[labels == k], minlength=len(names)) for k in range(len(names))])
    fig, ax = plt.subplots(figsize=(8.4, 7))
    figures.confusion_matrix(ax, counts, names)
    alt = f"Confusion matrix of {len(labels):,} validation images, of which {np.mean(said == labels):.1%} are right."
    interactive.confusion(fig, alt, names, labels, np.asarray(probabilities)[None], images, most=6, show=show)


def _below(cell: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """A cell of the run's notebook with its headings a level lower, and links that lead from the runs' folder.

    Where on this machine the run was kept is left out.
    """
    cell.source = cell.source.replace(str(folder.absolute()), f"{folder.parent.name}/{folder.name}")
    if cell.cell_type == "markdown":
        cell.source = re.sub(r"^(#+ )", r"##\1", cell.source, flags=re.MULTILINE)
        cell.source = re.sub(r"\]\((\d\d_\w+\.ipynb)", r"](../\1", cell.source)
    return cell


def _provenance(record: Record) -> dict[str, Any]:
    versions = dict(record.get("versions", {}))
    platform = versions.pop("platform", "unknown")
    given = yaml.safe_dump(record["config"], default_flow_style=True, width=10_000).strip()
    return {
        "commit": record.get("commit"),
        "date": record.get("finished", record.get("started")),
        "seconds": round(record["seconds"], 1),
        "parameters": _asked(record),
        "versions": versions,
        "machine": platform,
        "command": shlex.join(["papermill", f"notebooks/{TRAINING.name}", "run.ipynb", "-y", given]),
    }
