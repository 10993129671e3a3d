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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker

from common.files import read_json, write_whole
from common.words import brief, masked
from lab.execution.executing import ExecutionError
from lab.execution.notebook import Config, Notebook
from lab.search import remote
from lab.search.certificates import DISTRUST, ONE_AUTHORITY, require_certificates
from lab.search.executors import Executor, Gone, Judge
from lab.search.reading import SweepError
from lab.search.remote import MOST_BYTES, Task

ANSWER = 10.0  # seconds that a scheduler may take to answer
SILENCE = 60.0  # seconds without any answer, after which a scheduler counts as lost
LOOK = 1.0  # seconds between two looks at which workers there are
CLOSE = 2.0  # seconds that a goodbye may take
SPARE = 1  # runs that wait on workers beside those that run, so that no worker waits for the driver
NO_MORE = "is no more: start one there"


class Lost(Exception):
    """The scheduler is no more, or out of reach; the text says so of it, and what to do."""


class Unheard(Exception):
    """A word from or to the scheduler that did not arrive; the next may."""


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
        self._fault: Exception | None = None  # why it is over, if nobody has closed it
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
            try:
                parcel = self._sent(replace(task, key=f"{self._sweep}-{next(self._numbers)}"), judge)
            except Lost as error:
                self._end(error)
                raise self._ended() from error
        unpack(parcel, Path(parameters["folder"]), notebook.name, output)
        if parcel["error"]:
            raise ExecutionError(str(parcel["error"]), bool(parcel["died"]))

    def stop(self, kill: bool) -> None:
        self._stopping = True
        workers = self._serving()
        if workers and not self._over:
            self._run_there(workers, remote.stop, self._sweep, kill)
        if kill:
            self._end()

    def close(self) -> None:
        self._end()
        self._watcher.join()
        with suppress(OSError):  # of a scheduler that says nothing
            self._client.close(timeout=CLOSE)

    def _end(self, fault: Exception | None = None) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._over, self._fault = True, self._fault or fault
            self._changed.notify_all()
        for ear in list(self._ears.values()):
            ear.put(None)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """A word with the scheduler: raises Lost where it is no more, and Unheard where the next word may arrive."""
        try:
            yield
        except Exception as error:  # a client that is being closed raises anything
            if self._client.status != "running" or isinstance(error, CancelledError):
                raise Lost(NO_MORE) from error
            if isinstance(error, OSError):
                raise Unheard from error
            raise

    def _run_there(self, workers: Sequence[str], function: Callable, *arguments: Any) -> None:
        """Have workers call a function, those that can be reached within ANSWER seconds."""
        where = {"workers": list(workers), "on_error": "ignore", "callback_timeout": ANSWER}
        with suppress(Lost, Unheard), self._exchange():
            self._client.run(_errand(function), *arguments, **where)

    # --- runs ---

    def _sent(self, task: Task, judge: Judge | None) -> Any:
        """What comes back for a task; None if it did not, or if all workers that it was meant for are gone."""
        workers, ear = self._wait_for_workers(), queue.SimpleQueue()
        self._ears[task.key] = ear
        where = {"workers": workers, "allow_other_workers": False}
        with self._exchange():
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
                epochs = len(said["record"]["history"])
                self._run_there([said["worker"]], remote.deliver, said["folder"], epochs, stop)
            if not set(workers) & set(self._serving()):
                return

    def _result(self, future: Future) -> object:
        """What a task has come to; None if it did not arrive."""
        if isinstance(error := future.exception(), KilledWorker):
            raise ExecutionError("the run's worker died, again and again", died=True) from error
        if error:
            raise error
        with suppress(Unheard), self._exchange():
            return future.result()
        return None

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
        again = "the same command goes on: nothing that ended is lost"
        if isinstance(self._fault, Lost):
            return Gone(f"the scheduler at {self._scheduler} {self._fault}, and {again}")
        why = f"{type(self._fault).__name__}: {self._fault}"
        return Gone(f"the driver can follow its workers no more ({why}), a mistake of its own; {again}")

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
        """Follow the workers until all is over; should that end early, whoever waits hears of it."""
        try:
            self._follow()
        except Exception as error:
            self._end(error)
            with suppress(OSError):
                self._client.close(timeout=CLOSE)  # and with it what somebody waits for
            if not isinstance(error, Lost):
                raise

    def _follow(self) -> None:
        """Ask workers that have come what they are, and count those that serve."""
        heard, silent = time.monotonic(), False
        while not self._over:
            try:
                there = self._there()
                self._take_in(there)
                heard = time.monotonic()
            except Unheard as error:
                if time.monotonic() - heard > SILENCE:
                    cure = "see that it runs, and that the network lets it through"
                    raise Lost(f"has said nothing for {SILENCE:g} s: {cure}") from error
            else:
                if not there and not silent:
                    where = "" if "://" in self._scheduler else "--scheduler-file "
                    how = f"start some with `dask worker {where}{self._scheduler}`"
                    print(f"no worker at {self._scheduler} yet: {how}", flush=True)
                    silent = True
            with self._changed:
                self._changed.wait(LOOK)

    def _there(self) -> dict[str, int]:
        """The workers that are there, by address, and their threads."""
        with self._exchange():
            said = self._client.sync(self._client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER)
        return {address: worker["nthreads"] for address, worker in said["workers"].items()}

    def _take_in(self, there: Mapping[str, int]) -> None:
        """Which of the workers that are there serve."""
        for address in there.keys() - self._asked.keys():
            about = (self._notebook.path.name, self._source)
            options = {"workers": [address], "allow_other_workers": False, "pure": False, "priority": 1}
            with self._exchange():
                self._asked[address] = self._client.submit(_errand(remote.describe), *about, **options)
        serving = {address: number for address, number in self._threads.items() if address in there}
        for address, future in list(self._asked.items()):
            if address not in there:
                del self._asked[address]
            elif future is not None and future.done():
                if self._is_fit(address, future):
                    serving[address] = there[address]
                self._asked[address] = None
        with self._changed:
            self._threads = serving
            self._changed.notify_all()

    def _is_fit(self, address: str, future: Future) -> bool:
        """Whether a worker serves, which has been asked what it is; says why not."""
        if (error := future.exception()) is not None:
            return self._refuse(address, f"it cannot run this repository's code ({type(error).__name__}: {error})")
        with self._exchange():
            said = future.result(timeout=ANSWER)
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
    cure = "start one with `dask scheduler`, and name its address, tcp://host:8786, or tls://host:8786 if it demands "
    cure += "certificates, or its --scheduler-file"
    address = scheduler if "://" in scheduler else read_json(Path(scheduler)).get("address")
    if not isinstance(address, str) or "://" not in address:
        raise SweepError(f"{scheduler} is neither an address nor a scheduler's file: {cure}")
    if address.startswith("tls://"):
        require_certificates(address)
    for name in ("distributed", "distributed.client"):  # which would show tracebacks of what is said here in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        if address.startswith("tls://") and isinstance(error, DISTRUST):
            raise SweepError(f"no trust between the driver and {address} ({error}): {ONE_AUTHORITY}") from error
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
