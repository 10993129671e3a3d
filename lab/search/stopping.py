"""Early termination of a sweep's runs: W&B's hyperband."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GOALS = {"maximize": max, "minimize": min}
SETTINGS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
HIGHEST = 100  # bands upwards from min_iter
MOST = 10_000  # bands downwards from max_iter


@dataclass(frozen=True)
class Hyperband:
    """The rule of W&B's `early_terminate: {type: hyperband}`, decision for decision.

    At certain epochs, the bands, a run must be among the best 1/eta of all runs that have come so far. A run is judged
    after every epoch by the last band it has reached: by its best value until now or, if `strict`, by its value there.
    Follows hyperband_stop_runs in github.com/wandb/sweeps (MIT); the idea is from Li et al., 2018, JMLR 18(185).
    """

    bands: tuple[int, ...]  # epochs, counted from 1, ascending
    eta: float = 3
    strict: bool = True

    def stops(self, run: Sequence[float], others: Sequence[Sequence[float]], goal: str) -> bool:
        """Whether a run with these values, one an epoch, is to end here; `others` holds those of all other runs."""
        reached = [band for band in self.bands if band <= len(run)]
        if not reached:
            return False
        best, band = GOALS[goal], reached[-1]
        there = sorted((values[band - 1] for values in [run, *others] if len(values) >= band), reverse=best is max)
        threshold = there[int(1 / self.eta * len(there))]
        own = run[band - 1] if self.strict else best(run)
        return best(own, threshold) != own


def hyperband(entry: Any, say: Callable[[str], object] = lambda line: None) -> Hyperband:
    """The rule that a sweep file's entry asks for; says which of its settings W&B leaves without effect.

    Raises ValueError for what W&B refuses, or would only refuse when the first run asks.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"early_terminate must hold its type and settings, not {reprlib.repr(entry)}")
    if entry.get("type") != "hyperband":
        raise ValueError(f"early_terminate must be of type hyperband, not {reprlib.repr(entry)}")
    if unknown := sorted(entry.keys() - SETTINGS):
        raise ValueError(f"early_terminate has no setting {unknown[0]!r}: choose from {', '.join(SETTINGS)}")
    eta, strict = entry.get("eta", 3), entry.get("strict", True)
    if type(eta) not in (int, float) or not 1 < eta < math.inf or type(strict) is not bool:
        shown = reprlib.repr(dict(entry))
        raise ValueError(f"early_terminate needs an eta above 1 and a strict that is true or false, not {shown}")
    first, last, steps = (_whole(entry, key) for key in ("min_iter", "max_iter", "s"))
    if last and steps:
        without = ["min_iter has no effect beside max_iter and s"] if first else []
        bands = _before(last, steps, eta)
    elif first:
        without = [f"{key} has no effect here" for key, value in (("max_iter", last), ("s", steps)) if value]
        bands = _from(first, eta)
    else:
        raise ValueError("early_terminate needs either min_iter, or max_iter and s")
    for line in without:
        say(f"early_terminate: {line}, as on W&B")
    return Hyperband(tuple(sorted(set(bands))), eta, strict)


def _whole(entry: Mapping[str, Any], key: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if type(value) not in (int, float) or not 1 <= value < math.inf or value != int(value):
        raise ValueError(f"{key} of early_terminate must be a whole number, at least 1, not {reprlib.repr(value)}")
    return int(value)


def _before(last: int, steps: int, eta: float) -> list[int]:
    """Epochs last/eta, last/eta², ..., `steps` of them at most."""
    bands: list[int] = []
    band = last / eta
    while band >= 1 and len(bands) < steps:
        bands.append(int(band))
        band /= eta
        if len(bands) > MOST:
            raise ValueError(
                f"early_terminate would judge at more than {MOST} epochs: take a smaller s, or a larger eta"
            )
    if not bands:
        raise ValueError(f"early_terminate has no epoch to stop at: max_iter {last} is below eta {eta}")
    return bands


def _from(first: int, eta: float) -> list[int]:
    """Epochs first, first·eta, first·eta², ..., as many as W&B has."""
    bands: list[int] = []
    band: float = first
    while len(bands) < HIGHEST and band < math.inf:
        bands.append(int(band))
        band *= eta
    return bands
