"""Runs a sweep file in W&B's format without an account: Optuna chooses the configurations, papermill runs the training
notebook with each, and runs/<sweep>/<run name>/ keeps what a run leaves.

    python sweep.py run sweeps/random.yaml --count 24 --workers 2
    python sweep.py status random | best random | table random --csv random.csv

The same command again goes on where it stopped, and so does `python sweep.py resume random`: what has ended is kept,
what was interrupted runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from common.files import alone, clear, make_folder
from lab.execution.notebook import TRAINING, Notebook
from lab.search import confirming
from lab.search.confirmation import Confirmation
from lab.search.confirming import best, confirmed, status
from lab.search.driving import Driver
from lab.search.executors import Executor, Here
from lab.search.fitting import Fit
from lab.search.jobs import Job, Jobs
from lab.search.keeping import Copies, Retention
from lab.search.planning import KEEP, Options, Plan, plan
from lab.search.progress import Progress
from lab.search.reading import SweepError
from lab.search.results import (
    Result,
    best_first,
    configurations,
    folder_of,
    has_ended,
    importance,
    listing,
    ranked,
    ranking,
    records,
    result_of,
    results,
    results_of,
    run_folder,
    summary,
    table,
    table_of,
)
from lab.search.running import Runner
from lab.search.space import Config
from lab.search.storage import File, State
from lab.search.sweepfile import METRIC, OTHERS, Sweep, read, refuse_name
from lab.search.trials import Trial
from lab.search.verdicts import RULES, Verdicts
from lab.tracking import ENDED, Record, record_of, upload

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Result",
    "SweepError",
    "best",
    "best_first",
    "choice",
    "configurations",
    "confirmed",
    "importance",
    "listing",
    "ranked",
    "ranking",
    "read",
    "records",
    "results",
    "resume",
    "run",
    "run_configurations",
    "run_folder",
    "send",
    "status",
    "table",
    "understood",
]
choice = best  # as chapter 5 calls it


def understood(source: str | Path | dict, notebook: str | Path = TRAINING) -> Sweep:
    """What a sweep file, or a dictionary, asks for, in the words of the notebook; raises SweepError as `read` does."""
    return Fit(read(source), Notebook(notebook)).sweep


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
    notebook: str | Path = TRAINING,
    root: str | Path | None = None,
    cluster: str | None = None,
    confirm: str | None = None,
) -> pd.DataFrame:
    """Run a sweep, or go on with it, until it has `count` configurations, and return its table.

    No configuration runs twice. What has ended is kept, what was interrupted runs again, what failed is tried once
    more. When the code, the notebook, the definition or the search's `seed` has changed, a new sweep begins under the
    name. `source` is a file in W&B's format, or what it would hold; `root` the folder of all runs; for the rest see
    `planning.Options`.

    Raises SweepError or NotebookError before the first run for what cannot work, SweepError at the end if every run
    has failed.
    """
    path = str(Path(notebook).resolve())
    options = Options(count, workers, seed, after, timeout, keep, reuse, path, cluster, confirm)
    planned = plan(source, options, root)
    for line in planned.said:
        print(line, flush=True)
    with _alone(planned.folder):
        state = _search(planned)
        outcomes = results_of(state, File(planned.folder).trials(state["study"]), planned.folder)
    print(summary(planned.sweep.name, state, outcomes), flush=True)
    runs = [record for result in outcomes for record in result.records]
    if runs and all(record["status"] == "failed" for record in runs):
        raise SweepError(f"every run of {planned.sweep.name} failed, the last with {runs[-1]['error']}")
    if planned.confirm:
        _confirm(planned, planned.confirm)
    return table_of(runs)


def _search(planned: Plan) -> State:
    """Run what a plan chooses, and return what was kept of it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep, notebook, storage = planned.sweep, planned.notebook, File(planned.folder)
    # The lag is kept, so that the sequence is the same whatever workers go on with it.
    lag = storage.open(planned.study, sweep.goal, {"lag": planned.lag})["lag"]
    trials = storage.trials(planned.study)
    state = planned.state(planned.total(trials))
    storage.keep_state(state)
    ended = [result for result in results_of(state, trials, planned.folder) if has_ended(result)]
    with _runner(planned) as runner:
        jobs = Jobs(sweep, notebook, storage, planned.study, planned.chooser(lag), state["total"], runner.kept)
        progress = Progress(sweep.metric, sweep.goal, state["total"] * sweep.seeds, ended)
        retention = Retention(planned.folder, notebook.path.name, sweep.goal, planned.options.keep)
        verdicts = _verdicts(planned, trials)
        Driver(runner, progress, retention, jobs.tell, sweep.seeds, verdicts, ended, metric=sweep.metric).drive(jobs)
    if state["total"] < planned.wanted:
        after = f" besides those of {', '.join(planned.options.after)}" if planned.known else ""
        print(f"{sweep.name} ends here: its space holds {state['total']} configurations{after}, not {planned.wanted}")
    return state


def _confirm(planned: Plan, asked: Confirmation) -> None:
    """Run the best of a plan, and of the sweeps before it, with further seeds, and say what they come to."""
    options, sweep, root = planned.options, planned.sweep, planned.folder.parent

    def given(configs: Sequence[Config], name: str) -> list[Record]:
        more = {"timeout": options.timeout, "notebook": options.notebook, "root": root}
        more |= {"metric": sweep.metric, "goal": sweep.goal}
        return run_configurations(configs, name, options.workers, reuse=True, **more)

    confirmation = confirming.confirm([*options.after, sweep.name], asked, given, root)
    print(f"{sweep.name}: {confirming.sentence(confirmation, sweep.metric, sweep.goal, asked)}", flush=True)


@contextmanager
def _runner(planned: Plan) -> Iterator[Runner]:
    """What runs configurations of a plan."""
    options, sweep, notebook = planned.options, planned.sweep, planned.notebook
    copies = Copies(sweep.project, here=not options.cluster)
    with _executor(planned, copies.environment) as executor:
        more = {"reuse": options.reuse, "taken": planned.taken, "metric": sweep.metric}
        yield Runner(planned.folder, notebook, executor, copies, options.timeout, **more)


def _executor(planned: Plan, environment: Mapping[str, str]) -> Executor:
    options = planned.options
    if options.cluster is None:
        return Here(options.workers, planned.notebook, planned.folder / "kernels.log", environment)
    try:
        from lab.search.cluster import Cluster  # here, since it is an optional extra
    except ImportError as error:
        raise SweepError("a cluster needs Dask's distributed: make cluster, or pip install distributed") from error
    return Cluster(options.cluster, planned.notebook, environment)


def _verdicts(planned: Plan, trials: Iterable[Trial]) -> Verdicts | None:
    """What judges runs after each epoch, by those of earlier starts too."""
    sweep = planned.sweep
    if sweep.stopping is None:
        return None
    verdicts = Verdicts(sweep.stopping, sweep.metric, sweep.goal)
    for trial in trials:
        if trial.has_result:
            records = [record_of(planned.folder / name) for name in trial.runs]
            verdicts.learn(trial.runs[0], [record for record in records if record])
    return verdicts


def resume(name: str, *, root: str | Path | None = None) -> pd.DataFrame:
    """Go on with a sweep as it was last started, and return its table."""
    state = File(folder_of(name, root), name).state()
    if "source" not in state:
        raise SweepError(f"{name!r} holds given configurations, which no search has chosen")
    return run(state["source"], **state.get("options", {}), root=root)


def run_configurations(
    configs: Iterable[Config],
    sweep: str = "evaluation",
    workers: int = 2,
    *,
    timeout: float = 3600,
    notebook: str | Path = TRAINING,
    root: str | Path | None = None,
    taken: Sequence[str] = (),
    reuse: bool = False,
    metric: str = METRIC["name"],
    goal: str = METRIC["goal"],
) -> list[Record]:
    """Run given configurations and return their records, in the same order.

    One that has its result, from this very code, is taken from its record; with `reuse`, also from that of another
    sweep beside this one. `taken` are words of others' that mean those of the configurations, which records say. By
    the `metric`, where a run has it, `best` finds the best. Raises SweepError naming one that failed, after all others
    have ended.
    """
    refuse_name(sweep, OTHERS)
    training, configs, folder = Notebook(notebook, RULES), list(configs), folder_of(sweep, root)
    for config in configs:
        training.check({key: [value] for key, value in config.items()})
    names = list(map(training.run_name, configs))
    jobs = {name: Job(name, [config], name) for name, config in zip(names, configs, strict=True)}
    with _alone(folder):
        state = {"names": list(jobs), "fingerprint": training.fingerprint, "total": len(jobs)}
        File(folder).keep_state(state | {"metric": metric, "goal": goal})
        how = {"timeout": timeout, "taken": taken, "reuse": reuse}
        by_name = _run_given(list(jobs.values()), training, folder, workers, metric, goal, **how)
    for name, record in by_name.items():
        if record["status"] not in ENDED:
            raise SweepError(f"the run {name} of {sweep} failed with {record['error']}; it is kept in {folder}")
    return [by_name[name] for name in names]


def _run_given(
    jobs: Sequence[Job],
    notebook: Notebook,
    folder: Path,
    workers: int,
    metric: str,
    goal: str,
    *,
    timeout: float,
    **more: Any,
) -> dict[str, Record]:
    """The records of jobs of one configuration each, by its name; `more` is for the runner."""
    copies, by_name = Copies(None), dict[str, Record]()

    def tell(job: Job, records: Sequence[Record]) -> None:
        by_name[job.key] = records[0]

    with Here(workers, notebook, folder / "kernels.log", copies.environment) as executor:
        runner = Runner(folder, notebook, executor, copies, timeout, **more)
        for job in jobs:
            if records := runner.kept(job.configs):
                tell(job, records)
        ended = [result_of([record], metric) for record in by_name.values()]
        progress = Progress(metric, goal, len(jobs), ended, needed=False)
        driver = Driver(runner, progress, Retention(folder, notebook.path.name, goal, None), tell)
        driver.drive([job for job in jobs if job.key not in by_name])
    return by_name


def send(name: str, *, delete: bool = False, root: str | Path | None = None) -> int:
    """Upload a sweep's offline runs to W&B, those that it has not got yet; return how many. See `upload.upload`."""
    folder = folder_of(name, root)
    if not folder.is_dir():
        raise SweepError(f"there is no sweep {name!r} in {folder.parent}: run it first")
    with _alone(folder):  # what is under way is not whole
        return upload.upload(sorted(path.parent for path in folder.glob("**/record.json")), delete=delete)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second driver of the same sweep, by a lock that the system lifts however this process ends."""
    make_folder(folder)
    with alone(folder / "driver.lock") as mine:
        if not mine:
            raise SweepError(f"the sweep in {folder} is being run by another process: wait until it has ended")
        clear(folder)
        yield
