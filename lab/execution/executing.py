"""Executes notebooks with papermill, each in a kernel of its own, and says in a line what ended one too early."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lab.execution.forking import CAN_FORK, ForkedProvisioner, Template
from lab.execution.notebook import kernel_of, read, without_figures

logging.getLogger("papermill").addFilter(
    lambda record: "Kernel died" not in record.getMessage()
)  # whoever asked is told
QUICK = {"request_save_on_cell_execute": False}  # a notebook saved once, at its end, costs a quarter of a second less
START = 120  # seconds that a kernel may take to start
SHORT_OF_MEMORY = "`dmesg` tells whether it did, and fewer runs side by side, or a smaller one, need less"
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # which ends a process at once on Windows, where the first is not
ASK = 0.1  # seconds between two questions whether it has


class ExecutionError(RuntimeError):
    """A notebook that was not executed to its end; the text says why, in one line. `died`: its kernel is no more."""

    def __init__(self, text: str, died: bool = False) -> None:
        super().__init__(" ".join(text.split()))
        self.died = died


class Client(AsyncKernelClient):
    """Talks to a kernel; jupyter_client's own would sleep for a second until it asks again whether it is there."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Ask until there is an answer on both channels; raises RuntimeError if the kernel dies, or takes too long."""
        until = time.monotonic() + (START if timeout is None else timeout)
        while not await self._answers(self.kernel_info()):
            if not await self.parent.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answers(self, question: str) -> bool:
        with suppress(Empty):
            while (await self.get_shell_msg(timeout=ASK))["parent_header"].get("msg_id") != question:
                continue  # the answer to an earlier one
            while True:
                message = await self.get_iopub_msg(timeout=ASK)
                idle = message["content"].get("execution_state") == "idle"
                if idle and message["parent_header"].get("msg_id") == question:
                    return True
        return False


class Kernel(AsyncKernelManager):
    """One kernel, used once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(client_factory=Client, **options)
        self._clients: list[Client] = []

    async def start(self, template: Template | None, environment: Mapping[str, str], log: Path | None) -> None:
        """Start it, from the template if there is one; what it says outside of notebooks goes to the log."""
        if template:
            spec, name = self.kernel_spec, str(uuid.uuid4())
            self.provisioner = ForkedProvisioner(parent=self, kernel_id=name, kernel_spec=spec, template=template)
        with log.open("ab") if log else nullcontext() as file:
            arguments = ["--IPKernelApp.log_level=50"]
            await self.start_kernel(extra_arguments=arguments, env=dict(environment), stdout=file, stderr=file)

    def client(self, **options: Any) -> Client:
        self._clients.append(super().client(**options))
        return self._clients[-1]

    def stop_clients(self) -> None:
        """Close the channels of all clients."""
        for client in self._clients:
            client.stop_channels()

    async def signal(self, signum: int) -> None:
        """Send a signal, if it is still there."""
        if self.has_kernel:
            with suppress(OSError):
                await self.provisioner.send_signal(signum)

    def death(self) -> str:
        """What it has died of, as far as the system tells, in a sentence that says where to look."""
        process = self.provisioner and self.provisioner.process
        code = process.poll() if process else None
        if code is None or code >= 0:
            return "its kernel died" if code is None else f"its kernel ended by itself, with exit code {code}"
        name = signal.Signals(-code).name
        if name != "SIGKILL":
            return f"its kernel died of {name}: kernels.log may hold what it said last"
        return f"its kernel was killed ({name}), as by a system that runs out of memory: {SHORT_OF_MEMORY}"

    async def end(self) -> None:
        """Shut it down, or clean up after it if it has died."""
        try:
            if await self.is_alive():
                await self.shutdown_kernel()
        finally:
            await self.cleanup_resources()


class Kernels:
    """Executes notebooks, each in a kernel of its own with `environment` added; all of them can be stopped at once.

    What a kernel says outside its notebook, such as a crash or a complaint while it is being stopped, goes to `log`.
    With `preload`, names of modules, kernels are forked from a process that has imported them, where that can be done,
    and one is always ready before it is needed. To be closed when done, or used as a context.
    """

    def __init__(
        self, environment: Mapping[str, str], log: Path | None = None, preload: Sequence[str] | None = None
    ) -> None:
        self._environment, self._log = dict(environment), log and log.resolve()
        self._preload = preload if CAN_FORK else None
        self._running: set[Kernel] = set()
        self._template: Template | None = None
        self._spare: tuple[object, Future[Kernel]] | None = None  # what it was started with
        self._lock = threading.Lock()
        self._aside = ThreadPoolExecutor(4, thread_name_prefix="kernels")  # starts and ends them beside the work

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(
        self,
        notebook: Path,
        output: Path,
        parameters: Mapping[str, Any],
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        figures: bool = True,
        **options: Any,
    ) -> nbformat.NotebookNode:
        """Execute a notebook with its parameters, and return it as it was executed, which is in `output` too.

        Without `figures`, the cells that only show something are left out of it. `options` are further ones of
        papermill's. Raises ExecutionError where a cell fails or the kernel dies, and TimeoutError, the kernel killed,
        where it takes longer than `timeout` seconds.
        """
        name = kernel_of(notebook)
        if not figures:
            nbformat.write(without_figures(read(notebook)), output)
        with self._kernel(name, environment or {}) as kernel, self._limit(timeout, kernel):
            try:
                return papermill.execute_notebook(
                    _unformatted(notebook if figures else output),
                    _unformatted(output),
                    dict(parameters),
                    km=kernel,
                    kernel_name=name,
                    start_timeout=START,
                    progress_bar=False,
                    **QUICK | options,
                )
            except PapermillExecutionError as error:
                raise ExecutionError(f"{error.ename}: {error.evalue}") from error
            except (DeadKernelError, RuntimeError) as error:
                if isinstance(error, DeadKernelError) or str(error).startswith("Kernel died"):
                    raise ExecutionError(kernel.death(), died=True) from error
                raise

    def stop(self, kill: bool) -> None:
        """Interrupt the notebooks that run, or kill their kernels."""
        for kernel in list(self._running):
            _finish(kernel.signal(KILL if kill else signal.SIGINT))

    def close(self) -> None:
        """End the kernel that is ready, and wait until all that have been used have ended."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare:
            self._end(spare[1])
        self._aside.shutdown()
        if self._template:
            self._template.close()

    @contextmanager
    def _kernel(self, name: str, environment: Mapping[str, str]) -> Iterator[Kernel]:
        """A kernel for one notebook."""
        loop = ensure_event_loop()  # of this thread, in which papermill talks to the kernel
        kernel = self._take(name, {**os.environ, **self._environment, **environment})
        self._running.add(kernel)
        try:
            yield kernel
        finally:
            self._running.discard(kernel)
            kernel.stop_clients()
            self._aside.submit(asyncio.run, kernel.end())
            if not loop.is_running():
                loop.close()

    def _take(self, name: str, environment: dict[str, str]) -> Kernel:
        """The kernel that is ready if it is such a one, or else a new one; then another is made ready."""
        wanted = (name, environment, os.getcwd())
        with self._lock:
            spare, self._spare = self._spare, None
        if spare and spare[0] == wanted and spare[1].exception() is None and _finish(spare[1].result().is_alive()):
            kernel = spare[1].result()
        else:
            if spare:
                self._end(spare[1])
            kernel = _finish(self._start(name, environment))
        with self._lock:
            if self._template and not self._spare:
                self._spare = wanted, self._aside.submit(asyncio.run, self._start(name, environment))
        return kernel

    async def _start(self, name: str, environment: Mapping[str, str]) -> Kernel:
        with self._lock:
            if self._template and (self._template.over or self._template.mute):
                self._template.close()
                if self._template.mute:
                    self._preload = None  # the next would say as little
                self._template = None
            if self._preload is not None and self._template is None:
                self._template = Template(self._preload, self._log)
        kernel = Kernel(kernel_name=name)
        await kernel.start(self._template, environment, self._log)
        return kernel

    def _end(self, future: Future[Kernel]) -> None:
        if future.exception() is None:
            self._aside.submit(asyncio.run, future.result().end())

    @contextmanager
    def _limit(self, timeout: float | None, kernel: Kernel) -> Iterator[None]:
        """Kill the kernel of the block after so many seconds, and raise TimeoutError then."""
        ended, late = threading.Event(), threading.Event()

        def watch() -> None:
            if not ended.wait(timeout):
                late.set()
                asyncio.run(kernel.signal(KILL))

        if timeout is not None:
            threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        except Exception as error:
            if late.is_set():
                raise TimeoutError(f"the run took longer than {timeout:g} s") from error
            raise
        finally:
            ended.set()


def _unformatted(path: Path) -> str:
    """A path as papermill takes it: its braces are part of its name, and no parameters of the notebook."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, also where this thread has a loop of its own at work, as in JupyterLab."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
