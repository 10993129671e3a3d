"""What a sweep is to do, settled before its first run: whatever cannot work is refused here, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.execution.notebook import TRAINING, Notebook, digest
from lab.search.choosing import Chooser
from lab.search.confirmation import Confirmation, confirmation
from lab.search.driving import MOST
from lab.search.fitting import Fit
from lab.search.jobs import name_of
from lab.search.reading import SweepError
from lab.search.results import folder_of, trials_of
from lab.search.storage import State
from lab.search.sweepfile import Sweep, read
from lab.search.trials import Trial, latest
from lab.search.verdicts import RULES

KEEP = 10  # configurations of a sweep whose notebooks and weights are kept: the best, and as many of the last failures
LAG = 2  # runs a worker that bayes does not wait for: enough that a long run seldom holds up the next, and few to miss

LONGEST = 1e9  # seconds of a time limit, which a system's clocks can still wait for


@dataclass(frozen=True)
class Options:
    """How a sweep is run, as `resume` runs it again."""

    count: int | None = None  # configurations in all; None: the file's run_cap, or every point of a grid
    workers: int = 2  # runs side by side, each with its share of the cores
    seed: int = 0  # of the search; not of the networks
    after: Sequence[str] = ()  # sweeps of the same space: the search learns from them, and repeats none of their runs
    timeout: float = 3600  # seconds that a run may take
    keep: int | None = KEEP  # notebooks and weights stay of so many of the best, and of the last failures; None: of all
    reuse: bool = False  # a run that another sweep has on record, from this very code, is copied instead of run
    notebook: str = str(TRAINING)  # the one that trains
    cluster: str | None = None  # a scheduler of Dask's, by address or file: all runs go to its workers
    confirm: str | None = None  # "5x5" in place of what the file asks for: the best 5 run again, with 5 seeds

    def __post_init__(self) -> None:
        if not 0 < self.timeout < LONGEST:
            raise SweepError(f"timeout must be a number of seconds above 0, below {LONGEST:g}, not {self.timeout}")
        if self.seed < 0:
            raise SweepError(f"seed must be a whole number, 0 or more, not {self.seed}")
        if not 1 <= self.workers <= MOST:
            raise SweepError(f"workers must be from 1 to {MOST}, not {self.workers}")
        if self.cluster and "@" in self.cluster:
            raise SweepError("a scheduler's address is kept with its sweep, and must hold no password")
        confirmation(self.confirm)


@dataclass(frozen=True)
class Plan:
    """A sweep that can be run: in the words of its notebook, with all that it is to learn from."""

    sweep: Sweep
    notebook: Notebook
    options: Options
    folder: Path
    wanted: int  # configurations in all
    said: Sequence[str]  # lines before the first run
    taken: Sequence[str]  # words of its file that mean those of the notebook
    known: Mapping[str, Sequence[Trial]]  # of other sweeps, by study

    @property
    def lag(self) -> int | None:
        """Trials that bayes does not wait for; None for a cluster, whose workers come and go."""
        return None if self.options.cluster else LAG * self.options.workers

    @property
    def confirm(self) -> Confirmation | None:
        """What its best are to be confirmed by, once it has ended."""
        return confirmation(self.options.confirm) or self.sweep.confirm

    @property
    def study(self) -> str:
        """The name of the study, another one for whatever changes what is chosen or what comes of it."""
        asked = [self.sweep.definition, self.notebook.fingerprint, self.options.seed, *self.known]
        return f"{self.sweep.name}-{digest(asked)}"

    def chooser(self, lag: int | None) -> Chooser:
        """What chooses configurations."""
        known = [trial for trials in self.known.values() for trial in trials]
        sweep, notebook, seed = self.sweep, self.notebook, self.options.seed

        def name(params: Mapping[str, Any]) -> str:
            return name_of(sweep, notebook, dict(params))

        return Chooser(sweep.space, sweep.method, sweep.goal, seed, name, lag=lag, known=known, total=sweep.size)

    def total(self, trials: Sequence[Trial]) -> int:
        """How many configurations there will be: those that are asked for, or all that there are, or were."""
        here = {trial.name for trial in trials}
        elsewhere = {trial.name for known in self.known.values() for trial in known} - here
        total = int(min(self.wanted, self.sweep.size - len(elsewhere)))
        if total == 0:
            after = ", ".join(self.options.after)
            raise SweepError(f"sweep {self.sweep.name!r} has nothing to run: its whole space ran in {after}")
        return max(total, len(here))

    def state(self, total: int) -> State:
        """What is run now, as it is kept."""
        sweep, options = self.sweep, asdict(self.options) | {"after": list(self.options.after)}
        state = {"study": self.study, "fingerprint": self.notebook.fingerprint}
        state |= {"metric": sweep.metric, "goal": sweep.goal, "total": total, "seeds": sweep.seeds}
        return state | {"source": sweep.source, "options": options, "taken": list(self.taken)}


def plan(source: str | Path | dict, options: Options, root: str | Path | None = None) -> Plan:
    """What is to be run; raises SweepError or NotebookError for what cannot work."""
    notebook = Notebook(options.notebook, RULES)
    fit = Fit(read(source), notebook)
    if fit.lacks:
        raise SweepError("; ".join(fit.lacks))
    sweep, folder = fit.sweep, folder_of(fit.sweep.name, root)
    _refuse_alike(folder)
    wanted = _wanted(sweep, notebook, options.count)
    known = dict(_trials_after(name, sweep, notebook, root) for name in options.after)
    return Plan(sweep, notebook, options, folder, wanted, fit.said, fit.taken, known)


def _refuse_alike(folder: Path) -> None:
    """Refuse a name of which capitals alone make another: some systems would keep both sweeps in one folder."""
    if folder.parent.is_dir():
        others = (path.name for path in folder.parent.iterdir() if path.name.casefold() == folder.name.casefold())
        if other := next((name for name in others if name != folder.name), None):
            rule = "capitals alone do not tell folders apart on every system"
            raise SweepError(f"there is a sweep {other!r} beside {folder.name!r}, and {rule}: choose another name")


def _wanted(sweep: Sweep, notebook: Notebook, count: int | None) -> int:
    """The number of configurations that are asked for."""
    if sweep.seeds > 1 and "seed" not in notebook.types:
        raise SweepError(f"{notebook.path.name} has no parameter 'seed', which seeds: {sweep.seeds} would set")
    wanted = count if count is not None else sweep.run_cap or (sweep.size if sweep.method == "grid" else 0)
    if not 1 <= wanted < math.inf:
        raise SweepError(f"sweep {sweep.name!r} needs a number of runs, at least 1: a run_cap or a count")
    return int(wanted)


def _trials_after(name: str, sweep: Sweep, notebook: Notebook, root: str | Path | None) -> tuple[str, list[Trial]]:
    """The study of another sweep, which must have looked for the same by the same code, and what it has found."""
    if name.casefold() == sweep.name.casefold():
        raise SweepError(f"sweep {sweep.name!r} cannot go on after itself: name other sweeps")
    state, trials = trials_of(name, root)
    same = {
        "metric": state["metric"] == sweep.metric,
        "goal": state["goal"] == sweep.goal,
        "code": state["fingerprint"] == notebook.fingerprint,
        "parameters": Fit(read(state["source"]), notebook).sweep.space == sweep.space,
        "seeds": state.get("seeds", 1) == sweep.seeds,
    }
    if differing := [what for what, equal in same.items() if not equal]:
        raise SweepError(f"sweep {sweep.name!r} cannot go on after {name!r}: they differ in {', '.join(differing)}")
    return state["study"], [trial for trial in latest(trials) if trial.has_result]
