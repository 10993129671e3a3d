"""Which runs of a sweep end early: its driver hears of every epoch, and judges by what all other runs have come to."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from pathlib import Path

from lab.search.stopping import Hyperband
from lab.tracking import Record

RULES = [
    Path(__file__),
    Path(__file__).with_name("stopping.py"),
]  # decide when a run ends, without being imported by it


class Verdicts:
    """Judges runs after each epoch, each seed's beside those of other configurations with the same seed."""

    def __init__(self, rule: Hyperband, metric: str, goal: str) -> None:
        self.rule, self.metric, self.goal = rule, metric, goal
        self._worst = -math.inf if goal == "maximize" else math.inf
        self._curves: dict[int, dict[str, list[float]]] = {}  # by seed and configuration
        self._lock = threading.Lock()

    def learn(self, name: str, records: Iterable[Record]) -> None:
        """What the runs of a configuration, one a seed, have come to earlier."""
        for seed, record in enumerate(records):
            self._keep(name, seed, record)

    def forget(self, name: str) -> None:
        """Count a configuration no more, whose runs have failed."""
        with self._lock:
            for curves in self._curves.values():
                curves.pop(name, None)

    def stops(self, name: str, seed: int, record: Record) -> bool:
        """Whether the run of a configuration with its seed of this number is to stop, by its record until now."""
        with self._lock:
            own = self._keep(name, seed, record)
            others = [values for other, values in self._curves[seed].items() if other != name]
            return self.rule.stops(own, others, self.goal)

    def _keep(self, name: str, seed: int, record: Record) -> list[float]:
        values = [self._value(epoch.get(self.metric)) for epoch in record["history"]]
        self._curves.setdefault(seed, {})[name] = values
        return values

    def _value(self, value: object) -> float:
        return value if isinstance(value, int | float) else self._worst
