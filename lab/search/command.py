"""The command line of sweeps: `python sweep.py --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.files import explained, write_whole
from common.streams import forgive
from common.words import brief, masked
from lab.execution.notebook import TRAINING, Notebook, NotebookError
from lab.search import sweep
from lab.search.check import check
from lab.search.fitting import Fit
from lab.search.planning import KEEP
from lab.search.reading import SweepError, load
from lab.search.results import folder_of
from lab.search.space import points
from lab.search.sweepfile import read
from lab.tracking import Record, WandbError


def agent(file: str | Path) -> Record:
    """Run once what W&B's agent asks for in a JSON file of parameters; kept in runs/<sweep id>/<run id>/<run name>/.

    Other people's words are taken for ours, as in a sweep's file.
    """
    parameters = {key: {"value": value} for key, value in load(Path(file), print).items()}
    fit = Fit(read({"method": "grid", "parameters": parameters}), Notebook(TRAINING)) if parameters else None
    for line in fit.said if fit else ():
        print(line, flush=True)
    if fit and fit.lacks:
        raise SweepError("; ".join(fit.lacks))
    config = fit.sweep.configuration(next(points(fit.sweep.space))) if fit else {}
    folder, run = folder_of(os.environ.get("WANDB_SWEEP_ID") or "agent"), os.environ.get("WANDB_RUN_ID") or "run"
    return sweep.run_configurations([config], run, 1, root=folder, taken=fit.taken if fit else ())[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Hyper-parameter sweeps in W&B's format, without an account.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands.add_parser("run", help="run a sweep file, or go on with it"))
    command = commands.add_parser("check", help="say what a sweep file means, without running anything")
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--notebook", default=TRAINING, help="the one that trains (default: notebooks/03_train.ipynb)")
    texts = {
        "resume": "go on as it was last started",
        "status": "how far a sweep is",
        "best": "its best run, by its confirmation if there is one",
    }
    for name, text in (texts | {"table": "its runs, best first"}).items():
        command = commands.add_parser(name, help=text)
        several = {"nargs": "+", "help": "its name, or those of several that seek the same"} if name == "best" else {}
        command.add_argument("sweep", **{"help": "the sweep's name"} | several)
    commands.choices["table"].add_argument("--all", action="store_true", help="what is the same in all runs, too")
    commands.choices["table"].add_argument("--csv", metavar="FILE", help="write all of it to a CSV file instead")
    command = commands.add_parser("upload", help="send its offline runs to W&B")
    command.add_argument("sweep", help="the sweep's name")
    command.add_argument("--delete", action="store_true", help="delete W&B's own files of a run once it has it")
    command = commands.add_parser("watch", help="Optuna's dashboard on all sweeps, which are only read")
    command.add_argument("--port", type=int, default=8080, help="of this machine alone (default: 8080)")
    commands.add_parser("agent", help="one run, for W&B's agent").add_argument("file", help="JSON file of parameters")
    return parser


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="YAML or JSON in W&B's format")
    command.add_argument("--count", type=int, help="configurations in all (default: run_cap; a grid's: every point)")
    command.add_argument("--workers", type=int, default=2, help="runs side by side (default: 2)")
    command.add_argument("--seed", type=int, default=0, help="seed of the search, not of the networks (default: 0)")
    command.add_argument("--after", nargs="+", default=(), metavar="SWEEP", help="sweeps to learn from, not to repeat")
    command.add_argument("--timeout", type=float, default=3600, help="seconds that a run may take (default: 3600)")
    keep = f"best runs whose notebook and weights are kept, and as many failures (default: {KEEP})"
    command.add_argument("--keep", type=int, default=KEEP, help=keep)
    command.add_argument("--keep-all", dest="keep", action="store_const", const=None, help="keep them of every run")
    command.add_argument("--cluster", metavar="SCHEDULER", help="Dask's, by address or file: its workers run it all")
    text = "run the best again with further seeds: 5x5, the default, is 5 of them until each has 5 seeds"
    command.add_argument("--confirm", nargs="?", const="5x5", metavar="BESTxSEEDS", help=text)
    command.add_argument("--reuse", action="store_true", help="take over what another sweep has run already")
    command.add_argument("--notebook", default=TRAINING, help="the one that trains (default: notebooks/03_train.ipynb)")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    try:
        options = vars(_parser().parse_args(arguments))
        forgive()
        return _do(options.pop("command"), options) or 0
    except (SweepError, NotebookError, WandbError, OSError) as error:
        print(brief(masked(explained(error))), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130


def _do(command: str, options: dict) -> int | None:
    """Do what one of the commands says; return its exit code, if that is not 0."""
    match command:
        case "run":
            sweep.run(options.pop("file"), **options)
        case "check":
            return check(options["file"], options["notebook"])
        case "resume":
            sweep.resume(options["sweep"])
        case "status":
            print(sweep.status(options["sweep"]))
        case "best":
            print(json.dumps(sweep.best(*options["sweep"]), indent=1))
        case "table" if options["csv"]:
            write_whole(options["csv"], sweep.listing(options["sweep"], everything=True).to_csv(index=False))
        case "table":
            rows = sweep.listing(options["sweep"], everything=options["all"])
            print(rows.to_string(index=False, float_format="{:.6g}".format))
        case "upload":
            sweep.send(options["sweep"], delete=options["delete"])
        case "watch":
            from lab.search.watching import watch  # here, since it is an optional extra

            watch(options["port"])
        case "agent":
            agent(options["file"])
    return None
