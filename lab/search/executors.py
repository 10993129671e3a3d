"""Where a sweep's notebooks are executed: one interface, and this machine unless something else is asked for."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from common.files import NotWritten, require_file
from lab.execution.executing import Kernels
from lab.execution.notebook import Config, Notebook
from lab.search.reading import SweepError
from lab.tracking import THREADS, Record, record_of
from lab.tracking.record import say_once
from lab.tracking.verdicts import ask, tell

LOOK = 0.05  # seconds between two looks at the record of a run under way


class Judge(NamedTuple):
    """Hears a run's record after an epoch, and says whether the run is to stop there."""

    stops: Callable[[Record], bool]
    bands: Sequence[int] = ()  # epochs at which the run waits for what it says


class Gone(SweepError):
    """What executes runs is no more; the text says what to do. No run has failed by it."""


class Executor(ABC):
    """Executes the notebooks of runs, each of which leaves its record, and what else there is, in a folder here."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many runs may be under way side by side now."""

    @abstractmethod
    def execute(self, notebook: Path, output: Path, parameters: Config, timeout: float, judge: Judge | None) -> None:
        """Execute a notebook with its parameters, of which `folder` says where it leaves its record.

        With a `judge`, the run is told after each epoch what it says. Raises what ended the run too early.
        """

    @abstractmethod
    def stop(self, kill: bool) -> None:
        """Interrupt what runs, or kill it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what was needed to execute anything."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Here(Executor):
    """Executes on this machine, so many at a time, each kernel with its share of the cores."""

    def __init__(self, workers: int, notebook: Notebook, log: Path, environment: Mapping[str, str]) -> None:
        if workers < 1:
            raise SweepError(f"workers must be at least 1, not {workers}")
        try:
            require_file(log)  # or each kernel would fail, or wait, for it
        except OSError as error:
            raise NotWritten(log, error) from error
        self._workers = workers
        share = str(max(1, cores() // workers))  # more threads than that would get in each other's way
        shared = dict.fromkeys(THREADS, share) | {"FASHION_FINGERPRINT": notebook.fingerprint}
        self._environment = environment  # which may change while runs are under way
        self._kernels = Kernels(shared, log, notebook.modules)

    @property
    def slots(self) -> int:
        return self._workers

    def execute(self, notebook: Path, output: Path, parameters: Config, timeout: float, judge: Judge | None) -> None:
        with judged(Path(parameters["folder"]), judge):
            self._kernels.execute(notebook, output, parameters, timeout, dict(self._environment), figures=False)

    def stop(self, kill: bool) -> None:
        self._kernels.stop(kill)

    def close(self) -> None:
        self._kernels.close()


@contextmanager
def judged(folder: Path, judge: Judge | None) -> Iterator[None]:
    """While the block runs, tell the run in `folder` after each epoch what the judge says."""
    if judge is None:
        yield
        return

    def hear(record: Record) -> None:
        stop = judge.stops(record)
        try:
            tell(folder, len(record["history"]), stop)
        except OSError as error:
            say_once(f"{error}; its run goes on meanwhile")

    ask(folder, judge.bands)
    try:
        with heard(folder, hear):
            yield
    finally:
        with suppress(OSError):  # of a folder that is no more
            ask(folder, ())


@contextmanager
def heard(folder: Path, hear: Callable[[Record], object]) -> Iterator[None]:
    """While the block runs, hear the record of the run in `folder` after each epoch."""
    ended = threading.Event()

    def listen() -> None:
        epochs, last = 0, None
        while not ended.wait(LOOK):
            if (now := _changed(folder / "record.json")) and now != last:
                last, record = now, record_of(folder)
                if len(record.get("history", ())) > epochs and record["status"] == "running":
                    epochs = len(record["history"])
                    hear(record)

    thread = threading.Thread(target=listen, name="hearing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _changed(path: Path) -> tuple[int, int] | None:
    """What changes when a file is replaced; None without one."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
