"""Runs a sweep file in W&B's format without an account: Optuna chooses the configurations, papermill runs the training
notebook with each, and runs/<sweep>/<run name>/ keeps what a run leaves.

    python sweep.py run sweeps/random.yaml --count 24 --workers 2
    python sweep.py status random | best random | table random --csv random.csv

The same command again goes on where it stopped, and so does `python sweep.py resume random`: what has ended is kept,
what was interrupted runs again. With `--storage postgresql://...` any number of machines work on one sweep.
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
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from common.files import write_json
from common.names import file_name
from common.streams import forgive
from lab.execution.notebook import TRAINING, Notebook, NotebookError, digest
from lab.search import stopping
from lab.search.check import check
from lab.search.fitting import Fit
from lab.search.running import RULES, Execute, Job, Progress, Runner
from lab.search.space import Config
from lab.search.study import LAG, File, Place, Search, Server, State, ended, latest, patiently
from lab.search.sweepfile import GOALS, METRICS, OTHERS, Sweep, SweepError, load, number, read, refuse_name
from lab.tracking import ENDED, Record, duration, record_of, runs_root, upload, value_of

if TYPE_CHECKING:
    import pandas as pd

KEEP = 10  # runs of a sweep whose notebook and weights are kept: the best, and as many of the last failures
STORAGE = "FASHION_STORAGE"  # the environment variable that stands for --storage


def run(
    source: str | Path | dict,
    count: int | None = None,
    workers: int = 2,
    *,
    seed: int = 0,
    after: Sequence[str] = (),
    timeout: float = 3600,
    keep: int | None = KEEP,
    reuse: bool = False,
    storage: str | None = None,
    notebook: str | Path = TRAINING,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> pd.DataFrame:
    """Run a sweep, or go on with it, until it has `count` configurations, and return its table.

    No configuration runs twice. What has ended is kept, what was interrupted runs again, what failed is tried once
    more. When the code, the notebook, the definition or the search's `seed` has changed, a new sweep begins under the
    name.

    Args:
        source: A file in W&B's format, or what it would hold.
        count: Configurations in all; by default the file's run_cap, or every point of a grid.
        workers: Runs side by side, each with its share of the cores.
        seed: Of the search; not of the networks.
        after: Sweeps of the same space: the search learns from their runs, and repeats none of them.
        timeout: Seconds that a run may take.
        keep: Executed notebooks and weights stay of so many of the best runs, and of the last failures; None: of all.
        reuse: Whether a run that another sweep has on record, from this very code, is copied instead of run.
        storage: Address of a PostgreSQL database that this driver shares with others; None: a file of the sweep's own.
        notebook: The one that trains.
        root: The folder of all runs.
        execute: In papermill's place, for tests.

    Raises:
        SweepError: Before the first run for what cannot work, and at the end if every run has failed.
        NotebookError: Before the first run, for a notebook or parameters that cannot work.
    """
    book = Notebook(notebook, RULES)
    fit = Fit(read(source), book)
    if fit.lacks:
        raise SweepError("; ".join(fit.lacks))
    sweep = fit.sweep
    wanted = _check(sweep, book, count)
    for line in fit.said:
        print(line, flush=True)
    folder = _folder(sweep.name, root)
    runner = Runner(
        folder, book, timeout, execute, workers=workers, project=sweep.project, keep=keep, reuse=reuse, taken=fit.taken
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    others = [_known(other, sweep, book, root, storage) for other in after]
    known = [trial for _, trials in others for trial in trials]
    place = _place(folder, storage)
    with nullcontext() if place.shared else _alone(folder):
        folder.mkdir(parents=True, exist_ok=True)
        asked = [sweep.definition, book.fingerprint, seed, *(study for study, _ in others)]
        name = f"{sweep.name}-{digest(asked)}"
        study = patiently(place, lambda: place.open(name, sweep.goal))
        if "lag" not in study.user_attrs:  # kept, so that the sequence is the same whatever workers go on with it
            study.set_user_attr("lag", None if place.shared else LAG * workers)
        search = Search(sweep, study, place, seed, book, known, study.user_attrs["lag"], runner.kept)
        here = {trial.user_attrs["name"] for trial in study.get_trials(deepcopy=False)}
        elsewhere = {trial.user_attrs["name"] for trial in known} - here
        total = int(min(wanted, sweep.size - len(elsewhere)))
        if total == 0:
            raise SweepError(f"sweep {sweep.name!r} has nothing to run: its whole space ran in {', '.join(after)}")
        options = {"count": count, "workers": workers, "seed": seed, "after": list(after), "timeout": timeout}
        options |= {"keep": keep, "reuse": reuse, "notebook": str(book.path)}
        state = {"study": name, "fingerprint": book.fingerprint, "metric": sweep.metric, "goal": sweep.goal}
        state |= {"total": total, "seeds": sweep.seeds, "source": sweep.source, "options": options}
        state |= {"taken": fit.taken}
        patiently(place, lambda: place.keep_state(study, state))
        _run_all(search, runner, total, _records(study, state, folder))
    if total < wanted:
        besides = f" besides those of {', '.join(after)}" if elsewhere else ""
        print(f"{sweep.name} ends here: its space holds {total} configurations{besides}, not {wanted}")
    found = _records(study, state, folder)
    print(_status(sweep.name, state, found), flush=True)
    if found and all(record["status"] == "failed" for record in found):
        raise SweepError(f"every run of {sweep.name} failed, the last with {found[-1]['error']}")
    return _table(found)


def _run_all(search: Search, runner: Runner, total: int, found: list[Record]) -> None:
    """Run what the search chooses, until it has `total` configurations."""
    sweep, study, place = search.sweep, search.study, search.place
    if sweep.stopping:
        asked = {"storage": place.url, "study": study.study_name, "metric": sweep.metric, "goal": sweep.goal}
        search.environment = lambda trial: stopping.environment(sweep.stopping, trial=trial, **asked)
    earlier = [record for record in found if record["status"] in ENDED]
    progress = Progress(sweep.metric, sweep.goal, total * sweep.seeds, earlier)

    def tell(trial: int, records: list[Record]) -> None:
        search.tell(trial, records)
        if place.shared:  # others may have come further meanwhile
            progress.reach(sum(len(trial.user_attrs["records"]) for trial in ended(study)))

    with search.beating():
        runner.run_all(_until_target(search, total), progress, tell)


def _until_target(search: Search, total: int) -> Iterator[Job | None]:
    """What the search wants run, until a result is as good as the sweep's target."""
    jobs = search.jobs(total)
    while not any(search.sweep.reached(trial.value) for trial in search.study.get_trials(False, [TrialState.COMPLETE])):
        try:
            yield next(jobs)
        except StopIteration:
            return


def _check(sweep: Sweep, book: Notebook, count: int | None) -> int:
    """The number of configurations that are asked for; refuses a sweep that cannot work with this notebook."""
    if sweep.seeds > 1 and "seed" not in book.types:
        raise SweepError(f"{book.path.name} has no parameter 'seed', which seeds: {sweep.seeds} would set")
    wanted = count if count is not None else sweep.run_cap or (sweep.size if sweep.method == "grid" else 0)
    if not 1 <= wanted < math.inf:
        raise SweepError(f"sweep {sweep.name!r} needs a number of runs, at least 1: a run_cap or a count")
    return int(wanted)


def resume(name: str, *, root: str | Path | None = None, storage: str | None = None) -> pd.DataFrame:
    """Go on with a sweep as it was last started, and return its table."""
    state, _ = _state(name, root, storage)
    if "source" not in state:
        raise SweepError(f"{name!r} holds given configurations, which no search has chosen")
    return run(state["source"], **state["options"], root=root, storage=storage)


def _known(
    name: str, sweep: Sweep, notebook: Notebook, root: str | Path | None, storage: str | None
) -> tuple[str, list[FrozenTrial]]:
    """The study of another sweep, which must have looked for the same by the same code, and what it has found."""
    if name.casefold() == sweep.name.casefold():
        raise SweepError(f"sweep {sweep.name!r} cannot go on after itself: name other sweeps")
    state, study = _state(name, root, storage)
    trials = ended(_searched(name, study))
    same = {
        "metric": state["metric"] == sweep.metric,
        "goal": state["goal"] == sweep.goal,
        "code": state["fingerprint"] == notebook.fingerprint,
        "parameters": Fit(read(state["source"]), notebook).sweep.space == sweep.space,
    }
    if differing := [what for what, equal in same.items() if not equal]:
        raise SweepError(f"sweep {sweep.name!r} cannot go on after {name!r}: they differ in {', '.join(differing)}")
    return state["study"], trials


def run_configurations(
    configs: Iterable[Config],
    sweep: str = "evaluation",
    workers: int = 2,
    *,
    timeout: float = 3600,
    notebook: str | Path = TRAINING,
    root: str | Path | None = None,
    execute: Execute | None = None,
) -> list[Record]:
    """Run given configurations and return their records, in the same order.

    One that has its result, from this very code, is taken from its record. Raises SweepError naming one that failed,
    after all others have ended.
    """
    refuse_name(sweep, OTHERS)
    book, configs = Notebook(notebook, RULES), list(configs)
    for config in configs:
        book.check({key: [value] for key, value in config.items()})
    jobs = {book.run_name(config): Job(book.run_name(config), [config]) for config in configs}
    folder = _folder(sweep, root)
    runner = Runner(folder, book, timeout, execute, workers=workers)
    with _alone(folder):
        state = {"names": list(jobs), "fingerprint": book.fingerprint, "metric": "validationaccuracy"}
        write_json(folder / "sweep.json", state | {"goal": "maximize", "total": len(jobs)})
        found = {name: records for name, job in jobs.items() if (records := runner.kept(job.configs))}
        progress = Progress("validationaccuracy", "maximize", len(jobs), [one for (one,) in found.values()])
        missing = iter([job for name, job in jobs.items() if name not in found])
        runner.run_all(missing, progress, found.__setitem__)
    for name, (record,) in found.items():
        if record["status"] not in ENDED:
            raise SweepError(f"the run {name} of {sweep} failed with {record['error']}; it is kept in {folder}")
    return [found[book.run_name(config)][0] for config in configs]


def send(name: str, *, delete: bool = False, root: str | Path | None = None) -> int:
    """Upload a sweep's offline runs to W&B, those that it has not got yet; return how many. See `upload.upload`."""
    folder = _folder(name, root)
    if not folder.is_dir():
        raise SweepError(f"there is no sweep {name!r} in {folder.parent}: run it first")
    with _alone(folder):  # what is under way is not whole
        return upload.upload(sorted(path.parent for path in folder.glob("**/record.json")), delete=delete)


# --- what there is to read --------------------------------------------------------------------------------------------


def records(name: str, root: str | Path | None = None, storage: str | None = None) -> list[Record]:
    """The records of a sweep's runs, in order; runs of earlier code or that are not asked for now are left out."""
    state, study = _state(name, root, storage)
    return _records(study, state, _folder(name, root))


def table(name: str, root: str | Path | None = None, storage: str | None = None) -> pd.DataFrame:
    """A row for each run: configuration, status, the last epoch's metrics, seconds, epochs, name.

    The metrics loss and accuracy stand under trainloss and trainaccuracy; parameters that no run sets are left out.
    """
    return _table(records(name, root, storage))


def _table(found: list[Record]) -> pd.DataFrame:
    import pandas as pd  # here, since runs do not need it

    last = [record["history"][-1] if record["history"] else {} for record in found]
    outcomes = {
        "status": [record["status"] for record in found],
        **{column: [epoch.get(metric) for epoch in last] for metric, column in METRICS.items()},
        "seconds": [record["seconds"] for record in found],
        "epochs": [len(record["history"]) for record in found],
        "seconds_saved": [saved(record) for record in found],
        "name": [record["name"] for record in found],
    }
    configs = pd.DataFrame([record["config"] for record in found]).dropna(axis="columns", how="all")
    configs = configs.map(lambda value: str(value) if isinstance(value, list | dict) else value)  # so that it compares
    return configs.join(pd.DataFrame(outcomes), how="right")


def means(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A row for each configuration, best first: its `columns`, and what its runs, one a seed, have in common.

    That is the mean validationaccuracy and its standard `deviation`, missing where a run has not finished, the mean
    seconds, and how many `runs` there are.
    """
    finished = table.assign(validationaccuracy=table["validationaccuracy"].where(table["status"] == "finished"))
    groups = finished.groupby(list(columns), dropna=False, sort=False)
    found = groups.agg(seconds=("seconds", "mean"), runs=("status", "size"))
    found["validationaccuracy"] = groups["validationaccuracy"].agg(lambda values: values.mean(skipna=False))
    found["deviation"] = groups["validationaccuracy"].agg(lambda values: values.std(skipna=False))
    return found.reset_index().sort_values("validationaccuracy", ascending=False, kind="stable", ignore_index=True)


def saved(record: Record) -> float:
    """Seconds that a run was spared by being stopped early: its missing epochs, as long as those it had."""
    history, planned = record["history"], record["config"].get("max_epochs")
    if record["status"] != "stopped" or not history or not planned:
        return 0.0
    return sum(epoch["seconds"] for epoch in history) / len(history) * (planned - len(history))


def best(name: str, root: str | Path | None = None, storage: str | None = None) -> Record:
    """The record of the finished run with the best metric after its last epoch.

    With several seeds, that of the first seed of the configuration with the best mean.
    """
    state, study = _state(name, root, storage)
    if top := _best(_records(study, state, _folder(name, root)), state):
        return top[1]
    raise SweepError(f"sweep {name!r} has no finished run with {state['metric']} yet")


def importance(
    name: str,
    root: str | Path | None = None,
    storage: str | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """How much each parameter decides whether a run is in the better half: shares of one, most important first.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), on as many runs drawn with replacement, `resamples` times over:
    columns `mean` and `deviation`, `low` and `high`, between which 95 of 100 such draws lie: what few runs leave open.
    A diverged run counts as the worst, one that was stopped early by its last value.
    """
    import pandas as pd

    study = _searched(name, _state(name, root, storage)[1])
    trials = ended(study)
    values = [trial.value for trial in trials if trial.value is not None]
    if len(values) < 4:
        raise SweepError(f"sweep {name!r} has {len(values)} finished runs, too few to say which parameters matter")
    worst = min(values) if study.direction == optuna.study.StudyDirection.MAXIMIZE else max(values)
    runs = [
        optuna.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            value=worst if trial.value is None else trial.value,
        )
        for trial in trials
    ]
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5)
    shares = []
    for sample in np.random.default_rng(seed).integers(len(runs), size=(resamples, len(runs))):
        drawn = optuna.create_study(direction=study.direction)
        drawn.add_trials([runs[k] for k in sample])
        shares.append(optuna.importance.get_param_importances(drawn, evaluator=evaluator))
    shares = pd.DataFrame(shares).fillna(0)
    ends = shares.quantile([0.025, 0.975]).to_numpy()
    found = pd.DataFrame({"mean": shares.mean(), "deviation": shares.std(), "low": ends[0], "high": ends[1]})
    return found.sort_values("mean", ascending=False)


def run_folder(sweep: str, record: Record, root: str | Path | None = None) -> Path:
    """Where a run of a sweep is kept: record.json, weights.npz, the executed notebook."""
    return _folder(sweep, root) / record["name"]


def status(name: str, root: str | Path | None = None, storage: str | None = None) -> str:
    """A sentence: how many runs there are and should be, what became of them, and which is best."""
    state, study = _state(name, root, storage)
    return _status(name, state, _records(study, state, _folder(name, root)))


def _status(name: str, state: State, found: list[Record]) -> str:
    outcomes = ", ".join(f"{n} {what}" for what, n in Counter(record["status"] for record in found).items())
    text = f"{name}: {len(found)} of {state['total'] * state.get('seeds', 1)} runs ({outcomes or 'none yet'})"
    if spared := sum(map(saved, found)):
        text += f"; stopping early saved about {duration(spared)}"
    if top := _best(found, state):
        value, record = top
        mean = f" (mean of {state['seeds']} seeds)" if state.get("seeds", 1) > 1 else ""
        text += f"; best {state['metric']} {value:.4f}{mean}: {record['name']}"
    return text


def _best(found: list[Record], state: State) -> tuple[float, Record] | None:
    """The best value and its record: of the means over seeds, where a configuration has several."""
    groups: dict[str, list[Record]] = {}
    for record in found:
        config = record["config"]
        if state.get("seeds", 1) > 1:
            config = {key: value for key, value in config.items() if key != "seed"}
        groups.setdefault(json.dumps(config, sort_keys=True), []).append(record)
    ranked = []
    for group in groups.values():
        values = [value_of(record, state["metric"]) for record in group]
        if None not in values and len(group) == state.get("seeds", 1):
            ranked.append((float(np.mean(values)), group[0]))
    return GOALS[state["goal"]](ranked, key=lambda pair: pair[0]) if ranked else None


# --- where a sweep is kept --------------------------------------------------------------------------------------------


def _folder(name: str, root: str | Path | None) -> Path:
    return Path(root or runs_root()).resolve() / file_name(name)


def _place(folder: Path, storage: str | None) -> Place:
    return Server(storage) if storage else File(folder)


def _state(name: str, root: str | Path | None, storage: str | None) -> tuple[State, optuna.Study | None]:
    """What is run under the sweep's name now, and its study; None for given configurations."""
    place = _place(_folder(name, root), storage)
    state = patiently(place, lambda: place.state(name))
    study = state.get("study")
    return state, patiently(place, lambda: place.open(study)) if study else None


def _searched(name: str, study: optuna.Study | None) -> optuna.Study:
    if study is None:
        raise SweepError(f"{name!r} holds given configurations, which no search has chosen")
    return study


def _records(study: optuna.Study | None, state: State, folder: Path) -> list[Record]:
    """The records of a sweep's runs, in order, that are of the code and the configurations of now."""
    if study is None:
        found = [record_of(folder / run) for run in state["names"]]
    else:
        trials = latest(study.get_trials(deepcopy=False))
        found = [record for trial in trials for record in _records_of(trial, folder)]
    return [record for record in found if record.get("fingerprint") == state["fingerprint"]]


def _records_of(trial: FrozenTrial, folder: Path) -> list[Record]:
    """The records of a trial's runs: from a shared study, or from their folders."""
    if "records" in trial.user_attrs:
        return trial.user_attrs["records"]
    return [record for name in trial.user_attrs["runs"] if (record := record_of(folder / name))]


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
    folder = _folder(os.environ.get("WANDB_SWEEP_ID") or "agent", None)
    return run_configurations([params], sweep=os.environ.get("WANDB_RUN_ID") or "run", workers=1, root=folder)[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Hyper-parameter sweeps in W&B's format, without an account.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="run a sweep file, or go on with it")
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--count", type=int, help="configurations in all (default: run_cap; a grid's: every point)")
    command.add_argument("--workers", type=int, default=2, help="runs side by side (default: 2)")
    command.add_argument("--seed", type=int, default=0, help="seed of the search, not of the networks (default: 0)")
    command.add_argument("--after", nargs="+", default=(), metavar="SWEEP", help="sweeps to learn from, not to repeat")
    command.add_argument("--timeout", type=float, default=3600, help="seconds that a run may take (default: 3600)")
    keep = f"best runs whose notebook and weights are kept, and as many failures (default: {KEEP})"
    command.add_argument("--keep", type=int, default=KEEP, help=keep)
    command.add_argument("--keep-all", dest="keep", action="store_const", const=None, help="keep them of every run")
    command.add_argument("--reuse", action="store_true", help="take over what another sweep has run already")
    command.add_argument("--notebook", default=TRAINING, help="the one that trains (default: notebooks/03_train.ipynb)")
    command = commands.add_parser("check", help="say what a sweep file means, without running anything")
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--notebook", default=TRAINING, help="the one that trains (default: notebooks/03_train.ipynb)")
    texts = {"resume": "go on as it was last started", "status": "how far a sweep is", "best": "its best run"}
    for name, text in (texts | {"table": "all its runs"}).items():
        command = commands.add_parser(name, help=text)
        command.add_argument("sweep", help="the sweep's name")
    command.add_argument("--csv", metavar="FILE", help="write a CSV file instead")
    for command in list(commands.choices.values()):
        shared = f"a PostgreSQL database that machines share, postgresql://user@host/database (default: ${STORAGE})"
        command.add_argument("--storage", default=os.environ.get(STORAGE) or None, help=shared)
    command = commands.add_parser("upload", help="send its offline runs to W&B")
    command.add_argument("sweep", help="the sweep's name")
    command.add_argument("--delete", action="store_true", help="delete W&B's own files of a run once it has it")
    commands.add_parser("agent", help="one run, for W&B's agent").add_argument("file", help="JSON file of parameters")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    forgive()
    place = {"storage": options.pop("storage", None)}
    try:
        match options.pop("command"):
            case "run":
                run(options.pop("file"), **options, **place)
            case "check":
                return check(options["file"], options["notebook"])
            case "resume":
                resume(options["sweep"], **place)
            case "status":
                print(status(options["sweep"], **place))
            case "best":
                print(json.dumps(best(options["sweep"], **place), indent=1))
            case "table" if options["csv"]:
                table(options["sweep"], **place).to_csv(options["csv"], index=False)
            case "table":
                print(table(options["sweep"], **place).to_string())
            case "upload":
                send(options["sweep"], delete=options["delete"])
            case "agent":
                agent(options["file"])
    except (SweepError, NotebookError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0
