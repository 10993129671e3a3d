"""A table of trainings that grows: a row for each epoch, written after every slice of them, so that it can go on.

A *label* is what tells one training from another: the values of the table's first columns.
"""

from __future__ import annotations

import itertools
import lzma
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_info

from common.files import write_whole
from common.machine import processor
from lab.execution.notebook import Config
from lab.search.sweep import run_configurations
from lab.tracking import Record, runs_root

Label = dict[str, Any]

FIGURES = ("loss", "accuracy", "validationloss", "validationaccuracy", "seconds")  # of an epoch
DIGITS = "%.5g"  # rounding in float32 moves losses by more, and the shares can be told apart


def grow(
    path: Path,
    keys: Sequence[str],
    lacking: Callable[[pd.DataFrame], Iterable[tuple[Label, Config]]],
    name: str,
    slice_of: int,
    *,
    slices: int | None = None,
    workers: int = 2,
    keep: Callable[[Config, Path], object] = lambda config, folder: None,
    tell: Callable[[pd.DataFrame], object] = lambda table: None,
    **how: Any,
) -> None:
    """Train what is lacking of a table, until nothing is or so many `slices` are done.

    `keys` are the columns of a label, `name` is the folder of runs that a slice leaves, and `how` is for
    `run_configurations`. After each slice `keep` is given each configuration and the folder of its run, the table is
    written, then given to `tell`, and the folders are deleted. Raises SweepError if a run fails.
    """
    os.environ["WANDB_MODE"] = "disabled"  # the table is the record
    table = load(path, keys)
    for _ in range(slices) if slices else itertools.count():
        # The next slice is chosen when the last is in the table: what it holds may decide what is lacking.
        chosen = list(itertools.islice(lacking(table), slice_of))
        if not chosen:
            return
        labels, configs = zip(*chosen, strict=True)
        records = run_configurations(configs, name, workers, **how)
        folders = [runs_root() / name / record["name"] for record in records]
        for config, folder in zip(configs, folders, strict=True):
            keep(config, folder)
        table = pd.concat([table, rows(labels, records)] if len(table) else [rows(labels, records)])
        write(table, keys, path)
        tell(table)
        for folder in folders:  # and no others, which an interrupted slice of another size may have left
            shutil.rmtree(folder)


def load(path: Path, keys: Sequence[str]) -> pd.DataFrame:
    """The table; without rows where there is none yet."""
    return pd.read_csv(path) if path.exists() else empty(keys)


def empty(keys: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=[*keys, "epoch", *FIGURES, "status", "commit", "machine"])


def rows(labels: Iterable[Label], records: Iterable[Record]) -> pd.DataFrame:
    """Rows of the table: one for each epoch, and one without figures for the epoch in which a training diverged."""
    lines, made_on, label = [], machine(), {}
    for label, record in zip(labels, records, strict=True):
        run = label | {"status": record["status"], "commit": record["commit"], "machine": made_on}
        history = list(record["history"])
        if record["status"] == "diverged":
            history.append({"epoch": len(history) + 1})
        lines += [run | {name: epoch.get(name) for name in ("epoch", *FIGURES)} for epoch in history]
    return pd.DataFrame(lines, columns=list(empty(list(label))))


def machine() -> str:
    """What decides the rounding and the time of a training, besides the code."""
    names = ("numpy", "numba")
    products = [info["architecture"] for info in threadpool_info() if info.get("internal_api") == "openblas"]
    versions = [f"{name} {installed}" for name in names if (installed := _version(name))]
    facts = [processor(), *(f"OpenBLAS for {name}" for name in products[:1]), f"Python {platform.python_version()}"]
    return ", ".join([*facts, *versions])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write(table: pd.DataFrame, keys: Sequence[str], path: Path) -> None:
    """Write the table whole or not at all, its rows in order, so that it is the same however it came about."""
    ordered = table.sort_values([*keys, "epoch"], kind="stable").round({"seconds": 2})
    write_rows(ordered, path)


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as a compressed CSV file, which pandas reads as it is, whole or not at all."""
    text = rows.to_csv(index=False, lineterminator="\n", float_format=DIGITS)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lzma.compress(text.encode(), preset=1))  # ten times as fast as the default, and 13 % larger
