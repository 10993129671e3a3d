"""One run of a sweep: its notebook executed in a folder of its own, where its result is kept."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from common.files import make_folder, remove, write_json, write_whole
from common.words import masked, without_secrets
from lab.execution.executing import ExecutionError
from lab.execution.notebook import Config, Notebook
from lab.search.executors import Executor, Gone, Judge
from lab.search.keeping import Copies
from lab.tracking import ENDED, Record, contradiction, prepare_folder, record_of, value_of
from lab.tracking.record import say_once, set_aside

ATTEMPTS = 3  # at a run whose kernel dies
PASSED_ON = ("finished", "diverged")  # what another sweep may take over


class Runner:
    """Runs configurations of one sweep, each in its folder, and keeps what has its result from this very code.

    With `reuse`, a run that another sweep beside this one has on record, from the same code, is copied instead of run.
    `taken` are the words of its file that mean those of its configurations, which records say. A run that has finished
    has its result only with the `metric`, if there is one that all are to have.
    """

    def __init__(
        self,
        folder: Path,
        notebook: Notebook,
        executor: Executor,
        copies: Copies,
        timeout: float,
        *,
        reuse: bool = False,
        taken: Sequence[str] = (),
        metric: str | None = None,
    ) -> None:
        self.folder, self.notebook, self.executor, self.timeout = folder, notebook, executor, timeout
        self.stopping = False  # somebody has interrupted the sweep
        self._copies, self._reuse, self._synonyms, self._metric = copies, reuse, list(taken), metric

    def kept(self, configs: Sequence[Config]) -> list[Record] | None:
        """The records of configurations that have their result together; None if they are to run."""
        records: list[Record] = []
        for config in configs:
            record = self._kept(self.folder / self.notebook.run_name(config), config)
            if record is None:
                return None
            records.append(record)
            if record["status"] != "finished":  # which decides it: further seeds are not run
                break
        return records

    def run(self, config: Config, judge: Judge | None = None) -> Record:
        """The record of a configuration: the one that is kept, or that of a new run."""
        folder = self.folder / self.notebook.run_name(config)
        if record := self._kept(folder, config) or (self._copied(folder, config) if self._reuse else None):
            return record
        began = time.monotonic()
        error = self._attempt(folder, config, judge)
        record = record_of(folder)
        if not error and record.get("status") not in ENDED:
            error = f"{self.notebook.path.name} must keep its run with tracking.start(config, folder)"
        elif not error and _has_nothing(record):
            error = f"{self.notebook.path.name} must keep each epoch with run.log(epoch)"
        if error := error or contradiction(config, record):
            record = self._failed(folder, config, record, error, time.monotonic() - began)
        self._complete(folder, record, new=not self.stopping)
        return record

    def _attempt(self, folder: Path, config: Config, judge: Judge | None) -> str | None:
        """Execute the notebook, once more where its kernel died; what ended it too early, in a sentence."""
        parameters = {**config, **self.notebook.plain, "folder": str(folder)}
        for attempt in range(1, ATTEMPTS + 1):
            prepare_folder(folder)
            remove(self._running(folder))  # of an earlier attempt
            try:
                self.executor.execute(self.notebook.path, self._running(folder), parameters, self.timeout, judge)
                return None
            except ExecutionError as error:
                if error.died and record_of(folder).get("status") in ENDED:
                    return None  # its kernel died when all was done
                if not error.died:
                    return str(error)
                if self.stopping:
                    return "the sweep was interrupted"
                if attempt == ATTEMPTS:  # a kernel dies through no fault of the run's, as far as one can know
                    return f"{ATTEMPTS} times over, {error}"
            except Gone:
                raise
            except Exception as error:  # whatever ends one run must not end the others
                return f"{type(error).__name__}: {error}"
        return None

    def _failed(self, folder: Path, config: Config, record: Record, error: str, seconds: float) -> Record:
        """Put a run on record that has no result, with what it had until then."""
        if not record:
            set_aside(folder / "record.json")
        record = {
            **{"name": folder.name, "config": self.notebook.defaults | config, "history": []},
            **{"seconds": seconds, "fingerprint": self.notebook.fingerprint},
            **record,
            **{"status": "interrupted" if self.stopping else "failed", "error": masked(" ".join(error.split()))},
        }
        _keep(folder, record)
        return record

    def _kept(self, folder: Path, config: Config) -> Record | None:
        """The record of a run that has its result, from this very code; None where its run is to be made."""
        record = record_of(folder)
        if record.get("fingerprint") != self.notebook.fingerprint or record["status"] not in ENDED:
            return None
        if fault := self._fault(config, record):
            say_once(f"{folder / 'record.json'} {fault}: its run is made anew")
            return None
        # Should its driver have been killed before it did:
        self._complete(folder, record, new=not (folder / "wandb").exists())
        return record

    def _fault(self, config: Config, record: Record) -> str | None:
        """Why a record is none of a configuration's result: it is of another run's folder, or was changed by hand."""
        if contradiction(config, record):
            return "is that of another configuration"
        if _has_nothing(record):
            return "has finished without an epoch"
        if self._metric and record["status"] == "finished" and value_of(record, self._metric) is None:
            return f"has no {self._metric} after the last epoch"
        return None

    def _copied(self, folder: Path, config: Config) -> Record | None:
        """A run copied from another sweep that has it on record."""
        for path in sorted(self.folder.parent.glob(f"*/{glob.escape(folder.name)}/record.json")):
            record = record_of(path.parent)
            passed_on = record.get("fingerprint") == self.notebook.fingerprint and record["status"] in PASSED_ON
            if passed_on and not self._fault(config, record):
                others = shutil.ignore_patterns("record.json", "previous_*", "wandb", "*.tmp")
                shutil.copytree(path.parent, folder, ignore=others, dirs_exist_ok=True)
                record |= {"taken_from": path.parent.parent.name}
                write_json(folder / "record.json", record)
                self._complete(folder, record, new=True)
                return record
        return None

    def _running(self, folder: Path) -> Path:
        """The executed notebook of a run until the run has ended."""
        return folder / f"{self.notebook.path.stem}.running.ipynb"

    def _complete(self, folder: Path, record: Record, new: bool) -> None:
        """Give the executed notebook its name and, where W&B is offline, a new run its place there."""
        facts = {"name": folder.name} | ({"taken": self._synonyms} if self._synonyms else {})
        if any(record.get(key) != value for key, value in facts.items()):
            record |= facts  # a notebook of one's own may log less than it takes, and call its run by that
            _keep(folder, record)
        running, executed = self._running(folder), folder / self.notebook.path.name
        if running.is_file():
            text = running.read_text(encoding="utf-8", errors="replace")
            if (shown := without_secrets(text)) != text:  # in a traceback, say
                write_whole(running, shown)
            if executed.is_dir():
                remove(executed)
            os.replace(running, executed)
        if new:
            self._copies.make(record, folder)


def _has_nothing(record: Record) -> bool:
    """Whether a run says that it has finished, and has no epoch that tells what came of it."""
    return record["status"] == "finished" and not record["history"]


def _keep(folder: Path, record: Record) -> None:
    make_folder(folder)  # somebody may have removed it meanwhile
    write_json(folder / "record.json", record)
