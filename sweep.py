"""Runs a sweep file in W&B's format without an account: Optuna chooses the configurations, papermill runs the training
notebook with each, and runs/<sweep>/<run name>/ keeps what a run leaves.

    python sweep.py run sweeps/random.yaml --count 24 --workers 2
    python sweep.py status random | best random | table random --csv random.csv

The same command again goes on where it stopped: what has ended is kept, what was interrupted runs again.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import functools
import hashlib
import itertools
import json
import math
import os
import re
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import optuna
import papermill
import yaml
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from papermill.exceptions import PapermillExecutionError
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from tracking import (
    ENDED,
    HOUSEKEEPING,
    REPOSITORY,
    THREADS,
    duration,
    make_way,
    read_json,
    run_name,
    runs_root,
    write_json,
)

if TYPE_CHECKING:
    import pandas as pd

Config = dict[str, Any]  # parameters of the notebook by name
Record = dict[str, Any]  # what record.json holds
Execute = Callable[[Path, Path, Config, float], object]  # notebook, output, parameters, seconds that a cell may take

NOTEBOOK = REPOSITORY / "notebooks" / "03_train.ipynb"
CODE = [
    REPOSITORY / f"{name}.py"
    for name in ("activations", "optimizers", "elementwise", "nn_core", "kernels", "fashion_mnist")
]
SWEEP_KEYS = ("name", "description", "project", "program", "command", "method", "metric", "parameters", "run_cap")
METRICS = {  # what runs report, and the column of a table (where `loss` is the loss function of the configuration)
    "loss": "trainloss",
    "accuracy": "trainaccuracy",
    "validationloss": "validationloss",
    "validationaccuracy": "validationaccuracy",
}
GOALS = {"maximize": max, "minimize": min}
DISTRIBUTIONS = ("constant", "categorical", "uniform", "int_uniform", "log_uniform", "log_uniform_values")
RANGES = DISTRIBUTIONS[2:]
LAG = 2  # runs a worker that bayes does not wait for: enough that a long run seldom holds up the next, and few to miss
SAMPLERS = {"random": optuna.samplers.RandomSampler, "bayes": optuna.samplers.TPESampler}
TYPES = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}  # what fits a parameter's annotation
OTHERS = ("single", "notebooks")  # folders beside those of sweeps
RECORD_KEYS = {"name", "status", "error", "config", "history", "seconds", "fingerprint"}
STATE_KEYS = {"fingerprint", "metric", "goal", "total"}


class SweepError(ValueError):
    """What is wrong with a sweep, in one sentence."""


# --- the sweep file ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    """What a sweep file asks for."""

    name: str
    method: str  # random, grid or bayes
    metric: str  # one of METRICS, after the last epoch
    goal: str  # maximize or minimize
    space: dict[str, BaseDistribution]
    run_cap: int | None
    project: str | None  # on W&B
    definition: Config  # what the file says that decides which runs are made

    @property
    def size(self) -> float:
        """The number of different configurations; infinite if a parameter is continuous."""
        return math.prod(math.inf if (some := _choices(d)) is None else len(some) for d in self.space.values())


def read(source: str | Path | dict) -> Sweep:
    """Read a sweep from a YAML or JSON file, or from a dictionary; raise SweepError for what it cannot mean here."""
    raw = source if isinstance(source, dict) else _load(Path(source))
    _require(raw, SWEEP_KEYS, "a supported key of a sweep")
    name = str(raw.get("name") or ("sweep" if isinstance(source, dict) else Path(source).stem))
    if not re.fullmatch(r"\w[\w .-]*", name):
        raise SweepError(f"name {name!r} must do as a folder: letters, digits, spaces, '.', '-' and '_'")
    _refuse_name(name, (*OTHERS, "evaluation"))
    _require([raw.get("method")], (*SAMPLERS, "grid"), "a supported method")
    metric = raw.get("metric") or {"name": "validationaccuracy", "goal": "maximize"}
    if not isinstance(metric, dict) or metric.keys() != {"name", "goal"}:
        raise SweepError(f"metric must have a name and a goal, not {metric!r}")
    _require([metric["name"]], METRICS, "a metric that runs report")
    _require([metric["goal"]], GOALS, "a goal")
    cap, parameters = raw.get("run_cap"), raw.get("parameters")
    if cap is not None and (type(cap) is not int or cap < 1):
        raise SweepError(f"run_cap must be a number of runs, at least 1, not {cap!r}")
    if not isinstance(parameters, dict) or not parameters:
        raise SweepError(f"parameters must name at least one parameter and its values, not {parameters!r}")
    space = {key: _distribution(key, entry) for key, entry in parameters.items()}
    continuous = [key for key, distribution in space.items() if _choices(distribution) is None]
    if raw["method"] == "grid" and continuous:
        raise SweepError(f"method grid needs values to visit, but parameter {continuous[0]!r} is continuous")
    definition = {"method": raw["method"], "metric": metric, "parameters": parameters}
    return Sweep(name, raw["method"], metric["name"], metric["goal"], space, cap, raw.get("project"), definition)


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SweepError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise SweepError(f"{path} must hold names and their values, not {raw!r}")
    return raw


def _refuse_name(name: str, taken: Iterable[str]) -> None:
    if name.casefold() in taken:  # a file system may not tell capitals from small letters
        raise SweepError(f"a sweep cannot have the name {name!r}, whose folder keeps other runs: choose another name")


def _require(names: Iterable[object], known: Iterable[str], what: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"the nearest is {near[0]!r}" if near else f"choose from {', '.join(known)}"
            raise SweepError(f"{name!r} is not {what}: {hint}")


def _distribution(key: str, entry: Any) -> BaseDistribution:
    """One parameter's entry as an Optuna distribution that means exactly the same."""
    if not isinstance(entry, dict):
        raise SweepError(f"parameter {key!r} must have value, values, or min and max, not {entry!r}")
    kind, given = entry.get("distribution"), entry.keys() - {"distribution"}
    if kind == "q_uniform":
        cure = "list its values, or take int_uniform"
        raise SweepError(f"q_uniform (parameter {key!r}) draws its end points half as often as the others: {cure}")
    _require([kind or "constant"], DISTRIBUTIONS, f"a supported distribution (parameter {key!r})")
    _require(given, ("value", "values", "min", "max"), f"a supported key of parameter {key!r}")
    if given == {"value"} and kind in (None, "constant"):
        return _categorical(key, [entry["value"]])
    if given == {"values"} and kind in (None, "categorical"):
        return _categorical(key, entry["values"])
    if given == {"min", "max"} and kind in (None, *RANGES):
        return _range(key, kind, _number(entry["min"]), _number(entry["max"]))
    raise SweepError(f"parameter {key!r} must have value, values, or min and max of a range, not {entry}")


def _categorical(key: str, values: Any) -> CategoricalDistribution:
    if not isinstance(values, list) or not values:
        raise SweepError(f"values of parameter {key!r} must be a list of at least one, not {values!r}")
    choices = [_number(value) for value in values]
    if any(not isinstance(choice, str | bool | int | float | None) for choice in choices):
        raise SweepError(f"values of parameter {key!r} must be numbers, strings, booleans or null, not {values}")
    if len({run_name({key: choice}) for choice in choices}) < len(choices):
        raise SweepError(f"values of parameter {key!r} name the same value twice: {values}")
    return CategoricalDistribution(choices)


def _range(key: str, kind: str | None, low: Any, high: Any) -> BaseDistribution:
    whole = type(low) is type(high) is int
    if not all(type(bound) in (int, float) and math.isfinite(bound) for bound in (low, high)):
        raise SweepError(f"min and max of parameter {key!r} must be numbers, not {low!r} and {high!r}")
    try:
        match kind or ("int_uniform" if whole else "uniform"):
            case "uniform":
                return FloatDistribution(low, high)
            case "log_uniform_values":
                return FloatDistribution(low, high, log=True)
            case "log_uniform":  # W&B takes its bounds for natural logarithms
                return FloatDistribution(math.exp(low), math.exp(high), log=True)
            case "int_uniform" if whole:
                return IntDistribution(low, high)
    except (ValueError, OverflowError) as error:
        raise SweepError(f"min and max of parameter {key!r} make no range: {error}") from error
    raise SweepError(f"min and max of parameter {key!r} must be whole numbers for int_uniform, not {low} and {high}")


def _number(value: Any) -> Any:
    """A number that YAML 1.1 takes for a string, such as 1e-05, as the number; anything else as it is."""
    exponential = isinstance(value, str) and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", value)
    return float(value) if exponential else value


def _choices(distribution: BaseDistribution) -> Sequence[Any] | None:
    """All values of a parameter, in order; None if it is continuous."""
    match distribution:
        case CategoricalDistribution():
            return distribution.choices
        case IntDistribution():
            return range(distribution.low, distribution.high + 1)
    return [distribution.low] if distribution.single() else None


# --- the notebook -----------------------------------------------------------------------------------------------------


def fingerprint(notebook: str | Path = NOTEBOOK) -> str:
    """A short hash of what decides a result: the code of core, data and notebook (not its comments, docstrings and
    layout) and NumPy's version. Whether numba is installed changes the rounding alone, and is no part of it."""
    cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    sources = [*(path.read_text(encoding="utf-8") for path in CODE), *cells]
    return _hash([*map(_bare, sources), version("numpy")])


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


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


class _Notebook:
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
        _require(values, self.types, f"a parameter of {self.path.name}")
        for name, value in ((name, value) for name, some in values.items() for value in some):
            types = TYPES.get(self.types[name], (type(value),))
            if type(value) not in types and not (value is None and self.defaults[name] is None):
                raise SweepError(f"parameter {name!r} of {self.path.name} is of type {self.types[name]}, not {value!r}")

    def run_name(self, params: Config) -> str:
        """The name of the whole configuration: defaults, and `params` in their place."""
        return run_name(self.defaults | params)


# --- choosing configurations ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Search:
    """A sweep's Optuna study: what is to be run next, and what has come of each.

    A trial is RUNNING until its run has ended, then COMPLETE with the metric, PRUNED if it diverged, or FAIL.
    """

    sweep: Sweep
    study: optuna.Study
    seed: int
    notebook: _Notebook
    known: list[FrozenTrial]  # of other sweeps: learnt from, and not repeated
    lag: int  # bayes chooses a configuration in the light of all results but those of this many before it

    def latest(self) -> list[FrozenTrial]:
        """The last trial of each configuration, in order."""
        return list({trial.user_attrs["name"]: trial for trial in self.study.get_trials(deepcopy=False)}.values())

    def trials(self, total: int, kept: Callable[[Config], Record | None]) -> Iterator[tuple[int, Config] | None]:
        """Yield number and parameters: of trials whose result was not `kept`, then of new ones up to `total`.

        None says that the next one cannot be chosen before another run has ended.
        """
        latest = self.latest()
        for trial in latest:
            if trial.state == TrialState.RUNNING:  # its driver was stopped
                yield trial.number, trial.params
            elif not kept(trial.params):
                yield self._add(trial.params), trial.params
        seen = {trial.user_attrs["name"] for trial in (*self.known, *latest)}
        new, missing = self._new(seen), total - len(latest)
        while missing > 0 and (params := next(new, False)) is not False:
            if params is None:
                yield None
                continue
            seen.add(self.notebook.run_name(params))
            yield self._add(params), params
            missing -= 1

    def tell(self, number: int, record: Record) -> None:
        value = _value(record, self.sweep.metric)
        if value is not None:
            self.study.tell(number, value)
        elif record["status"] != "interrupted":
            self.study.tell(number, state=TrialState.PRUNED if record["status"] == "diverged" else TrialState.FAIL)

    def _new(self, seen: set[str]) -> Iterator[Config | None]:
        """Yield parameters whose name is not in `seen`, to which the caller adds it, until the space is exhausted.

        With bayes, None stands for parameters that cannot be chosen yet. What it chooses must not depend on which of
        several runs ends first, so it looks at all results but the last `lag`, and takes these for still running.
        """
        method, space = self.sweep.method, self.sweep.space
        if method == "grid":
            points = itertools.product(*(_choices(distribution) for distribution in space.values()))
            grid = (dict(zip(space, point, strict=True)) for point in points)
            yield from (params for params in grid if self.notebook.run_name(params) not in seen)
            return
        while len(seen) < self.sweep.size:
            # A study in memory proposes, so that the one on disk never holds half a trial, or one that is not run.
            state = int(np.random.SeedSequence((self.seed, len(seen))).generate_state(1)[0])
            proposals = optuna.create_study(direction=self.sweep.goal, sampler=SAMPLERS[method](seed=state))
            if method == "bayes":
                latest = self.latest()
                past, pending = latest[: max(0, len(latest) - self.lag)], latest[-self.lag :]
                if any(trial.state == TrialState.RUNNING for trial in past):
                    yield None
                    continue
                proposals.add_trials([*self.known, *past, *(self._running(trial.params) for trial in pending)])
            asked = (proposals.ask(space).params for _ in itertools.count())
            yield next(params for params in asked if self.notebook.run_name(params) not in seen)

    def _add(self, params: Config) -> int:
        """Put a RUNNING trial into the study, in one transaction, and return its number."""
        self.study.add_trial(self._running(params))
        return self.study.get_trials(deepcopy=False)[-1].number

    def _running(self, params: Config) -> FrozenTrial:
        """A trial of which only the parameters are known."""
        name, space = {"name": self.notebook.run_name(params)}, self.sweep.space
        return optuna.create_trial(state=TrialState.RUNNING, params=params, distributions=space, user_attrs=name)


# --- running notebooks ------------------------------------------------------------------------------------------------


class _Kernels:
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


class _Runner:
    """Runs configurations of one sweep, each in its folder."""

    def __init__(self, folder: Path, notebook: _Notebook, timeout: float, execute: Execute | None, project: str | None):
        self.folder, self.notebook, self.timeout = folder, notebook, timeout
        # One BLAS thread a run: two runs share two cores best, and no result depends on the number of cores.
        environment = dict.fromkeys(THREADS, "1") | {"FASHION_FINGERPRINT": notebook.fingerprint}
        if project and not os.environ.get("WANDB_PROJECT"):
            environment["WANDB_PROJECT"] = project
        self._kernels = _Kernels(environment, folder / "kernels.log")
        self._execute = execute or self._kernels.execute
        self._stopping = False

    def kept(self, params: Config) -> Record | None:
        """The record of a configuration that has its result, from this very code."""
        folder = self.folder / self.notebook.run_name(params)
        record = _record(folder)
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
        record = _record(folder)
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
        progress: _Progress,
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


class _Progress:
    """A line for each run that ends, and a bar where there is a terminal."""

    def __init__(self, metric: str, goal: str, total: int, earlier: list[Record]) -> None:
        self.metric, self.best, self.total = metric, GOALS[goal], total
        self.earlier = self.done = len(earlier)
        self.values = [value for record in earlier if (value := _value(record, metric)) is not None]
        self.began = time.monotonic()
        self.bar = tqdm(total=total, initial=self.done, disable=None, unit="run", leave=False)

    def __call__(self, record: Record) -> None:
        self.done += 1
        value = _value(record, self.metric)
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


def run(
    source: str | Path | dict,
    count: int | None = None,
    workers: int = 2,
    *,
    seed: int = 0,
    after: Sequence[str] = (),
    timeout: float = 3600,
    notebook: str | Path = NOTEBOOK,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> pd.DataFrame:
    """Run a sweep, or go on with it, until it has `count` runs (default: its run_cap; a grid's: all); return its table.

    No configuration runs twice. What has ended is kept, what was interrupted runs again, what failed is tried once
    more. When the code, the notebook, the definition or the search's `seed` has changed, a new sweep begins under the
    name. `after` names sweeps of the same space: the search learns from their runs, and repeats none of them.
    Raises SweepError before the first run for what cannot work, and at the end if every run has failed.
    """
    sweep, book = read(source), _Notebook(notebook)
    values = {key: getattr(d, "choices", None) or (d.low, d.high) for key, d in sweep.space.items()}
    book.check(values)
    fractions = values.get("validation_fraction", [book.defaults.get("validation_fraction")])
    if sweep.metric.startswith("validation") and 0 in fractions:
        raise SweepError(f"metric {sweep.metric!r} needs validation images, but validation_fraction can be 0")
    wanted = count if count is not None else sweep.run_cap or (sweep.size if sweep.method == "grid" else 0)
    if not 1 <= wanted < math.inf:
        raise SweepError(f"sweep {sweep.name!r} needs a number of runs, at least 1: a run_cap or a count")
    folder = _folder(sweep.name, root)
    runner = _Runner(folder, book, timeout, execute, sweep.project)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = [trial for other in after for trial in _known(other, sweep, book, root)]
    with _alone(folder):
        asked = [sweep.definition, book.fingerprint, seed, *(_state(_folder(other, root))["study"] for other in after)]
        name = f"{sweep.name}-{_hash(asked)}"
        study = _open(folder, name, sweep.goal)
        if "lag" not in study.user_attrs:  # kept, so that the sequence is the same whatever workers go on with it
            study.set_user_attr("lag", LAG * max(workers, 1))
        search = _Search(sweep, study, seed, book, known, study.user_attrs["lag"])
        latest = search.latest()
        elsewhere = {trial.user_attrs["name"] for trial in known} - {trial.user_attrs["name"] for trial in latest}
        total = min(wanted, sweep.size - len(elsewhere))
        if total == 0:
            raise SweepError(f"sweep {sweep.name!r} has nothing to run: its whole space ran in {', '.join(after)}")
        state = {"study": name, "fingerprint": book.fingerprint, "metric": sweep.metric, "goal": sweep.goal}
        write_json(folder / "sweep.json", state | {"total": total})
        earlier = [runner.kept(trial.params) for trial in latest if trial.state.is_finished()]
        progress = _Progress(sweep.metric, sweep.goal, total, [record for record in earlier if record])
        runner.run_all(search.trials(total, runner.kept), workers, progress, search.tell)
    if total < wanted:
        besides = f" besides those of {', '.join(after)}" if elsewhere else ""
        print(f"{sweep.name} ends here: its space holds {total} configurations{besides}, not {wanted}")
    print(status(sweep.name, root), flush=True)
    found = records(sweep.name, root)
    if found and all(record["status"] == "failed" for record in found):
        raise SweepError(f"every run of {sweep.name} failed, the last with {found[-1]['error']}")
    return table(sweep.name, root)


def _known(name: str, sweep: Sweep, notebook: _Notebook, root: str | Path | None) -> list[FrozenTrial]:
    """What a sweep can learn from another one, which must have looked for the same by the same code."""
    if _folder(name, root) == _folder(sweep.name, root):
        raise SweepError(f"sweep {sweep.name!r} cannot go on after itself: name other sweeps")
    state, ended = _state(_folder(name, root)), _ended(_study(name, root))
    same = {
        "metric": state["metric"] == sweep.metric,
        "goal": state["goal"] == sweep.goal,
        "code": state["fingerprint"] == notebook.fingerprint,
        "parameters": all(trial.distributions == sweep.space for trial in ended),
    }
    if differing := [what for what, equal in same.items() if not equal]:
        raise SweepError(f"sweep {sweep.name!r} cannot go on after {name!r}: they differ in {', '.join(differing)}")
    return ended


def run_configurations(
    configs: Iterable[Config],
    sweep: str = "evaluation",
    workers: int = 2,
    *,
    timeout: float = 3600,
    notebook: str | Path = NOTEBOOK,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> list[Record]:
    """Run given configurations and return their records, in the same order.

    One that has its result, from this very code, is taken from its record. Raises SweepError naming one that failed,
    after all others have ended.
    """
    _refuse_name(sweep, OTHERS)
    book, configs = _Notebook(notebook), list(configs)
    for config in configs:
        book.check({key: [value] for key, value in config.items()})
    names = [book.run_name(config) for config in configs]
    folder = _folder(sweep, root)
    runner = _Runner(folder, book, timeout, execute, None)
    with _alone(folder):
        unique = list(dict.fromkeys(names))
        state = {"names": unique, "fingerprint": book.fingerprint, "metric": "validationaccuracy", "goal": "maximize"}
        write_json(folder / "sweep.json", state | {"total": len(unique)})
        found = {name: record for name, config in zip(names, configs, strict=True) if (record := runner.kept(config))}
        jobs = {name: config for name, config in zip(names, configs, strict=True) if name not in found}
        progress = _Progress("validationaccuracy", "maximize", len(unique), list(found.values()))
        runner.run_all(iter(jobs.items()), workers, progress, found.__setitem__)
    for name in names:
        if found[name]["status"] not in ENDED:
            raise SweepError(f"the run {name} of {sweep} failed with {found[name]['error']}; it is kept in {folder}")
    return [found[name] for name in names]


# --- the folder of a sweep --------------------------------------------------------------------------------------------


def records(name: str, root: str | Path | None = None) -> list[Record]:
    """The records of a sweep's runs, in order; runs of earlier code or that are not asked for now are left out."""
    folder = _folder(name, root)
    state = _state(folder)
    names = state.get("names")
    if names is None:
        trials = _study(name, root).get_trials(deepcopy=False)
        names = list(dict.fromkeys(trial.user_attrs["name"] for trial in trials))
    found = [_record(folder / name) for name in names]
    return [record for record in found if record.get("fingerprint") == state["fingerprint"]]


def table(name: str, root: str | Path | None = None) -> pd.DataFrame:
    """A row for each run: configuration, status, the last epoch's metrics, seconds, epochs, name.

    The metrics loss and accuracy stand under trainloss and trainaccuracy; parameters that no run sets are left out.
    """
    import pandas as pd  # here, since runs do not need it

    found = records(name, root)
    last = [record["history"][-1] if record["history"] else {} for record in found]
    outcomes = {
        "status": [record["status"] for record in found],
        **{column: [epoch.get(metric) for epoch in last] for metric, column in METRICS.items()},
        "seconds": [record["seconds"] for record in found],
        "epochs": [len(record["history"]) for record in found],
        "name": [record["name"] for record in found],
    }
    configs = pd.DataFrame([record["config"] for record in found]).dropna(axis="columns", how="all")
    return configs.join(pd.DataFrame(outcomes), how="right")


def best(name: str, root: str | Path | None = None) -> Record:
    """The record of the finished run with the best metric after its last epoch."""
    state, found = _state(_folder(name, root)), records(name, root)
    if top := _best(found, state):
        return top
    raise SweepError(f"sweep {name!r} has no finished run with {state['metric']} yet")


def importance(name: str, root: str | Path | None = None, *, resamples: int = 200, seed: int = 0) -> pd.DataFrame:
    """How much each parameter decides whether a run is in the better half: shares of one, most important first.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), on as many runs drawn with replacement, `resamples` times over:
    columns `mean` and `deviation`, which is what few runs leave uncertain. A diverged run counts as the worst.
    """
    import pandas as pd

    study = _study(name, root)
    ended = _ended(study)
    values = [trial.value for trial in ended if trial.state == TrialState.COMPLETE]
    if len(values) < 4:
        raise SweepError(f"sweep {name!r} has {len(values)} finished runs, too few to say which parameters matter")
    worst = min(values) if study.direction == optuna.study.StudyDirection.MAXIMIZE else max(values)
    runs = [
        optuna.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            value=trial.value if trial.state == TrialState.COMPLETE else worst,
        )
        for trial in ended
    ]
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5)
    shares = []
    for sample in np.random.default_rng(seed).integers(len(runs), size=(resamples, len(runs))):
        drawn = optuna.create_study(direction=study.direction)
        drawn.add_trials([runs[k] for k in sample])
        shares.append(optuna.importance.get_param_importances(drawn, evaluator=evaluator))
    shares = pd.DataFrame(shares).fillna(0)
    found = pd.DataFrame({"mean": shares.mean(), "deviation": shares.std()})
    return found.sort_values("mean", ascending=False)


def run_folder(sweep: str, record: Record, root: str | Path | None = None) -> Path:
    """Where a run of a sweep is kept: record.json, weights.npz, the executed notebook."""
    return _folder(sweep, root) / record["name"]


def status(name: str, root: str | Path | None = None) -> str:
    """A sentence: how many runs there are and should be, what became of them, and which is best."""
    state, found = _state(_folder(name, root)), records(name, root)
    outcomes = ", ".join(f"{n} {what}" for what, n in Counter(record["status"] for record in found).items())
    text = f"{name}: {len(found)} of {state['total']} runs ({outcomes or 'none yet'})"
    if top := _best(found, state):
        text += f"; best {state['metric']} {_value(top, state['metric']):.4f}: {top['name']}"
    return text


def _best(found: list[Record], state: dict[str, Any]) -> Record | None:
    values = [(value, record) for record in found if (value := _value(record, state["metric"])) is not None]
    return GOALS[state["goal"]](values, key=lambda pair: pair[0])[1] if values else None


def _folder(name: str, root: str | Path | None) -> Path:
    return Path(root or runs_root()).resolve() / name


def _study(name: str, root: str | Path | None) -> optuna.Study:
    """The study of what is run under the sweep's name now."""
    folder = _folder(name, root)
    if study := _state(folder).get("study"):
        return _open(folder, study)
    raise SweepError(f"{name!r} holds given configurations, which no search has chosen")


def _open(folder: Path, name: str, goal: str | None = None) -> optuna.Study:
    """A study in the database of a sweep; with a goal, a new one if there is none."""
    path = folder / "study.db"
    storage = f"sqlite:///{path.as_posix()}"
    try:
        if goal:
            study = optuna.create_study(study_name=name, storage=storage, direction=goal, load_if_exists=True)
        else:
            study = optuna.load_study(study_name=name, storage=storage)
        study.get_trials(deepcopy=False)  # which reads all of it
    except (KeyError, SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        cure = "move it away and run the sweep again, which keeps the runs that have ended"
        raise SweepError(f"{path} is damaged: {cure}") from error
    return study


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have their result, a diverged one's being that it is the worst."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def _state(folder: Path) -> dict[str, Any]:
    """What is run under the sweep's name now: its study or names of runs, its fingerprint, metric, goal and total."""
    path = folder / "sweep.json"
    if not path.exists():
        raise SweepError(f"there is no sweep {folder.name!r} in {folder.parent}: run it first")
    state = read_json(path)
    if not state.keys() >= STATE_KEYS:
        raise SweepError(f"{path} is damaged: run the sweep again, which keeps the runs that have ended")
    return state


def _record(folder: Path) -> Record:
    """The record of a run; an empty one where there is none, or none that is whole."""
    record = read_json(folder / "record.json")
    return record if record.keys() >= RECORD_KEYS else {}


def _value(record: Record, metric: str) -> float | None:
    """The metric of a finished run after its last epoch; None where there is none."""
    return record["history"][-1].get(metric) if record["status"] == "finished" and record["history"] else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second driver of the same sweep, by a lock that the system lifts however this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "driver.lock", timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise SweepError(f"the sweep in {folder} is being run by another process ({error})") from error
        yield


# --- the command line -------------------------------------------------------------------------------------------------


def agent(file: str | Path) -> Record:
    """Run once what W&B's agent asks for in a JSON file of parameters; kept in runs/<sweep id>/<run id>/<run name>/."""
    params = {key: _number(value) for key, value in _load(Path(file)).items()}
    folder = Path(os.environ.get("WANDB_SWEEP_ID") or "agent", os.environ.get("WANDB_RUN_ID") or "run")
    return run_configurations([params], sweep=folder.as_posix(), workers=1)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Hyper-parameter sweeps in W&B's format, without an account.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="run a sweep file, or go on with it")
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--count", type=int, help="runs in all (default: the file's run_cap; a grid's: every point)")
    command.add_argument("--workers", type=int, default=2, help="runs side by side (default: 2)")
    command.add_argument("--seed", type=int, default=0, help="seed of the search, not of the networks (default: 0)")
    command.add_argument("--after", nargs="+", default=(), metavar="SWEEP", help="sweeps to learn from, not to repeat")
    command.add_argument("--timeout", type=float, default=3600, help="seconds that a cell may take (default: 3600)")
    for name, text in {"status": "how far a sweep is", "best": "its best run", "table": "all its runs"}.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("sweep", help="the sweep's name")
        if name == "table":
            command.add_argument("--csv", metavar="FILE", help="write a CSV file instead")
    commands.add_parser("agent", help="one run, for W&B's agent").add_argument("file", help="JSON file of parameters")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a character must not end a sweep
    try:
        match options.command:
            case "run":
                run(
                    options.file,
                    options.count,
                    options.workers,
                    seed=options.seed,
                    after=options.after,
                    timeout=options.timeout,
                )
            case "status":
                print(status(options.sweep))
            case "best":
                print(json.dumps(best(options.sweep), indent=1))
            case "table" if options.csv:
                table(options.sweep).to_csv(options.csv, index=False)
            case "table":
                print(table(options.sweep).to_string())
            case "agent":
                agent(options.file)
    except (SweepError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
