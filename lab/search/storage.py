"""Where a sweep keeps its trials: one interface, and a file beside the sweep's runs unless something else is asked for.

Only this module knows how Optuna keeps trials. What it writes is a study of Optuna's, which any tool for these reads.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from alembic.util import CommandError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import NullPool
from sqlalchemy.exc import SQLAlchemyError

from common.files import explained, write_json
from common.words import shown
from lab.search.reading import SweepError
from lab.search.trials import TRANSITIONS, Ending, Outcome, Trial
from lab.tracking import first_line
from lab.tracking.described import Damaged, SweepState, read_as

State = dict[str, Any]  # what is run under a sweep's name: its study or names of runs, fingerprint, metric, goal, total
SQLITE = "sqlite:///study.db"  # whatever the path: as part of an address, some of its characters would mean something
PATIENCE = 20.0  # seconds that a lock which somebody holds on a file is waited for
DIRECTIONS = {"maximize": StudyDirection.MAXIMIZE, "minimize": StudyDirection.MINIMIZE}
STATES = {  # of Optuna's, which adopts the last value of what it takes for pruned, so that nothing diverged may be that
    Outcome.RUNNING: TrialState.RUNNING,
    Outcome.FINISHED: TrialState.COMPLETE,
    Outcome.STOPPED: TrialState.PRUNED,
} | dict.fromkeys((Outcome.DIVERGED, Outcome.FAILED, Outcome.INTERRUPTED, Outcome.LOST), TrialState.FAIL)
OUTCOMES = {state: outcome for outcome, state in STATES.items() if state != TrialState.FAIL}


class Storage(ABC):
    """Keeps the trials of a sweep's studies, for one driver at a time, and what is run under its name now."""

    @abstractmethod
    def state(self) -> State:
        """What is run now; raises SweepError if there is nothing yet, or nothing that can be read."""

    @abstractmethod
    def keep_state(self, state: State) -> None:
        """Say what is run now."""

    @abstractmethod
    def open(self, study: str, goal: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a study if there is none yet, and return its facts: of each, what was first kept."""

    @abstractmethod
    def trials(self, study: str) -> list[Trial]:
        """All trials of a study, in the order in which they were added; raises SweepError if there is no such study."""

    @abstractmethod
    def add(self, study: str, trial: Trial) -> Trial:
        """Keep a new trial, and return it with its number."""

    @abstractmethod
    def tell(self, study: str, number: int, ending: Ending) -> Trial:
        """Keep how a trial has ended; raises ValueError if that cannot become of it."""


class Optuna(Storage):
    """Keeps trials in one of Optuna's storages."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Trial]] = {}  # trials of studies, which nobody else adds to
        self._ids: dict[str, int] = {}  # Optuna's, of studies

    @abstractmethod
    def _storage(self) -> BaseStorage:
        """Where they are."""

    @abstractmethod
    def _naming(self) -> AbstractContextManager[None]:
        """A context whose errors name what cannot be used, and what to do."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """The same where something is read, which may hold what it should not."""

    def open(self, study: str, goal: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._naming():
            with suppress(optuna.exceptions.DuplicatedStudyError):
                self._storage().create_new_study([DIRECTIONS[goal]], study)
            with self._reading():
                kept = self._storage().get_study_user_attrs(self._id(study))
            for name, value in facts.items():
                if name not in kept:
                    self._storage().set_study_user_attr(self._id(study), name, value)
        self.trials(study)
        return {**facts, **kept}

    def trials(self, study: str) -> list[Trial]:
        if study not in self._seen:
            with self._reading():
                kept = self._storage().get_all_trials(self._id(study), deepcopy=False)
                self._seen[study] = list(map(_read, kept))
        return list(self._seen[study])

    def add(self, study: str, trial: Trial) -> Trial:
        attributes = {"name": trial.name, "runs": list(trial.runs)}
        template = optuna.create_trial(
            state=TrialState.RUNNING,
            params=trial.params,
            distributions=dict(trial.distributions),
            user_attrs=attributes,
        )
        kept = replace(trial, number=len(self.trials(study)))
        with self._naming():
            self._storage().create_new_trial(self._id(study), template)
        self._seen[study].append(kept)
        return kept

    def tell(self, study: str, number: int, ending: Ending) -> Trial:
        trial = self.trials(study)[number]
        if ending.outcome not in TRANSITIONS[trial.outcome].becomes:
            raise ValueError(f"trial {number} is {trial.outcome} and cannot become {ending.outcome}")
        with self._naming():
            self._end(self._storage(), self._id(study), number, ending)
        told = replace(trial, outcome=ending.outcome, value=ending.value, epochs=ending.epochs)
        self._seen[study][number] = told
        return told

    def _end(self, storage: BaseStorage, study: int, number: int, ending: Ending) -> None:
        trial, state = storage.get_trial_id_from_study_id_trial_number(study, number), STATES[ending.outcome]
        if state == TrialState.FAIL:
            storage.set_trial_user_attr(trial, "outcome", ending.outcome)
        if ending.reason:
            storage.set_trial_user_attr(trial, "reason", ending.reason)
        if state == TrialState.PRUNED and ending.value is not None:
            storage.set_trial_intermediate_value(trial, ending.epochs, ending.value)
        storage.set_trial_state_values(trial, state, None if ending.value is None else [ending.value])

    def _id(self, study: str) -> int:
        if study not in self._ids:
            self._ids[study] = self._storage().get_study_id_from_name(study)
        return self._ids[study]


class Memory(Optuna):
    """Keeps all in memory, for searches without runs."""

    def __init__(self) -> None:
        super().__init__()
        self._memory, self._state = InMemoryStorage(), None

    def state(self) -> State:
        if self._state is None:
            raise SweepError("there is no sweep in memory: run it first")
        return self._state

    def keep_state(self, state: State) -> None:
        self._state = state

    def _storage(self) -> BaseStorage:
        return self._memory

    def _naming(self) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except KeyError as error:
            raise SweepError(f"there is no study {error} in memory") from error


class File(Optuna):
    """Keeps trials in SQLite's file study.db in a sweep's folder, and what is run now in sweep.json beside it."""

    def __init__(self, folder: Path, name: str = "") -> None:
        super().__init__()
        self.folder, self.path, self.name = folder, folder / "study.db", name or folder.name
        self._database: RDBStorage | None = None

    def state(self) -> State:
        path = self.folder / "sweep.json"
        try:
            state = read_as(SweepState, path)
        except PermissionError as error:
            raise SweepError(explained(error, "read")) from error
        except Damaged as error:
            cure = "run the sweep again, which keeps the runs that have ended"
            raise SweepError(f"{path} is damaged: {cure} ({error})") from error
        if state is None:
            raise SweepError(f"there is no sweep {shown(self.name)} in {self.folder.parent}: run it first")
        return state

    def keep_state(self, state: State) -> None:
        write_json(self.folder / "sweep.json", state)

    def _storage(self) -> RDBStorage:
        if self._database is None:
            connect = partial(sqlite3.connect, self.path, timeout=PATIENCE, check_same_thread=False)
            with self._reading():
                self._database = RDBStorage(SQLITE, engine_kwargs={"creator": connect})
        return self._database

    def _naming(self) -> AbstractContextManager[None]:
        return naming(self.path)

    def _reading(self) -> AbstractContextManager[None]:
        return reading(self.path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say of a study's file what keeps it from being used, and what to do; any other error stays what it is."""
    try:
        yield
    except (sqlite3.Error, SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
        said = first_line(error.__cause__ or error)
        for word, fault, cure in FAULTS:
            if word in said:
                raise SweepError(f"{path} {fault.format(said)}: {cure.format(said)}") from error
        raise


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """The same where a study's file is read, which may hold what neither Optuna nor this module has written."""
    try:
        with naming(path):
            yield
    except SweepError:
        raise
    except NONSENSE as error:
        raise SweepError(f"{path} is damaged: {AWAY} ({type(error).__name__}: {first_line(error)})") from error


class Study(NamedTuple):
    """A study as Optuna keeps it, for tools of its own."""

    name: str
    direction: StudyDirection
    trials: list[FrozenTrial]


def studies(path: Path) -> list[Study]:
    """The studies in a sweep's file, which is only read; raises SweepError where that cannot be done."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connect = partial(sqlite3.connect, address, uri=True, timeout=PATIENCE, check_same_thread=False)
    with reading(path):
        options = {"creator": connect, "poolclass": NullPool}
        storage = RDBStorage(SQLITE, engine_kwargs=options, skip_table_creation=True)
        return [
            Study(study.study_name, study.directions[0], _trials(storage, study.study_name))
            for study in storage.get_all_studies()
        ]


def _trials(storage: RDBStorage, study: str) -> list[FrozenTrial]:
    return storage.get_all_trials(storage.get_study_id_from_name(study), deepcopy=False)


ROOM = "start again with the same command once there is room and right to write, nothing that ended is lost"
FREE = "close what else has it open, then start again with the same command, nothing that ended is lost"
OTHER = "install that version, or move it away and run the sweep again, which keeps the runs that have ended"
AWAY = "move it away and run the sweep again, which keeps the runs that have ended"
DAMAGED = ("malformed", "not a database", "file format", "no such", "already", "decode", "constraint failed")
FAULTS = [  # words of SQLite's and Optuna's, what is said of the file, and what is to be done
    ("locked", "is locked by another program ({})", FREE),
    ("no longer compatible", "was made by another version of Optuna", OTHER),
    *((word, "cannot be used ({})", ROOM) for word in ("readonly", "disk I/O", "unable to open", "is full")),
    *((word, "is damaged", f"{AWAY} ({{}})") for word in DAMAGED),
]
# What is raised where a value read from a file is not of the kind or in the form that it was written in.
NONSENSE = (LookupError, ValueError, TypeError, ArithmeticError, AssertionError, RecursionError, CommandError)


def _read(trial: FrozenTrial) -> Trial:
    """A trial as Optuna keeps it."""
    outcome = OUTCOMES.get(trial.state) or Outcome(trial.user_attrs.get("outcome", Outcome.LOST))
    name, runs = trial.user_attrs["name"], trial.user_attrs["runs"]
    named = isinstance(runs, list) and runs and all(isinstance(text, str) for text in (name, *runs))
    if not named or any(Path(run).name != run for run in runs):
        raise TypeError(f"trial {trial.number} has no name, or no list of runs")
    return Trial(
        params=trial.params,
        name=name,
        distributions=trial.distributions,
        runs=tuple(runs),
        outcome=outcome,
        value=trial.value,
        epochs=max(trial.intermediate_values, default=0),
        number=trial.number,
    )
