"""What a sweep costs beyond its training, and how many configurations an hour it comes to; beside it, `wandb agent`.

    python benchmarks/sweeping.py --runs 24 --workers 2

All that is measured runs in folders of its own, and in processes whose time of the processor the system counts. The
agent's runs are those that the random sweep chose, with a stand-in for W&B's server on this machine: one process a run,
as many agents as workers.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from common.files import write_json
from common.machine import processor
from lab.tracking import REPOSITORY, THREADS, Record, commit, record_of, runs_root

sys.path.append(str(REPOSITORY / "tests" / "kit"))

from wandb_server import KEY, WandbServer

TINY = {"limit": 200, "max_epochs": 1, "layers": 1, "num_hidden_neurons": 8}  # trains in no time
MANY = 40  # tiny runs, whose cost is compared with that of one


def main() -> None:
    """Measure, print, and keep it all where 06_benchmark looks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=24, help="of the random sweep, and of the one after it")
    parser.add_argument("--workers", type=int, default=2, help="runs, or agents, side by side")
    parser.add_argument("--output", type=Path, default=runs_root() / "sweeping.json")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sweeping-") as folder:
        measurements = measured(Path(folder), options.runs, options.workers)
    write_json(options.output, measurements)
    for what, numbers in measurements.items():
        print(f"{what:16} {json.dumps(numbers) if isinstance(numbers, dict) else numbers}")


def measured(folder: Path, runs: int, workers: int) -> dict[str, Any]:
    """All numbers: seconds of a core a run beyond training, shares of the time, configurations an hour."""
    facts = {"processor": processor(), "commit": commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    facts |= {"runs": runs, "workers": workers, "overhead": overhead(folder, workers)}
    environment = {"FASHION_RUNS": str(folder / "runs"), "WANDB_MODE": "offline"}
    shares, rates, records = {}, {}, {}
    for name, after in (("random", ()), ("bayes", ("--after", "random"))):
        options = ["--count", str(runs), "--workers", str(workers), *after]
        seconds, _ = timed(["sweep.py", "run", f"sweeps/{name}.yaml", *options], environment)
        records[name] = records_of(folder / "runs" / name)
        shares[name] = sum(map(trained, records[name])) / workers / seconds
        rates[name] = 3600 * len(records[name]) / seconds
    rates["wandb agent"] = 3600 * runs / agent(folder, [record["config"] for record in records["random"]], workers)
    return facts | {"backend": records["random"][0]["backend"], "share": shares, "an hour": rates}


def overhead(folder: Path, workers: int) -> float:
    """Seconds of a core that a run costs besides its training: what more runs of hardly any training cost, each."""
    times = []
    for k, number in enumerate((1, 1, 1 + MANY)):  # the first start compiles, and fills caches
        plan = {"name": f"tiny{k}", "method": "grid", "metric": {"name": "validationaccuracy", "goal": "maximize"}}
        plan["parameters"] = {key: {"value": value} for key, value in TINY.items()}
        plan["parameters"]["seed"] = {"values": list(range(number))}
        (folder / "tiny.json").write_text(json.dumps(plan))
        environment = {"FASHION_RUNS": str(folder / "tiny"), "WANDB_MODE": "offline"}
        _, cores = timed(["sweep.py", "run", str(folder / "tiny.json"), "--workers", str(workers)], environment)
        times.append(cores - sum(map(trained, records_of(folder / "tiny" / plan["name"]))))
    return (times[2] - times[1]) / MANY


def agent(folder: Path, configs: Sequence[dict[str, Any]], workers: int) -> float:
    """Seconds that as many agents as workers take for the configurations."""
    server = WandbServer()
    try:
        environment = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        environment |= dict.fromkeys(THREADS, str(max(1, (os.cpu_count() or 1) // workers)))
        environment |= {"WANDB_DIR": str(folder), "WANDB_SILENT": "true", "PYTHONPATH": str(REPOSITORY)}
        plan = {"program": "benchmarks/agent_training.py", "method": "grid", "parameters": {"x": {"value": 0}}}
        plan |= {"project": "sweeping", "name": "agent", "command": ["${env}", sys.executable, "${program}"]}
        (folder / "agent.yaml").write_text(yaml.safe_dump(plan))
        timed(["-m", "wandb", "sweep", str(folder / "agent.yaml")], environment)
        (sweep_id,) = server.sweeps
        known = ({key: value for key, value in config.items() if key in NETWORK} for config in configs)
        server.sweeps[sweep_id]["points"] = iter(list(known))
        began = time.monotonic()
        agents = [start(["-m", "wandb", "agent", f"me/sweeping/{sweep_id}"], environment) for _ in range(workers)]
        if any(one.wait() for one in agents) or len(server.runs) < len(configs):
            raise RuntimeError(f"W&B's agents have made {len(server.runs)} of {len(configs)} runs")
        return time.monotonic() - began
    finally:
        server.die()


NETWORK = {
    *("max_epochs", "initializer", "layers", "num_hidden_neurons", "activation", "learning_rate"),
    *("weight_decay", "optimizer", "batch_size", "seed"),
}


def timed(command: Iterable[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of the clock, and of the processor, that a command and all that it started took."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start(command, environment)
    if process.wait():
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start(command: Iterable[str], environment: dict[str, str]) -> subprocess.Popen:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, *command], cwd=REPOSITORY, env=kept | environment, **streams)


def records_of(folder: Path) -> list[Record]:
    names = [path.parent for path in sorted(folder.glob("*/record.json"))]
    return [record for name in names if (record := record_of(name))]


def trained(record: Record) -> float:
    """Seconds of its epochs."""
    return sum(epoch["seconds"] for epoch in record["history"])


if __name__ == "__main__":
    main()
