"""What a sweep runs next: an Optuna study keeps every configuration that was chosen, and what has come of it.

The study lies in a file beside the runs, which one driver has to itself, or on a PostgreSQL server that any number of
drivers share. A trial is a configuration that a driver has claimed: RUNNING until its runs have ended, then COMPLETE
with the metric, PRUNED if it diverged or was stopped early, or FAIL. A FAIL without a reason was lost with its driver,
and is claimed anew.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from common.files import read_json, write_json
from lab.execution.notebook import Notebook
from lab.search.running import Job
from lab.search.space import Config, few, points
from lab.search.sweepfile import Sweep, SweepError
from lab.tracking import Record, first_line, value_of

DRAWS = 1000  # that bring nothing new before what is left is looked for, or taken for nothing
LAG = 2  # runs a worker that bayes does not wait for: enough that a long run seldom holds up the next, and few to miss
SAMPLERS = {"random": optuna.samplers.RandomSampler, "bayes": optuna.samplers.TPESampler}
BEAT = 10.0  # seconds between two signs of life of a driver that shares its study
GRACE = 6  # beats after which the runs of a silent driver are given to others
PATIENCE = 600.0  # seconds that a shared database may be away, as while it is started anew
STATE_KEYS = {"fingerprint", "metric", "goal", "total"}
LOSSES = 3  # drivers that may be lost over one configuration before it is taken for the cause
ERRORS = (optuna.exceptions.OptunaError, SQLAlchemyError)
R = TypeVar("R")
State = dict[str, Any]  # what is run under a sweep's name: its study or names of runs, fingerprint, metric, goal, total


# --- where studies are kept -------------------------------------------------------------------------------------------


class File:
    """The database of one sweep in its own folder, for one driver at a time."""

    patience = 0.0
    shared = False

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "study.db"
        self.url = f"sqlite:///{self.path.as_posix()}"

    def open(self, name: str, goal: str | None = None) -> optuna.Study:
        """A study by its name; with a goal, a new one if there is none."""
        try:
            return _open(self.url, name, goal)
        except (KeyError, *ERRORS) as error:
            cure = "move it away and run the sweep again, which keeps the runs that have ended"
            raise SweepError(f"{self.path} is damaged: {cure}") from error

    def state(self, name: str) -> State:
        """What is run under a sweep's name now."""
        path = self.folder / "sweep.json"
        if not path.exists():
            raise SweepError(f"there is no sweep {name!r} in {self.folder.parent}: run it first")
        state = read_json(path)
        if not state.keys() >= STATE_KEYS:
            raise SweepError(f"{path} is damaged: run the sweep again, which keeps the runs that have ended")
        return state

    def keep_state(self, study: optuna.Study, state: State) -> None:
        write_json(self.folder / "sweep.json", state)

    def exclusive(self) -> nullcontext:
        """Nobody else chooses at the same time: the driver has the folder to itself."""
        return nullcontext()

    def beat(self, trials: Iterable[FrozenTrial]) -> None:
        """Nobody asks for signs of life."""

    def alive(self) -> set[int]:
        """Nobody else runs anything."""
        return set()

    def away(self, error: Exception) -> SweepError:
        cure = "start again with the same command once there is room and right to write, nothing that ended is lost"
        return SweepError(f"{self.path} cannot be used ({first_line(error.__cause__ or error)}): {cure}")


class Server:
    """A PostgreSQL database that any number of drivers share, on any number of machines."""

    patience = PATIENCE
    shared = True

    def __init__(self, url: str) -> None:
        try:
            address = sqlalchemy.make_url(url)
            if address.get_backend_name() != "postgresql":
                raise SweepError(f"storage must be postgresql://user@host/database, not {url!r}")
            self.url = address.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
            self.shown = address.render_as_string(hide_password=True)
            options = {"connect_timeout": 10, "options": "-c TimeZone=UTC"}  # one clock for all signs of life
            self._engine = {"poolclass": sqlalchemy.NullPool, "connect_args": options}  # none stays open
            self._locks = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool, connect_args=options)
        except (ArgumentError, NoSuchModuleError) as error:
            raise SweepError(f"storage must be postgresql://user@host/database, not {url!r}") from error
        except ImportError as error:
            raise SweepError("a storage on PostgreSQL needs psycopg: pip install 'psycopg[binary]'") from error
        self._storage: RDBStorage | None = None

    @property
    def storage(self) -> RDBStorage:
        if self._storage is None:
            self._storage = RDBStorage(self.url, engine_kwargs=self._engine)
        return self._storage

    def open(self, name: str, goal: str | None = None) -> optuna.Study:
        """A study by its name; with a goal, a new one if there is none."""
        with self.exclusive():  # two that make the tables at once would collide
            return _open(self.storage, name, goal)

    def state(self, name: str) -> State:
        """What is run under a sweep's name now: what was last started of all that have had it."""
        with self.exclusive():
            studies = optuna.get_all_study_summaries(self.storage, include_best_trial=False)
        named = [study for study in studies if study.study_name.rpartition("-")[0] == name]
        states = [study.user_attrs["sweep"] for study in named if "sweep" in study.user_attrs]
        if not states:
            raise SweepError(f"there is no sweep {name!r} in {self.shown}: run it first")
        return max(states, key=lambda state: state["started"])

    def keep_state(self, study: optuna.Study, state: State) -> None:
        study.set_user_attr("sweep", state | {"started": time.time()})

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one driver at a time; the server ends it with the connection, however that ends."""
        with self._locks.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(hashtext('fashion-mnist-numpy'))"))
            yield

    def beat(self, trials: Iterable[FrozenTrial]) -> None:
        """A sign of life for each trial."""
        for trial in trials:
            self.storage.record_heartbeat(trial._trial_id)

    def alive(self) -> set[int]:
        """The ids of the trials whose drivers have lately given a sign of life."""
        query = "SELECT trial_id FROM trial_heartbeats WHERE heartbeat > LOCALTIMESTAMP - make_interval(secs => :age)"
        with self.storage.engine.connect() as connection:
            return set(connection.scalars(sqlalchemy.text(query), {"age": GRACE * BEAT}))

    def away(self, error: Exception) -> SweepError:
        cure = "start again with the same command once it is there, nothing that ended is lost"
        return SweepError(f"the database {self.shown} does not answer ({first_line(error.__cause__ or error)}): {cure}")


Place = File | Server


def patiently(place: Place, function: Callable[[], R]) -> R:
    """What the function returns, asked again while the database is away for no longer than its patience."""
    until, said = time.monotonic() + place.patience, False
    while True:
        try:
            return function()
        except optuna.exceptions.UpdateFinishedTrialError:
            raise
        except ERRORS as error:
            if time.monotonic() >= until:
                raise place.away(error) from error
            if not said:
                print(f"{place.away(error)} (trying again for {place.patience / 60:.0f} minutes)", flush=True)
                said = True
            time.sleep(min(1.0, place.patience))


def _open(storage: str | RDBStorage, name: str, goal: str | None) -> optuna.Study:
    if goal:
        study = optuna.create_study(study_name=name, storage=storage, direction=goal, load_if_exists=True)
    else:
        study = optuna.load_study(study_name=name, storage=storage)
    study.get_trials(deepcopy=False)  # which reads all of it
    return study


# --- choosing configurations ------------------------------------------------------------------------------------------


@dataclass
class Search:
    """One driver's part in a study: what it is to run next, and what has come of it."""

    sweep: Sweep
    study: optuna.Study
    place: Place
    seed: int
    notebook: Notebook
    known: list[FrozenTrial]  # of other sweeps: learnt from, and not repeated
    lag: int | None  # bayes looks at all results but those of this many before it; None: at what is there
    kept: Callable[[list[Config]], list[Record] | None]  # the records of runs that have their result here
    environment: Callable[[int], dict[str, str]] = lambda number: {}  # that the runs of a trial need
    mine: dict[int, FrozenTrial] = field(default_factory=dict)  # claimed and not told, by number

    def __post_init__(self) -> None:
        self._grid: Iterator[Config] = iter(())
        self._there: set[int] = set()  # numbers of trials whose results were found
        self._again: set[str] | None = None  # failures to be tried once more

    def configs(self, params: Config) -> list[Config]:
        """The configurations of a trial's runs: one for each seed."""
        config = self.sweep.configuration(params)
        return [config | {"seed": seed} for seed in range(self.sweep.seeds)] if self.sweep.seeds > 1 else [config]

    def jobs(self, total: int) -> Iterator[Job | None]:
        """Yield what to run: trials that were lost or whose result is not to be found, then new ones up to `total`.

        None says that nothing can be chosen before another run has ended, here or elsewhere.
        """
        while (job := patiently(self.place, functools.partial(self._next, total))) is not False:
            yield job

    def tell(self, number: int, records: list[Record]) -> None:
        """Put the outcome of a trial into the study, unless it was given to another driver meanwhile."""
        try:
            patiently(self.place, functools.partial(self._tell, number, records))
        except optuna.exceptions.UpdateFinishedTrialError:
            print("another worker has taken this over, since here no sign of life came for too long", flush=True)
        self.mine.pop(number, None)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Give signs of life for the trials of this driver, for others that share the study."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT):
                try:
                    self.place.beat(list(self.mine.values()))
                except ERRORS:
                    continue  # the next one may come through; who waits for the database says so

        thread = threading.Thread(target=beat, daemon=True)
        if self.place.shared:
            thread.start()
        try:
            yield
        finally:
            ended.set()

    def _next(self, total: int) -> Job | bool | None:
        """The next job; None to wait, False at the end."""
        with self.place.exclusive():
            trials = self._without_lost()
            chosen = latest(trials)
            running = any(trial.state == TrialState.RUNNING for trial in trials)
            if self._again is None:  # whoever starts while nobody runs anything tries once more what failed
                again = [] if running else [trial for trial in chosen if trial.state == TrialState.FAIL]
                self._again = {trial.user_attrs["name"] for trial in again}
            lost = Counter(
                trial.user_attrs["name"]
                for trial in trials
                if trial.state == TrialState.FAIL and not trial.user_attrs.keys() & {"failed", "interrupted"}
            )
            for trial in chosen:
                if self._is_to_run(trial, lost):
                    self._again.discard(trial.user_attrs["name"])
                    return self._claim(trial.params)
            if len(chosen) < total:
                params = self._propose(chosen)
                if params is not False:
                    return params and self._claim(params)
        return None if running else False

    def _is_to_run(self, trial: FrozenTrial, lost: Counter[str]) -> bool:
        """Whether a configuration is to run again: it failed and may try, or it is not known what came of it."""
        name = trial.user_attrs["name"]
        if trial.state == TrialState.RUNNING or trial.number in self._there:
            return False
        if trial.state == TrialState.FAIL:
            return name in self._again or ("failed" not in trial.user_attrs and lost[name] < LOSSES)
        if "records" in trial.user_attrs or self.kept(self.configs(trial.params)):
            self._there.add(trial.number)
            return False
        return True

    def _without_lost(self) -> list[FrozenTrial]:
        """All trials, those of drivers that are no more having failed."""
        trials = self.study.get_trials(deepcopy=False)
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        alive = self.place.alive() if running else set()
        lost = [trial for trial in running if trial.number not in self.mine and trial._trial_id not in alive]
        for trial in lost:
            with suppress(optuna.exceptions.UpdateFinishedTrialError):  # told at this very moment
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        return self.study.get_trials(deepcopy=False) if lost else trials

    def _propose(self, chosen: list[FrozenTrial]) -> Config | bool | None:
        """Parameters that no trial has; None if they cannot be chosen yet, False if there are no more.

        With bayes and one driver, what is chosen must not depend on which of several runs ends first: it looks at all
        results but the last `lag`, and takes these for still running.
        """
        method, space = self.sweep.method, self.sweep.space
        seen = {trial.user_attrs["name"] for trial in (*self.known, *chosen)}
        if len(seen) >= self.sweep.size:
            return False
        if method == "grid":
            unseen = (params for params in self._grid if self._name(params) not in seen)
            if params := next(unseen, None):
                return params
            self._grid = points(space)
            return next(params for params in self._grid if self._name(params) not in seen)
        # A study in memory proposes, so that the one on disk never holds half a trial, or one that is not run.
        state = int(np.random.SeedSequence((self.seed, len(seen))).generate_state(1)[0])
        proposals = optuna.create_study(direction=self.sweep.goal, sampler=SAMPLERS[method](seed=state))
        if method == "bayes":
            past, pending = chosen, []  # Optuna takes care that what still runs is not chosen again
            if self.lag is not None:
                past = chosen[: max(0, len(chosen) - self.lag)]
                pending = [self._running(trial.params) for trial in chosen[len(past) :]]
                if any(trial.state == TrialState.RUNNING for trial in past):
                    return None
            proposals.add_trials([*self.known, *past, *pending])
        asked = (proposals.ask(self._distributions).params for _ in range(DRAWS))
        if params := next((params for params in asked if self._name(params) not in seen), None):
            return params
        left = [params for params in points(space) if self._name(params) not in seen] if few(space) else []
        return left[np.random.default_rng(state).integers(len(left))] if left else False

    def _claim(self, params: Config) -> Job:
        """Put a RUNNING trial of this driver into the study; return its job."""
        self.study.add_trial(self._running(params))
        trial = self.study.get_trials(deepcopy=False)[-1]
        self.place.beat([trial])
        self.mine[trial.number] = trial
        return Job(trial.number, self.configs(params), self.environment(trial.number))

    def _running(self, params: Config) -> FrozenTrial:
        """A trial of which only the parameters are known."""
        runs = [self.notebook.run_name(config) for config in self.configs(params)]
        attributes = {"name": self._name(params), "runs": runs}
        return optuna.create_trial(
            state=TrialState.RUNNING, params=params, distributions=self._distributions, user_attrs=attributes
        )

    @property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: parameter.distribution for name, parameter in self.sweep.space.items()}

    def _name(self, params: Config) -> str:
        return self.notebook.run_name(self.sweep.configuration(params))

    def _tell(self, number: int, records: list[Record]) -> None:
        storage = self.study._storage
        trial = storage.get_trial(self.mine[number]._trial_id)
        if trial.state.is_finished():
            if trial.user_attrs.get("records") == records:  # the answer to an earlier attempt was lost
                return
            raise optuna.exceptions.UpdateFinishedTrialError
        if self.place.shared:  # there, a report has no other way to the runs of other machines
            storage.set_trial_user_attr(trial._trial_id, "records", records)
        last = records[-1]
        values = [value_of(record, self.sweep.metric) for record in records]
        if None not in values and len(values) == self.sweep.seeds:
            self.study.tell(number, float(np.mean(values)))
        elif last["status"] in ("diverged", "stopped"):
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            between = last["status"] == "finished" and len(records) < self.sweep.seeds
            reason = "interrupted" if between or last["status"] == "interrupted" else "failed"
            storage.set_trial_user_attr(trial._trial_id, reason, last["error"] or last["status"])
            self.study.tell(number, state=TrialState.FAIL)


def latest(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The last trial of each configuration, in the order in which they were chosen."""
    return list({trial.user_attrs["name"]: trial for trial in trials}.values())


def ended(study: optuna.Study) -> Sequence[FrozenTrial]:
    """The trials that have their result, a diverged one's being that it is the worst."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
