"""Breaks a sweep in every way that a long night can, and counts what is left: nothing may be lost, nothing run twice.

    python tests/kit/endurance.py --runs 1000 --workers 4 --kills 3

Runs of a notebook that takes a second; at random moments the driver is killed (-9) and started again with the same
command, and one kernel in twenty is killed as well. In the end every configuration must be on record exactly once, no
process may be left, and no file torn. Needs psutil, as `make test` installs it. A thousand runs: a quarter of an hour.

    python tests/kit/endurance.py --cluster --faults 500 --workers 2

The same on workers of Dask's: driver, scheduler, a worker or a kernel is killed or stands still for a while, or what
one says to another is cut off, late or swallowed. After each such fault the sweep must get on, started again with the
same command where it has ended; in the end it is let come to its end.

    python tests/kit/endurance.py --files --runs 100 --workers 2

The files by which a kernel and its starter speak are torn, swapped for nonsense or removed, once in each run, or a
kernel stands still. A run may fail by that, alone and in a sentence; started again, the sweep makes up for it.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil

from dask_kit import Link, Room
from exchange import harm
from lab.search import sweep
from lab.search.results import trials_of
from lab.search.trials import latest
from lab.tracking import REPOSITORY, duration

SLEEP = """\
import time
from lab import tracking

with tracking.start(dict(number=number), folder) as run:
    with open(journal, "a") as file:
        file.write(f"{run.name}\\n")
    for epoch in range(epochs):
        time.sleep(pause / epochs)
        run.log(dict(loss=0.0, validationaccuracy=number / 10**6))
        if run.should_stop:
            break
"""
FRACTION = 1 / 20  # of the kernels that are killed
STILL = 1 / 5  # of the faults between a kernel and its starter
SPOILT = ("damaged_record.json", "verdict.json", "stopping.json")  # may be left as they are, which nobody reads
ENDED = "every run of .* failed|cannot be written .No such file"  # in the sentence with which a driver may end early
STARTS = 10  # of a driver that nobody kills: one that needs more does not get on


def write_notebook(path: Path, journal: Path, pause: float) -> None:
    parameters = (
        f'number: int = 0  # all that varies\nfolder: str = ""\njournal: str = {str(journal)!r}  # of what began\n'
        f"pause: float = {pause}  # seconds that a run takes\nepochs: int = 1  # that it reports\n"
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
    left = sum(map(is_left, below))
    return {"drivers killed": killed["drivers"], "kernels killed": killed["kernels"], "processes left": left} | {
        "time": duration(time.monotonic() - began)
    }


def endure_files(command: list[str], root: Path, runs: int, chance: random.Random) -> dict[str, object]:
    """Spoil a file of each run, or stop its kernel for a while; return what was done and what it came to."""
    environment = os.environ | {"WANDB_MODE": "disabled", "FASHION_RUNS": str(root)}
    done, below, struck, wrong = Counter(), set(), set(), []
    began, said = time.monotonic(), root.parent / "said"
    for _ in range(STARTS):
        before = len(struck)
        with said.open("wb") as output:
            driver = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while driver.poll() is None:
            below |= set(kernels(driver))
            for folder in {path.parent for path in root.glob("endurance/*/*.running.ipynb")} - struck:
                time.sleep(chance.uniform(0, 1))
                struck.add(folder)
                done[spoil(folder, driver, chance)] += 1
            time.sleep(0.05)
        text = said.read_text()
        if (driver.returncode and not re.search(ENDED, text)) or "Traceback" in text:
            wrong.append(f"a driver ended with {driver.returncode}: {text[-2000:]}")
        whole = re.search(rf"^endurance: {runs} of {runs} runs (?!.* failed)", text, re.MULTILINE)
        if whole and len(struck) == before:  # or a run may have lost its record once it had ended
            break
    time.sleep(3)  # a kernel notices within a second that its driver is gone
    print(*wrong, sep="\n")
    return dict(sorted(done.items())) | {
        "processes left": sum(map(is_left, below)),
        "wrong": len(wrong),
        "time": duration(time.monotonic() - began),
    }


def spoil(folder: Path, driver: subprocess.Popen, chance: random.Random) -> str:
    """Do something to what a kernel and its starter have between them; return what."""
    if chance.random() < STILL and (alive := kernels(driver)):
        with suppress(psutil.NoSuchProcess):
            process = chance.choice(alive)
            process.suspend()
            time.sleep(chance.uniform(0.1, 6))  # longer than a kernel waits for a verdict
            process.resume()
        return "kernel standing still"
    return harm(folder, chance)


class Faults:
    """A sweep on a cluster, to which something happens, again and again; what must not be is in `wrong`."""

    def __init__(self, command: list[str], root: Path, workers: int, chance: random.Random) -> None:
        self.command, self.root, self.workers, self.chance = command, root, workers, chance
        self.room = Room(DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="4s")
        self.links = {who: Link(self.room) for who in ("driver", "worker")}
        self.staff: list[subprocess.Popen] = []
        self.driver: subprocess.Popen | None = None
        self.below: set[psutil.Process] = set()  # workers have started, now or earlier
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()

    def keep_up(self) -> None:
        """Start what is gone, and see why the driver is, if it is."""
        self._keep_staff()
        if self.driver is None or self.driver.poll() is not None:
            self._see_end()
            self.drive(10**6)

    def _keep_staff(self) -> None:
        if self.room.scheduler.poll() is not None:
            self.room.scheduler = self.room.start_scheduler(0)
        self.staff = [worker for worker in self.staff if worker.poll() is None]
        while len(self.staff) < self.workers:
            self.staff.append(self.room.worker(address=self.links["worker"].address, FASHION_RUNS=str(self.root)))
        self.below |= {process for worker in self.staff for process in kernels(worker)}

    def drive(self, count: int) -> None:
        self.said = self.root.parent / f"said-{self.done.total()}"
        command = [*self.command, "--cluster", self.links["driver"].address, "--count", str(count)]
        environment = os.environ | {"WANDB_MODE": "disabled", "FASHION_RUNS": str(self.root)}
        with self.said.open("wb") as said:
            self.driver = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)

    def _see_end(self) -> None:
        """A driver ends because it was killed, or has lost its scheduler, which it says in a sentence."""
        if self.driver and self.driver.returncode != -signal.SIGKILL:
            last = (self.said.read_text().splitlines() or ["nothing"])[-1]
            if self.driver.returncode != 1 or not re.search("the same command goes on|no scheduler answers", last):
                self.wrong.append(f"a driver ended with {self.driver.returncode}: {self.said.read_text()[-2000:]}")

    def gets_on(self, number: int) -> bool:
        """Whether so many runs more come to their end, within the time that nothing should need."""
        wanted, until = len(self.ended()) + number, time.monotonic() + PATIENCE
        self.keep_up()
        while len(self.ended()) < wanted:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
            self.keep_up()
        return True

    def ended(self) -> list[Path]:
        """Records come home when their run has ended."""
        return list((self.root / "endurance").glob("*/record.json"))

    def strike(self) -> None:
        """One fault."""
        (who,) = self.chance.choices(list(SHARES), list(SHARES.values()))
        how = self.chance.choice(("killed", "still") if who in ("scheduler", "kernel") else tuple(KINDS))
        self.done[f"{who} {KINDS[how]}"] += 1
        seconds = self.chance.uniform(0.1, 6)  # longer than a worker may be silent
        match how:
            case "cut":
                self.links[who].cut()
            case "late" | "swallowed":
                self.links[who].hold()
                time.sleep(seconds)
                if how == "swallowed":
                    self.links[who].cut()
                self.links[who].release()
            case "killed" | "still":
                with suppress(psutil.NoSuchProcess):
                    process = self._one(who)
                    if how == "killed":
                        process.kill()
                    else:
                        process.suspend()
                        time.sleep(seconds)
                        process.resume()

    def _one(self, who: str) -> psutil.Process:
        if who in ("driver", "scheduler"):
            return psutil.Process((self.driver if who == "driver" else self.room.scheduler).pid)
        worker = self.chance.choice(self.staff)
        alive = kernels(worker) if who == "kernel" else []
        return self.chance.choice(alive) if alive else psutil.Process(worker.pid)

    def finish(self) -> None:
        """No more faults: let what has been begun come to its end."""
        self.driver.kill()
        self.driver.wait()
        self.drive(len(latest(trials_of("endurance", self.root)[1])))
        until = time.monotonic() + 3 * PATIENCE
        while self.driver.poll() is None and time.monotonic() < until:
            self._keep_staff()
            time.sleep(0.1)
        if self.driver.poll() != 0:
            self.wrong.append(f"the last driver ended with {self.driver.poll()}: {self.said.read_text()[-2000:]}")

    def close(self) -> None:
        for link in self.links.values():
            link.close()
        self.room.close()
        if self.driver:
            self.driver.kill()
            self.driver.wait()


KINDS = {"killed": "killed", "still": "standing still", "cut": "cut off", "late": "late", "swallowed": "swallowed"}
SHARES = {"driver": 3, "scheduler": 1, "worker": 3, "kernel": 3}  # without its scheduler all others end as well
PATIENCE = 120  # seconds in which a sweep gets on after a fault, also on a busy machine


def endure_on_cluster(
    command: list[str], root: Path, faults: int, workers: int, chance: random.Random
) -> dict[str, object]:
    """Let faults happen to a sweep on workers of Dask's; return what was done and what it came to."""
    began, sweep_on = time.monotonic(), Faults(command, root, workers, chance)
    try:
        for k in range(faults):
            if not sweep_on.gets_on(chance.randrange(3)):
                sweep_on.wrong.append(f"nothing got on before fault {k}: {sweep_on.said.read_text()[-2000:]}")
                break
            time.sleep(chance.uniform(0, 0.5))
            sweep_on.strike()
            print(f"\r{sweep_on.done.total()} faults, {len(sweep_on.ended())} runs", end="", flush=True)
        sweep_on.finish()
    finally:
        sweep_on.close()
    time.sleep(3)  # a kernel notices within a second that its worker is gone
    print(*sweep_on.wrong, sep="\n")
    return dict(sorted(sweep_on.done.items())) | {
        "processes left": sum(map(is_left, sweep_on.below)),
        "wrong": len(sweep_on.wrong),
        "time": duration(time.monotonic() - began),
    }


def is_left(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def count(root: Path, journal: Path) -> dict[str, object]:
    """What is on record."""
    complete = Counter(trial.name for trial in trials_of("endurance", root)[1] if trial.has_result)
    torn = 0
    for path in root.rglob("*"):
        if path.name in SPOILT or not path.is_file():
            continue
        if path.suffix in (".json", ".ipynb"):
            try:
                json.loads(path.read_text())
            except ValueError:
                print(f"torn: {path}")
                torn += 1
        if path.suffix == ".tmp" or ".running." in path.name:
            print(f"left: {path}")
            torn += 1
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
    parser.add_argument("--kills", type=int, default=3, help="of the driver")
    parser.add_argument("--cluster", action="store_true", help="on workers of Dask's")
    parser.add_argument("--files", action="store_true", help="spoil what kernels and their starter have between them")
    parser.add_argument("--faults", type=int, default=500, help="with --cluster, in place of runs and kills")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument("--pause", type=float, default=1, help="seconds that a run takes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        root, journal, notebook = Path(folder) / "runs", Path(folder) / "journal", Path(folder) / "second.ipynb"
        write_notebook(notebook, journal, options.pause)
        parameters = {"number": {"min": 0, "max": 10**6}}
        plan = {"name": "endurance", "method": "random", "run_cap": options.runs, "parameters": parameters}
        if options.files:
            plan["parameters"]["epochs"] = {"value": 4}
            plan["metric"] = {"name": "validationaccuracy", "goal": "maximize"}
            plan["early_terminate"] = {"type": "hyperband", "min_iter": 1, "eta": 2}
        (Path(folder) / "plan.json").write_text(json.dumps(plan))
        command = [sys.executable, REPOSITORY / "sweep.py", "run", str(Path(folder) / "plan.json")]
        command += ["--notebook", str(notebook)]
        chance = random.Random(options.seed)
        if options.cluster:
            done = endure_on_cluster(command, root, options.faults, options.workers, chance)
            runs = len(latest(trials_of("endurance", root)[1]))
        elif options.files:
            command += ["--workers", str(options.workers)]
            done, runs = endure_files(command, root, options.runs, chance), options.runs
        else:
            command += ["--workers", str(options.workers)]
            done, runs = endure(command, root, options.runs, options.kills, chance), options.runs
        outcome = done | count(root, journal)
        print()
        for what, n in outcome.items():
            print(f"{what:60} {n}")
    expected = dict.fromkeys(("configurations on record", "of them exactly once", "records"), runs)
    if options.files:
        del expected["of them exactly once"]  # a run that has ended, and has lost its record since, is made again
    expected |= dict.fromkeys(("processes left", "torn or left-over files", "wrong"), 0)
    return int(any(outcome.get(what, 0) != n for what, n in expected.items()))


if __name__ == "__main__":
    sys.exit(main())
