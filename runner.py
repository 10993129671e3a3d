"""Runs configurations of a notebook side by side: papermill executes each in a kernel of its own, in its folder."""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from sweepfile import GOALS, Config, SweepError, require
from tracking import (
    ENDED,
    HOUSEKEEPING,
    REPOSITORY,
    THREADS,
    duration,
    make_way,
    read_json,
    run_name,
    write_json,
)

Record = dict[str, Any]  # what record.json holds
Execute = Callable[[Path, Path, Config, float], object]  # notebook, output, parameters, seconds that a cell may take

NOTEBOOK = REPOSITORY / "notebooks" / "03_train.ipynb"
CODE = [
    REPOSITORY / f"{name}.py"
    for name in ("activations", "optimizers", "elementwise", "nn_core", "kernels", "fashion_mnist")
]
TYPES = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}  # what fits a parameter's annotation
RECORD_KEYS = {"name", "status", "error", "config", "history", "seconds", "fingerprint"}


def fingerprint(notebook: str | Path = NOTEBOOK) -> str:
    """A short hash of what decides a result: the code of core, data and notebook (not its comments, docstrings and
    layout) and NumPy's version. Whether numba is installed changes the rounding alone, and is no part of it."""
    cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    sources = [*(path.read_text(encoding="utf-8") for path in CODE), *cells]
    return digest([*map(_bare, sources), version("numpy")])


@functools.cache
def _bare(source: str) -> str:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with an IPython command
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)


def digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


class Notebook:
    """The notebook that trains: its parameters, and the fingerprint of what it runs."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        if not self.path.is_file():
            raise SweepError(f"the notebook {path} does not exist")
        self.fingerprint = fingerprint(self.path)
        parameters = papermill.inspect_notebook(self.path)
        if "folder" not in parameters:
            raise SweepError(f"{self.path.name} has no parameter 'folder', which says where to keep a run")
        self.plain = {"draw": False} if "draw" in parameters else {}  # runs by the dozen need no figures
        parameters = {name: entry for name, entry in parameters.items() if name not in HOUSEKEEPING}
        self.types = {name: entry["inferred_type_name"] for name, entry in parameters.items()}
        self.defaults = {name: self._literal(name, entry["default"]) for name, entry in parameters.items()}

    def _literal(self, name: str, default: str) -> Any:
        try:
            return ast.literal_eval(default)
        except (ValueError, SyntaxError) as error:
            raise SweepError(f"parameter {name!r} of {self.path.name} needs a literal as default: {default}") from error

    def check(self, values: dict[str, Iterable[Any]]) -> None:
        """Refuse names that are no parameters, of which papermill would only warn, and values of the wrong type."""
        require(values, self.types, f"a parameter of {self.path.name}")
        for name, value in ((name, value) for name, some in values.items() for value in some):
            types = TYPES.get(self.types[name], (type(value),))
            if type(value) not in types and not (value is None and self.defaults[name] is None):
                raise SweepError(f"parameter {name!r} of {self.path.name} is of type {self.types[name]}, not {value!r}")

    def run_name(self, params: Config) -> str:
        """The name of the whole configuration: defaults, and `params` in their place."""
        return run_name(self.defaults | params)


class Kernels:
    """Executes notebooks, each in a kernel of its own with `environment` added; all of them can be stopped at once.

    What a kernel says outside its notebook, such as a crash or a complaint while it is being stopped, goes to `log`.
    """

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        running: set[AsyncKernelManager] = set()

        class Kernel(AsyncKernelManager):
            async def start_kernel(self, **options: Any) -> None:
                running.add(self)
                with log.open("ab") as file:
                    environ = {**os.environ, **environment}
                    await super().start_kernel(env=environ, stdout=file, stderr=file, **options)

            async def cleanup_resources(self, restart: bool = False) -> None:
                await super().cleanup_resources(restart)
                running.discard(self)

        self._running, self._class = running, Kernel

    def execute(self, notebook: Path, output: Path, parameters: Config, timeout: float) -> None:
        papermill.execute_notebook(
            notebook,
            output,
            parameters,
            kernel_name="python3",
            kernel_manager_class=self._class,
            extra_arguments=["--IPKernelApp.log_level=50"],
            execution_timeout=math.ceil(timeout),
            progress_bar=False,
        )

    def stop(self, kill: bool) -> None:
        """Interrupt the notebooks that run, or kill their kernels."""
        for process in [kernel.provisioner for kernel in list(self._running) if kernel.has_kernel]:
            run_sync(process.kill)() if kill else run_sync(process.send_signal)(signal.SIGINT)


class Runner:
    """Runs configurations of one sweep, each in its folder."""

    def __init__(self, folder: Path, notebook: Notebook, timeout: float, execute: Execute | None, project: str | None):
        self.folder, self.notebook, self.timeout = folder, notebook, timeout
        # One BLAS thread a run: two runs share two cores best, and no result depends on the number of cores.
        environment = dict.fromkeys(THREADS, "1") | {"FASHION_FINGERPRINT": notebook.fingerprint}
        if project and not os.environ.get("WANDB_PROJECT"):
            environment["WANDB_PROJECT"] = project
        self._kernels = Kernels(environment, folder / "kernels.log")
        self._execute = execute or self._kernels.execute
        self._stopping = False

    def kept(self, params: Config) -> Record | None:
        """The record of a configuration that has its result, from this very code."""
        folder = self.folder / self.notebook.run_name(params)
        record = record_of(folder)
        if record.get("fingerprint") != self.notebook.fingerprint or record["status"] not in ENDED:
            return None
        self._keep_notebook(folder)  # should the driver have been killed before it did
        return record

    def run(self, params: Config) -> Record:
        """The record of a configuration: the one that is kept, or that of a new run."""
        if record := self.kept(params):
            return record
        notebook = self.notebook
        folder = self.folder / notebook.run_name(params)
        make_way(folder)
        began, error = time.monotonic(), None
        try:
            parameters = {**params, **notebook.plain, "folder": str(folder)}
            self._execute(notebook.path, self._running(folder), parameters, self.timeout)
        except TimeoutError:
            error = f"TimeoutError: a cell took longer than {self.timeout:g} s"
        except PapermillExecutionError as exception:
            error = f"{exception.ename}: {exception.evalue}"
        except Exception as exception:  # whatever ends one run must not end the others
            error = f"{type(exception).__name__}: {exception}"
        self._keep_notebook(folder)
        record = record_of(folder)
        if not error and record.get("status") not in ENDED:
            error = f"{notebook.path.name} must keep its run with tracking.start(config, folder)"
        if error:
            record = {
                **{"name": folder.name, "config": notebook.defaults | params, "history": []},
                **{"seconds": time.monotonic() - began, "fingerprint": notebook.fingerprint},
                **record,
                **{"status": "interrupted" if self._stopping else "failed", "error": " ".join(error.split())},
            }
            write_json(folder / "record.json", record)
        return record

    def _running(self, folder: Path) -> Path:
        """The executed notebook of a run until the run has ended."""
        return folder / f"{self.notebook.path.stem}.running.ipynb"

    def _keep_notebook(self, folder: Path) -> None:
        if self._running(folder).exists():
            os.replace(self._running(folder), folder / self.notebook.path.name)

    def run_all(
        self,
        jobs: Iterator[tuple[Any, Config] | None],
        workers: int,
        progress: Progress,
        tell: Callable[[Any, Record], object],
    ) -> None:
        """Run jobs, each a key and parameters, side by side; tell the key and record of each that has ended.

        A free worker asks `jobs` for the next, and waits where that is None. A KeyboardInterrupt interrupts the
        notebooks, which have ten seconds to record it before their kernels are killed; a second one kills them at once.
        """
        if workers < 1:
            raise SweepError(f"workers must be at least 1, not {workers}")
        with progress.bar, ThreadPoolExecutor(workers) as pool:
            running: dict[Future, Any] = {}
            try:
                while True:
                    for job in itertools.islice(jobs, workers - len(running)):
                        if job is None:
                            break
                        key, params = job
                        if fingerprint(self.notebook.path) != self.notebook.fingerprint:
                            raise SweepError("the code has changed meanwhile: start again to run it all with the new")
                        running[pool.submit(self.run, params)] = key
                    if not running:
                        return
                    for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done:
                        tell(running.pop(future), future.result())
                        progress(future.result())
            except KeyboardInterrupt:
                self._stopping = True
                try:
                    self._kernels.stop(kill=False)
                    wait(running, timeout=10)
                finally:
                    self._kernels.stop(kill=True)
                raise


class Progress:
    """A line for each run that ends, and a bar where there is a terminal."""

    def __init__(self, metric: str, goal: str, total: int, earlier: list[Record]) -> None:
        self.metric, self.best, self.total = metric, GOALS[goal], total
        self.earlier = self.done = len(earlier)
        self.values = [value for record in earlier if (value := value_of(record, metric)) is not None]
        self.began = time.monotonic()
        self.bar = tqdm(total=total, initial=self.done, disable=None, unit="run", leave=False)

    def __call__(self, record: Record) -> None:
        self.done += 1
        value = value_of(record, self.metric)
        if value is None:
            outcome = f"{record['status']} ({record['error'] or f'no {self.metric}'})"
        else:
            self.values.append(value)
            outcome = f"{self.metric} {value:.4f}"
        facts = [f"{self.done:{len(str(self.total))}} of {self.total}", outcome, duration(record["seconds"])]
        if self.values:
            facts.append(f"best {self.best(self.values):.4f}")
        each = (time.monotonic() - self.began) / (self.done - self.earlier)
        facts += [f"{duration(each * (self.total - self.done))} left", record["name"]]
        with self.bar.external_write_mode():
            print(*facts, sep=" · ", flush=True)
        self.bar.update()


def record_of(folder: Path) -> Record:
    """The record of a run; an empty one where there is none, or none that is whole."""
    record = read_json(folder / "record.json")
    return record if record.keys() >= RECORD_KEYS else {}


def value_of(record: Record, metric: str) -> float | None:
    """The metric of a finished run after its last epoch; None where there is none."""
    return record["history"][-1].get(metric) if record["status"] == "finished" and record["history"] else None
