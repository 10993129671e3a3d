"""Runs of a sweep on many machines, which Dask's distributed scheduler brings together.

One driver, here, searches and keeps all records; workers come and go. A worker gets a notebook and its parameters, and
sends back as bytes what the run leaves. Nothing else is shared: no file system, no database.
"""

from __future__ import annotations

import itertools
import json
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker

from common.files import write_whole
from common.words import masked
from lab.execution.executing import ExecutionError
from lab.execution.notebook import Config, Notebook
from lab.search import remote
from lab.search.executors import Executor, Gone, Judge
from lab.search.reading import SweepError, brief
from lab.search.remote import MOST_BYTES, Task

ANSWER = 10.0  # seconds that a scheduler may take to answer
LOOK = 1.0  # seconds between two looks at which workers there are
SPARE = 1  # runs that wait on workers beside those that run, so that no worker waits for the driver


class Cluster(Executor):
    """Executes on the workers of a scheduler at an address, or in a scheduler's file."""

    def __init__(self, scheduler: str, notebook: Notebook, environment: Mapping[str, str]) -> None:
        self._scheduler, self._notebook = scheduler, notebook
        self._source = notebook.path.read_text(encoding="utf-8")
        self._environment = {"FASHION_FINGERPRINT": notebook.fingerprint} | dict(environment)
        self._sweep = f"sweep-{secrets.token_hex(8)}"
        self._numbers = itertools.count()
        self._ears: dict[str, queue.SimpleQueue] = {}  # of runs that are listened to, by key
        self._asked: dict[str, Future | None] = {}  # workers by address; None once it is settled whether they serve
        self._threads: dict[str, int] = {}  # of the workers that serve
        self._changed, self._over, self._stopping = threading.Condition(), False, False
        self._client = _connect(scheduler)
        self._client.subscribe_topic(self._sweep, self._hear)
        self._wanted = remote.describe(notebook.path.name, self._source)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def slots(self) -> int:
        with self._changed:
            return sum(self._threads.values()) + SPARE

    def execute(self, notebook: Path, output: Path, parameters: Config, timeout: float, judge: Judge | None) -> None:
        own = {name: value for name, value in parameters.items() if name != "folder"}
        listens, bands = judge is not None, tuple(judge.bands) if judge else ()
        task = Task("", self._sweep, notebook.name, self._source, own, timeout, self._environment, listens, bands)
        parcel = None
        while parcel is None:
            parcel = self._sent(replace(task, key=f"{self._sweep}-{next(self._numbers)}"), judge)
        unpack(parcel, Path(parameters["folder"]), notebook.name, output)
        if parcel["error"]:
            raise ExecutionError(str(parcel["error"]), bool(parcel["died"]))

    def stop(self, kill: bool) -> None:
        self._stopping = True
        workers = self._serving()
        if workers and not self._over:
            self._client.run(_errand(remote.stop), self._sweep, kill, workers=workers, on_error="ignore")
        if kill:
            self._lose()

    def close(self) -> None:
        self._lose()
        self._watcher.join()
        self._client.close(timeout=2)

    def _lose(self) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for ear in list(self._ears.values()):
            ear.put(None)

    # --- runs ---

    def _sent(self, task: Task, judge: Judge | None) -> Any:
        """What comes back for a task; None if all workers that it was meant for are gone."""
        workers, ear = self._wait_for_workers(), queue.SimpleQueue()
        self._ears[task.key] = ear
        where = {"workers": workers, "allow_other_workers": False}
        future = self._client.submit(_errand(remote.work), asdict(task), key=task.key, pure=False, **where)
        future.add_done_callback(lambda _: ear.put(None))
        try:
            self._attend(future, ear, judge, workers)
            if future.done():
                return self._result(future)
            if self._over:
                raise self._ended()
            return None
        finally:
            future.release()
            del self._ears[task.key]

    def _attend(self, future: Future, ear: queue.SimpleQueue, judge: Judge | None, workers: Sequence[str]) -> None:
        """Answer what a run says until it has ended, or none of its workers is left."""
        while not future.done() and not self._over:
            try:
                said = ear.get(timeout=LOOK)
            except queue.Empty:
                said = None
            if said and judge:
                stop = judge.stops(said["record"])
                epoch = said["record"]["history"][-1]["epoch"]
                who = [said["worker"]]
                self._client.run(_errand(remote.deliver), said["folder"], epoch, stop, workers=who, on_error="ignore")
            if not set(workers) & set(self._serving()):
                return

    def _result(self, future: Future) -> object:
        try:
            return future.result()
        except CancelledError as error:
            raise self._ended() from error
        except KilledWorker as error:
            raise ExecutionError("the run's worker died, again and again", died=True) from error

    def _wait_for_workers(self) -> list[str]:
        with self._changed:
            self._changed.wait_for(lambda: self._threads or self._over)
            if self._over:
                raise self._ended()
            return list(self._threads)

    def _ended(self) -> Exception:
        """Why nothing comes back any more."""
        if self._stopping:
            return ExecutionError("the sweep was interrupted")
        cure = "start one there, and the same command goes on: nothing that ended is lost"
        return Gone(f"the scheduler at {self._scheduler} is no more: {cure}")

    def _hear(self, event: tuple[float, Any]) -> None:
        """Hand what a worker says of a run to who waits for the run."""
        _, said = event
        if isinstance(said, dict) and said.get("key") in self._ears:
            self._ears[said["key"]].put(said)

    # --- workers ---

    def _serving(self) -> list[str]:
        with self._changed:
            return list(self._threads)

    def _watch(self) -> None:
        """Ask workers that have come what they are, and count those that serve, until all is over."""
        silent = False
        while not self._over:
            try:
                there = self._client.scheduler_info(n_workers=-1)["workers"]
                self._take_in({address: worker["nthreads"] for address, worker in there.items()})
            except Exception:  # whatever the client says once its scheduler is gone: whoever waits must hear of it
                self._lose()
                return
            if not there and not silent:
                print(
                    f"no worker at {self._scheduler} yet: start some with `dask worker {self._scheduler}`", flush=True
                )
                silent = True
            with self._changed:
                self._changed.wait(LOOK)

    def _take_in(self, there: Mapping[str, int]) -> None:
        """Which of the workers that are there serve."""
        for address in there.keys() - self._asked.keys():
            about = (self._notebook.path.name, self._source)
            options = {"workers": [address], "allow_other_workers": False, "pure": False, "priority": 1}
            self._asked[address] = self._client.submit(_errand(remote.describe), *about, **options)
        serving = {address: number for address, number in self._threads.items() if address in there}
        for address, future in list(self._asked.items()):
            if address not in there:
                del self._asked[address]
            elif future is not None and future.done():
                self._asked[address] = None
                if self._is_fit(address, future):
                    serving[address] = there[address]
        with self._changed:
            self._threads = serving
            self._changed.notify_all()

    def _is_fit(self, address: str, future: Future) -> bool:
        """Whether a worker serves, which has been asked what it is; says why not."""
        if (error := future.exception()) is not None:
            return self._refuse(address, f"it cannot run this repository's code ({type(error).__name__}: {error})")
        said = future.result()
        for what in ("commit", "NumPy", "code"):
            if said[what] != self._wanted[what]:
                return self._refuse(address, f"its {what} is {said[what]}, and the driver's {self._wanted[what]}")
        if said["lacking"]:
            return self._refuse(address, f"it lacks what the notebook needs: {said['lacking']}")
        return True

    def _refuse(self, address: str, why: str) -> bool:
        print(brief(masked(f"the worker {address} is refused: {why}")), flush=True)
        return False


def _connect(scheduler: str) -> Client:
    """A client of the scheduler at an address, or in a scheduler's file."""
    where = {"address": scheduler} if "://" in scheduler else {"scheduler_file": scheduler}
    cure = "start one with `dask scheduler`, and name its address, tcp://host:8786, or its --scheduler-file"
    if "://" not in scheduler and not Path(scheduler).is_file():
        raise SweepError(f"{scheduler} is neither an address nor a scheduler's file: {cure}")
    for name in ("distributed", "distributed.client"):  # which would show tracebacks of what is said here in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(**where, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise SweepError(f"no scheduler answers at {scheduler} ({type(error).__name__}: {error}): {cure}") from error


def _errand(function: Callable) -> Callable:
    """The function of the same name in a worker's own copy, which is imported only where and when it is called.

    What is sent is code by value: unpickled by name, all that the function needs would be imported by the event loops
    of the scheduler and of the workers, which answer nobody meanwhile.
    """
    module, name = function.__module__, function.__name__

    def errand(*arguments: Any) -> Any:
        import importlib

        return getattr(importlib.import_module(module), name)(*arguments)

    return errand


def unpack(parcel: Any, folder: Path, notebook: str, output: Path) -> None:
    """Put what a worker sends into a run's folder; raises ExecutionError for what no run leaves."""
    if not isinstance(parcel, dict) or parcel.keys() != {"files", "error", "died"}:
        raise ExecutionError("the worker sent what is no result of a run")
    files = parcel["files"]
    if not isinstance(files, dict) or not all(isinstance(content, bytes) for content in files.values()):
        raise ExecutionError("the worker sent files that are no bytes")
    if strange := [name for name in files if name not in remote.names(notebook)]:
        raise ExecutionError(f"the worker sent a file that no run leaves: {strange[0]!r}")
    if (size := sum(map(len, files.values()))) > MOST_BYTES:
        raise ExecutionError(f"the worker sent {size / 2**20:.0f} MB, and a run may have {MOST_BYTES / 2**20:.0f}")
    _require_record(files.get("record.json", b"{}"))
    for name in remote.names(notebook):
        if name in files:
            write_whole(output if name == notebook else folder / name, files[name])


def _require_record(content: bytes) -> None:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ExecutionError(f"the worker sent a record that cannot be read ({error})") from error
    if not isinstance(record, dict):
        raise ExecutionError("the worker sent a record that is none")
