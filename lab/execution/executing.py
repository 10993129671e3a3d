"""Executes notebooks with papermill, each in a kernel of its own, and says in a line what ended one too early."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lab.execution import lean  # noqa: F401
from lab.execution.notebook import read, without_figures

QUICK = {"request_save_on_cell_execute": False}  # a notebook saved once, at its end, costs a quarter of a second less


class ExecutionError(RuntimeError):
    """A notebook that was not executed to its end; the text says why, in one line. `died`: its kernel is no more."""

    def __init__(self, text: str, died: bool = False) -> None:
        super().__init__(" ".join(text.split()))
        self.died = died


class Kernels:
    """Executes notebooks, each in a kernel of its own with `environment` added; all of them can be stopped at once.

    What a kernel says outside its notebook, such as a crash or a complaint while it is being stopped, goes to `log`.
    """

    def __init__(self, environment: Mapping[str, str], log: Path | None = None) -> None:
        running: set[AsyncKernelManager] = set()

        class Kernel(AsyncKernelManager):
            own: Mapping[str, str]  # environment of one run

            async def start_kernel(self, **options: Any) -> None:
                running.add(self)
                with log.open("ab") if log else nullcontext() as file:
                    environ = {**os.environ, **environment, **self.own}
                    await super().start_kernel(env=environ, stdout=file, stderr=file, **options)

            async def cleanup_resources(self, restart: bool = False) -> None:
                await super().cleanup_resources(restart)
                running.discard(self)

        self._running, self._class = running, Kernel

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
        papermill's. Raises ExecutionError where a cell fails or the kernel dies, and
        TimeoutError, the kernel killed, where it takes longer than `timeout` seconds.
        """
        kernel = type("Kernel", (self._class,), {"own": environment or {}})
        if not figures:
            nbformat.write(without_figures(read(notebook)), output)
        with self._limit(timeout, kernel):
            try:
                return papermill.execute_notebook(
                    notebook if figures else output,
                    output,
                    dict(parameters),
                    kernel_name="python3",
                    kernel_manager_class=kernel,
                    extra_arguments=["--IPKernelApp.log_level=50"],
                    start_timeout=120,
                    progress_bar=False,
                    **QUICK | options,
                )
            except PapermillExecutionError as error:
                raise ExecutionError(f"{error.ename}: {error.evalue}") from error
            except (DeadKernelError, RuntimeError) as error:
                if isinstance(error, DeadKernelError) or str(error).startswith("Kernel died"):
                    raise ExecutionError(f"{type(error).__name__}: {error}", died=True) from error
                raise

    @contextmanager
    def _limit(self, timeout: float | None, kernel: type) -> Iterator[None]:
        """Kill the kernel of the block after so many seconds, and raise TimeoutError then."""
        ended, late = threading.Event(), threading.Event()

        def watch() -> None:
            if not ended.wait(timeout):
                late.set()
                while not ended.wait(1):  # a kernel that is only starting is killed when it is there
                    self.stop(kill=True, kind=kernel)

        if timeout is not None:
            threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        except Exception as error:
            raise (TimeoutError(f"the run took longer than {timeout:g} s") if late.is_set() else error) from error
        finally:
            ended.set()

    def stop(self, kill: bool, kind: type = AsyncKernelManager) -> None:
        """Interrupt the notebooks that run, or kill their kernels."""
        for kernel in list(self._running):
            if isinstance(kernel, kind) and kernel.has_kernel and (process := kernel.provisioner):
                run_sync(process.kill)() if kill else run_sync(process.send_signal)(signal.SIGINT)
