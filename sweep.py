"""Runs a sweep file in W&B's format without an account: Optuna chooses the configurations, papermill runs the training
notebook with each, and runs/<sweep>/<run name>/ keeps what a run leaves.

    python sweep.py run sweeps/random.yaml --count 24 --workers 2
    python sweep.py status random | best random | table random --csv random.csv

The same command again goes on where it stopped: what has ended is kept, what was interrupted runs again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from runner import NOTEBOOK, Execute, Notebook, Progress, Record, Runner, digest, record_of, value_of
from study import LAG, Search
from sweepfile import GOALS, METRICS, OTHERS, Config, Sweep, SweepError, load, number, read, refuse_name
from tracking import ENDED, read_json, runs_root, write_json

if TYPE_CHECKING:
    import pandas as pd

STATE_KEYS = {"fingerprint", "metric", "goal", "total"}


def run(
    source: str | Path | dict,
    count: int | None = None,
    workers: int = 2,
    *,
    seed: int = 0,
    after: Sequence[str] = (),
    timeout: float = 3600,
    notebook: str | Path = NOTEBOOK,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> pd.DataFrame:
    """Run a sweep, or go on with it, until it has `count` runs (default: its run_cap; a grid's: all); return its table.

    No configuration runs twice. What has ended is kept, what was interrupted runs again, what failed is tried once
    more. When the code, the notebook, the definition or the search's `seed` has changed, a new sweep begins under the
    name. `after` names sweeps of the same space: the search learns from their runs, and repeats none of them.
    Raises SweepError before the first run for what cannot work, and at the end if every run has failed.
    """
    sweep, book = read(source), Notebook(notebook)
    values = {key: getattr(d, "choices", None) or (d.low, d.high) for key, d in sweep.space.items()}
    book.check(values)
    fractions = values.get("validation_fraction", [book.defaults.get("validation_fraction")])
    if sweep.metric.startswith("validation") and 0 in fractions:
        raise SweepError(f"metric {sweep.metric!r} needs validation images, but validation_fraction can be 0")
    wanted = count if count is not None else sweep.run_cap or (sweep.size if sweep.method == "grid" else 0)
    if not 1 <= wanted < math.inf:
        raise SweepError(f"sweep {sweep.name!r} needs a number of runs, at least 1: a run_cap or a count")
    folder = _folder(sweep.name, root)
    runner = Runner(folder, book, timeout, execute, sweep.project)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = [trial for other in after for trial in _known(other, sweep, book, root)]
    with _alone(folder):
        asked = [sweep.definition, book.fingerprint, seed, *(_state(_folder(other, root))["study"] for other in after)]
        name = f"{sweep.name}-{digest(asked)}"
        study = _open(folder, name, sweep.goal)
        if "lag" not in study.user_attrs:  # kept, so that the sequence is the same whatever workers go on with it
            study.set_user_attr("lag", LAG * max(workers, 1))
        search = Search(sweep, study, seed, book, known, study.user_attrs["lag"])
        latest = search.latest()
        elsewhere = {trial.user_attrs["name"] for trial in known} - {trial.user_attrs["name"] for trial in latest}
        total = min(wanted, sweep.size - len(elsewhere))
        if total == 0:
            raise SweepError(f"sweep {sweep.name!r} has nothing to run: its whole space ran in {', '.join(after)}")
        state = {"study": name, "fingerprint": book.fingerprint, "metric": sweep.metric, "goal": sweep.goal}
        write_json(folder / "sweep.json", state | {"total": total})
        earlier = [runner.kept(trial.params) for trial in latest if trial.state.is_finished()]
        progress = Progress(sweep.metric, sweep.goal, total, [record for record in earlier if record])
        runner.run_all(search.trials(total, runner.kept), workers, progress, search.tell)
    if total < wanted:
        besides = f" besides those of {', '.join(after)}" if elsewhere else ""
        print(f"{sweep.name} ends here: its space holds {total} configurations{besides}, not {wanted}")
    print(status(sweep.name, root), flush=True)
    found = records(sweep.name, root)
    if found and all(record["status"] == "failed" for record in found):
        raise SweepError(f"every run of {sweep.name} failed, the last with {found[-1]['error']}")
    return table(sweep.name, root)


def _known(name: str, sweep: Sweep, notebook: Notebook, root: str | Path | None) -> list[FrozenTrial]:
    """What a sweep can learn from another one, which must have looked for the same by the same code."""
    if _folder(name, root) == _folder(sweep.name, root):
        raise SweepError(f"sweep {sweep.name!r} cannot go on after itself: name other sweeps")
    state, ended = _state(_folder(name, root)), _ended(_study(name, root))
    same = {
        "metric": state["metric"] == sweep.metric,
        "goal": state["goal"] == sweep.goal,
        "code": state["fingerprint"] == notebook.fingerprint,
        "parameters": all(trial.distributions == sweep.space for trial in ended),
    }
    if differing := [what for what, equal in same.items() if not equal]:
        raise SweepError(f"sweep {sweep.name!r} cannot go on after {name!r}: they differ in {', '.join(differing)}")
    return ended


def run_configurations(
    configs: Iterable[Config],
    sweep: str = "evaluation",
    workers: int = 2,
    *,
    timeout: float = 3600,
    notebook: str | Path = NOTEBOOK,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> list[Record]:
    """Run given configurations and return their records, in the same order.

    One that has its result, from this very code, is taken from its record. Raises SweepError naming one that failed,
    after all others have ended.
    """
    refuse_name(sweep, OTHERS)
    book, configs = Notebook(notebook), list(configs)
    for config in configs:
        book.check({key: [value] for key, value in config.items()})
    names = [book.run_name(config) for config in configs]
    folder = _folder(sweep, root)
    runner = Runner(folder, book, timeout, execute, None)
    with _alone(folder):
        unique = list(dict.fromkeys(names))
        state = {"names": unique, "fingerprint": book.fingerprint, "metric": "validationaccuracy", "goal": "maximize"}
        write_json(folder / "sweep.json", state | {"total": len(unique)})
        found = {name: record for name, config in zip(names, configs, strict=True) if (record := runner.kept(config))}
        jobs = {name: config for name, config in zip(names, configs, strict=True) if name not in found}
        progress = Progress("validationaccuracy", "maximize", len(unique), list(found.values()))
        runner.run_all(iter(jobs.items()), workers, progress, found.__setitem__)
    for name in names:
        if found[name]["status"] not in ENDED:
            raise SweepError(f"the run {name} of {sweep} failed with {found[name]['error']}; it is kept in {folder}")
    return [found[name] for name in names]


# --- the folder of a sweep --------------------------------------------------------------------------------------------


def records(name: str, root: str | Path | None = None) -> list[Record]:
    """The records of a sweep's runs, in order; runs of earlier code or that are not asked for now are left out."""
    folder = _folder(name, root)
    state = _state(folder)
    names = state.get("names")
    if names is None:
        trials = _study(name, root).get_trials(deepcopy=False)
        names = list(dict.fromkeys(trial.user_attrs["name"] for trial in trials))
    found = [record_of(folder / name) for name in names]
    return [record for record in found if record.get("fingerprint") == state["fingerprint"]]


def table(name: str, root: str | Path | None = None) -> pd.DataFrame:
    """A row for each run: configuration, status, the last epoch's metrics, seconds, epochs, name.

    The metrics loss and accuracy stand under trainloss and trainaccuracy; parameters that no run sets are left out.
    """
    import pandas as pd  # here, since runs do not need it

    found = records(name, root)
    last = [record["history"][-1] if record["history"] else {} for record in found]
    outcomes = {
        "status": [record["status"] for record in found],
        **{column: [epoch.get(metric) for epoch in last] for metric, column in METRICS.items()},
        "seconds": [record["seconds"] for record in found],
        "epochs": [len(record["history"]) for record in found],
        "name": [record["name"] for record in found],
    }
    configs = pd.DataFrame([record["config"] for record in found]).dropna(axis="columns", how="all")
    return configs.join(pd.DataFrame(outcomes), how="right")


def best(name: str, root: str | Path | None = None) -> Record:
    """The record of the finished run with the best metric after its last epoch."""
    state, found = _state(_folder(name, root)), records(name, root)
    if top := _best(found, state):
        return top
    raise SweepError(f"sweep {name!r} has no finished run with {state['metric']} yet")


def importance(name: str, root: str | Path | None = None, *, resamples: int = 200, seed: int = 0) -> pd.DataFrame:
    """How much each parameter decides whether a run is in the better half: shares of one, most important first.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), on as many runs drawn with replacement, `resamples` times over:
    columns `mean` and `deviation`, which is what few runs leave uncertain. A diverged run counts as the worst.
    """
    import pandas as pd

    study = _study(name, root)
    ended = _ended(study)
    values = [trial.value for trial in ended if trial.state == TrialState.COMPLETE]
    if len(values) < 4:
        raise SweepError(f"sweep {name!r} has {len(values)} finished runs, too few to say which parameters matter")
    worst = min(values) if study.direction == optuna.study.StudyDirection.MAXIMIZE else max(values)
    runs = [
        optuna.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            value=trial.value if trial.state == TrialState.COMPLETE else worst,
        )
        for trial in ended
    ]
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5)
    shares = []
    for sample in np.random.default_rng(seed).integers(len(runs), size=(resamples, len(runs))):
        drawn = optuna.create_study(direction=study.direction)
        drawn.add_trials([runs[k] for k in sample])
        shares.append(optuna.importance.get_param_importances(drawn, evaluator=evaluator))
    shares = pd.DataFrame(shares).fillna(0)
    found = pd.DataFrame({"mean": shares.mean(), "deviation": shares.std()})
    return found.sort_values("mean", ascending=False)


def run_folder(sweep: str, record: Record, root: str | Path | None = None) -> Path:
    """Where a run of a sweep is kept: record.json, weights.npz, the executed notebook."""
    return _folder(sweep, root) / record["name"]


def status(name: str, root: str | Path | None = None) -> str:
    """A sentence: how many runs there are and should be, what became of them, and which is best."""
    state, found = _state(_folder(name, root)), records(name, root)
    outcomes = ", ".join(f"{n} {what}" for what, n in Counter(record["status"] for record in found).items())
    text = f"{name}: {len(found)} of {state['total']} runs ({outcomes or 'none yet'})"
    if top := _best(found, state):
        text += f"; best {state['metric']} {value_of(top, state['metric']):.4f}: {top['name']}"
    return text


def _best(found: list[Record], state: dict[str, Any]) -> Record | None:
    values = [(value, record) for record in found if (value := value_of(record, state["metric"])) is not None]
    return GOALS[state["goal"]](values, key=lambda pair: pair[0])[1] if values else None


def _folder(name: str, root: str | Path | None) -> Path:
    return Path(root or runs_root()).resolve() / name


def _study(name: str, root: str | Path | None) -> optuna.Study:
    """The study of what is run under the sweep's name now."""
    folder = _folder(name, root)
    if study := _state(folder).get("study"):
        return _open(folder, study)
    raise SweepError(f"{name!r} holds given configurations, which no search has chosen")


def _open(folder: Path, name: str, goal: str | None = None) -> optuna.Study:
    """A study in the database of a sweep; with a goal, a new one if there is none."""
    path = folder / "study.db"
    storage = f"sqlite:///{path.as_posix()}"
    try:
        if goal:
            study = optuna.create_study(study_name=name, storage=storage, direction=goal, load_if_exists=True)
        else:
            study = optuna.load_study(study_name=name, storage=storage)
        study.get_trials(deepcopy=False)  # which reads all of it
    except (KeyError, SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        cure = "move it away and run the sweep again, which keeps the runs that have ended"
        raise SweepError(f"{path} is damaged: {cure}") from error
    return study


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have their result, a diverged one's being that it is the worst."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def _state(folder: Path) -> dict[str, Any]:
    """What is run under the sweep's name now: its study or names of runs, its fingerprint, metric, goal and total."""
    path = folder / "sweep.json"
    if not path.exists():
        raise SweepError(f"there is no sweep {folder.name!r} in {folder.parent}: run it first")
    state = read_json(path)
    if not state.keys() >= STATE_KEYS:
        raise SweepError(f"{path} is damaged: run the sweep again, which keeps the runs that have ended")
    return state


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second driver of the same sweep, by a lock that the system lifts however this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "driver.lock", timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise SweepError(f"the sweep in {folder} is being run by another process ({error})") from error
        yield


# --- the command line -------------------------------------------------------------------------------------------------


def agent(file: str | Path) -> Record:
    """Run once what W&B's agent asks for in a JSON file of parameters; kept in runs/<sweep id>/<run id>/<run name>/."""
    params = {key: number(value) for key, value in load(Path(file)).items()}
    folder = Path(os.environ.get("WANDB_SWEEP_ID") or "agent", os.environ.get("WANDB_RUN_ID") or "run")
    return run_configurations([params], sweep=folder.as_posix(), workers=1)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Hyper-parameter sweeps in W&B's format, without an account.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="run a sweep file, or go on with it")
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--count", type=int, help="runs in all (default: the file's run_cap; a grid's: every point)")
    command.add_argument("--workers", type=int, default=2, help="runs side by side (default: 2)")
    command.add_argument("--seed", type=int, default=0, help="seed of the search, not of the networks (default: 0)")
    command.add_argument("--after", nargs="+", default=(), metavar="SWEEP", help="sweeps to learn from, not to repeat")
    command.add_argument("--timeout", type=float, default=3600, help="seconds that a cell may take (default: 3600)")
    for name, text in {"status": "how far a sweep is", "best": "its best run", "table": "all its runs"}.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("sweep", help="the sweep's name")
        if name == "table":
            command.add_argument("--csv", metavar="FILE", help="write a CSV file instead")
    commands.add_parser("agent", help="one run, for W&B's agent").add_argument("file", help="JSON file of parameters")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a character must not end a sweep
    try:
        match options.command:
            case "run":
                run(
                    options.file,
                    options.count,
                    options.workers,
                    seed=options.seed,
                    after=options.after,
                    timeout=options.timeout,
                )
            case "status":
                print(status(options.sweep))
            case "best":
                print(json.dumps(best(options.sweep), indent=1))
            case "table" if options.csv:
                table(options.sweep).to_csv(options.csv, index=False)
            case "table":
                print(table(options.sweep).to_string())
            case "agent":
                agent(options.file)
    except (SweepError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
