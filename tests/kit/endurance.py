"""Breaks a sweep in every way that a long night can, and counts what is left: nothing may be lost, nothing run twice.

    python tests/kit/endurance.py --runs 1000 --workers 4 --kills 3

Runs of a notebook that takes a second; at random moments the driver is killed (-9) and started again with the same
command, and one kernel in twenty is killed as well. In the end every configuration must be on record exactly once, no
process may be left, and no file torn. Needs psutil, as `make test` installs it. A thousand runs: a quarter of an hour.

    python tests/kit/endurance.py --runs 200 --workers 2 --kills 10 --cluster

The same on a scheduler of Dask's: there workers are killed, one after another, and others come for them.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil

from dask_kit import Room
from lab.search import sweep
from lab.search.results import trials_of
from lab.tracking import REPOSITORY, duration

SLEEP = """\
import time
from lab import tracking

with tracking.start(dict(number=number), folder) as run:
    with open(journal, "a") as file:
        file.write(f"{run.name}\\n")
    time.sleep(pause)
    run.log(dict(epoch=1, loss=0.0, accuracy=0.0, validationaccuracy=number / 10**6, seconds=1.0))
"""
FRACTION = 1 / 20  # of the kernels that are killed
STARTS = 10  # of a driver that nobody kills: one that needs more does not get on


def write_notebook(path: Path, journal: Path, pause: float) -> None:
    parameters = (
        f'number: int = 0  # all that varies\nfolder: str = ""\njournal: str = {str(journal)!r}  # of what began\n'
        f"pause: float = {pause}  # seconds that a run takes\n"
    )
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(SLEEP),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def kernels(driver: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def endure(command: list[str], root: Path, runs: int, kills: int, chance: random.Random) -> dict[str, object]:
    """Run the command to its end, killing as said; return what was done and what it came to."""
    environment = os.environ | {"WANDB_MODE": "disabled", "FASHION_RUNS": str(root)}
    moments = sorted(chance.uniform(0.05, 0.9) * runs for _ in range(kills))
    seen: dict[int, float | None] = {}  # when a kernel is to be killed; None: never
    below: list[psutil.Process] = []
    killed, began = Counter(), time.monotonic()
    for _ in range(kills + STARTS):
        driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        while driver.poll() is None:
            for process in kernels(driver):
                if process.pid not in seen:
                    below.append(process)
                    doomed = chance.random() < FRACTION
                    seen[process.pid] = time.monotonic() + chance.uniform(0, 2) if doomed else None
                if seen[process.pid] is not None and time.monotonic() > seen[process.pid]:
                    seen[process.pid] = None
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                        killed["kernels"] += 1
            done = sum(1 for _ in (root / "endurance").glob("*/record.json"))
            print(
                f"\r{done} of {runs} begun, {killed['drivers']} drivers and {killed['kernels']} kernels killed", end=""
            )
            if moments and done >= moments[0]:
                moments.pop(0)
                driver.kill()
                killed["drivers"] += 1
            time.sleep(0.2)
        if driver.returncode == 0 and not moments:
            break
    time.sleep(3)  # a kernel notices within a second that its driver is gone
    left = sum(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in below)
    return {"drivers killed": killed["drivers"], "kernels killed": killed["kernels"], "processes left": left} | {
        "time": duration(time.monotonic() - began)
    }


def endure_on_cluster(
    command: list[str], root: Path, runs: int, kills: int, workers: int, chance: random.Random
) -> dict[str, object]:
    """Run the command on workers of Dask's, and kill one of them at each of so many moments."""
    environment = {"WANDB_MODE": "disabled", "FASHION_RUNS": str(root)}
    moments, began, room = sorted(chance.uniform(0.05, 0.9) * runs for _ in range(kills)), time.monotonic(), Room()
    try:
        staff = [room.worker() for _ in range(workers)]
        command = [*command, "--cluster", room.address]
        driver = subprocess.Popen(command, env=os.environ | environment)
        while driver.poll() is None:
            done = sum(1 for _ in (root / "endurance").glob("*/record.json"))
            print(f"\r{done} of {runs} begun, {kills - len(moments)} workers killed", end="")
            if moments and done >= moments[0]:
                moments.pop(0)
                staff.pop(0).kill()
                staff.append(room.worker())
            time.sleep(0.2)
    finally:
        room.close()
    time.sleep(3)  # a kernel notices within a second that its worker is gone
    left = sum("ipykernel" in " ".join(process.cmdline()) for process in psutil.Process().children(recursive=True))
    return {"workers killed": kills - len(moments), "processes left": left} | {
        "time": duration(time.monotonic() - began)
    }


def count(root: Path, journal: Path) -> dict[str, object]:
    """What is on record."""
    complete = Counter(trial.name for trial in trials_of("endurance", root)[1] if trial.has_result)
    torn = 0
    for path in root.rglob("*"):
        if path.suffix in (".json", ".ipynb"):
            try:
                json.loads(path.read_text())
            except ValueError:
                torn += 1
        torn += path.suffix == ".tmp" or ".running." in path.name
    begun = Counter(journal.read_text().split())
    return {
        "configurations on record": len(complete),
        "of them exactly once": sum(n == 1 for n in complete.values()),
        "records": len(sweep.records("endurance", root)),
        "started more than once (their kernel or driver was killed)": sum(n > 1 for n in begun.values()),
        "torn or left-over files": torn,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=3, help="of the driver, or of the cluster's workers")
    parser.add_argument("--cluster", action="store_true", help="on workers of Dask's")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument("--pause", type=float, default=1, help="seconds that a run takes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        root, journal, notebook = Path(folder) / "runs", Path(folder) / "journal", Path(folder) / "second.ipynb"
        write_notebook(notebook, journal, options.pause)
        parameters = {"number": {"min": 0, "max": 10**6}}
        plan = {"name": "endurance", "method": "random", "run_cap": options.runs, "parameters": parameters}
        (Path(folder) / "plan.json").write_text(json.dumps(plan))
        command = [sys.executable, REPOSITORY / "sweep.py", "run", str(Path(folder) / "plan.json")]
        command += ["--workers", str(options.workers), "--notebook", str(notebook)]
        chance = random.Random(options.seed)
        if options.cluster:
            done = endure_on_cluster(command, root, options.runs, options.kills, options.workers, chance)
        else:
            done = endure(command, root, options.runs, options.kills, chance)
        found = count(root, journal)
        print()
        for what, n in (done | found).items():
            print(f"{what:60} {n}")
    whole = {"configurations on record": options.runs, "of them exactly once": options.runs, "records": options.runs}
    expected = whole | {"processes left": 0, "torn or left-over files": 0}
    return int(any((done | found)[what] != n for what, n in expected.items()))


if __name__ == "__main__":
    sys.exit(main())
