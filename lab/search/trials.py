"""What becomes of a trial: a configuration that a search has chosen, and whose runs, one a seed, make one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution

from lab.execution.notebook import Config
from lab.tracking import Record, value_of


class Outcome(StrEnum):
    """Where a trial is."""

    RUNNING = "running"
    FINISHED = "finished"  # all its runs have the metric
    DIVERGED = "diverged"
    STOPPED = "stopped"  # early, by the sweep
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # by whoever drove it
    LOST = "lost"  # its driver was killed


class Transition(NamedTuple):
    """What may come after an outcome."""

    becomes: frozenset[Outcome] = frozenset()
    again: bool = False  # whether a driver that starts runs the configuration anew, as another trial


ENDED = frozenset(Outcome) - {Outcome.RUNNING}
TRANSITIONS: Mapping[Outcome, Transition] = {
    Outcome.RUNNING: Transition(becomes=ENDED),
    Outcome.FINISHED: Transition(),
    Outcome.DIVERGED: Transition(),
    Outcome.STOPPED: Transition(),
    Outcome.FAILED: Transition(again=True),
    Outcome.INTERRUPTED: Transition(again=True),
    Outcome.LOST: Transition(again=True),
}
RESULTS = frozenset(outcome for outcome in ENDED if not TRANSITIONS[outcome].again)


@dataclass(frozen=True)
class Trial:
    """A configuration that was chosen, and what has come of it."""

    params: Config  # as Optuna has chosen them
    name: str  # of the configuration: equal for equal ones
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)  # that they were chosen from
    runs: tuple[str, ...] = ()  # the names of its runs, one a seed
    outcome: Outcome = Outcome.RUNNING
    value: float | None = None  # the metric of one that has finished, or of one that was stopped until then
    epochs: int = 0  # after which it was stopped
    number: int = -1  # in its study, from 0

    @property
    def has_result(self) -> bool:
        return self.outcome in RESULTS


class Ending(NamedTuple):
    """How a trial has ended."""

    outcome: Outcome
    value: float | None = None
    epochs: int = 0
    reason: str = ""


def ending(records: Sequence[Record], metric: str, seeds: int = 1) -> Ending:
    """How a trial has ended whose runs left these records, of which only the last may be unfinished."""
    last, values = records[-1], [value_of(record, metric) for record in records]
    if None not in values and len(values) == seeds:
        return Ending(Outcome.FINISHED, float(np.mean(values)))
    if last["status"] == "stopped":
        history = last["history"]
        return Ending(Outcome.STOPPED, history[-1].get(metric), len(history))
    if last["status"] == "diverged":
        return Ending(Outcome.DIVERGED)
    between = None not in values
    if between or last["status"] == "interrupted":
        return Ending(Outcome.INTERRUPTED)
    return Ending(Outcome.FAILED, reason=last["error"] or f"no {metric}")


def latest(trials: Iterable[Trial]) -> list[Trial]:
    """The last trial of each configuration, in the order in which they were chosen."""
    return list({trial.name: trial for trial in trials}.values())
