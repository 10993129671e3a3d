"""Times the network beside its peers, in turn and on one machine: the ratios hold even where the clock does not.

    python benchmarks/bench.py run      every peer on every workload: prints the tables, keeps runs/benchmark.json
    python benchmarks/bench.py core C   this working tree against commit C, in under two minutes

`make bench` and `make bench-core BASE=...` install what is needed and call these. Each peer is a process of its own.
An epoch of each makes a round, rounds follow one another, and tables show medians over them. CPU seconds are those of
all threads of a process. `run` goes on where it was stopped; `--again` measures everything anew.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import fashion_mnist
from common.files import read_json, write_json
from common.machine import processor
from lab.evaluation import profiling
from lab.tracking import THREADS, commit, duration, runs_root
from peers import PEERS, WORKLOADS, pixels

ROOT = Path(__file__).resolve().parents[1]
TRAINING = 54_000  # images of an epoch
INFERENCE = 10_000  # images of a prediction; training images, since the test set is not for this
LIBRARIES = ("numpy", "numba", "jax", "torch", "scikit-learn")
CORE = re.compile(r"(?!fashion_mnist)[^/]+\.py|backends/.*\.py")  # of a commit in this layout or an older one
HELD = {  # instructions that all peers can be held to, on a processor that has more -> the environment that does it
    "AVX2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "NUMBA_CPU_NAME": "haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    }
}
REST = 0.3  # seconds after each answer of several threads, which go on spinning for up to 0.2 s
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


# --- One peer, in a process of its own --------------------------------------------------------------------------------


def work(peer: str, workload: str, limit: int) -> None:
    """Answer requests on standard input, `epoch` or `predict`, each by a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    images, labels = fashion_mnist.load().train
    contender = PEERS[peer](WORKLOADS[workload], images[:limit], labels[:limit])
    for request in map(str.strip, sys.stdin):
        sample = pixels(images[:INFERENCE]) if request == "predict" else None
        cpu, wall = time.process_time(), time.perf_counter()
        value = contender.epoch() if sample is None else contender.predict(sample).size
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps({**seconds, "value": value, "memory": _peak_memory()}), file=answers)


def _peak_memory() -> float:
    """The most memory that this process has held, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


class Worker:
    """A process that holds one peer; with one thread it keeps to one core."""

    def __init__(
        self, peer: str, workload: str, threads: int = 1, core: int = -1, limit: int = TRAINING, root: Path = ROOT
    ) -> None:
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        environment["PYTHONPATH"] = os.pathsep.join(map(str, (root, ROOT / "benchmarks", ROOT)))
        self.rest = REST if threads > 1 else 0
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in __exit__)
        self.peer, self.started = peer, time.perf_counter()
        command = [sys.executable, __file__, "worker", peer, workload, str(limit)]
        pin = (lambda: os.sched_setaffinity(0, {CORES[core]})) if threads == 1 and sys.platform == "linux" else None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
            preexec_fn=pin,
        )

    def ask(self, request: str) -> dict[str, float]:
        """Have the worker do it; return cpu and wall seconds, its peak memory in MB, and the value."""
        try:
            print(request, file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError) as error:
            code = self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["it said nothing"]
            raise SystemExit(f"{self.peer} ended with exit code {code}: {said[-1]}") from error
        time.sleep(self.rest)  # else they would take a core from whoever is timed next
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()


# --- Measuring --------------------------------------------------------------------------------------------------------


def compare(
    workers: dict[str, Worker], requests: Sequence[str], rounds: int, spared: Iterable[str] = ()
) -> dict[str, dict[str, dict[str, Any]]]:
    """Request -> worker -> {"first", "cpu", "wall"}: seconds of the first time, then of each round; all take turns.

    One of the `spared` workers that dies at its first time is left out, and that is said.
    """
    timings: dict[str, dict[str, dict[str, Any]]] = {request: {} for request in requests}
    for name, worker in workers.items():
        try:
            first = [worker.ask(request)["wall"] for request in requests]
        except SystemExit as error:
            if name not in spared:
                raise
            print(f"{error}: it is left out", file=sys.stderr, flush=True)
            continue
        for request, seconds in zip(requests, first, strict=True):
            timings[request][name] = {"cpu": [], "wall": [], "first": seconds}
    names = list(timings[requests[0]])
    for turn in range(rounds):
        turn %= len(names)
        for request, name in itertools.product(requests, names[turn:] + names[:turn]):  # nobody is always the last
            answer = workers[name].ask(request)
            for unit in ("cpu", "wall"):
                timings[request][name][unit].append(answer[unit])
    return timings


def start(peer: str, rounds: int, limit: int) -> dict[str, Any]:
    """Seconds from the start of the process to the end of the first epoch of W1, and the memory it took, in MB."""
    seconds, memory = [], []
    for _ in range(rounds):
        with Worker(peer, "W1", limit=limit) as worker:
            memory.append(worker.ask("epoch")["memory"])
            seconds.append(time.perf_counter() - worker.started)
    return {"seconds": seconds, "memory": memory}


def side_by_side(peer: str, workload: str, rounds: int, limit: int) -> list[float]:
    """How much more two processes of one thread do, each on its core, than one of them alone; once a round."""
    gains = []
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        pair = [stack.enter_context(Worker(peer, workload, core=core, limit=limit)) for core in (0, -1)]
        list(pool.map(lambda worker: worker.ask("epoch"), pair))
        for _ in range(rounds):
            alone = statistics.mean(worker.ask("epoch")["wall"] for worker in pair)
            together = list(pool.map(lambda worker: worker.ask("epoch")["wall"], pair))
            gains.append(sum(alone / seconds for seconds in together))
    return gains


def run(
    path: Path, peers: Sequence[str], workloads: Sequence[str], rounds: int, limit: int, again: bool, held: str = ""
) -> dict:
    """Measure what `path` does not hold yet, and keep it there after each step. `held`: to what, if peers are."""
    measurements = {} if again else read_json(path)
    os.environ.update(HELD.get(held, {}))  # which their processes take over
    about = {
        "sources": _digest(),
        "machine": f"{platform.system()}, {processor()}{f' held to {held}' * bool(held)}, {len(CORES)} "
        f"core{'s' * (len(CORES) > 1)}",
        "instructions": held or instructions(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _installed()},
        "titles": {name: PEERS[name].title for name in peers},
        "limit": limit,
        "rounds": rounds,
    }
    if other := [key for key in about if measurements.get(key) != about[key]]:
        if measurements:
            print(f"{path} has other {', '.join(other)}: all is measured anew", file=sys.stderr)
        measurements = (
            about | {"commit": commit(ROOT)} | {"date": datetime.now(UTC).isoformat(timespec="seconds"), "measured": {}}
        )
    threads = (1, 2) if len(CORES) > 1 else (1,)
    steps = [("compare", workload, t) for t in threads for workload in workloads]
    steps += [("start", peer) for peer in peers if peer in ("numpy", "numba", "jax", "torch-fused")]
    steps += [("pair", peer, w) for w in workloads for peer in peers if peer in ("numpy", "numba") and len(threads) > 1]
    began, done = time.monotonic(), 0
    for number, step in enumerate(steps, 1):
        key = " ".join(map(str, step))
        if key in measurements["measured"]:
            continue
        left = f", about {duration((time.monotonic() - began) / done * (len(steps) - number + 1))} left" if done else ""
        print(f"{number} of {len(steps)}: {key}{left}", file=sys.stderr, flush=True)
        match step:
            case "compare", workload, t:
                with ExitStack() as stack:
                    able = [p for p in peers if PEERS[p].takes(WORKLOADS[workload])]
                    workers = {p: stack.enter_context(Worker(p, workload, t, limit=limit)) for p in able}
                    turns = rounds if t == 1 else min(rounds, 3)
                    others = workers.keys() - {"numpy", "numba"}
                    measurements["measured"][key] = compare(workers, ["epoch", "predict"], turns, others)
            case "start", peer:
                measurements["measured"][key] = start(peer, rounds, limit)
            case "pair", peer, workload:
                measurements["measured"][key] = side_by_side(peer, workload, rounds, limit)
        done += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, measurements)
    return measurements


def _digest() -> str:
    """A short hash of all code that is timed: measurements of other code are not gone on with."""
    folders = (ROOT, ROOT / "backends", ROOT / "common", ROOT / "benchmarks")
    files = [*(file for folder in folders for file in sorted(folder.glob("*.py"))), Path(profiling.__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _installed() -> Iterator[str]:
    for name in LIBRARIES:
        try:
            version(name)
        except ModuleNotFoundError:
            continue
        yield name


def instructions() -> str:
    """The vector instructions that peers have here, as far as their speed depends on it; empty if not known."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return ""
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""


# --- Tables -----------------------------------------------------------------------------------------------------------


def tables(measurements: dict[str, Any]) -> Iterator[str]:
    """The measurements as tables in text: medians, and their range over the rounds."""
    measured = measurements["measured"]
    for request, what in (
        ("epoch", f"an epoch of {measurements['limit']:,} images"),
        ("predict", f"{INFERENCE:,} predictions"),
    ):
        for threads, unit in ((1, "cpu"), (2, "wall")):
            columns = {w: measured[key][request] for w in WORKLOADS if (key := f"compare {w} {threads}") in measured}
            if columns:
                kind = {"cpu": "CPU seconds", "wall": "seconds"}[unit]
                yield f"\n{kind} for {what}, {threads} thread{'s' * (threads > 1)}: median (least to most)\n"
                yield from _table(columns, unit)
    starts = {key.split()[1]: value for key, value in measured.items() if key.startswith("start")}
    if starts:
        yield "\nFrom the start of the process to the end of the first epoch of W1 (numba's kernels are on disk)\n"
        for peer, value in starts.items():
            memory = statistics.median(value["memory"])
            yield f"{PEERS[peer].title:<30}{statistics.median(value['seconds']):8.2f} s{memory:8.0f} MB"
    pairs = {key: value for key, value in measured.items() if key.startswith("pair")}
    if pairs:
        yield "\nTwo runs of one thread side by side, against one alone\n"
    for key, gains in pairs.items():
        _, peer, workload = key.split()
        yield f"{PEERS[peer].title:<30}{workload:>4}{statistics.median(gains):8.2f} times the work"


def _table(columns: dict[str, dict[str, dict[str, list[float]]]], unit: str) -> Iterator[str]:
    yield f"{'':<30}" + "".join(f"{w:>24}" for w in columns)
    for peer in dict.fromkeys(itertools.chain(*columns.values())):
        cells = []
        for column in columns.values():
            values = column[peer][unit] if peer in column else [math.nan]  # it does not take this workload
            cells.append(f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        yield f"{PEERS[peer].title:<30}" + "".join(f"{cell:>24}" for cell in cells)


# --- The working tree against a commit --------------------------------------------------------------------------------


@contextmanager
def checkout(base: str) -> Iterator[Path]:
    """The core of a commit, in a folder that is gone afterwards; all else is taken from here."""
    archive = subprocess.run(["git", "archive", base], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{base} is no commit of this repository: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            members = [m for m in tar.getmembers() if CORE.fullmatch(m.name)]
            tar.extractall(folder, members, filter="data")
        yield Path(folder)


def core(base: str, peers: Iterable[str], workloads: Sequence[str], rounds: int, limit: int) -> None:
    """Print how much CPU time an epoch takes here and at a commit, and the median of the ratios, round by round."""
    print(f"{'CPU seconds an epoch':<30}{base[:12]:>14}{'here':>10}{'ratio':>10}")
    with checkout(base) as there:
        for workload, peer in itertools.product(workloads, peers):
            with (
                Worker(peer, workload, limit=limit, root=there) as old,
                Worker(peer, workload, limit=limit) as new,
            ):
                timings = compare({"old": old, "new": new}, ["epoch"], rounds)["epoch"]
            before, after = timings["old"]["cpu"], timings["new"]["cpu"]
            ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
            row = f"{statistics.median(before):>14.3f}{statistics.median(after):>10.3f}{ratio:>10.3f}"
            print(f"{workload + ', ' + PEERS[peer].title:<30}{row}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runner, versus = commands.add_parser("run", help="all peers"), commands.add_parser("core", help="against a commit")
    versus.add_argument("base", help="a commit")
    runner.add_argument("--again", action="store_true", help="measure everything anew")
    runner.add_argument("--held-to", choices=HELD, default="", help="let peers use no newer instructions than these")
    runner.add_argument("--output", type=Path, default=runs_root() / "benchmark.json")
    for command, some in ((runner, list(PEERS)), (versus, ["numpy"])):
        command.add_argument("--peers", nargs="+", choices=list(PEERS), default=some, metavar="PEER")
        command.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS), metavar="W")
        command.add_argument(
            "--rounds", type=int, default=5, help="timed epochs of each (default: 5); with two threads 3 at most"
        )
        command.add_argument("--limit", type=int, default=TRAINING, help=f"images an epoch (default: {TRAINING})")
    worker = commands.add_parser("worker")
    for name, kind in (("peer", str), ("workload", str), ("limit", int)):
        worker.add_argument(name, type=kind)
    options = parser.parse_args(arguments)
    if options.command == "worker":
        work(options.peer, options.workload, options.limit)
    elif options.command == "core":
        core(options.base, options.peers, options.workloads, options.rounds, options.limit)
    else:
        what = options.peers, options.workloads, options.rounds, options.limit
        measurements = run(options.output, *what, options.again, options.held_to)
        print(f"{measurements['machine']}\n{', '.join(f'{k} {v}' for k, v in measurements['versions'].items())}")
        print(*tables(measurements), sep="\n")


if __name__ == "__main__":
    main()
