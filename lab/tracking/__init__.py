"""One training run on record: a JSON file of our own, a W&B run beside it (online, offline or none), early stopping."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.files import read_json, write_json
from lab.search import stopping

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = "fashion-mnist-numpy"
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
ABBREVIATIONS = {
    "layers": "hl",
    "num_hidden_neurons": "hn",
    "batch_size": "bs",
    "activation": "ac",
    "initializer": "in",
    "optimizer": "op",
    "learning_rate": "lr",
    "weight_decay": "wd",
    "max_epochs": "ep",
    "loss": "lo",
    "seed": "se",
}
Record = dict[str, Any]  # what record.json holds
RECORD_KEYS = {"name", "status", "error", "config", "history", "seconds", "fingerprint"}
HOUSEKEEPING = {"folder", "draw"}  # parameters of the notebook that are no part of a configuration
USUAL = {"validation_fraction": 0.1}  # shows in a name only where it differs
ENDED = ("finished", "diverged", "stopped")  # a run that ended so has its result
MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")  # of W&B
FINISH = 60  # seconds that W&B may take to send what is left when a run has ended


def runs_root() -> Path:
    """The folder of all runs: the environment variable FASHION_RUNS, or runs/ in the repository."""
    return Path(os.environ.get("FASHION_RUNS") or REPOSITORY / "runs").resolve()


def run_name(config: Mapping[str, Any]) -> str:
    """A readable name, safe as a file name: equal for equal configurations (ADAM is adam, 0 is 0.0), else different."""
    config = _flat(config)
    keys = [*ABBREVIATIONS, *sorted(config.keys() - ABBREVIATIONS.keys() - HOUSEKEEPING)]
    shown = [key for key in keys if config.get(key) is not None and config[key] != USUAL.get(key)]
    return "_".join(f"{ABBREVIATIONS.get(key, key)}_{_text(config[key])}" for key in shown)


def duration(seconds: float) -> str:
    """Seconds as people say them: `8.3 s`, `95 s`, `4 min 10 s`, `2 h 5 min`."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return "{} min {} s".format(*divmod(whole, 60))
    return "{} h {} min".format(*divmod(round(whole / 60), 60))


def make_way(folder: Path) -> None:
    """Make a folder ready for a new run: what has its result stays, as previous_*, until the new run has its own."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = read_json(folder / "record.json").get("status") in ENDED
    for name in ("weights.npz", "record.json"):  # the record last: it says that there is something to keep
        path, previous = folder / name, folder / f"previous_{name}"
        (previous if ended else path).unlink(missing_ok=True)
        if path.exists():
            os.replace(path, previous)


def record_of(folder: Path) -> Record:
    """The record of a run; an empty one where there is none, or none that is whole."""
    record = read_json(folder / "record.json")
    return record if record.keys() >= RECORD_KEYS else {}


def value_of(record: Record, metric: str) -> float | None:
    """The metric of a finished run after its last epoch; None where there is none."""
    return record["history"][-1].get(metric) if record["status"] == "finished" and record["history"] else None


class Run:
    """A run under way: what it is (`config`, `name`, `folder`) and what has come of it (`status`, `history`, `error`).

    `status` is running, then finished, stopped (early, by its sweep), diverged, failed or interrupted; `history` holds
    one dictionary an epoch, as `NeuralNetwork.train` yields them.
    """

    def __init__(self, config: Mapping[str, Any], folder: str | Path = "", patience: int | None = None) -> None:
        self.config = dict(config)
        self.name = run_name(config)
        self.folder = Path(folder or runs_root() / "single" / self.name).resolve()
        self.patience = patience
        self.status = "running"
        self.error: str | None = None
        self.history: list[dict[str, Any]] = []
        self.wandb: Any = None  # the W&B run, for whoever wants to log more than epochs
        self.stopped = False  # its sweep has no more use for it
        self._stops: Any = None  # what says so; None where nobody does
        self._clock = time.monotonic()
        self._fixed = {
            "started": _now(),
            "versions": {
                "python": platform.python_version(),
                "numpy": version("numpy"),
                "platform": platform.platform(),
            },
            "commit": commit(),
            "threads": {name: os.environ.get(name) for name in THREADS},
            "fingerprint": os.environ.get("FASHION_FINGERPRINT"),  # sweep.py's mark of the code that runs
            "noted": [],  # which of these entries `note` has added
        }
        make_way(self.folder)
        self.write()

    def log(self, epoch: dict[str, Any]) -> None:
        """Record one epoch, in record.json and on W&B, and print a line on it."""
        if self.patience is not None and "validationaccuracy" not in epoch:
            raise ValueError("patience watches validationaccuracy: train with validation data, or leave patience out")
        self.history.append(dict(epoch))
        self.write()
        if self.wandb:
            with self.surviving_wandb():
                self.wandb.log(epoch)
        done, total = epoch["epoch"], self.config.get("max_epochs")
        if self._stops:
            with self._surviving_sweep():
                self.stopped = self._stops(epoch) and not (total and done >= total)
        facts = [f"epoch {done}/{total}" if total else f"epoch {done}", f"loss {epoch['loss']:.4f}"]
        if "validationaccuracy" in epoch:
            facts.append(f"validation accuracy {epoch['validationaccuracy']:.4f}")
        facts.append(duration(epoch["seconds"]))
        if total:
            each = (time.monotonic() - self._clock) / len(self.history)  # a training may go on from a later epoch
            facts.append(f"{duration(each * max(0, total - done))} left")
        print(*facts, sep=" · ", flush=True)

    def note(self, **facts: Any) -> None:
        """Put on record, and into W&B's configuration, what is known only now, such as the threads of a network."""
        self._fixed |= facts | {"noted": sorted({*self._fixed["noted"], *facts})}
        self.write()
        if self.wandb:
            with self.surviving_wandb():
                self.wandb.config.update(facts)

    @property
    def should_stop(self) -> bool:
        """Whether the sweep stops this run early, or the validation accuracy has not risen for `patience` epochs."""
        if self.stopped:
            return True
        if self.patience is None or not self.history:
            return False
        accuracies = [epoch["validationaccuracy"] for epoch in self.history]
        return len(accuracies) - 1 - accuracies.index(max(accuracies)) >= self.patience

    def save(self, net: Any) -> Path:
        """Save the network's weights as weights.npz beside the record, whole or not at all; return the path."""
        path = self.folder / "weights.npz"
        net.save(path)
        return path

    @contextmanager
    def surviving_wandb(self) -> Iterator[None]:
        """Let no error of W&B's end the run: say what it was, and go on without W&B."""
        try:
            yield
        except Exception as error:
            self.wandb = None
            print(f"W&B keeps no more of this run ({first_line(error)}); record.json keeps it all.", flush=True)

    @contextmanager
    def _surviving_sweep(self) -> Iterator[None]:
        """Let no trouble with the sweep's database end the run: say what it was, and train to the end."""
        try:
            yield
        except Exception as error:
            self._stops = None
            print(f"This run is not stopped early ({first_line(error)}).", flush=True)

    def write(self) -> None:
        """Bring record.json up to date."""
        record = {
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "config": self.config,
            "history": self.history,
            "seconds": time.monotonic() - self._clock,
            **self._fixed,
            "finished": None if self.status == "running" else _now(),
        }
        write_json(self.folder / "record.json", record)


@contextmanager
def start(config: Mapping[str, Any], folder: str | Path = "", *, patience: int | None = None) -> Iterator[Run]:
    """Keep a run on record in `folder` (empty: runs/single/<run name>) and on W&B.

    A FloatingPointError ends the run as `diverged` and is swallowed, with its sentence printed; any other exception
    is recorded, as `failed` or `interrupted`, and goes on. With `patience`, `run.should_stop` turns true once the
    validation accuracy has not risen for so many epochs. Raises ValueError for a WANDB_MODE that W&B does not have.
    """
    mode = os.environ.get("WANDB_MODE", "")
    if mode and mode not in MODES:
        raise ValueError(f"WANDB_MODE is {mode!r}, which is no mode of W&B's: choose from {', '.join(MODES)}")
    run = Run(config, folder, patience)
    try:
        with run.surviving_wandb():
            run.wandb = _wandb_run(run)
        with run._surviving_sweep():
            run._stops = stopping.watch()
        yield run
        run.status = "stopped" if run.stopped else "finished"
    except FloatingPointError as error:
        run.status, run.error = "diverged", str(error)
        print(error, flush=True)
    except BaseException as error:
        run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        run.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        run.write()  # before W&B, which may take its time over the network
        if run.wandb:
            with run.surviving_wandb():
                _finish(run)


def wandb_mode() -> str:
    """Where W&B keeps runs: what WANDB_MODE says, else online where there is a key, else offline. Never a prompt."""
    mode = os.environ.get("WANDB_MODE", "")
    if mode:
        return mode
    os.environ.pop("WANDB_MODE", None)  # W&B takes an empty one for an error
    return "online" if _wandb().login(prompt=False, verify=False) else "offline"


def _wandb() -> Any:
    """W&B's client, told to be silent."""
    import wandb  # here, since WANDB_MODE=disabled need not wait for it

    wandb.setup(wandb.Settings(silent=True))
    return wandb


def _wandb_run(run: Run) -> Any:
    """A W&B run, offline if its server cannot be had; None where W&B is disabled."""
    mode = wandb_mode()
    if mode == "disabled":
        return None
    wandb, options = _wandb(), _options(run.name, run.config, run.folder)
    try:
        return wandb.init(mode=mode, **options)
    except wandb.Error as error:
        print(f"W&B keeps this run offline ({first_line(error)}); {_later(run)}.", flush=True)
        return wandb.init(mode="offline", **options)


def _options(name: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What W&B is told of a run."""
    settings = _wandb().Settings(
        silent=True, console="off", init_timeout=10, finish_timeout=FINISH, finish_timeout_raises=True
    )
    options = {"name": name, "config": dict(config), "dir": folder, "settings": settings}
    if not os.environ.get("WANDB_RUN_ID"):  # below a W&B agent the run exists, with its project and its sweep
        options |= {"project": os.environ.get("WANDB_PROJECT") or PROJECT, "group": folder.parent.name}
    return options


def keep_offline(record: Mapping[str, Any], folder: Path, project: str | None = None) -> None:
    """Make a run that has ended an offline run of W&B's in its folder, from its record.

    A sweep's driver does this for its kernels, each of which would spend over a second on W&B's start.
    """
    config = record["config"] | {key: record[key] for key in record.get("noted", ())}
    options = _options(record["name"], config, folder) | ({"project": project} if project else {})
    run = _wandb().init(mode="offline", reinit="create_new", **options)
    for epoch in record["history"]:
        run.log(epoch)
    run.summary["status"] = record["status"]
    run.finish(exit_code=0 if record["status"] in ENDED else 1)


def _finish(run: Run) -> None:
    """End the W&B run. One that did not arrive in time becomes an offline one, which can be uploaded later."""
    run.wandb.summary["status"] = run.status
    try:
        run.wandb.finish(exit_code=0 if run.status in ENDED else 1)
    except TimeoutError:
        folder = Path(run.wandb.settings.sync_dir)
        with suppress(OSError):
            folder.rename(folder.with_name(f"offline-{folder.name}"))
        print(f"W&B has not got all of this run ({FINISH} s were not enough); {_later(run)}.", flush=True)


def _later(run: Run) -> str:
    """What to do about a run that W&B has offline."""
    return f"`wandb sync {run.folder / 'wandb'}` uploads it later"


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return str(error).partition("\n")[0] or type(error).__name__


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The entries of nested dictionaries by `outer.inner`."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _text(value: object) -> str:
    if isinstance(value, str | bool):
        return quote(str(value).casefold(), safe="")
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else float.__repr__(float(value))
    return quote(str(value), safe="")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit(repository: Path = REPOSITORY) -> str | None:
    """The commit checked out, with a "+" if files that `make` does not write differ from it; None without git."""

    def git(*words: str) -> str:
        command = ["git", *words]
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=10, check=True).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports", ":!README.md")
        return git("rev-parse", "--short=12", "HEAD").strip() + "+" * bool(changed)
    except (OSError, subprocess.SubprocessError):
        return None
