"""Runs configurations of a notebook side by side: papermill executes each in a kernel of its own, in its folder."""

from __future__ import annotations

import ast
import functools
import glob
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from lab.execution import lean  # noqa: F401
from lab.search.sweepfile import GOALS, Config, SweepError, require
from lab.tracking import (
    ENDED,
    HOUSEKEEPING,
    REPOSITORY,
    THREADS,
    duration,
    keep_offline,
    make_way,
    read_json,
    run_name,
    wandb_mode,
    write_json,
)

Record = dict[str, Any]  # what record.json holds
# Notebook, output, parameters, seconds that it may take, variables of the environment that its kernel needs.
Execute = Callable[[Path, Path, Config, float, dict[str, str]], object]

NOTEBOOK = REPOSITORY / "notebooks" / "03_train.ipynb"
CODE = [
    *(REPOSITORY / f"{name}.py" for name in ("activations", "optimizers", "nn_core", "fashion_mnist")),
    *sorted((REPOSITORY / "backends").glob("*.py")),
]
# What fits a parameter's annotation.
TYPES = {kind: (kind,) for kind in ("int", "str", "bool", "dict")} | {"float": ("int", "float")}
ATTEMPTS = 3  # at a run whose kernel dies
POLL = 2.0  # seconds between two looks at what other drivers do
RECORD_KEYS = {"name", "status", "error", "config", "history", "seconds", "fingerprint"}


def fingerprint(notebook: str | Path = NOTEBOOK) -> str:
    """A short hash of what decides a result: the code of core, data and notebook (not its comments, docstrings and
    layout) and NumPy's version. Whether numba is installed changes the rounding alone, and is no part of it."""
    sources = [*(path.read_text(encoding="utf-8") for path in CODE), *code_of(Path(notebook))]
    return digest([*map(_bare, sources), version("numpy")])


def code_of(notebook: Path) -> list[str]:
    """The sources of a notebook's code cells."""
    return [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]


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
        self._code = "\n".join(map(_bare, code_of(self.path)))
        self._names = _names() if "NeuralNetwork" in self._code else {}

    def _literal(self, name: str, default: str) -> Any:
        try:
            return ast.literal_eval(default)
        except (ValueError, SyntaxError) as error:
            raise SweepError(f"parameter {name!r} of {self.path.name} needs a literal as default: {default}") from error

    def check(self, values: dict[str, Iterable[Any]]) -> None:
        """Refuse names that are no parameters, of which papermill would only warn, and values of the wrong type."""
        require((name.partition(".")[0] for name in values), self.types, f"a parameter of {self.path.name}")
        for name, value in ((name, value) for name, some in values.items() for value in some):
            outer, nested, _ = name.partition(".")
            kind = "dict" if nested else type(value).__name__
            fits = kind in TYPES.get(self.types[outer], (kind,))
            if not fits and not (value is None and self.defaults[outer] is None):
                raise SweepError(
                    f"parameter {name!r} of {self.path.name} is of type {self.types[outer]}, not {value!r}"
                )

    def check_names(self, values: dict[str, Iterable[Any]]) -> None:
        """Refuse activations, optimizers and the like that neither the network has nor this notebook adds."""
        for parameter, known in self._names.items():
            for name in filter(lambda value: isinstance(value, str), values.get(parameter, ())):
                if not re.search(rf"\b{re.escape(name)}\b", self._code, re.IGNORECASE):
                    require([name.casefold()], known, f"a known {parameter}")

    def run_name(self, params: Config) -> str:
        """The name of the whole configuration: defaults, and `params` in their place."""
        return run_name(self.defaults | params)


def _names() -> dict[str, list[str]]:
    """The names that the network knows, by the parameter that takes them."""
    from nn_core import NeuralNetwork  # here, since a notebook need not use it

    tables = {
        "activation": NeuralNetwork.ACTIVATIONS,
        "initializer": NeuralNetwork.INITIALIZERS,
        "loss": NeuralNetwork.LOSSES,
        "optimizer": NeuralNetwork.OPTIMIZERS,
    }
    return {parameter: [name.casefold() for name in table] for parameter, table in tables.items()}


class Kernels:
    """Executes notebooks, each in a kernel of its own with `environment` added; all of them can be stopped at once.

    What a kernel says outside its notebook, such as a crash or a complaint while it is being stopped, goes to `log`.
    """

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        running: set[AsyncKernelManager] = set()

        class Kernel(AsyncKernelManager):
            own: dict[str, str]  # environment of one run

            async def start_kernel(self, **options: Any) -> None:
                running.add(self)
                with log.open("ab") as file:
                    environ = {**os.environ, **environment, **self.own}
                    await super().start_kernel(env=environ, stdout=file, stderr=file, **options)

            async def cleanup_resources(self, restart: bool = False) -> None:
                await super().cleanup_resources(restart)
                running.discard(self)

        self._running, self._class = running, Kernel

    def execute(
        self, notebook: Path, output: Path, parameters: Config, timeout: float, environment: dict[str, str]
    ) -> None:
        """Run a notebook; raises TimeoutError, its kernel killed, if it takes longer than `timeout` seconds."""
        kernel = type("Kernel", (self._class,), {"own": environment})
        ended, late = threading.Event(), threading.Event()

        def watch() -> None:
            if not ended.wait(timeout):
                late.set()
                while not ended.wait(1):  # a kernel that is only starting is killed when it is there
                    self.stop(kill=True, kind=kernel)

        threading.Thread(target=watch, daemon=True).start()
        try:
            papermill.execute_notebook(
                notebook,
                output,
                parameters,
                kernel_name="python3",
                kernel_manager_class=kernel,
                extra_arguments=["--IPKernelApp.log_level=50"],
                start_timeout=120,
                request_save_on_cell_execute=False,  # once at the end is enough, and costs a quarter of a second less
                progress_bar=False,
            )
        except Exception as error:
            raise (TimeoutError(f"the run took longer than {timeout:g} s") if late.is_set() else error) from error
        finally:
            ended.set()

    def stop(self, kill: bool, kind: type = AsyncKernelManager) -> None:
        """Interrupt the notebooks that run, or kill their kernels."""
        for kernel in list(self._running):
            if isinstance(kernel, kind) and kernel.has_kernel and (process := kernel.provisioner):
                run_sync(process.kill)() if kill else run_sync(process.send_signal)(signal.SIGINT)


@dataclass(frozen=True)
class Job:
    """Runs that make one result: those of a configuration with one seed after the other."""

    key: Any  # by which its result is told
    configs: list[Config]
    environment: dict[str, str] = field(default_factory=dict)  # of the first run's kernel


class Runner:
    """Runs configurations of one sweep, each in its folder.

    Of the best `keep` runs, and of the last as many that failed, the executed notebook and the weights stay; of the
    others only the record does, and W&B's folder. None keeps all. With `reuse`, a run that another sweep beside this
    one has on record, from the same code, is copied instead of run.
    """

    def __init__(
        self,
        folder: Path,
        notebook: Notebook,
        timeout: float,
        execute: Execute | None,
        *,
        workers: int = 1,
        project: str | None = None,
        keep: int | None = None,
        reuse: bool = False,
    ) -> None:
        if workers < 1:
            raise SweepError(f"workers must be at least 1, not {workers}")
        if keep is not None and keep < 0:
            raise SweepError(f"keep must be a number of runs, at least 0, not {keep}")
        self.folder, self.notebook, self.timeout = folder, notebook, timeout
        self.workers, self.keep, self.reuse = workers, keep, reuse
        share = str(max(1, _cores() // workers))  # of the cores; more threads than that would get in each other's way
        environment = dict.fromkeys(THREADS, share) | {"FASHION_FINGERPRINT": notebook.fingerprint}
        self._project = os.environ.get("WANDB_PROJECT") or project
        if self._project:
            environment["WANDB_PROJECT"] = self._project
        self._offline = wandb_mode() in ("offline", "dryrun")
        if self._offline:
            environment["WANDB_MODE"] = "disabled"  # the driver does it for them, at a fraction of the cost
        self._kernels = Kernels(environment, folder / "kernels.log")
        self._execute = execute or self._kernels.execute
        self._stopping = False
        self._thinned: set[str] = set()
        self._lock = threading.Lock()

    def kept(self, configs: list[Config]) -> list[Record] | None:
        """The records of a job that has its result, from this very code; None if it is to run."""
        records: list[Record] = []
        for config in configs:
            record = self._kept(self.folder / self.notebook.run_name(config))
            if record is None:
                return None
            records.append(record)
            if record["status"] != "finished":  # which decides it: further seeds are not run
                break
        return records

    def _kept(self, folder: Path) -> Record | None:
        record = record_of(folder)
        if record.get("fingerprint") != self.notebook.fingerprint or record["status"] not in ENDED:
            return None
        # Should its driver have been killed before it did:
        self._settle(folder, record, new=not (folder / "wandb").exists())
        return record

    def _taken(self, folder: Path) -> Record | None:
        """A run copied from another sweep that has it on record."""
        for path in sorted(self.folder.parent.glob(f"*/{glob.escape(folder.name)}/record.json")):
            record = record_of(path.parent)
            if record.get("fingerprint") == self.notebook.fingerprint and record["status"] in ("finished", "diverged"):
                others = shutil.ignore_patterns("record.json", "previous_*", "wandb", "*.tmp")
                shutil.copytree(path.parent, folder, ignore=others, dirs_exist_ok=True)
                record |= {"taken_from": path.parent.parent.name}
                write_json(folder / "record.json", record)
                self._settle(folder, record, new=True)
                return record
        return None

    def run_job(self, job: Job, progress: Progress) -> list[Record]:
        """Run a job's configurations in turn, until one does not finish; return the records."""
        records: list[Record] = []
        for config in job.configs:
            records.append(self.run(config, {} if records else job.environment))
            progress(records[-1])
            if records[-1]["status"] != "finished" or self._stopping:
                break
        return records

    def run(self, params: Config, environment: dict[str, str]) -> Record:
        """The record of a configuration: the one that is kept, or that of a new run."""
        notebook = self.notebook
        folder = self.folder / notebook.run_name(params)
        if record := self._kept(folder) or (self._taken(folder) if self.reuse else None):
            return record
        began, error = time.monotonic(), None
        for attempt in range(ATTEMPTS):
            make_way(folder)
            try:
                parameters = {**params, **notebook.plain, "folder": str(folder)}
                self._execute(notebook.path, self._running(folder), parameters, self.timeout, environment)
                error = None
            except PapermillExecutionError as exception:
                error = f"{exception.ename}: {exception.evalue}"
            except Exception as exception:  # whatever ends one run must not end the others
                error = f"{type(exception).__name__}: {exception}"
                died = isinstance(exception, DeadKernelError) or str(exception).startswith("Kernel died")
                if died and not self._stopping and attempt + 1 < ATTEMPTS:
                    continue  # through no fault of the run's, as far as one can know
            break
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
        self._settle(folder, record, new=not self._stopping)
        return record

    def _running(self, folder: Path) -> Path:
        """The executed notebook of a run until the run has ended."""
        return folder / f"{self.notebook.path.stem}.running.ipynb"

    def _settle(self, folder: Path, record: Record, new: bool) -> None:
        """Give the executed notebook its name and, where W&B is offline, a new run its place there."""
        if self._running(folder).exists():
            os.replace(self._running(folder), folder / self.notebook.path.name)
        if self._offline and new:
            with self._lock:
                try:
                    keep_offline(record, folder, self._project)
                except Exception as error:  # the record has it all
                    print(f"W&B does not keep the run {folder.name} ({error}); record.json does", flush=True)

    def run_all(
        self, jobs: Iterator[Job | None], progress: Progress, tell: Callable[[Any, list[Record]], object]
    ) -> None:
        """Run jobs side by side; tell the key and the records of each that has ended.

        A free worker asks `jobs` for the next, and waits where that is None. A KeyboardInterrupt interrupts the
        notebooks, which have ten seconds to record it before their kernels are killed; a second one kills them at once.
        """
        running: dict[Future[list[Record]], Any] = {}

        def collect(seconds: float | None) -> None:
            for future in wait(running, timeout=seconds, return_when=FIRST_COMPLETED).done:
                key, records = running.pop(future), future.result()
                tell(key, records)
                progress.ended += records
                self._thin(progress)

        with progress, ThreadPoolExecutor(self.workers) as pool:
            try:
                while True:
                    waiting = False
                    for job in itertools.islice(jobs, self.workers - len(running)):
                        if waiting := job is None:
                            break
                        if fingerprint(self.notebook.path) != self.notebook.fingerprint:
                            raise SweepError("the code has changed meanwhile: start again to run it all with the new")
                        running[pool.submit(self.run_job, job, progress)] = job.key
                    progress.show(len(running))
                    if not running and not waiting:
                        return
                    collect(1) if running else time.sleep(POLL)
            except KeyboardInterrupt:
                self._stopping = True
                try:
                    self._kernels.stop(kill=False)
                    wait(running, timeout=10)
                finally:
                    self._kernels.stop(kill=True)
                while running:
                    collect(None)
                raise
            except SweepError:
                while running:  # what runs already is let finish
                    collect(None)
                raise

    def _thin(self, progress: Progress) -> None:
        """Remove the notebooks and weights of runs that are neither among the best nor among the last failures."""
        if self.keep is None:
            return
        records = {record["name"]: record for record in progress.ended}.values()
        ranked = progress.ranked(list(records))
        failed = [record for record in records if record["status"] in ("failed", "diverged")]
        kept = {record["name"] for record in (*ranked[: self.keep], *failed[max(0, len(failed) - self.keep) :])}
        for record in records:
            if record["name"] not in kept | self._thinned:
                for name in (self.notebook.path.name, "weights.npz"):
                    (self.folder / record["name"] / name).unlink(missing_ok=True)
                self._thinned.add(record["name"])


class Progress:
    """A line for each run that ends; where somebody watches, how far the sweep is: a bar, or a line that changes."""

    def __init__(self, metric: str, goal: str, total: int, earlier: list[Record]) -> None:
        self.metric, self.goal, self.total = metric, goal, total
        self.ended = list(earlier)
        self.began, self.earlier = time.monotonic(), len(earlier)
        self.done = self.earlier  # runs, those of other drivers included
        self.failed = sum(record["status"] == "failed" for record in earlier)
        self.best = GOALS[goal](map(self._value, self.ranked(earlier)), default=None)
        self._lock = threading.Lock()
        self._bar = tqdm(total=total, initial=self.done, disable=None, unit="run", leave=False)
        self._display = _display()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, record: Record) -> None:
        """Say what has come of a run."""
        with self._lock:
            self.done += 1
            self.failed += record["status"] == "failed"
            value = value_of(record, self.metric)
            if value is None:
                outcome = f"{record['status']} ({record['error'] or f'no {self.metric}'})"
            else:
                self.best = value if self.best is None else GOALS[self.goal](self.best, value)
                outcome = f"{self.metric} {value:.4f}"
            facts = [f"{self.done:{len(str(self.total))}} of {self.total}", outcome, duration(record["seconds"])]
            facts += [*self._facts(), record["name"]]
            with self._bar.external_write_mode():
                print(*facts, sep=" · ", flush=True)
            self._bar.update()

    def show(self, running: int) -> None:
        """Bring the bar up to date."""
        with self._lock:
            facts = " · ".join([f"{running} running", f"{self.failed} failed", *self._facts()])
            self._bar.set_postfix_str(facts)
            if self._display:
                self._display(f"{self.done} of {self.total} runs · {facts}")

    def reach(self, done: int) -> None:
        """So many runs have ended, those of other drivers included."""
        with self._lock:
            self._bar.update(max(0, done - self.done))
            self.done = max(done, self.done)

    def ranked(self, records: list[Record]) -> list[Record]:
        """Those that have the metric, best first."""
        valued = [record for record in records if self._value(record) is not None]
        return sorted(valued, key=self._value, reverse=self.goal == "maximize")

    def _facts(self) -> list[str]:
        best = [] if self.best is None else [f"best {self.best:.4f}"]
        if self.done == self.earlier:
            return best
        each = (time.monotonic() - self.began) / (self.done - self.earlier)
        return [*best, f"{duration(each * max(0, self.total - self.done))} left"]

    def _value(self, record: Record) -> float | None:
        return value_of(record, self.metric)


def _display() -> Callable[[str], None] | None:
    """In a notebook, what shows a line of text and replaces it by the next; None elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def record_of(folder: Path) -> Record:
    """The record of a run; an empty one where there is none, or none that is whole."""
    record = read_json(folder / "record.json")
    return record if record.keys() >= RECORD_KEYS else {}


def value_of(record: Record, metric: str) -> float | None:
    """The metric of a finished run after its last epoch; None where there is none."""
    return record["history"][-1].get(metric) if record["status"] == "finished" and record["history"] else None
