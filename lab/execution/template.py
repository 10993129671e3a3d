"""A process that has imported what kernels need, and is forked for each of them: none waits for imports.

    python -m lab.execution.template MODULE ...

It reads requests from its standard input, a JSON object a line: the command of a kernel, its environment, its working
directory, and the file for what it says. It answers on its standard output: {"started": pid} to each request, and
{"ended": pid, "code": code} once a kernel has. With its input, which its starter's death closes too, it ends, and all
its kernels with it; should it be killed, each of them notices within a second.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

ALWAYS = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.debugger", "numpy", "threadpoolctl")


def main(modules: list[str]) -> None:
    """Import, then fork a kernel for each request."""
    answers = os.dup(1)  # and what a module prints when it is imported is none
    os.dup2(2, 1)
    atexit.register(_leave)  # the first that is registered is called last
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder that `python -m` is started in, which a kernel does not have there
    for module in (*ALWAYS, *modules):
        with suppress(Exception, SystemExit):  # whoever needs it hears of that
            importlib.import_module(module)
    if "nn_core" in modules:
        _warm_up()
    sys.stdout.flush()
    gc.freeze()  # so that no collection in a kernel copies all of this
    running: set[int] = set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever drives
    signal.signal(signal.SIGCHLD, lambda *_: _reap(running, answers))
    for line in sys.stdin.buffer:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # until it is known who has started
        if (pid := os.fork()) == 0:
            os.close(answers)
            become_kernel(**json.loads(line))
            return
        running.add(pid)
        _say(answers, {"started": pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for pid in list(running):
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _warm_up() -> None:
    """Train a network of one neuron on a pixel: numba makes itself ready once, for all kernels."""
    import numpy as np

    from nn_core import NeuralNetwork

    data = np.zeros((1, 1), np.uint8), np.zeros(1, np.uint8)
    list(NeuralNetwork(max_epochs=1, layers=1, num_hidden_neurons=1, inputs=1, batch_size=1).train(data, data))


def become_kernel(command: list[str], environment: dict[str, str], folder: str, log: str | None) -> None:
    """Be what `command` would have started in a process of its own, until it ends."""
    template = os.getppid()
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    _redirect(log)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | {"JPY_PARENT_PID": str(template)})
    _make_independent()
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = command[command.index("ipykernel_launcher") :]
    IPKernelApp.launch_instance([*sys.argv[1:], f"--IPKernelApp.parent_handle={template}"])


def _leave() -> None:
    """End at once: to take everything apart that was imported would cost more than a kernel's start."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _redirect(log: str | None) -> None:
    """Nothing comes in, and what is said goes to the file, or to where the template complains."""
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if log:
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 2)
    os.dup2(2, 1)


def _make_independent() -> None:
    """Give this process what it would have read, or drawn, when its modules were imported."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    np.random.seed()  # noqa: NPY002  (the global state, for notebooks that use it: each its own)
    if threads := os.environ.get("OPENBLAS_NUM_THREADS"):
        threadpool_limits(int(threads), user_api="blas")


def _reap(running: set[int], answers: int) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        running.discard(pid)
        _say(answers, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(answers: int, what: dict[str, Any]) -> None:
    os.write(answers, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
