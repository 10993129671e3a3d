"""What a worker of a cluster does for a sweep: say what it is, execute a notebook, hand over what the run leaves.

These functions run on the worker's machine, from its own copy of this repository. They take and return plain values,
so that neither a scheduler nor a worker's event loop imports any of this. A run lives there in a temporary folder, and
comes back as bytes. Each thread of a worker keeps kernels of its own, ready for its next run.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

from common.files import scratch, scratch_until_exit, write_whole
from common.words import masked, without_secrets
from lab.execution.executing import ExecutionError, Kernels
from lab.execution.notebook import Config, Notebook, NotebookError
from lab.search.executors import heard
from lab.search.verdicts import RULES
from lab.tracking import THREADS, commit
from lab.tracking.provenance import versions
from lab.tracking.verdicts import ask, tell

MOST_BYTES = 256 * 2**20  # of what a run sends back: a thousand times that of the largest network here
LOOK = 0.5  # seconds between two looks at whether anybody still waits for a run


@dataclass(frozen=True)
class Task:
    """A run as a worker gets it."""

    key: str
    sweep: str  # a mark of the driver's
    notebook: str  # its name
    source: str  # its text
    parameters: Config
    timeout: float
    environment: Mapping[str, str]
    listens: bool  # the driver wants to hear of each epoch
    bands: Sequence[int]  # epochs at which the run waits for the driver's verdict


def describe(name: str, source: str) -> dict[str, str]:
    """What decides here what would come of the notebook, and what is lacking."""
    facts = {"commit": commit() or "none", "NumPy": versions()["numpy"], "lacking": ""}
    try:
        notebook = Notebook(_written(name, source), RULES)
    except NotebookError as error:
        return facts | {"code": "another", "lacking": masked(str(error))}
    return facts | {"code": notebook.fingerprint, "lacking": _lacking(notebook), "machine": platform.node()}


def _lacking(notebook: Notebook) -> str:
    """Why the data cannot be had here, if the notebook needs it; otherwise it is there afterwards."""
    if "fashion_mnist" not in notebook.modules:
        return ""
    import fashion_mnist

    try:
        _ = fashion_mnist.load().train
    except (fashion_mnist.DataError, OSError) as error:
        return masked(str(error))
    return ""


def work(asked: dict[str, Any]) -> dict[str, Any]:
    """Execute the notebook of a Task until nobody waits for it any more; return what comes back.

    That is {"files": bytes by name, "error": what ended the run too early, in a sentence, "died": whether its kernel is
    no more}.
    """
    task = Task(**asked)
    if task.sweep in _stopped:
        return {"files": {}, "error": "the sweep was interrupted", "died": False}
    path = _written(task.notebook, task.source)
    with scratch("sweep-run") as folder, _stoppable(task, path) as kernels:
        parameters = {**task.parameters, "folder": str(folder)}
        error, died = "", False
        ask(folder, task.bands)
        try:
            with _relayed(task, folder):
                kernels.execute(path, folder / task.notebook, parameters, task.timeout, figures=False)
        except ExecutionError as exception:
            error, died = str(exception), exception.died
        except Exception as exception:  # whatever ends a run is the driver's to record
            error = f"{type(exception).__name__}: {exception}"
        return _packed(folder, task.notebook, error, died)


def _packed(folder: Path, notebook: str, error: str, died: bool) -> dict[str, Any]:
    """What a run leaves, without secrets of this machine, which the driver does not know; if too large, the record."""
    paths = [path for name in names(notebook) if (path := folder / name).is_file()]
    if (size := sum(path.stat().st_size for path in paths)) > MOST_BYTES:
        paths = [path for path in paths if path.name == "record.json" and path.stat().st_size <= MOST_BYTES]
        error = error or f"the run left {size / 2**20:.0f} MB, and a worker sends {MOST_BYTES / 2**20:.0f} at most"
    files = {path.name: path.read_bytes() for path in paths}
    if notebook in files:  # what it has printed, or a traceback
        text = files[notebook].decode(errors="surrogateescape")
        files[notebook] = without_secrets(text).encode(errors="surrogateescape")
    return {"files": files, "error": masked(error), "died": died}


def names(notebook: str) -> list[str]:
    """The files that come back from a run, its record last."""
    return [notebook, "weights.npz", "record.json"]


def deliver(folder: str, epochs: int, stop: bool) -> None:
    """Tell a run here what the driver says to so many epochs."""
    if Path(folder).is_dir():
        tell(Path(folder), epochs, stop)


def stop(sweep: str, kill: bool) -> None:
    """Interrupt the runs of a sweep here, or kill them; those that wait here do not begin any more."""
    _stopped.add(sweep)
    for kernels in list(_running.get(sweep, ())):
        kernels.stop(kill)


# --- kernels ----------------------------------------------------------------------------------------------------------


_threads = threading.local()  # of each thread its kernels, and what they were made for
_running: dict[str, list[Kernels]] = {}
_stopped: set[str] = set()  # sweeps that were interrupted


def _kernels(task: Task, path: Path) -> Kernels:
    """This thread's kernels for a task's notebook."""
    wanted = task.source, dict(task.environment)
    made = getattr(_threads, "made", None)
    if made and made[0] == wanted:
        return made[1]
    if made:
        made[1].close()
    environment = dict.fromkeys(THREADS, "1") | wanted[1]
    _threads.made = wanted, Kernels(environment, None, Notebook(path, RULES).modules)
    return _threads.made[1]


@contextmanager
def _stoppable(task: Task, path: Path) -> Iterator[Kernels]:
    """This thread's kernels, which `stop` finds, and which are killed once nobody waits for the task any more."""
    kernels, worker, ended = _kernels(task, path), get_worker(), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK):
            if not _is_wanted(worker, task.key):
                kernels.stop(kill=True)

    _running.setdefault(task.sweep, []).append(kernels)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield kernels
    finally:
        ended.set()
        thread.join()
        _running[task.sweep].remove(kernels)


def _is_wanted(worker: Worker, key: str) -> bool:
    known = worker.state.tasks.get(key)
    return known is not None and known.state == "executing"


@contextmanager
def _relayed(task: Task, folder: Path) -> Iterator[None]:
    """While the block runs, send the driver the record after each epoch, if it listens."""
    if not task.listens:
        yield
        return
    worker = get_worker()
    about = {"key": task.key, "worker": worker.address, "folder": str(folder)}
    with heard(folder, lambda record: worker.log_event(task.sweep, about | {"record": record})):
        yield


def _written(name: str, source: str) -> Path:
    """A notebook's text as a file of this process."""
    path = _folder() / name
    if not path.exists() or path.read_text(encoding="utf-8") != source:
        write_whole(path, source)
    return path


_made: list[Path] = []
_making = threading.Lock()


def _folder() -> Path:
    with _making:
        if not _made:
            _made.append(scratch_until_exit("sweep-notebooks"))
    return _made[0]
