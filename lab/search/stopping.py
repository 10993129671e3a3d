"""Early termination of a sweep's runs: W&B's hyperband, which each run asks by itself after every epoch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

VARIABLE = "FASHION_STOPPING"  # tells a kernel where its sweep keeps what other runs have reported
GOALS = {"maximize": max, "minimize": min}
LONGEST = 10**6  # epochs of any run


@dataclass(frozen=True)
class Hyperband:
    """The rule of W&B's `early_terminate: {type: hyperband}`, decision for decision.

    At certain epochs, the bands, a run must be among the best 1/eta of all runs that have come so far. A run is judged
    after every epoch by the last band it has reached: by its best value until now or, if `strict`, by its value there.
    Follows hyperband_stop_runs in github.com/wandb/sweeps (MIT); the idea is from Li et al., 2018, JMLR 18(185).
    """

    bands: tuple[int, ...]  # epochs, counted from 1, ascending
    eta: float = 3
    strict: bool = False

    def stops(self, run: Sequence[float], others: Sequence[Sequence[float]], goal: str) -> bool:
        """Whether a run with these values, one an epoch, is to end here; `others` holds those of all other runs."""
        reached = [band for band in self.bands if band <= len(run)]
        if not reached:
            return False
        best, band = GOALS[goal], reached[-1]
        there = sorted((values[band - 1] for values in [run, *others] if len(values) >= band), reverse=best is max)
        threshold = there[int(len(there) / self.eta)]
        own = run[band - 1] if self.strict else best(run)
        return best(own, threshold) != own


def hyperband(entry: Mapping[str, Any]) -> Hyperband:
    """The rule that a sweep file's entry asks for; raises ValueError for what it cannot mean."""
    known = {"type", "min_iter", "max_iter", "s", "eta", "strict"}
    if not isinstance(entry, Mapping) or entry.get("type") != "hyperband":
        raise ValueError(f"early_terminate must be of type hyperband, not {entry!r}")
    if unknown := sorted(entry.keys() - known):
        raise ValueError(f"early_terminate has no setting {unknown[0]!r}: choose from {', '.join(sorted(known))}")
    eta, strict = entry.get("eta", 3), entry.get("strict", False)
    if type(eta) not in (int, float) or not eta > 1 or type(strict) is not bool:
        raise ValueError(f"early_terminate needs an eta above 1 and a strict that is true or false, not {dict(entry)}")
    for key in ("min_iter", "max_iter", "s"):
        if key in entry and (type(entry[key]) is not int or entry[key] < 1):
            raise ValueError(f"{key} of early_terminate must be a whole number, at least 1, not {entry[key]!r}")
    match entry:
        case {"max_iter": last, "s": steps} if "min_iter" not in entry:
            bands = {int(last / eta**k) for k in range(1, steps + 1)} - {0}
        case {"min_iter": first} if not entry.keys() & {"max_iter", "s"}:
            bands, band = set(), float(first)
            while band <= LONGEST:
                bands.add(int(band))
                band *= eta
        case _:
            raise ValueError("early_terminate needs either min_iter, or max_iter and s")
    if not bands:
        raise ValueError(f"early_terminate has no epoch to stop at: max_iter {last} is below eta {eta}")
    return Hyperband(tuple(sorted(bands)), eta, strict)


def environment(rule: Hyperband, *, storage: str, study: str, trial: int, metric: str, goal: str) -> dict[str, str]:
    """The environment variable that lets a kernel ask `watch`; `trial` is a number, and `storage` an address."""
    place = {"storage": storage, "study": study, "trial": trial, "metric": metric, "goal": goal}
    return {VARIABLE: json.dumps(asdict(rule) | place)}


def watch() -> Callable[[Mapping[str, Any]], bool] | None:
    """What reports an epoch's record to the sweep and says whether to stop; None outside a sweep that stops early."""
    if not os.environ.get(VARIABLE):
        return None
    import optuna  # here, since most runs do not need it

    place = json.loads(os.environ[VARIABLE])
    rule = Hyperband(tuple(place["bands"]), place["eta"], place["strict"])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler()  # none is needed, and this one asks for nothing
    study = optuna.load_study(study_name=place["study"], storage=place["storage"], sampler=sampler)
    own = study.get_trials(deepcopy=False)[place["trial"]]
    trial = optuna.trial.Trial(study, own._trial_id)
    values: list[float] = []

    def stops(epoch: Mapping[str, Any]) -> bool:
        values.append(epoch[place["metric"]])
        trial.report(values[-1], step=len(values))
        alive = [other for other in study.get_trials(deepcopy=False) if other.state != optuna.trial.TrialState.FAIL]
        others = [_values(other) for other in alive if other.number != own.number]
        return rule.stops(values, others, place["goal"])

    return stops


def _values(trial: Any) -> list[float]:
    """What a trial has reported, one value an epoch."""
    return [value for _, value in sorted(trial.intermediate_values.items())]
