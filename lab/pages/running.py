"""A notebook executed for its page, with its provenance: what a reader needs to make it again."""

from __future__ import annotations

import ast
import difflib
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
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill import PapermillExecutionError, execute_notebook, inspect_notebook

from lab.execution import lean  # noqa: F401
from lab.pages.exporter import read
from lab.pages.refusals import ReportError
from lab.tracking import REPOSITORY, THREADS, commit, runs_root

PACKAGES = ("matplotlib", "numpy", "optuna", "pandas", "papermill", "wandb")  # whose versions a page states


def run(notebook: Path, given: Mapping[str, Any]) -> Path:
    """Execute `notebook` with the `given` parameters into runs/notebooks/ and return where it is, provenance included.

    Each section is announced, and what cells print appears at once. If it fails, it is kept as <name>.failed.ipynb, an
    earlier finished one stays as it was, and ReportError says which cell and why.
    """
    cells, defaults = read(notebook).cells, _defaults(notebook)
    for name in given.keys() - defaults.keys():
        nearest = difflib.get_close_matches(name, defaults, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(defaults) or 'none'}."
        raise ReportError(f"{notebook} has no parameter {name}: {hint}")
    place = "the start of its kernel"

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal place
        place = f"cell {cell_index + 1} of {len(cells) + bool(given)}"  # papermill adds a cell for what is given
        heading = re.match(r"#+ +(.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            print(f"{notebook.stem}: {place} · {heading[1]}", flush=True)

    finished = runs_root() / "notebooks" / notebook.name
    partial, failed = finished.with_suffix(".partial.ipynb"), finished.with_suffix(".failed.ipynb")
    finished.parent.mkdir(parents=True, exist_ok=True)
    provenance = _provenance(notebook, given, defaults)
    start = time.perf_counter()
    try:
        executed = execute_notebook(
            notebook,
            partial,
            given,
            kernel_name="python3",
            kernel_manager_class=_Kernel,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            on_cell_start=announce,
            extra_arguments=["--IPKernelApp.log_level=50"],
        )
        executed.metadata["provenance"] = provenance | {"seconds": round(time.perf_counter() - start, 1)}
        nbformat.write(executed, partial)
        partial.replace(finished)
        failed.unlink(missing_ok=True)
    except (PapermillExecutionError, DeadKernelError) as error:
        partial.replace(failed)
        text = f"{error.ename}: {error.evalue}" if isinstance(error, PapermillExecutionError) else str(error)
        last = text.strip().splitlines()[-1]
        raise ReportError(f"{notebook} failed in {place}: {last} (kept as {failed})") from error
    finally:
        partial.unlink(missing_ok=True)
    return finished


class _Kernel(AsyncKernelManager):
    """Multiplies matrices in one thread, unless the environment says otherwise: for small ones that is fastest."""

    async def start_kernel(self, **options: Any) -> None:
        await super().start_kernel(env=dict.fromkeys(THREADS, "1") | os.environ, **options)


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise ReportError(f"{path} does not exist") from error
    except Exception as error:  # what a damaged file raises has no common base
        raise ReportError(f"{path} is not a readable notebook: {(str(error).splitlines() or [error])[0]}") from error


def _defaults(notebook: Path) -> dict[str, Any]:
    try:
        texts = {name: found["default"] for name, found in inspect_notebook(notebook).items()}
    except ValueError as error:  # no kernel is named, for one
        raise ReportError(f"{notebook}: {error}") from error
    try:
        return {name: ast.literal_eval(text) for name, text in texts.items()}
    except (ValueError, SyntaxError) as error:
        raise ReportError(f"{notebook}: its parameters cell must hold literals only, not all of {texts}") from error


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
