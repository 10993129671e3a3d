"""A scheduler of Dask's and its workers, each a process of its own on loopback."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sweep_kit import wait_for

QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}


class Room:
    """A scheduler at `address` and workers, all of which `close` ends; `variables` are of their environment."""

    def __init__(self, **variables):
        self.folder = Path(tempfile.mkdtemp(prefix="dask-"))
        self._variables = os.environ | QUIET | variables
        self._processes = []
        self.scheduler = self.start_scheduler(0)

    def start_scheduler(self, port):
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--scheduler-file", str(file)]
        process = self._start("scheduler", arguments)
        wait_for(lambda: file.exists() or process.poll() is not None)
        assert process.poll() is None, self.said()
        self.file = file
        return process

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def worker(self, *arguments, **variables):
        """A worker with one thread; -9 ends it and its kernels."""
        common = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(self.folder)]
        return self._start("worker", [self.address, *common, *arguments], **variables)

    def said(self):
        return (self.folder / "log").read_text()

    def close(self):
        for process in reversed(self._processes):
            process.kill()
        for process in self._processes:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, what, arguments, **variables):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(command, env=self._variables | variables, stdout=log, stderr=log)
        self._processes.append(process)
        return process
