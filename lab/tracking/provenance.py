"""What a run was made with: the commit, the versions, the processor's threads."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from lab.tracking.names import REPOSITORY

WRITTEN = ("reports", "README.md", "tables")  # what make writes
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def versions() -> dict[str, str]:
    """Of what decides the bits of a result."""
    return {"python": platform.python_version(), "numpy": version("numpy"), "platform": platform.platform()}


def threads() -> dict[str, str | None]:
    """What the environment says of the threads of products, by variable."""
    return {name: os.environ.get(name) for name in THREADS}


def commit(repository: Path = REPOSITORY) -> str | None:
    """The commit checked out, with a "+" if files that `make` does not write differ from it; None without git."""

    def git(*words: str) -> str:
        command = ["git", *words]
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=10, check=True).stdout

    try:
        others = [f":!{path}" for path in WRITTEN]
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *others)
        return git("rev-parse", "--short=12", "HEAD").strip() + "+" * bool(changed)
    except (OSError, subprocess.SubprocessError):
        return None
