"""What a sweep's file means by `confirm: {best: 5, seeds: 5}`, a key that W&B does not know: see confirming.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.search.reading import SweepError, shown

SETTINGS = ("best", "seeds")
MOST = 1000


@dataclass(frozen=True)
class Confirmation:
    """How many of the best are run again, and how many seeds each has in the end, its first included."""

    best: int = 5
    seeds: int = 5

    def __str__(self) -> str:
        return f"the best {self.best} confirmed by {self.seeds} seeds"


def confirmation(entry: Any) -> Confirmation | None:
    """What a file's `confirm`, or a command line's 5x5, asks for; raises SweepError for what it cannot mean."""
    if entry is None or isinstance(entry, Confirmation):
        return entry
    if isinstance(entry, str):
        best, _, seeds = entry.partition("x")
        entry = {"best": int(best), "seeds": int(seeds)} if best.isdecimal() and seeds.isdecimal() else entry
    if not isinstance(entry, Mapping) or not entry.keys() <= set(SETTINGS):
        raise SweepError(f"confirm must be best and seeds, such as {{best: 5, seeds: 5}}, not {shown(entry)}")
    for name, value in entry.items():
        if type(value) is not int or not 2 - (name == "best") <= value <= MOST:
            least = 1 if name == "best" else 2
            raise SweepError(f"{name} of confirm must be a whole number, from {least} to {MOST}, not {shown(value)}")
    return Confirmation(**entry)
