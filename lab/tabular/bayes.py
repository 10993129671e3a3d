"""Replays of Bayesian search: what a sweep chooses with, asked on the table.

They take minutes: `make every` makes them once the table is complete, and keeps them beside it.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed

from common.words import duration
from lab.search.choosing import Chooser
from lab.search.planning import LAG
from lab.search.space import configuration
from lab.search.stopping import Hyperband
from lab.search.sweepfile import read
from lab.search.trials import Outcome, Trial
from lab.tabular import cube as cubes
from lab.tabular import growing
from lab.tabular import table as tabular
from lab.tabular.cube import Cube
from lab.tabular.replays import Method, Replays, Trace, epochs_of, random, replay, stopped_after, trace
from lab.tracking import REPOSITORY

KEPT = REPOSITORY / "tables" / "replays.csv.xz"
WORKERS = 2  # of the sweep that is replayed: what still runs, its search does not see
RUNS = 200
REPLAYS = 200
AT_ONCE = 20  # replays between two writings of what is kept
COLUMNS = ["search", "replay", "seed", "run", "choice", "epochs"]
FIRST = 24  # random runs, from which another search goes on


def bayes(rule: Hyperband | None = None, after: int = 0) -> Method:
    """Choices by the code that a sweep with method bayes chooses with, here Optuna's TPE.

    With a rule, those that fall behind are stopped. With `after`, so many random runs come first, as another sweep, and
    count among the runs.
    """

    def search(table: Cube, seed: int, rng: np.random.Generator, runs: int) -> Trace:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        first = random(table, seed, rng, after).drawn if after else np.array([], dtype=int)
        known = [_trial(table, seed, int(choice), params_of(int(choice)), None, []) for choice in first]
        luck = int(rng.integers(2**31))
        chooser = Chooser(read(tabular.GRID).space, "bayes", "maximize", luck, _name, lag=LAG * WORKERS, known=known)
        trials, curves = list[Trial](), list[list[float]]()
        for _ in range(runs - len(first)):
            params = chooser.choose(trials)
            trials.append(_trial(table, seed, number_of(params), params, rule, curves))
        went = [*epochs_of(first), *map(len, curves)]
        return trace(table, seed, np.append(first, [number_of(trial.params) for trial in trials]).astype(int), went)

    return search


def _trial(
    table: Cube, seed: int, choice: int, params: Mapping[str, object], rule: Hyperband | None, curves: list[list[float]]
) -> Trial:
    """What has come of a choice; its curve, as far as it went, is added to the others."""
    curve = table.curve(choice, seed)
    went = stopped_after(rule, curve, curves) if rule else len(curve)
    curves.append(curve[:went])
    outcome = Outcome.FINISHED if went == len(curve) else Outcome.STOPPED
    return Trial(dict(params), _name(params), _distributions(), outcome=outcome, value=curve[went - 1], epochs=went)


RULE = read(REPOSITORY / "sweeps" / "bayes.yaml").stopping
SEARCHES = {
    "bayes": bayes(),
    "bayes, hyperband": bayes(RULE),
    f"{FIRST} random, then bayes": bayes(after=FIRST),
}


# --- choices and what Optuna calls them ---


def params_of(choice: int) -> dict[str, object]:
    """A choice as Optuna would have chosen it."""
    config = cubes.configuration(choice)
    return {name: parameter.chosen(config[name]) for name, parameter in tabular.space().items()}


def number_of(params: Mapping[str, object]) -> int:
    """The number of a choice that Optuna has chosen."""
    return cubes.number(configuration(tabular.space(), dict(params)))


@functools.cache
def _distributions() -> dict[str, optuna.distributions.BaseDistribution]:
    return {name: parameter.distribution for name, parameter in tabular.space().items()}


def _name(params: Mapping[str, object]) -> str:
    return str(number_of(params))


# --- those that are kept ----------------------------------------------------------------------------------------------


def load(table: Cube, path: Path = KEPT) -> dict[str, Replays]:
    """The replays that are kept of the table's seeds, by search; raises FileNotFoundError where there are none."""
    if not path.exists():
        raise FileNotFoundError(f"there are no replays in {path}: `make every` computes them")
    frame, replays = pd.read_csv(path), dict[str, Replays]()
    frame = frame[frame["seed"].isin(table.seeds)]
    for name, rows in frame.groupby("search", sort=False):
        shape = rows["replay"].nunique(), -1
        drawn, went = (rows[column].to_numpy().reshape(shape) for column in ("choice", "epochs"))
        seeds = np.searchsorted(table.seeds, rows["seed"].to_numpy().reshape(shape)[:, 0])
        traces = [trace(table, *one) for one in zip(seeds, drawn, went, strict=True)]
        replays[str(name)] = Replays(seeds, *map(np.array, zip(*traces, strict=True)))
    return replays


def compute(table: Cube, replays: int = REPLAYS, runs: int = RUNS, path: Path = KEPT, workers: int = 2) -> None:
    """Make the replays that are lacking, and keep them, a few at a time. Those of other seeds are made anew.

    Raises ValueError for a table that is not complete, on which Bayesian search would ask for what is not there.
    """
    if not table.complete:
        raise ValueError(f"{(~table.there).sum():,} of {len(table.there):,} choices are not in the table yet")
    frames = [frame for frame in [pd.read_csv(path)] if set(frame["seed"]) == set(table.seeds)] if path.exists() else []
    done = {one for frame in frames for one in zip(frame["search"], frame["replay"], strict=True)}
    lacking = [one for one in itertools.product(SEARCHES, range(replays)) if one not in done]
    made = Parallel(workers, return_as="generator")(delayed(_rows)(table, runs, *one) for one in lacking)
    start = time.monotonic()
    for count, (rows, (name, _)) in enumerate(zip(made, lacking, strict=True), 1):
        frames.append(rows)
        if count % AT_ONCE == 0 or count == len(lacking):
            growing.write_rows(pd.concat(frames), path)
            left = (time.monotonic() - start) / count * (len(lacking) - count)
            print(f"{count} of {len(lacking)} replays · {name} · {duration(left)} left", flush=True)


def _rows(table: Cube, runs: int, name: str, number: int) -> pd.DataFrame:
    """A replay as it is kept: a row a run."""
    one = replay(table, SEARCHES[name], runs, [number])
    went = np.diff(one.paid[0], prepend=0)
    which = {"search": name, "replay": number, "seed": table.seeds[one.seeds[0]]}
    return pd.DataFrame({"run": range(1, runs + 1), "choice": one.drawn[0], "epochs": went}).assign(**which)[COLUMNS]


def again(table: Cube, kept: Mapping[str, Replays], numbers: Sequence[int], runs: int = 48) -> tuple[int, int]:
    """How many of some replays, made again, run the same choices as those that are kept; and how many these are."""
    same = [
        np.array_equal(replay(table, SEARCHES[name], runs, [number]).drawn[0], those.drawn[number, :runs])
        for name, those in kept.items()
        for number in numbers
    ]
    return sum(same), len(same)
