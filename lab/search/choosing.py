"""What a search tries next: by the sweep's method, from its space, and from what has come of the trials before.

It needs neither kernels nor files: `Search` asks and tells whoever has results, a table's rows for example.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from lab.execution.notebook import Config
from lab.search.space import Space, configuration, few, points, size
from lab.search.trials import Outcome, Trial

DRAWS = 1000  # that bring nothing new before what is left is looked for, or taken for nothing
SAMPLERS = {"random": optuna.samplers.RandomSampler, "bayes": optuna.samplers.TPESampler}
STATES = {  # as a sampler sees them: what is pruned without having reported anything is the worst of all
    Outcome.RUNNING: TrialState.RUNNING,
    Outcome.FINISHED: TrialState.COMPLETE,
    Outcome.STOPPED: TrialState.PRUNED,
    Outcome.DIVERGED: TrialState.PRUNED,
}


class Exhausted(Exception):
    """Every configuration of the space has been chosen."""


class Chooser:
    """Chooses configurations of a space, none of them twice.

    `name` tells configurations apart, by what Optuna has chosen. With bayes, what is chosen must not depend on which
    of several runs ends first: it looks at all results but those of the last `lag` trials, and takes these for still
    running. Without a lag it looks at what is there. `known` are trials of other searches of the same space: learnt
    from, and not repeated. `total` is the number of configurations, where several points of the space are one.
    """

    def __init__(
        self,
        space: Space,
        method: str,
        goal: str,
        seed: int,
        name: Callable[[Config], str],
        *,
        lag: int | None = None,
        known: Sequence[Trial] = (),
        total: float | None = None,
    ) -> None:
        self.space, self.method, self.goal, self.seed = space, method, goal, seed
        self.name, self.lag, self.known = name, lag, list(known)
        self.total = size(space) if total is None else total
        self.distributions = {name: parameter.distribution for name, parameter in space.items()}
        self._grid: Iterator[Config] = iter(())

    def choose(self, trials: Sequence[Trial]) -> Config | None:
        """Parameters that none of the trials has; None if they cannot be chosen before a running one has ended.

        Raises Exhausted if there are no more.
        """
        seen = {trial.name for trial in (*self.known, *trials)}
        if len(seen) >= self.total:
            raise Exhausted
        if self.method == "grid":
            return self._next_point(seen)
        seed = int(np.random.SeedSequence((self.seed, len(seen))).generate_state(1)[0])
        proposals = optuna.create_study(direction=self.goal, sampler=SAMPLERS[self.method](seed=seed))
        if self.method == "bayes":
            past = self._visible(trials)
            if past is None:
                return None
            proposals.add_trials([_seen_by_sampler(trial) for trial in (*self.known, *past)])
        asked = (proposals.ask(self.distributions).params for _ in range(DRAWS))
        return self._first_new(asked, seen) or self._any_left(seen, seed)

    def _next_point(self, seen: set[str]) -> Config:
        if params := self._first_new(self._grid, seen):
            return params
        self._grid = points(self.space)
        return self._first_new(self._grid, seen)

    def _visible(self, trials: Sequence[Trial]) -> list[Trial] | None:
        """The trials as the search may see them now; None if one that it must wait for is running."""
        if self.lag is None:
            return list(trials)
        past = trials[: max(0, len(trials) - self.lag)]
        if any(trial.outcome == Outcome.RUNNING for trial in past):
            return None
        pending = (replace(trial, outcome=Outcome.RUNNING) for trial in trials[len(past) :])
        return [*past, *pending]

    def _any_left(self, seen: set[str], seed: int) -> Config:
        left = [params for params in points(self.space) if self.name(params) not in seen] if few(self.space) else []
        if not left:
            raise Exhausted
        return left[np.random.default_rng(seed).integers(len(left))]

    def _first_new(self, some: Iterator[Config], seen: set[str]) -> Config | None:
        return next((params for params in some if self.name(params) not in seen), None)


def _seen_by_sampler(trial: Trial) -> FrozenTrial:
    """A trial as one of Optuna's samplers is to see it; of those that were stopped, what went on longer is better."""
    state = STATES.get(trial.outcome, TrialState.FAIL)
    stopped = state == TrialState.PRUNED and trial.value is not None
    return optuna.create_trial(
        state=state,
        value=trial.value if state == TrialState.COMPLETE else None,
        params=trial.params,
        distributions=dict(trial.distributions),
        intermediate_values={trial.epochs: trial.value} if stopped else None,
    )


class Search:
    """Ask and tell, for whoever has results without running anything.

    `ask` returns the next configuration, `tell` takes what has come of one: its value, or None if it diverged.
    """

    def __init__(self, space: Space, method: str = "bayes", goal: str = "maximize", seed: int = 0) -> None:
        self._chooser = Chooser(space, method, goal, seed, self._name)
        self.space, self.trials = space, list[Trial]()

    def ask(self) -> Config:
        """The next configuration; raises Exhausted after the last."""
        params = self._chooser.choose(self.trials)
        self.trials.append(Trial(params, self._name(params), self._chooser.distributions, number=len(self.trials)))
        return configuration(self.space, params)

    def tell(self, config: Config, value: float | None) -> None:
        """What has come of a configuration that was asked for."""
        k = next(k for k, trial in enumerate(self.trials) if configuration(self.space, trial.params) == config)
        outcome = Outcome.DIVERGED if value is None else Outcome.FINISHED
        self.trials[k] = replace(self.trials[k], outcome=outcome, value=value)

    def _name(self, params: Config) -> str:
        return json.dumps(configuration(self.space, params), sort_keys=True)
