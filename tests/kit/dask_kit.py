"""A scheduler of Dask's and its workers, each a process of its own on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sweep_kit import wait_for

QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}


class Link:
    """A way to a scheduler that can be cut, or hold back what is sent; `address` stays when the scheduler changes."""

    def __init__(self, room):
        self._room, self._open, self._ends = room, threading.Event(), []
        self._open.set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """End all connections."""
        for end in list(self._ends):
            with suppress(OSError):  # of one that has ended
                end.shutdown(socket.SHUT_RDWR)

    def hold(self):
        """Let nothing through, until `release`."""
        self._open.clear()

    def release(self):
        self._open.set()

    def close(self):
        self._door.close()
        self.release()
        self.cut()
        for end in self._ends:
            end.close()

    def _accept(self):
        with suppress(OSError):  # closed
            while True:
                near = self._door.accept()[0]
                try:
                    far = socket.create_connection(urlsplit(self._room.address).netloc.split(":"))
                except (OSError, ValueError):  # there is no scheduler now
                    near.close()
                    continue
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source, target):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


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

    def worker(self, *arguments, address=None, **variables):
        """A worker with one thread, of the scheduler at an address; -9 ends it and its kernels."""
        common = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(self.folder)]
        return self._start("worker", [address or self.address, *common, *arguments], **variables)

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
