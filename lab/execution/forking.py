"""Kernels forked from a template: what jupyter_client asks of a process, without its start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Any as Anything

from lab.tracking import REPOSITORY, THREADS

CAN_FORK = sys.platform.startswith("linux")  # macOS's own libraries do not survive it, and Windows has none


def is_usual(command: Sequence[str]) -> bool:
    """Whether a kernel's command starts ipykernel in this very Python, as the template can."""
    return list(command[1:3]) == ["-m", "ipykernel_launcher"] and Path(command[0]).samefile(sys.executable)


ANSWER = 120  # seconds that a template may take to start a kernel, all imports included, or to end
# No threads, which a fork would not survive; and no advice on a debugger that nobody uses.
ALONE = dict.fromkeys(THREADS, "1") | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}


class Template:
    """The process that kernels are forked from, started with the first of them. See template.py."""

    def __init__(self, modules: Sequence[str], log: Path | None) -> None:
        with open(log, "ab") if log else open(os.devnull, "ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.execution.template", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors if log else None,
                env=os.environ | ALONE,
                cwd=REPOSITORY,
                start_new_session=True,
            )
        self._log = log
        self._asking, self._changed = threading.Lock(), threading.Condition()
        self._started: list[int] = []
        self._codes: dict[int, int] = {}
        self.over = False
        self.mute = False  # it has said nothing for too long, and was killed
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def fork(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Forked:
        """A new kernel; raises ChildProcessError if the template is no more, or says nothing."""
        request = {"command": list(command), "environment": dict(environment), "folder": str(folder)}
        line = json.dumps(request | {"log": str(self._log) if self._log else None}).encode() + b"\n"
        with self._asking, self._changed:
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except OSError as error:
                raise ChildProcessError("the template of kernels is no more") from error
            if not self._changed.wait_for(lambda: self._started or self.over, ANSWER):
                self.mute = True
                self._process.kill()
            if not self._started:
                raise ChildProcessError("the template of kernels is no more")
            return Forked(self, self._started.pop())

    def wait(self, pid: int, timeout: float | None) -> int | None:
        """The exit code of a kernel, once it has ended; None if it has not by then."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._codes or self.over, timeout)
            return self._codes.get(pid, -signal.SIGKILL if self.over else None)

    def close(self) -> None:
        """End the template, and the kernels that are left."""
        with suppress(OSError):  # if it is no more
            self._process.stdin.close()
        try:
            self._process.wait(ANSWER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            said = json.loads(line)
            with self._changed:
                if "started" in said:
                    self._started.append(said["started"])
                else:
                    self._codes[said["ended"]] = said["code"]
                self._changed.notify_all()
        with self._changed:
            self.over = True
            self._changed.notify_all()


class Forked:
    """A forked kernel as jupyter_client wants to see a subprocess."""

    stdin = stdout = stderr = None

    def __init__(self, template: Template, pid: int) -> None:
        self._template, self.pid = template, pid

    def poll(self) -> int | None:
        return self._template.wait(self.pid, 0)

    def wait(self, timeout: float | None = None) -> int | None:
        return self._template.wait(self.pid, timeout)

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class ForkedProvisioner(LocalProvisioner):
    """Forks the usual kernel from a template; starts any other, and that of a template that is no more, as usual."""

    template: Template = Anything()

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        if not is_usual(cmd):
            return await super().launch_kernel(cmd, **options)
        folder = Path(options.get("cwd") or Path.cwd())
        try:
            self.process = self.template.fork(cmd, options["env"], folder)
        except ChildProcessError:
            return await super().launch_kernel(cmd, **options)
        self.pid = self.pgid = self.process.pid
        self.cwd = folder
        return self.connection_info
