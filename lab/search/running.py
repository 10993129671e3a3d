"""Runs configurations of a notebook side by side, each in a folder of its own where its result is kept."""

from __future__ import annotations

import functools
import glob
import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from common.files import write_json
from lab.execution.executing import ExecutionError, Kernels
from lab.execution.notebook import Config, Notebook
from lab.search.sweepfile import GOALS, SweepError
from lab.tracking import (
    ENDED,
    THREADS,
    Record,
    contradiction,
    duration,
    keep_offline,
    make_way,
    record_of,
    value_of,
    wandb_mode,
)

# Notebook, output, parameters, seconds that it may take, variables of the environment that its kernel needs.
Execute = Callable[[Path, Path, Config, float, dict[str, str]], object]

RULES = [Path(__file__).with_name("stopping.py")]  # decides when a run ends, without being imported by its notebook
ATTEMPTS = 3  # at a run whose kernel dies
POLL = 2.0  # seconds between two looks at what other drivers do


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
        taken: Sequence[str] = (),
    ) -> None:
        if workers < 1:
            raise SweepError(f"workers must be at least 1, not {workers}")
        if keep is not None and keep < 0:
            raise SweepError(f"keep must be a number of runs, at least 0, not {keep}")
        self.folder, self.notebook, self.timeout = folder, notebook, timeout
        self.workers, self.keep, self.reuse, self.taken = workers, keep, reuse, list(taken)
        share = str(max(1, _cores() // workers))  # of the cores; more threads than that would get in each other's way
        environment = dict.fromkeys(THREADS, share) | {"FASHION_FINGERPRINT": notebook.fingerprint}
        self._project = os.environ.get("WANDB_PROJECT") or project
        if self._project:
            environment["WANDB_PROJECT"] = self._project
        self._offline = wandb_mode() in ("offline", "dryrun")
        if self._offline:
            environment["WANDB_MODE"] = "disabled"  # the driver does it for them, at a fraction of the cost
        self._kernels = Kernels(environment, folder / "kernels.log", notebook.modules)
        self._execute = execute or functools.partial(self._kernels.execute, figures=False)
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
            except ExecutionError as exception:
                error = str(exception)
                if exception.died and not self._stopping and attempt + 1 < ATTEMPTS:
                    continue  # through no fault of the run's, as far as one can know
            except Exception as exception:  # whatever ends one run must not end the others
                error = f"{type(exception).__name__}: {exception}"
            break
        record = record_of(folder)
        if not error and record.get("status") not in ENDED:
            error = f"{notebook.path.name} must keep its run with tracking.start(config, folder)"
        error = error or contradiction(params, record)
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
        if self.taken and record.get("taken") != self.taken:  # the words of its file that mean those of its config
            record["taken"] = self.taken
            write_json(folder / "record.json", record)
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
                        if self.notebook.fingerprint_now() != self.notebook.fingerprint:
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
            finally:
                self._kernels.close()

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
