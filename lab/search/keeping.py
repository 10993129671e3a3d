"""What is kept of runs that have ended: of the best and the last failures all, of others the record; W&B's copies."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lab.search.reading import SweepError
from lab.search.results import Result, ranked
from lab.tracking import Record, keep_offline, reachable_mode

FAILURES = ("failed", "diverged")


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
        self._lock, self._began = threading.Lock(), time.time() - 1
        # What kernels are to know of it, from now on.
        self.environment = {"WANDB_PROJECT": self._project} if self._project else {}
        if self._offline or not here:
            self.environment["WANDB_MODE"] = "disabled"

    def make(self, record: Record, folder: Path) -> None:
        """Make the copy of a run that has ended, where W&B is offline.

        If its server has been lost meanwhile, the run has made it itself, after a long wait: the next are spared that.
        """
        if not self._offline:
            if any(path.stat().st_mtime > self._began for path in folder.glob("wandb/offline-run-*")):
                self._offline, self.environment["WANDB_MODE"] = True, "disabled"
                print("W&B's server does not answer any more: what runs from now on is kept offline", flush=True)
            return
        with self._lock:
            try:
                keep_offline(record, folder, self._project)
            except Exception as error:  # the record has it all
                print(f"W&B does not keep the run {folder.name} ({error}); record.json does", flush=True)
