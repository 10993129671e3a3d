"""Where files come from: an address on the web, or a package of Debian's."""

import functools
import io
import subprocess
import sys
from pathlib import Path

from common.files import scratch_until_exit

TIMEOUT = (5, 30)  # seconds to connect, to each address of a host, and to wait for the next bytes


def download(url: str) -> bytes:
    """The body of `url`, held in memory: nothing reaches the disk before it is verified."""
    import pooch  # here, because it takes as long to import as NumPy and is needed once

    body = io.BytesIO()
    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 16, timeout=TIMEOUT)
    fetch(url, body, None)
    return body.getvalue()


@functools.cache
def unpack_package(name: str) -> Path:
    """The folder that stands for / in a Debian package: downloaded and unpacked without root, removed when Python ends.

    Raises OSError, or SubprocessError, where it cannot be had.
    """
    folder = scratch_until_exit(name)
    run = functools.partial(
        subprocess.run, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )

    # Package lists of its own: the system's may be missing or old, and only root may update them.
    (folder / "lists" / "partial").mkdir(parents=True)
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # apt's own user may not enter this folder
        "Acquire::http::Timeout": 10,
        "Acquire::https::Timeout": 10,
        "Acquire::Retries": 0,
    }
    apt_get = ["apt-get", *(f"-o{key}={value}" for key, value in settings.items())]
    run([*apt_get, "update"])  # may fail for a repository that is not needed: what counts is the download
    fetched = run([*apt_get, "download", name])
    if fetched.returncode:
        raise OSError(fetched.stderr.strip() or f"apt-get ended with {fetched.returncode}")
    (archive,) = folder.glob("*.deb")
    run(["dpkg-deb", "-x", archive, folder], check=True)
    archive.unlink()
    return folder
