"""What is kept of runs that have ended: of the best and the last failures all, of others the record; W&B's copies."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lab.search.reading import SweepError
from lab.search.results import Result, ranked
from lab.tracking import Record, keep_offline, reachable_mode
from lab.tracking.client import said

FAILURES = ("failed", "diverged")
FALLEN_BEHIND = (
    "W&B has fallen behind, since its server answers no more: what is missing there is kept offline, and so is what "
    "runs from now on; `python sweep.py upload` sends it later"
)


class Retention:
    """Of the best configurations of a sweep the executed notebooks and the weights stay, and of as many failures.

    Of others only the record does, and W&B's folder. With None all of all stays.
    """

    def __init__(self, folder: Path, notebook: str, goal: str, keep: int | None) -> None:
        if keep is not None and keep < 0:
            raise SweepError(f"keep must be a number of runs, at least 0, not {keep}")
        self.folder, self.goal, self.keep = folder, goal, keep
        self._files = notebook, "weights.npz"
        self._removed: set[str] = set()

    def apply(self, results: Sequence[Result]) -> None:
        """Remove what need not stay of the runs that led to these results, in the order in which they ended."""
        if self.keep is None:
            return
        failed = [result for result in results if result.records[-1]["status"] in FAILURES]
        best = [result for result in ranked(results, self.goal) if result.value is not None]
        kept = {id(result) for result in (*best[: self.keep], *failed[max(0, len(failed) - self.keep) :])}
        names = {record["name"] for result in results if id(result) in kept for record in result.records}
        for result in results:
            for record in result.records:
                if record["name"] not in names | self._removed:
                    self._remove(record["name"])

    def _remove(self, run: str) -> None:
        for name in self._files:
            (self.folder / run / name).unlink(missing_ok=True)
        self._removed.add(run)


class Copies:
    """W&B's offline copies of runs, which the driver makes for them: each kernel would spend over a second on it.

    Runs that are not `here` leave W&B to the driver in any case.
    """

    def __init__(self, project: str | None, here: bool = True) -> None:
        self._project = os.environ.get("WANDB_PROJECT") or project
        mode = reachable_mode()
        self._offline = mode in ("offline", "dryrun") or not (here or mode == "disabled")
        self._lock = threading.Lock()
        # What kernels are to know of it, from now on.
        self.environment = {"WANDB_PROJECT": self._project} if self._project else {}
        if self._offline or not here:
            self.environment["WANDB_MODE"] = "disabled"

    def make(self, record: Record, folder: Path) -> None:
        """Make the copy of a run that has ended, where W&B is offline.

        A run that has lost W&B's server has made it itself, after a long wait: the next are spared that.
        """
        with self._lock:
            try:
                if not _made_itself(record, folder):
                    if self._offline:
                        keep_offline(record, folder, self._project)
                elif not self._offline:
                    self._offline, self.environment["WANDB_MODE"] = True, "disabled"
                    print(FALLEN_BEHIND, flush=True)
            except Exception as error:  # the record has it all
                print(f"W&B does not keep the run {folder.name} ({said(error)}); record.json does", flush=True)


def _made_itself(record: Record, folder: Path) -> bool:
    """Whether a run has left an offline one of W&B's since it began."""
    if not (began := record.get("started")):
        return False
    since = datetime.fromisoformat(began).timestamp()
    return any(path.stat().st_mtime >= since for path in folder.glob("wandb/offline-run-*"))
