"""A real PostgreSQL server on loopback, for tests: with its data in a temporary folder, started and stopped here."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them off the path."""
    found = shutil.which("pg_ctl")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    return places[-1] if places else Path(found).resolve().parent if found else None


class Postgres:
    """A server that listens on 127.0.0.1 alone; `url` is its database."""

    def __init__(self) -> None:
        self._bin = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # It refuses to run as root.
        self._user = "postgres" if os.name != "nt" and os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql://tester@127.0.0.1:{self._port}/postgres"
        self._call("initdb", "--auth=trust", "--username=tester", "--encoding=UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -p {self._port} -c unix_socket_directories={self._folder} -c fsync=off"
        )
        self._call("pg_ctl", "--wait", f"--log={self._folder / 'log'}", f"--options={options}", "start")

    def stop(self, how: str = "immediate") -> None:
        """By default as if the machine had lost its power."""
        self._call("pg_ctl", "--wait", f"--mode={how}", "stop")

    def close(self) -> None:
        self.stop("fast")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), f"--pgdata={self._folder / 'data'}", *arguments]
        done = subprocess.run(command, cwd="/", user=self._user, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
