"""What a sweep has found: the records of its runs, what they come to, which is best, and what matters.

Everything that chooses, here and on the pages, goes by `ranked`: by the sweep's own metric and goal, and by the mean
over the seeds of a configuration, which counts only if every one of its runs has finished.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optuna

from common.names import file_name
from lab.execution.notebook import Config
from lab.search.reading import SweepError
from lab.search.stopping import GOALS
from lab.search.storage import DIRECTIONS, File, State
from lab.search.sweepfile import METRICS
from lab.search.trials import Outcome, Trial, ending, latest
from lab.tracking import Record, duration, record_of, runs_root, value_of

if TYPE_CHECKING:
    import pandas as pd

LEAST = 4  # trials that say which parameters matter


@dataclass(frozen=True)
class Result:
    """What the runs of a configuration, one a seed, have come to."""

    records: tuple[Record, ...]
    value: float | None  # the mean of the metric; None unless every seed's run has finished with it
    deviation: float | None = None  # the standard deviation over seeds, where there are several

    @property
    def config(self) -> Config:
        """Of its first run."""
        return self.records[0]["config"]


def result_of(records: Sequence[Record], metric: str, seeds: int = 1) -> Result:
    """What runs come to, which are those of one configuration."""
    end = ending(records, metric, seeds)
    if end.outcome != Outcome.FINISHED:
        return Result(tuple(records), None)
    values = [value_of(record, metric) for record in records]
    return Result(tuple(records), end.value, float(np.std(values, ddof=1)) if seeds > 1 else None)


def has_ended(result: Result) -> bool:
    """Whether nothing of it is to run any more."""
    return result.value is not None or result.records[-1]["status"] in ("diverged", "stopped")


def better(value: float, other: float, goal: str) -> bool:
    """Whether a value of the metric is better than another."""
    return value != other and GOALS[goal](value, other) == value


def ranked(results: Iterable[Result], goal: str) -> list[Result]:
    """Best first; those without a value come last, in the order in which they were."""
    results = list(results)
    valued = [result for result in results if result.value is not None]
    valued.sort(key=lambda result: result.value, reverse=goal == "maximize")
    return valued + [result for result in results if result.value is None]


# --- of a sweep on disk -----------------------------------------------------------------------------------------------


def folder_of(name: str, root: str | Path | None = None) -> Path:
    """The folder of a sweep."""
    return Path(os.path.realpath(root or runs_root())) / file_name(name)


def run_folder(sweep: str, record: Record, root: str | Path | None = None) -> Path:
    """Where a run of a sweep is kept: record.json, weights.npz, the executed notebook."""
    return folder_of(sweep, root) / record["name"]


def trials_of(name: str, root: str | Path | None = None) -> tuple[State, list[Trial]]:
    """What is run under a sweep's name now, and its trials; raises SweepError where nothing has been searched."""
    storage = File(folder_of(name, root), name)
    state = storage.state()
    if "study" not in state:
        raise SweepError(f"{name!r} holds given configurations, which no search has chosen")
    return state, storage.trials(state["study"])


def results_of(state: State, trials: Iterable[Trial], folder: Path) -> list[Result]:
    """What is on record, in the order of start, of the code and the configurations of now."""
    runs = [trial.runs for trial in latest(trials)] if "study" in state else [(name,) for name in state["names"]]
    groups = [[record for name in names if _is_of(record := record_of(folder / name), state)] for names in runs]
    return [result_of(group, state["metric"], state.get("seeds", 1)) for group in groups if group]


def swept(name: str, root: str | Path | None = None) -> tuple[State, list[Result]]:
    """What is run under a sweep's name now, and what its configurations have come to, in the order of start."""
    folder = folder_of(name, root)
    storage = File(folder, name)
    state = storage.state()
    return state, results_of(state, storage.trials(state["study"]) if "study" in state else (), folder)


def results(name: str, root: str | Path | None = None) -> list[Result]:
    """What the configurations of a sweep have come to, in the order of start."""
    return swept(name, root)[1]


def ranking(name: str, root: str | Path | None = None) -> list[Result]:
    """What the configurations of a sweep have come to, best first."""
    state, unordered = swept(name, root)
    return ranked(unordered, state["goal"])


def records(name: str, root: str | Path | None = None) -> list[Record]:
    """The records of a sweep's runs, in order; runs of earlier code or that are not asked for now are left out."""
    return [record for result in results(name, root) for record in result.records]


class Sought(NamedTuple):
    """What sweeps that seek the same have come to."""

    metric: str
    goal: str
    results: dict[str, list[Result]]  # of each sweep, in the order of start

    @property
    def ranked(self) -> list[Result]:
        """Those of all sweeps, best first."""
        return ranked(itertools.chain(*self.results.values()), self.goal)


def sought(*names: str, root: str | Path | None) -> Sought:
    """What sweeps have come to; raises SweepError if they differ in their metric or its goal."""
    sweeps = {name: swept(name, root) for name in names}
    goals = {name: (state["metric"], state["goal"]) for name, (state, _) in sweeps.items()}
    if len(set(goals.values())) > 1:
        each = ", ".join(f"{name!r} to {goal} {metric}" for name, (metric, goal) in goals.items())
        raise SweepError(f"sweeps that seek different things have no best one in common: {each}")
    return Sought(*goals[names[0]], {name: some for name, (_, some) in sweeps.items()})


def best_first(*names: str, root: str | Path | None = None) -> list[tuple[str, Record]]:
    """The runs of sweeps that seek the same, each after its sweep's name: those of the best configuration first."""
    both = sought(*names, root=root)
    sweeps = {id(result): sweep for sweep, some in both.results.items() for result in some}
    return [(sweeps[id(result)], record) for result in both.ranked for record in result.records]


def best_of(*names: str, root: str | Path | None = None) -> Record:
    """The record of the run with the best metric after its last epoch, of one sweep or of several that seek the same.

    With several seeds, that of the first seed of the configuration with the best mean.
    """
    all_of_them = sought(*names, root=root)
    first = next(iter(all_of_them.ranked), None)
    if first and first.value is not None:
        return first.records[0]
    outcomes = _outcomes(record for result in all_of_them.ranked for record in result.records)
    ended = f": {outcomes}" if outcomes else " yet"
    raise SweepError(f"sweep {' and '.join(map(repr, names))} has no finished run with {all_of_them.metric}{ended}")


def status(name: str, root: str | Path | None = None) -> str:
    """A sentence: how many runs there are and should be, what became of them, and which is best."""
    return summary(name, *swept(name, root))


def summary(name: str, state: State, results: Sequence[Result]) -> str:
    """The sentence of `status`."""
    runs, seeds = [record for result in results for record in result.records], state.get("seeds", 1)
    text = f"{name}: {len(runs)} of {state['total'] * seeds} runs ({_outcomes(runs) or 'none yet'})"
    if spared := sum(map(saved, runs)):
        text += f"; stopping early saved about {duration(spared)}"
    top = next(iter(ranked(results, state["goal"])), None)
    if top and top.value is not None:
        mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
        text += f"; best {state['metric']} {top.value:.4f}{mean}: {top.records[0]['name']}"
    return text


def _outcomes(runs: Iterable[Record]) -> str:
    """How many runs have become what; empty without any."""
    return ", ".join(f"{n} {what}" for what, n in Counter(record["status"] for record in runs).items())


def saved(record: Record) -> float:
    """Seconds that a run was spared by being stopped early: its missing epochs, as long as those it had."""
    history, planned = record["history"], record["config"].get("max_epochs")
    if record["status"] != "stopped" or not history or type(planned) not in (int, float):
        return 0.0
    return sum(epoch.get("seconds", 0) for epoch in history) / len(history) * max(0, planned - len(history))


def _is_of(record: Record, state: State) -> bool:
    return record.get("fingerprint") == state["fingerprint"]


# --- as tables --------------------------------------------------------------------------------------------------------


def table(name: str, root: str | Path | None = None) -> pd.DataFrame:
    """A row for each run: configuration, status, the last epoch's metrics, seconds, epochs, name.

    The metrics loss and accuracy stand under trainloss and trainaccuracy; parameters that no run sets are left out.
    """
    return table_of(records(name, root))


def listing(name: str, root: str | Path | None = None, *, everything: bool = False) -> pd.DataFrame:
    """The table of a sweep for a reader: best first, the runs of a configuration one after the other.

    With several seeds, the `mean` over them, by which it goes, stands before what each has come to. Unless `everything`
    is asked for, it has the sweep's metric, what varies from run to run, and what became of each.
    """
    state, unordered = swept(name, root)
    ordered = ranked(unordered, state["goal"])
    runs = [record for result in ordered for record in result.records]
    parameters = _parameters(runs)
    means = {"mean": [result.value for result in ordered for _ in result.records]} if state.get("seeds", 1) > 1 else {}
    rows = table_of(runs).assign(**_beside(parameters, means))
    if everything:
        return rows
    varied = [key for key in rows if key in parameters and rows[key].nunique(dropna=False) > 1]
    others = (*means, _column(state["metric"]), "status", "epochs", "seconds")
    columns = list(_beside(parameters, dict.fromkeys(others)))
    columns[len(means) + 1 : len(means) + 1] = varied
    return rows[[column for column in columns if column in rows]]


def table_of(runs: Sequence[Record]) -> pd.DataFrame:
    """The table of these runs. What has not finished has no metric.

    What became of a run has a name of its own where a parameter has that name: `run_epochs` beside `epochs`.
    """
    import pandas as pd  # here, since runs do not need it

    last = [record["history"][-1] if record["status"] == "finished" and record["history"] else {} for record in runs]
    outcomes = {
        "status": [record["status"] for record in runs],
        **{_column(metric): [epoch.get(metric) for epoch in last] for metric in _metrics(runs)},
        "seconds": [record["seconds"] for record in runs],
        "epochs": [len(record["history"]) for record in runs],
        "seconds_saved": [saved(record) for record in runs],
        "name": [record["name"] for record in runs],
    }
    configs = pd.DataFrame([record["config"] for record in runs]).dropna(axis="columns", how="all")
    configs = configs.map(lambda value: str(value) if isinstance(value, list | dict) else value)  # so that it compares
    return configs.join(pd.DataFrame(_beside(_parameters(runs), outcomes)), how="right")


def _parameters(runs: Iterable[Record]) -> set[str]:
    return {name for record in runs for name in record["config"]}


def _beside(parameters: Collection[str], outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """Outcomes under names that no parameter has."""
    return {f"run_{name}" if name in parameters else name: value for name, value in outcomes.items()}


def configurations(name: str, *others: str, root: str | Path | None = None) -> pd.DataFrame:
    """A row for each configuration of a sweep, or of several that seek the same, best first.

    Its parameters, the mean of the metric over its `runs`, one a seed, and their standard `deviation`, missing where
    one has not finished, their mean `seconds`, and its `sweep`. What is missing in all rows is no column.
    """
    import pandas as pd

    both = sought(name, *others, root=root)
    sweeps = {id(result): sweep for sweep, some in both.results.items() for result in some}
    column = _column(both.metric)
    rows = pd.DataFrame([_row(result, column) | {"sweep": sweeps[id(result)]} for result in both.ranked])
    return rows.dropna(axis="columns", how="all")


def _row(result: Result, column: str) -> dict[str, object]:
    seconds = float(np.mean([record["seconds"] for record in result.records]))
    config = {key: str(value) if isinstance(value, list | dict) else value for key, value in result.config.items()}
    outcome = {column: result.value, "deviation": result.deviation, "seconds": seconds, "runs": len(result.records)}
    return config | _beside(config, outcome)


def _metrics(runs: Sequence[Record]) -> list[str]:
    """What the runs report, after the network's own metrics."""
    more = {name for record in runs for epoch in record["history"][-1:] for name in epoch}
    return [*METRICS, *sorted(more - _parameters(runs) - METRICS.keys() - {"epoch", "seconds"})]


def _column(metric: str) -> str:
    return METRICS.get(metric, metric)


def importance(name: str, root: str | Path | None = None, *, resamples: int = 200, seed: int = 0) -> pd.DataFrame:
    """How much each parameter decides whether a run is in the better half: shares of one, most important first.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), on as many runs drawn with replacement, `resamples` times over:
    columns `mean` and `deviation`, `low` and `high`, between which 95 of 100 such draws lie: what few runs leave open.
    A diverged run counts as the worst, one that was stopped early by its last value. Fewer than LEAST runs with a value
    do not say which parameters matter: the table is empty.
    """
    import pandas as pd

    state, trials = trials_of(name, root)
    values = [trial.value for trial in trials if trial.has_result and trial.value is not None]
    if len(values) < LEAST:
        return pd.DataFrame(columns=["mean", "deviation", "low", "high"], dtype=float)
    worst = min(values) if state["goal"] == "maximize" else max(values)
    trials = [_valued(trial, worst) for trial in trials if trial.has_result]
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5)
    shares = []
    for sample in np.random.default_rng(seed).integers(len(trials), size=(resamples, len(trials))):
        drawn = optuna.create_study(direction=DIRECTIONS[state["goal"]])
        drawn.add_trials([trials[k] for k in sample])
        shares.append(optuna.importance.get_param_importances(drawn, evaluator=evaluator))
    shares = pd.DataFrame(shares).fillna(0)
    ends = shares.quantile([0.025, 0.975]).to_numpy()
    table = pd.DataFrame({"mean": shares.mean(), "deviation": shares.std(), "low": ends[0], "high": ends[1]})
    return table.sort_values("mean", ascending=False)


def _valued(trial: Trial, worst: float) -> optuna.trial.FrozenTrial:
    """A trial as Optuna weighs it, a diverged one with the worst value."""
    return optuna.create_trial(
        params=trial.params,
        distributions=dict(trial.distributions),
        value=worst if trial.value is None else trial.value,
    )
