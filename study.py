"""What a sweep runs next: an Optuna study keeps every configuration that was chosen, and what has come of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from runner import Notebook, Record, value_of
from sweepfile import Config, Sweep, choices_of

LAG = 2  # runs a worker that bayes does not wait for: enough that a long run seldom holds up the next, and few to miss
SAMPLERS = {"random": optuna.samplers.RandomSampler, "bayes": optuna.samplers.TPESampler}


# --- choosing configurations ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """A sweep's Optuna study: what is to be run next, and what has come of each.

    A trial is RUNNING until its run has ended, then COMPLETE with the metric, PRUNED if it diverged, or FAIL.
    """

    sweep: Sweep
    study: optuna.Study
    seed: int
    notebook: Notebook
    known: list[FrozenTrial]  # of other sweeps: learnt from, and not repeated
    lag: int  # bayes chooses a configuration in the light of all results but those of this many before it

    def latest(self) -> list[FrozenTrial]:
        """The last trial of each configuration, in order."""
        return list({trial.user_attrs["name"]: trial for trial in self.study.get_trials(deepcopy=False)}.values())

    def trials(self, total: int, kept: Callable[[Config], Record | None]) -> Iterator[tuple[int, Config] | None]:
        """Yield number and parameters: of trials whose result was not `kept`, then of new ones up to `total`.

        None says that the next one cannot be chosen before another run has ended.
        """
        latest = self.latest()
        for trial in latest:
            if trial.state == TrialState.RUNNING:  # its driver was stopped
                yield trial.number, trial.params
            elif not kept(trial.params):
                yield self._add(trial.params), trial.params
        seen = {trial.user_attrs["name"] for trial in (*self.known, *latest)}
        new, missing = self._new(seen), total - len(latest)
        while missing > 0 and (params := next(new, False)) is not False:
            if params is None:
                yield None
                continue
            seen.add(self.notebook.run_name(params))
            yield self._add(params), params
            missing -= 1

    def tell(self, number: int, record: Record) -> None:
        value = value_of(record, self.sweep.metric)
        if value is not None:
            self.study.tell(number, value)
        elif record["status"] != "interrupted":
            self.study.tell(number, state=TrialState.PRUNED if record["status"] == "diverged" else TrialState.FAIL)

    def _new(self, seen: set[str]) -> Iterator[Config | None]:
        """Yield parameters whose name is not in `seen`, to which the caller adds it, until the space is exhausted.

        With bayes, None stands for parameters that cannot be chosen yet. What it chooses must not depend on which of
        several runs ends first, so it looks at all results but the last `lag`, and takes these for still running.
        """
        method, space = self.sweep.method, self.sweep.space
        if method == "grid":
            points = itertools.product(*(choices_of(distribution) for distribution in space.values()))
            grid = (dict(zip(space, point, strict=True)) for point in points)
            yield from (params for params in grid if self.notebook.run_name(params) not in seen)
            return
        while len(seen) < self.sweep.size:
            # A study in memory proposes, so that the one on disk never holds half a trial, or one that is not run.
            state = int(np.random.SeedSequence((self.seed, len(seen))).generate_state(1)[0])
            proposals = optuna.create_study(direction=self.sweep.goal, sampler=SAMPLERS[method](seed=state))
            if method == "bayes":
                latest = self.latest()
                past, pending = latest[: max(0, len(latest) - self.lag)], latest[-self.lag :]
                if any(trial.state == TrialState.RUNNING for trial in past):
                    yield None
                    continue
                proposals.add_trials([*self.known, *past, *(self._running(trial.params) for trial in pending)])
            asked = (proposals.ask(space).params for _ in itertools.count())
            yield next(params for params in asked if self.notebook.run_name(params) not in seen)

    def _add(self, params: Config) -> int:
        """Put a RUNNING trial into the study, in one transaction, and return its number."""
        self.study.add_trial(self._running(params))
        return self.study.get_trials(deepcopy=False)[-1].number

    def _running(self, params: Config) -> FrozenTrial:
        """A trial of which only the parameters are known."""
        name, space = {"name": self.notebook.run_name(params)}, self.sweep.space
        return optuna.create_trial(state=TrialState.RUNNING, params=params, distributions=space, user_attrs=name)
