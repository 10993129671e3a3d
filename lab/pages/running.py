"""A notebook executed for its page, with its provenance: what a reader needs to make it again."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

from common.files import NotWritten, make_folder, scratch
from common.names import nearest
from lab.execution.executing import ExecutionError, Kernels
from lab.execution.notebook import parameters, read
from lab.pages.refusals import ReportError
from lab.tracking import REPOSITORY, THREADS, commit, runs_root

PACKAGES = ("matplotlib", "numpy", "optuna", "pandas", "papermill", "seaborn", "wandb")  # whose versions a page states


def run(notebook: Path, given: Mapping[str, Any]) -> Path:
    """Execute `notebook` with the `given` parameters into runs/notebooks/ and return where it is, provenance included.

    Each section is announced, and what cells print appears at once. If it fails, it is kept as <name>.failed.ipynb, an
    earlier finished one stays as it was, and ReportError says which cell and why.
    """
    cells = read(notebook).cells
    defaults = {name: parameter.default for name, parameter in parameters(notebook).items()}
    for name in given.keys() - defaults.keys():
        near = nearest(name, defaults)
        hint = f"did you mean {near}?" if near else f"it has {', '.join(defaults) or 'none'}."
        raise ReportError(f"{notebook} has no parameter {name}: {hint}")
    finished = runs_root() / "notebooks" / notebook.name
    failed = finished.with_suffix(".failed.ipynb")
    make_folder(finished.parent)
    provenance = _provenance(notebook, given, defaults)
    watched = _Announcer(notebook.stem, len(cells) + bool(given))  # papermill adds a cell for what is given
    with scratch("executing", finished.parent) as folder:
        partial = folder / notebook.name
        try:
            executed, seconds = _execute(notebook, partial, given, watched)
            executed.metadata["provenance"] = provenance | {"seconds": seconds}
            nbformat.write(executed, partial)
            partial.replace(finished)
            failed.unlink(missing_ok=True)
        except ExecutionError as error:
            partial.replace(failed)
            raise ReportError(f"{notebook} failed in {watched.place}: {error} (kept as {failed})") from error
        except OSError as error:  # of a full disk, say
            raise NotWritten(finished, error) from error
    return finished


class _Announcer:
    """Called as each cell starts: prints the headings, and knows how far it is."""

    def __init__(self, name: str, cells: int) -> None:
        self.name, self.cells, self.place = name, cells, "the start of its kernel"

    def __call__(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self.place = f"cell {cell_index + 1} of {self.cells}"
        heading = re.match(r"#+ +(.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            print(f"{self.name}: {self.place} · {heading[1]}", flush=True)


def _execute(
    notebook: Path, partial: Path, given: Mapping[str, Any], watched: _Announcer
) -> tuple[nbformat.NotebookNode, float]:
    """The executed notebook, and the seconds that it took."""
    options = {"stdout_file": sys.stdout, "stderr_file": sys.stderr, "request_save_on_cell_execute": True}
    threads = dict.fromkeys(THREADS, "1") | os.environ  # one is fastest for small matrices
    start = time.perf_counter()
    executed = Kernels(threads).execute(notebook, partial, given, on_cell_start=watched, **options)
    return executed, round(time.perf_counter() - start, 1)


def _provenance(notebook: Path, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    path = notebook.resolve()
    path = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else Path(path.name)
    options = [word for name, value in given.items() for word in ("-p", name, json.dumps(value))]
    return {
        "commit": commit(REPOSITORY),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": {**defaults, **given},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": f"{platform.platform()}, {os.cpu_count()} CPUs",
        "command": shlex.join(["python", "report.py", "run", path.as_posix(), *options]),
    }
