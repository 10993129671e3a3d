"""What a driver runs next: configurations that are to run anew, then what the search chooses, up to a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lab.execution.notebook import Config, Notebook
from lab.search.choosing import Chooser, Exhausted
from lab.search.storage import Storage
from lab.search.sweepfile import Sweep
from lab.search.trials import Ending, Outcome, Trial, ending, latest
from lab.tracking import Record


@dataclass(frozen=True)
class Job:
    """Runs that make one result: those of a configuration with one seed after the other."""

    key: Any  # by which its result is told
    configs: Sequence[Config]
    name: str  # of its first run


Kept = Callable[[Sequence[Config]], list[Record] | None]  # the records of configurations that have their result


def configs_of(sweep: Sweep, params: Config) -> list[Config]:
    """The configurations of a trial's runs: one for each seed."""
    config = sweep.configuration(params)
    return [config | {"seed": seed} for seed in range(sweep.seeds)] if sweep.seeds > 1 else [config]


def name_of(sweep: Sweep, notebook: Notebook, params: Config) -> str:
    """What tells configurations apart: the run's name, without a seed of the sweep's."""
    return notebook.run_name(sweep.configuration(params))


class Jobs:
    """The jobs of one driver's start, in order; it says what has come of each, and the next may depend on that.

    Where nothing can be chosen before a run has ended, the next job is None.
    """

    def __init__(
        self, sweep: Sweep, notebook: Notebook, storage: Storage, study: str, chooser: Chooser, total: int, kept: Kept
    ) -> None:
        self.sweep, self.notebook, self.storage, self.study = sweep, notebook, storage, study
        self._chooser, self._total, self._kept = chooser, total, kept

    @property
    def trials(self) -> list[Trial]:
        """The last trial of each configuration, in the order in which they were chosen."""
        return latest(self.storage.trials(self.study))

    def __iter__(self) -> Iterator[Job | None]:
        self._take_over()
        again = iter([trial for trial in self.trials if self._is_to_run(trial)])
        while not self._reached():
            if trial := next(again, None):
                yield self._claim(trial.params)
                continue
            if len(self.trials) >= self._total:
                return
            try:
                params = self._chooser.choose(self.trials)
            except Exhausted:
                return
            yield self._claim(params) if params is not None else None

    def tell(self, job: Job, records: Sequence[Record]) -> Ending:
        """Keep what has come of a job."""
        end = ending(records, self.sweep.metric, self.sweep.seeds)
        self.storage.tell(self.study, job.key, end)
        return end

    def _take_over(self) -> None:
        """What runs when a driver starts has lost its own."""
        for trial in self.storage.trials(self.study):
            if trial.outcome == Outcome.RUNNING:
                self.storage.tell(self.study, trial.number, Ending(Outcome.LOST))

    def _is_to_run(self, trial: Trial) -> bool:
        """Whether a trial of an earlier start runs anew: it has no result, or one that is not to be found."""
        return not trial.has_result or self._kept(configs_of(self.sweep, trial.params)) is None

    def _reached(self) -> bool:
        """Whether a result is as good as the sweep's target."""
        finished = (trial.value for trial in self.trials if trial.outcome == Outcome.FINISHED)
        return any(map(self.sweep.reached, finished))

    def _claim(self, params: Config) -> Job:
        configs = configs_of(self.sweep, params)
        name = name_of(self.sweep, self.notebook, params)
        runs = tuple(map(self.notebook.run_name, configs))
        trial = self.storage.add(self.study, Trial(params, name, self._chooser.distributions, runs))
        return Job(trial.number, configs, runs[0])
